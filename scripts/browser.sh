#!/usr/bin/env bash
# Makes sure that a Chromium is there for the page tests; installs Debian's where it may.
set -euo pipefail
for name in chromium chromium-browser google-chrome google-chrome-stable; do
  command -v "$name" >/dev/null 2>&1 && exit 0
done
run=""
[ "$(id -u)" -eq 0 ] || run="sudo -n"
if command -v apt-get >/dev/null 2>&1 && $run true 2>/dev/null; then
  $run apt-get update -qq >/dev/null
  DEBIAN_FRONTEND=noninteractive $run apt-get install -y -qq chromium fonts-liberation >/dev/null && exit 0
fi
echo "no Chromium found and none could be installed: the page tests will be skipped. Install chromium to run them." >&2
