"""The kinds of descriptor and their parameters.

A descriptor is a frozen dataclass registered under its ini name. Its dictionary form travels in
every .bin, .tfrecord, checkpoint and potential, and its hash tells whether two files fit together.
Lengths are in angstrom, eta in 1/angstrom^2, angles in radians.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any, ClassVar

from panna.errors import DescriptorError

DESCRIPTORS: dict[str, type[DescriptorParameters]] = {}

LIKE_PAIRS = ("once", "twice")
RJK_CUTOFFS = ("smooth", "published")


def register(cls: type[DescriptorParameters]) -> type[DescriptorParameters]:
    """Make a descriptor known under its `type`."""
    DESCRIPTORS[cls.type] = cls
    return cls


@dataclass(frozen=True)
class DescriptorParameters:
    """What every descriptor has: species, a size, a cutoff, a dictionary form and a hash."""

    type: ClassVar[str] = ""

    species: tuple[str, ...]

    @property
    def size(self) -> int:
        """Number of components of one atom's descriptor."""
        raise NotImplementedError

    @property
    def cutoff(self) -> float:
        """Interaction range in angstrom."""
        raise NotImplementedError

    @property
    def species_pairs(self) -> int:
        """Number of unordered pairs of species."""
        n = len(self.species)
        return n * (n + 1) // 2

    def to_dict(self) -> dict[str, Any]:
        """Plain form for JSON: every parameter and the type."""
        return {"type": self.type, **asdict(self)}

    @cached_property
    def hash(self) -> str:
        """First 16 hexadecimal digits of the SHA-256 of the canonical JSON form."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @cached_property
    def core(self):
        """The compiled descriptor (panna.core) with these parameters."""
        raise NotImplementedError

    @cached_property
    def core_mixed(self):
        """The same with pairs of neighbours in single precision, sums in double."""
        compiled = type(self).core.func(self)
        compiled.set_mixed()
        return compiled

    def __reduce__(self):
        # A compiled descriptor cannot be pickled: worker processes rebuild it from the parameters.
        return from_dict, (self.to_dict(),)

    def _check_common(self) -> None:
        if not self.species:
            raise DescriptorError("descriptor: no species given; expected at least one symbol")
        if len(set(self.species)) != len(self.species):
            raise DescriptorError(f"descriptor: species {', '.join(self.species)} repeat a symbol")
        for field in fields(self):
            value = getattr(self, field.name)
            numbers = value if isinstance(value, tuple) else (value,)
            for number in numbers:
                if isinstance(number, float) and not math.isfinite(number):
                    raise DescriptorError(
                        f"descriptor: {field.name} = {value} is not a finite number"
                    )

    def _check_positive(self, **values: float | tuple[float, ...]) -> None:
        for name, value in values.items():
            for number in value if isinstance(value, tuple) else (value,):
                if not number > 0:
                    raise DescriptorError(
                        f"descriptor: {name} = {number} found, a positive number expected"
                    )

    def _check_centres(self, name: str, centres: tuple[float, ...], cutoff: float) -> None:
        for centre in centres:
            if not 0 <= centre < cutoff:
                raise DescriptorError(
                    f"descriptor: {name} has a centre at {centre} angstrom; "
                    f"expected 0 <= centre < cutoff = {cutoff} angstrom"
                )


@register
@dataclass(frozen=True)
class MBP(DescriptorParameters):
    """Modified Behler-Parrinello descriptor, eqs. 3 and 5 of Lot et al., CPC 256, 107402 (2020).

    The angular function is smoothed by `eps` as in note 63 of the paper: the sine of the angle is
    sqrt(1 - cos^2 + eps sin^2 theta_s). `like_pairs` = twice reproduces data from before release
    0.1, where pairs of neighbours of one species were counted two times.

    `eta_rad` has one value per radial centre, `eta_ang` one per angular-radial centre, `zeta` one
    per angle.
    """

    type: ClassVar[str] = "mBP"

    rc_rad: float
    rs_rad: tuple[float, ...]
    eta_rad: tuple[float, ...]
    rc_ang: float
    rs_ang: tuple[float, ...]
    eta_ang: tuple[float, ...]
    thetas: tuple[float, ...]
    zeta: tuple[float, ...]
    eps: float = 1e-2
    like_pairs: str = "once"

    def __post_init__(self) -> None:
        self._check_common()
        self._check_positive(
            Rc_rad=self.rc_rad,
            Rc_ang=self.rc_ang,
            eta_rad=self.eta_rad,
            eta_ang=self.eta_ang,
            zeta=self.zeta,
        )
        self._check_centres("Rs_rad", self.rs_rad, self.rc_rad)
        self._check_centres("Rs_ang", self.rs_ang, self.rc_ang)
        for name, values, centres in (
            ("eta_rad", self.eta_rad, self.rs_rad),
            ("eta_ang", self.eta_ang, self.rs_ang),
            ("zeta", self.zeta, self.thetas),
        ):
            if len(values) != len(centres):
                raise DescriptorError(
                    f"descriptor: {name} has {len(values)} values; expected {len(centres)}, "
                    "one for each centre"
                )
        if not 0 <= self.eps <= 1:
            raise DescriptorError(f"descriptor: eps = {self.eps} found, 0 <= eps <= 1 expected")
        if self.like_pairs not in LIKE_PAIRS:
            raise DescriptorError(
                f"descriptor: like_pairs = {self.like_pairs} found, once or twice expected"
            )

    @property
    def size(self) -> int:
        radial = len(self.species) * len(self.rs_rad)
        return radial + self.species_pairs * len(self.rs_ang) * len(self.thetas)

    @property
    def cutoff(self) -> float:
        return max(self.rc_rad, self.rc_ang)

    @cached_property
    def core(self):
        from panna import core

        return core.MBP(
            len(self.species),
            self.rc_rad,
            self.rs_rad,
            self.eta_rad,
            self.rc_ang,
            self.rs_ang,
            self.eta_ang,
            self.thetas,
            self.zeta,
            self.eps,
            self.like_pairs == "twice",
        )


@register
@dataclass(frozen=True)
class BP(DescriptorParameters):
    """Behler-Parrinello descriptor, eqs. 3 and 4 of Lot et al., CPC 256, 107402 (2020).

    Radial components are the product of all `eta_rad` (slow) and all `rs_rad`; angular ones the
    product of all `eta_ang` (slow), all `zeta` and lambda = +1, -1. `rjk_cutoff` = smooth makes a
    pair of neighbours vanish where their distance reaches the cutoff; `published` keeps the
    formula as the original program evaluates it, where fc(r_jk) rises again beyond the cutoff.
    """

    type: ClassVar[str] = "BP"

    rc_rad: float
    rs_rad: tuple[float, ...]
    eta_rad: tuple[float, ...]
    rc_ang: float
    eta_ang: tuple[float, ...]
    zeta: tuple[float, ...]
    rjk_cutoff: str = "smooth"

    def __post_init__(self) -> None:
        self._check_common()
        self._check_positive(
            Rc_rad=self.rc_rad,
            Rc_ang=self.rc_ang,
            eta_rad=self.eta_rad,
            eta_ang=self.eta_ang,
            zeta=self.zeta,
        )
        self._check_centres("Rs_rad", self.rs_rad, self.rc_rad)
        if min(self.zeta, default=1) < 1:
            raise DescriptorError(
                f"descriptor: zeta = {min(self.zeta)} found, 1 or more expected: with less, forces "
                "between neighbours on one line are infinite"
            )
        if self.rjk_cutoff not in RJK_CUTOFFS:
            raise DescriptorError(
                f"descriptor: rjk_cutoff = {self.rjk_cutoff} found, smooth or published expected"
            )

    @property
    def size(self) -> int:
        radial = len(self.species) * len(self.eta_rad) * len(self.rs_rad)
        return radial + self.species_pairs * len(self.eta_ang) * len(self.zeta) * 2

    @property
    def cutoff(self) -> float:
        return max(self.rc_rad, self.rc_ang)

    @cached_property
    def core(self):
        from panna import core

        return core.BP(
            len(self.species),
            self.rc_rad,
            self.rs_rad,
            self.eta_rad,
            self.rc_ang,
            self.eta_ang,
            self.zeta,
            self.rjk_cutoff == "smooth",
        )


def from_dict(data: dict[str, Any]) -> DescriptorParameters:
    """The descriptor whose `to_dict` gave `data`.

    Raises:
      DescriptorError: unknown type, missing or unknown parameter, value out of range.
    """
    values = dict(data)
    kind = values.pop("type", None)
    if kind not in DESCRIPTORS:
        raise DescriptorError(
            f"descriptor: type {kind!r} found, one of {', '.join(DESCRIPTORS)} expected"
        )
    cls = DESCRIPTORS[kind]
    known = {field.name for field in fields(cls)}
    for name in values:
        if name not in known:
            raise DescriptorError(
                f"descriptor {kind}: unknown parameter {name}; the file comes from another version"
            )
    try:
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
    except TypeError as error:
        raise DescriptorError(f"descriptor {kind}: {error}") from error
