"""Per-species neural networks: from descriptors to energies and forces.

`parameters` holds a model as NumPy arrays and `evaluate` runs it in NumPy; `energy`, `forces` and
`variables` are the same network in TensorFlow, for training. Importing this package does not
import TensorFlow.
"""
