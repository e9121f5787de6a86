#!/usr/bin/env bash
# Copies the driver with the headers of the core into a folder that stands alone, for
# kim-api-collections-management or for openkim.org:
#     bash kim_driver/pack.sh OUTPUT_DIR      makes OUTPUT_DIR/PANNA_Core__MD_000000000000_000
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[ $# = 1 ] || { echo "panna: error: one argument expected, a folder: bash pack.sh OUTPUT_DIR" >&2; exit 2; }
item=$1/PANNA_Core__MD_000000000000_000
[ ! -e "$item" ] || { echo "panna: error: $item exists already; remove it or choose another folder" >&2; exit 2; }
mkdir -p "$item/include"
cp "$here"/{CMakeLists.txt,panna_driver.cpp,kimspec.edn,README.md} "$here/../LICENSE" "$item/"
cp -r "$here/../panna/core/include/panna" "$item/include/"
echo "$item"
echo "install it with: kim-api-collections-management install user $item"
