"""Deployable potentials: reading, writing, checking, running.

`panna_in` reads and writes the potential of LAMMPS and KIM (panna.in and one file of weights per
species), out of `panna_in_text` (its lines), `panna_in_descriptor` (its first section) and
`weights_file`. `panna_networks` is the PANNA exchange format (JSON and .npy). `published` tells
which published programs can run a model, `export` writes a potential safely and `agreement` checks
it against the model, `calculator` runs it in ASE. Nothing here imports TensorFlow.
"""
