"""Deployable potentials: reading, writing, checking, running.

`panna_in` reads and writes the potential of LAMMPS and KIM (panna.in and one file of weights per
species), out of `panna_in_text` (its lines), `panna_in_descriptor` (its first section) and
`weights_file`. `panna_networks` is the PANNA exchange format (JSON and .npy). `descriptor_source`
tells a model what its descriptor is, `published` which published programs can run it. `export`
writes safely, `agreement` compares an export with its model, `calculator` runs a potential in ASE.
Nothing here imports TensorFlow.
"""
