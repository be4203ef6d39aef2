"""Every file is written whole or not at all, whoever is killed meanwhile."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from expander.errors import FileError
from expander.files import (
    check_writable,
    digest,
    fill_whole,
    make_folder,
    publish,
    read_whole,
    sealed,
    unsealed,
    write_whole,
)

# Writes half a file, says so and waits.
HALF = """
import sys, time
from pathlib import Path
from expander.files import fill_whole

def half(file):
    file.write(b"half")
    file.flush()
    print("half", flush=True)
    time.sleep(60)

fill_whole(Path(sys.argv[1]), half)
"""
# Writes a file again and again.
OFTEN = """
import sys
from pathlib import Path
from expander.files import sealed, write_whole

for number in range(100):
    write_whole(Path(sys.argv[1]), sealed({"number": number, "of": sys.argv[2], "long": "x" * 50_000}))
"""


def begun(path: Path) -> subprocess.Popen[str]:
    """A process that has written half of the file."""
    process = subprocess.Popen([sys.executable, "-c", HALF, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "half\n"
    return process


def killed(process: subprocess.Popen[str]) -> None:
    with process:
        process.send_signal(signal.SIGKILL)


def test_what_a_killed_writer_left_goes_with_the_next_write_and_a_living_writers_stays(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_whole(path, b"before")
    dead, living = begun(path), begun(path)
    killed(dead)
    try:
        assert len(list(tmp_path.iterdir())) == 3
        assert path.read_bytes() == b"before"
        write_whole(tmp_path / "other", b"")
        assert len(list(tmp_path.iterdir())) == 3  # file, other, and the living one's
    finally:
        killed(living)
    check_writable(tmp_path)
    assert sorted(tmp_path.iterdir()) == [path, tmp_path / "other"]


def test_other_programs_temporary_files_are_left_alone(tmp_path: Path) -> None:
    theirs = [tmp_path / name for name in (".a.tmp", "b.tmp", ".expander-1.tmp", ".expander-0123456789abcdef.tmp~")]
    for each in theirs:
        each.write_bytes(b"theirs")
    write_whole(tmp_path / "file", b"")
    assert all(each.exists() for each in theirs)


def test_of_writers_at_once_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_whole(path, sealed({"number": -1}))
    writers = [subprocess.Popen([sys.executable, "-c", OFTEN, str(path), str(each)]) for each in range(3)]
    seen = set()
    while any(writer.poll() is None for writer in writers):
        seen.add(unsealed(path.read_bytes())["number"])
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert len(seen) > 2
    assert list(tmp_path.iterdir()) == [path]


def test_file_and_folder_are_brought_to_the_disk_around_the_renaming(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, synced = os.fsync, []

    def fsync(descriptor: int) -> None:
        synced.append((Path(f"/proc/self/fd/{descriptor}").resolve().is_dir(), (tmp_path / "file").exists()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    write_whole(tmp_path / "file", b"content")
    assert synced == [(False, False), (True, True)]
    synced.clear()
    (tmp_path / "made").write_bytes(b"content")
    (tmp_path / "file").unlink()
    publish(tmp_path / "made", tmp_path / "file")
    assert synced == [(False, False), (True, True)]


def test_what_cannot_be_written_says_where_why_and_what_to_do(tmp_path: Path) -> None:
    missing, occupied = tmp_path / "missing" / "file", tmp_path / "occupied"
    occupied.mkdir()
    with pytest.raises(FileError) as gone:
        write_whole(missing, b"")
    assert f"{missing} cannot be written: No such file or directory: {missing.parent} is not there" in str(gone.value)
    assert "mount it again" in str(gone.value)
    assert isinstance(gone.value.__cause__, FileNotFoundError)
    assert gone.value.number == errno.ENOENT
    assert not missing.parent.exists()
    with pytest.raises(FileError, match="occupied cannot be written: Is a directory; give a file in a folder that"):
        write_whole(occupied, b"")
    with pytest.raises(FileError, match="missing/file cannot be read: No such file"):
        read_whole(missing)
    with pytest.raises(FileError, match="file cannot be read"):
        digest(missing)
    with pytest.raises(FileError, match="cannot be made"):
        make_folder(missing, parents=False)
    assert list(tmp_path.iterdir()) == [occupied]


def test_what_the_writer_raises_comes_through_and_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_whole(path, b"old")
    with pytest.raises(ZeroDivisionError):
        fill_whole(path, lambda file: file.write(b"new" * (1 // 0)))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in what a shell runs in the background
    try:
        with pytest.raises(KeyboardInterrupt):
            fill_whole(path, lambda file: os.kill(os.getpid(), signal.SIGINT))
    finally:
        signal.signal(signal.SIGINT, before)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_change_of_any_sealed_value_is_noticed() -> None:
    values = {"score": 0.5, "names": ["a", "b"], "none": None}
    content = sealed(values)
    assert unsealed(content) == values
    for before, after in ((b"0.5", b"0.6"), (b'"b"', b'"c"'), (b"null", b"1"), (b'"none"', b'"nine"')):
        assert before in content
        with pytest.raises(ValueError, match="checksum does not match"):
            unsealed(content.replace(before, after))
    for torn in (content[:20], b"", b"[1]"):
        with pytest.raises(ValueError, match=r"."):
            unsealed(torn)
    assert unsealed(json.dumps(values).encode()) == values  # as earlier versions wrote it
