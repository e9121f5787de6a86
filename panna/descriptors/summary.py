"""A descriptor in a few lines, for the reports of programs."""

from __future__ import annotations

from collections.abc import Sequence

from panna.descriptors.parameters import MBP, DescriptorParameters


def rows(parameters: DescriptorParameters) -> list[tuple[str, str]]:
    """(label, text) pairs: what kind it is, its size, centres, cutoffs and angular function."""
    if isinstance(parameters, MBP):
        angular = f"{_range(parameters.rs_ang)}, {len(parameters.thetas)} angles"
        function = f"eps {parameters.eps:g}, like pairs {parameters.like_pairs}"
    else:
        angular = f"{len(parameters.eta_ang)} eta, {len(parameters.zeta)} zeta"
        function = f"r_jk cutoff {parameters.rjk_cutoff}"
    return [
        ("descriptor", f"{parameters.type} of {', '.join(parameters.species)} ({parameters.hash})"),
        ("components", f"{parameters.size} for each atom"),
        ("radial", f"{_range(parameters.rs_rad)}; Rc {parameters.rc_rad:g} angstrom"),
        ("angular", f"{angular}; Rc {parameters.rc_ang:g} angstrom; {function}"),
    ]


def _range(centres: Sequence[float]) -> str:
    if len(centres) == 1:
        return f"1 centre at {centres[0]:.4g}"
    return f"{len(centres)} centres from {min(centres):.4g} to {max(centres):.4g}"
