"""What tells that the files of a manifest are others: sizes of all, and the content of a sample."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from conftest import Videos
from test_training import trial

from expander.errors import DataError
from trainers.data.files import END_BYTES, SAMPLED, FileList, changed_files, list_files, sample_places, seen
from trainers.data.manifest import DataFingerprint, Manifest, ManifestSource, fingerprint, read_pair
from trainers.training import VideoTraining


def written(folder: Path, count: int = 3) -> Manifest:
    """A manifest of `count` files, each of other bytes and another size."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        (folder / f"{index}.mp4").write_bytes(bytes([index % 256]) * (10 + index))
    (folder / "list.csv").write_text("".join(f"{index}.mp4 {index % 2}\n" for index in range(count)))
    return ManifestSource(folder / "list.csv").read()


def fingerprinted(manifest: Manifest) -> DataFingerprint:
    files = list_files(manifest).summary
    return fingerprint(manifest, manifest).with_files(files, files)


def test_the_same_files_at_another_root_with_other_times_have_the_same_id(tmp_path: Path) -> None:
    here = written(tmp_path / "here")
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    os.utime(tmp_path / "there" / "0.mp4", (1, 1))
    there = ManifestSource(tmp_path / "there" / "list.csv").read()
    assert fingerprinted(here) == fingerprinted(there)
    assert DataFingerprint.from_dict(fingerprinted(here).as_dict()) == fingerprinted(here)


def test_a_file_of_another_size_is_another_and_is_named(tmp_path: Path) -> None:
    manifest = written(tmp_path)
    recorded, before = list_files(manifest), fingerprinted(manifest)
    (tmp_path / "1.mp4").write_bytes(b"longer than before")
    assert fingerprinted(manifest).id != before.id
    assert changed_files(manifest, recorded, list_files(manifest)) == ("1.mp4: 11 bytes recorded, 18 bytes now",)


def test_other_content_of_the_same_size_is_found_in_the_sample(tmp_path: Path) -> None:
    manifest = written(tmp_path)
    recorded, before = list_files(manifest), fingerprinted(manifest)
    (tmp_path / "1.mp4").write_bytes(b"x" * 11)
    assert fingerprinted(manifest).id != before.id
    assert changed_files(manifest, recorded, list_files(manifest)) == ("1.mp4: of the same size, with other content",)


@pytest.mark.parametrize(("place", "found"), [(5, True), (END_BYTES + 5, False), (2 * END_BYTES + 5, True)])
def test_of_a_large_file_both_ends_are_looked_at(place: int, found: bool, tmp_path: Path) -> None:
    manifest = written(tmp_path, 1)
    content = bytearray(3 * END_BYTES)
    (tmp_path / "0.mp4").write_bytes(content)
    recorded = list_files(manifest)
    content[place] = 1
    (tmp_path / "0.mp4").write_bytes(content)
    assert bool(changed_files(manifest, recorded, list_files(manifest))) == found


def test_a_file_that_is_absent_is_counted_and_that_it_has_come_is_a_difference(tmp_path: Path) -> None:
    manifest = written(tmp_path)
    (tmp_path / "2.mp4").unlink()
    (tmp_path / "1.mp4").unlink()
    (tmp_path / "1.mp4").mkdir()
    recorded = list_files(manifest)
    assert (recorded.summary.absent, recorded.summary.bytes) == (2, 10)
    (tmp_path / "2.mp4").write_bytes(b"here")
    assert changed_files(manifest, recorded, list_files(manifest)) == ("2.mp4: absent recorded, 4 bytes now",)


def test_ten_files_are_named_and_the_others_counted(tmp_path: Path) -> None:
    manifest = written(tmp_path, 30)
    recorded = list_files(manifest)
    for index in range(25):
        (tmp_path / f"{index}.mp4").write_bytes(b"")
    lines = changed_files(manifest, recorded, list_files(manifest))
    assert len(lines) == 11
    assert lines[-1] == "and 15 more files"


def test_the_sample_has_a_fixed_size_and_hardly_moves_with_the_list(tmp_path: Path) -> None:
    manifest = written(tmp_path, 1200)
    told: list[int] = []
    files = list_files(manifest, told.append)
    assert (len(files.sample), sum(told), len(files.sizes)) == (SAMPLED, 1200, 1200)
    names = {manifest.videos[place].name for place in sample_places(manifest)}
    shorter = Manifest(manifest.path, manifest.videos[100:], manifest.classes)
    kept = {shorter.videos[place].name for place in sample_places(shorter)}
    assert len(names & kept) > SAMPLED / 2
    assert max(int(name.removesuffix(".mp4")) for name in names) > 900


def test_a_list_is_the_same_after_it_was_packed(tmp_path: Path) -> None:
    files = list_files(written(tmp_path, 5))
    assert FileList.unpacked(*files.packed()) == files
    assert FileList.unpacked(*files.packed()).summary == files.summary


def test_a_training_that_sees_other_data_than_its_coordinator_trains_nothing(videos: Videos, tmp_path: Path) -> None:
    folder = tmp_path / "videos"
    shutil.copytree(videos.train.parent, folder)
    train, val = (ManifestSource(folder / path.name) for path in (videos.train, videos.val))
    manifests, read = read_pair(train, val), fingerprint(*read_pair(train, val))
    looked = seen(read.train, list_files(manifests[0])), seen(read.val, list_files(manifests[1]))
    (tmp_path / "runs" / "trials").mkdir(parents=True)
    training = VideoTraining(train, val, tmp_path / "runs", threads=1, seen=looked)
    # What is missing is damage; it is not for the fingerprint to refuse it on one machine.
    manifests[0].videos[0].path.unlink()
    manifests[0].videos[1].path.write_bytes(b"another video")
    with pytest.raises(DataError, match=f"1 of 24 files looked at are others .*: {manifests[0].videos[1].name}"):
        training(trial(), lambda _: None)
    train.path.write_text(train.path.read_text().replace(" 0\n", " 1\n", 1))
    with pytest.raises(DataError, match=r"train.csv is not what it was when the search was started"):
        training(trial(), lambda _: None)
    assert not list((tmp_path / "runs").rglob("*.checkpoint"))
