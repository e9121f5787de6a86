#!/usr/bin/env bash
# Draws the picture of docs/validation.md: the head of the report of the quickstart, which must have
# run before, in a browser without a window.
set -euo pipefail
cd "$(dirname "$0")"
. ../../tests/environment.sh
page=$(cd ../../examples/quickstart && pwd)/results/validation.html
[ -e "$page" ] || { echo "$page is missing; run bash examples/quickstart/run.sh first" >&2; exit 2; }
command -v chromium >/dev/null || panna_missing "the browser chromium" chromium
chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size=1000,800 \
    --screenshot=validation.png "file://$page" 2>/dev/null
