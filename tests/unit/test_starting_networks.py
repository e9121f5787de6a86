"""Networks that a training begins with: the same function as the exported one, and whose it is."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from descriptor_cases import mbp
from model_cases import OFFSETS, a_model
from training_cases import write_ini

from panna.config.reader import read_config
from panna.config.train import TRAIN
from panna.errors import ConfigError
from panna.network.evaluate import energies_and_gradients
from panna.network.parameters import Model
from panna.potential.panna_networks import read_networks, write_networks
from panna.training.networks import architectures, first_networks
from panna.training.reference_energies import reference_energies
from panna.training.starting_networks import read_bases, starting_networks

DESCRIPTOR = mbp(species=("Si", "O"))
G = DESCRIPTOR.size
SUMMARY = SimpleNamespace(g_size=G, descriptor_hash=DESCRIPTOR.hash, files=["1.tfrecord"])
RNG = np.random.default_rng(0)
MEAN, STD = RNG.uniform(0, 1, (2, G)), RNG.uniform(0.01, 2, (2, G))


@pytest.fixture
def export(tmp_path):
    """A folder with exported networks of Si and O."""
    folder = tmp_path / "export"
    write_networks(a_model(DESCRIPTOR), folder)
    return folder


@pytest.fixture
def start(tmp_path, export):
    """The model that a training with these keys begins with; float64 unless told otherwise."""

    def made(mean=MEAN, std=STD, species=("Si", "O"), summary=SUMMARY, **keys) -> Model:
        options = {
            "DEFAULT_NETWORK__architecture": None,
            "DEFAULT_NETWORK__networks_metadata": export,
            "TRAINING_PARAMETERS__precision": "float64",
        }
        ini = write_ini(tmp_path / "t.ini", tmp_path, **{**options, **keys})
        config = read_config(ini, TRAIN)
        bases = read_bases(config, species, summary)
        found = architectures(config, species, bases)
        fresh = first_networks(config, species, found, G, 1.0)
        networks = starting_networks(config, species, fresh, found, bases, mean, std)
        statistics = SimpleNamespace(
            compositions=np.eye(len(species)),
            energies=np.full(len(species), -3.0),
            residual=lambda offsets: 0.0,
        )
        offsets = reference_energies(config, species, statistics, bases).offsets
        return Model(species, None, networks, offsets, mean, std)

    return made


def same_function(one: Model, other: Model, atol=1e-9) -> bool:
    species, g = np.arange(20) % 2, RNG.uniform(0, 1, (20, G))
    pairs = zip(
        energies_and_gradients(one, species, g),
        energies_and_gradients(other, species, g),
        strict=True,
    )
    return all(np.allclose(a, b, rtol=0, atol=atol) for a, b in pairs)


def test_energies_and_slopes_are_those_of_the_export_whatever_the_standardisation(start, export):
    expected = read_networks(export)
    assert same_function(start(), expected)
    assert same_function(start(mean=None, std=None), expected)
    # float32 weights: products of 59 terms of order 1, and the shift by mean @ W.
    assert same_function(start(TRAINING_PARAMETERS__precision="float32"), expected, atol=1e-4)
    assert start().offsets.tolist() == [OFFSETS["Si"], OFFSETS["O"]]


def test_species_begin_with_networks_of_others_but_not_with_their_energies(start, export):
    keys = dict(O__networks_from="Si")
    with pytest.raises(ConfigError, match="one for Si but not for O"):
        start(**keys)
    model = start(DATA_INFORMATION__output_offset="fit", mean=None, std=None, **keys)
    si = read_networks(export).networks[0]
    for network in model.networks:
        np.testing.assert_array_equal(network.weights[1], si.weights[1])
    assert model.offsets.tolist() == [-3.0, -3.0]
    assert start(O__output_offset="0", **keys).offsets.tolist() == [OFFSETS["Si"], 0.0]


def test_a_section_changes_only_what_it_gives(start, export):
    model = start(Si__trainable="0:1:1", O__architecture="7:3:1", O__activations="tanh:tanh:linear")
    si, o = model.networks
    assert si.trainable == [False, True, True] and si.sizes == (7, 5, 1)
    assert o.sizes == (7, 3, 1) and o.activations == ["tanh", "tanh", "linear"]
    exported = read_networks(export)
    np.testing.assert_array_equal(si.weights[2], exported.networks[0].weights[2])
    assert not np.array_equal(o.biases[0], exported.networks[1].biases[0])
    # Another architecture, but the first layer fits.
    model = start(O__architecture="7:3:1", O__behavior="keep:new:new", mean=None, std=None)
    np.testing.assert_array_equal(model.networks[1].weights[0], exported.networks[1].weights[0])


def test_layers_come_from_files_and_are_rewritten_for_standardised_inputs(start, tmp_path):
    w, b = RNG.normal(size=(G, 4)), RNG.normal(size=4).astype(np.float32)
    np.save(tmp_path / "w.npy", w)
    np.save(tmp_path / "b.npy", b)
    keys = dict(
        Si__architecture="4:1",
        Si__layer0_w_file=tmp_path / "w.npy",
        Si__layer0_b_file=tmp_path / "b.npy",
    )
    network = start(**keys).networks[0]
    g = RNG.uniform(0, 1, (5, G))
    found = (g - MEAN[0]) / STD[0] @ network.weights[0] + network.biases[0]
    np.testing.assert_allclose(found, g @ w + b, rtol=1e-9)


WRONG = {
    "no such layer": (
        dict(Si__architecture="7:5:4:1", Si__behavior="keep:keep:new:keep"),
        "keep for layer 3 of 4x1 weights; .* has no such layer",
    ),
    "another shape": (
        dict(Si__architecture="6:1", Si__behavior="keep:new"), r"of 59x6 weights; .* has 59x7"
    ),
    "nothing to keep": (
        dict(
            DEFAULT_NETWORK__networks_metadata=None,
            DEFAULT_NETWORK__architecture="4:1",
            Si__behavior="keep:new",
        ),
        "there is no network of Si to take it from",
    ),
    "no such species": (dict(Si__networks_from="Ge"), "has networks of Si, O"),
    "no export": (dict(DEFAULT_NETWORK__networks_metadata="/nowhere"), "no such file"),
    "contradiction": (
        dict(DEFAULT_NETWORK__architecture="6:1"), "architecture = 6:1: the network Si of .* 7:5:1"
    ),
    "half a layer": (dict(Si__layer1_w_file="{w}"), "layer1_b_file: missing; a layer has both"),
    "file without use": (
        dict(Si__layer1_w_file="{w}", Si__behavior="keep:keep:keep"), "behavior of layer 1 is keep"
    ),
    "too many layers": (dict(Si__layer5_w_file="{w}"), "there are 3 layers, from 0"),
    "wrong shape of a file": (
        dict(Si__layer1_w_file="{w}", Si__layer1_b_file="{w}"),
        r"layer1_b_file = .*: float64 array of shape \(7, 5\) found",
    ),
    "no file": (
        dict(Si__layer1_w_file="/nowhere", Si__layer1_b_file="{w}"), "not a readable .npy file"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_mistakes_are_named(case, start, tmp_path):
    keys, message = WRONG[case]
    path = tmp_path / "w.npy"
    np.save(path, np.zeros((7, 5)))
    with pytest.raises(ConfigError, match=message):
        start(**{k: v.format(w=path) if v is not None else None for k, v in keys.items()})


def test_networks_of_other_descriptors_are_refused(start):
    other = SimpleNamespace(g_size=G, descriptor_hash="abc", files=["1.tfrecord"])
    with pytest.raises(ConfigError, match="those in 1.tfrecord have abc"):
        start(summary=other)
    other = SimpleNamespace(g_size=G + 1, descriptor_hash="", files=["1.tfrecord"])
    with pytest.raises(ConfigError, match=f"networks of {G} inputs"):
        start(summary=other)
