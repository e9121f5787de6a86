"""The ini file of tfr_packer."""

from __future__ import annotations

import os
from collections.abc import Iterator

from panna.config.reader import Config
from panna.config.schema import NO_ELECTROSTATICS, Key, Problem, Schema, Section
from panna.config.values import (
    boolean,
    fraction,
    non_negative_integer,
    optional_text,
    path,
    positive_integer,
)

IO = "IO_INFORMATION"
CONTENT = "CONTENT_INFORMATION"
FRACTIONS = ("validation_fraction", "test_fraction")

INPUT_OUTPUT = Section(
    IO,
    (
        Key("input_dir", path, meaning="folder of the .bin files"),
        Key(
            "output_dir",
            path,
            meaning="folder for the .tfrecord files; with fractions they go to its folders train, "
            "validation and test",
        ),
        Key("elements_per_file", positive_integer, 1000, meaning="frames in one file"),
        Key("prefix", optional_text, "", meaning="first part of the names of the files"),
        Key("shuffle", boolean, False, meaning="random order, instead of that of the names"),
        Key("seed", non_negative_integer, 0, meaning="of the random order and of the fractions"),
        Key(FRACTIONS[0], fraction, 0.0, meaning="part of the frames set aside for validation"),
        Key(FRACTIONS[1], fraction, 0.0, meaning="part of the frames set aside for the test"),
    ),
    required=True,
)

CONTENTS = Section(
    CONTENT,
    (
        Key("n_species", positive_integer, None, meaning="if given, frames are checked against it"),
        Key("include_derivatives", boolean, False, meaning="pack dG/dx too"),
        Key("sparse_derivatives", boolean, False, meaning="pack only what is not zero of dG/dx"),
        Key("include_per_atom_quantity", boolean, False, meaning="pack per-atom energies too"),
        Key("long_range_el", boolean, False, refused=NO_ELECTROSTATICS),
    ),
)


def _check_fractions(config: Config) -> Iterator[Problem]:
    total = sum(config[IO][name] for name in FRACTIONS)
    if total >= 1:
        yield Problem(
            IO,
            FRACTIONS[1],
            f"with validation_fraction = {config[IO][FRACTIONS[0]]:g} nothing is left for "
            "training; expected a sum below 1",
        )


def _check_prefix(config: Config) -> Iterator[Problem]:
    prefix = config[IO]["prefix"]
    separators = {"/", os.sep, os.altsep} - {None}
    if prefix.startswith(".") or any(separator in prefix for separator in separators):
        yield Problem(
            IO, "prefix", "expected the beginning of a file name, without folders or a leading dot"
        )


def _check_keys_without_effect(config: Config) -> Iterator[Problem]:
    values = config[IO]
    if config.given(IO, "seed") and not (
        values["shuffle"] or any(values[name] for name in FRACTIONS)
    ):
        message = "no effect without shuffle, validation_fraction or test_fraction"
        yield Problem(IO, "seed", message, harmless=True)
    if config[CONTENT]["sparse_derivatives"] and not config[CONTENT]["include_derivatives"]:
        message = "no effect without include_derivatives = True"
        yield Problem(CONTENT, "sparse_derivatives", message, harmless=True)


TFR = Schema(
    "panna_tfr_packer",
    (INPUT_OUTPUT, CONTENTS),
    checks=(_check_fractions, _check_prefix, _check_keys_without_effect),
    meaning="a folder of .bin files as TFRecord files",
)
