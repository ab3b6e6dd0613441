#!/usr/bin/env bash
# Shows the progress of `go build -v` on one line; whatever is no package name is said in full.
n=0
while IFS= read -r line; do
  if [[ $line =~ ^[A-Za-z0-9._/@~+-]+$ ]]; then
    n=$((n + 1))
    if [ -t 1 ]; then printf '\r\033[K   %4d packages  %.60s' "$n" "$line"; elif ((n % 100 == 0)); then echo "   $n packages …"; fi
  else
    echo "$line"
  fi
done
if [ -t 1 ] && ((n)); then echo; fi
