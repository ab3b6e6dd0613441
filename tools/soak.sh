#!/usr/bin/env bash
# Rooms under the race detector: people and instruments come, send, receive, lose the line and go, for minutes (10 unless given).
# At the end goroutines and heap are back to the start; the figures are printed. `go test -race ./signaling` does it for 20 s.
set -euo pipefail
cd "$(dirname "$0")/.."

minutes=${1:-10}
[[ $minutes =~ ^[1-9][0-9]*$ ]] || { echo "soak: want whole minutes, such as: tools/soak.sh 10" >&2; exit 1; }
CGO_ENABLED=1 exec go test -race -count=1 -v -run '^TestASoakLeavesNothingBehind$' -timeout "$((minutes + 10))m" ./signaling -soak "${minutes}m"
