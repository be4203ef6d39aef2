"""`expander data check` and the processes that it decodes in."""

from __future__ import annotations

import csv
import json
import os
import pty
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from conftest import Expander, command, environment, heed_ctrl_c
from test_clips import tiny, torn, write

from trainers.data.check import Clip, Finding, Seen, Task, findings, in_both, look, look_all, tasks
from trainers.data.crew import Crashed, carry_out
from trainers.data.manifest import Manifest, Video


def crash_or_answer(task: str) -> str:
    match task:
        case "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "exit":
            os._exit(3)
        case "hang":
            time.sleep(600)
    return task.upper()


def test_a_process_that_crashes_or_hangs_costs_its_task_and_no_other() -> None:
    given = ["a", "segfault", "b", "exit", "hang", "c", "d"]
    limit = {"hang": 1.0}
    began = time.monotonic()
    made = dict(carry_out(crash_or_answer, given, 2, limit=lambda task: limit.get(task, 60)))
    assert time.monotonic() - began < 30
    assert made == {
        **{task: task.upper() for task in "abcd"},
        "segfault": Crashed("the process that read it was ended by SIGSEGV"),
        "exit": Crashed("the process that read it ended with exit code 3"),
        "hang": Crashed("the process that read it did not end within 1 s, and was killed"),
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sound videos of 40 frames and what is wrong with others."""
    folder = tmp_path_factory.mktemp("videos")
    write(folder / "long.mkv", 40)
    write(folder / "other.mkv", 40, width=64)
    write(folder / "short.mkv", 5)
    shutil.copy(folder / "long.mkv", folder / "copy.mkv")
    (folder / "text.mkv").write_text("no video")
    (folder / "empty.mkv").touch()
    torn(folder / "torn.mp4", tiny(folder / "tiny.mp4", "libx264", {"g": "4"}))
    return folder


def listed(folder: Path, name: str, *videos: str) -> Manifest:
    entries = [Video(folder / video, 0, video, f"line {number}") for number, video in enumerate(videos, start=1)]
    return Manifest(folder / name, tuple(entries), ("0",))


def check(*manifests: Manifest) -> list[tuple[str, str, str]]:
    todo = tasks(manifests, Clip(4, 3), seconds=60)
    found = findings(manifests, {task.path: look(task) for task in todo})
    return [(f"{finding.manifest.name} {finding.where}", finding.problem, finding.reason) for finding in found]


def test_each_problem_is_found_where_it_is_with_its_reason(folder: Path) -> None:
    names = (
        "long.mkv",
        "short.mkv",
        "text.mkv",
        "none.mkv",
        "torn.mp4",
        "copy.mkv",
        "long.mkv",
        "empty.mkv",
        "other.mkv",
    )
    found = check(listed(folder, "train.csv", *names))
    where, problem, reason = found.pop(3)
    assert (where, problem) == ("train.csv line 5", "broken")
    assert "of 8 cannot be decoded" in reason
    assert found == [
        ("train.csv line 2", "short", "0.20 s (5 frames); a clip of 4x3 takes 0.40 s"),
        ("train.csv line 3", "broken", "cannot be opened: Invalid data found when processing input"),
        ("train.csv line 4", "missing", "does not exist"),
        ("train.csv line 6", "twice", f"the same content as {folder / 'long.mkv'}, in line 1"),
        ("train.csv line 7", "twice", "the same file, in line 1"),
        ("train.csv line 8", "broken", "is empty"),
    ]


def test_a_validation_video_that_is_in_training_is_a_leak_under_any_name(folder: Path) -> None:
    train, val = (
        listed(folder, "train.csv", "long.mkv", "other.mkv"),
        listed(folder, "val.csv", "copy.mkv", "other.mkv"),
    )
    assert check(train, val) == [
        ("val.csv line 1", "leak", f"the same content as {folder / 'long.mkv'}, in train.csv, line 1"),
        ("val.csv line 2", "leak", "the same file, in train.csv, line 2"),
    ]
    assert check(train, listed(folder, "val.csv", "short.mkv"))[0][1] == "short"


def test_only_files_of_one_size_are_compared_and_each_file_is_decoded_once(folder: Path) -> None:
    todo = tasks([listed(folder, "a.csv", "long.mkv", "./long.mkv", "copy.mkv", "other.mkv")], Clip(1, 1), seconds=60)
    assert [(task.path.name, task.compare) for task in todo] == [
        ("long.mkv", True),
        ("copy.mkv", True),
        ("other.mkv", False),
    ]
    assert all(task.seconds > 60 for task in todo)


def test_files_that_are_broken_alike_are_no_copies(folder: Path) -> None:
    assert [problem for _, problem, _ in check(listed(folder, "a.csv", "empty.mkv", "text.mkv", "text.mkv"))] == [
        "broken",
        "broken",
        "broken",
    ]


def test_a_clip_that_just_fits_is_not_too_short(folder: Path) -> None:
    assert look(Task(folder / "long.mkv", Clip(14, 3), False, 60)) == Seen(None)
    assert look(Task(folder / "long.mkv", Clip(41, 1), False, 60)).problem == "short"


def test_a_video_past_its_time_limit_is_broken(folder: Path) -> None:
    assert look(Task(folder / "long.mkv", Clip(1, 1), False, -1)) == Seen("broken", "took more than -1 s to read")


def test_a_crash_of_the_decoder_is_a_finding_of_its_own(folder: Path) -> None:
    todo = tasks([listed(folder, "a.csv", "long.mkv")], Clip(1, 1), seconds=60)
    ((task, seen),) = look_all(todo, 1)
    assert (task.path, seen) == (folder / "long.mkv", Seen(None))
    crashed = Seen("crash", "the process that read it was ended by SIGSEGV")
    assert findings([listed(folder, "a.csv", "long.mkv")], {task.path: crashed}) == [
        Finding(folder / "a.csv", "line 1", folder / "long.mkv", "crash", crashed.reason)
    ]


def test_what_is_in_both_manifests_is_told_by_path_or_by_name_and_size(folder: Path, tmp_path: Path) -> None:
    train = listed(folder, "train.csv", "long.mkv", "other.mkv", "short.mkv")
    (tmp_path / "other.mkv").write_bytes((folder / "other.mkv").read_bytes())
    (tmp_path / "short.mkv").write_bytes(b"another video of this name")
    val, copies = (
        listed(folder, "val.csv", "text.mkv", "./long.mkv"),
        listed(tmp_path, "val.csv", "other.mkv", "short.mkv", "no.mkv"),
    )
    assert [video.name for video in in_both(train, val)] == ["./long.mkv"]
    assert [video.path for video in in_both(train, copies)] == [tmp_path / "other.mkv"]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_command_lists_every_problem_and_ends_with_one(expander: Expander, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("long.mkv 0\nother.mkv 1\ntext.mkv 0\nshort.mkv 1\n")
    (tmp_path / "val.csv").write_text("copy.mkv 0\n")
    arguments = ("data", "check", "train.csv", "--val", "val.csv", "--root", folder, "--clip", "4x3", "--workers", 2)
    shown = expander(*arguments, code=1).stdout
    assert "train.csv: 3 of 4 videos are sound" in shown
    assert f"in training too: {folder / 'copy.mkv'} (val.csv, line 1): the same content as" in shown
    assert [(row["where"], row["problem"]) for row in rows(tmp_path / "check.csv")] == [
        ("line 3", "broken"),
        ("line 4", "short"),
        ("line 1", "leak"),
    ]
    document = json.loads(expander(*arguments, "--out", "all.csv", "--json", code=1).stdout)
    assert [each["sound"] for each in document["manifests"]] == [3, 0]
    assert document["manifests"][0]["problems"]["broken"] == 1
    assert [problem["problem"] for problem in document["problems"]] == ["broken", "short", "leak"]


def test_short_videos_alone_are_no_mistake(expander: Expander, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("long.mkv 0\nshort.mkv 1\n")
    assert "2 of 2 videos are sound" in expander("data", "check", "a.csv", "--root", folder, "--clip", "4x3").stdout
    assert [row["problem"] for row in rows(tmp_path / "check.csv")] == ["short"]


def test_a_clip_that_is_none_is_refused_in_words(expander: Expander, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("long.mkv 0\n")
    assert "--clip 16: expected frames x stride" in expander("data", "check", "a.csv", "--clip", "16", code=2).stderr


def test_ctrl_c_ends_the_check_at_once_and_writes_nothing(folder: Path, tmp_path: Path) -> None:
    for number in range(3000):
        (tmp_path / f"{number}.mkv").symlink_to(folder / "long.mkv")
    (tmp_path / "a.csv").write_text("".join(f"{number}.mkv 0\n" for number in range(3000)))
    terminal, theirs = pty.openpty()
    child = subprocess.Popen(
        command("data", "check", "a.csv"),
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        preexec_fn=heed_ctrl_c,
        start_new_session=True,
    )
    os.close(theirs)
    said = ""
    while "decoding" not in said or "/3000" not in said:
        said += os.read(terminal, 1 << 16).decode()
    time.sleep(0.5)
    began = time.monotonic()
    os.killpg(child.pid, signal.SIGINT)
    out, _ = child.communicate(timeout=20)
    assert child.returncode == 130
    assert time.monotonic() - began < 5
    assert out == ""
    while "was stopped" not in said:
        said += os.read(terminal, 1 << 16).decode()
    assert "Traceback" not in said
    assert not (tmp_path / "check.csv").exists()
    os.close(terminal)


def test_a_search_warns_of_videos_that_are_in_both_manifests(expander: Expander, folder: Path, tmp_path: Path) -> None:
    for name in ("train", "val"):
        (tmp_path / f"{name}.csv").write_text("long.mkv 0\nother.mkv 1\n" if name == "train" else "other.mkv 1\n")
    # The search ends where its runs cannot be written, after it has read the manifests.
    arguments = ["--train", "train.csv", "--val", "val.csv", f"--set=data.root={folder}", "--runs", "train.csv/runs"]
    said = expander("search", "smoke", "--name", "a", *arguments, code=2).stderr
    assert f"warning: 1 of 1 validation videos are in training too, so scores will be too good: {folder}" in said
