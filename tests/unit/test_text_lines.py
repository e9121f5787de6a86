"""Names, lines and numbers of text that nobody has checked."""

import gzip
import io
import lzma
import math

import numpy as np
import pytest

from panna.errors import FrameError
from panna.frames.text_lines import (
    Lines,
    NotText,
    Unreadable,
    beginning,
    number,
    numbers,
    split_name,
    without_compression,
)

PACKERS = {"": bytes, ".gz": gzip.compress, ".xz": lzma.compress, ".XZ": lzma.compress}


@pytest.mark.parametrize("ending", PACKERS)
def test_lines_of_plain_and_compressed_files(tmp_path, ending):
    path = tmp_path / f"a.txt{ending}"
    path.write_bytes(PACKERS[ending](b"\xef\xbb\xbfone\r\n two \n\nlast"))
    with Lines.open(path) as lines:
        assert list(lines) == ["one\n", " two \n", "\n", "last"]
        assert lines.number == 4 and lines.consumed() == path.stat().st_size
    assert beginning(path, 6) == b"\xef\xbb\xbfone"


def test_a_line_that_is_put_back_comes_again_with_its_number():
    lines = Lines(io.StringIO("one\n\nthree\n"))
    seen = []
    for line in lines:
        seen.append((lines.where, line))
        if len(seen) == 2:
            lines.put_back(line)
    assert seen == [("line 1", "one\n"), ("line 2", "\n"), ("line 2", "\n"), ("line 3", "three\n")]


@pytest.mark.parametrize("ending", [".gz", ".xz"])
def test_a_damaged_file_gives_its_lines_up_to_there(tmp_path, ending):
    rng = np.random.default_rng(1)
    text = "".join(f"{x:.15f}\n" for x in rng.random(50000))
    packed = PACKERS[ending](text.encode())
    path = tmp_path / f"a{ending}"
    for content in (packed[: len(packed) // 2], packed[:1000] + b"junk" + packed[1000:], b"junk"):
        path.write_bytes(content)
        found = []
        with (
            pytest.raises(Unreadable, match="cannot be read.*the file is damaged") as caught,
            Lines.open(path) as lines,
        ):
            found.extend(lines)
        assert text.startswith("".join(found)) and len(found) < 50000
        assert not found or f"after line {len(found)}," in str(caught.value)
    with pytest.raises(Unreadable, match="the file is damaged"):
        beginning(path, 10)


def test_what_is_no_text(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"good\nb\xe9d\n")
    with pytest.raises(NotText, match="line 1 or after: not UTF-8 text"), Lines.open(path) as lines:
        list(lines)
    with Lines.open(path, errors="replace") as lines:
        assert list(lines) == ["good\n", "b\ufffdd\n"]
    with pytest.raises(NotText, match="line 2 is longer than 10 characters"):
        list(Lines(io.StringIO("12345678\n1234567890"), longest=10))


def test_a_file_that_cannot_be_opened(tmp_path):
    with pytest.raises(Unreadable, match="cannot be opened: No such file"):
        beginning(tmp_path / "none.gz", 1)


@pytest.mark.parametrize(
    ("name", "plain", "split"),
    [
        ("run.out", "run.out", ("run", ".out")),
        ("Run.OUT.GZ", "Run.OUT", ("Run", ".out")),
        ("a.b.log.xz", "a.b.log", ("a.b", ".log")),
        ("run.dat.gz", "run.dat", ("run.dat", "")),
        ("run.zip", "run.zip", ("run.zip", "")),
        (".out", ".out", (".out", "")),
    ],
)
def test_names(name, plain, split):
    assert without_compression(name) == plain
    assert split_name(name, (".out", ".log")) == split


@pytest.mark.parametrize(
    ("word", "value"),
    [("1", 1.0), ("-.5", -0.5), ("1.0D-6", 1e-6), ("2d3", 2000.0), ("-Inf", -math.inf)],
)
def test_numbers_of_c_and_fortran(word, value):
    assert number(word) == value
    assert numbers(["7", word], "here", 2) == [7.0, value]


@pytest.mark.parametrize("word", ["", "x", "1_000", "1,5", "1.0-5", "****", "1e", "d5"])
def test_words_that_are_no_numbers(word):
    assert number(word) is None
    with pytest.raises(FrameError, match="^here: "):
        numbers([word], "here")


def test_why_numbers_are_refused():
    for words, options, reason in (
        (["1", "abc"], {}, "here: 'abc' found, a number expected"),
        (["1****"], {}, "here: '1[*]{4}' is a number that was too long for its column"),
        (["1", "2"], {"count": 3}, "here: 2 numbers found, 3 expected"),
        (["NaN"], {"finite": True}, "here: 'NaN' found, a number expected"),
        (["1e999"], {"finite": True}, "here: '1e999' found, a number expected"),
    ):
        with pytest.raises(FrameError, match=f"^{reason}$"):
            numbers(words, "here", **options)
    assert math.isnan(numbers(["nan"], "here")[0])
