#!/usr/bin/env bash
# What can be measured on a GPU in ten minutes: `bench/cuda.sh [PYTHON]`, PYTHON with the worker's packages and a CUDA build
# of torch. Node is not needed. Prints one JSON object a line: the card, gradients on it, steps at the published size.
set -euo pipefail
cd "$(dirname "$0")"
exec "${1:-python3}" gpu_step.py
