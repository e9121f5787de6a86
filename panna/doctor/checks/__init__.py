"""The checks: each a function that returns what it found, the worst first.

To add one, write the function and its `@check` line; its section is one of those in sections.py.
"""

from panna.doctor.checks import contents, energies, forces, geometry, runs

__all__ = ["contents", "energies", "forces", "geometry", "runs"]
