"""Descriptors: what turns the neighbours of an atom into the input of a network.

`parameters` holds the kinds of descriptor (mBP, BP) as frozen dataclasses, `configured` makes them
from an ini file, `centres` their sets of centres and angles. `evaluate` computes them through the
C++ core, `reference` is the same mathematics in readable NumPy, `summary` tells people what they
are.
"""
