"""panna_tfr_packer: a folder of .bin files to TFRecord files, ready for training."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__" and not __package__:
    # Started as a script: prefer the installed package, fall back to the checkout.
    sys.path[0:1] = []
    sys.path.append(str(Path(__file__).resolve().parents[1]))

from panna.config.arguments import config_parser
from panna.config.reader import Config, read_config
from panna.config.tfr import TFR
from panna.console import Progress, say, say_facts, say_notes
from panna.errors import run_program
from panna.files import make_folder
from panna.text import counted, readable_bytes

if TYPE_CHECKING:
    from panna.storage.pack import Packing, Plan, Target
    from panna.storage.record import DescriptorRecord

DESCRIPTION = """\
Pack all .bin files of a folder into TFRecord files, sorted by name or shuffled with a seed, and
split them into sets for training, validation and test if fractions are given.

What goes where depends on the names of the files, the options and the seed only. Complete files
are kept, so an interrupted run continues; files of other data or options are never mixed in."""


def main(argv: list[str] | None = None) -> int:
    """Entry point of panna_tfr_packer; returns the exit code."""
    return run_program(_run, argv)


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    return config_parser("panna_tfr_packer", DESCRIPTION).parse_args(argv)


def _run(argv: list[str] | None) -> int:
    args = _arguments(argv)
    config = read_config(args.config, TFR)
    # Imported here so that --help and mistakes in the ini file are answered at once.
    from panna.storage.pack import adopt, make_plan, records_of
    from panna.storage.require_tensorflow import import_tensorflow, require_tensorflow

    require_tensorflow("writing TFRecord files")
    packing = _packing(config)
    plan = make_plan(packing)
    todo = plan.to_do()
    make_folder(packing.output_dir)
    adopt(plan)
    _say_plan(config, plan, todo)
    if todo:
        import_tensorflow()  # takes seconds
        from panna.storage.tfrecord import write_tfrecord

        sparse = packing.derivatives == "sparse"
        with Progress(sum(len(target.frames) for target in todo), "packing", "frames") as progress:
            for target in todo:
                make_folder(target.path.parent)
                records = progress.track(records_of(target, packing))
                write_tfrecord(target.path, records, sparse)
    _say_result(plan, todo)
    return 0


def _packing(config: Config) -> Packing:
    from panna.storage.pack import Packing

    files, content = config["IO_INFORMATION"], config["CONTENT_INFORMATION"]
    form = "sparse" if content["sparse_derivatives"] else "dense"
    return Packing(
        derivatives=form if content["include_derivatives"] else "none",
        per_atom_quantity=content["include_per_atom_quantity"],
        n_species=content["n_species"],
        **files,
    )


# -- report ----------------------------------------------------------------------------------------


def _say_plan(config: Config, plan: Plan, todo: list[Target]) -> None:
    from panna.storage.bin_file import read_bin

    packing = plan.packing
    frames = (path for target in plan.targets for path in target.frames)
    size = readable_bytes(sum(path.stat().st_size for path in frames))
    first = read_bin(plan.targets[0].frames[0])
    order = "shuffled" if packing.shuffle else "sorted by name"
    if packing.split:
        order = f"sets drawn with seed {packing.seed}, each {order}"
    elif packing.shuffle:
        order += f" with seed {packing.seed}"
    rows = [
        ("configuration", str(config.path)),
        ("frames", f"{plan.n_frames} in {packing.input_dir} ({size})"),
        ("descriptor", _descriptor(plan, first)),
        ("content", _content(plan, first)),
        ("order", order),
        ("to", str(packing.output_dir)),
    ]
    for folder, targets in _by_folder(plan.targets).items():
        count = sum(len(target.frames) for target in targets)
        rows.append(("", f"{folder.name}: {counted(count, 'frame')} in {_files(targets)}"))
    if len(todo) < len(plan.targets):
        rows.append(("there already", counted(len(plan.targets) - len(todo), "file")))
    say("Packing descriptors into TFRecord files")
    say_facts(rows)
    say_notes([*config.notices, *_notices(plan, first)])


def _descriptor(plan: Plan, first: DescriptorRecord) -> str:
    if plan.descriptor is None:
        return f"not stated in the files; {first.g_size} components"
    species = ", ".join(plan.descriptor["species"])
    name = f"{plan.descriptor['type']} of {species} ({first.descriptor_hash})"
    return f"{name}, {first.g_size} components"


def _content(plan: Plan, first: DescriptorRecord) -> str:
    """What the records hold, as the first frame tells; forces may be those of some frames."""
    packing, without = plan.packing, len(plan.no_forces)
    parts = ["energy", "descriptors"]
    parts += ["geometry"] if first.positions is not None else []
    if 0 < without < plan.n_frames:
        parts.append(f"forces of {plan.n_frames - without} frames")
    elif first.forces is not None:
        parts.append("forces")
    parts += ["virial"] if first.virial is not None else []
    parts += [f"{packing.derivatives} derivatives"] if packing.derivatives != "none" else []
    parts += ["per-atom energies"] if packing.per_atom_quantity else []
    return ", ".join(parts)


def _notices(plan: Plan, first: DescriptorRecord) -> list[str]:
    packing, without, notices = plan.packing, plan.no_forces, []
    if 0 < len(without) < plan.n_frames:
        notices.append(
            f"{counted(len(without), 'frame')} without forces (first: {without[0]}): a training "
            "on forces needs forces of all frames; compute the descriptors of the others into a "
            "folder of their own for it"
        )
    if first.descriptor is None:
        notices.append(
            f"{packing.input_dir} holds files of PANNA v1 or v2, which do not say with which "
            "parameters they were made"
        )
    if first.positions is None and packing.derivatives == "none":
        notices.append(
            "the files have no geometry, and no derivatives are packed: they can be used to train "
            "on energies only"
        )
    if first.derivatives is not None and packing.derivatives == "none":
        notices.append(
            "the derivatives in the files are not packed; [CONTENT_INFORMATION] "
            "include_derivatives = True packs them"
        )
    return notices


def _say_result(plan: Plan, todo: list[Target]) -> None:
    from panna.storage.pack import SUBSETS

    packing = plan.packing
    say()
    if todo:
        size = readable_bytes(sum(target.path.stat().st_size for target in todo))
        count = sum(len(target.frames) for target in todo)
        frames = counted(count, "frame")
        say(f"{_files(todo)} with {frames} ({size}) written to {packing.output_dir}")
    else:
        say(f"Nothing to do: {_files(plan.targets)} in {packing.output_dir} already")
    folders = {folder.name: folder for folder in _by_folder(plan.targets)}
    say()
    say("Next: panna_train --config train.ini, where train.ini has")
    say(
        "  [IO_INFORMATION]      data_dir = "
        f"{folders.get(SUBSETS[0], packing.output_dir) if packing.split else packing.output_dir}"
    )
    if packing.split and SUBSETS[1] in folders:
        say(f"  [VALIDATION_OPTIONS]  data_dir = {folders[SUBSETS[1]]}")
    if plan.descriptor is not None:
        say(f"  [DATA_INFORMATION]    atomic_sequence = {', '.join(plan.descriptor['species'])}")


def _by_folder(targets: Iterable[Target]) -> dict[Path, list[Target]]:
    folders: dict[Path, list[Target]] = {}
    for target in targets:
        folders.setdefault(target.path.parent, []).append(target)
    return folders


def _files(targets: Sequence[Target]) -> str:
    return counted(len(targets), "file")


if __name__ == "__main__":
    sys.exit(main())
