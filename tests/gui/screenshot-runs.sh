#!/bin/sh
# Makes a few real runs for the pictures: screenshot-runs.sh FENESTRA_CLI DATA_HOME
# One finished, one longer with another window (to compare), one killed, one whose loss was lost, one damaged.
set -eu
cli=$1
export XDG_DATA_HOME=$2 OPENBLAS_NUM_THREADS=1
runs="$XDG_DATA_HOME/fenestra/runs"
train() {
  "$cli" train --model nano --tokenizer bytes --max-seq-len 128 --batch-size 2 --warmup-steps 10 "$@"
}
train --run-name "Full attention" --steps 150 --eval-interval 25 --checkpoint-interval 50 --learning-rate 0.003 \
  --window-size 0
train --run-name "Window of 32" --expert --steps 220 --eval-interval 25 --checkpoint-interval 50 --learning-rate 0.002 \
  --window-size 32
train --run-name "Learning rate too high" --steps 60 --expert --learning-rate 100 \
  --grad-clip 0 --warmup-steps 0 || true

# Without the function: $! must be the program, not a shell around it.
"$cli" train --model nano --tokenizer bytes --max-seq-len 128 --batch-size 2 --run-name "Overnight" --steps 100000 \
  --checkpoint-interval 20 &
process=$!
trap 'kill -9 $process 2>/dev/null || true' EXIT
tries=0
until [ -e "$runs/Overnight/checkpoints/step-40/state.json" ] || [ $tries = 300 ]; do
  tries=$((tries + 1))
  sleep 0.1
done
kill -9 $process
wait $process 2>/dev/null || true

train --run-name "Copied by halves" --steps 3
damaged="$runs/Copied by halves"
head -c 40 "$damaged/run.json" >"$damaged/cut" && mv "$damaged/cut" "$damaged/run.json"
"$cli" runs || true
