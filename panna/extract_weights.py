"""panna_extract_weights: from a checkpoint to a potential for molecular dynamics, or to arrays."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if __name__ == "__main__" and not __package__:
    # Started as a script: prefer the installed package, fall back to the checkout.
    sys.path[0:1] = []
    sys.path.append(str(Path(__file__).resolve().parents[1]))

from panna.config.arguments import config_parser
from panna.console import say, say_facts, say_notes
from panna.errors import run_program
from panna.text import listed

if TYPE_CHECKING:
    from panna.config.reader import Config
    from panna.frames.frame import Frame
    from panna.network.parameters import Model
    from panna.potential.agreement import Agreement

DESCRIPTION = """\
Export a trained network: as a potential for LAMMPS, KIM and ASE (panna.in and weights), or as
arrays (networks_metadata.json and .npy files) to evaluate or to start another training from. The
energies of the exported files are compared with the network before anything appears."""

EPILOG = """\
example of an ini file:
  [IO_INFORMATION]
  train_dir = train
  step_number = best               # a step, or -1 for the last
  output_type = LAMMPS             # or PANNA
  output_dir = potential"""

CHECKED_FRAMES = 20  # of check_dir


def main(argv: list[str] | None = None) -> int:
    """Entry point of panna_extract_weights; returns the exit code."""
    return run_program(_run, argv)


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = config_parser("panna_extract_weights", DESCRIPTION, EPILOG)
    parser.add_argument("--debug", action="store_true", help="accepted, as in PANNA; no effect")
    return parser.parse_args(argv)


def _run(argv: list[str] | None) -> None:
    args = _arguments(argv)
    # Imported here so that --help and wrong arguments are answered at once.
    from panna.config.extract import EXTRACT
    from panna.config.reader import read_config

    config = read_config(args.config, EXTRACT)
    say_notes(config.notices)

    from panna.potential.export import check_replaceable

    io = config["IO_INFORMATION"]
    check_replaceable(io["output_dir"])
    model = _read_model(config)
    if io["output_type"] == "LAMMPS":
        _export_potential(io, model)
    else:
        _export_networks(io, model)


def _read_model(config: Config) -> Model:
    """The network of the checkpoint, checked against what the ini file says about it."""
    from panna.evaluation.networks import from_checkpoints
    from panna.evaluation.setup import check_offsets, check_species
    from panna.potential.descriptor_source import read_descriptor_input, with_descriptor

    io = config["IO_INFORMATION"]
    (network,) = from_checkpoints(io["train_dir"], [io["step_number"]])
    check_species(config, "IO_INFORMATION", "species_list", network)
    check_offsets(config, "IO_INFORMATION", "species_offsets", network)
    model = network.model
    if io["gvector_input"] is not None:
        parameters = read_descriptor_input(io["gvector_input"])
        model = with_descriptor(model, parameters, io["gvector_input"])
    rows = [
        ("configuration", str(config.path)),
        ("checkpoint", f"{network.source} ({network.title})"),
    ]
    for symbol, one, offset in zip(model.species, model.networks, model.offsets, strict=True):
        layers = ":".join(map(str, (one.g_size, *one.sizes)))
        kinds = ":".join(one.activations)
        rows.append((symbol, f"{layers}, {kinds}, reference energy {offset:.6f} eV"))
    say("Export of a trained network")
    say_facts(rows)
    return model


def _export_potential(io: dict[str, Any], model: Model) -> None:
    from panna.potential.agreement import check_potential
    from panna.potential.export import export_directory
    from panna.potential.panna_in import choose_gversion, descriptor_of, write_potential

    target, name, gversion = io["output_dir"], io["output_file"], io["gvector_version"]
    frames = _frames(io["check_dir"], model) if io["check_dir"] is not None else None
    with export_directory(target) as folder:
        written = write_potential(model, folder, name, gversion)
        agreement = check_potential(model, folder, name, frames, f"structures of {io['check_dir']}")
    used = choose_gversion(descriptor_of(model), gversion)
    _say_done(target, [path.name for path in written], agreement)
    _say_published(model, used)
    _say_next(target, name, model)


def _export_networks(io: dict[str, Any], model: Model) -> None:
    from panna.potential.agreement import check_networks
    from panna.potential.export import export_directory
    from panna.potential.panna_networks import write_networks

    target = io["output_dir"]
    with export_directory(target) as folder:
        written = write_networks(model, folder)
        agreement = check_networks(model, folder)
    _say_done(target, [path.name for path in written], agreement)
    if not model.descriptor:
        say(
            "\nnote: the network does not know the parameters of its descriptor (its training data "
            "came without them); give gvector_input to store them with it"
        )


def _frames(directory: Path, model: Model) -> list[Frame]:
    """Some structures of a folder of examples, chosen at random."""
    from panna.evaluation.structures import StructureSet

    data = StructureSet.open(directory, "examples", model.species)
    return [s.frame for s in data.subset(CHECKED_FRAMES, seed=0) if s.frame is not None]


def _say_done(target: Path, names: list[str], agreement: Agreement) -> None:
    say_facts([("checked", str(agreement))])
    say(f"\nWritten to {target}: {listed(names)}")


def _say_published(model: Model, gversion: int) -> None:
    from panna.potential.published import published_readers, published_shift

    say("\nPublished programs that compute this potential (LAMMPS with this package always does):")
    verdicts = published_readers(model, gversion)
    for verdict in verdicts:
        say(f"  {verdict.reader}: {'yes' if verdict.reads else 'no'}")
        for reason in verdict.reasons:
            say(f"      {reason}")
    shift = published_shift(model)
    if shift > 0 and any(verdict.reads for verdict in verdicts):
        say(f"  (there, energies are shifted by a constant of up to {shift:.1e} eV per atom)")


def _say_next(target: Path, name: str, model: Model) -> None:
    folder = str(target) if not any(c.isspace() for c in str(target)) else f'"{target}"'
    species = " ".join(model.species)
    say("\nIn LAMMPS (one species for each atom type, in the order of types):")
    say("  units       metal")
    say("  pair_style  panna")
    say(f"  pair_coeff  * * {folder} {name} {species}")
    say("In Python:")
    say("  from panna.potential.calculator import PANNA")
    arguments = repr(str(target)) if name == "panna.in" else f"{str(target)!r}, {name!r}"
    say(f"  atoms.calc = PANNA({arguments})")


if __name__ == "__main__":
    sys.exit(main())
