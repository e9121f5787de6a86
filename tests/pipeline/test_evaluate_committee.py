"""panna_evaluate on a committee: mean, standard deviation, and what they say about the errors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from descriptor_cases import mbp
from model_cases import a_model, labelled_frames, write_examples, write_training
from scipy.stats import spearmanr

from panna.descriptors.evaluate import compute, forces_from_pairs, vjp
from panna.evaluate import main
from panna.frames.neighbours import neighbour_list
from panna.network.evaluate import energies_and_gradients
from panna.potential.panna_in import write_potential

PARAMETERS = mbp()
# The third member has come further.
MODELS = {
    "member_1": {10: a_model(seed=1), 20: a_model(seed=2)},
    "member_2": {10: a_model(seed=3), 20: a_model(seed=4)},
    "member_3": {10: a_model(seed=5), 20: a_model(seed=6), 30: a_model(seed=7)},
}
FRAMES = labelled_frames(6)
WRITTEN = 1e-10  # the files have ten decimals
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def work(tmp_path, monkeypatch) -> Path:
    for name, models in MODELS.items():
        write_training(tmp_path / "train" / name, models, best=10)
    write_examples(tmp_path / "examples", FRAMES)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(options: str = "", io: str = "train_dir = train", forces: bool = True, plots=False) -> int:
    Path("evaluate.ini").write_text(
        "[IO_INFORMATION]\ndata_dir = examples\nexample_format = examples\neval_dir = eval\n"
        f"{io}\n[VALIDATION_OPTIONS]\ncompute_forces = {forces}\nplots = {plots}\n{options}\n"
    )
    return main(["--config", "evaluate.ini"])


def numbers(path: str) -> tuple[str, np.ndarray]:
    """Header and numbers without names of a file of results."""
    lines = Path(path).read_text().splitlines()
    return lines[0], np.array([line.split(" ")[1:] for line in lines[1:]], float)


def by_hand(models) -> tuple[np.ndarray, np.ndarray]:
    """Energies (M, F) and forces (M, N, 3) of some models, one frame at a time."""
    energies, forces = [], []
    for model in models:
        of_frames = []
        for frame in FRAMES:
            nl = neighbour_list(frame, PARAMETERS.species, PARAMETERS.cutoff)
            e, g = energies_and_gradients(model, nl.species, compute(PARAMETERS, nl))
            of_frames.append((e.sum(), forces_from_pairs(nl, vjp(PARAMETERS, nl, g))))
        energies.append([e for e, _ in of_frames])
        forces.append(np.concatenate([f for _, f in of_frames]))
    return np.array(energies), np.array(forces)


def test_mean_and_standard_deviation_are_those_of_the_members(work, capsys):
    assert run("step_number = 20") == 0
    energies, forces = by_hand([models[20] for models in MODELS.values()])
    mean, mean_forces = energies.sum(0) / 3, forces.sum(0) / 3
    std = np.sqrt(((energies - mean) ** 2).sum(0) / 2)
    force_std = np.sqrt(((forces - mean_forces) ** 2).sum(0) / 2)
    n = np.array([frame.n_atoms for frame in FRAMES])

    np.testing.assert_allclose(numbers("eval/20.dat")[1][:, 2], mean, atol=WRITTEN)
    np.testing.assert_allclose(numbers("eval/20_forces.dat")[1][:, 1:4], mean_forces, atol=WRITTEN)
    header, found = numbers("eval/20_std.dat")
    assert header == "#filename n_atoms e_std"
    np.testing.assert_allclose(found, np.stack([n, std], 1), atol=WRITTEN)
    header, found = numbers("eval/20_forces_std.dat")
    assert header == "#filename atom_id fx_std fy_std fz_std"
    np.testing.assert_allclose(found[:, 1:], force_std, atol=WRITTEN)
    for k, name in enumerate(MODELS):
        np.testing.assert_allclose(
            numbers(f"eval/{name}/20.dat")[1][:, 2], energies[k], atol=WRITTEN
        )

    summary = json.loads(Path("eval/summary.json").read_text())
    assert [entry["member"] for entry in summary["networks"]] == list(MODELS)
    assert summary["networks"][0]["files"][0] == "member_1/20.dat"
    (entry,) = summary["committees"]
    assert entry["committee"] == "mean of 3 members, step 20" and entry["source"] == "train"
    error = (mean - [frame.energy for frame in FRAMES]) / n
    assert entry["energy"]["rmse_meV_per_atom"] == pytest.approx(1e3 * np.sqrt(np.mean(error**2)))
    of_energy, of_forces = entry["spread"]["energy"], entry["spread"]["forces"]
    ratio = np.sqrt(np.mean(error**2) / np.mean((std / n) ** 2))
    assert of_energy["error_over_spread"] == pytest.approx(ratio)
    rank = spearmanr(np.abs(error), std / n).statistic
    assert of_energy["spearman"] == pytest.approx(rank)
    force_error = mean_forces - np.concatenate([frame.forces for frame in FRAMES])
    rank = spearmanr(np.abs(force_error).ravel(), force_std.ravel()).statistic
    assert of_forces["spearman"] == pytest.approx(rank)
    assert of_forces["spread_rms_eV_per_angstrom"] == pytest.approx(np.sqrt(np.mean(force_std**2)))
    frame = np.repeat(np.arange(len(n)), n)
    of_frame = [np.sqrt(np.mean(force_std[frame == k] ** 2)) for k in range(len(n))]
    order = np.argsort(of_frame)[::-1][:5]
    largest = entry["spread"]["largest"]
    assert [one["structure"] for one in largest] == [FRAMES[k].name for k in order]
    assert largest[0]["force_std_eV_per_angstrom"] == pytest.approx(max(of_frame))

    out = capsys.readouterr().out
    assert "mean of 3 members, step 20" in out and "member_3, step 20" in out
    screen = out[out.index("Largest spread") :].splitlines()
    assert screen[3].split() == [
        FRAMES[order[0]].name,
        f"{1e3 * (std / n)[order[0]]:.2f}",
        f"{max(of_frame):.4f}",
    ]


@pytest.mark.parametrize(
    "options, labels",
    [
        ("", ["10", "20"]),  # steps that all members have
        ("single_step = True", ["20"]),
        ("step_number = best, -1", ["best", "last"]),
    ],
)
def test_steps_are_those_of_all_members(work, options, labels):
    assert run(options, forces=False) == 0
    summary = json.loads(Path("eval/summary.json").read_text())
    assert [entry["label"] for entry in summary["committees"]] == labels
    assert len(summary["networks"]) == 3 * len(labels)
    if "last" in labels:
        steps = [entry["step"] for entry in summary["networks"] if entry["label"] == "last"]
        assert steps == [20, 20, 30]
        energies, _ = by_hand(
            [MODELS["member_1"][20], MODELS["member_2"][20], MODELS["member_3"][30]]
        )
        np.testing.assert_allclose(
            numbers("eval/last.dat")[1][:, 2], energies.mean(0), atol=WRITTEN
        )


def test_plots_of_the_mean_the_members_and_the_spread(work):
    assert run("step_number = 20", plots=True) == 0
    for name in ("20_energies", "20_forces", "20_spread", "member_2/20_energies"):
        assert Path(f"eval/{name}.png").read_bytes()[:8] == PNG


def test_a_folder_of_potentials_is_a_committee(work):
    for name, models in MODELS.items():
        write_potential(models[20], work / "potentials" / name)
    assert run("", "networks_format = LAMMPS\nnetworks_folder = potentials") == 0
    energies, forces = by_hand([models[20] for models in MODELS.values()])
    # Weights of a potential are rounded to float32.
    np.testing.assert_allclose(numbers("eval/energies.dat")[1][:, 2], energies.mean(0), atol=1e-4)
    found = numbers("eval/forces_std.dat")[1][:, 1:]
    np.testing.assert_allclose(found, forces.std(0, ddof=1), atol=1e-4)
    assert Path("eval/member_1/energies.dat").exists()
    (entry,) = json.loads(Path("eval/summary.json").read_text())["committees"]
    assert entry["committee"] == "mean of 3 members" and entry["source"] == "potentials"


def test_members_that_do_not_fit_each_other_are_refused(work, capsys):
    other = a_model(mbp(species=("Si", "O", "C")))
    write_training(work / "train" / "member_4", {20: other})
    assert run("step_number = 20") == 2
    assert "different species or descriptors" in capsys.readouterr().err
    (work / "train/member_4/checkpoints/step_20.npz").unlink()
    assert run() == 2
    assert "member_4/checkpoints: no checkpoints" in capsys.readouterr().err
    write_training(work / "train" / "member_4", {40: a_model()})
    assert run() == 2
    assert "no step of which all members have a checkpoint" in capsys.readouterr().err
    assert not Path("eval").exists()
