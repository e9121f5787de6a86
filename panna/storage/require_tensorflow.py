"""TensorFlow, where a program needs it: present or explained, and quiet."""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from panna.errors import StorageError
from panna.extras import missing, pip_install

# What TensorFlow says while it is imported, whatever the level of its messages is.
CHATTER = (b"WARNING: All log messages before absl::InitializeLog", b"I0000 ")


def require_tensorflow(purpose: str, *others: str) -> None:
    """To be called before the first import of TensorFlow, which otherwise tells about itself.

    Args:
      purpose: what needs it, for the message.
      others: further modules that must be there.
    Raises:
      StorageError: one of the modules is not installed.
    """
    if name := missing("tensorflow", *others):
        raise StorageError(
            f"{name} is not installed, {purpose} needs it; {pip_install('cpu')}, "
            "or with gpu in place of cpu for NVIDIA GPUs"
        )
    # Errors of its C++ part are shown, information and warnings are not.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def import_tensorflow() -> None:
    """The first import of TensorFlow, without its chatter unless TF_CPP_MIN_LOG_LEVEL is 0."""
    told = os.environ.get("TF_CPP_MIN_LOG_LEVEL") == "0"
    with nullcontext() if told else _without_chatter():
        importlib.import_module("tensorflow")


@contextmanager
def _without_chatter() -> Iterator[None]:
    """Lines of CHATTER do not reach the standard error stream; others do, afterwards.

    The stream of the process, since these lines do not come through sys.stderr.
    """
    sys.stderr.flush()
    original = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(original, 2)
            os.close(original)
            held.seek(0)
            for line in held:
                if not line.startswith(CHATTER):
                    os.write(2, line)
