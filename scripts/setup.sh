#!/usr/bin/env bash
# Installs what Nestling needs and this machine lacks. Where everything is there
# already, it asks dpkg once and is done.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { echo "setup: $*" >&2; }

mapfile -t packages < <(awk '!/^#/ { for (i = 2; i <= NF; i++) print $i }' doctor/packages.txt)

# missing prints the packages that are not installed, one a line.
missing() {
  local installed
  installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${packages[@]}" 2>/dev/null |
    awk '$2 == "installed" { print $1 }') || true
  printf '%s\n' "${packages[@]}" | grep -vxF -f <(echo "$installed") || true
}

# as_root runs a command as root, by sudo where there is need and a way.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif [ -t 0 ]; then
    sudo "$@"
  else
    sudo -n "$@"
  fi
}

can_be_root() { [ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null; }

policy=/usr/sbin/policy-rc.d

# install installs packages without starting their services: Nestling needs the
# programs of Slurm and MUNGE, not daemons at every boot, and in a container
# there is no init to start them. policy-rc.d is Debian's way to say so; one
# that the machine has already is its owner's and stays as it is.
install() {
  as_root apt-get -o DPkg::Lock::Timeout=300 -q update ||
    say "apt-get update failed; going on with the package lists this machine has"
  if [ ! -e "$policy" ]; then
    trap 'as_root rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
  fi
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 \
    -o Dpkg::Use-Pty=0 install -q -y --no-install-recommends "$@" </dev/null
}

if ! command -v go >/dev/null; then
  say "Go is missing: install Go 1.26 or newer from https://go.dev/dl and put its bin folder in PATH"
  exit 1
fi

if command -v dpkg-query >/dev/null && command -v apt-get >/dev/null; then
  mapfile -t wanted < <(missing)
  [ ${#wanted[@]} -gt 0 ] || exit 0
  if can_be_root; then
    say "installing ${wanted[*]}"
    if install "${wanted[@]}"; then
      exit 0
    fi
    say "apt-get could not install everything; MLIR 22 is in Debian 12 with its security updates"
  else
    say "not root, and there is no sudo. As root: apt-get install --no-install-recommends ${wanted[*]}"
  fi
fi

# No packages to be had: what is needed may be here all the same.
say "looking for what Nestling needs on this machine"
CGO_ENABLED=0 go run ./doctor/check
