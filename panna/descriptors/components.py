"""What each component of a descriptor stands for, in the order in which they are computed."""

from __future__ import annotations

from dataclasses import dataclass
from math import degrees

from panna.descriptors.parameters import MBP, DescriptorParameters


@dataclass(frozen=True)
class Component:
    """One component. What a kind of descriptor does not have is None.

    neighbours: symbol of the neighbour, or of the two neighbours.
    eta: 1/angstrom^2. r_s: angstrom, centre of the distance or of the mean of two distances.
    theta: radian. sign: +1 or -1, the lambda of BP.
    """

    neighbours: tuple[str, ...]
    eta: float
    r_s: float | None = None
    theta: float | None = None
    zeta: float | None = None
    sign: int | None = None

    @property
    def kind(self) -> str:
        """radial or angular."""
        return "radial" if len(self.neighbours) == 1 else "angular"

    def __str__(self) -> str:
        parts = [f"{self.kind} {'-'.join(self.neighbours)}"]
        if self.r_s is not None:
            parts.append(f"r {self.r_s:.4g}")
        if self.theta is not None:
            parts.append(f"theta {to_degrees(self.theta):.4g}")
        parts.append(f"eta {self.eta:.4g}")
        if self.zeta is not None:
            parts.append(f"zeta {self.zeta:g}")
        if self.sign is not None:
            parts.append(f"lambda {self.sign:+d}")
        return " ".join(parts)


def to_degrees(theta: float) -> float:
    """Radian to degrees, free of the last rounding: 22.5 and not 22.500000000000004."""
    return round(degrees(theta), 10)


def components(parameters: DescriptorParameters) -> list[Component]:
    """The components of one atom's descriptor: radial by species, then angular by pair of species.

    The order is that of `panna.descriptors.reference` and of all files.
    """
    species = parameters.species
    radial = _mbp_radial if isinstance(parameters, MBP) else _bp_radial
    angular = _mbp_angular if isinstance(parameters, MBP) else _bp_angular
    pairs = [(one, other) for i, one in enumerate(species) for other in species[i:]]
    return [
        *(Component((symbol,), **values) for symbol in species for values in radial(parameters)),
        *(Component(pair, **values) for pair in pairs for values in angular(parameters)),
    ]


def _mbp_radial(p) -> list[dict]:
    return [{"eta": eta, "r_s": r_s} for eta, r_s in zip(p.eta_rad, p.rs_rad, strict=True)]


def _bp_radial(p) -> list[dict]:
    return [{"eta": eta, "r_s": r_s} for eta in p.eta_rad for r_s in p.rs_rad]


def _mbp_angular(p) -> list[dict]:
    return [
        {"eta": eta, "r_s": r_s, "theta": theta, "zeta": zeta}
        for eta, r_s in zip(p.eta_ang, p.rs_ang, strict=True)
        for theta, zeta in zip(p.thetas, p.zeta, strict=True)
    ]


def _bp_angular(p) -> list[dict]:
    return [
        {"eta": eta, "zeta": zeta, "sign": sign}
        for eta in p.eta_ang
        for zeta in p.zeta
        for sign in (1, -1)
    ]
