"""panna.in and its weights: both grammars, any order, and answers to damaged files."""

from __future__ import annotations

import random
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from descriptor_cases import DESCRIPTORS, bp, mbp, random_frame
from model_cases import a_model
from potential_damages import DAMAGES, PUBLISHED, damaged

from panna.descriptors.evaluate import compute, vjp
from panna.descriptors.parameters import MBP
from panna.errors import PotentialError
from panna.frames.neighbours import neighbour_list
from panna.network.evaluate import atomic_energies, energies_and_gradients
from panna.potential.compiled import open_potential, pair_gradient
from panna.potential.panna_in import read_potential, write_potential

EQUIDISTANT = mbp(
    rs_rad=tuple(0.5 + m * (4.0 / 7) for m in range(7)),
    rs_ang=tuple(0.5 + m * (3.0 / 3) for m in range(3)),
    eta_ang=(2.0,) * 3,
)
# eV: double precision sums of some hundred terms of order one, offsets of 2000 eV added.
SAME = 1e-11


def neighbours_of(parameters):
    frame = random_frame("triclinic crystal", parameters.species)
    return neighbour_list(frame, parameters.species, parameters.cutoff)


def check_readers_agree(folder: Path, filename: str = "panna.in") -> np.ndarray:
    """Energies by the Python reader; those of the core must be the same, gradients too."""
    model, parameters = read_potential(folder, filename)
    potential = open_potential(folder, filename)
    assert tuple(potential.species) == parameters.species
    assert potential.cutoff == parameters.cutoff and potential.size == parameters.size
    nl = neighbours_of(parameters)
    energies, gradients = energies_and_gradients(model, nl.species, compute(parameters, nl))
    found, pairs = pair_gradient(potential, nl, threads=1)
    np.testing.assert_allclose(found, energies, rtol=0, atol=SAME)
    np.testing.assert_allclose(pairs, vjp(parameters, nl, gradients), rtol=0, atol=SAME)
    return energies


# -- reading and writing ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", DESCRIPTORS)
@pytest.mark.parametrize("activations", [("gaussian", "tanh", "linear"), ("relu", "rbf", "tanh")])
def test_a_potential_read_back_is_the_model_that_was_written(tmp_path, name, activations):
    parameters = DESCRIPTORS[name]
    model = a_model(parameters, activations=activations, scaled=activations[0] != "rbf")
    write_potential(model, tmp_path)
    again, found = read_potential(tmp_path)
    assert found == parameters and found.hash == parameters.hash
    assert again.species == model.species
    np.testing.assert_allclose(again.offsets, model.offsets, rtol=0, atol=1e-12)
    nl = neighbours_of(parameters)
    expected = atomic_energies(model, nl.species, compute(parameters, nl))
    # Weights with the scaling folded in are rounded to float32.
    np.testing.assert_allclose(check_readers_agree(tmp_path), expected, rtol=0, atol=1e-6)


def test_large_reference_energies_lose_no_digits(tmp_path):
    """In float32 the bias of -2041.84 eV alone would be off by 1e-4 eV."""
    model = a_model(scaled=False, dtype=np.float32)
    write_potential(model, tmp_path)
    nl = neighbours_of(mbp())
    expected = atomic_energies(model, nl.species, compute(mbp(), nl))
    np.testing.assert_allclose(check_readers_agree(tmp_path), expected, rtol=0, atol=SAME)


def test_the_grammar_is_the_simplest_that_holds_the_descriptor(tmp_path):
    for parameters, first in (
        (EQUIDISTANT, "[GVECT_PARAMETERS]"),
        (replace(EQUIDISTANT, zeta=(1.0, 2.0, 4.0, 8.0, 16.0)), "!gversion = 1"),
        (replace(EQUIDISTANT, rs_ang=(0.5, 1.0, 2.5)), "!gversion = 1"),
        (bp(), "!gversion = 1"),
    ):
        write_potential(a_model(parameters), tmp_path)
        assert (tmp_path / "panna.in").read_text().splitlines()[0] == first


def test_gversion_0_has_the_keys_in_the_order_that_published_readers_need(tmp_path):
    write_potential(a_model(EQUIDISTANT), tmp_path)
    keys = [line.split("=")[0].strip() for line in (tmp_path / "panna.in").read_text().split("\n")]
    assert (
        keys[1:15]
        == (
            "Nspecies species eta_rad Rc_rad Rs0_rad Rsst_rad RsN_rad "
            "eta_ang Rc_ang Rs0_ang Rsst_ang RsN_ang zeta ThetasN"
        ).split()
    )


def test_both_grammars_give_the_same_energies(tmp_path):
    model = a_model(EQUIDISTANT)
    energies = []
    for gversion in (0, 1):
        write_potential(model, tmp_path / str(gversion), gversion=gversion)
        energies.append(check_readers_agree(tmp_path / str(gversion)))
    np.testing.assert_array_equal(*energies)


def test_gversion_0_refuses_what_it_cannot_hold(tmp_path):
    for parameters in (mbp(), bp(), replace(EQUIDISTANT, rs_ang=(0.5, 1.0, 2.5))):
        with pytest.raises(PotentialError, match="use gversion 1"):
            write_potential(a_model(parameters), tmp_path / "new", gversion=0)
        assert not (tmp_path / "new").exists()


# -- files of others -------------------------------------------------------------------------------


def published(tmp_path: Path) -> Path:
    """A copy of the published example that may be changed."""
    shutil.copytree(PUBLISHED, tmp_path / "p")
    return tmp_path / "p"


def rewrite(folder: Path, change) -> Path:
    path = folder / "panna.in"
    path.write_bytes(change(path.read_text()).encode())
    return folder


def test_the_published_example_has_the_descriptor_of_its_drivers():
    _, p = read_potential(PUBLISHED)
    assert isinstance(p, MBP) and p.species == ("H", "C", "N", "O")
    assert (p.eps, p.like_pairs, p.size, p.cutoff) == (0.01, "once", 192, 4.6)
    np.testing.assert_allclose(p.rs_rad, 0.5 + 0.5125 * np.arange(8), rtol=1e-15)
    np.testing.assert_allclose(p.rs_ang, 0.5 + 0.65 * np.arange(4), rtol=1e-15)
    np.testing.assert_allclose(p.thetas, (np.arange(4) + 0.5) * np.pi / 4, rtol=1e-15)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("gversion", [0, 1])
def test_the_order_of_keys_and_sections_does_not_matter(tmp_path, gversion, seed):
    write_potential(a_model(EQUIDISTANT), tmp_path, gversion=gversion)
    expected = check_readers_agree(tmp_path)
    text = (tmp_path / "panna.in").read_text()
    version, _, rest = text.partition("[")
    sections = ["[" + part for part in rest.split("\n[")]
    shuffled = random.Random(seed)
    shuffled.shuffle(sections)
    for k, section in enumerate(sections):
        head, *keys = section.strip().split("\n")
        shuffled.shuffle(keys)
        sections[k] = "\n".join([head if head.startswith("[") else "[" + head, *keys])
    rewrite(tmp_path, lambda _: version + "\n".join(sections).replace("[[", "["))
    np.testing.assert_array_equal(check_readers_agree(tmp_path), expected)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.rstrip("\n"),
        lambda text: text.replace(" = ", "\t=  "),
        lambda text: "# a comment\n\n" + text.replace("zeta = 8.0", "zeta = 8.0  # exponent"),
        lambda text: text.replace("Nspecies = 4\n", ""),
        lambda text: text.replace("activations = 1,0\n", ""),
        lambda text: text.replace("Rsst_rad = 0.5125\n", "").replace("Rsst_ang = 0.65\n", ""),
        lambda text: "\ufeff" + text,
    ],
    ids=[
        "CRLF", "no last newline", "tabs", "comments", "no Nspecies", "defaults", "no step", "BOM",
    ],
)  # fmt: skip
def test_harmless_differences_are_accepted(tmp_path, change):
    expected = check_readers_agree(PUBLISHED)
    found = check_readers_agree(rewrite(published(tmp_path), change))
    np.testing.assert_allclose(found, expected, rtol=0, atol=SAME)


def test_eps_is_what_the_drivers_of_the_grammar_compute_unless_given(tmp_path):
    for gversion, eps in ((0, 1e-2), (1, 1e-3)):
        folder = tmp_path / str(gversion)
        write_potential(a_model(replace(EQUIDISTANT, eps=0.5)), folder, gversion=gversion)
        assert read_potential(folder)[1].eps == 0.5
        rewrite(
            folder,
            lambda text: "\n".join(
                line for line in text.split("\n") if not line.startswith(("eps", "descriptor_hash"))
            ),
        )
        assert read_potential(folder)[1].eps == eps
        check_readers_agree(folder)


# -- damaged files ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DAMAGES)
def test_both_readers_refuse_and_say_where(tmp_path, name):
    folder, words = damaged(name, tmp_path / "p")
    for reader in (read_potential, open_potential):
        with pytest.raises(PotentialError) as caught:
            reader(folder)
        message = str(caught.value)
        assert str(folder) in message
        for word in words:
            assert word in message, message


@pytest.mark.parametrize(
    "damage, word",
    [
        (lambda data: data[:-4], "bytes"),
        (lambda data: data[:-1], "bytes"),
        (lambda data: data + b"\0\0\0\0", "bytes"),
        (lambda data: b"", "bytes"),
        (lambda data: data[:40] + np.float32(np.nan).tobytes() + data[44:], "number 11"),
        (lambda data: data[:-4] + np.float32(-np.inf).tobytes(), "finite"),
    ],
    ids=["a number short", "a byte short", "too long", "empty", "NaN", "infinite"],
)
def test_damaged_weights_are_refused(tmp_path, damage, word):
    folder = published(tmp_path)
    path = folder / "weights_C.dat"
    path.write_bytes(damage(path.read_bytes()))
    for reader in (read_potential, open_potential):
        with pytest.raises(PotentialError, match="weights_C.dat") as caught:
            reader(folder)
        assert word in str(caught.value)


def test_missing_and_binary_files(tmp_path):
    (tmp_path / "panna.in").write_bytes(b"\0\1\2[X]\n")
    (tmp_path / "empty.in").write_text("# nothing\n")
    (tmp_path / "folder.in").mkdir()
    for name in ("nothing.in", "panna.in", "empty.in", "folder.in"):
        for reader in (read_potential, open_potential):
            with pytest.raises(PotentialError, match=name):
                reader(tmp_path, name)


def test_a_network_that_is_not_finite_is_not_written(tmp_path):
    model = a_model()
    model.networks[1].weights[0][0, 0] = np.nan
    with pytest.raises(PotentialError, match="weights_O.dat"):
        write_potential(model, tmp_path)
    assert not (tmp_path / "panna.in").exists()
