#!/usr/bin/env bash
# GPU measurements that take some minutes: `bench/cuda.sh [PYTHON [WHAT [PART...]]]`, PYTHON with the worker's packages and a
# CUDA build of torch. One JSON object a line, and tables of where the time goes. WHAT is one of these; without it all run:
#   step     the card, kernels and gradients on it, products, steps at the published size: 40 s on an H200
#   refresh  the buffer of the published size, filled: 45 s
#   program  the whole of it, from Node: golden data, the published size from text to steps, the quickstart twice: 4 minutes
# PART is a name of gpu_step.py's PARTS, of a part of gpu_refresh.py, or of a function of cuda-program.ts.
set -euo pipefail
cd "$(dirname "$0")"
python=${1:-python3}
step() { "$python" gpu_step.py "$@"; }
refresh() { "$python" gpu_refresh.py "$@"; }
program() { node --import tsx cuda-program.ts "$python" cuda "$@"; }
case ${2:-all} in
  all) step && refresh && program ;;
  step | refresh | program) "$2" "${@:3}" ;;
  *) echo "$0: $2 is unknown: choose step, refresh or program." >&2 && exit 2 ;;
esac
