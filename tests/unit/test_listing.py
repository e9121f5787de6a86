"""A folder of very many files, as a sequence of paths that are not kept."""

import tracemalloc

import numpy as np
import pytest
from descriptor_cases import mbp

from panna.errors import FileError
from panna.listing import Listing, files_in, list_files
from panna.storage.calculate import Calculation, sort_out


def test_files_are_sorted_by_name_and_folders_are_no_files(tmp_path):
    names = ["b.bin", "a-1.bin", "a.bin", "größe.bin", "a" * 200 + ".bin", ".bin"]
    for name in [*names, "a.tfrecord"]:
        (tmp_path / name).touch()
    (tmp_path / "folder.bin").mkdir()
    found = list_files(tmp_path, ".bin")
    assert list(found) == [tmp_path / name for name in sorted(names)]
    assert found[-1] == tmp_path / "größe.bin"
    for name in names:
        assert found.holds(name)
    for name in ("a.tfrecord", "folder.bin", "a", "zz.bin", ""):
        assert not found.holds(name)
    assert not list_files(tmp_path, ".example").holds("a.bin")


def test_some_of_the_files_are_chosen_in_the_order_asked_for(tmp_path):
    for name in "cab":
        (tmp_path / name).touch()
    found = list_files(tmp_path, "")
    assert [path.name for path in found.select(np.array([2, 0]))] == ["c", "a"]
    assert [path.name for path in found.select(np.array([True, False, True]))] == ["a", "c"]
    assert not found.select(np.zeros(3, bool))


def test_nothing_to_find_is_an_error_only_where_there_must_be_files(tmp_path):
    assert len(list_files(tmp_path / "absent", ".bin")) == 0
    with pytest.raises(FileError, match="absent: no such folder; make it"):
        files_in(tmp_path / "absent", ".bin", "make it")
    (tmp_path / "x.txt").touch()
    with pytest.raises(FileError, match=r"no \*.bin file in it \(1 other entries\); make it"):
        files_in(tmp_path, ".bin", "make it")


def test_an_example_costs_little_more_than_its_name(tmp_path):
    """In lists of paths each would cost half a kilobyte."""
    count = 50_000
    names = np.char.add(b"frame_", np.arange(count).astype("S6"))
    names.sort()
    calculation = Calculation(mbp(), tmp_path / "bin")
    tracemalloc.start()
    work = sort_out(calculation, Listing(tmp_path, names))
    assert len(work.todo) == count and not work.done
    assert all(path.name == name.decode() for path, name in zip(work.todo, names, strict=True))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    pathlib = 10e6  # bytes that it keeps to itself, whatever the number of paths (Python 3.11)
    assert peak < pathlib + 100 * count, peak / count
