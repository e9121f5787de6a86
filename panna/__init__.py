"""PANNA: neural-network interatomic potentials from ab initio data to molecular dynamics."""

__version__ = "3.0.0.dev0"
