"""Writing files so that no reader ever sees half of one, and telling them apart."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from panna.errors import FileError

MODES = ("w", "wb")
# While a file is written these mean trouble with the disk, not a mistake in the program.
DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS}


@contextmanager
def atomic_write(path: str | os.PathLike[str], mode: str = "w") -> Iterator[IO[Any]]:
    """Open a file that appears under its name only when it is complete.

    It is written under a temporary name, beginning with a dot and ending with .tmp, in the same
    folder, and renamed at the end of the `with` block. If the block raises, the temporary file
    disappears and what was there before stays. A symbolic link keeps pointing to the file.

    Args:
      path: the file; its folder must exist.
      mode: "w" (text, UTF-8, newline as written) or "wb".
    Yields:
      the open file; its `name` is the temporary name.
    Raises:
      FileError: the folder does not exist or cannot be written, or the disk is full.
      ValueError: another mode.
    """
    if mode not in MODES:
        raise ValueError(f"mode {mode!r} found, one of {MODES} expected")
    target = Path(os.path.realpath(path))
    # A name of a file may have 255 bytes: the temporary name keeps only its beginning.
    stem = target.name[:40]
    temporary = target.with_name(f".{stem}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    text = {} if "b" in mode else {"encoding": "utf-8", "newline": ""}
    try:
        # Opened in here: an interruption may come when the file exists and has no name yet.
        with open(temporary, mode.replace("w", "x"), **text) as file:
            yield file
        os.replace(temporary, target)
    except OSError as error:
        _remove(temporary)
        named = error.filename is not None and Path(os.fsdecode(error.filename)) == temporary
        if named or error.errno in DISK_ERRORS:
            raise FileError(_cannot_write(path, error)) from error
        raise
    except BaseException:
        _remove(temporary)
        raise


@contextmanager
def only_writer(folder: str | os.PathLike[str], program: str) -> Iterator[None]:
    """Make a folder and keep other runs of a program out of it during the `with` block.

    The lock is on the file .lock in it and ends with the process, however that ends. Where locks
    are impossible (read-only folders, some network disks) nothing is kept out. What a killed run
    has left half-written is deleted.

    Raises:
      FileError: another run holds the folder, or it cannot be made.
    """
    make_folder(folder)
    with ExitStack() as held:
        with suppress(OSError):
            file = held.enter_context(open(Path(folder) / ".lock", "ab"))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise FileError(
                    f"{os.fspath(folder)}: another {program} is at work in this folder; wait for "
                    "its end, or choose another folder"
                ) from error
            for unfinished in Path(folder).rglob(".*.tmp"):  # see atomic_write
                _remove(unfinished)
        yield


def make_folder(path: str | os.PathLike[str]) -> None:
    """Make a folder and those above it, unless it is there.

    Raises:
      FileError: it cannot be made, or is a file.
    """
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or error
        raise FileError(f"{os.fspath(path)}: the folder cannot be made ({reason})") from error


def check_can_be_written(path: Path) -> None:
    """Complains before the long work that leads to a file.

    Raises:
      FileError: the file cannot be written there.
    """
    if path.is_dir():
        raise FileError(f"{path}: is a folder; the name of a file is expected")
    if not path.parent.is_dir():
        raise FileError(
            f"{path}: cannot be written, folder {path.parent} does not exist; create it"
        )
    if not os.access(path.parent, os.W_OK):
        raise FileError(f"{path}: cannot be written, folder {path.parent} is not writable")


def sha256_of(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file's content, 64 hexadecimal digits.

    Raises:
      FileError: the file cannot be read.
    """
    try:
        with open(path, "rb") as file:
            digest = hashlib.sha256()
            while block := file.read(1 << 20):
                digest.update(block)
            return digest.hexdigest()
    except OSError as error:
        raise FileError(f"{os.fspath(path)}: cannot be read ({error.strerror})") from error


def _cannot_write(path: str | os.PathLike[str], error: OSError) -> str:
    folder = Path(path).parent
    if error.errno == errno.ENOENT and not folder.exists():
        return f"{os.fspath(path)}: cannot be written, folder {folder} does not exist; create it"
    return f"{os.fspath(path)}: cannot be written ({error.strerror or error})"


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()
