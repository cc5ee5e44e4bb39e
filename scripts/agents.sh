#!/usr/bin/env bash
# Trains agents from nothing, evaluates them, and writes docs/agents.md:
#
#   LSTM            SEEDS times, MINUTES each
#   the paper's     its preset, MINUTES
#   other models    each TAUGHT minutes, from the schedules that the first LSTM met
#
# Killed and called again it goes on where it was; PAGE/runs (below) says where that is.
set -euo pipefail
cd "$(dirname "$0")/.."

SEEDS=${SEEDS:-3} MINUTES=${MINUTES:-40} TAUGHT=${TAUGHT:-6} PROGRAMS=${PROGRAMS:-1000}
PAGE=${PAGE:-results/agents}
mkdir -p "$PAGE/runs"

# agent NAME FLAGS… trains an agent, or goes on with one that was begun.
agent() {
  local file=$PAGE/runs/$1 minutes=$2
  shift 2
  if [ -s "$file" ]; then
    bin/nestling train --resume "$(cat "$file")" --time "${minutes}m"
  else
    bin/nestling train "$@" --time "${minutes}m" --run-file "$file"
  fi
}

# evaluated NAME SET TRIALS evaluates an agent unless that was done.
evaluated() {
  local run
  run=$(cat "$PAGE/runs/$1")
  [ -s "$run/eval/$2.json" ] || bin/nestling eval --run "$run" --set "$2" --trials "$3"
}

names=()
for seed in $(seq "$SEEDS"); do
  names+=("lstm-$seed")
  agent "lstm-$seed" "$MINUTES" --model lstm --programs "$PROGRAMS" --seed "$seed"
done
agent paper "$MINUTES" --preset paper --programs "$PROGRAMS" --seed 1
for model in distilbert gpt-2 convnext; do
  agent "$model" "$TAUGHT" --model "$model" --programs "$PROGRAMS" --seed 1 \
    --teacher "$(cat "$PAGE/runs/lstm-1")" --config docs/examples/taught.json
done
names+=(distilbert gpt-2 convnext paper)

for name in "${names[@]}"; do
  evaluated "$name" nine 64
done
evaluated lstm-1 test 256
for name in distilbert gpt-2 convnext paper; do
  evaluated "$name" test 50
done

runs=()
for name in "${names[@]}"; do
  runs+=("$(cat "$PAGE/runs/$name")")
done
bin/nestling bench agents "${runs[@]}" --out docs/agents.md
