#!/usr/bin/env bash
# What the tests need beyond Go and Node: a C compiler (race detector), PostgreSQL,
# Chromium, dcmtk as the modality, OpenJPEG (which also decodes for the server) and OpenJPH as makers of JPEG 2000.
# As root it is installed through apt; otherwise the one command is printed.
set -euo pipefail

missing=()
command -v gcc >/dev/null || missing+=(gcc libc6-dev)
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing+=(postgresql)
[ -x "${CHROMIUM:-/usr/bin/chromium}" ] || missing+=(chromium fonts-droid-fallback)
command -v storescu >/dev/null || missing+=(dcmtk)
command -v opj_decompress >/dev/null || missing+=(libopenjp2-tools)
command -v ojph_compress >/dev/null || missing+=(openjph-tools)
[ ${#missing[@]} -gt 0 ] || exit 0

install="apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
if [ "$(id -u)" != 0 ]; then
  printf 'The tests need %s. Please run once:\n\n    sudo sh -c "%s"\n\n' "${missing[*]}" "$install" >&2
  exit 1
fi
echo "── apt: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
sh -c "$install" >/tmp/yuanzhen-apt.log 2>&1 || { tail -20 /tmp/yuanzhen-apt.log >&2; exit 1; }
