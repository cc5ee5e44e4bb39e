#!/usr/bin/env bash
# Installs a current PyTorch 2 for CPUs into a virtual environment of its own,
# beside the system's PyTorch, for `nestling bench table` to compare with:
#
#   scripts/pytorch2.sh [FOLDER]     (default: ${XDG_CACHE_HOME:-~/.cache}/nestling/pytorch2)
#
# PYTORCH2_VERSION chooses the version, PYTORCH2_PYTHON the Python it is for.
set -euo pipefail

version=${PYTORCH2_VERSION:-2.15.0}
python=${PYTORCH2_PYTHON:-/usr/bin/python3}
folder=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/nestling/pytorch2}

say() { echo "pytorch2: $*" >&2; }

# works tells whether the PyTorch there can multiply.
works() {
  "$folder/bin/python" -c 'import torch; torch.mm(torch.ones(2, 2), torch.ones(2, 2))' 2>/dev/null
}

# has tells whether the PyTorch there is of the version.
has() {
  [ "$("$folder/bin/python" -c 'import torch; print(torch.__version__.partition("+")[0])' 2>/dev/null)" = "$version" ]
}

pip() { "$folder/bin/python" -m pip --disable-pip-version-check --no-input "$@"; }

# cpu_build installs the build without CUDA, a fifth of a gigabyte, from
# PyTorch's own index. Where that cannot be reached it fails within seconds.
cpu_build() {
  pip install --quiet --timeout 10 --retries 0 --index-url https://download.pytorch.org/whl/cpu "torch==$version"
}

# cuda_build installs PyPI's build, which is for CUDA, with those of NVIDIA's
# libraries that it is linked with and does not start without: four gigabytes on
# the disk. Left out is what it only loads for work on a GPU. Its CPU code is that
# of the build without CUDA.
cuda_build() {
  pip install --quiet --no-cache-dir --no-deps "torch==$version" || return
  mapfile -t needed < <("$folder/bin/python" - <<'PYTHON'
import importlib.metadata
from pip._vendor.packaging.requirements import Requirement

LEFT_OUT = ("triton", "cuda-bindings")
EXTRAS_LEFT_OUT = {"cusolver", "nvtx"}
for text in importlib.metadata.requires("torch"):
    wanted = Requirement(text)
    if wanted.name in LEFT_OUT or not (wanted.marker is None or wanted.marker.evaluate({"extra": ""})):
        continue
    extras = ",".join(sorted(wanted.extras - EXTRAS_LEFT_OUT))
    print(wanted.name + ("[%s]" % extras if extras else "") + str(wanted.specifier))
PYTHON
  )
  pip install --quiet --no-cache-dir "${needed[@]}" numpy
}

if has && works; then
  say "PyTorch $version is in $folder already"
  exit 0
fi
if [ -e "$folder" ] && [ ! -e "$folder/pyvenv.cfg" ]; then
  say "$folder is there already and is no virtual environment; name another folder"
  exit 1
fi
say "making $folder"
rm -rf "$folder"
mkdir -p "$(dirname "$folder")"
"$python" -m venv "$folder" || {
  say "$python cannot make virtual environments; on Debian: apt install python3-venv"
  exit 1
}
if ! cpu_build 2>/dev/null; then
  say "PyTorch's index cannot be reached or has no $version: taking the build of PyPI, about 4 GB"
  # pip complains of what was left out, and succeeds all the same.
  if ! complaints=$(cuda_build 2>&1); then
    say "PyTorch $version could not be installed"
    echo "$complaints" >&2
    exit 1
  fi
fi
works || {
  say "PyTorch $version is installed but does not start: $("$folder/bin/python" -c 'import torch' 2>&1 | tail -1)"
  exit 1
}
say "PyTorch $version is in $folder; \`nestling bench table\` finds it there"
if ! command -v g++ >/dev/null; then say "torch.compile needs g++, which is missing: apt install g++ python3-dev"; fi
