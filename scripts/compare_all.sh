#!/usr/bin/env bash
# Benchmarks the agent, PyTorch and PyTorch JIT, and compares them.
# Usage: compare_all.sh [RUN], for instance results/lstm/run_1; without RUN it is
# the latest trained model.
#
# The node is asked for alone: a neighbour on its cores would be in every time.
#SBATCH --nodes=1
#SBATCH --exclusive
#SBATCH --mem=0
#SBATCH --requeue
#SBATCH --open-mode=append
set -euo pipefail

cd "${SLURM_SUBMIT_DIR:-$(dirname "$0")}"
until [ -f scripts/job.sh ]; do
  [ "$PWD" != / ] || { echo "submit this script from inside the Nestling folder" >&2; exit 1; }
  cd ..
done
source scripts/job.sh

run=${1:-}
for method in agent pytorch pytorch-jit; do
  "$nestling" bench "$method" ${run:+--run "$run"}
done
exec "$nestling" compare ${run:+"$run/benchmarks"}
