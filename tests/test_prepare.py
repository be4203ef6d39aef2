"""`expander data prepare`: a data set copied for training speed, whatever happens on the way."""

from __future__ import annotations

import csv
import io
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import Expander, Videos, command, environment, heed_ctrl_c
from rich.console import Console
from test_decode import encode, index, pictures

from expander.cli import prepare as shown
from expander.cli.prepare import _side
from expander.errors import DataError, ManifestError, UsageError
from trainers.data.crew import Crashed, carry_out
from trainers.data.encode import Settings
from trainers.data.manifest import Manifest, ManifestSource, fingerprint, read_pair
from trainers.data.prepare import Begun, Finished, Predicted, prepare
from trainers.data.prepared import Made

SETTINGS = Settings(side=32, keyframes=4, quality=20)
OPTIONS = ("--as", "video", "--side", 32, "--keyframes", 4, "--workers", 2)


def small_set(folder: Path, count: int = 4) -> tuple[Path, Path]:
    """A training and a validation list of small videos, in a folder of their own."""
    (folder / "videos").mkdir(parents=True)
    for number in range(count):
        encode(folder / "videos" / f"{number}.avi", pictures(8, seed=number), codec="mpeg4", options={"g": "8"})
    rows = [f"videos/{number}.avi {number % 2}\n" for number in range(count)]
    (folder / "train.csv").write_text("".join(rows[1:]))
    (folder / "val.csv").write_text(rows[0])
    return folder / "train.csv", folder / "val.csv"


def pair(train: Path, val: Path) -> tuple[Manifest, Manifest]:
    return read_pair(ManifestSource(train), ManifestSource(val))


def files(folder: Path) -> dict[str, int]:
    """When each file below a folder was written."""
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def alive(group: int) -> bool:
    """Whether any process of a group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def unprepared(folder: Path) -> list[dict[str, str]]:
    with (folder / "unprepared.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_lists_of_the_copies_name_the_same_videos_with_the_same_labels(
    expander: Expander, videos: Videos, tmp_path: Path
) -> None:
    out = tmp_path / "fast"
    done = expander("data", "prepare", videos.train, videos.val, "--out", out, *OPTIONS, "--json")
    told = json.loads(done.stdout)
    assert (told["videos"], told["prepared"], told["kept"]) == (36, 36, 0)
    assert told["bytes"] == sum(path.stat().st_size for path in out.rglob("*.mp4"))
    assert 0.5 < told["predicted_bytes"] / (told["bytes"] * 16 / 36) < 2
    assert "by the first 20 videos, the others take about" in done.stderr
    originals, copies = pair(videos.train, videos.val), pair(out / "train.csv", out / "val.csv")
    for original, copy in zip(originals, copies, strict=True):
        assert [video.label for video in copy.videos] == [video.label for video in original.videos]
        assert [video.name for video in copy.videos] == [f"{SETTINGS.name}/{video.name}" for video in original.videos]
        assert copy.classes == original.classes
        for ours, theirs in zip(copy.videos[::5], original.videos[::5], strict=True):
            np.testing.assert_allclose(index(ours.path).times, index(theirs.path).times, rtol=0, atol=1e-9)
            assert min(index(ours.path).width, index(ours.path).height) == 32
    about = json.loads((out / "prepared.json").read_text())
    assert about["settings"] == SETTINGS.as_dict()
    assert about["manifests"]["train.csv"]["sha256"] == fingerprint(*originals).train.sha256
    assert unprepared(out) == []


@pytest.mark.parametrize("terminal", [True, False])
def test_a_terminal_has_a_bar_and_anything_else_a_line_now_and_then(
    terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shown, "LINE_SECONDS", 0.0)
    made = [Made(f"{number}.mov", "", 10, 0, "prepared", bytes=1000) for number in range(4)]
    events = (Begun(5, 4, 40), *made[:2], Predicted(2000, 12.0, 10**9, 2), *made[2:], Finished((), tuple(made)))
    out = io.StringIO()
    predicted, _ = shown._shown(iter(events), Console(file=out, force_terminal=terminal, highlight=False))
    assert predicted is events[3]
    text = out.getvalue()
    assert "5 videos, 1 of them are there already" in text
    assert "by the first 2 videos, the others take about 2.00 kB of 1.00 GB free and 12 s" in text
    assert ("\u2501" in text) == terminal
    if terminal:
        assert "4/4 videos" in text
    else:
        told = [line for line in text.splitlines() if "videos/s" in line]
        assert [line.partition(" videos, ")[0] for line in told] == ["1/4", "2/4", "3/4", "4/4"]
        assert all(line.endswith(" left") for line in told)
        assert "" not in text.splitlines()


def test_a_second_call_does_nothing_and_a_changed_video_alone_is_done_again(expander: Expander, tmp_path: Path) -> None:
    small_set(tmp_path / "set")
    call = ("data", "prepare", "set/train.csv", "set/val.csv", "--out", "fast", *OPTIONS)
    expander(*call)
    before = files(tmp_path / "fast" / SETTINGS.name)
    assert "4 videos, 4 of them are there already" in expander(*call).stderr
    assert files(tmp_path / "fast" / SETTINGS.name) == before

    encode(tmp_path / "set" / "videos" / "2.avi", pictures(11, seed=9), codec="mpeg4", options={"g": "8"})
    assert "4 videos, 3 of them are there already" in expander(*call).stderr
    after = files(tmp_path / "fast" / SETTINGS.name)
    assert [name for name in after if after[name] != before[name]] == ["videos/2.avi.mp4"]
    assert len(index(tmp_path / "fast" / SETTINGS.name / "videos" / "2.avi.mp4").times) == 11

    (tmp_path / "set" / "videos" / "1.avi").unlink()
    expander(*call)
    assert files(tmp_path / "fast" / SETTINGS.name) == after, "a copy outlives its source"


def test_a_killed_preparation_is_finished_by_the_same_command(
    expander: Expander, videos: Videos, tmp_path: Path
) -> None:
    call = ("data", "prepare", videos.train, videos.val, "--out", tmp_path / "fast", *OPTIONS)
    copies = tmp_path / "fast" / SETTINGS.name
    kept: dict[str, int] = {}
    for wanted in (1, 25):
        running = subprocess.Popen(command(*call), env=environment(), stderr=subprocess.DEVNULL)
        while len(list(copies.rglob("*.mp4"))) < wanted and running.poll() is None:
            time.sleep(0.002)
        running.kill()
        assert running.wait() == -signal.SIGKILL
        assert not (tmp_path / "fast" / "train.csv").exists()
        for path in copies.rglob("*.mp4"):
            assert len(index(path).times) > 30  # whole, whenever it is seen
        recorded = (tmp_path / "fast" / "prepared.jsonl").read_text().splitlines()
        assert len(recorded) >= wanted - 2
        kept = files(copies)
    expander(*call)
    after = files(copies)
    assert sum(after[name] != kept[name] for name in kept) <= 2, "what was recorded is not done again"
    list(prepare(tmp_path / "undisturbed", pair(videos.train, videos.val), SETTINGS, workers=2))
    assert set(after) == set(files(tmp_path / "undisturbed" / SETTINGS.name))
    for name in ("train.csv", "val.csv", "unprepared.csv", "prepared.json"):
        assert (tmp_path / "fast" / name).read_bytes() == (tmp_path / "undisturbed" / name).read_bytes()
    assert not (tmp_path / "fast" / "unfinished").exists()


def test_ctrl_c_ends_it_at_once_and_leaves_nothing_behind(expander: Expander, videos: Videos, tmp_path: Path) -> None:
    call = ("data", "prepare", videos.train, videos.val, "--out", tmp_path / "fast", *OPTIONS)
    running = subprocess.Popen(
        command(*call),
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_ctrl_c,
        start_new_session=True,
    )
    while not list((tmp_path / "fast").rglob("*.mp4")):
        time.sleep(0.002)
    began = time.monotonic()
    os.killpg(running.pid, signal.SIGINT)
    _, told = running.communicate()
    assert running.returncode == 130
    assert time.monotonic() - began < 3
    assert "the same command goes on from here" in told
    assert "Traceback" not in told
    assert not (tmp_path / "fast" / "unfinished").exists()
    while alive(running.pid) and time.monotonic() - began < 10:
        time.sleep(0.01)  # the tracker of Python's multiprocessing is the last to go
    assert not alive(running.pid)


def test_a_video_that_cannot_be_read_is_copied_as_it_is_and_named(expander: Expander, tmp_path: Path) -> None:
    small_set(tmp_path / "set")
    broken = tmp_path / "set" / "videos" / "2.avi"
    broken.write_bytes(broken.read_bytes()[:1500])
    (tmp_path / "set" / "videos" / "3.avi").unlink()
    done = expander("data", "prepare", "set/train.csv", "set/val.csv", "--out", "fast", *OPTIONS)
    assert "not prepared: 1 copied as they are, 1 missing" in done.stderr
    out = tmp_path / "fast"
    rows = {Path(row["source"]).name: row for row in unprepared(out)}
    assert {name: row["state"] for name, row in rows.items()} == {"2.avi": "kept", "3.avi": "missing"}
    assert rows["3.avi"]["reason"] == "does not exist"
    assert len(rows["2.avi"]["reason"]) > 5
    assert (out / rows["2.avi"]["video"]).read_bytes() == broken.read_bytes()
    train, _ = pair(out / "train.csv", out / "val.csv")
    assert [(video.path.name, video.path.exists()) for video in train.videos] == [
        ("1.avi.mp4", True),
        ("2.avi.mp4", True),
        ("3.avi.mp4", False),
    ]
    encode(tmp_path / "set" / "videos" / "3.avi", pictures(8), codec="mpeg4", options={"g": "8"})
    expander("data", "prepare", "set/train.csv", "set/val.csv", "--out", "fast", *OPTIONS)
    assert train.videos[2].path.exists(), "a video that has come is prepared"


def test_trials_on_copies_are_other_trials_and_the_same_wherever_the_copies_lie(tmp_path: Path) -> None:
    originals = pair(*small_set(tmp_path / "set"))
    ids = [fingerprint(*originals).id]
    for name, settings in (("a", SETTINGS), ("b", Settings(32, 4, 30)), ("c", SETTINGS)):
        *_, finished = prepare(tmp_path / name, originals, settings, workers=1)
        assert isinstance(finished, Finished)
        ids.append(fingerprint(*pair(*finished.manifests)).id)
    assert ids[1] == ids[3]
    assert len(set(ids)) == 3
    shutil.move(tmp_path / "a", tmp_path / "moved")
    assert fingerprint(*pair(tmp_path / "moved" / "train.csv", tmp_path / "moved" / "val.csv")).id == ids[1]


def test_names_of_classes_are_kept_also_by_a_list_that_is_added_later(tmp_path: Path) -> None:
    for split, names in (("train", ("jump rope", "archery", "yoga")), ("val", ("yoga",))):
        for name in names:
            (tmp_path / split / name).mkdir(parents=True)
            encode(tmp_path / split / name / "1.mp4", pictures(3))
    train, val = ManifestSource(tmp_path / "train"), ManifestSource(tmp_path / "val")
    list(prepare(tmp_path / "fast", [train.read()], SETTINGS, workers=1))
    list(prepare(tmp_path / "fast", [val.read()], SETTINGS, workers=1))
    originals, copies = read_pair(train, val), pair(tmp_path / "fast" / "train.csv", tmp_path / "fast" / "val.csv")
    for original, copy in zip(originals, copies, strict=True):
        assert copy.classes == original.classes == ("archery", "jump rope", "yoga")
        assert [video.label for video in copy.videos] == [video.label for video in original.videos]
    (tmp_path / "val" / "zumba").mkdir()
    encode(tmp_path / "val" / "zumba" / "1.mp4", pictures(3))
    with pytest.raises(UsageError, match="prepare lists that belong together in one call"):
        list(prepare(tmp_path / "fast", [val.read()], SETTINGS, workers=1))


def test_other_settings_and_foreign_folders_are_refused(expander: Expander, tmp_path: Path) -> None:
    small_set(tmp_path / "set", count=2)
    call = ("data", "prepare", "set/train.csv", "set/val.csv", "--out")
    list(prepare(tmp_path / "fast", pair(tmp_path / "set" / "train.csv", tmp_path / "set" / "val.csv"), SETTINGS, 1))
    refused = expander(*call, "fast", *OPTIONS, "--quality", 30, code=2).stderr
    kept = "--as video --side 32 --keyframes 4 --quality"
    assert f"prepared with {kept} 20, not with {kept} 30" in " ".join(refused.split())
    before = (tmp_path / "set" / "train.csv").read_text()
    assert "was not written by this command" in " ".join(expander(*call, "set", *OPTIONS, code=2).stderr.split())
    assert (tmp_path / "set" / "train.csv").read_text() == before
    assert sorted(path.name for path in (tmp_path / "set").iterdir()) == ["train.csv", "val.csv", "videos"]
    with pytest.raises(UsageError, match="--side and --config: each says how large the copies are"):
        _side(32, None, "X3D-M")


def test_two_videos_of_one_name_are_refused(tmp_path: Path) -> None:
    lists = [ManifestSource(small_set(tmp_path / name, count=2)[0]).read() for name in ("a", "b")]
    lists[1].path.rename(tmp_path / "b" / "other.csv")
    lists[1] = ManifestSource(tmp_path / "b" / "other.csv").read()
    with pytest.raises(ManifestError, match=r"other.csv: line 1: videos/1.avi is .* the same name in the folder"):
        list(prepare(tmp_path / "fast", lists, SETTINGS, workers=1))


def test_paths_that_lead_out_of_the_root_and_odd_names_have_a_place_in_the_folder(tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    odd = b"a \xff\nb, 12 \xc3\xa9.mp4"
    for place in (tmp_path / "a,b 1.mp4", tmp_path / "c.mp4", tmp_path / "set" / "x" / os.fsdecode(odd)):
        place.parent.mkdir(parents=True, exist_ok=True)
        encode(tmp_path / "made.mp4", pictures(3)).rename(place)
    (tmp_path / "lists" / "train.csv").write_text(f"../a,b 1.mp4 0\n{tmp_path}/c.mp4 1\n")
    for source in (tmp_path / "lists" / "train.csv", tmp_path / "set"):
        manifest = ManifestSource(source, outside_root=True).read()
        *_, finished = prepare(tmp_path / f"fast {source.stem}", [manifest], SETTINGS, workers=1)
        assert isinstance(finished, Finished)
        copies = ManifestSource(finished.manifests[0]).read()
        assert [video.label for video in copies.videos] == [video.label for video in manifest.videos]
        assert copies.classes == manifest.classes
        assert all(len(index(video.path).times) == 3 for video in copies.videos)


def test_one_process_at_a_time_prepares_a_folder(tmp_path: Path) -> None:
    manifests = pair(*small_set(tmp_path / "set", count=2))
    first = prepare(tmp_path / "fast", manifests, SETTINGS, workers=1)
    assert isinstance(next(first), Begun)
    with pytest.raises(UsageError, match="another process is preparing videos there"):
        next(prepare(tmp_path / "fast", manifests, SETTINGS, workers=1))
    first.close()
    assert isinstance([*prepare(tmp_path / "fast", manifests, SETTINGS, workers=1)][-1], Finished)


def test_a_disk_that_is_too_small_is_told_after_the_sample(
    videos: Videos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifests = pair(videos.train, videos.val)
    with monkeypatch.context() as small:
        small.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9, 9, 5000))  # type: ignore[attr-defined]
        events = prepare(tmp_path / "fast", manifests, SETTINGS, workers=2)
        with pytest.raises(DataError, match=r"copies of the 16 videos that are left will take about .*B, and 5.00 kB"):
            list(events)
    begun = next(prepare(tmp_path / "fast", manifests, SETTINGS, workers=2))
    assert isinstance(begun, Begun)
    assert (begun.videos, begun.todo) == (36, 16), "the sample is not made again"


def _crash_on_two(task: int) -> int:
    if task == 2:
        os.kill(os.getpid(), signal.SIGSEGV)
    return 10 * task


def test_a_process_that_crashes_costs_its_own_task_only() -> None:
    results = dict(carry_out(_crash_on_two, range(6), processes=2))
    assert results.pop(2) == Crashed("the process that read it was ended by SIGSEGV")
    assert results == {0: 0, 1: 10, 3: 30, 4: 40, 5: 50}


def test_a_video_that_crashes_its_process_is_kept_and_tried_again_by_the_next_call(tmp_path: Path) -> None:
    manifests = pair(*small_set(tmp_path / "set", count=8))
    states = {}
    for event in prepare(tmp_path / "fast", manifests, SETTINGS, workers=2):
        if isinstance(event, Made):
            states[event.video] = event.state
            if len(states) == 1:
                for child in multiprocessing.active_children():
                    os.kill(child.pid or 0, signal.SIGSEGV)
    assert len(states) == 8
    crashed = {video for video, state in states.items() if state == "crashed"}
    assert 1 <= len(crashed) <= 2
    assert all("SIGSEGV" in row["reason"] for row in unprepared(tmp_path / "fast"))
    again = [event for event in prepare(tmp_path / "fast", manifests, SETTINGS, 2) if isinstance(event, Made)]
    assert {made.video for made in again} == crashed
    assert {made.state for made in again} == {"prepared"}
    assert unprepared(tmp_path / "fast") == []


def test_the_shorter_side_is_what_training_needs() -> None:
    assert _side(None, None, "X3D-M")[0] == 320
    assert _side(None, None, "X3D-XXL")[0] == 446
    assert _side(None, None, None) == _side(None, "x3d_kinetics400", None)
    assert _side(None, None, None)[0] == 640
    assert _side(100, None, None)[0] == 100
