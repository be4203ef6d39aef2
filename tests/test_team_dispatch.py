"""Trials of several processes: one contract for those of Ray Train and those of this machine, and what can get lost."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from itertools import count
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
import torch
import yaml
from conftest import Videos, command, environment, heed_ctrl_c

from expander.axis import Factors
from expander.coordinator import Dispatcher
from expander.errors import TrialError, UsageError
from expander.geometry import Basis, realise
from expander.recipe import Recipe
from expander.trial import TRAINER, Completed, Epoch, Event, Failed, FailureKind, Metrics, Started, Trial, Views
from trainers.dispatch import seats
from trainers.dispatch.attempt import NODE_DIGITS, this_place
from trainers.dispatch.inline import InlineDispatcher
from trainers.dispatch.member import check_shared
from trainers.dispatch.seats import Seats
from trainers.dispatch.together import attempt_together, shown
from trainers.dispatch.wire import Gone, Here, Leave, Post, Switchboard, dial
from trainers.team import ALONE, Team
from trainers.trial_log import ATTEMPT, LOG
from trainers.watchdog import Watchdog

EPOCHS = 3
BATCH = 12
# Where one trial fills the machine, however large that is.
HALF = (os.cpu_count() or 1) / 2
# So that a broken dispatcher fails a test instead of hanging it.
PATIENCE_SECONDS = 120
HANG_MINUTES = 1.5 / 60


def rehearse(trial: Trial, report: Callable[[Epoch], None], team: Team = ALONE) -> Completed:
    """Trains one number, from its last checkpoint on. The trial's `data` is a verb and a folder for checkpoints."""
    verb, _, path = trial.data.partition(" ")
    folder = Path(path)
    state = {"epoch": 0, "weight": 1.0}
    if team.share((folder / "checkpoint").exists()):
        state = json.loads((folder / "checkpoint").read_text())
    while state["epoch"] < EPOCHS:
        number = state["epoch"] + 1
        if number == 2:
            _act(verb, trial.id, folder, team)
        # Every clip of the batch once, whoever has it: whole numbers, so that the sum is the same in any order.
        gradient = torch.tensor([float(sum(clip for clip in range(BATCH) if clip % team.size == team.rank))])
        team.sum(gradient)
        state = {"epoch": number, "weight": state["weight"] * 0.5 + gradient.item()}
        if team.rank == 0:
            (folder / "checkpoint.new").write_text(json.dumps(state))
            (folder / "checkpoint.new").rename(folder / "checkpoint")
        team.share(None)
        report(Epoch(trial.id, number, EPOCHS, loss=state["weight"], top1=0.5, rate=0.1, seconds=0.0))
    seen = {"threads": os.environ.get("OMP_NUM_THREADS", ""), "folder": os.getcwd(), "size": str(team.size)}
    return Completed(trial.id, Metrics(trial.seed / 100, 1.0, 0.5, 10), 0.0, versions=seen)


def _act(verb: str, trial: str, folder: Path, team: Team) -> None:
    """What happens in the second epoch."""
    match verb:
        case "hold":
            _wait((folder / "on").exists)
        case "complain" if team.rank == 1:
            # Only one of them fails, and the others wait for it.
            raise TrialError("the loss is not a number")
        case "hang":
            log = folder.parent / "trials" / trial / LOG
            log.parent.mkdir(parents=True, exist_ok=True)
            again = team.share(log.exists())
            if team.rank == 0 and not again:
                log.write_text(f"{ATTEMPT}{this_place()}\n")
            team.share(None)
            if team.rank == 1 and not again:
                with Watchdog(HANG_MINUTES).watching(log):
                    time.sleep(PATIENCE_SECONDS)
        case "linger":
            for beat in range(100 * PATIENCE_SECONDS):
                (folder / f"{os.getpid()}").write_text(str(beat))
                time.sleep(0.02)


def _wait(ready: Callable[[], bool]) -> None:
    begun = time.time()
    while not ready():
        if time.time() - begun > PATIENCE_SECONDS:
            raise TimeoutError
        time.sleep(0.01)


def _lives(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


SEEDS = count()


def trial(data: str) -> Trial:
    return Trial(realise(Factors(), Basis()), Recipe(), data, Views(), next(SEEDS))


def never(failed: Failed) -> None:
    return None


def losses(events: list[Event]) -> list[float]:
    """Of each epoch, as whoever records them has them in the end."""
    return list({event.number: event.loss for event in events if isinstance(event, Epoch)}.values())


UNDISTURBED = [66.5, 99.25, 115.625]


def pids(started: Event) -> list[int]:
    assert isinstance(started, Started)
    return [int(pid) for host in started.worker.split() for pid in host.rpartition(":")[2].split(",")]


class Meter:
    device = "a stage"

    def measure(self, name: str, geometry: object) -> float:
        return float(os.getpid())


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the trials' logs are."""
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def on_ray(runs: Path) -> Iterator[Dispatcher]:
    import ray.cloudpickle

    from trainers.dispatch.cluster import RayDispatcher

    # The folder of tests is not on a worker's path.
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    with RayDispatcher(rehearse, Meter(), cpus=HALF, gpus=0, workers=2, shared=runs) as dispatcher:
        yield dispatcher


@pytest.fixture(params=["inline", pytest.param("ray", marks=pytest.mark.ray)])
def dispatcher(request: pytest.FixtureRequest, runs: Path) -> Dispatcher:
    if request.param == "inline":
        return InlineDispatcher(rehearse, Meter(), workers=2, runs=runs)
    on_ray: Dispatcher = request.getfixturevalue("on_ray")
    return on_ray


class TestTeamsOfEveryDispatcher:
    def test_a_killed_worker_is_told_in_plain_words_what_one_raises_in_its_own_and_closing_stops_every_worker(
        self, dispatcher: Dispatcher, tmp_path: Path
    ) -> None:
        # One after the other, since a trial fills the machine: begun all at once, none would have both its workers.
        trials = []
        for number, verb in enumerate(("hold", "complain", *["linger"] * 4)):
            folder = tmp_path / str(number)
            folder.mkdir()
            trials.append(trial(f"{verb} {folder}"))
        events: list[Event] = []
        with closing(dispatcher.run(trials, never)) as running:
            for event in running:
                events.append(event)
                if isinstance(event, Epoch) and event.trial == trials[0].id:
                    # It came while the trial goes on, which waits for this.
                    os.kill(pids(events[0])[1], signal.SIGKILL)
                    (tmp_path / "0" / "on").touch()
                if isinstance(event, Epoch) and event.trial == trials[2].id:
                    _wait(lambda: len(list(tmp_path.glob("2/[0-9]*"))) == 2)
                    break
        first, _, killed, second, _, complained, third, _ = events
        assert [type(event) for event in events] == [Started, Epoch, Failed, Started, Epoch, Failed, Started, Epoch]
        assert [event.trial for event in events] == [trials[which].id for which in (0, 0, 0, 1, 1, 1, 2, 2)]
        assert len({*pids(first), *pids(second), *pids(third), os.getpid()}) == 7
        host = socket.gethostname()
        assert isinstance(killed, Failed)
        assert killed.reason.startswith(f"the worker {host}:{pids(first)[1]}, one of 2, died without a word: ")
        assert "\n" not in killed.reason
        assert isinstance(complained, Failed)
        assert complained.reason == "the loss is not a number"
        assert "in _act" in complained.traceback
        _wait(lambda: not any(_lives(pid) for event in (first, second, third) for pid in pids(event)))

    def test_a_worker_that_hangs_ends_its_team_which_is_called_a_hang_and_retried(
        self, dispatcher: Dispatcher, runs: Path
    ) -> None:
        folder = runs / f"hung-{next(SEEDS)}"
        folder.mkdir()
        events = list(dispatcher.run([trial(f"hang {folder}")], lambda failed: 0.0))
        kinds = [type(event) for event in events]
        assert kinds == [Started, Epoch, Failed, Started, Epoch, Epoch, Completed]
        failed = events[2]
        assert isinstance(failed, Failed)
        assert (failed.kind, losses(events)) == (FailureKind.HANG, UNDISTURBED)
        assert "made no progress for 0:00:01" in failed.reason
        assert "_act" in failed.log
        _wait(lambda: not any(_lives(pid) for pid in pids(events[0])))


def test_a_trial_whose_worker_was_killed_is_retried_from_its_checkpoint_and_ends_as_undisturbed(tmp_path: Path) -> None:
    one = trial(f"hold {tmp_path}")
    events: list[Event] = []
    for event in InlineDispatcher(rehearse, Meter(), workers=2).run([one], lambda failed: 0.0):
        events.append(event)
        if isinstance(event, Epoch) and event.number == 1:
            os.kill(pids(events[0])[0], signal.SIGKILL)
            (tmp_path / "on").touch()
    assert [type(event) for event in events] == [Started, Epoch, Failed, Started, Epoch, Epoch, Completed]
    assert losses(events) == UNDISTURBED
    outcome = events[-1]
    assert isinstance(outcome, Completed)
    assert outcome.metrics.top1 == one.seed / 100
    assert (outcome.versions["size"], outcome.versions["folder"]) == ("2", os.getcwd())


class Doomed:
    """Starts teams that die: each of the first after an epoch, and then without one."""

    host = "127.0.0.1"
    elastic = True

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs
        self.size = 2
        self.avoided: list[Sequence[str]] = []

    def launch(self, trial: Trial, post: Post, avoid: Sequence[str]) -> Doomed:
        self.avoided.append(avoid)
        with dial(post) as wire:
            wire.send(0)
            wire.send(Here(("x:1", "x:2")))
            if self.epochs:
                self.epochs -= 1
                wire.send(Epoch(trial.id, 1, EPOCHS, loss=1, top1=0.5, rate=0.1, seconds=0.0))
        return self

    def run(self) -> bool:
        return False

    def end(self, group: str | None) -> str:
        return ""

    def reason(self, worker: str, said: str) -> tuple[FailureKind, str]:
        return FailureKind.SIGNAL, f"the worker {worker} fell"


def test_an_elastic_trial_that_ends_its_own_workers_again_and_again_fails(tmp_path: Path) -> None:
    events: list[Event] = []
    assert not attempt_together(Doomed(epochs=2), trial("train"), events.append)
    assert [type(event) for event in events] == [Started, Epoch, Started, Epoch, Started, Started, Failed]
    failed = events[-1]
    assert isinstance(failed, Failed)
    assert failed.reason == "the worker x:1, one of 2, fell, 3 times without an epoch in between"


def test_every_team_of_a_trial_is_kept_from_the_same_machines() -> None:
    launcher = Doomed(epochs=1)
    attempt_together(launcher, trial("train"), lambda event: None, ["bad", "worse"])
    assert launcher.avoided == [["bad", "worse"]] * 3


@pytest.mark.ray
class TestRay:
    def test_it_measures_between_trials_on_what_one_worker_holds(self, on_ray: Dispatcher) -> None:
        assert on_ray.meter.device == "a stage"
        assert on_ray.meter.measure("memory", realise(Factors(), Basis())) not in (0.0, float(os.getpid()))

    def test_a_trial_that_no_cluster_of_this_size_holds_is_refused(self, on_ray: Dispatcher) -> None:
        with pytest.raises(UsageError) as caught:
            Seats(cpus=HALF, gpus=0, workers=3).check()
        assert f"a trial of the space has 3 processes with {HALF:g} cpus and 0 gpus each" in str(caught.value)
        assert "have room for 2 of them together" in str(caught.value)
        assert Seats(cpus=HALF, gpus=0, workers=3, least=2).check() == 1
        assert Seats(cpus=HALF / 2, gpus=0, workers=2).check() == 2

    @pytest.mark.parametrize("kind", ["inline", "local"])
    def test_a_killed_coordinator_leaves_no_worker_behind(self, kind: str, tmp_path: Path) -> None:
        with _script(kind, str(tmp_path)) as process:
            _wait(lambda: len(list(tmp_path.glob("[0-9]*"))) == 2 or process.poll() is not None)
            process.kill()
            output, errors = process.communicate(timeout=PATIENCE_SECONDS)
        workers = [int(path.name) for path in tmp_path.glob("[0-9]*")]
        assert len(workers) == 2, errors
        _wait(lambda: not any(_lives(worker) for worker in workers))
        assert output == ""

    def test_a_trial_whose_machine_is_gone_goes_on_with_fewer_workers_and_the_same_losses(self, tmp_path: Path) -> None:
        with _script("machines", str(tmp_path)) as process:
            output, errors = process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 0, errors
        told = json.loads(output)
        assert "cannot see what" in told["blind"]
        # Kept from one of two machines, it is of one worker, on the other.
        ((size, node),) = told["apart"]
        assert (size, node in told["nodes"], node == told["kept_from"]) == (1, True, False)
        assert told["sizes"] == [2, 1]
        assert told["kinds"] == ["Started", "Epoch", "Started", "Epoch", "Epoch", "Completed"]
        assert told["losses"] == UNDISTURBED
        assert all(each["trainer"] == str(TRAINER) and each["code"] for each in told["versions"])
        # The copy that it imports also has another source, which names the version.
        said = r"not all machines would train the same: \S+ has trainer 2 where the coordinator has 1, code \w+ where"
        assert re.match(said, told["other"])

    def test_a_trial_alone_has_as_many_workers_as_there_is_room_for_and_ends_alike(self, tmp_path: Path) -> None:
        with _script("sized", str(tmp_path)) as process:
            output, errors = process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 0, errors
        assert json.loads(output) == {"size": "2", "losses": UNDISTURBED}


class TestPlacement:
    """What a dispatcher makes of a cluster of eight GPUs; no Ray is asked."""

    @pytest.fixture
    def eight(self, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
        from trainers.dispatch.cluster import RayDispatcher

        def made(places: int = 8, **asked: Any) -> Any:
            machine = {"CPU": 4.0 * places, "GPU": float(places)}
            monkeypatch.setattr(seats, "_machines", lambda: {"one": machine})
            return RayDispatcher(rehearse, Meter(), **{"cpus": 4, "gpus": 1, "sized": True} | asked)

        return made

    @staticmethod
    def of(*epochs: int) -> list[Trial]:
        return [replace(one, recipe=replace(one.recipe, epochs=each)) for each in epochs for one in [trial("x")]]

    def test_trials_get_gpus_by_what_they_cost(self, eight: Callable[..., Any]) -> None:
        trials = self.of(10, 40, 10)
        placed = eight()._placed(trials)
        assert {one.id: placed[one.id].workers for one in trials} == dict(
            zip((one.id for one in trials), (1, 5, 1), strict=True)
        )
        assert all((each.gpus, each.cpus) == (1, 4) for each in placed.values())

    def test_none_begins_that_does_not_fit_beside_those_that_run(self, eight: Callable[..., Any]) -> None:
        dispatcher, trials = eight(), self.of(10, 10, 10)
        placed = {one.id: Seats(4, 1, workers) for one, workers in zip(trials, (6, 5, 2), strict=True)}
        due = {one.id: one for one in trials}
        first = dispatcher._that_fit(due, [], placed)
        assert [one.id for one in first] == [trials[0].id, trials[2].id]
        assert dispatcher._that_fit({trials[1].id: trials[1]}, [one.id for one in first], placed) == []
        assert dispatcher._that_fit({trials[1].id: trials[1]}, [trials[2].id], placed) == [trials[1]]
        assert dispatcher._spare([trials[0].id], placed) == 2

    @pytest.mark.parametrize("asked", [{"sized": False}, {"gpus": 1, "workers": 8}, {"places": 1}])
    def test_what_the_space_asks_for_stands_where_it_says_so_or_nothing_is_left(
        self, eight: Callable[..., Any], asked: dict[str, Any]
    ) -> None:
        assert eight(**asked)._placed(self.of(10, 40, 10)) == {}

    def test_a_part_of_a_gpu_is_the_smallest_and_several_share_one(self, eight: Callable[..., Any]) -> None:
        dispatcher = eight(places=1, cpus=0.5, gpus=0.25)
        assert {each.gpus for each in dispatcher._placed(self.of(*[10] * 6)).values()} <= {0.25, 1 / 3, 0.5}
        assert dispatcher._one.size == 0.25
        alone = dispatcher._placed(self.of(10))
        assert {(each.gpus, each.workers) for each in alone.values()} <= {(0.5, 1), (1.0, 1)}

    def test_the_gpus_that_a_trial_had_are_recorded(self) -> None:
        from trainers.dispatch.cluster import _holding

        done = Completed("a", Metrics(0.5, 1, 1, 10), 1.0, gpus=1.0)
        assert _holding(done, {"a": Seats(1, 0.5)}) == replace(done, gpus=0.5)
        assert _holding(replace(done, gpus=8.0), {"a": Seats(1, 1, 8)}).gpus == 8  # type: ignore[union-attr]
        assert _holding(done, {}) == done
        assert _holding(replace(done, gpus=None), {"a": Seats(1, 0, 1)}).gpus is None  # type: ignore[union-attr]


SPACE: dict[str, Any] = {
    "basis": {"widths": [8, 16], "blocks": [1, 1], "crop": 16, "classes": 6, "head_width": 16},
    "expansion": {"first_stride": 2, "tolerance": 0.6, "max_steps": 1},
    "regimes": {"bounds": {"Large": 1e9}},
    "recipe": {"epochs": 2, "batch": 12, "reference_batch": 12, "batchnorm_group": 4, "base_rate": 0.1},
    "views": {"clips": 1},
}


@pytest.mark.parametrize("dispatcher", ["inline", pytest.param("ray", marks=pytest.mark.ray)])
def test_a_search_with_two_workers_a_trial_decides_as_one_with_one(
    dispatcher: str, videos: Videos, alone: dict[str, Any], tmp_path: Path
) -> None:
    # A team of Ray Train takes seconds to start: there, one of the two trials is enough.
    axes = ["spatial", "fast"] if dispatcher == "inline" else [alone["decisions"][0][0]]
    together = search(tmp_path, videos, dispatcher, axes, {"workers_per_trial": 2, "cpus": HALF})
    assert together["decisions"] == alone["decisions"]
    assert len(together["losses"]) == 2 * len(axes)
    assert together["losses"] == pytest.approx({key: alone["losses"][key] for key in together["losses"]}, abs=1e-5)


@pytest.fixture(scope="module")
def alone(videos: Videos, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return search(tmp_path_factory.mktemp("alone"), videos, "inline", ["spatial", "fast"], {})


def search(folder: Path, videos: Videos, dispatcher: str, axes: list[str], resources: dict[str, Any]) -> dict[str, Any]:
    """What a search over `axes` recorded: what its step chose, and the loss of each epoch of each trial."""
    space = SPACE | {"expansion": SPACE["expansion"] | {"axes": axes}, "resources": resources}
    (folder / "space.yaml").write_text(yaml.safe_dump(space))
    given = ["--train", videos.train, "--val", videos.val, "--dispatcher", dispatcher]
    done = subprocess.run(
        command("search", "space.yaml", "--name", "one", *given),
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    with closing(sqlite3.connect(folder / "runs" / "expander.db")) as store:
        epochs = store.execute("SELECT trial_id, number, loss FROM epochs").fetchall()
        decisions = store.execute("SELECT axis, trial_id, score FROM decisions").fetchall()
    return {"decisions": decisions, "losses": {f"{trial} {number}": loss for trial, number, loss in epochs}}


@contextmanager
def _script(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """This file as a program: a coordinator that can be killed. Whatever it warns of is an error there too."""
    with subprocess.Popen(
        [sys.executable, "-W", "error", __file__, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=heed_ctrl_c,
    ) as process:
        try:
            yield process
        finally:
            process.kill()  # one that hangs fails its test, and not the next ones too


def _main(kind: str, path: str) -> None:
    if kind == "inline":
        list(InlineDispatcher(rehearse, Meter(), workers=2).run([trial(f"linger {path}")], never))
        return
    from trainers.dispatch.cluster import RayDispatcher

    if kind == "local":
        with RayDispatcher(rehearse, Meter(), cpus=HALF, gpus=0, workers=2) as dispatcher:
            list(dispatcher.run([trial(f"linger {path}")], never))
        return
    if kind == "sized":
        print(json.dumps(_train_sized(Path(path))))
        return
    # Warnings of Ray's own tests' tool are not ours.
    with closing_cluster() as cluster:
        told = _lose_a_machine(cluster, Path(path))
        print(json.dumps(told | {"other": _train_otherwise(cluster, Path(path))}))


@contextmanager
def closing_cluster() -> Iterator[Any]:
    """Two machines with a CPU each, both of them this one."""
    from ray.cluster_utils import Cluster

    # A machine that is gone is noticed in a second instead of a quarter of a minute.
    looks = {"health_check_period_ms": 300, "health_check_timeout_ms": 1000, "health_check_failure_threshold": 3}
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False, "_system_config": looks}
    )
    try:
        yield cluster
    finally:
        cluster.shutdown()


def _train_sized(folder: Path) -> dict[str, Any]:
    """One trial, on a machine that has room for two processes."""
    from trainers.dispatch.cluster import RayDispatcher

    with RayDispatcher(rehearse, Meter(), cpus=HALF, gpus=0, sized=True) as dispatcher:
        events = list(dispatcher.run([trial(f"train {folder}")], never))
    assert isinstance(events[-1], Completed), events
    return {"size": events[-1].versions["size"], "losses": losses(events)}


def _lose_a_machine(cluster: Any, folder: Path) -> dict[str, Any]:
    from trainers.dispatch.cluster import RayDispatcher

    machine = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    asked: dict[str, Any] = {"cpus": 1, "gpus": 0, "workers": 2, "least": 1, "address": cluster.address}
    blind = ""
    # The machines were started in another folder, where this relative path means something else.
    os.chdir(folder)
    with suppress(UsageError):
        try:
            RayDispatcher(rehearse, Meter(), shared=Path("runs"), **asked).__enter__()
        except UsageError as error:
            blind = str(error)
    events: list[Event] = []
    with RayDispatcher(rehearse, Meter(), shared=folder / "runs", **asked) as dispatcher:
        nodes = sorted(dispatcher.nodes)
        (kept_from,) = (node for node in nodes if node.endswith(f"/{machine.node_id[:NODE_DIGITS]}"))
        (folder / "apart").mkdir()
        running = dispatcher.run([trial(f"train {folder / 'apart'}")], never, avoid=lambda _: frozenset({kept_from}))
        apart = [(len(pids(event)), event.node) for event in running if isinstance(event, Started)]
        for event in dispatcher.run([trial(f"hold {folder}")], never):
            events.append(event)
            if isinstance(event, Epoch) and event.number == 1:
                cluster.remove_node(machine, allow_graceful=False)
                (folder / "on").touch()
    sizes = [len(pids(event)) for event in events if isinstance(event, Started)]
    told = {"blind": blind, "sizes": sizes, "kinds": [type(e).__name__ for e in events], "losses": losses(events)}
    told |= {"nodes": nodes, "kept_from": kept_from, "apart": apart}
    return told | {"versions": [event.versions for event in events if isinstance(event, Started)]}


def _train_otherwise(cluster: Any, folder: Path) -> str:
    """What is said of a machine whose programs are of another version of the training."""
    import expander
    import trainers
    from trainers.dispatch.cluster import RayDispatcher

    for package in (expander, trainers):
        shutil.copytree(Path(package.__file__ or "").parent, folder / "other" / package.__name__)
    trial_py = folder / "other" / "expander" / "trial.py"
    trial_py.write_text(trial_py.read_text().replace("\nTRAINER = 1\n", "\nTRAINER = 2\n"))
    cluster.add_node(num_cpus=1, env_vars={"PYTHONPATH": str(folder / "other")})
    cluster.wait_for_nodes()
    try:
        RayDispatcher(rehearse, Meter(), cpus=1, gpus=0, address=cluster.address).__enter__()
    except UsageError as error:
        return str(error)
    return ""


class Table:
    """A team of threads, for what needs no processes."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._barrier = Barrier(size)
        self._values: dict[int, Any] = {}

    def seat(self, rank: int) -> Team:
        return _Seat(rank, self)  # type: ignore[return-value]


class _Seat:
    def __init__(self, rank: int, table: Table) -> None:
        self.rank, self.size, self._table = rank, table.size, table

    def gather(self, value: Any) -> list[Any]:
        self._table._values[self.rank] = value
        self._table._barrier.wait(10)
        values = [self._table._values[rank] for rank in range(self.size)]
        self._table._barrier.wait(10)
        return values

    def share(self, value: Any) -> Any:
        return self.gather(value)[0]


@pytest.mark.parametrize("same", [True, False])
def test_workers_that_do_not_see_one_folder_say_so_and_how_to_mend_it(same: bool, tmp_path: Path) -> None:
    # Of two machines, each has a folder of this name.
    folders = [tmp_path / "here", tmp_path / ("here" if same else "there")]
    table, said = Table(2), [""] * 2

    def look(rank: int) -> None:
        try:
            check_shared(folders[rank], table.seat(rank))
        except TrialError as error:
            said[rank] = str(error)

    threads = [Thread(target=look, args=(rank,)) for rank in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not list(folders[0].iterdir())
    if same:
        assert said == ["", ""]
    else:
        assert said[0].startswith(f"{folders[0]} is not the same folder everywhere: ")
        assert "Give --runs a folder on a file system that every machine mounts" in said[0]


def test_more_gpus_than_this_machine_has_are_refused() -> None:
    with pytest.raises(UsageError, match="a trial of the space takes 1000 GPUs, and this machine has"):
        InlineDispatcher(rehearse, Meter(), workers=1000, on_gpus=True)


def test_places_are_shown_by_host() -> None:
    assert shown(["a:1", "a:2", "b-c:3"]) == "a:1,2 b-c:3"


def test_a_switchboard_tells_who_left_from_who_died_and_hears_no_stranger() -> None:
    board = Switchboard("127.0.0.1")
    with pytest.raises(Exception, match="digest"):
        dial(replace(board.post, key=b"wrong"))
    for rank, words in enumerate(((Here(("x:1", "x:2")), Leave()), ())):
        with dial(board.post) as wire:
            wire.send(rank)
            for word in words:
                wire.send(word)
    heard = list(board.close())
    assert sorted(heard, key=lambda word: word[0]) == [
        (0, Here(("x:1", "x:2"))),
        (0, Leave()),
        (0, Gone()),
        (1, Gone()),
    ]


if __name__ == "__main__":
    _main(*sys.argv[1:])
