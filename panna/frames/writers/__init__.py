"""Formats that frames are exported to, one file each.

A format is a subclass of FrameWriter (see base) and its line in WRITERS.
"""

from panna.frames.writers.ase_files import AseWriter
from panna.frames.writers.base import FrameWriter
from panna.frames.writers.extxyz_file import ExtxyzWriter
from panna.frames.writers.lammps_data import LammpsDataWriter
from panna.frames.writers.quantum_espresso import QuantumEspressoWriter
from panna.frames.writers.runner_data import RunnerWriter

__all__ = ["WRITERS", "FrameWriter"]

WRITERS: dict[str, type[FrameWriter]] = {
    "extxyz": ExtxyzWriter,
    "ase": AseWriter,
    "runner": RunnerWriter,
    "qe": QuantumEspressoWriter,
    "lammps": LammpsDataWriter,
}
