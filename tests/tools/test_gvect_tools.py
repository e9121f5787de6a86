"""panna_gvect_param_check, panna_gvect_writer, panna_gvect_suggest: what they print and write."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tool_runs import crystal, examples, is_picture, run, water_molecule

from panna import gvect_calculator
from panna.config.gvect import GVECT
from panna.config.reader import read_config
from panna.descriptors.components import components
from panna.descriptors.configured import parameters_from
from panna.descriptors.evaluate import compute
from panna.frames.example_file import read_example
from panna.frames.neighbours import neighbour_list
from panna.insight.curves import curves
from panna.insight.resolution import warnings
from panna.storage.bin_file import read_bin, write_bin
from panna.tools import exyz_parser, gvect_param_check, gvect_suggest, gvect_writer

ROOT = Path(__file__).parents[2]
QUICKSTART = ROOT / "examples" / "quickstart"
TOOLS = ("gvect_param_check", "gvect_writer", "gvect_suggest")

INI = """
[IO_INFORMATION]
input_json_dir = {examples}
output_gvect_dir = {bin}
log_dir = {bin}
[SYMMETRY_FUNCTION]
type = mBP
species = H, O
[GVECT_PARAMETERS]
eta_rad = 16
Rc_rad = 3
Rs0_rad = 0.8
RsN_rad = 8
eta_ang = 5
Rc_ang = 3
Rs0_ang = 0.8
RsN_ang = 3
zeta = 16
ThetasN = 6
"""
INI_BP = INI.split("[SYM")[0] + """[SYMMETRY_FUNCTION]
type = BP
species = H, O
[GVECT_PARAMETERS]
eta_rad = 0.1, 1, 4
Rc_rad = 3
RsN_rad = 1
zeta = 1, 4
"""  # fmt: skip


@pytest.fixture
def water(tmp_path):
    """Examples of water and an ini file for them."""
    folder = examples(tmp_path / "water", map(water_molecule, range(12)))
    ini = tmp_path / "gvect.ini"
    ini.write_text(INI.format(examples=folder, bin=tmp_path / "bin"))
    return ini


@pytest.fixture
def bins(water, tmp_path, capsys):
    """Their .bin files."""
    assert gvect_calculator.main(["--config", str(water)]) == 0
    return tmp_path / "bin"


# -- gvect_param_check -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("descriptor", "kind"),
    [(INI, ".png"), (INI, ".pdf"), (INI, ".svg"), (INI_BP, ".png")],
    ids=["mBP png", "mBP pdf", "mBP svg", "BP png"],
)
def test_the_picture_and_the_numbers(water, tmp_path, capsys, kind, descriptor):
    water.write_text(descriptor.format(examples=tmp_path / "water", bin="bin"))
    picture = tmp_path / f"a{kind}"
    said = run(
        gvect_param_check.main, capsys, "--config", water, "--data", tmp_path / "water",
        "-o", picture,
    )  # fmt: skip
    assert said.code == 0 and said.err == "" and is_picture(picture)
    assert "water, all 12 frames" in said.out and "written: " in said.out
    row = next(line for line in said.out.splitlines() if line.startswith("radial   "))
    assert row.split()[1] == ("8" if descriptor is INI else "3")
    # The same input gives the same file.
    again = tmp_path / f"b{kind}"
    run(gvect_param_check.main, capsys, "-c", water, "--data", tmp_path / "water", "-o", again)
    assert again.read_bytes() == picture.read_bytes()


def test_what_is_behind_the_curves(water, tmp_path):
    """One row for each species; O has its angle H-O-H at 104.5 degrees, H has that at H-H-O."""
    from panna.insight.geometry import Geometry
    from panna.insight.resolution_plot import histograms

    p = parameters_from(read_config(water, GVECT))
    seen = Geometry.within(p.species, p.rc_rad, p.rc_ang, 0)
    for path in sorted((tmp_path / "water").glob("*.example")):
        seen.add(read_example(path))
    distances, angles, radii = histograms(seen, "O")
    assert [name for name, _ in distances] == ["O–H"]
    assert [name for name, _ in angles] == [name for name, _ in radii] == ["H–O–H"]

    def mean(histogram):
        return np.average(histogram.centres, weights=histogram.counts)

    assert mean(distances[0][1]) == pytest.approx(0.96, abs=0.03)
    assert np.degrees(mean(angles[0][1])) == pytest.approx(104.5, abs=3)
    assert mean(radii[0][1]) == pytest.approx(0.96, abs=0.03)
    _, angles, _ = histograms(seen, "H")
    assert [name for name, _ in angles] == ["H–H–O"]
    assert np.degrees(mean(angles[0][1])) == pytest.approx((180 - 104.5) / 2, abs=3)


def test_without_data(water, tmp_path, capsys):
    said = run(gvect_param_check.main, capsys, "--config", water, "-o", tmp_path / "a.png")
    assert said.code == 0 and is_picture(tmp_path / "a.png")
    assert "not covered" in said.out and "shortest distance" not in said.out


@pytest.mark.parametrize("name", ["quickstart", "accuracy/alloy", "accuracy/water"])
def test_the_examples_of_this_repository_give_no_warning(name):
    ini = ROOT / "examples" / name / "gvect.ini"
    assert warnings(curves(parameters_from(read_config(ini, GVECT)))) == []


def test_bad_frames_are_named_and_left_out(water, tmp_path, capsys):
    folder = tmp_path / "water"
    (folder / "cut.example").write_text((folder / "water3.example").read_text()[:100])
    (folder / "binary.example").write_bytes(b"\x00\xff" * 50)
    examples(folder, [crystal("fcc", 3.6, 1)])
    twice = water_molecule(50)
    positions = np.array(twice.positions)
    positions[1] = positions[0]
    examples(folder, [replace(twice, positions=positions, name="twice")])
    picture = tmp_path / "a.png"
    said = run(gvect_param_check.main, capsys, "-c", water, "--data", folder, "-o", picture)
    assert said.code == 2 and is_picture(picture)
    for name, reason in {
        "cut": "not valid JSON",
        "binary": "not UTF-8 text",
        "fcc0": "contains Cu, but the species are H, O",
        "twice": "coincides",
    }.items():
        assert re.search(rf"left out: .*{name}\.example: .*{reason}", said.out)
    assert "4 frames left out" in said.out


CHECK_REFUSED = {
    "no such ini": (["-c", "no.ini", "-o", "a.png"], "no.ini: no such file"),
    "ending": (["-c", "gvect.ini", "-o", "a.jpg"], "a.jpg: a picture ends in .png, .pdf, .svg"),
    "folder": (["-c", "gvect.ini", "-o", "no/a.png"], "there is no folder no; create it"),
    "is a folder": (["-c", "gvect.ini", "-o", "dir.png"], "dir.png: is a folder"),
    "no data": (["-c", "gvect.ini", "-o", "a.png", "--data", "no"], "no: no such folder"),
    "empty data": (["-c", "gvect.ini", "-o", "a.png", "--data", "dir.png"], "no *.example file"),
    "other data": (["-c", "gvect.ini", "-o", "a.png", "--data", "cu"], "none of its frames can"),
    "frames": (["-c", "gvect.ini", "-o", "a.png", "--frames", "0"], "not a positive integer"),
    "seed": (["-c", "gvect.ini", "-o", "a.png", "--seed", "x"], "not an integer of 0 or more"),
    "broken ini": (["-c", "broken.ini", "-o", "a.png"], "expected a number above 0"),
    "binary ini": (["-c", "binary.ini", "-o", "a.png"], "is not UTF-8 text"),
}


@pytest.mark.parametrize("case", CHECK_REFUSED)
def test_wrong_calls_of_param_check(water, tmp_path, capsys, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    Path("dir.png").mkdir()
    Path("broken.ini").write_text(INI.replace("Rc_rad = 3", "Rc_rad = nan"))
    Path("binary.ini").write_bytes(b"\xff\xfe\x00")
    examples(tmp_path / "cu", [crystal("fcc", 3.6, 1)])
    arguments, message = CHECK_REFUSED[case]
    said = run(gvect_param_check.main, capsys, *arguments)
    assert said.code == 2 and message in said.err and "Traceback" not in said.err
    assert not Path("a.png").exists() and not list(tmp_path.glob(".*.tmp"))


# -- gvect_writer ----------------------------------------------------------------------------------


def rows(path):
    head, *lines = path.read_text().splitlines()
    titles = head.removeprefix("# ").split()
    return [dict(zip(titles, line.split(), strict=True)) for line in lines]


def test_averages_are_those_of_numpy(water, bins, tmp_path, capsys):
    out, plot = tmp_path / "average.dat", tmp_path / "average.png"
    said = run(gvect_writer.main, capsys, "-i", bins, "-o", out, "--plot", plot)
    assert said.code == 0 and said.err == "" and is_picture(plot)
    records = [read_bin(path) for path in sorted(bins.glob("*.bin"))]
    species = np.concatenate([r.species for r in records])
    g = np.concatenate([r.descriptors for r in records]).astype(float)
    named = components(parameters_from(read_config(water, GVECT)))
    found = rows(out)
    assert len(found) == 2 * len(named) and len(records) == 12
    for number, row in enumerate(found):
        kind, component = divmod(number, len(named))
        values = g[species == kind][:, component]
        one = named[component]
        assert row["species"] == "HO"[kind] and int(row["atoms"]) == (24, 12)[kind]
        assert int(row["component"]) == component + 1 and row["kind"] == one.kind
        assert row["neighbours"] == "-".join(one.neighbours)
        assert float(row["r_angstrom"]) == pytest.approx(one.r_s, rel=1e-7)
        if one.theta is not None:
            assert float(row["theta_degrees"]) == pytest.approx(np.degrees(one.theta), rel=1e-7)
        for title, expected in (
            ("mean", values.mean()), ("std", values.std()),
            ("min", values.min()), ("max", values.max()),
        ):  # fmt: skip
            assert float(row[title]) == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_dead_components_are_named(bins, tmp_path, capsys):
    """One oxygen atom to a molecule: O sees no O, and no pair with O in it."""
    out = tmp_path / "a.dat"
    said = run(gvect_writer.main, capsys, "-i", bins, "-o", out)
    assert re.search(r"warning: O: \d+ components of 70 constant", said.out)
    assert "(radial O r 0.8 eta 16) = 0" in said.out
    constant = {
        (r["species"], r["neighbours"]) for r in rows(out) if r["state"] == "constant"
    }  # fmt: skip
    assert constant == {("O", "O"), ("O", "H-O"), ("O", "O-O"), ("H", "H-H"), ("H", "O-O")}


def test_every_atom_to_the_last_bit(bins, tmp_path, capsys):
    out = tmp_path / "atoms.dat"
    said = run(gvect_writer.main, capsys, "-i", bins, "-o", out, "--per-atom")
    assert said.code == 0
    lines = [line for line in out.read_text().splitlines() if not line.startswith("#")]
    assert len(lines) == 36
    for line in lines:
        name, atom, symbol, *values = line.split()
        record = read_bin(bins / f"{name}.bin")
        assert symbol == "OHH"[int(atom) - 1]
        np.testing.assert_array_equal(
            np.array(values, np.float32), record.descriptors[int(atom) - 1]
        )


def test_files_of_panna_v1_need_the_ini_for_names(golden, tmp_path, capsys):
    """Their species are numbers, their components without names, unless an ini tells."""
    source = golden / "descriptors" / "bin"
    out = tmp_path / "a.dat"
    said = run(gvect_writer.main, capsys, "-i", source, "-o", out)
    assert said.code == 0 and "name them with --config" in said.out
    found = rows(out)
    assert {row["kind"] for row in found} == {"-"} and found[0]["species"] == "0"
    values = np.concatenate([read_bin(p).descriptors for p in sorted(source.glob("*.bin"))])
    assert values.shape[1] == max(int(row["component"]) for row in found)
    mean = sum(float(r["mean"]) * int(r["atoms"]) for r in found if r["component"] == "7")
    assert mean == pytest.approx(values[:, 6].astype(float).sum(), rel=1e-6)
    wrong = tmp_path / "wrong.ini"
    wrong.write_text(INI.format(examples="x", bin="y"))
    said = run(gvect_writer.main, capsys, "-i", source, "-o", out, "--config", wrong)
    assert said.code == 2 and "components found, 70 expected from the parameters" in said.out


def changed(path, **changes):
    write_bin(path, replace(read_bin(path), **changes))


def nan_in(path):
    g = read_bin(path).descriptors.copy()
    g[1, 2] = np.nan
    changed(path, descriptors=g)


DAMAGES = {
    "cut": (lambda p: p.write_bytes(p.read_bytes()[:200]), "cut short"),
    "flipped": (
        lambda p: p.write_bytes(p.read_bytes()[:100] + b"\x01\x02\x03" + p.read_bytes()[103:]),
        "does not fit its checksum",
    ),
    "empty": (lambda p: p.write_bytes(b""), "0 bytes is too short"),
    "text": (lambda p: p.write_text("descriptors " * 30), "not a .bin file of PANNA"),
    "nan": (nan_in, "component 3 of atom 2 is nan"),
    "species": (lambda p: changed(p, species=np.array([0, 1, 5], np.int32)), "species 5 found"),
    "another": (lambda p: changed(p, descriptor_hash="0" * 16), "another descriptor: 70 comp"),
    "size": (
        lambda p: changed(p, descriptors=read_bin(p).descriptors[:, :9].copy()),
        "another descriptor: 9 components",
    ),
}


@pytest.mark.parametrize("per_atom", [False, True])
@pytest.mark.parametrize("case", DAMAGES)
def test_damaged_files_are_named_and_left_out(bins, tmp_path, capsys, case, per_atom):
    damage, reason = DAMAGES[case]
    path = bins / "water5.bin"
    damage(path)
    out = tmp_path / "a.dat"
    more = ["--per-atom"] if per_atom else []
    said = run(gvect_writer.main, capsys, "-i", bins, "-o", out, *more)
    assert said.code == 2 and re.search(rf"left out: {path}: .*{re.escape(reason)}", said.out)
    if per_atom:
        assert len(re.findall("^water", out.read_text(), re.M)) == 33
    else:
        assert {row["atoms"] for row in rows(out)} == {"22", "11"}


WRITER_REFUSED = {
    "missing": (["-i", "no.bin", "-o", "a.dat"], "no.bin: no such file or folder"),
    "empty folder": (["-i", "empty", "-o", "a.dat"], "no *.bin file in it"),
    "only junk": (["-i", "junk.bin", "-o", "a.dat"], "none of the files can be used"),
    "junk, atoms": (["-i", "junk.bin", "-o", "a.dat", "--per-atom"], "none of the files can be"),
    "folder": (["-i", "bin", "-o", "no/a.dat"], "there is no folder no"),
    "picture": (["-i", "bin", "-o", "a.dat", "--plot", "a.txt"], "a picture ends in .png"),
    "config": (["-i", "bin", "-o", "a.dat", "-c", "no.ini"], "no.ini: no such file"),
}


@pytest.mark.parametrize("case", WRITER_REFUSED)
def test_wrong_calls_of_writer(bins, tmp_path, capsys, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("junk.bin").write_bytes(b"\x07" * 1000)
    arguments, message = WRITER_REFUSED[case]
    said = run(gvect_writer.main, capsys, *arguments)
    assert said.code == 2 and message in said.err
    assert not Path("a.dat").exists() and not list(tmp_path.glob(".*.tmp"))


# -- gvect_suggest ---------------------------------------------------------------------------------


def test_the_ini_file_works(tmp_path, capsys, monkeypatch):
    """What is printed is what is written; gvect_calculator computes with it."""
    monkeypatch.chdir(tmp_path)
    frames = [crystal("diamond", 5.43, 2, "Si", 0.05, seed) for seed in range(4)]
    examples(tmp_path / "my examples, 50 %", frames)
    arguments = ["-i", "my examples, 50 %", "-o", "gvect.ini", "--plot", "a.pdf"]
    said = run(gvect_suggest.main, capsys, *arguments)
    assert said.code == 0 and said.err == "" and is_picture(Path("a.pdf"))
    ini = Path("gvect.ini").read_text()
    assert ini in said.out
    p = parameters_from(read_config("gvect.ini", GVECT))
    assert p.species == ("Si",) and 4.6 < p.rc_rad < 5.4 and 1.5 < min(p.rs_rad) < 2.3
    assert p.rc_ang == p.rc_rad and p.size == 48
    assert "warning" not in said.out
    assert gvect_calculator.main(["--config", "gvect.ini"]) == 0
    assert len(list(Path("bin").glob("*.bin"))) == 4
    # again: the same file; another content is not replaced
    assert run(gvect_suggest.main, capsys, *arguments[:4]).code == 0
    Path("gvect.ini").write_text(ini + "# by hand\n")
    said = run(gvect_suggest.main, capsys, *arguments[:4])
    assert said.code == 2 and "there already, with another content" in said.err
    assert Path("gvect.ini").read_text().endswith("# by hand\n")


def test_size_and_cutoff_of_the_user(tmp_path, capsys):
    folder = examples(tmp_path / "a", [crystal("fcc", 3.6, 2, "Cu", 0.05, s) for s in range(2)])
    sizes = []
    for size in ("small", "medium", "large"):
        ini = tmp_path / f"{size}.ini"
        more = ["--size", size, "--cutoff", "6.25"]
        assert run(gvect_suggest.main, capsys, "-i", folder, "-o", ini, *more).code == 0
        p = parameters_from(read_config(ini, GVECT))
        assert p.rc_rad == 6.25 and p.rc_ang < 6.25
        sizes.append(p.size)
    assert sizes == [28, 48, 88]


def test_a_sample_is_random_and_said(tmp_path, capsys):
    folder = examples(tmp_path / "a", [crystal("fcc", 3.6, 2, "Cu", 0.1, s) for s in range(9)])
    outputs = [
        run(gvect_suggest.main, capsys, "-i", folder, "--frames", 3, "--seed", seed).out
        for seed in (1, 1, 2)
    ]
    outputs = [re.sub(r"in [\d.]+ s", "", text) for text in outputs]
    assert outputs[0] == outputs[1] != outputs[2]
    assert "3 of 9 frames, drawn at random with seed 1" in outputs[0]
    assert "species of the sample" in outputs[0]


SUGGEST_REFUSED = {
    "missing": (["-i", "no"], "no: no such folder"),
    "file": (["-i", "gvect.ini"], "gvect.ini: no such folder"),
    "one atom": (["-i", "atom"], "no two atoms are within 8 angstrom"),
    "junk": (["-i", "junk"], "none of its frames can be used"),
    "short cutoff": (["-i", "water", "--cutoff", "0.9"], "Rc_rad = 0.9 angstrom (as given) found"),
    "negative": (["-i", "water", "--cutoff", "-3"], "is not a length from 0.5 to 20"),
    "nan": (["-i", "water", "--cutoff", "nan"], "is not a length from 0.5 to 20"),
    "size": (["-i", "water", "--size", "huge"], "invalid choice"),
    "picture": (["-i", "water", "--plot", "a"], "a picture ends in .png"),
    "folder": (["-i", "water", "-o", "no/a.ini"], "there is no folder no"),
    "comment": (["-i", "a #b"], "an ini file cannot hold this path"),
}


@pytest.mark.parametrize("case", SUGGEST_REFUSED)
def test_wrong_calls_of_suggest(water, tmp_path, capsys, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    examples(tmp_path / "a #b", map(water_molecule, range(3)))
    one = water_molecule(0)
    examples(
        tmp_path / "atom",
        [replace(one, species=("H",), positions=one.positions[:1], name="h")],
    )
    Path("junk").mkdir()
    Path("junk/a.example").write_text("{}")
    arguments, message = SUGGEST_REFUSED[case]
    said = run(gvect_suggest.main, capsys, *arguments)
    assert said.code == 2 and message in said.err and "Traceback" not in said.err


def test_bad_frames_of_suggest_are_left_out(water, tmp_path, capsys):
    folder = tmp_path / "water"
    (folder / "cut.example").write_text('{"atoms": [[1, "H"')
    said = run(gvect_suggest.main, capsys, "-i", folder)
    assert said.code == 2 and "1 frame left out" in said.out and "Rc_rad = " in said.out


# -- does the suggestion resolve? ------------------------------------------------------------------


@pytest.fixture(scope="module")
def silicon(tmp_path_factory):
    """Training and test frames of the example."""
    folder = tmp_path_factory.mktemp("silicon")
    for part in ("train", "test"):
        source = QUICKSTART / "data" / f"Si_{part}.xyz.xz"
        assert exyz_parser.main(["-i", str(source), "-o", str(folder / part)]) == 0
    return folder


def features(parameters, folder):
    """Mean descriptor and energy per atom of each frame: (F, G), (F,) eV."""
    g, energies = [], []
    for path in sorted(folder.glob("*.example")):
        frame = read_example(path)
        near = neighbour_list(frame, parameters.species, parameters.cutoff)
        g.append(compute(parameters, near).mean(axis=0))
        energies.append(frame.energy / frame.n_atoms)
    return np.array(g), np.array(energies)


def ridge(x, y, x_test, strength):
    """Predictions of a ridge regression on standardised features."""
    mean, std = x.mean(axis=0), x.std(axis=0)
    z = (x - mean) / std
    matrix = z.T @ z + strength * len(y) * np.eye(x.shape[1])
    weights = np.linalg.solve(matrix, z.T @ (y - y.mean()))
    return (x_test - mean) / std @ weights + y.mean()


def error_of(parameters, folder):
    """RMSE in meV/atom on the test set; the strength by 5-fold cross-validation in training."""
    x, y = features(parameters, folder / "train")
    x_test, y_test = features(parameters, folder / "test")
    folds = np.array_split(np.random.default_rng(0).permutation(len(y)), 5)

    def validation(strength):
        errors = [
            ridge(np.delete(x, f, 0), np.delete(y, f), x[f], strength) - y[f] for f in folds
        ]  # fmt: skip
        return np.mean(np.concatenate(errors) ** 2)

    best = min(10.0 ** np.arange(-8, -1), key=validation)
    return 1e3 * np.sqrt(np.mean((ridge(x, y, x_test, best) - y_test) ** 2))


def test_suggested_silicon_is_as_good_as_by_hand(silicon, tmp_path, capsys):
    """Energies of DFT from descriptors by linear regression; as many components in both."""
    ini = tmp_path / "gvect.ini"
    assert (
        run(gvect_suggest.main, capsys, "-i", silicon / "train", "-o", ini, "--frames", 80).code
        == 0
    )
    suggested = parameters_from(read_config(ini, GVECT))
    by_hand = parameters_from(read_config(QUICKSTART / "gvect.ini", GVECT))
    assert suggested.size == by_hand.size == 48
    errors = [error_of(p, silicon) for p in (suggested, by_hand)]
    print("RMSE in meV/atom: suggested {:.2f}, by hand {:.2f}".format(*errors))
    assert errors[0] < 1.05 * errors[1]


# -- ways to start ---------------------------------------------------------------------------------


@pytest.mark.parametrize("tool", TOOLS)
def test_help_comes_without_heavy_imports(tool):
    code = (
        f"import sys, panna.tools.{tool} as t\n"
        "try: t.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'numpy', 'scipy', 'matplotlib', 'ase', 'tensorflow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip().endswith("[]") and f"usage: panna_{tool}" in done.stdout
    script = ROOT / "panna" / "tools" / f"{tool}.py"
    done = subprocess.run([sys.executable, script], capture_output=True, text=True)
    assert done.returncode == 2 and "required" in done.stderr
