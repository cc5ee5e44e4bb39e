#!/usr/bin/env bash
# Benchmarks PyTorch as it comes; arguments go to `nestling bench pytorch`.
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

exec "$nestling" bench pytorch "$@"
