"""What descriptors see of a set of atoms: the science and the pictures of the gvect tools.

`curves` are the functions of a descriptor, `geometry` the distances and angles of data,
`resolution` judges the one by the other and `resolution_plot` draws both. `suggestion` chooses
parameters from the geometry. `statistics` is about descriptors that have been computed.
"""
