"""Frames: one configuration of atoms, where it comes from and who is next to whom.

`frame` holds the dataclass, `units` the conversion factors, `text_lines` what reads text that
nobody has checked, `example_file` reads and writes the JSON .example files and `example_folder`
fills a folder with them, `neighbours` makes neighbour lists, `extxyz` and `extxyz_stream` read
extended XYZ through ASE, `ase_atoms` turns frames into ASE's Atoms and back, `writers` has the
formats of the export, `survey` looks over many frames for ranges and for signs of wrong units.
Inside a frame lengths are in angstrom and energies in eV, always.
"""
