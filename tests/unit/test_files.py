"""A file is there completely or not at all."""

import errno
import hashlib
import os
import stat

import pytest

from panna.errors import FileError
from panna.files import atomic_write, only_writer, sha256_of


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_text_and_bytes_are_written_as_given(tmp_path):
    with atomic_write(tmp_path / "a.txt") as file:
        file.write("größe\nb\r\n")
    with atomic_write(tmp_path / "a.bin", "wb") as file:
        file.write(b"\x00\n")
    assert (tmp_path / "a.txt").read_bytes() == "größe\nb\r\n".encode()
    assert (tmp_path / "a.bin").read_bytes() == b"\x00\n"
    assert names(tmp_path) == ["a.bin", "a.txt"]


def test_the_name_appears_only_at_the_end(tmp_path):
    target = tmp_path / "x.example"
    target.write_text("before")
    with atomic_write(target) as file:
        file.write("after")
        file.flush()
        assert target.read_text() == "before"
        (temporary,) = set(names(tmp_path)) - {"x.example"}
        assert temporary.startswith(".") and temporary.endswith(".tmp")
    assert target.read_text() == "after"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_after_a_failure_all_is_as_before(tmp_path, error):
    target = tmp_path / "x"
    target.write_text("before")
    with pytest.raises(error), atomic_write(target) as file:
        file.write("half")
        raise error
    assert target.read_text() == "before"
    assert names(tmp_path) == ["x"]


def test_two_writers_do_not_meet(tmp_path):
    with atomic_write(tmp_path / "x") as one, atomic_write(tmp_path / "x") as two:
        one.write("1")
        two.write("2")
        assert one.name != two.name
    assert (tmp_path / "x").read_text() == "1"
    assert names(tmp_path) == ["x"]


def test_a_link_keeps_pointing_to_the_file(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "data" / "x")
    with atomic_write(tmp_path / "link") as file:
        file.write("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "data" / "x").read_text() == "new"


def test_longest_names_are_possible(tmp_path):
    with atomic_write(tmp_path / ("n" * 255)) as file:
        file.write("x")
    assert names(tmp_path) == ["n" * 255]


def test_files_are_readable_as_any_other(tmp_path):
    before = os.umask(0o022)
    try:
        with atomic_write(tmp_path / "x"):
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o644


def test_a_missing_folder_is_named(tmp_path):
    with (
        pytest.raises(FileError, match=r"x: cannot be written, folder .*no does not exist; create"),
        atomic_write(tmp_path / "no" / "x"),
    ):
        pass


def test_a_folder_in_the_way_is_an_error(tmp_path):
    (tmp_path / "x").mkdir()
    with pytest.raises(FileError, match="x: cannot be written"), atomic_write(tmp_path / "x"):
        pass
    assert names(tmp_path) == ["x"]


def test_a_full_disk_is_an_error_of_the_file(tmp_path):
    with (
        pytest.raises(FileError, match=r"x: cannot be written \(No space left on device\)"),
        atomic_write(tmp_path / "x"),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert names(tmp_path) == []


def test_errors_about_other_files_pass_unchanged(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_write(tmp_path / "x"):
        (tmp_path / "other").read_text()
    assert names(tmp_path) == []


def test_only_two_modes(tmp_path):
    with pytest.raises(ValueError, match="mode 'a' found"), atomic_write(tmp_path / "x", "a"):
        pass


def test_the_hash_is_that_of_the_content(tmp_path):
    content = b"panna" * 500_000  # more than one block
    (tmp_path / "x").write_bytes(content)
    assert sha256_of(tmp_path / "x") == hashlib.sha256(content).hexdigest()
    with pytest.raises(FileError, match="none: cannot be read"):
        sha256_of(tmp_path / "none")


def test_one_writer_keeps_others_out_until_it_ends(tmp_path):
    folder = tmp_path / "run"
    with only_writer(folder, "panna_train"):
        message = "run: another panna_train is at work in this folder; wait for its end"
        with pytest.raises(FileError, match=message), only_writer(folder, "panna_train"):
            pass
    with only_writer(folder, "panna_train"):
        pass


def test_what_a_killed_writer_left_is_deleted(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    left = tmp_path / "checkpoints" / ".step_5.npz.123.abcd.tmp"
    kept = tmp_path / "checkpoints" / "step_4.npz"
    for path in (left, kept):
        path.write_bytes(b"half")
    with only_writer(tmp_path, "panna_train"):
        assert not left.exists() and kept.exists()
