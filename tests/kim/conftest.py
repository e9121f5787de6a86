"""The KIM API with our driver in folders of its own, and a small simulator."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from panna.frames.frame import Frame
from panna.network.parameters import Model
from panna.potential.kim_item import DRIVERS, write_kim_item
from panna.potential.panna_in import read_potential, write_potential

ROOT = Path(__file__).parents[2]
METADATA = dict(
    kim_driver="panna", title="", description="", developers=("Somebody",), contributor="",
    maintainer="", content_origin="", doi="", licence_file=None,
)  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """What the simulator prints, as arrays; in the units it was asked for."""

    energy: float
    cutoff: float
    forces: np.ndarray
    energies: np.ndarray
    virial: np.ndarray
    virials: np.ndarray
    forces_of_distances: np.ndarray
    virial_of_distances: np.ndarray


@dataclass(frozen=True)
class Kim:
    """A collection of drivers and models in `folder`."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        places = {
            "KIM_API_MODEL_DRIVERS_DIR": "drivers",
            "KIM_API_PORTABLE_MODELS_DIR": "models",
            "KIM_API_SIMULATOR_MODELS_DIR": "simulators",
        }
        return {**os.environ, **{key: str(self.folder / name) for key, name in places.items()}}

    def install(self, item: Path, build: Path) -> None:
        """Builds an item with CMake and puts it into the collection."""
        # Debian's KIM API knows no other build type.
        configure = ["cmake", "-S", item, "-B", build, "-DCMAKE_BUILD_TYPE=None"]
        configure += ["-DKIM_API_INSTALL_COLLECTION=ENVIRONMENT"]
        for command in (configure, ["cmake", "--build", build], ["cmake", "--install", build]):
            done = subprocess.run(
                command, env=self.environment, capture_output=True, text=True, timeout=300
            )
            assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]

    def install_model(self, name: str, model: Model, driver: str = "panna", **metadata) -> str:
        """A model of our export; gives its KIM ID."""
        item_name = f"{name}__MO_000000000000_000"
        folder = self.folder / "items" / item_name
        written = write_potential(model, folder)
        known = {**METADATA, "item_name": item_name, "kim_driver": driver, **metadata}
        write_kim_item(model, folder, written, known)
        self.install(folder, self.folder / "build" / item_name)
        return item_name

    def install_files(self, name: str, source: Path, driver: str = "panna") -> str:
        """A potential as it is, damaged or not; gives the KIM ID."""
        item_name = f"{name}__MO_000000000000_000"
        folder = self.folder / "items" / item_name
        shutil.copytree(source, folder)
        species = [path for s in "HCNO" if (path := folder / f"weights_{s}.dat").exists()]
        model, _ = read_potential(ROOT / "tests" / "data" / "golden" / "lammps")
        known = {**METADATA, "item_name": item_name, "kim_driver": driver}
        write_kim_item(model, folder, [folder / "panna.in", *species], known)
        self.install(folder, self.folder / "build" / item_name)
        return item_name

    def run(
        self, item: str, particles: str, *options: str, units=("A", "eV"), before=(), folder=None
    ) -> subprocess.CompletedProcess[str]:
        client = self.folder / "kim_client"
        return subprocess.run(
            [*before, client, item, *units, *options],
            input=particles, env=self.environment, cwd=folder or self.folder,
            capture_output=True, text=True, timeout=300,
        )  # fmt: skip

    def compute(self, item: str, frame: Frame, *options: str, length=1.0, **more) -> Answer:
        """Energy and all that belongs to it; forces of images are given to their atoms.

        Args:
          length: of an angstrom in the units of the simulator.
        """
        cutoff = json.loads(self.run(item, "0\n", *options, **more).stdout)["cutoff"] / length
        species, owners, positions = with_images(frame, cutoff)
        lines = [
            f"{symbol} {int(n < frame.n_atoms)} {x:.17g} {y:.17g} {z:.17g}"
            for n, (symbol, (x, y, z)) in enumerate(zip(species, length * positions, strict=True))
        ]
        done = self.run(item, "\n".join([str(len(lines)), *lines]) + "\n", *options, **more)
        assert done.returncode == 0, done.stdout + done.stderr
        found = json.loads(done.stdout)

        def of_atoms(name: str, width: int) -> np.ndarray:
            total = np.zeros((frame.n_atoms, width))
            np.add.at(total, owners, np.reshape(found[name], (-1, width)))
            return total

        return Answer(
            energy=found["energy"],
            cutoff=found["cutoff"],
            forces=of_atoms("forces", 3),
            energies=np.array(found["energies"][: frame.n_atoms]),
            virial=np.array(found["virial"]),
            virials=of_atoms("virials", 6),
            forces_of_distances=of_atoms("forces_of_distances", 3),
            virial_of_distances=np.array(found["virial_of_distances"]),
        )


def with_images(frame: Frame, cutoff: float) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Atoms, then their periodic images within the cutoff of the cell: species, owner, position."""
    species, owners = list(frame.species), list(range(frame.n_atoms))
    positions = list(frame.positions)
    pbc = np.array(frame.pbc)
    counts = np.zeros(3, int)
    if pbc.any():
        full = np.array(frame.cell)
        full[~pbc] = np.eye(3)[~pbc] * 1e3
        heights = 1 / np.linalg.norm(np.linalg.inv(full), axis=0)
        counts = np.where(pbc, np.ceil(cutoff / heights).astype(int) + 1, 0)
    for shift in np.ndindex(*(2 * counts + 1)):
        step = np.array(shift) - counts
        if not step.any():
            continue
        for i, r in enumerate(frame.positions + step @ np.array(frame.cell)):
            if np.linalg.norm(frame.positions - r, axis=1).min() < cutoff + 0.1:
                species.append(frame.species[i])
                owners.append(i)
                positions.append(r)
    return species, np.array(owners), np.array(positions)


@pytest.fixture(scope="session")
def kim(tmp_path_factory) -> Kim:
    """The collection with our driver."""
    for program in ("kim-api-collections-management", "cmake", "xxd", "pkg-config"):
        if not shutil.which(program):
            pytest.skip(f"needs {program}: apt-get install libkim-api-dev cmake xxd pkg-config")
    flags = subprocess.run(
        ["pkg-config", "--cflags", "--libs", "libkim-api"], capture_output=True, text=True
    )
    if flags.returncode != 0:
        pytest.skip("needs the KIM API: apt-get install libkim-api-dev")
    one = Kim(tmp_path_factory.mktemp("kim"))
    for name in ("drivers", "models", "simulators"):
        (one.folder / name).mkdir()
    # As a deposit would be: packed, without the checkout.
    subprocess.run(
        ["bash", ROOT / "kim_driver" / "pack.sh", one.folder / "packed"],
        check=True, capture_output=True,
    )  # fmt: skip
    one.install(one.folder / "packed" / DRIVERS["panna"], one.folder / "build" / "driver")
    subprocess.run(
        ["g++", "-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror",
         Path(__file__).with_name("kim_client.cpp"), *flags.stdout.split(), "-pthread",
         "-o", one.folder / "kim_client"],
        check=True,
    )  # fmt: skip
    return one


@pytest.fixture(scope="session")
def published_driver(kim) -> str:
    """The compiled driver of 2019, if it is installed."""
    done = subprocess.run(
        ["kim-api-collections-management", "list"], capture_output=True, text=True
    )
    if DRIVERS["published"] not in done.stdout:
        pytest.skip(f"needs {DRIVERS['published']}: apt-get install openkim-models")
    return "published"
