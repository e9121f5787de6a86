"""Descriptors and atoms that several tests share."""

from __future__ import annotations

import numpy as np

from panna.descriptors.parameters import BP, MBP
from panna.frames.frame import Frame

SPECIES = ("Si", "O", "H")


def centres(first: float, cutoff: float, count: int) -> tuple[float, ...]:
    """Rs_m = Rs0 + m (Rc - Rs0)/N."""
    return tuple(first + m * (cutoff - first) / count for m in range(count))


def mbp(species=SPECIES, rc_rad=4.5, rc_ang=3.5, zeta=8.0, eps=1e-2, angles=5, **changes) -> MBP:
    """A small mBP descriptor; sizes are odd on purpose, to meet the remainders of the kernels."""
    values = dict(
        species=tuple(species),
        rc_rad=rc_rad,
        rs_rad=centres(0.5, rc_rad, 7),
        eta_rad=(4.0,) * 7,
        rc_ang=rc_ang,
        rs_ang=centres(0.5, rc_ang, 3),
        eta_ang=(1.5, 2.0, 2.5),
        thetas=tuple((m + 0.5) * np.pi / angles for m in range(angles)),
        zeta=zeta if isinstance(zeta, tuple) else (zeta,) * angles,
        eps=eps,
    )
    return MBP(**{**values, **changes})


def bp(species=SPECIES, rc_rad=4.5, rc_ang=3.5, rjk_cutoff="smooth", **changes) -> BP:
    """A small BP descriptor."""
    values = dict(
        species=tuple(species),
        rc_rad=rc_rad,
        rs_rad=(0.0, 1.5, 3.0),
        eta_rad=(0.3, 1.0),
        rc_ang=rc_ang,
        eta_ang=(0.02, 0.1, 0.3),
        zeta=(1.0, 3.0, 4.5),
        rjk_cutoff=rjk_cutoff,
    )
    return BP(**{**values, **changes})


DESCRIPTORS = {
    "mBP": mbp(),
    "mBP, real zeta": mbp(zeta=7.5),
    "mBP, eps 1e-3, one species": mbp(species=("Si",), eps=1e-3, angles=8),
    # One exponential for each centre, and angles without a mirror image.
    "mBP, irregular": mbp(
        rs_rad=(0.5, 1.0, 1.2, 2.0, 2.9, 3.3, 4.1),
        thetas=(0.0, 0.4, 1.1, 2.0, 2.9),
        zeta=(8.0, 8.0, 5.0, 7.5, 8.0),
    ),
    # So narrow that ratios of neighbouring Gaussians leave the range of doubles.
    "mBP, sharp": mbp(eta_rad=(90.0,) * 7, eta_ang=(60.0,) * 3),
    "mBP, like pairs twice, Rc_ang > Rc_rad": mbp(rc_rad=3.0, rc_ang=4.0, like_pairs="twice"),
    "BP": bp(),
    "BP, published r_jk cutoff": bp(rjk_cutoff="published"),
}

CELLS = {
    "molecule": (np.zeros((3, 3)), (False, False, False)),
    "wire": (np.diag([0.0, 0.0, 6.0]), (False, False, True)),
    "slab": (np.array([[6.0, 0, 0], [1.5, 5.5, 0], [0, 0, 0]]), (True, True, False)),
    "triclinic crystal": (np.array([[6.0, 0, 0], [1.5, 5.5, 0], [-1.0, 0.7, 6.3]]), (True,) * 3),
    "cell smaller than the cutoff": (
        np.array([[2.9, 0, 0], [0.4, 3.1, 0], [0.3, -0.5, 2.7]]),
        (True,) * 3,
    ),
}


def random_frame(cell_name: str, species=SPECIES, seed: int = 0, shortest: float = 1.0) -> Frame:
    """Atoms of all species at random places not closer than `shortest` angstrom."""
    rng = np.random.default_rng(seed)
    cell, pbc = CELLS[cell_name]
    box = np.where(np.array(pbc)[:, None], cell, np.eye(3) * 6.0)
    wanted = 3 if "smaller" in cell_name else 14
    shifts = [
        np.array(s) @ box
        for s in np.ndindex(3, 3, 3)
        for s in [tuple(x - 1 if p else 0 for x, p in zip(s, pbc, strict=True))]
    ]
    positions: list[np.ndarray] = []
    for _ in range(20000):
        new = rng.random(3) @ box
        gaps = [np.linalg.norm(new - old + shift) for old in positions for shift in shifts]
        if not gaps or min(gaps) > shortest:
            positions.append(new)
        if len(positions) == wanted:
            break
    assert len(positions) == wanted, "no room for the atoms"
    symbols = tuple(species[i % len(species)] for i in range(wanted))
    return Frame(
        species=symbols,
        positions=np.array(positions),
        cell=cell,
        pbc=np.array(pbc),
        energy=None,
        forces=None,
        virial=None,
        name=cell_name,
    )
