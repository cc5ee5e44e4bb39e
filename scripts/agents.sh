#!/usr/bin/env bash
# Trains agents from nothing, evaluates them, and writes docs/agents.md:
#
#   LSTM            SEEDS times, MINUTES each
#   the paper's     its preset, MINUTES
#   other models    each TAUGHT minutes, from the schedules that the first LSTM met
#
# LSTMs and the paper's are then evaluated on the nine benchmarks beside searches of NINE
# schedules, the first LSTM on generated test programs beside LONG and the paper's beside TEST.
# The other models are, on both, beside searches of OTHERS: by 1 of their first choices alone.
#
# Killed and called again it goes on where it was; STATE says where that is.
set -euo pipefail
cd "$(dirname "$0")/.."

SEEDS=${SEEDS:-3} MINUTES=${MINUTES:-45} TAUGHT=${TAUGHT:-13} PROGRAMS=${PROGRAMS:-1000}
NINE=${NINE:-64} TEST=${TEST:-50} LONG=${LONG:-256} OTHERS=${OTHERS:-1}
STATE=${STATE:-results/agents} PAGE=${PAGE:-docs/agents.md}
mkdir -p "$STATE"

# agent NAME FLAGS… trains an agent, or goes on with one that was begun.
agent() {
  local file=$STATE/$1 minutes=$2
  shift 2
  if [ -s "$file" ]; then
    bin/nestling train --resume "$(cat "$file")" --time "${minutes}m"
  else
    bin/nestling train "$@" --time "${minutes}m" --run-file "$file"
  fi
}

# evaluated NAME SET TRIALS evaluates an agent unless that was done. An evaluation that
# was interrupted keeps what it has measured, but is done again.
evaluated() {
  local done=$STATE/$1.$2
  [ -e "$done" ] || bin/nestling eval --run "$(cat "$STATE/$1")" --set "$2" --trials "$3"
  touch "$done"
}

names=()
for seed in $(seq "$SEEDS"); do
  names+=("lstm-$seed")
  agent "lstm-$seed" "$MINUTES" --model lstm --programs "$PROGRAMS" --seed "$seed"
done
agent paper "$MINUTES" --preset paper --programs "$PROGRAMS" --seed 1
for model in distilbert gpt-2 convnext; do
  agent "$model" "$TAUGHT" --model "$model" --programs "$PROGRAMS" --seed 1 \
    --teacher "$(cat "$STATE/lstm-1")" --config docs/examples/taught.json
done

for name in "${names[@]}" paper; do
  evaluated "$name" nine "$NINE"
done
evaluated lstm-1 test "$LONG"
evaluated paper test "$TEST"
for name in distilbert gpt-2 convnext; do
  evaluated "$name" nine "$OTHERS"
  evaluated "$name" test "$OTHERS"
done
names+=(distilbert gpt-2 convnext paper)

runs=()
for name in "${names[@]}"; do
  runs+=("$(cat "$STATE/$name")")
done
bin/nestling bench agents "${runs[@]}" --out "$PAGE"
