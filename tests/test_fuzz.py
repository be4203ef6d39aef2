"""Five hundred damaged and hostile files, always the same; `make fuzz` reads twenty thousand others."""

from __future__ import annotations

import hashlib
from pathlib import Path

import fuzz
import pytest
from conftest import Expander
from test_checkpoint import TRIAL

from expander.errors import ManifestError, TrialError
from expander.files import unsealed
from trainers import checkpoint
from trainers.data.manifest import ManifestSource

SEED = 500


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "count"), fuzz.shares(500).items())
def test_damaged_files_are_read_or_refused_in_words(kind: str, count: int, tmp_path: Path) -> None:
    tally = fuzz.fuzz(kind, count, SEED, tmp_path)
    assert tally.findings == []
    assert tally.inputs == count


def test_a_reader_that_raises_anything_else_is_a_finding(tmp_path: Path) -> None:
    # In the child: a file of no list that it knows is a KeyError there.
    sound = fuzz.originals("lists", tmp_path)
    assert fuzz.damaged("lists", SEED, 1, sound) == fuzz.damaged("lists", SEED, 1, sound)
    with pytest.raises(KeyError):
        fuzz.reader("lists")(tmp_path / "other.csv")


def test_the_commands_refuse_them_in_words_and_touch_no_store(tmp_path: Path, expander: Expander) -> None:
    (tmp_path / "list.csv").write_bytes(b"a.mp4 x\n")
    expander("search", "x3d_published", "--name", "first", "--store", "sqlite:///store.db")
    before = (tmp_path / "store.db").read_bytes()
    for kind, command in (("spaces", "plan"), ("configs", "cost"), ("manifests", "data check")):
        sound = fuzz.originals(kind, tmp_path)
        for number in range(3):
            name, content = fuzz.damaged(kind, SEED, number, sound)
            (tmp_path / name).write_bytes(content)
            done = expander(*command.split(), name, code=None)
            assert done.returncode in (0, 1, 2)
            assert "Traceback" not in done.stderr
    for name, content in (fuzz.damaged("spaces", SEED, n, fuzz.originals("spaces", tmp_path)) for n in range(3)):
        (tmp_path / name).write_bytes(content)
        arguments = ("--name", "second", "--train", "list.csv", "--val", "list.csv", "--store", "sqlite:///store.db")
        assert "Traceback" not in expander("search", name, *arguments, code=2).stderr
    assert (tmp_path / "store.db").read_bytes() == before


# What was found.


def test_json_that_is_nested_too_deeply_is_refused_in_words(tmp_path: Path) -> None:
    deep = "[" * 100_000
    (tmp_path / "list.json").write_text(deep)
    with pytest.raises(ManifestError, match="not JSON"):
        ManifestSource(tmp_path / "list.json").read()
    with pytest.raises(ValueError, match="nested too deeply"):
        unsealed(deep.encode())


def test_a_path_with_a_null_byte_is_that_of_no_video(tmp_path: Path) -> None:
    (tmp_path / "k.csv").write_bytes(b"label,youtube_id,time_start,time_end\na\x00b,x,1,11\n")
    with pytest.raises(ManifestError, match="none of its first 1 videos exists"):
        ManifestSource(tmp_path / "k.csv").read()


def test_a_checkpoint_whose_checksum_was_made_right_again_is_refused_in_words(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = checkpoint.save_values(tmp_path, "epoch", 1, {"trial": TRIAL})
    with pytest.raises(TrialError, match="holds no training"):
        checkpoint.latest(tmp_path, TRIAL)
    payload = path.read_bytes().partition(b"\n")[2][:-40]
    header = b"x3d-expander checkpoint 2 sha256 %s\n" % hashlib.sha256(payload).hexdigest().encode()
    path.write_bytes(header + payload)
    assert checkpoint.latest(tmp_path, TRIAL) is None
    assert "its content cannot be read" in caplog.text
