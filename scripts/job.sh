# shellcheck shell=bash
# What the batch scripts share: each sources it with the project's folder as the
# working folder.

nestling=$PWD/bin/nestling
if [ ! -x "$nestling" ]; then
  echo "bin/nestling is not built yet: run \`make build\` in $PWD" >&2
  exit 1
fi

# train MODEL [ARGUMENTS...] trains a model in a run folder of its own. A job that
# Slurm starts again, after a preemption or a lost node, goes on in the folder it
# began with.
train() {
  local model=$1
  shift
  if [ -z "${SLURM_JOB_ID:-}" ]; then
    exec "$nestling" train --model "$model" "$@"
  fi
  local begun=results/slurm/job-$SLURM_JOB_ID.run
  if [ "${SLURM_RESTART_COUNT:-0}" -gt 0 ] && [ -s "$begun" ]; then
    exec "$nestling" train --resume "$(cat "$begun")" "$@"
  fi
  mkdir -p results/slurm
  exec "$nestling" train --model "$model" --run-file "$begun" "$@"
}
