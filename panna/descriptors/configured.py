"""Descriptor parameters from the ini file of gvect_calculator.

Lengths of the file are in its `gvect_parameters_unit`, eta in 1/unit^2, angles in degrees; all
become angstrom and radian here.

The angular function of mBP has changed three times. A flavour names one of the four:

    flavour        angles                smoothing eps   pairs of like neighbours
    v0             i pi / N              0               counted twice
    v1a            (i + 1/2) pi / N      0               once
    v1b, default   (i + 1/2) pi / N      0.01            once
    v2             (i + 1/2) pi / N      0.001           once
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from panna.config.gvect import GVECT
from panna.config.reader import Config
from panna.descriptors.centres import equal_angles, equidistant, step_to_cutoff
from panna.descriptors.parameters import BP, MBP, DescriptorParameters
from panna.errors import ConfigError, DescriptorError
from panna.frames.elements import ELEMENTS, KNOWN
from panna.frames.units import LENGTH
from panna.text import closest

KIND = "SYMMETRY_FUNCTION"
PARAMETERS = "GVECT_PARAMETERS"
MOST_CENTRES = 1000  # of one kind; a larger number is a slip of the pen


@dataclass(frozen=True)
class Flavour:
    """What distinguishes the angular functions of mBP: eps, the angles, counting of like pairs."""

    eps: float
    thetas: str = "midpoints"
    like_pairs: str = "once"


FLAVOURS = {
    "default": Flavour(1e-2),
    "v0": Flavour(0.0, "from_zero", "twice"),
    "v1a": Flavour(0.0),
    "v1b": Flavour(1e-2),
    "v2": Flavour(1e-3),
}

# Keys that only one of the types has, by section.
ONLY = {
    "mBP": {
        KIND: ("flavour", "eps"),
        PARAMETERS: (
            "Rsst_rad", "Rs0_ang", "RsN_ang", "Rsst_ang", "Rs_ang_list", "ThetasN", "Thetas_list",
        ),
    },
    "BP": {PARAMETERS: ("rjk_cutoff",)},
}  # fmt: skip
INSTEAD = {
    "flavour": "; for the BP of PANNA v1 and v2 set rjk_cutoff = published",
    "rjk_cutoff": "; mBP does not use the distance of the two neighbours",
}

# What each type needs: a key, or the keys that an explicit list stands for.
NEEDED = {
    "mBP": (
        "eta_rad", "Rc_rad", ("Rs_rad_list", "RsN_rad"),
        "eta_ang", "Rc_ang", ("Rs_ang_list", "Rs0_ang", "RsN_ang"),
        "zeta", ("Thetas_list", "ThetasN"),
    ),
    "BP": ("eta_rad", "Rc_rad", ("Rs_rad_list", "RsN_rad"), "zeta"),
}  # fmt: skip


def parameters_from(config: Config) -> MBP | BP:
    """The descriptor that an ini file of gvect_calculator describes.

    Args:
      config: read with the schema GVECT.
    Returns:
      its parameters, in angstrom and radian.
    Raises:
      ConfigError: a species is no chemical element; keys are missing, contradict each other, or
        belong to the other type of descriptor; a value is out of range.
    """
    kind = config[KIND]["type"]
    problems = [*_species_problems(config), *_foreign_keys(config, kind), *_missing(config, kind)]
    if problems:
        raise ConfigError("\n".join(str(problem) for problem in problems))
    keys = _Keys(config)
    try:
        return BUILDERS[kind](config, keys)
    except DescriptorError as error:
        raise config.error(PARAMETERS, None, str(error)) from error


def _mbp(config: Config, keys: _Keys) -> MBP:
    flavour = FLAVOURS[config[KIND]["flavour"]]
    eps = config[KIND]["eps"]
    if eps is not None and eps > 1:
        raise config.error(KIND, "eps", "expected a number from 0 to 1")
    rc_rad, rc_ang = keys.length("Rc_rad"), keys.length("Rc_ang")
    rs_rad, rs_ang = keys.centres("rad", rc_rad), keys.centres("ang", rc_ang)
    thetas = keys.thetas(flavour.thetas)
    return MBP(
        species=config[KIND]["species"],
        rc_rad=rc_rad,
        rs_rad=rs_rad,
        eta_rad=keys.etas("eta_rad", len(rs_rad)),
        rc_ang=rc_ang,
        rs_ang=rs_ang,
        eta_ang=keys.etas("eta_ang", len(rs_ang)),
        thetas=thetas,
        zeta=keys.for_each("zeta", len(thetas), "angle"),
        eps=flavour.eps if eps is None else eps,
        like_pairs=flavour.like_pairs,
    )


def _bp(config: Config, keys: _Keys) -> BP:
    rc_rad = keys.length("Rc_rad")
    return BP(
        species=config[KIND]["species"],
        rc_rad=rc_rad,
        rs_rad=keys.centres("rad", rc_rad),
        eta_rad=keys.etas("eta_rad"),
        rc_ang=keys.length("Rc_ang") if config.given(PARAMETERS, "Rc_ang") else rc_rad,
        eta_ang=keys.etas("eta_ang" if config.given(PARAMETERS, "eta_ang") else "eta_rad"),
        zeta=config[PARAMETERS]["zeta"],
        rjk_cutoff=config[PARAMETERS]["rjk_cutoff"],
    )


BUILDERS: dict[str, Callable[[Config, _Keys], DescriptorParameters]] = {"mBP": _mbp, "BP": _bp}


class _Keys:
    """The values of [GVECT_PARAMETERS] in angstrom and radian, consistency checked."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.values = config[PARAMETERS]
        self.unit = self.values["gvect_parameters_unit"]
        self.angstrom = LENGTH[self.unit]

    def error(self, key: str, message: str) -> ConfigError:
        return self.config.error(PARAMETERS, key, message)

    def length(self, key: str) -> float:
        return self.values[key] * self.angstrom

    def etas(self, key: str, count: int | None = None) -> tuple[float, ...]:
        """Widths in 1/angstrom^2; with a count, one for each centre."""
        values = self.values[key] if count is None else self.for_each(key, count, "centre")
        return tuple(value / self.angstrom**2 for value in values)

    def for_each(self, key: str, count: int, what: str) -> tuple[float, ...]:
        """A list with `count` values, from one value for all or from as many."""
        values = self.values[key]
        if len(values) not in (1, count):
            raise self.error(
                key,
                f"{len(values)} values found; expected one value, or {count}, one for each {what} "
                "(PANNA v1 and v2 used the first one only)",
            )
        return values * count if len(values) == 1 else values

    def centres(self, part: str, cutoff: float) -> tuple[float, ...]:
        """Radial centres in angstrom of the radial ("rad") or angular ("ang") part."""
        first, number, step, explicit = (f"{k}_{part}" for k in ("Rs0", "RsN", "Rsst", "Rs"))
        explicit += "_list"
        if self.config.given(PARAMETERS, explicit):
            self._refuse_beside(explicit, number, (first, step))
            centres = tuple(value * self.angstrom for value in self.values[explicit])
            self._check_below(explicit, max(centres), f"Rc_{part}", cutoff)
            return centres
        count, start = self._count(number), self.length(first)
        self._check_below(first, start, f"Rc_{part}", cutoff)
        if not self.config.given(PARAMETERS, step):
            return equidistant(start, step_to_cutoff(start, cutoff, count), count)
        self._notice_step(step)
        centres = equidistant(start, self.length(step), count)
        self._check_below(step, centres[-1], f"Rc_{part}", cutoff, f"the last of {count} centres ")
        return centres

    def thetas(self, kind: str) -> tuple[float, ...]:
        """Angles in radian: the list, or N of them at the midpoints or from zero."""
        if not self.config.given(PARAMETERS, "Thetas_list"):
            return equal_angles(self._count("ThetasN"), kind)
        self._refuse_beside("Thetas_list", "ThetasN", ())
        degrees = self.values["Thetas_list"]
        for theta in degrees:
            if not 0 <= theta <= 180:
                raise self.error("Thetas_list", f"{theta:g} found; expected degrees from 0 to 180")
        if len(degrees) > 1 and max(degrees) <= math.pi:
            raise self.error(
                "Thetas_list",
                f"all angles are at most {max(degrees):g} degrees; were radians meant? Expected "
                "degrees",
            )
        return tuple(math.radians(theta) for theta in degrees)

    def _count(self, key: str) -> int:
        count = self.values[key]
        if count > MOST_CENTRES:
            raise self.error(key, f"expected at most {MOST_CENTRES}")
        return count

    def _refuse_beside(self, explicit: str, number: str, others: Sequence[str]) -> None:
        """The keys that a list replaces: a count may stand beside it if it is right."""
        found = len(self.values[explicit])
        if found > MOST_CENTRES:
            raise self.error(explicit, f"{found} values found; expected at most {MOST_CENTRES}")
        if self.config.given(PARAMETERS, number) and self.values[number] != found:
            raise self.error(number, f"{explicit} has {found} values; correct or remove one")
        for key in others:
            if self.config.given(PARAMETERS, key):
                raise self.error(key, f"{explicit} gives the centres one by one; remove one")

    def _check_below(
        self, key: str, centre: float, cutoff_key: str, cutoff: float, what: str = ""
    ) -> None:
        if not centre < cutoff:
            raise self.error(
                key,
                f"{what or 'a centre '}is at {centre / self.angstrom:g} {self.unit}; expected it "
                f"below {cutoff_key} = {cutoff / self.angstrom:g} {self.unit}",
            )

    def _notice_step(self, key: str) -> None:
        notice = (
            f"{self.config.where(PARAMETERS, key)}: taken in {self.unit}, as all lengths of the "
            "section; PANNA v1 took it in angstrom"
        )
        if self.unit != "angstrom" and notice not in self.config.notices:
            self.config.notices.append(notice)


def _species_problems(config: Config) -> list[ConfigError]:
    problems = []
    for symbol in config[KIND]["species"]:
        if symbol not in KNOWN:
            close = closest(symbol, ELEMENTS)
            hint = f". Did you mean {close}?" if close else ""
            problems.append(
                config.error(
                    KIND, "species", f"{symbol!r} is not the symbol of a chemical element{hint}"
                )
            )
    return problems


def _foreign_keys(config: Config, kind: str) -> list[ConfigError]:
    return [
        config.error(section, key, f"a key of {other}, but type = {kind}{INSTEAD.get(key, '')}")
        for other, sections in ONLY.items()
        if other != kind
        for section, names in sections.items()
        for key in names
        if config.given(section, key) and config[section][key] != "default"
    ]


def _missing(config: Config, kind: str) -> list[ConfigError]:
    problems = []
    for entry in NEEDED[kind]:
        explicit, names = ("", (entry,)) if isinstance(entry, str) else (entry[0], entry[1:])
        if explicit and config.given(PARAMETERS, explicit):
            continue
        for name in names:
            if not config.given(PARAMETERS, name):
                key = GVECT.find(PARAMETERS).find(name)
                instead = f", or {explicit}" if explicit else ""
                problems.append(
                    config.error(
                        PARAMETERS,
                        name,
                        f"missing; expected {key.parse.expected}{instead} ({key.meaning})",
                    )
                )
    return problems
