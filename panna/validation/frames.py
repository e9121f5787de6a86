"""The frames of the test set and of the training set, read again."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from panna.errors import PannaError
from panna.frames.example_file import read_example
from panna.frames.example_folder import list_examples
from panna.frames.frame import Frame
from panna.listing import Listing
from panna.validation.section import NotPossible
from panna.validation.subject import Subject


def frames_of_test(subject: Subject) -> Iterator[Frame]:
    """The frames of `subject.test`, in its order.

    Raises:
      NotPossible: the folder has changed since.
    """
    test = subject.test
    unreadable = {name for name, _ in test.unreadable}
    folder = subject.config["IO_INFORMATION"]["test_dir"]
    number = 0
    for path in list_examples(folder):
        if path.name in unreadable:
            continue
        frame = read_example(path)
        if number >= len(test) or frame.name != test.names[number]:
            break
        yield frame
        number += 1
    else:
        if number == len(test):
            return
    raise NotPossible(f"the files in {folder} have changed since they were tested; run it again")


def training_files(subject: Subject) -> Listing | None:
    """The files of [IO_INFORMATION] training_dir in random order, which is always the same.

    Returns:
      None if no folder is given.
    Raises:
      NotPossible: it cannot be used.
    """
    folder = subject.config["IO_INFORMATION"]["training_dir"]
    if folder is None:
        return None
    try:
        files = list_examples(folder)
    except PannaError as error:
        raise NotPossible(str(error)) from error
    return files.select(np.random.default_rng(1).permutation(len(files)))
