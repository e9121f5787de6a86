"""Exports: which published programs read them, whether they agree, and that none is half there."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from descriptor_cases import bp, mbp
from model_cases import a_model, labelled_frames

from panna.errors import PotentialError
from panna.network.evaluate import atomic_energies
from panna.potential.agreement import check_networks, check_potential
from panna.potential.export import export_directory
from panna.potential.panna_in import write_potential
from panna.potential.panna_networks import read_networks, write_networks
from panna.potential.published import published_readers, published_shift

NETWORKS = Path(__file__).parents[1] / "data" / "golden" / "networks"
EQUIDISTANT = mbp(
    rs_rad=tuple(0.5 + m * (4.0 / 7) for m in range(7)),
    rs_ang=tuple(0.5 + m * (3.0 / 3) for m in range(3)),
    eta_ang=(2.0,) * 3,
)
KIM, V1, V2 = range(3)


def numbers(model, count: int = 20) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    return np.arange(count) % len(model.species), rng.random((count, model.g_size))


# -- published programs ----------------------------------------------------------------------------


def readers(model, gversion="auto") -> list[bool]:
    return [verdict.reads for verdict in published_readers(model, gversion)]


@pytest.mark.parametrize(
    "changes, network, expected",
    [
        ({}, {}, [True, True, False]),
        ({"eps": 1e-3}, {}, [False, False, True]),
        ({"eps": 0.0}, {}, [False, False, False]),
        ({"zeta": (7.5,) * 5}, {}, [True, False, False]),
        ({"zeta": (1.0, 2.0, 4.0, 8.0, 16.0)}, {}, [False, True, False]),
        ({"like_pairs": "twice"}, {}, [False, False, False]),
        ({"rs_rad": tuple(0.5 + 0.5 * m for m in range(7))}, {}, [True, False, False]),
        ({"thetas": tuple(m * np.pi / 5 for m in range(5))}, {}, [False, False, False]),
        ({}, {"activations": ("tanh", "gaussian", "linear")}, [False, False, False]),
        ({"eps": 1e-3}, {"activations": ("tanh", "relu", "linear")}, [False, False, True]),
        ({}, {"activations": ("gaussian", "gaussian", "relu")}, [False, False, False]),
    ],
)
def test_what_published_programs_can_run(changes, network, expected):
    model = a_model(replace(EQUIDISTANT, **changes), **network)
    assert readers(model) == expected
    for verdict in published_readers(model):
        assert verdict.reads != bool(verdict.reasons)


def test_published_programs_cannot_run_bp():
    assert readers(a_model(bp())) == [False, False, False]


def test_kim_reads_gversion_0_only():
    assert readers(a_model(EQUIDISTANT), 1) == [False, True, False]


def test_the_shift_in_published_programs_is_the_rounding_of_the_last_bias():
    assert 1e-6 < published_shift(a_model(EQUIDISTANT)) < 1.3e-4  # half a float32 step of 2041


# -- agreement -------------------------------------------------------------------------------------


def test_agreement_is_measured_on_the_structures_given(tmp_path):
    model = a_model()
    write_potential(model, tmp_path)
    frames = labelled_frames(3)
    found = check_potential(model, tmp_path, frames=frames, source="my structures")
    assert (found.frames, found.atoms) == (3, sum(frame.n_atoms for frame in frames))
    assert found.largest < 1e-6
    assert "my structures" in str(found)


def test_a_changed_weight_is_noticed(tmp_path):
    model = a_model()
    write_potential(model, tmp_path)
    path = tmp_path / "weights_O.dat"
    weights = np.frombuffer(path.read_bytes(), "<f4").copy()
    weights[-1] += 0.001
    path.write_bytes(weights.tobytes())
    with pytest.raises(PotentialError, match="differs from the network"):
        check_potential(model, tmp_path)


def test_a_changed_descriptor_is_noticed(tmp_path):
    model = a_model(EQUIDISTANT)
    write_potential(replace(model, descriptor=replace(EQUIDISTANT, eps=0.02).to_dict()), tmp_path)
    with pytest.raises(PotentialError, match=r"eps = 0\.02 found, 0\.01 expected"):
        check_potential(model, tmp_path)


def test_changed_arrays_are_noticed(tmp_path):
    model = a_model()
    files = write_networks(model, tmp_path)
    assert check_networks(model, tmp_path).largest < 1e-5
    path = next(file for file in files if "species_H_layer_0_weights" in file.name)
    np.save(path, np.load(path) * 1.01)
    with pytest.raises(PotentialError, match="differs from the network"):
        check_networks(model, tmp_path)


# -- PANNA's network directories -------------------------------------------------------------------


def test_a_network_directory_read_back_gives_the_same_energies(tmp_path):
    model = a_model()
    write_networks(model, tmp_path)
    again = read_networks(tmp_path)
    assert again.species == model.species and again.descriptor == model.descriptor
    np.testing.assert_array_equal(again.offsets, model.offsets)
    worst = np.abs(
        atomic_energies(again, *numbers(model)) - atomic_energies(model, *numbers(model))
    ).max()
    assert worst < 1e-5, f"differs by {worst:.1e} eV"


def test_directories_of_panna_v2_are_read(tmp_path):
    """Written here by hand in the form of v2: fixed names of files, one entry per species."""
    model = a_model(scaled=False)
    entries = []
    numbers_of = {"gaussian": 1, "linear": 0}
    for symbol, network, offset in zip(model.species, model.networks, model.offsets, strict=True):
        for k, (w, b) in enumerate(zip(network.weights, network.biases, strict=True)):
            np.save(tmp_path / f"{symbol}_l{k}_w.npy", w)
            np.save(tmp_path / f"{symbol}_l{k}_b.npy", b)
        entries.append(
            {
                "type": "a2aff",
                "name": symbol,
                "feature_size": network.g_size,
                "layers": list(network.sizes),
                "activations": [numbers_of[a] for a in network.activations],
                "offset": float(offset),
            }
        )
    metadata = {
        "version": "v1",
        "scaffold_type": "PANNA",
        "networks_species": list(model.species),
        "networks": entries,
    }
    (tmp_path / "networks_metadata.json").write_text(json.dumps(metadata))
    again = read_networks(tmp_path)
    np.testing.assert_array_equal(
        atomic_energies(again, *numbers(model)), atomic_energies(model, *numbers(model))
    )


def _edit(folder: Path, **changes) -> None:
    path = folder / "networks_metadata.json"
    metadata = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({k: v for k, v in metadata.items() if v is not None}))


@pytest.mark.parametrize(
    "damage, word",
    [
        (lambda d: (d / "networks_metadata.json").unlink(), "no such file"),
        (lambda d: (d / "networks_metadata.json").write_text("{"), "JSON"),
        (lambda d: (d / "networks_metadata.json").write_text("[]"), "object"),
        (lambda d: _edit(d, networks_offset=None), "networks_offset"),
        (lambda d: _edit(d, networks_offset=[1.0]), "offsets"),
        (lambda d: _edit(d, descriptor={"type": "mBQ"}), "mBQ"),
        (lambda d: _edit(d, descriptor=7), "descriptor"),
        (lambda d: _edit(d, networks_layers_activation=[[9, 9, 9]] * 3), "activation"),
        (lambda d: _edit(d, scaffold_type="LONG"), "LONG"),
        (lambda d: next(d.glob("species_O_layer_1_w*")).unlink(), "species_O_layer_1"),
        (lambda d: next(d.glob("species_O_layer_1_w*")).write_bytes(b"abc"), "damaged"),
        (lambda d: np.save(next(d.glob("species_O_layer_1_w*")), np.ones((2, 2))), "shape"),
        (lambda d: np.save(next(d.glob("species_O_layer_1_b*")), np.full(5, np.nan)), "finite"),
    ],
)
def test_damaged_network_directories_are_refused(tmp_path, damage, word):
    write_networks(a_model(), tmp_path)
    damage(tmp_path)
    with pytest.raises(PotentialError, match=word) as caught:
        read_networks(tmp_path)
    assert str(tmp_path) in str(caught.value)


# -- all or nothing --------------------------------------------------------------------------------


def test_a_failing_export_leaves_the_old_one(tmp_path):
    target = tmp_path / "potential"
    with export_directory(target) as folder:
        write_potential(a_model(), folder)
    before = {path.name: path.read_bytes() for path in target.iterdir()}
    with pytest.raises(PotentialError) as caught, export_directory(target) as folder:
        write_potential(a_model(seed=1), folder)
        raise PotentialError(f"{folder}/panna.in: something is wrong")
    assert str(caught.value) == f"{target}/panna.in: something is wrong"
    assert {path.name: path.read_bytes() for path in target.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["potential"]


def test_a_folder_with_other_files_is_not_touched(tmp_path):
    (tmp_path / "panna.in").write_text("[GVECT_PARAMETERS]\nspecies = H\n")  # not ours
    with pytest.raises(PotentialError, match=r"panna\.in"), export_directory(tmp_path):
        raise AssertionError("must not be reached")
    assert [path.name for path in tmp_path.iterdir()] == ["panna.in"]
