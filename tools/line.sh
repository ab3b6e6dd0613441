#!/usr/bin/env bash
# A visit over bad lines, measured: the platform and the doctor in one network namespace, the patient's Chromium in another,
# tools/badline between. Prints a table of what the patient and the doctor heard and saw. Needs root, iproute2, ethtool and
# what the journeys need (make build). Some lines only: tools/line.sh "rate=64000 delay=200ms loss=0.1" …
set -euo pipefail
cd "$(dirname "$0")/.."

[ "$(id -u)" = 0 ] || { echo "line: needs root, to make network namespaces" >&2; exit 1; }
for tool in ip ethtool; do
	command -v "$tool" >/dev/null || { echo "line: $tool is missing: apt-get install iproute2 ethtool" >&2; exit 1; }
done
[ -e bin/yuanzhen ] || { echo "line: bin/yuanzhen is missing, run: make build" >&2; exit 1; }
export YUANZHEN_BIN=$PWD/bin/yuanzhen

TMPDIR=$(mktemp -d -t yuanzhen-line.XXXXXX)
export TMPDIR LINE_CONTROL=$TMPDIR/control
house=yzh$$ home=yzp$$ wire=yzw$$ pids=()
tidy() {
	for pid in "${pids[@]}"; do kill "$pid" || true; done
	for file in "$TMPDIR"/*/pid; do
		[ ! -e "$file" ] || [ "$(readlink "/proc/$(<"$file")/exe")" != "$YUANZHEN_BIN" ] || kill "$(<"$file")"
	done
	for space in $house $home $wire; do ip netns del "$space" || true; done
	rm -rf "$TMPDIR"
}
trap tidy EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

for space in $house $home $wire; do ip netns add "$space"; ip -n "$space" link set lo up; done
end() { # end SPACE ADDRESS NAME: a card in the space whose cable ends in the wire's
	ip link add card netns "$1" type veth peer name "$3" netns "$wire"
	ip -n "$1" addr add "$2/24" dev card
	ip -n "$1" link set card up
	ip -n "$wire" link set "$3" up
	ip netns exec "$1" ethtool -K card tx off tso off gso off gro off >/dev/null
	ip netns exec "$wire" ethtool -K "$3" tx off tso off gso off gro off >/dev/null
}
end "$house" 10.99.0.1 left
end "$home" 10.99.0.2 right
go build -C tools -o "$TMPDIR/badline" ./badline
ip netns exec "$wire" "$TMPDIR/badline" -control "$LINE_CONTROL" left right &
pids+=($!)

printf '#!/bin/sh\nexec ip netns exec %s %s "$@"\n' "$home" "${CHROMIUM:-/usr/bin/chromium}" >"$TMPDIR/chromium"
chmod +x "$TMPDIR/chromium"
export PATIENT_CHROMIUM=$TMPDIR/chromium HOUSE_HOST=10.99.0.1

cd web
npx --no-install vite build --config e2e/vite.config.ts --logLevel error
ip netns exec "$house" node e2e/.out/line.js "$@"
