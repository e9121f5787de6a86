"""Runs of LAMMPS, and its pair styles as calculators."""
