#!/usr/bin/env bash
# Copies pair_style panna into a LAMMPS source tree, for both of its builds (CMake and make):
#     bash lammps_patch/install.sh /path/to/lammps/src
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
core=$here/../panna/core/include/panna

fail() {
    echo "panna: error: $1" >&2
    exit 2
}
[ $# = 1 ] || fail "one argument expected, the src folder of LAMMPS: bash install.sh /path/to/lammps/src"
src=$1
[ -f "$src/pair.h" ] && [ -f "$src/neighbor.h" ] ||
    fail "$src has no pair.h and neighbor.h; give the src folder of a LAMMPS source tree"
grep -q unit_convert_flag "$src/pair.h" ||
    fail "$src/pair.h is older than LAMMPS of 2021; take a newer LAMMPS, or KIM"

cp "$here/pair_panna.h" "$here/pair_panna.cpp" "$src/"
rm -rf "$src/panna"
cp -r "$core" "$src/panna"
cmake=$src/../cmake/CMakeLists.txt
if [ -f "$cmake" ] && grep -q 'CMAKE_CXX_STANDARD 11)' "$cmake"; then
    sed -i 's/CMAKE_CXX_STANDARD 11)/CMAKE_CXX_STANDARD 17)/' "$cmake"
    echo "$cmake: C++17 instead of C++11"
fi
echo "pair_style panna is in $src; build LAMMPS as usual, with a C++17 compiler"
