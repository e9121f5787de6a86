"""Networks of the compiled core: values and gradients for every activation."""

import numpy as np
import pytest
from descriptor_cases import CELLS, DESCRIPTORS, mbp, random_frame
from model_cases import a_model

from panna import core
from panna.descriptors import evaluate
from panna.frames.neighbours import neighbour_list
from panna.potential.panna_in import write_potential

ACTIVATIONS = {
    0: lambda x: x,
    1: lambda x: np.exp(-(x**2)),
    3: lambda x: np.maximum(x, 0),
    4: np.tanh,
}


def layers(sizes, seed):
    rng = np.random.default_rng(seed)
    return [
        (
            rng.normal(0, 1 / np.sqrt(i), (i, o)).astype("<f4"),
            rng.normal(0, 0.3, o).astype("<f4"),
        )
        for i, o in zip(sizes[:-1], sizes[1:], strict=True)
    ]


def numpy_network(g, network, activations):
    x = g
    for (w, b), a in zip(network, activations, strict=True):
        w, b = w.astype(float), b.astype(float)
        if a == 2:
            x = np.exp(-np.sum((x[:, None] - w) ** 2, axis=0))
        else:
            x = ACTIVATIONS[a](x @ w + b)
    return x[0]


def write(folder, parameters, sizes, activations):
    """A potential directory written by hand, gversion 1."""

    def row(values):
        return "[" + ",".join(repr(float(v)) for v in values) + "]"

    networks = []
    lines = [
        "!gversion = 1",
        "[GVECT_PARAMETERS]",
        f"Nspecies = {len(parameters.species)}",
        f"species = {','.join(parameters.species)}",
        f"RsN_rad = {len(parameters.rs_rad)}",
        f"eta_rad = {row(parameters.eta_rad)}",
        f"Rc_rad = {parameters.rc_rad}",
        f"Rs_rad = {row(parameters.rs_rad)}",
        f"RsN_ang = {len(parameters.rs_ang)}",
        f"eta_ang = {row(parameters.eta_ang)}",
        f"Rc_ang = {parameters.rc_ang}",
        f"Rs_ang = {row(parameters.rs_ang)}",
        f"ThetasN = {len(parameters.thetas)}",
        f"zeta = {row(parameters.zeta)}",
        f"Thetas = {row(parameters.thetas)}",
        f"eps = {parameters.eps}",
    ]
    for number, symbol in enumerate(parameters.species):
        network = layers([parameters.size, *sizes], number)
        networks.append(network)
        lines += [
            f"[{symbol}]",
            f"Nlayers = {len(sizes)}",
            f"sizes = {','.join(map(str, sizes))}",
            f"activations = {','.join(map(str, activations))}",
            f"file = weights_{symbol}.dat",
            f"bias_residual = {0.25 * number}",
        ]
        raw = b"".join(w.tobytes() + b.tobytes() for w, b in network)
        (folder / f"weights_{symbol}.dat").write_bytes(raw)
    (folder / "panna.in").write_text("\n".join(lines))
    return networks


@pytest.mark.parametrize("isa", core.isas())
@pytest.mark.parametrize(
    "sizes, activations",
    [
        ((1,), (0,)),
        ((32, 16, 1), (1, 1, 0)),
        ((7, 5, 1), (4, 1, 0)),
        ((33, 9, 1), (3, 4, 0)),
        ((12, 6, 1), (1, 2, 0)),
        ((6, 1), (2, 0)),
        ((5, 1), (4, 4)),
    ],
)
def test_atomic_energies_and_forces(tmp_path, isa, sizes, activations):
    parameters = mbp()
    networks = write(tmp_path, parameters, sizes, activations)
    potential = core.Potential(str(tmp_path))
    frame = random_frame("triclinic crystal")
    nl = neighbour_list(frame, parameters.species, parameters.cutoff)
    before = core.isa()
    core.set_isa(isa)
    try:
        energies, gradient, _ = potential.compute(nl.species, nl.first, nl.index, nl.vectors)
        g = evaluate.compute(parameters, nl)
    finally:
        core.set_isa(before)

    expected = [
        numpy_network(g[i], networks[s], activations) + 0.25 * s for i, s in enumerate(nl.species)
    ]
    np.testing.assert_allclose(energies, expected, rtol=1e-12, atol=1e-13)

    # dE/dG by complex-free central differences through the NumPy network
    h = 1e-6
    g_bar = np.empty_like(g)
    for i, s in enumerate(nl.species):
        for c in range(parameters.size):
            up, down = g[i].copy(), g[i].copy()
            up[c] += h
            down[c] -= h
            g_bar[i, c] = (
                numpy_network(up, networks[s], activations)
                - numpy_network(down, networks[s], activations)
            ) / (2 * h)
    expected_gradient = evaluate.vjp(parameters, nl, g_bar)
    scale = np.abs(expected_gradient).max()
    np.testing.assert_allclose(gradient, expected_gradient, atol=2e-8 * max(scale, 1))


def test_energy_does_not_jump_at_the_cutoff(tmp_path):
    """A neighbour that leaves takes its energy and force to zero smoothly."""
    parameters = mbp(species=("Si",))
    write(tmp_path, parameters, (8, 1), (1, 0))
    potential = core.Potential(str(tmp_path))

    def energy(r):
        vectors = np.array([[r, 0, 0], [-r, 0, 0]])
        e, g, _ = potential.compute([0, 0], [0, 1, 2], [1, 0], vectors)
        return e.sum(), g[0, 0]

    outside, _ = energy(parameters.cutoff + 1e-9)
    inside, slope = energy(parameters.cutoff - 1e-5)
    assert abs(inside - outside) < 1e-8
    assert abs(slope) < 1e-4


@pytest.mark.parametrize("cell_name", CELLS)
def test_forces_of_a_potential_are_minus_the_gradient(tmp_path, cell_name):
    from dataclasses import replace

    parameters = mbp()
    write(tmp_path, parameters, (10, 1), (1, 0))
    potential = core.Potential(str(tmp_path))
    frame = random_frame(cell_name)

    def evaluated(positions):
        nl = neighbour_list(
            replace(frame, positions=positions), parameters.species, potential.cutoff
        )
        return nl, *potential.compute(nl.species, nl.first, nl.index, nl.vectors)[:2]

    nl, _, gradient = evaluated(frame.positions)
    forces = evaluate.forces_from_pairs(nl, gradient)
    h = 1e-4
    for axis in range(3):
        step = np.zeros_like(frame.positions)
        step[1, axis] = h

        def energy(steps, step=step):
            return evaluated(frame.positions + steps * step)[1].sum()

        slope = (8 * (energy(1) - energy(-1)) - (energy(2) - energy(-2))) / (12 * h)
        assert abs(slope + forces[1, axis]) < 1e-6 * np.abs(forces).max()


@pytest.mark.parametrize("isa", core.isas())
@pytest.mark.parametrize("name", DESCRIPTORS)
@pytest.mark.parametrize("cell_name", ["molecule", "triclinic crystal"])
def test_mixed_precision_agrees_with_full_precision(tmp_path, cell_name, name, isa):
    """Single precision has 6e-8; powers of zeta and sums over pairs cost a digit or two."""
    parameters = DESCRIPTORS[name]
    write_potential(a_model(parameters), tmp_path)
    frame = random_frame(cell_name, parameters.species)
    nl = neighbour_list(frame, parameters.species, parameters.cutoff + 0.3)
    lists = (nl.species, nl.first, nl.index, nl.vectors)
    before = core.isa()
    core.set_isa(isa)
    try:
        energies, gradient, _ = core.Potential(str(tmp_path)).compute(*lists)
        mixed = core.Potential(str(tmp_path), mixed=True)
        mixed_energies, mixed_gradient, _ = mixed.compute(*lists)
    finally:
        core.set_isa(before)
    scale = np.abs(gradient).max()
    np.testing.assert_allclose(mixed_energies, energies, rtol=0, atol=1e-5)
    np.testing.assert_allclose(mixed_gradient, gradient, rtol=0, atol=3e-5 * max(scale, 1))
    # It must be another calculation, not the same one.
    assert np.abs(mixed_gradient - gradient).max() > 1e-12 * scale


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("isa", core.isas())
def test_nothing_is_left_over_from_the_atom_before(tmp_path, isa, mixed):
    """One workspace serves atoms with 0 to 80 neighbours in turn: each as if it were alone."""
    parameters = mbp(angles=8)
    write_potential(a_model(parameters), tmp_path)
    potential = core.Potential(str(tmp_path), mixed=mixed)
    rng = np.random.default_rng(5)
    counts = rng.permutation(np.repeat(np.arange(0, 81, 4), 3))
    first = np.concatenate([[0], np.cumsum(counts)])
    vectors = rng.normal(size=(counts.sum(), 3))
    vectors *= rng.uniform(1.0, 4.4, (counts.sum(), 1)) / np.linalg.norm(vectors, axis=1)[:, None]
    # Species of the neighbours: any of them; the index only has to name an atom of that species.
    species = rng.integers(0, 3, len(counts)).astype(np.int32)
    index = rng.integers(0, len(counts), counts.sum())
    before = core.isa()
    core.set_isa(isa)
    try:
        energies, gradient, _ = potential.compute(species, first, index, vectors, threads=1)
        for i in rng.permutation(len(counts))[:20]:
            mine = slice(first[i], first[i + 1])
            # The atom itself first, behind it one atom without neighbours for each species.
            alone = np.concatenate([species[i : i + 1], np.arange(3, dtype=np.int32)])
            starts = np.concatenate([[0], np.full(4, counts[i])])
            neighbours = 1 + species[index[mine]].astype(np.int64)
            e, g, _ = potential.compute(alone, starts, neighbours, vectors[mine], threads=1)
            assert e[0] == energies[i]
            np.testing.assert_array_equal(g, gradient[mine])
    finally:
        core.set_isa(before)
    assert np.isfinite(gradient).all()
