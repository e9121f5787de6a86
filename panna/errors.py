"""Errors of PANNA, one class per stage, and the one place where programs catch them.

A message says where (file, section and key, or line), what was found, what was expected and what
to do. An exception that is not a PannaError (and not an OSError about a named file) is a bug and
shows its traceback.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress


class PannaError(Exception):
    """Something the user can mend. `code` is stable: scripts may test it."""

    code = "panna"


class ConfigError(PannaError):
    """An ini file that cannot be used: unreadable, unknown key, wrong value, missing key."""

    code = "config"


class FileError(PannaError):
    """A file or folder that cannot be read or written."""

    code = "file"


class FrameError(PannaError):
    """A configuration of atoms that cannot be used, or a file of one that cannot be read."""

    code = "frame"


class DescriptorError(PannaError):
    """Descriptor parameters that make no sense, or do not fit the data."""

    code = "descriptor"


class StorageError(PannaError):
    """A .bin or .tfrecord file that is broken or does not fit the others."""

    code = "storage"


class TrainingError(PannaError):
    """A network, checkpoint or training run that cannot go on."""

    code = "training"


class PotentialError(PannaError):
    """A potential that cannot be read, written or evaluated."""

    code = "potential"


EXIT_ERROR = 2
EXIT_INTERRUPTED = 130
EXIT_PIPE_CLOSED = 141


def run_program(
    body: Callable[[list[str] | None], int | None], argv: list[str] | None = None
) -> int:
    """Run the body of a program and turn errors of the user into a message and an exit code.

    Args:
      body: the program, given the command line; may return an exit code.
      argv: command line without the program name; None takes sys.argv.
    Returns:
      0 or what the body returned; 2 after a PannaError or an OSError that names its file (one
      message on stderr); 130 after Ctrl-C; 141 when the reader of standard output has gone away.
    """
    try:
        code = body(argv)
        sys.stdout.flush()
    except PannaError as error:
        return _fail(str(error))
    except BrokenPipeError:
        # As in `panna_train ... | head`: nobody reads, and the interpreter's last flush must not
        # complain either.
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_PIPE_CLOSED
    except KeyboardInterrupt:
        _report("panna: interrupted")
        return EXIT_INTERRUPTED
    except OSError as error:
        if error.filename is None:
            raise
        return _fail(f"{os.fsdecode(error.filename)}: {error.strerror or error}")
    return 0 if code is None else code


def _fail(message: str) -> int:
    _report(f"panna: error: {message}")
    return EXIT_ERROR


def _report(text: str) -> None:
    with suppress(OSError):
        sys.stdout.flush()
    # Names of files may hold characters that the terminal's encoding lacks.
    encoding = getattr(sys.stderr, "encoding", None) or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), file=sys.stderr, flush=True)
