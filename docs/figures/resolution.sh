#!/usr/bin/env bash
# docs/figures/resolution.png: what a suggested descriptor resolves of the quickstart's silicon.
set -euo pipefail
cd "$(dirname "$0")"
. ../../tests/environment.sh
panna_environment cpu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
panna_exyz_parser -i ../../examples/quickstart/data/Si_train.xyz.xz -o "$work/silicon"
panna_gvect_suggest -i "$work/silicon" --plot resolution.png
