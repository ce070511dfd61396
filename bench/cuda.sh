#!/usr/bin/env bash
# What can be measured on a GPU in a few minutes: `bench/cuda.sh [PYTHON [PART...]]`, PYTHON with the worker's packages and a
# CUDA build of torch. Node is not needed. Prints one JSON object a line: the card, kernels and gradients on it, products,
# steps at the published size; and tables of where a step's time goes. All parts take about 40 s on an H200; PART is a function
# of gpu_step.py's PARTS, such as `speed tables`.
set -euo pipefail
cd "$(dirname "$0")"
exec "${1:-python3}" gpu_step.py "${@:2}"
