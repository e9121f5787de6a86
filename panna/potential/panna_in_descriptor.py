"""The section [GVECT_PARAMETERS] of panna.in and the parameters of the descriptor.

gversion 0 has single values, a first centre and a step; gversion 1 has lists. Keys that PANNA v1
and v2 do not have, and ignore: type, eps, theta_centres, like_pairs, rjk_cutoff, descriptor_hash,
panna_version. Where eps is absent it is what the published drivers of that gversion compute.
"""

from __future__ import annotations

from dataclasses import replace

from panna import __version__
from panna.descriptors.centres import (
    THETA_CENTRES,
    equal_angles,
    equidistant,
    same_centres,
    step_to_cutoff,
)
from panna.descriptors.parameters import (
    BP,
    LIKE_PAIRS,
    MBP,
    RJK_CUTOFFS,
    DescriptorParameters,
)
from panna.errors import DescriptorError, PotentialError
from panna.potential.panna_in_text import PannaInText, Section

SECTION = "GVECT_PARAMETERS"
EPS_OF_GVERSION = {0: 1e-2, 1: 1e-3}

_COMMON = ("Nspecies", "species", "type", "descriptor_hash", "panna_version")
_MBP = ("eta_rad", "Rc_rad", "RsN_rad", "eta_ang", "Rc_ang", "RsN_ang", "zeta", "ThetasN")
_MBP += ("eps", "like_pairs", *_COMMON)
_STEPS = ("Rs0_rad", "Rsst_rad", "Rs0_ang", "Rsst_ang", "theta_centres")
_LISTS = ("Rs_rad", "Rs_ang", "Thetas")
_BP = ("eta_rad", "Rc_rad", "Rs_rad", "eta_ang", "Rc_ang", "zeta", "rjk_cutoff", *_COMMON)


def read_descriptor(file: PannaInText) -> DescriptorParameters:
    """The descriptor of a potential.

    Raises:
      PotentialError: a key is missing, unknown or out of range, or the hash in the file does not
        fit the parameters.
    """
    section = file.section(SECTION, "it holds the parameters of the descriptor")
    species = section.words("species")
    if "Nspecies" in section and section.count("Nspecies") != len(species):
        raise section.error(
            "Nspecies", f"{len(species)} expected, the number of symbols in species"
        )
    if not all(species):
        raise section.error("species", "an empty symbol found; expected a list like H,C,N,O")
    kind = section.choice("type", ("mBP", "BP"))
    gversion = file.gversion
    if "weights" in section:
        raise section.error(
            "weights", "weighted descriptors (WmBP) are not supported; expected type mBP or BP"
        )
    try:
        if kind == "BP":
            parameters, known = _read_bp(section, tuple(species), gversion), _BP
        else:
            parameters = _read_mbp(section, tuple(species), gversion)
            known = _MBP + (_LISTS if gversion else _STEPS)
    except DescriptorError as error:
        raise PotentialError(
            f"{file.path}, line {section.line}, [{section.name}]: {error}"
        ) from error
    _check_hash(section, parameters)
    section.ignore("panna_version")
    section.finish(known)
    return parameters


def descriptor_lines(parameters: DescriptorParameters, gversion: int) -> list[str]:
    """The lines of the section, in the order in which published readers need them.

    Raises:
      PotentialError: the descriptor cannot be written in this gversion.
    """
    lines = [f"[{SECTION}]", f"Nspecies = {len(parameters.species)}"]
    lines.append(f"species = {','.join(parameters.species)}")
    if isinstance(parameters, BP):
        lines += _bp_lines(parameters, gversion)
    elif isinstance(parameters, MBP):
        if gversion:
            lines += _mbp_lists(parameters)
        else:
            parameters, *steps = _as_gversion_0(parameters)
            lines += _mbp_steps(parameters, *steps)
        lines += [f"eps = {_number(parameters.eps)}", f"like_pairs = {parameters.like_pairs}"]
    else:
        raise PotentialError(
            f"descriptor of type {parameters.type} cannot be written to panna.in; "
            "expected mBP or BP"
        )
    lines.append(f"descriptor_hash = {parameters.hash}")
    lines.append(f"panna_version = {__version__}")
    return lines


def fits_gversion_0(parameters: DescriptorParameters) -> bool:
    """Whether gversion 0 reproduces the descriptor exactly, to the last bit."""
    try:
        return _as_gversion_0(parameters)[0] == parameters
    except PotentialError:
        return False


def default_step(parameters: MBP, part: str) -> bool:
    """Whether the centres of "rad" or "ang" run from the first one up to the cutoff."""
    centres, cutoff = getattr(parameters, f"rs_{part}"), getattr(parameters, f"rc_{part}")
    if not centres:
        return True
    default = step_to_cutoff(centres[0], cutoff, len(centres))
    return same_centres(equidistant(centres[0], default, len(centres)), centres)


def _read_mbp(section: Section, species: tuple[str, ...], gversion: int) -> MBP:
    n_rad, n_ang = section.count("RsN_rad"), section.count("RsN_ang")
    n_theta = section.count("ThetasN")
    rc_rad, rc_ang = section.number("Rc_rad"), section.number("Rc_ang")
    if gversion:
        rs_rad, rs_ang = section.numbers("Rs_rad", n_rad), section.numbers("Rs_ang", n_ang)
        thetas = section.numbers("Thetas", n_theta)
        section.ignore("Rs0_rad", "Rs0_ang")  # some versions write them beside the lists
    else:
        rs_rad = _read_centres(section, "rad", n_rad, rc_rad)
        rs_ang = _read_centres(section, "ang", n_ang, rc_ang)
        thetas = equal_angles(n_theta, section.choice("theta_centres", THETA_CENTRES))
    eps = section.number("eps") if "eps" in section else EPS_OF_GVERSION[gversion]
    return MBP(
        species=species,
        rc_rad=rc_rad,
        rs_rad=rs_rad,
        eta_rad=section.numbers("eta_rad", n_rad),
        rc_ang=rc_ang,
        rs_ang=rs_ang,
        eta_ang=section.numbers("eta_ang", n_ang),
        thetas=thetas,
        zeta=section.numbers("zeta", n_theta),
        eps=eps,
        like_pairs=section.choice("like_pairs", LIKE_PAIRS),
    )


def _read_centres(section: Section, part: str, count: int, cutoff: float) -> tuple[float, ...]:
    first = section.number(f"Rs0_{part}")
    step = step_to_cutoff(first, cutoff, count)
    if f"Rsst_{part}" in section:
        step = section.number(f"Rsst_{part}")
    return equidistant(first, step, count)


def _read_bp(section: Section, species: tuple[str, ...], gversion: int) -> BP:
    if gversion != 1:
        raise section.error("type", "BP has lists of parameters; the line !gversion = 1 expected")
    return BP(
        species=species,
        rc_rad=section.number("Rc_rad"),
        rs_rad=section.numbers("Rs_rad"),
        eta_rad=section.numbers("eta_rad"),
        rc_ang=section.number("Rc_ang"),
        eta_ang=section.numbers("eta_ang"),
        zeta=section.numbers("zeta"),
        rjk_cutoff=section.choice("rjk_cutoff", RJK_CUTOFFS),
    )


def _check_hash(section: Section, parameters: DescriptorParameters) -> None:
    if "descriptor_hash" in section and section.text("descriptor_hash") != parameters.hash:
        raise section.error(
            "descriptor_hash",
            f"the parameters of this section give {parameters.hash}: a parameter was changed by "
            "hand. Restore it; if the change is meant, delete the line descriptor_hash",
        )


def _step_of(centres: tuple[float, ...], cutoff: float, name: str) -> float:
    """The step that gives these centres, exactly if one of the usual formulas does."""
    n = len(centres)
    if not n:
        raise PotentialError(f"{name}: no centres; gversion 0 needs at least one")
    candidates = [step_to_cutoff(centres[0], cutoff, n)]
    if n > 1:
        candidates += [(centres[-1] - centres[0]) / (n - 1), centres[1] - centres[0]]
    for same in (tuple.__eq__, same_centres):
        for step in candidates:
            if same(equidistant(centres[0], step, n), centres):
                return step
    raise PotentialError(
        f"{name} = {list(centres)}: not equidistant, which gversion 0 needs; use gversion 1"
    )


def _as_gversion_0(p: DescriptorParameters) -> tuple[MBP, float, float, str]:
    """The descriptor that a reader of gversion 0 makes, its two steps and its kind of angles.

    Raises:
      PotentialError: gversion 0 cannot express the descriptor.
    """
    if not isinstance(p, MBP):
        raise PotentialError(f"type = {p.type}: gversion 0 has mBP only; use gversion 1")
    for name in ("eta_rad", "eta_ang", "zeta"):
        if len(set(getattr(p, name))) != 1:
            raise PotentialError(
                f"{name} = {list(getattr(p, name))}: gversion 0 has a single value for all "
                "centres; use gversion 1"
            )
    for kind in THETA_CENTRES:
        thetas = equal_angles(len(p.thetas), kind)
        if same_centres(thetas, p.thetas):
            break
    else:
        raise PotentialError(
            f"thetas = {list(p.thetas)}: neither midpoints nor from zero, which gversion 0 needs; "
            "use gversion 1"
        )
    step_rad = _step_of(p.rs_rad, p.rc_rad, "Rs_rad")
    step_ang = _step_of(p.rs_ang, p.rc_ang, "Rs_ang")
    exact = replace(
        p,
        rs_rad=equidistant(p.rs_rad[0], step_rad, len(p.rs_rad)),
        rs_ang=equidistant(p.rs_ang[0], step_ang, len(p.rs_ang)),
        thetas=thetas,
    )
    return exact, step_rad, step_ang, kind


def _mbp_steps(p: MBP, step_rad: float, step_ang: float, kind: str) -> list[str]:
    return [
        f"eta_rad = {_number(p.eta_rad[0])}",
        f"Rc_rad = {_number(p.rc_rad)}",
        f"Rs0_rad = {_number(p.rs_rad[0])}",
        f"Rsst_rad = {_number(step_rad)}",
        f"RsN_rad = {len(p.rs_rad)}",
        f"eta_ang = {_number(p.eta_ang[0])}",
        f"Rc_ang = {_number(p.rc_ang)}",
        f"Rs0_ang = {_number(p.rs_ang[0])}",
        f"Rsst_ang = {_number(step_ang)}",
        f"RsN_ang = {len(p.rs_ang)}",
        f"zeta = {_number(p.zeta[0])}",
        f"ThetasN = {len(p.thetas)}",
        "type = mBP",
        *([f"theta_centres = {kind}"] if kind != "midpoints" else []),
    ]


def _mbp_lists(p: MBP) -> list[str]:
    return [
        f"RsN_rad = {len(p.rs_rad)}",
        f"eta_rad = {_list(p.eta_rad)}",
        f"Rc_rad = {_number(p.rc_rad)}",
        f"Rs_rad = {_list(p.rs_rad)}",
        f"RsN_ang = {len(p.rs_ang)}",
        f"eta_ang = {_list(p.eta_ang)}",
        f"Rc_ang = {_number(p.rc_ang)}",
        f"Rs_ang = {_list(p.rs_ang)}",
        f"ThetasN = {len(p.thetas)}",
        f"zeta = {_list(p.zeta)}",
        f"Thetas = {_list(p.thetas)}",
        "type = mBP",
    ]


def _bp_lines(p: BP, gversion: int) -> list[str]:
    if gversion != 1:
        raise PotentialError("type = BP: gversion 0 has mBP only; use gversion 1")
    return [
        "type = BP",
        f"eta_rad = {_list(p.eta_rad)}",
        f"Rc_rad = {_number(p.rc_rad)}",
        f"Rs_rad = {_list(p.rs_rad)}",
        f"eta_ang = {_list(p.eta_ang)}",
        f"Rc_ang = {_number(p.rc_ang)}",
        f"zeta = {_list(p.zeta)}",
        f"rjk_cutoff = {p.rjk_cutoff}",
    ]


def _number(value: float) -> str:
    """Shortest text that reads back as the same number."""
    return repr(float(value))


def _list(numbers: tuple[float, ...]) -> str:
    return f"[{','.join(map(_number, numbers))}]"
