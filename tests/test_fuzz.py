"""A fixed 500 spoiled files; `make fuzz` reads 20,000 others. What they found has a test each here."""

from __future__ import annotations

from pathlib import Path

import fuzz
import fuzz_inputs
import pytest

from expander.cli.files import MAX_BYTES, load_space, load_yaml
from expander.errors import ManifestError, SpaceError, TrialError, UsageError
from expander.files import unsealed
from trainers import checkpoint
from trainers.data import decode
from trainers.data.ava import read_label_map
from trainers.data.charades import read_charades
from trainers.data.decode import DamagedVideo, VideoReader
from trainers.data.manifest import ManifestSource
from trainers.data.synthetic import write_videos

SEED = 5


def told(findings: list[fuzz.Finding]) -> str:
    return "\n".join(f"{finding.path}: {finding.words}" for finding in findings)


def test_500_spoiled_files_of_every_kind_end_in_a_result_or_a_message(tmp_path: Path) -> None:
    report = fuzz.fuzz(fuzz.counts_of(500), SEED, tmp_path / "keep")
    assert not report.findings, told(report.findings)
    assert report.read.total() >= 500
    assert set(report.read) == set(fuzz_inputs.KINDS)
    assert report.slowest[0] < fuzz.SECONDS


def test_commands_given_spoiled_files_end_without_a_traceback_and_leave_the_store(tmp_path: Path) -> None:
    report = fuzz.fuzz_commands(4, SEED, tmp_path / "keep")
    assert not report.findings, told(report.findings)


@pytest.mark.parametrize("value", ["!!int ''", "!!bool x", "!!timestamp x", "!!set {a}", "!x y", "! y"])
def test_a_tag_in_yaml_is_refused_with_its_line(value: str) -> None:
    with pytest.raises(SpaceError, match=r"^a\.yaml:2: not valid YAML: tags \(.+\) are not read here"):
        load_yaml(f"seed: 1\nrecipe: {value}", "a.yaml")


def test_yaml_nested_too_deeply_is_refused_with_its_line() -> None:
    assert load_yaml("[" * 64 + "]" * 64, "a.yaml")
    with pytest.raises(SpaceError, match=r"^a\.yaml:2: not valid YAML: nested too deeply, in more than 64 levels"):
        load_yaml("a:\n  " + "[" * 100 + "]" * 100, "a.yaml")


def test_a_search_space_of_megabytes_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    path.write_text("#" * (MAX_BYTES + 1))
    with pytest.raises(UsageError, match=r"too large, 262,145 bytes"):
        load_space(str(path))


def test_a_checkpoint_whose_checksum_matches_and_that_is_no_pickle_is_passed_over(tmp_path: Path) -> None:
    name, content = fuzz_inputs.sound("checkpoints", tmp_path / "sound")[0]
    (tmp_path / name).write_bytes(content)
    (tmp_path / "epoch-00002.checkpoint").write_bytes(fuzz_inputs.sealed(content.partition(b"\n")[2][:-100]))
    found = checkpoint.latest(tmp_path, fuzz_inputs.TRIAL)
    assert found is not None
    assert found.epoch == 1


def test_a_checkpoint_of_other_values_is_named(tmp_path: Path) -> None:
    checkpoint.save_values(tmp_path, checkpoint.STEM, 1, {"trial": fuzz_inputs.TRIAL, "epochs": [{"number": 1}]})
    with pytest.raises(TrialError, match=r"epoch-00001\.checkpoint holds no state of a training"):
        checkpoint.latest(tmp_path, fuzz_inputs.TRIAL)


def test_a_video_of_too_many_frames_is_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_videos(tmp_path, train_per_class=1, val_per_class=1)
    path = next(tmp_path.rglob("*.mp4"))
    with VideoReader(path) as reader:
        frames = len(reader.index.stamps)
    monkeypatch.setattr(decode, "MAX_PACKETS", frames)
    VideoReader(path).__exit__(None, None, None)
    monkeypatch.setattr(decode, "MAX_PACKETS", frames - 1)
    with pytest.raises(DamagedVideo, match=f"holds more than {frames - 1} frames"):
        VideoReader(path)


def test_an_id_longer_than_a_file_name_is_a_video_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "charades.csv"
    path.write_text(f"id,actions\n{'a' * 5000},c000 0 1\n")
    with pytest.raises(ManifestError, match="none of its first 1 videos exists"):
        read_charades(path, tmp_path)
    path.write_text(f"{'a' * 5000}.mp4 0\n")
    with pytest.raises(ManifestError, match="none of its first 1 videos exists"):
        ManifestSource(path).read()


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


def test_an_action_whose_id_has_thousands_of_digits_has_none(tmp_path: Path) -> None:
    (tmp_path / "labels.pbtxt").write_text(f'item {{ name: "sit" id: {"9" * 5000} }}')
    with pytest.raises(ManifestError, match="the entry has no id"):
        read_label_map(tmp_path / "labels.pbtxt")
