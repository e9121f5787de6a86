"""panna_weights_exchange: what moves with a network, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
from descriptor_cases import DESCRIPTORS, mbp, random_frame
from model_cases import a_model, random_potential, write_training

from panna.descriptors.evaluate import compute
from panna.errors import TrainingError
from panna.frames.neighbours import neighbour_list
from panna.network.evaluate import atomic_energies
from panna.network.ranges import Ranges
from panna.potential.agreement import ROUNDING
from panna.potential.compiled import evaluate_frame, open_potential
from panna.potential.exchange import Take, component_order, exchange
from panna.potential.panna_in import read_potential, write_potential
from panna.potential.panna_networks import read_networks, write_networks
from panna.tools.weights_exchange import main

SPECIES = ("Si", "O", "H")
RNG = np.random.default_rng(5)
G = RNG.uniform(0, 1, (40, mbp().size))
EXACT = dict(rtol=0, atol=1e-12)


def energies(model, symbol, descriptors=G, reference=False):
    """Of atoms of one species, without the reference energy unless it is asked for."""
    s = model.species.index(symbol)
    found = atomic_energies(model, np.full(len(descriptors), s), descriptors)
    return found if reference else found - model.offsets[s]


def with_ranges(model, seed=0):
    low = np.random.default_rng(seed).uniform(0, 0.2, (len(model.species), model.g_size))
    return replace(model, ranges=Ranges(low, low + 0.5))


# -- within a model --------------------------------------------------------------------------------


@pytest.mark.parametrize("scaled", [True, False])
def test_an_atom_of_the_target_has_the_energy_of_one_of_the_source(scaled):
    model = a_model(scaled=scaled)
    found = exchange(model, [Take("Si", "O")])
    np.testing.assert_allclose(energies(found, "O"), energies(model, "Si"), **EXACT)
    assert np.abs(energies(model, "O") - energies(model, "Si")).max() > 0.1
    for symbol in ("Si", "H"):
        np.testing.assert_array_equal(energies(found, symbol), energies(model, symbol))
    np.testing.assert_array_equal(found.offsets, model.offsets)


def test_the_weights_alone_would_not_do():
    """With the scaling of the target the same weights are another function of the descriptor."""
    model = a_model()
    wrong = replace(model, networks=[model.networks[0], *model.networks[:1], model.networks[2]])
    assert np.abs(energies(wrong, "O") - energies(model, "Si")).max() > 0.1


def test_two_species_can_be_swapped():
    model = a_model()
    found = exchange(model, [Take("Si", "O"), Take("O", "Si")])
    np.testing.assert_allclose(energies(found, "O"), energies(model, "Si"), **EXACT)
    np.testing.assert_allclose(energies(found, "Si"), energies(model, "O"), **EXACT)


def test_reference_energies_stay_with_their_element_unless_told_otherwise():
    model, other = a_model(), a_model(seed=1)
    other.offsets += 7
    takes = [Take("O", "O"), Take("Si", "H")]
    auto = exchange(model, takes, other)
    assert auto.offsets.tolist() == [model.offsets[0], other.offsets[1], model.offsets[2]]
    assert (exchange(model, takes, other, None, "keep").offsets == model.offsets).all()
    taken = exchange(model, takes, other, None, "take")
    assert taken.offsets.tolist() == [model.offsets[0], other.offsets[1], other.offsets[0]]
    np.testing.assert_allclose(
        energies(taken, "H", reference=True), energies(other, "Si", reference=True), **EXACT
    )


def test_the_first_layer_keeps_its_function_and_the_others_stay():
    model = a_model()
    found = exchange(model, [Take("Si", "O")], layers=[0])
    # What the first layer of Si gives, through the other layers of O.
    expected = replace(
        model.networks[1],
        weights=[model.networks[0].weights[0], *model.networks[1].weights[1:]],
        biases=[model.networks[0].biases[0], *model.networks[1].biases[1:]],
    )
    as_si = replace(model, networks=[expected, *model.networks[1:]])
    np.testing.assert_allclose(energies(found, "O"), energies(as_si, "Si"), **EXACT)


def test_later_layers_leave_the_scaling_alone():
    model = with_ranges(a_model())
    found = exchange(model, [Take("Si", "O")], layers=[1, 2])
    for name in ("scale_mean", "scale_std"):
        np.testing.assert_array_equal(getattr(found, name), getattr(model, name))
    np.testing.assert_array_equal(found.ranges.lowest, model.ranges.lowest)
    np.testing.assert_array_equal(found.networks[1].weights[0], model.networks[1].weights[0])
    np.testing.assert_array_equal(found.networks[1].weights[2], model.networks[0].weights[2])


def test_the_range_of_the_training_set_goes_with_the_first_layer():
    model, other = with_ranges(a_model(), 1), with_ranges(a_model(seed=1), 2)
    found = exchange(model, [Take("Si", "O")], other).ranges
    np.testing.assert_array_equal(found.lowest[1], other.ranges.lowest[0])
    np.testing.assert_array_equal(found.lowest[0], model.ranges.lowest[0])
    unknown = exchange(model, [Take("Si", "O")], replace(other, ranges=None)).ranges
    assert unknown.known.tolist() == [True, False, True]


def test_nothing_given_is_changed():
    model, other = with_ranges(a_model()), with_ranges(a_model(seed=3))
    before = {**model.to_arrays("a/"), **other.to_arrays("b/")}
    exchange(model, [Take("Si", "O"), Take("H", "Si")], other, reference_energies="take")
    after = {**model.to_arrays("a/"), **other.to_arrays("b/")}
    assert all(np.array_equal(before[name], after[name]) for name in before)


# -- between models --------------------------------------------------------------------------------


@pytest.mark.parametrize("mine, theirs", [(True, True), (True, False), (False, True)])
def test_models_with_and_without_scaling_exchange_networks(mine, theirs):
    model, other = a_model(scaled=mine), a_model(scaled=theirs, seed=4)
    found = exchange(model, [Take("H", "O")], other)
    np.testing.assert_allclose(energies(found, "O"), energies(other, "H"), **EXACT)
    np.testing.assert_allclose(energies(found, "Si"), energies(model, "Si"), **EXACT)


def test_a_whole_network_may_have_another_architecture():
    model, other = a_model(), a_model(sizes=(4, 1), activations=("tanh", "linear"), seed=4)
    found = exchange(model, [Take("H", "O")], other)
    np.testing.assert_allclose(energies(found, "O"), energies(other, "H"), **EXACT)
    assert found.networks[1].activations == ["tanh", "linear"]


@pytest.mark.parametrize("kind", DESCRIPTORS)
def test_the_order_of_components_follows_from_the_order_of_species(kind):
    mine = DESCRIPTORS[kind]
    if len(mine.species) == 1:
        mine = replace(mine, species=SPECIES)
    theirs = replace(mine, species=("H", "Si", "O"))
    frame = random_frame("triclinic crystal", SPECIES, seed=3)
    g_mine, g_theirs = (
        compute(p, neighbour_list(frame, p.species, p.cutoff)) for p in (mine, theirs)
    )
    np.testing.assert_allclose(g_theirs[:, component_order(theirs, mine)], g_mine, atol=1e-12)
    assert np.abs(g_theirs - g_mine).max() > 0.1


def test_a_model_with_another_order_of_species():
    """The same atom has the same energy, although its descriptor is written in another order."""
    mine, theirs = mbp(), mbp(species=("H", "Si", "O"))
    model, other = a_model(mine), with_ranges(a_model(theirs, seed=4))
    found = exchange(model, [Take("O", "O")], other)
    frame = random_frame("triclinic crystal", SPECIES, seed=3)
    oxygen = np.array(frame.species) == "O"
    results = []
    for one, parameters in ((found, mine), (other, theirs)):
        neighbours = neighbour_list(frame, parameters.species, parameters.cutoff)
        g = compute(parameters, neighbours)
        atoms = atomic_energies(one, neighbours.species, g)[oxygen]
        results.append((atoms, one.ranges.outside(neighbours.species, g)[oxygen]))
    np.testing.assert_allclose(results[0][0], results[1][0], atol=1e-11)
    assert (results[0][1] == results[1][1]).all() and results[0][1].any()


REFUSED = {
    "another descriptor": (dict(other=mbp(zeta=4.0)), "zeta = 4.0 .* found, 8.0 .* expected"),
    "another size": (dict(other=mbp(angles=4)), "different descriptors"),
    "other species": (dict(other=mbp(species=("Si", "O", "Ge"))), "Si, O, Ge .* Si, O, H"),
    "fewer species": (dict(other=mbp(species=("Si", "O"))), "mean different neighbours"),
    "no such source": (dict(takes=[Take("C", "O")]), "C:O: no network of C; .* Si, O, H"),
    "no such target": (dict(takes=[Take("O", "C")]), "O:C: no network of C"),
    "one target twice": (dict(takes=[Take("O", "H"), Take("Si", "H")]), "H is a target more than"),
    "nothing to do": (dict(takes=[Take("O", "O")]), "changes nothing within one model"),
    "no such layer": (dict(layers=[3]), "layer 3: the network of Si has the layers 0 to 2"),
    "other sizes": (
        dict(sizes=(6, 5, 1), layers=[0]),
        "layer 0: 111x6 weights found, 111x7 expected",
    ),
    "other width of a later layer": (dict(sizes=(7, 4, 1), layers=[0, 2]), "layer 2: 4x1 weights"),
    "other activations": (
        dict(activations=("gaussian", "tanh", "linear"), layers=[1]),
        "layer 1: activation tanh found, gaussian expected",
    ),
    "radial basis, scaled": (
        dict(activations=("rbf", "tanh", "linear"), scaled=False),
        "radial-basis first layer",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused(case):
    given, reason = REFUSED[case]
    given = dict(given)
    takes, layers = given.pop("takes", [Take("Si", "O")]), given.pop("layers", None)
    other = a_model(given.pop("other", None), seed=2, **given) if given else None
    with pytest.raises(TrainingError, match=reason):
        exchange(a_model(), takes, other, layers)


def test_models_of_unknown_descriptors_must_look_alike():
    model = a_model()
    bare = replace(a_model(seed=2), descriptor=None, descriptor_hash="")
    found = exchange(model, [Take("Si", "O")], bare)
    np.testing.assert_allclose(energies(found, "O"), energies(bare, "Si"), **EXACT)
    turned = replace(bare, species=("O", "Si", "H"))
    with pytest.raises(TrainingError, match="does not know the parameters of its descriptor"):
        exchange(model, [Take("Si", "O")], turned)


# -- the program -----------------------------------------------------------------------------------


@pytest.fixture
def trained(tmp_path):
    models = {10: a_model(seed=1), 20: with_ranges(a_model(seed=2))}
    return write_training(tmp_path / "train", models, best=10), models


def run(capsys, *arguments):
    capsys.readouterr()
    code = main([str(argument) for argument in arguments])
    written = capsys.readouterr()
    return code, written.out + written.err


def test_from_a_training_to_networks_that_panna_train_reads(trained, tmp_path, capsys):
    folder, models = trained
    code, said = run(capsys, "-i", folder, "-o", tmp_path / "out", "--take", "Si:O", "O:H")
    assert code == 0
    found = read_networks(tmp_path / "out")
    np.testing.assert_allclose(energies(found, "O"), energies(models[20], "Si"), atol=ROUNDING)
    np.testing.assert_allclose(energies(found, "H"), energies(models[20], "O"), atol=ROUNDING)
    assert (found.offsets == models[20].offsets).all()
    for text in ("Si -> O", "whole network", "reference energy -2041.841235 eV (kept)", "checked"):
        assert text in said
    assert f"networks_metadata = {tmp_path / 'out'}" in said


def test_from_a_training_to_a_potential_in_the_compiled_core(trained, tmp_path, capsys):
    folder, models = trained
    out = tmp_path / "out"
    arguments = ("-i", folder, "-o", out, "--format", "potential", "--take", "Si:O")
    code, said = run(capsys, *arguments)
    assert code == 0 and "pair_coeff" in said
    model, parameters = read_potential(out)
    np.testing.assert_allclose(energies(model, "O"), energies(models[20], "Si"), atol=ROUNDING)
    np.testing.assert_allclose(model.ranges.lowest[1], models[20].ranges.lowest[0], rtol=1e-6)
    frame = random_frame("triclinic crystal", SPECIES, seed=3)
    neighbours = neighbour_list(frame, SPECIES, parameters.cutoff)
    expected = atomic_energies(
        exchange(models[20], [Take("Si", "O")]), neighbours.species, compute(parameters, neighbours)
    )
    found = evaluate_frame(open_potential(out), frame).atomic_energies
    np.testing.assert_allclose(found, expected, atol=ROUNDING)


@pytest.mark.parametrize("kind", ["checkpoint", "step", "best", "networks", "potential", "file"])
def test_every_form_of_a_model_is_read(kind, trained, tmp_path, capsys):
    folder, models = trained
    given, step, model = tmp_path / "given", [], models[20]
    if kind == "checkpoint":
        given = folder / "checkpoints" / "step_20.npz"
    elif kind in ("step", "best"):
        given, step, model = folder, ["--step", "best" if kind == "best" else "10"], models[10]
    elif kind == "networks":
        write_networks(model, given)
    else:
        name = "my.in" if kind == "file" else "panna.in"
        write_potential(model, given, name)
        given = given / name if kind == "file" else given
    out = tmp_path / "out"
    code, _ = run(capsys, "-i", given, "-o", out, "--take", "Si:H", *step)
    assert code == 0
    np.testing.assert_allclose(
        energies(read_networks(out), "H"), energies(model, "Si"), atol=ROUNDING
    )


def test_layers_from_another_model(trained, tmp_path, capsys):
    folder, models = trained
    other = random_potential(tmp_path / "potential", mbp(), seed=3)
    out = tmp_path / "out"
    arguments = ("-i", folder, "--from", other, "-o", out, "--take", "Si:O", "--layers", "0")
    code, said = run(capsys, *arguments)
    assert code == 2 and "layer 0: 111x9 weights found, 111x7 expected" in said
    assert not out.exists()
    other = write_training(tmp_path / "other", {5: a_model(seed=8)})
    arguments = ("-i", folder, "--from", other, "-o", out, "--take", "Si:O", "--layers", "0,1")
    code, said = run(capsys, *arguments)
    assert code == 0 and "layers 0, 1" in said
    expected = exchange(models[20], [Take("Si", "O")], a_model(seed=8), [0, 1])
    np.testing.assert_allclose(
        energies(read_networks(out), "O"), energies(expected, "O"), atol=ROUNDING
    )


def test_a_potential_without_stated_reference_energies_is_noted(tmp_path, capsys):
    folder = random_potential(tmp_path / "potential", mbp(), seed=3)
    text = (folder / "panna.in").read_text()
    lines = [line for line in text.splitlines() if not line.startswith("offset")]
    (folder / "panna.in").write_text("\n".join(lines) + "\n")
    code, said = run(capsys, "-i", folder, "-o", tmp_path / "out", "--take", "Si:O")
    assert code == 0 and "states no reference energies" in said


def test_the_same_command_gives_the_same_files(trained, tmp_path, capsys):
    contents = []
    for _ in range(2):
        assert run(capsys, "-i", trained[0], "-o", tmp_path / "out", "--take", "Si:O")[0] == 0
        contents.append({path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()})
    assert contents[0] == contents[1]


BAD_INPUT = {
    "nothing there": (lambda folder: folder / "absent", "no such file or folder; expected a"),
    "an empty folder": (lambda folder: _folder(folder / "empty"), "holds no network; expected a"),
    "a committee": (lambda folder: _committee(folder), "a committee of member_1; name one"),
    "binary junk": (lambda folder: _junk(folder / "x.npz"), "damaged or not a checkpoint"),
    "text junk": (lambda folder: _junk(folder / "panna.in"), "panna.in"),
    "a checkpoint cut short": (lambda folder: _cut(folder), "damaged or not a checkpoint"),
    "of published PANNA": (lambda folder: _published(folder), "TensorFlow checkpoints of PANNA v1"),
    "no such step": (lambda folder: folder / "train", "no checkpoint of step 15; there are 10, 20"),
    "not a number in a weight": (lambda folder: _nan(folder), "not all weights are finite"),
}


def _folder(path):
    path.mkdir(parents=True)
    return path


def _committee(folder):
    write_training(folder / "committee" / "member_1", {1: a_model()})
    return folder / "committee"


def _junk(path):
    path.write_bytes(bytes(range(256)))
    return path


def _cut(folder):
    path = folder / "train" / "checkpoints" / "step_20.npz"
    path.write_bytes(path.read_bytes()[:3000])
    return path


def _published(folder):
    (_folder(folder / "old") / "model.ckpt-100.index").touch()
    return folder / "old"


def _nan(folder):
    model = a_model()
    model.networks[0].weights[1][0, 0] = np.nan
    return write_training(folder / "nan", {15: model})


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_ends_with_a_message_and_without_output(case, trained, tmp_path, capsys):
    make, reason = BAD_INPUT[case]
    out = tmp_path / "result" / "out"
    step = ["--step", "15"] if case in ("no such step", "not a number in a weight") else []
    code, said = run(capsys, "-i", make(tmp_path), "-o", out, "--take", "Si:O", *step)
    assert code == 2 and reason in said and "Traceback" not in said
    assert not out.exists() and not list((tmp_path / "result").glob("*"))


def test_what_lies_in_the_folder_is_not_replaced(trained, tmp_path, capsys):
    out = _folder(tmp_path / "out")
    (out / "thesis.tex").write_text("years of work")
    code, said = run(capsys, "-i", trained[0], "-o", out, "--take", "Si:O")
    assert code == 2 and "thesis.tex" in said
    assert [path.name for path in out.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(
    "arguments, reason",
    [
        (["--take", "SiO"], "SOURCE:TARGET expected"),
        (["--take", "Si:"], "SOURCE:TARGET expected"),
        (["--take", "Si:O:H"], "SOURCE:TARGET expected"),
        (["--take", "Si:O", "--layers", "0,0"], "different numbers from 0"),
        (["--take", "Si:O", "--layers", "-1"], "expected"),
        (["--take", "Si:O", "--layers", "0,"], "different numbers from 0"),
        (["--take", "Si:O", "--step", "first"], "a step, last or best expected"),
        ([], "--take"),
    ],
)
def test_wrong_arguments(arguments, reason, capsys):
    with pytest.raises(SystemExit) as error:
        main(["-i", "a", "-o", "b", *arguments])
    assert error.value.code == 2 and reason in capsys.readouterr().err


def test_a_training_that_starts_from_the_result(trained, tmp_path, capsys):
    """After one step with a tiny learning rate the networks are still those that were copied."""
    pytest.importorskip("tensorflow")
    from training_cases import TWO_SPECIES, records, write_data, write_ini

    from panna import train
    from panna.training.checkpoints import checkpoint_path, read_checkpoint

    model = a_model(TWO_SPECIES, sizes=(6, 4, 1))
    source = write_training(tmp_path / "source", {1: model})
    code, _ = run(capsys, "-i", source, "-o", tmp_path / "start", "--take", "Si:O")
    assert code == 0
    data = write_data(tmp_path / "data", records(TWO_SPECIES, 4))
    ini = write_ini(
        tmp_path / "train.ini",
        data,
        DEFAULT_NETWORK__networks_metadata=tmp_path / "start",
        DEFAULT_NETWORK__architecture=None,
        TRAINING_PARAMETERS__learning_rate="1e-12",
        TRAINING_PARAMETERS__max_epochs=None,
        TRAINING_PARAMETERS__max_steps="1",
        TRAINING_PARAMETERS__forces_cost="0",
    )
    assert train.main(["-c", str(ini)]) == 0
    found = read_checkpoint(checkpoint_path(tmp_path / "run")).model
    assert found.scale_mean is not None
    g = np.random.default_rng(0).normal(found.scale_mean[0], found.scale_std[0], (20, found.g_size))
    for symbol in ("Si", "O"):
        np.testing.assert_allclose(
            energies(found, symbol, g), energies(model, "Si", g), atol=2e-5, rtol=2e-5
        )
    assert (found.offsets == model.offsets).all()
