"""panna_weights_exchange: the network of one species for another one."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__" and not __package__:
    # Started as a script: prefer the installed package, fall back to the checkout.
    sys.path[0:1] = []
    sys.path.append(str(Path(__file__).resolve().parents[2]))

from panna.config.arguments import program_parser
from panna.console import say, say_facts, say_notes
from panna.errors import run_program
from panna.text import listed

if TYPE_CHECKING:
    from panna.evaluation.networks import NamedNetwork
    from panna.network.parameters import Model, SpeciesNetwork
    from panna.potential.exchange import Take

DESCRIPTION = """\
Copy the network of one species to another, within one model or from another one that was trained
with the same descriptor, to begin a training or to compare.

The scaling of the descriptors goes with the first layer: an atom of the target then has the energy
of an atom of the source with the same descriptor, but for the reference energies. These stay, as
they belong to the elements; between the same elements of two models they come along.

Models are read from checkpoints (.npz), a train_dir, exported networks (networks_metadata.json) or
potentials (panna.in). All takes read the models as they were, so --take C:N N:C swaps two species.
Layers are numbered from 0, as in layer0_w_file of panna_train."""

EPILOG = """\
panna_train itself begins with the whole network of another species by networks_from in [TARGET];
this program is for single layers, several models, potentials and swaps.
examples:
  panna_weights_exchange -i train -o start --take C:N C:O
  panna_weights_exchange -i train/best.npz --from old/potential -o start --take Si:Si --layers 0,1
  panna_weights_exchange -i train --step best -o potential --format potential --take C:N"""


def main(argv: list[str] | None = None) -> int:
    """Entry point of panna_weights_exchange; returns the exit code."""
    return run_program(_run, argv)


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = program_parser("panna_weights_exchange", DESCRIPTION, EPILOG)
    parser.add_argument(
        "-i", "--input", required=True, metavar="MODEL", type=Path, help="the model to change"
    )
    parser.add_argument(
        "-o", "--outdir", "--output", required=True, metavar="DIR", type=Path,
        help="folder of the result; an earlier export there is replaced, nothing else",
    )  # fmt: skip
    parser.add_argument(
        "--take", nargs="+", required=True, metavar="SOURCE:TARGET", type=_pair,
        help="the network of SOURCE becomes that of TARGET",
    )  # fmt: skip
    parser.add_argument(
        "--from", dest="other", metavar="MODEL", type=Path,
        help="model with the networks to take; default: that of -i",
    )  # fmt: skip
    parser.add_argument(
        "--layers", metavar="K,K,...", type=_layers, help="copy these layers only; default: all"
    )
    parser.add_argument(
        "--step", default=-1, type=_step, help="of a train_dir: a step, last (default) or best"
    )
    parser.add_argument(
        "--reference-energies", choices=("auto", "keep", "take"), default="auto",
        help="auto: taken between the same elements, else kept (default)",
    )  # fmt: skip
    parser.add_argument(
        "--format", choices=("networks", "potential"), default="networks",
        help="networks: arrays to start panna_train from (default); potential: for LAMMPS and ASE",
    )  # fmt: skip
    return parser.parse_args(argv)


def _pair(text: str) -> tuple[str, str]:
    source, separator, target = text.partition(":")
    if not (separator and source and target) or ":" in target:
        raise argparse.ArgumentTypeError(f"{text!r} found, SOURCE:TARGET expected, such as C:N")
    return source, target


def _layers(text: str) -> tuple[int, ...]:
    parts = text.split(",")
    if not all(part.isdecimal() for part in parts) or len(set(map(int, parts))) < len(parts):
        raise argparse.ArgumentTypeError(
            f"{text!r} found, different numbers from 0 expected, such as 0,1"
        )
    return tuple(map(int, parts))


def _step(text: str) -> int | str:
    if text in ("best", "last", "-1"):
        return "best" if text == "best" else -1
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} found, a step, last or best expected")
    return int(text)


def _run(argv: list[str] | None) -> None:
    args = _arguments(argv)
    # Imported here so that --help and wrong arguments are answered at once.
    from panna.evaluation.open_network import open_network
    from panna.potential.exchange import Take, exchange
    from panna.potential.export import check_replaceable

    check_replaceable(args.outdir)
    network = open_network(args.input, args.step)
    other = None if args.other is None else open_network(args.other, args.step)
    takes = [Take(*pair) for pair in args.take]
    model = exchange(
        network.model, takes, other and other.model, args.layers, args.reference_energies
    )
    _say_plan(args, network, other, takes, model)
    _write(args, model)


def _say_plan(
    args: argparse.Namespace,
    network: NamedNetwork,
    other: NamedNetwork | None,
    takes: list[Take],
    model: Model,
) -> None:
    source = other or network
    say("Exchange of networks between species")
    rows = [("model", f"{network.source} ({', '.join(network.model.species)})")]
    if other is not None:
        rows.append(("networks from", f"{other.source} ({', '.join(other.model.species)})"))
    rows.append(("to", f"{args.outdir} ({args.format})"))
    which = "whole network" if args.layers is None else f"layers {_text(args.layers)}"
    for take in takes:
        t = model.species.index(take.target)
        before, after = network.model.offsets[t], model.offsets[t]
        word = "kept" if before == after else f"taken, {before:.6f} eV before"
        rows += [
            (f"{take.source} -> {take.target}", f"{which}, now {_shape(model.networks[t])}"),
            ("", f"reference energy {after:.6f} eV ({word})"),
        ]
    say_facts(rows)
    notes = []
    if other is not None and not (other.model.descriptor and network.model.descriptor):
        notes.append(
            "one of the models does not know its descriptor; that both have the same one could not "
            "be checked"
        )
    last = len(source.model.networks[0].sizes) - 1
    if not source.model.offsets.any() and (args.layers is None or last in args.layers):
        notes.append(
            f"{source.source} states no reference energies; if its networks contain them, they "
            "were copied with the networks"
        )
    say_notes(notes)


def _write(args: argparse.Namespace, model: Model) -> None:
    from panna.potential.agreement import check_networks, check_potential
    from panna.potential.export import export_directory
    from panna.potential.panna_in import write_potential
    from panna.potential.panna_networks import write_networks

    with export_directory(args.outdir) as folder:
        if args.format == "potential":
            written = write_potential(model, folder)
            agreement = check_potential(model, folder)
        else:
            written = write_networks(model, folder)
            agreement = check_networks(model, folder)
    say_facts([("checked", str(agreement))])
    say(f"\nWritten to {args.outdir}: {listed([path.name for path in written], most=3)}")
    if args.format == "potential":
        say("Next, in LAMMPS:")
        say(f"  pair_coeff  * * {args.outdir} panna.in {' '.join(model.species)}")
        return
    say("Next: panna_train, where train.ini has")
    say(f"  [DEFAULT_NETWORK]  networks_metadata = {args.outdir}")
    say("or panna_evaluate with")
    say(f"  networks_format = PANNA, networks_folder = {args.outdir}")


def _shape(network: SpeciesNetwork) -> str:
    sizes = ":".join(map(str, (network.g_size, *network.sizes)))
    return f"{sizes} {':'.join(network.activations)}"


def _text(layers: tuple[int, ...]) -> str:
    return ", ".join(map(str, layers))


if __name__ == "__main__":
    sys.exit(main())
