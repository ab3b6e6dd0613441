#!/usr/bin/env bash
# A WHIP client that nobody here wrote sends into a visit that is watched in two browsers: Debian's simple-whip-client on GStreamer.
# Needs make build, gcc and: apt-get install simple-whip-client gstreamer1.0-nice gstreamer1.0-plugins-{base,good,bad}
set -euo pipefail
cd "$(dirname "$0")/.."

for tool in whip-client gcc; do
	command -v "$tool" >/dev/null || { echo "whip: $tool is missing: apt-get install gcc simple-whip-client gstreamer1.0-nice gstreamer1.0-plugins-{base,good,bad}" >&2; exit 1; }
done
[ -e bin/yuanzhen ] || { echo "whip: bin/yuanzhen is missing, run: make build" >&2; exit 1; }
export YUANZHEN_BIN=$PWD/bin/yuanzhen

# Debian's client is linked to libsoup 2 and its libnice, by way of UPnP, to libsoup 3, which refuse to live in one process: so the
# client gets a libnice without UPnP and no more plugins than it needs.
parts=$(mktemp -d -t yuanzhen-whip.XXXXXX)
trap 'rm -rf "$parts"' EXIT
gcc -xc -shared -fPIC -Wl,-soname,libgupnp-igd-1.0.so.4 -o "$parts/libgupnp-igd-1.0.so.4" - <<'C'
void *gupnp_simple_igd_thread_new(void) { return 0; }
unsigned long gupnp_simple_igd_get_type(void) { return 0; }
void gupnp_simple_igd_add_port(void) {}
void gupnp_simple_igd_remove_port_local(void) {}
C
mkdir "$parts/plugins"
for name in nice webrtc vpx opus videotestsrc audiotestsrc videoconvertscale audioconvert audioresample rtp rtpmanager coreelements dtls srtp sctp; do
	ln -s "/usr/lib/$(gcc -dumpmachine)/gstreamer-1.0/libgst$name.so" "$parts/plugins/"
done
printf '#!/bin/sh\nexport LD_LIBRARY_PATH=%s GST_REGISTRY=%s/registry GST_PLUGIN_SYSTEM_PATH=%s/plugins\nexec %s "$@"\n' \
	"$parts" "$parts" "$parts" "$(command -v whip-client)" >"$parts/whip-client"
chmod +x "$parts/whip-client"

cd web
npx --no-install vite build --config e2e/vite.config.ts --logLevel error
PATH=$parts:$PATH node --test --test-reporter spec e2e/.out/whip.js
