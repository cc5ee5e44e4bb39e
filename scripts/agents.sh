#!/usr/bin/env bash
# Trains agents from nothing, evaluates them, and writes docs/agents.md:
#
#   LSTM            SEEDS times, MINUTES each
#   the paper's     its preset, MINUTES
#   other models    each TAUGHT minutes, from the schedules that the first LSTM met
#   ablations       LSTMs without parts of the learning, ABLATED minutes
#
# LSTMs are then evaluated on the nine benchmarks beside searches of NINE schedules, and the
# first one on generated test programs by a search of LONG beside searches of TEST; the
# paper's agent is a rival of the first LSTM in both. The other models are evaluated on both
# beside searches of OTHERS, which by 1 is their first choices alone, and ablations so on the
# nine.
#
# Killed and called again it goes on where it was; STATE says where that is. What was trained
# for longer since, or is to be evaluated in another way, is evaluated again.
set -euo pipefail
cd "$(dirname "$0")/.."

SEEDS=${SEEDS:-3} MINUTES=${MINUTES:-45} TAUGHT=${TAUGHT:-13} ABLATED=${ABLATED:-15} PROGRAMS=${PROGRAMS:-1000}
NINE=${NINE:-64} TEST=${TEST:-50} LONG=${LONG:-256} OTHERS=${OTHERS:-1}
STATE=${STATE:-results/agents} PAGE=${PAGE:-docs/agents.md}
mkdir -p "$STATE"

# run NAME prints the folder of an agent's run.
run() { cat "$STATE/$1"; }

# agent NAME MINUTES FLAGS… trains an agent, or goes on with one that was begun.
agent() {
  local file=$STATE/$1 minutes=$2
  shift 2
  if [ -s "$file" ]; then
    bin/nestling train --resume "$(cat "$file")" --time "${minutes}m"
  else
    bin/nestling train "$@" --time "${minutes}m" --run-file "$file"
  fi
}

# newest NAME prints the newest checkpoint of an agent.
newest() { ls "$(run "$1")/models" | tail -n 1; }

# evaluated NAME SET FLAGS… evaluates an agent unless that was done; a rival is the paper's.
# An evaluation that was interrupted keeps what it has measured, but is done again.
evaluated() {
  local done=$STATE/$1.$2 run how
  run=$(run "$1")
  how="$(newest "$1") $(newest paper) ${*:3}"
  if [ "$(cat "$done" 2>/dev/null)" != "$how" ]; then
    bin/nestling eval --run "$run" --set "$2" "${@:3}"
    echo "$how" > "$done"
  fi
}

names=()
for seed in $(seq "$SEEDS"); do
  names+=("lstm-$seed")
  agent "lstm-$seed" "$MINUTES" --model lstm --programs "$PROGRAMS" --seed "$seed"
done
for model in distilbert gpt-2 convnext; do
  names+=("$model")
  agent "$model" "$TAUGHT" --model "$model" --programs "$PROGRAMS" --seed 1 \
    --teacher "$(run lstm-1)" --config docs/examples/taught.json
done
for without in plain no_cost_model; do
  names+=("$without")
  agent "$without" "$ABLATED" --model lstm --programs "$PROGRAMS" --seed 1 --config "docs/examples/$without.json"
done
names+=(paper)
agent paper "$MINUTES" --preset paper --programs "$PROGRAMS" --seed 1

evaluated lstm-1 nine --trials "$NINE" --beside "$(run paper)"
for seed in $(seq 2 "$SEEDS"); do
  evaluated "lstm-$seed" nine --trials "$NINE"
done
evaluated lstm-1 test --trials "$LONG" --others "$TEST" --beside "$(run paper)"
for model in distilbert gpt-2 convnext; do
  evaluated "$model" nine --trials "$OTHERS"
  evaluated "$model" test --trials "$OTHERS"
done
for without in plain no_cost_model; do
  evaluated "$without" nine --trials "$OTHERS"
done

runs=()
for name in "${names[@]}"; do
  runs+=("$(run "$name")")
done
bin/nestling bench agents "${runs[@]}" --out "$PAGE"
