#!/usr/bin/env bash
# The journeys and the screens in headless Chromium: all of them on the embedded object store, then the consult on a
# real MinIO. Every journey starts bin/yuanzhen on a free port and an empty folder; what is left of it goes at the end.
# Pictures of each step: web/e2e/shots. One file alone: tools/journeys.sh followup
set -euo pipefail
cd "$(dirname "$0")/.."

for built in bin/yuanzhen bin/minio web/node_modules/.bin/vite web/dist/patient.html; do
	[ -e "$built" ] || { echo "journeys: $built is missing, run: make build minio" >&2; exit 1; }
done
export MINIO_BIN=$PWD/bin/minio YUANZHEN_BIN=$PWD/bin/yuanzhen
TMPDIR=$(mktemp -d -t yuanzhen-journeys.XXXXXX)
export TMPDIR

# A run that was cut off leaves its server behind: it is ended by its own process id, then its folder goes.
tidy() {
	local file pid
	for file in "$TMPDIR"/*/pid; do
		[ -e "$file" ] || continue
		pid=$(<"$file")
		[ "$(readlink "/proc/$pid/exe")" = "$YUANZHEN_BIN" ] || continue
		kill "$pid" || continue
		for _ in {1..100}; do [ -e "/proc/$pid" ] || break; sleep 0.1; done
	done
	rm -rf "$TMPDIR"
}
trap tidy EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

cd web
npx --no-install vite build --config e2e/vite.config.ts --logLevel error

files=0 failed=()
run() { # run STORE NAME: one file at a time, browsers need the machine for themselves
	echo "── $2 ($1)"
	files=$((files + 1))
	STORE=$1 node --test --test-reporter=spec "e2e/.out/$2.test.js" || failed+=("$2 ($1)")
}

if [ $# -gt 0 ]; then
	for name; do run "${STORE:-gateway}" "$name"; done
else
	for file in e2e/*.test.ts; do run gateway "$(basename "$file" .test.ts)"; done
	run minio teleconsult
fi

if [ ${#failed[@]} -gt 0 ]; then
	echo "journeys: ${#failed[@]} of $files failed:" >&2
	printf '  %s\n' "${failed[@]}" >&2
	exit 1
fi
echo "journeys: $files of $files passed"
