"""TensorFlow, where a program needs it: present or explained, and quiet."""

from __future__ import annotations

import importlib.util
import os

from panna.errors import StorageError


def require_tensorflow(purpose: str, *others: str) -> None:
    """To be called before the first import of TensorFlow, which otherwise tells about itself.

    Args:
      purpose: what needs it, for the message.
      others: further modules that must be there.
    Raises:
      StorageError: one of the modules is not installed.
    """
    for name in ("tensorflow", *others):
        if importlib.util.find_spec(name) is None:
            raise StorageError(
                f"{name} is not installed, {purpose} needs it; pip install 'panna[cpu]', or "
                "'panna[gpu]' for NVIDIA GPUs"
            )
    # Errors of its C++ part are shown, information and warnings are not.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
