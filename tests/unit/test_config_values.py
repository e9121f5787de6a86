"""Kinds of values: what they accept, what they give, and how they say no."""

import math
from pathlib import Path

import pytest

from panna.config import values
from panna.config.values import choice, colon_list, comma_list, different, either


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (values.boolean, "True", True),
        (values.boolean, "yes", True),
        (values.boolean, " ON ", True),
        (values.boolean, "1", True),
        (values.boolean, "false", False),
        (values.boolean, "No", False),
        (values.boolean, "0", False),
        (values.integer, "-12", -12),
        (values.integer, "+7", 7),
        (values.integer, "007", 7),
        (values.positive_integer, "1", 1),
        (values.non_negative_integer, "0", 0),
        (values.real, "1e-3", 1e-3),
        (values.real, "-.5", -0.5),
        (values.real, "3.", 3.0),
        (values.real, "4", 4.0),
        (values.positive_real, "1E+2", 100.0),
        (values.non_negative_real, "0", 0.0),
        (values.fraction, "0", 0.0),
        (values.fraction, "0.999", 0.999),
        (values.text, "  two words ", "two words"),
        (values.optional_text, "   ", ""),
        (values.path, "a/b", Path("a/b")),
        (values.path, "/x y", Path("/x y")),
        (comma_list(values.integer), "1,2 , 3", (1, 2, 3)),
        (comma_list(values.text), "Si, C,", ("Si", "C")),
        (comma_list(values.real), "1.5", (1.5,)),
        (colon_list(values.positive_integer), "64:32:1", (64, 32, 1)),
        (colon_list(values.boolean, 2), "True:no", (True, False)),
        (different(comma_list(values.text)), "H,O", ("H", "O")),
    ],
)
def test_texts_become_values(kind, text, value):
    found = kind(text)
    assert found == value
    assert type(found) is type(value)


def test_the_home_folder_is_put_in(monkeypatch):
    monkeypatch.setenv("HOME", "/somewhere")
    assert values.path("~/data") == Path("/somewhere/data")


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        (values.boolean, "ja", r"expected a boolean \(True or False; also yes"),
        (values.boolean, "2", "expected a boolean"),
        (values.integer, "1.0", "expected an integer"),
        (values.integer, "1e3", "expected an integer"),
        (values.integer, "1_000", "expected an integer"),
        (values.integer, "٣", "expected an integer"),
        (values.integer, "0x10", "expected an integer"),
        (values.integer, "99999999999999999999", "expected an integer"),
        (values.integer, "9" * 5000, "expected an integer"),
        (values.integer, "", "expected an integer, found nothing"),
        (values.positive_integer, "0", "expected an integer above 0"),
        (values.positive_integer, "-3", "expected an integer above 0"),
        (values.non_negative_integer, "-1", "expected an integer of 0 or more"),
        (values.real, "nan", "expected a number"),
        (values.real, "inf", "expected a number"),
        (values.real, "1e400", "expected a number"),
        (values.real, "1,5", "expected a number"),
        (values.real, "1 2", "expected a number"),
        (values.real, "1d-3", "expected a number"),
        (values.real, ".", "expected a number"),
        (values.positive_real, "0.0", "expected a number above 0"),
        (values.non_negative_real, "-1e-9", "expected a number of 0 or more"),
        (values.fraction, "1", "expected a number from 0 to below 1"),
        (values.text, " ", "expected a text, found nothing"),
        (values.text, "two\nlines", "expected a text on one line"),
        (values.path, "a\x07b", "without control characters"),
        (values.path, "", "expected a path, found nothing"),
        (comma_list(values.integer), "1,,2", "value 2, '': expected an integer, found nothing"),
        (comma_list(values.integer), "1,x", "value 2, 'x': expected an integer"),
        (comma_list(values.integer), "1 2", "value 1, '1 2': expected an integer"),
        (comma_list(values.integer), ",", "value 1, '': expected an integer, found nothing"),
        (comma_list(values.real, 3), "1,2", "expected 3 values separated by commas.*found 2"),
        (colon_list(values.integer), "1,2", "value 1, '1,2': expected an integer"),
        (different(comma_list(values.text)), "H,O,H", "expected different values, H is repeated"),
    ],
)
def test_other_texts_are_refused_with_what_was_expected(kind, text, message):
    with pytest.raises(ValueError, match=message) as caught:
        kind(text)
    assert "expected" in str(caught.value)


COLOUR = choice(
    "red",
    "dark_blue",
    synonyms={"crimson": "red"},
    refused={"infrared": "nobody can see it"},
)


@pytest.mark.parametrize(
    ("text", "value"), [("red", "red"), ("RED", "red"), ("Crimson", "red"), ("dark_blue",) * 2]
)
def test_choices_ignore_case_and_know_synonyms(text, value):
    assert COLOUR(text) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dark_bleu", "expected red or dark_blue. Did you mean dark_blue?"),
        ("zzz", "expected red or dark_blue"),
        ("infrared", r"nobody can see it \(expected red or dark_blue\)"),
        ("", "expected red or dark_blue, found nothing"),
    ],
)
def test_other_choices_are_refused_with_a_suggestion(text, message):
    with pytest.raises(ValueError, match=message):
        COLOUR(text)


def test_choices_may_stand_for_values():
    kind = choice("half", "one", values={"half": 0.5, "one": 1.0})
    assert kind("HALF") == 0.5
    assert kind.choices == ("half", "one")
    assert choice("a", "b", "c").expected == "a, b or c"
    assert choice("only").expected == "only"


def test_a_word_or_a_value():
    kind = either("auto", math.inf, values.positive_real)
    assert kind("AUTO") == math.inf
    assert kind("2") == 2.0
    with pytest.raises(ValueError, match=r"^expected auto or a number above 0$"):
        kind("automatic")
    with pytest.raises(ValueError, match=r"^expected fit or a list .*value 2, 'x': expected a num"):
        either("fit", None, comma_list(values.real))("1,x")
