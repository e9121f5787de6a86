"""How well networks do on structures with known energies and forces.

`networks` finds what to evaluate, `structures` reads what to evaluate it on, `predict` runs the one
on the other through the compiled core and NumPy, `errors` makes statistics, `tables` writes PANNA's
files of energies and forces, `summary` all of it as JSON, `plots` draws. Only TFRecord files need
TensorFlow.
"""
