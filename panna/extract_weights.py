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
Export a trained network: as a potential for LAMMPS and ASE (panna.in and weights), the same as a
model of the KIM API, or as arrays (networks_metadata.json and .npy files) to evaluate or to start
another training from. The energies of the exported files are compared with the network before
anything appears. Of a committee all members, each in a folder of its own: output_dir/member_1,
..."""

EPILOG = """\
example of an ini file:
  [IO_INFORMATION]
  train_dir = train
  step_number = best               # a step, or -1 for the last
  output_type = LAMMPS             # or KIM or PANNA
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
    models = _read_models(config)
    if io["output_type"] == "LAMMPS":
        _export_potentials(io, models)
    elif io["output_type"] == "KIM":
        _export_kim_item(config, models)
    else:
        _export_networks(io, models)


def _read_models(config: Config) -> dict[str, Model]:
    """The networks of the checkpoints, checked against what the ini file says about them.

    By the names of the members of a committee; "" for the network of an ordinary training.
    """
    from panna.evaluation.networks import from_checkpoints, from_members
    from panna.evaluation.setup import check_offsets, check_species
    from panna.members import list_members
    from panna.potential.descriptor_source import read_descriptor_input, with_descriptor

    io = config["IO_INFORMATION"]
    steps, members = [io["step_number"]], list_members(io["train_dir"])
    networks = from_members(members, steps) if members else from_checkpoints(io["train_dir"], steps)
    say(f"Export of {'the networks of a committee' if members else 'a trained network'}")
    say_facts([("configuration", str(config.path))])
    models = {}
    for network in networks:
        check_species(config, "IO_INFORMATION", "species_list", network)
        check_offsets(config, "IO_INFORMATION", "species_offsets", network)
        model = network.model
        if io["gvector_input"] is not None:
            parameters = read_descriptor_input(io["gvector_input"])
            model = with_descriptor(model, parameters, io["gvector_input"])
        models[network.member] = model
        say_facts([("checkpoint", f"{network.source} ({network.title})")])
    model = networks[0].model
    rows = []
    for symbol, one, offset in zip(model.species, model.networks, model.offsets, strict=True):
        layers = ":".join(map(str, (one.g_size, *one.sizes)))
        kinds = ":".join(one.activations)
        rows.append((symbol, f"{layers}, {kinds}, reference energy {offset:.6f} eV"))
    say_facts(rows)
    return models


def _export_potentials(io: dict[str, Any], models: dict[str, Model]) -> None:
    from panna.potential.agreement import check_potential
    from panna.potential.export import export_directory
    from panna.potential.panna_in import choose_gversion, descriptor_of, write_potential

    target, name, gversion = io["output_dir"], io["output_file"], io["gvector_version"]
    first = next(iter(models.values()))
    frames = _frames(io["check_dir"], first) if io["check_dir"] is not None else None
    source = f"structures of {io['check_dir']}"
    agreements = {}
    with export_directory(target) as folder:
        for member, model in models.items():
            written = write_potential(model, folder / member, name, gversion)
            agreements[member] = check_potential(model, folder / member, name, frames, source)
    used = choose_gversion(descriptor_of(first), gversion)
    _say_done(target, [path.name for path in written], agreements)
    _say_published(first, used)
    _say_next(target, name, first, list(models))


def _export_kim_item(config: Config, models: dict[str, Model]) -> None:
    from panna.potential.agreement import check_potential
    from panna.potential.export import export_directory
    from panna.potential.kim_item import DRIVERS, check_driver, write_kim_item
    from panna.potential.panna_in import choose_gversion, descriptor_of, write_potential

    io, kim = config["IO_INFORMATION"], config["KIM"]
    target, (member, model) = io["output_dir"], next(iter(models.items()))
    if member:
        raise config.error(
            "IO_INFORMATION", "train_dir",
            f"is a committee, and a KIM model is one potential; name a member, such as "
            f"{io['train_dir'] / member}",
        )  # fmt: skip
    check_driver(model, kim["kim_driver"])
    gversion = 0 if kim["kim_driver"] == "published" else io["gvector_version"]
    frames = _frames(io["check_dir"], model) if io["check_dir"] is not None else None
    with export_directory(target) as folder:
        written = write_potential(model, folder, io["output_file"], gversion)
        agreement = check_potential(
            model, folder, io["output_file"], frames, f"structures of {io['check_dir']}"
        )
        more = write_kim_item(model, folder, written, kim)
    _say_done(target, [path.name for path in [*more, *written]], {"": agreement})
    _say_published(model, choose_gversion(descriptor_of(model), gversion))
    say(f"\nInstall (the driver {DRIVERS[kim['kim_driver']]} first, see docs/openkim.md):")
    say(f"  kim-api-collections-management install user {target}")
    say("In LAMMPS with the KIM package:")
    say(f"  kim init         {kim['item_name']} metal")
    say(f"  kim interactions {' '.join(model.species)}")


def _export_networks(io: dict[str, Any], models: dict[str, Model]) -> None:
    from panna.potential.agreement import check_networks
    from panna.potential.export import export_directory
    from panna.potential.panna_networks import write_networks

    target, agreements = io["output_dir"], {}
    with export_directory(target) as folder:
        for member, model in models.items():
            written = write_networks(model, folder / member)
            agreements[member] = check_networks(model, folder / member)
    _say_done(target, [path.name for path in written], agreements)
    if not next(iter(models.values())).descriptor:
        say(
            "\nnote: the network does not know the parameters of its descriptor (its training data "
            "came without them); give gvector_input to store them with it"
        )


def _frames(directory: Path, model: Model) -> list[Frame]:
    """Some structures of a folder of examples, chosen at random."""
    from panna.evaluation.structures import StructureSet

    data = StructureSet.open(directory, "examples", model.species)
    return [s.frame for s in data.subset(CHECKED_FRAMES, seed=0) if s.frame is not None]


def _say_done(target: Path, names: list[str], agreements: dict[str, Agreement]) -> None:
    for member, agreement in agreements.items():
        say_facts([("checked", f"{member}: {agreement}" if member else str(agreement))])
    members = [member for member in agreements if member]
    where = f"{target}: {listed(members)}, each with " if members else f"{target}: "
    say(f"\nWritten to {where}{listed(names)}")


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


def _say_next(target: Path, name: str, model: Model, members: list[str]) -> None:
    one = str(target / members[0])
    folder = f'"{one}"' if any(c.isspace() for c in one) else one
    species = " ".join(model.species)
    which = "; one of the members" if len(members) > 1 else ""
    say(f"\nIn LAMMPS (one species for each atom type, in the order of types{which}):")
    say("  units       metal")
    say("  pair_style  panna")
    say(f"  pair_coeff  * * {folder} {name} {species}")
    say("In Python:")
    say("  from panna.potential.calculator import PANNA")
    arguments = repr(str(target)) if name == "panna.in" else f"{str(target)!r}, {name!r}"
    say(f"  atoms.calc = PANNA({arguments})")
    if len(members) > 1:
        say("  # the mean of all members; their standard deviations, after a calculation:")
        say('  atoms.calc.results["energy_std"], atoms.calc.results["forces_std"]')
        say("Errors and spread: panna_evaluate with")
        say(f"  networks_format = LAMMPS, networks_folder = {target}")


if __name__ == "__main__":
    sys.exit(main())
