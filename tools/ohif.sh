#!/usr/bin/env bash
# OHIF, a viewer that nobody here wrote, reads from the archive in Chromium. It is fetched once from npm into bin/ohif (50 MB packed,
# nothing of it is run outside the browser). Needs make build.
set -euo pipefail
cd "$(dirname "$0")/.."

version=3.13.2
[ -e bin/yuanzhen ] || { echo "ohif: bin/yuanzhen is missing, run: make build" >&2; exit 1; }
export YUANZHEN_BIN=$PWD/bin/yuanzhen OHIF_DIST=$PWD/bin/ohif/$version/dist

if [ ! -e "$OHIF_DIST/index.html" ]; then
	echo "── OHIF $version from npm"
	packed=$(mktemp -d -t yuanzhen-ohif.XXXXXX)
	trap 'rm -rf "$packed"' EXIT
	npm pack --silent --ignore-scripts --pack-destination "$packed" "@ohif/app@$version"
	mkdir -p "$packed/open" bin/ohif
	tar -xzf "$packed/ohif-app-$version.tgz" -C "$packed/open" --strip-components=1
	mv "$packed/open" "bin/ohif/$version"
fi

cd web
npx --no-install vite build --config e2e/vite.config.ts --logLevel error
node --test --test-reporter spec e2e/.out/ohif.js
