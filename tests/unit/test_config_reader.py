"""Ini files become typed values; every defect is found, all at once, with its place."""

import os
from pathlib import Path

import pytest

from panna.config.reader import read_config
from panna.config.schema import Key, Problem, SameAs, Schema, Section
from panna.config.values import (
    boolean,
    choice,
    comma_list,
    integer,
    optional_text,
    path,
    positive_real,
    text,
)
from panna.errors import ConfigError


def odd_steps(config):
    if config["TRAINING"]["steps"] % 2:
        yield Problem("TRAINING", "steps", "expected an even number")


SCHEMA = Schema(
    "panna_test",
    (
        Section(
            "IO",
            (
                Key("data_dir", path, meaning="where the data are"),
                Key("log_dir", path, SameAs("data_dir")),
                Key("title", optional_text, ""),
                Key("command", text, "none"),
                Key("shared", integer, 5, also_in="TRAINING"),
            ),
            required=True,
        ),
        Section(
            "TRAINING",
            (
                Key("steps", integer, 10),
                Key("learning_rate", positive_real, 0.01, aliases=("lr",)),
                Key("method", choice("adam", "sgd"), "adam"),
                Key("species", comma_list(text), None),
                Key("old", integer, 0, refused="not supported; use steps"),
                Key("threads", integer, 1, obsolete="all cores are used"),
                Key("shared", integer, 5, also_in="IO"),
            ),
        ),
        Section("EXTRA", (Key("needed", integer), Key("other", boolean, False))),
    ),
    species_section=Section("", (Key("layers", comma_list(integer)), Key("frozen", boolean))),
    species_key=("TRAINING", "species"),
    checks=(odd_steps,),
)
MINIMUM = "[IO]\ndata_dir = here\n"


@pytest.fixture
def read(tmp_path):
    def write_and_read(content: str | bytes):
        ini = tmp_path / "run.ini"
        ini.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_config(ini, SCHEMA)

    return write_and_read


@pytest.fixture
def problems(read, tmp_path):
    """The problems of a file, without the path in front."""

    def found(content) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            read(content)
        lines = str(caught.value).split("\n")
        start = str(tmp_path / "run.ini")
        assert all(line.startswith(start) for line in lines), lines
        return [line.removeprefix(start).strip() for line in lines]

    return found


# -- what is read ----------------------------------------------------------------------------------


def test_values_are_typed_and_defaults_filled_in(read):
    config = read(MINIMUM + "[TRAINING]\nsteps = 4\nspecies = Si, O\n")
    assert config["IO"]["data_dir"] == Path("here")
    assert config["IO"]["log_dir"] == Path("here")
    assert config["TRAINING"] == {
        "steps": 4, "learning_rate": 0.01, "method": "adam", "species": ("Si", "O"),
        "old": 0, "threads": 1, "shared": 5,
    }  # fmt: skip
    assert config["EXTRA"] == {"needed": None, "other": False}
    assert "EXTRA" in config and "NONE" not in config
    assert config.notices == []


def test_what_the_file_gave_is_known(read):
    config = read(MINIMUM + "[TRAINING]\nLR = 1\n")
    assert config.given("IO") and not config.given("EXTRA")
    assert config.given("IO", "DATA_DIR") and not config.given("IO", "log_dir")
    assert config.given("TRAINING", "learning_rate")
    assert config["TRAINING"]["learning_rate"] == 1.0
    assert str(config.error("TRAINING", "learning_rate", "too high")) == (
        f"{config.path} [TRAINING] learning_rate = 1: too high"
    )
    assert str(config.error("TRAINING", "steps", "low")) == f"{config.path} [TRAINING] steps: low"
    assert str(config.error("EXTRA", None, "why")) == f"{config.path} [EXTRA]: why"


@pytest.mark.parametrize(
    "line",
    [
        "steps = 6", "steps=6", "STEPS : 6", "steps = 6   # a comment", "steps = 6 ; a comment",
        "  steps = 6", "# steps = 3\nsteps = 6\n; steps = 4", "steps = 6\r\n",
    ],
)  # fmt: skip
def test_ways_to_write_a_key(read, line):
    assert read(MINIMUM + f"[TRAINING]\n{line}\n")["TRAINING"]["steps"] == 6


def test_signs_of_comments_inside_a_value_are_kept(read):
    assert read(MINIMUM + "title = a#b;c  # d\n")["IO"]["title"] == "a#b;c"


def test_percent_signs_and_variables(read):
    assert read(MINIMUM + "title = 5 % of all\n")["IO"]["title"] == "5 % of all"
    content = "[DEFAULT]\nroot = /data\n[IO]\ndata_dir = %(root)s/x\ntitle = 50%% of %(data_dir)s\n"
    config = read(content)
    assert config["IO"]["data_dir"] == Path("/data/x")
    assert config["IO"]["title"] == "50% of /data/x"


def test_byte_order_marks_and_windows_lines(read):
    content = ("\ufeff" + MINIMUM + "title = Größe\n").replace("\n", "\r\n")
    assert read(content)["IO"]["title"] == "Größe"


def test_species_have_sections_of_their_own(read):
    config = read(MINIMUM + "[TRAINING]\nspecies = Si, O\n[O]\nlayers = 3, 1\n")
    assert config.species_sections == {"O": {"layers": (3, 1), "frozen": None}}
    assert "O" not in config.sections


def test_without_a_list_of_species_any_symbol_may_have_a_section(read, problems):
    assert list(read(MINIMUM + "[Xe]\nlayers = 1\n").species_sections) == ["Xe"]
    assert "[xe]: unknown section" in problems(MINIMUM + "[xe]\nlayers = 1\n")[0]


def test_a_key_may_stand_in_either_of_two_sections(read, problems):
    for section in ("IO", "TRAINING"):
        content = MINIMUM + ("" if section == "IO" else "[TRAINING]\n") + "shared = 9\n"
        config = read(content)
        assert config["IO"]["shared"] == config["TRAINING"]["shared"] == 9
    (found,) = problems(MINIMUM + "shared = 9\n[TRAINING]\nshared = 8\n")
    assert "also given in [TRAINING]; remove one" in found


def test_keys_without_effect_make_a_notice(read):
    (notice,) = read(MINIMUM + "[TRAINING]\nthreads = 8\n").notices
    assert notice.endswith("[TRAINING] threads = 8: no effect; all cores are used")


def test_a_refused_key_may_have_its_default(read, problems):
    assert read(MINIMUM + "[TRAINING]\nold = 0\n")["TRAINING"]["old"] == 0
    (found,) = problems(MINIMUM + "[TRAINING]\nold = 1\n")
    assert found == "[TRAINING] old = 1: not supported; use steps"


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (MINIMUM + "[TRAINING]\nstesp = 1\n", "stesp = 1: unknown key. Did you mean steps?"),
        (MINIMUM + "[TRAINING]\nLern_Rate = 1\n", "Did you mean learning_rate?"),
        (MINIMUM + "[TRAINING]\nqqq = 1\n", "unknown key. Keys of the section: steps, learning_r"),
        (MINIMUM + "steps = 1\n", "[IO] steps = 1: unknown key here; it belongs in [TRAINING]"),
        (MINIMUM + "[TRANING]\n", "[TRANING]: unknown section. Did you mean [TRAINING]?"),
        (MINIMUM + "[training]\n", "[training]: unknown section. Did you mean [TRAINING]?"),
        (MINIMUM + "[QQ]\nx = 1\n", "[QQ]: unknown section. Sections: IO, TRAINING, EXTRA"),
        (
            MINIMUM + "[TRAINING]\nspecies = Si\n[O]\nlayers = 1\n",
            "[O]: unknown section (the species are Si)",
        ),
        (MINIMUM + "[TRAINING]\nsteps = 1.5\n", "[TRAINING] steps = 1.5: expected an integer"),
        (MINIMUM + "[TRAINING]\nmethod = adan\n", "expected adam or sgd. Did you mean adam?"),
        (MINIMUM + "[TRAINING]\nlr = -1\n", "[TRAINING] lr = -1: expected a number above 0"),
        (MINIMUM + "[TRAINING]\nsteps =\n", "[TRAINING] steps = : expected an integer, found not"),
        (MINIMUM + "[TRAINING]\nsteps = 3\n", "[TRAINING] steps = 3: expected an even number"),
        (MINIMUM + "[EXTRA]\nother = 1\n", "[EXTRA] needed: missing; expected an integer"),
        ("[TRAINING]\nsteps = 2\n", "[IO]: the section is missing; add [IO] with data_dir"),
        ("[IO]\n", "[IO] data_dir: missing; expected a path (where the data are)"),
        (MINIMUM + "data_dir = there\n", "line 3 [IO] data_dir: the key is given twice; rem"),
        (MINIMUM + "Data_Dir = there\n", "[IO] Data_Dir: the key is given twice; remove one"),
        (
            MINIMUM + "[TRAINING]\nlr = 1\nlearning_rate = 2\n",
            "the key is given twice, also under another of its names (learning_rate, lr)",
        ),
        (MINIMUM + "[IO]\n", "line 3 [IO]: the section is given twice; put its keys together"),
        ("data_dir = x\n[IO]\n", "line 1: 'data_dir = x' stands before any section; expected"),
        (MINIMUM + "nonsense\n", "line 3: 'nonsense' found; expected `key = value` or [SECTION]"),
        ("[IO] data_dir = x\n", "line 1: 'data_dir = x' found behind a section header"),
        (
            "[IO]\ndata_dir = x\n  title = y\n",
            "[IO] data_dir: the indented line 'title = y' below it would become part of its value",
        ),
        (MINIMUM + "title = %(rot)s\n", "variable %(rot)s is not defined in [IO] or [DEFAULT]"),
        ("[DEFAULT]\nroot = 1\n[IO]\ndata_dir = %(rot)s\n", "Did you mean %(root)s?"),
        ("[DEFAULT]\ndata_dir = x\n[IO]\n", "[DEFAULT] data_dir = x: no value uses %(data_dir)s"),
        (MINIMUM + "title = %(title)s\n", "variable %(title)s is defined by itself"),
        ("", "the file is empty; expected sections like [IO_INFORMATION]"),
        ("# nothing\n\n", "the file is empty"),
        (b"[IO]\ndata_dir = \xff\xfe\n", "line 2: byte 0xff is not UTF-8 text"),
        (b"[IO]\ndata\x00dir = 1\n", "line 2: holds a zero byte"),
        (bytes(range(256)), "line "),
    ],
)
def test_one_defect(problems, content, expected):
    found = "\n".join(problems(content))
    assert expected in found, found


def test_all_defects_are_reported_at_once(problems):
    found = problems(
        "[IO]\ntitel = x\n[TRAINING]\nsteps = many\nmethod = newton\nold = 7\n[EXTRAS]\na = 1\n"
    )
    assert [line.split(":")[0] for line in found] == [
        "[IO] titel = x",
        "[TRAINING] steps = many",
        "[TRAINING] method = newton",
        "[TRAINING] old = 7",
        "[IO] data_dir",
        "[EXTRAS]",
    ]


def test_long_values_are_shortened_in_messages(problems):
    (found,) = problems(MINIMUM + "[TRAINING]\nsteps = " + "9" * 5000 + "\n")
    assert len(found) < 200


def test_variables_that_multiply_are_stopped(problems):
    """Each level doubles: ten levels of two would be a thousand copies, forty a terabyte."""
    lines = [f"v{i} = %(v{i + 1})s%(v{i + 1})s" for i in range(40)]
    content = "\n".join(["[DEFAULT]", *lines, "v40 = x", "[IO]", "data_dir = %(v0)s"])
    assert any("is defined by itself" in line for line in problems(content))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tran.ini", r"tran\.ini: no such file\. Did you mean .*train\.ini\?"),
        ("zzz", r"zzz: no such file \(working folder "),
        ("no/train.ini", r"train\.ini: no such file; the folder .*no does not exist either"),
        ("", "is a folder; expected an ini file"),
        ("a\0b", "cannot be read"),
    ],
)
def test_files_that_cannot_be_opened(tmp_path, name, message):
    (tmp_path / "train.ini").write_text(MINIMUM)
    with pytest.raises(ConfigError, match=message):
        read_config(os.path.join(tmp_path, name), SCHEMA)
