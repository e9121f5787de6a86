"""Words for people."""

import pytest

from panna.text import closest, counted, listed, readable_bytes


def test_one_of_a_kind_is_singular():
    assert [counted(n, "file") for n in (0, 1, 2)] == ["0 files", "1 file", "2 files"]


def test_sizes_have_three_digits_and_a_unit():
    sizes = (12, 3400, 999_400, 999_600, 2.5e9, 7e15)
    expected = ["12 bytes", "3.4 kB", "999 kB", "1 MB", "2.5 GB", "7e+03 TB"]
    assert [readable_bytes(size) for size in sizes] == expected


def test_long_lists_are_cut():
    assert listed("abc", 3) == "a, b, c"
    assert listed("abcde", 3) == "a, b, c and 2 more"


@pytest.mark.parametrize(
    ("word", "meant"), [("learning_rte", "learning_rate"), ("SEED", "seed"), ("zeta", None)]
)
def test_the_name_that_was_meant(word, meant):
    assert closest(word, ["learning_rate", "seed"]) == meant
