#!/usr/bin/env bash
# All tests, in the project's own virtual environment. Arguments go to pytest:
#     bash tests/run.sh                   everything
#     bash tests/run.sh tests/unit -x     a part
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/environment.sh
panna_environment cpu,lammps,mpi,tools,validate,test

# One test opens a page in a browser; without one it is skipped.
if ! command -v chromium >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    (panna_missing "the browser chromium" chromium) || echo "panna: no browser could be installed"
fi

# The installed package is tested, not the checkout: a file that setup.py forgets is noticed.
exec pytest -o cache_dir="$VIRTUAL_ENV/.pytest_cache" "$@"
