"""Trials whose processes really crash, hang, raise and find no disk: what is known of each, and what follows."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from conftest import Expander, Videos, heed_ctrl_c
from failing import HANG_MINUTES, Failing
from spaces import space_of
from test_coordinator import DECISIONS, FIRST, STEPS, TINY

from expander.axis import Factors
from expander.cli.failing import to_retry
from expander.cli.files import load_space
from expander.cli.inputs import look_at_files, read_videos
from expander.coordinator import run_search
from expander.errors import StepFailed, UsageError
from expander.geometry import Basis, realise
from expander.recipe import Recipe
from expander.search import Decision, Step, next_step
from expander.trial import Completed, Epoch, Event, Failed, FailureKind, Started, Trial, Views
from results.search import SearchStore
from results.store import SqlStore, open_store
from trainers.data.manifest import ManifestSource
from trainers.dispatch.attempt import this_node
from trainers.dispatch.inline import InlineDispatcher
from trainers.training import VideoTraining
from trainers.watchdog import Watchdog

# So that a broken dispatcher fails a test instead of hanging it.
PATIENCE_SECONDS = 120


def trials(count: int) -> list[Trial]:
    return [Trial(realise(Factors(), Basis()), Recipe(), "videos", Views(), seed) for seed in range(count)]


# How an attempt ended, whatever ended it


@dataclass(frozen=True)
class Ended:
    """What a dispatcher told of a trial that failed once."""

    failed: Failed
    epochs: list[int]
    seconds: float


VERBS = ("crash", "kill", "exit", "lock", "wait", "stop", "raise", "fill")


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ended]:
    """A run of one trial for each verb; each fails once, and goes on."""
    runs = tmp_path_factory.mktemp("runs")
    doing = dict(zip(VERBS, trials(len(VERBS)), strict=True))
    training = Failing(runs, {trial.id: f"{verb}-once" for verb, trial in doing.items()})
    events: list[tuple[float, Event]] = []
    dispatcher = InlineDispatcher(training, None, apart=True, runs=runs)  # type: ignore[arg-type]
    for event in dispatcher.run(list(doing.values()), lambda failed: 0.0):
        events.append((time.monotonic(), event))
    found = {}
    for verb, trial in doing.items():
        mine = [(at, event) for at, event in events if event.trial == trial.id]
        (failed,) = [(at, event) for at, event in mine if isinstance(event, Failed)]
        assert isinstance(mine[-1][1], Completed)
        # From the last that was told of another: when a trial says that it has begun is told a little later.
        first = next(place for place, (_, event) in enumerate(events) if event.trial == trial.id)
        begun = events[max(0, first - 1)][0]
        epochs = [event.number for _, event in mine if isinstance(event, Epoch)]
        found[verb] = Ended(failed[1], epochs, failed[0] - begun)
    return found


@pytest.mark.parametrize(
    ("verb", "kind", "reason"),
    [
        ("crash", "signal", "SIGSEGV"),
        ("kill", "signal", "ended by SIGKILL"),
        ("exit", "error", "exit code 3"),
        ("lock", "hang", "made no progress for 0:00:01"),
        ("wait", "hang", "made no progress for 0:00:01"),
        (
            "stop",
            "hang",
            "made no progress for 0:00:01.500000 and was ended from outside: it was stopped, as by SIGSTOP",
        ),
        ("raise", "error", "ValueError: the weather"),
        ("fill", "disk", "No space left on device"),
    ],
)
def test_an_attempt_that_fails_is_told_by_its_kind_and_tried_again_from_its_checkpoint(
    ended: dict[str, Ended], verb: str, kind: str, reason: str
) -> None:
    failed = ended[verb].failed
    assert failed.kind == kind
    assert reason in failed.reason
    assert "\n" not in failed.reason
    assert failed.node == this_node()
    assert failed.worker is not None
    assert failed.worker.partition(":")[0] == this_node()
    assert ended[verb].epochs == [1, 2, 3]  # and not the first one twice
    assert "attempt on" in failed.log


@pytest.mark.parametrize(("verb", "line"), [("crash", "Segmentation fault"), ("lock", "_act"), ("wait", "_act")])
def test_the_log_of_a_process_that_died_says_which_line_of_python_it_was_at(
    ended: dict[str, Ended], verb: str, line: str
) -> None:
    assert line in ended[verb].failed.log
    assert "failing.py" in ended[verb].failed.log


def test_a_hang_is_ended_after_its_time_and_not_much_later(ended: dict[str, Ended]) -> None:
    assert 60 * HANG_MINUTES <= ended["wait"].seconds < 60 * HANG_MINUTES + 20


def test_a_training_that_goes_on_is_not_taken_for_one_that_hangs(tmp_path: Path) -> None:
    watchdog = "from pathlib import Path\nimport time\nfrom trainers.watchdog import Watchdog\n"
    watchdog += "with Watchdog(0.5 / 60).watching(Path('log')) as beat:\n"
    watchdog += "    for _ in range(40):\n        time.sleep(0.05)\n        beat()\n"
    done = subprocess.run([sys.executable, "-c", watchdog + "time.sleep(1)"], cwd=tmp_path, timeout=PATIENCE_SECONDS)
    assert done.returncode == 0
    assert (tmp_path / "log").read_text() == ""


def test_others_are_trained_while_a_trial_waits_for_its_next_attempt(tmp_path: Path) -> None:
    first, second = trials(2)
    training = Failing(tmp_path, {first.id: "raise-once"})
    events = []
    for event in InlineDispatcher(training, None).run([first, second], lambda failed: 0.5):  # type: ignore[arg-type]
        events.append((time.monotonic(), event))
    begun = [(event.trial, at) for at, event in events if isinstance(event, Started)]
    failed = next(at for at, event in events if isinstance(event, Failed))
    assert [trial for trial, _ in begun] == [first.id, second.id, first.id]
    assert begun[-1][1] - failed >= 0.5


def test_a_trial_that_is_due_later_is_begun_later(tmp_path: Path) -> None:
    first, second = trials(2)
    dispatcher = InlineDispatcher(Failing(tmp_path), None)  # type: ignore[arg-type]
    begun = time.monotonic()
    events = list(dispatcher.run([first, second], lambda failed: None, {first.id: 0.4}))
    assert [event.trial for event in events if isinstance(event, Started)] == [second.id, first.id]
    assert time.monotonic() - begun >= 0.4


def test_a_real_training_that_diverges_is_said_to(videos: Videos, tmp_path: Path) -> None:
    (tmp_path / "trials").mkdir()
    training = VideoTraining(
        ManifestSource(videos.train), ManifestSource(videos.val), tmp_path, threads=1, watchdog=Watchdog(1)
    )
    geometry = STEPS[0].trials[0].geometry
    recipe = Recipe(epochs=2, batch=8, reference_batch=8, batchnorm_group=4, base_rate=1e25, warmup=0.0)
    doomed = Trial(replace(geometry, classes=6), recipe, "videos", Views(1), 0)
    dispatcher = InlineDispatcher(training, None, apart=True, runs=tmp_path)  # type: ignore[arg-type]
    *_, last = dispatcher.run([doomed], lambda failed: None)
    assert isinstance(last, Failed)
    assert last.kind == FailureKind.DIVERGED
    assert "lower the recipe's base_rate" in last.reason
    assert "trains on the CPU" in last.log


# The search goes on


# A trial of the second step, when it is known which machine fails.
LATER = next(trial.id for trial in STEPS[1].trials if trial.id not in FIRST)
SPACE = space_of(**TINY, failures={"retries": 1, "backoff_seconds": 0})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    with closing(open_store(f"sqlite:///{tmp_path / 'store.db'}", create=True)) as opened:
        yield opened


def new_search(store: SqlStore, runs: Path, space: Any = SPACE) -> SearchStore:
    given: dict[str, Any] = {"source": "tiny", "overrides": [], "data": None, "versions": {}}
    search = store.create("tiny", space=space, runs=str(runs), **given)
    search.claim()
    return search


def ignore(step: Step, event: Event | Decision | None) -> None: ...


def test_a_search_whose_trials_crash_hang_and_raise_decides_as_an_undisturbed_one(
    store: SqlStore, tmp_path: Path
) -> None:
    verbs = {trial: f"{verb}-once" for trial, verb in zip(FIRST, ("crash", "wait", "raise", "kill"), strict=False)}
    dispatcher = InlineDispatcher(Failing(tmp_path, verbs), None, apart=True, runs=tmp_path)  # type: ignore[arg-type]
    search = new_search(store, tmp_path)
    run_search(SPACE, search, dispatcher, "videos", ignore)
    chosen = [(made.key, made.axis, made.trial, made.score) for made in DECISIONS]
    assert [(made.key, made.axis, made.trial, made.score) for made in search.decisions()] == chosen
    (crashed,) = search.attempts(FIRST[0])
    assert (crashed.kind, crashed.number, crashed.node, crashed.epoch) == ("signal", 1, this_node(), 1)
    assert crashed.next == "tried again, which uses up no retry"  # it had come further
    assert crashed.due is not None
    assert "Segmentation fault" in (crashed.log or "")


def test_what_has_failed_for_good_is_shown_with_its_class_node_and_what_follows(
    store: SqlStore, expander: Expander, tmp_path: Path
) -> None:
    dispatcher = InlineDispatcher(
        Failing(tmp_path, {FIRST[0]: "kill", FIRST[1]: "raise"}),
        None,  # type: ignore[arg-type]
        apart=True,
        runs=tmp_path,
    )
    search = new_search(store, tmp_path)
    with pytest.raises(StepFailed) as stopped:
        run_search(SPACE, search, dispatcher, "videos", ignore)
    search.release("failed", str(stopped.value))
    completed = [c.trial for c in search.steps()[0].candidates if c.state == "completed"]
    assert set(completed) == set(FIRST[2:])  # the others of the step have finished first

    given = "--store", store.url
    shown = " ".join(expander("status", "tiny", *given).stdout.split())
    assert f"attempt 3 failed (its process was ended by a signal) on {this_node()} at" in shown
    assert "after epoch 1; no further attempt: 2 of 2 attempts that count have failed; mend the cause" in shown
    assert "Go on with: expander retry tiny" in shown
    document = json.loads(expander("status", "tiny", *given, "--json").stdout)
    told = {c["trial"]: c["failed"] for c in document["steps"][0]["candidates"] if c["failed"]}
    assert {trial: failed["kind"] for trial, failed in told.items()} == {FIRST[0]: "signal", FIRST[1]: "error"}

    whole = expander("status", "tiny", "--trial", FIRST[1], *given).stdout
    assert whole.count("ValueError: the weather") >= 2
    assert "Traceback (most recent call last)" in whole
    assert "the end of its log:" in whole
    values = json.loads(expander("status", "tiny", "--trial", FIRST[0], "--json", *given).stdout)
    assert [attempt["number"] for attempt in values["attempts"]] == [1, 2, 3]
    refused = expander("status", "tiny", "--trial", FIRST[2], *given, code=2).stderr
    assert f"trial {FIRST[2]} has not failed in search 'tiny': it is completed" in " ".join(refused.split())


def test_a_step_decided_without_a_trial_says_which_axis_is_left_out_and_why(
    store: SqlStore, expander: Expander, tmp_path: Path
) -> None:
    short = TINY | {"expansion": TINY["expansion"] | {"max_steps": 1}}
    space = space_of(**short, failures={"retries": 0, "then": "skip"})
    dispatcher = InlineDispatcher(
        Failing(tmp_path, {FIRST[0]: "wait"}),
        None,  # type: ignore[arg-type]
        apart=True,
        runs=tmp_path,
    )
    search = new_search(store, tmp_path, space)
    run_search(space, search, dispatcher, "videos", ignore)
    search.release("completed")
    left_out = [ranked for ranked in search.decisions()[0].ranking if ranked.trial == FIRST[0]]
    assert left_out
    assert all(ranked.score is None and "made no progress" in (ranked.reason or "") for ranked in left_out)
    shown = " ".join(expander("status", "tiny", "--store", store.url).stdout.split())
    assert "step 1 was decided without it" in shown


def test_a_search_that_failures_have_stopped_goes_on_by_retry_alone(
    videos: Videos, expander: Expander, tmp_path: Path
) -> None:
    shrunk = ["recipe.epochs=1", "recipe.batch=12", "recipe.batchnorm_group=12", "views.clips=1"]
    shrunk += ["failures.retries=0", "expansion.max_steps=1", "expansion.axes=[spatial, fast]"]
    given = ["--train", videos.train, "--val", videos.val, *(f"--set={key}" for key in shrunk)]
    space, _ = load_space("smoke", [*shrunk, f"data.train={videos.train}", f"data.val={videos.val}"])
    step = next_step(space, (), look_at_files(read_videos(space)).fingerprint.id)
    assert step is not None
    (tmp_path / "runs" / "trials").mkdir(parents=True)
    in_the_way = [tmp_path / "runs" / "trials" / trial.id for trial in step.trials]
    for place in in_the_way:
        place.write_text("a file where a folder should be")
    inline = "--dispatcher", "inline"
    stopped = " ".join(expander("search", "smoke", "--name", "mine", *given, *inline, code=1).stderr.split())
    assert "a file could not be written or read" in stopped
    assert "run `expander retry`" in stopped
    assert "runs/trials" in stopped
    with closing(open_store(f"sqlite:///{tmp_path / 'runs' / 'expander.db'}")) as opened:
        search = opened.search("mine")

        def failed() -> list[str]:
            return [c.trial for c in search.steps()[0].candidates if c.state == "failed" and c.trial]

        assert [search.attempts(trial)[0].kind for trial in failed()] == ["disk"] * 2
        for place in in_the_way:
            place.unlink()
        assert "2 of 2 trials failed" in expander("resume", "mine", *inline, code=1).stderr
        assert not list((tmp_path / "runs" / "trials").iterdir())  # nothing was forgiven silently
        with pytest.raises(UsageError, match=r"it is no trial of this search: .*; failed are "):
            to_retry(search, "0" * 16)
        one, two = failed()
        expander("retry", "mine", "--trial", one, *inline, code=1)  # the other one stops it again
        assert failed() == [two]
        granted = expander("retry", "mine", *inline).stderr
        assert granted.count("its retries are granted anew") == 1
        assert failed() == []
        assert search.effective_state == "completed"
        with pytest.raises(UsageError, match="has failed and waits for a retry: go on with `expander resume mine`"):
            to_retry(search, None)
        with pytest.raises(UsageError, match=f"trial {one} cannot be retried in search 'mine': it is completed"):
            to_retry(search, one)


# On two machines


@pytest.mark.ray
def test_a_machine_that_kills_its_workers_is_avoided_and_the_search_decides_as_undisturbed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, __file__, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=heed_ctrl_c,
    ) as process:
        try:
            output, errors = process.communicate(timeout=PATIENCE_SECONDS)
        finally:
            process.kill()
    assert process.returncode == 0, errors
    told = json.loads(output.splitlines()[-1])
    assert told["decisions"] == [[made.key, made.axis, made.trial] for made in DECISIONS]
    events, bad = told["events"], told["bad"]
    of_bad = [(place, trial) for place, (kind, trial, node) in enumerate(events) if (kind, node) == ("Failed", bad)]
    assert len({trial for _, trial in of_bad}) >= 2
    # What was handed to Ray before may still be placed there; nothing that comes later.
    known = next(place for place, trial in of_bad if trial != of_bad[0][1])
    later = [node for kind, _, node in events[known:] if kind == "Started"]
    assert len(later) > 10
    assert bad not in later[4:]
    # Where no trial would fit on what is left, nothing is avoided.
    assert bad in told["nodes"]
    assert told["avoided"] == [[told["id"]], []]
    (crashed, crash, log), (hung, hang, _) = told["attempts"]
    assert (crashed, hung) == ("signal", "hang")
    assert "SIGSEGV" in crash
    assert "line" in log
    assert "made no progress for 0:00:03" in hang


def _on_two_machines(folder: Path) -> dict[str, Any]:
    import ray
    from ray.cluster_utils import Cluster

    from trainers.dispatch.attempt import node_name
    from trainers.dispatch.cluster import RayDispatcher

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        added = cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()
        space = space_of(**TINY, failures={"retries": 3, "backoff_seconds": 0})
        every = {trial.id: "node" for step in STEPS for trial in step.trials}
        every[LATER] = "crash, hang"
        events = []
        with (
            closing(open_store(f"sqlite:///{folder / 'store.db'}", create=True)) as opened,
            RayDispatcher(
                Failing(folder, every, hang_minutes=2 * HANG_MINUTES),
                None,  # type: ignore[arg-type]
                cpus=1,
                gpus=0,
                shared=folder,
                address=cluster.address,
            ) as dispatcher,
        ):
            host = next(n["NodeManagerHostname"] for n in ray.nodes() if n["NodeID"] == added.node_id)  # type: ignore[no-untyped-call]
            bad = node_name(host, added.node_id)
            (folder / "bad").write_text(bad)
            search = new_search(opened, folder, space)

            def watch(step: Step, event: Event | Decision | None) -> None:
                if isinstance(event, Started | Failed):
                    events.append((type(event).__name__, event.trial, event.node))

            run_search(space, search, dispatcher, "videos", watch)
            decisions = [(made.key, made.axis, made.trial) for made in search.decisions()]
            attempts = [(failed.kind, failed.reason, failed.log) for failed in search.attempts(LATER)]
            nodes = dispatcher.nodes
            avoided = [dispatcher._seats.avoided({bad}), dispatcher._seats.avoided(nodes)]
        told = {"bad": bad, "id": added.node_id, "events": events, "decisions": decisions}
        return told | {"attempts": attempts, "nodes": sorted(nodes), "avoided": avoided}
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    # Their own tests' tool warns, and prints.
    print(json.dumps(_on_two_machines(Path(sys.argv[1]))))
