#!/usr/bin/env bash
# Submits a batch script to Slurm and stays with the job: its log as it grows, its
# state as it changes, and at the end the job's own exit code.
#
#   submit_and_monitor.sh SCRIPT [ARGUMENTS...]
#
# SCRIPT is a path, or the name of a script in this folder or one below it. The
# job's log goes to standard output and is kept in results/slurm; everything else
# is said on standard error. What the job asks of the cluster stands in its script
# and in sbatch's own variables (SBATCH_PARTITION, SBATCH_TIMELIMIT, ...).
#
# Ctrl-C asks whether to cancel the job. Left running, the script ends with 130. A
# job that a signal ended gives 128 + the signal's number, as in a shell.
set -euo pipefail

scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$scripts")

say() { echo "== $*" >&2; }
die() {
  say "$*"
  exit 2
}

# find_script NAME prints the absolute path of the script that NAME means.
find_script() {
  if [ -f "$1" ]; then
    realpath "$1"
    return
  fi
  local found
  mapfile -t found < <(find "$scripts" -type f \( -path "$scripts/$1" -o -name "$1" \))
  case ${#found[@]} in
    1) echo "${found[0]}" ;;
    0) die "no script $1, neither as a path nor under $scripts" ;;
    *) die "more than one script is called $1: ${found[*]}" ;;
  esac
}

# submit SCRIPT [ARGUMENTS...] sets job and log. A script of the project runs in
# the project's folder, wherever it was submitted from; others where we are.
submit() {
  local script=$1 name
  name=$(basename "$script" .sh)
  name=${name//[^A-Za-z0-9._-]/_}
  mkdir -p "$root/results/slurm"
  case $script in "$scripts"/*) cd "$root" ;; esac
  # Slurm reads % in a file name as a pattern, so one in the path is doubled.
  job=$(sbatch --parsable --open-mode=append --output="${root//%/%%}/results/slurm/$name-%j.log" "$@")
  job=${job%%;*} # a cluster's name may follow
  log=$root/results/slurm/$name-$job.log
}

# look sets state, reason and code ("exit:signal") from what Slurm knows of the
# job. It fails where the controller does not answer just now.
look() {
  local record
  if ! record=$(scontrol --oneliner show job "$job" 2>&1); then
    case $record in
      *"Invalid job id"*)
        show_log
        say "job $job: Slurm has forgotten it, and with it its exit code"
        exit 1
        ;;
    esac
    return 1
  fi
  if [[ $record == *ArrayJobId=* ]]; then
    die "job $job is a job array, which has no one log and no one exit code; follow it with squeue -j $job"
  fi
  state=$(field JobState "$record")
  reason=$(field Reason "$record")
  code=$(field ExitCode "$record")
}

# field NAME RECORD prints one value of a record of scontrol.
field() {
  [[ $2 =~ \ $1=([^ ]*) ]] || die "scontrol says nothing of $1: $2"
  echo "${BASH_REMATCH[1]}"
}

shown=0 # bytes of the log that were shown
# show_log shows what the log has gained.
show_log() {
  local size
  size=$(stat -c %s "$log" 2>/dev/null) || return 0
  [ "$size" -gt "$shown" ] || return 0
  tail -c +$((shown + 1)) "$log" | head -c $((size - shown)) || true
  shown=$size
}

said=
# show_state says what state the job is in, when that is news.
show_state() {
  local now=$state
  if [ "$state" = PENDING ]; then now="PENDING ($reason)"; fi
  if [ "$now" != "$said" ]; then say "job $job: $now"; fi
  said=$now
}

# ended says whether the job will not run any more.
ended() {
  case $state in
    COMPLETED | FAILED | CANCELLED | TIMEOUT | OUT_OF_MEMORY | NODE_FAIL | BOOT_FAIL | DEADLINE | PREEMPTED | REVOKED) ;;
    *) return 1 ;;
  esac
}

# finish ends with the job's exit code. Only a completed job may end with 0: one
# that hit its time limit can have left cleanly and did not do its work.
finish() {
  sleep 1 # a network file system may bring the log's last lines late
  show_log
  show_state
  local status=${code%%:*} signal=${code##*:}
  if [ "$signal" -ne 0 ]; then status=$((128 + signal)); fi
  if [ "$status" -eq 0 ] && [ "$state" != COMPLETED ]; then status=1; fi
  say "job $job: ended with exit code $status; its log is $log"
  exit "$status"
}

leave() {
  say "job $job goes on. Follow it with: tail -F $log   Cancel it with: scancel $job"
  exit 130
}

# ask_cancel asks whether to cancel the job, if there is anyone to ask.
ask_cancel() {
  [ -t 0 ] || leave
  trap leave INT
  local answer=
  echo >&2
  read -r -p "== Cancel job $job? [y/N] " answer || leave
  case $answer in
    [yY]*) scancel "$job" ;;
    *) leave ;;
  esac
  interrupted=
  trap 'interrupted=yes' INT
}

[ $# -ge 1 ] || die "usage: $(basename "$0") SCRIPT [ARGUMENTS...]"
command -v sbatch >/dev/null ||
  die "sbatch is not here, so this machine has no Slurm; without it, run the script itself: bash scripts/..."

script=$(find_script "$1")
shift
trap '' INT # between submission and its answer the job's number would be lost
submit "$script" "$@"
interrupted=
trap 'interrupted=yes' INT
trap leave TERM HUP
say "job $job: submitted $(basename "$script")"

state='' reason='' code=''
while true; do
  if look; then
    if ended; then finish; fi
    show_state
  fi
  show_log
  if [ -n "$interrupted" ]; then ask_cancel; fi
  sleep 1 || true # Ctrl-C ends the sleep too
done
