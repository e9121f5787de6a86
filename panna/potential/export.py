"""Writing an export so that it is complete and checked, or not there at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from panna.errors import PotentialError
from panna.members import NAME
from panna.potential import panna_in_text
from panna.potential.kim_item import FILES as KIM_FILES
from panna.potential.panna_networks import METADATA
from panna.text import listed


@contextmanager
def export_directory(target: str | Path) -> Iterator[Path]:
    """A folder to write into that takes the place of `target` when the block ends well.

    An export made earlier by this program is replaced if nothing else lies beside it. If the block
    raises, the folder is removed and `target` stays as it was.

    Raises:
      PotentialError: target is a file, holds something else, or cannot be made.
    """
    shown = target = Path(target)
    check_replaceable(target)
    target = target.resolve()
    new = target.with_name(f".{target.name}.new.{os.getpid()}")
    old = target.with_name(f".{target.name}.old.{os.getpid()}")
    try:
        new.mkdir(parents=True)
    except OSError as error:
        raise PotentialError(
            f"{target}: cannot be made ({error.strerror}); choose another output_dir"
        ) from error
    try:
        try:
            yield new
        except PotentialError as error:  # about the folder that the user knows
            raise PotentialError(str(error).replace(str(new), str(shown))) from error
        if target.exists():
            os.rename(target, old)
            try:
                os.rename(new, target)
            except OSError:
                os.rename(old, target)
                raise
            shutil.rmtree(old)
        else:
            os.rename(new, target)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def check_replaceable(target: str | Path) -> None:
    """Raises PotentialError unless target is absent, empty, or nothing but an export of ours."""
    target = Path(target)
    if not target.exists():
        return
    if not target.is_dir():
        raise PotentialError(f"{target}: is a file; output_dir must be a folder")
    foreign = _foreign(target)
    if foreign:
        raise PotentialError(
            f"{target}: not empty, and {listed(foreign)} did not come from extract_weights; "
            "nothing was written. Choose another output_dir or empty this one"
        )


def _foreign(folder: Path) -> list[str]:
    """Names of what is in a folder and not of an export of a network or committee."""
    entries = sorted(entry.name for entry in folder.iterdir())
    ours = _files_of_potential(folder, entries) or _files_of_networks(folder, entries)
    if not ours and entries and all(NAME.fullmatch(name) for name in entries):
        members = [folder / name for name in entries]
        ours = {one.name for one in members if one.is_dir() and not _foreign(one)}
    return [name for name in entries if name not in ours]


def _files_of_potential(target: Path, entries: list[str]) -> set[str]:
    """panna.in (under any name) and its weights, if this program wrote them; else nothing."""
    for name in entries:
        if name.endswith((".dat", ".npy", ".json")) or not (target / name).is_file():
            continue
        try:
            file = panna_in_text.parse(target / name)
        except PotentialError:
            continue
        head = file.sections.get("GVECT_PARAMETERS")
        if head is not None and "panna_version" in head:
            named = {
                section.text(key)
                for section in file.sections.values()
                for key in ("file", "ranges")
                if key in section
            }
            return {name, *named, *(KIM_FILES if "kimspec.edn" in entries else ())}
    return set()


def _files_of_networks(target: Path, entries: list[str]) -> set[str]:
    """networks_metadata.json and its arrays, if this program wrote them; else nothing."""
    if METADATA not in entries:
        return set()
    try:
        metadata = json.loads((target / METADATA).read_text(encoding="utf-8"))
        if "panna_version" not in metadata:
            return set()
        return {
            METADATA,
            *(name for s in metadata["networks_files"] for pair in s for name in pair),
        }
    except (OSError, ValueError, KeyError, TypeError):
        return set()
