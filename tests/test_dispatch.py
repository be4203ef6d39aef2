"""One contract for both dispatchers, and what only Ray can get wrong."""

from __future__ import annotations

import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from conftest import heed_ctrl_c

from expander.axis import Factors
from expander.cli.running import trials_at_once
from expander.coordinator import Dispatcher
from expander.cost import MeasuredName
from expander.errors import ExpanderError, TrialError, UsageError
from expander.geometry import Basis, Geometry, realise
from expander.recipe import Recipe
from expander.space import ResourcesSection
from expander.trial import Completed, Epoch, Event, Failed, Metrics, Started, Trial, Views
from trainers.dispatch.inline import InlineDispatcher

EPOCHS = 2
# So that a broken dispatcher fails a test instead of hanging it.
PATIENCE_SECONDS = 60


def rehearse(trial: Trial, report: Callable[[Epoch], None]) -> Completed:
    """A training that trains nothing: the trial's `data` is a verb and a path, and says what to do after the epochs."""
    begun = time.time()
    for number in range(1, EPOCHS + 1):
        report(Epoch(trial.id, number, EPOCHS, loss=1 / number, top1=0.5, rate=0.1, seconds=0.0))
    verb, _, path = trial.data.partition(" ")
    place = Path(path)
    match verb:
        case "raise":
            raise ValueError("the weather\nis bad")
        case "complain":
            raise TrialError("the loss is not a number")
        case "raise-once" if _first(place):
            raise ValueError("the first time")
        case "die-once" if _first(place):
            os.kill(os.getpid(), signal.SIGKILL)
        case "wait":
            _wait(place.exists)
        case "meet":
            (place / str(trial.seed)).touch()
            _wait(lambda: len(list(place.iterdir())) == 2)
        case "linger":
            _beat(place / f"{os.getpid()}-{trial.seed}")
    seen = {"pid": str(os.getpid()), "threads": os.environ.get("OMP_NUM_THREADS", ""), "folder": os.getcwd()}
    return Completed(trial.id, Metrics(trial.seed / 100, 1.0, 0.5, 10), time.time() - begun, versions=seen)


@dataclass(frozen=True)
class Rehearsal:
    """A meter that measures nothing: the classes of a geometry say what to do. folder: where what it says is read."""

    folder: Path = Path()

    @property
    def device(self) -> str:
        place = self.folder / "device"
        return place.read_text() if place.exists() else "a stage"

    def measure(self, name: MeasuredName, geometry: Geometry) -> float:
        match geometry.classes:
            case 13:
                raise TrialError("the curtain is down")
            case 14:
                raise ValueError("the lights\nare off")
            case 15:
                return math.inf
            case 16:
                os.kill(os.getpid(), signal.SIGKILL)
            case 17:
                _beat(self.folder / f"{os.getpid()}-0")
        return {"latency": 0.1 + 0.2, "memory": float(os.getpid())}[name]


def network(classes: int = 400) -> Geometry:
    return replace(realise(Factors(gamma_t=2, gamma_tau=4), Basis()), stride=None, classes=classes)


def _first(place: Path) -> bool:
    try:
        place.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def _wait(ready: Callable[[], bool]) -> None:
    begun = time.time()
    while not ready():
        if time.time() - begun > PATIENCE_SECONDS:
            raise TimeoutError
        time.sleep(0.01)


def _beat(place: Path) -> None:
    # Longer than any test waits, so that only being stopped ends it in time.
    for beat in range(3 * PATIENCE_SECONDS * 50):
        place.write_text(str(beat))
        time.sleep(0.02)


def _silent(place: Path) -> bool:
    before = {path: path.read_text() for path in place.iterdir()}
    time.sleep(0.5)
    return {path: path.read_text() for path in place.iterdir()} == before


SEEDS = count()


def trial(data: str = "train", seed: int | None = None) -> Trial:
    return Trial(realise(Factors(), Basis()), Recipe(), data, Views(), next(SEEDS) if seed is None else seed)


def never(failed: Failed) -> None:
    return None


def outcomes(events: list[Event]) -> list[Completed | Failed]:
    return [event for event in events if isinstance(event, Completed | Failed)]


@pytest.fixture(scope="module")
def on_ray_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stage")


@pytest.fixture(scope="module")
def on_ray(on_ray_folder: Path) -> Iterator[Dispatcher]:
    import ray.cloudpickle

    from trainers.dispatch.cluster import RayDispatcher

    # The folder of tests is not on a worker's path.
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    with RayDispatcher(rehearse, Rehearsal(on_ray_folder), cpus=0.5, gpus=0) as dispatcher:
        yield dispatcher


@pytest.fixture(params=["inline", pytest.param("ray", marks=pytest.mark.ray)])
def dispatcher(request: pytest.FixtureRequest) -> Dispatcher:
    if request.param == "inline":
        return InlineDispatcher(rehearse, Rehearsal())
    on_ray: Dispatcher = request.getfixturevalue("on_ray")
    return on_ray


class TestEveryDispatcher:
    def test_each_trial_begins_reports_its_epochs_and_has_one_outcome_in_that_order(
        self, dispatcher: Dispatcher
    ) -> None:
        trials = [trial() for _ in range(3)]
        events = list(dispatcher.run(trials, never))
        for each in trials:
            begun, *epochs, outcome = [event for event in events if event.trial == each.id]
            assert isinstance(begun, Started)
            assert ":" in begun.worker
            assert [epoch.number for epoch in epochs if isinstance(epoch, Epoch)] == list(range(1, EPOCHS + 1))
            assert len(epochs) == EPOCHS
            assert isinstance(outcome, Completed)
            assert outcome.metrics.top1 == each.seed / 100

    def test_an_epoch_arrives_while_its_trial_still_trains(self, dispatcher: Dispatcher, tmp_path: Path) -> None:
        seen = tmp_path / "seen"
        events = []
        for event in dispatcher.run([trial(f"wait {seen}")], never):
            events.append(event)
            if isinstance(event, Epoch) and event.number == EPOCHS:
                seen.touch()
        assert isinstance(events[-1], Completed)

    def test_a_training_that_raises_is_an_outcome_and_the_others_go_on(self, dispatcher: Dispatcher) -> None:
        trials = [trial(), trial("raise"), trial()]
        ended = {outcome.trial: outcome for outcome in outcomes(list(dispatcher.run(trials, never)))}
        failed = ended[trials[1].id]
        assert isinstance(failed, Failed)
        assert failed.reason == "ValueError: the weather"
        assert "in rehearse" in failed.traceback
        assert "is bad" in failed.traceback
        assert isinstance(ended[trials[0].id], Completed)
        assert isinstance(ended[trials[2].id], Completed)

    def test_an_error_of_our_own_is_told_in_its_own_words(self, dispatcher: Dispatcher) -> None:
        (outcome,) = outcomes(list(dispatcher.run([trial("complain")], never)))
        assert isinstance(outcome, Failed)
        assert outcome.reason == "the loss is not a number"

    def test_a_failed_trial_is_tried_anew_when_asked_and_only_then(
        self, dispatcher: Dispatcher, tmp_path: Path
    ) -> None:
        mended, hopeless = trial(f"raise-once {tmp_path / 'tried'}"), trial("raise")
        events: list[Event] = []

        def again(failed: Failed) -> float | None:
            assert events[-1] == failed
            return 0.0 if failed.trial == mended.id else None

        for event in dispatcher.run([mended, hopeless], again):
            events.append(event)
        ended = [(outcome.trial, type(outcome)) for outcome in outcomes(events)]
        assert sorted(ended, key=str) == sorted(
            [(mended.id, Failed), (mended.id, Completed), (hopeless.id, Failed)], key=str
        )
        assert [event.trial for event in events if isinstance(event, Started)].count(mended.id) == 2

    def test_closing_stops_what_runs_and_leaves_the_dispatcher_usable(
        self, dispatcher: Dispatcher, tmp_path: Path
    ) -> None:
        with closing(dispatcher.run([trial(f"linger {tmp_path}") for _ in range(3)], never)) as events:
            for _ in events:
                if any(tmp_path.iterdir()):
                    break
                time.sleep(0.1)
        assert any(tmp_path.iterdir())
        _wait(lambda: _silent(tmp_path))
        (outcome,) = outcomes(list(dispatcher.run([trial()], never)))
        assert isinstance(outcome, Completed)

    def test_the_order_of_the_trials_changes_no_result(self, dispatcher: Dispatcher) -> None:
        trials = [trial() for _ in range(4)]

        def scores(order: list[Trial]) -> dict[str, Any]:
            ended = outcomes(list(dispatcher.run(order, never)))
            return {each.trial: each.metrics for each in ended if isinstance(each, Completed)}

        there = scores(trials)
        assert len(there) == 4
        assert scores(trials[::-1]) == there

    def test_it_measures_before_between_and_after_trials(self, dispatcher: Dispatcher) -> None:
        meter = dispatcher.meter
        assert meter.device == "a stage"
        assert [meter.measure("latency", network()) for _ in range(3)] == [0.1 + 0.2] * 3
        (outcome,) = outcomes(list(dispatcher.run([trial()], never)))
        assert isinstance(outcome, Completed)
        assert meter.measure("memory", network()) > 1
        assert meter.measure("latency", network(15)) == math.inf

    def test_a_meter_that_raises_is_told_in_its_own_words(self, dispatcher: Dispatcher) -> None:
        with pytest.raises(TrialError, match="the curtain is down"):
            dispatcher.meter.measure("latency", network(13))
        with pytest.raises((TrialError, ValueError), match="the lights"):
            dispatcher.meter.measure("latency", network(14))
        assert dispatcher.meter.measure("latency", network()) == 0.1 + 0.2

    def test_no_trials_are_no_events(self, dispatcher: Dispatcher) -> None:
        assert list(dispatcher.run([], never)) == []


def test_without_ray_trials_run_at_once_where_that_is_asked_for(tmp_path: Path) -> None:
    dispatcher = InlineDispatcher(rehearse, Rehearsal(), at_once=2)
    ended = outcomes(list(dispatcher.run([trial(f"meet {tmp_path}"), trial(f"meet {tmp_path}"), trial()], never)))
    assert [type(outcome) for outcome in ended] == [Completed] * 3


@pytest.mark.parametrize("module", ["trainers.dispatch.cluster", "trainers.dispatch.inline"])
def test_who_sends_trainings_needs_no_pytorch_and_who_gets_them_has_imported_it(module: str, tmp_path: Path) -> None:
    made = (
        "import pickle, sys\n"
        "from pathlib import Path\n"
        f"import {module}\n"
        "from trainers.data.manifest import ManifestSource\n"
        "from trainers.meter import DeviceMeter\n"
        "from trainers.training import VideoTraining\n"
        "videos = ManifestSource(Path('videos.csv'))\n"
        "training = VideoTraining(videos, videos, Path('runs'), threads=2)\n"
    )
    sending = (
        f"sent = pickle.dumps([training, DeviceMeter()]); Path({str(tmp_path / 'sent')!r}).write_bytes(sent)\n"
        "print(pickle.loads(sent) == [training, DeviceMeter()], 'torch' in sys.modules)\n"
    )
    getting = (
        f"got = pickle.loads(Path({str(tmp_path / 'sent')!r}).read_bytes())\n"
        "print(got == [training, DeviceMeter()], 'trainers.train' in sys.modules)\n"
    )
    assert _python(made + sending) == "True False\n"
    assert _python(made + getting) == "True True\n"


def test_a_coordinator_on_ray_imports_no_pytorch() -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from trainers.data.manifest import ManifestSource\n"
        "from trainers.dispatch.cluster import RayDispatcher\n"
        "from trainers.meter import DeviceMeter\n"
        "from trainers.training import VideoTraining\n"
        "videos = ManifestSource(Path('videos.csv'))\n"
        "training = VideoTraining(videos, videos, Path('runs'))\n"
        "with RayDispatcher(training, DeviceMeter(), cpus=1, gpus=0) as dispatcher:\n"
        "    print(bool(dispatcher.meter.device), 'torch' in sys.modules)\n"
    )
    assert _python(code) == "True False\n"


def _python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True).stdout


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        *[({}, 4), ({"cpus": 2}, 2), ({"cpus": 3}, 1), ({"cpus": 0.5}, 8), ({"cpus": 9}, 1)],
        *[({"gpus_per_trial": 1}, 1), ({"workers_per_trial": 2}, 1)],
    ],
    ids=str,
)
def test_without_ray_as_many_trials_run_as_there_are_cores_for(
    resources: dict[str, float], expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(4)))
    assert trials_at_once(ResourcesSection.model_validate(resources)) == expected


def test_ctrl_c_ends_a_trial_in_the_middle_of_an_epoch(tmp_path: Path) -> None:
    with _script("inline", str(tmp_path)) as process:
        _wait(lambda: any(tmp_path.iterdir()) or process.poll() is not None)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode != 0
    assert errors.rstrip().endswith("KeyboardInterrupt")


@pytest.mark.ray
class TestRay:
    def test_trials_run_at_once_where_resources_allow(self, on_ray: Dispatcher, tmp_path: Path) -> None:
        ended = outcomes(list(on_ray.run([trial(f"meet {tmp_path}"), trial(f"meet {tmp_path}")], never)))
        assert [type(outcome) for outcome in ended] == [Completed, Completed]

    def test_a_killed_worker_is_a_failure_in_plain_words_and_the_trial_is_retried(
        self, on_ray: Dispatcher, tmp_path: Path
    ) -> None:
        killed, other = trial(f"die-once {tmp_path / 'died'}"), trial()
        events = list(on_ray.run([killed, other], lambda failed: 0.0))
        ended = [outcome for outcome in outcomes(events) if outcome.trial == killed.id]
        workers = [event.worker for event in events if isinstance(event, Started) and event.trial == killed.id]
        assert isinstance(ended[0], Failed)
        assert ended[0].reason.startswith(f"the worker {workers[0]} died without a word: killed by a signal")
        assert "\n" not in ended[0].reason
        assert isinstance(ended[1], Completed)
        assert len(ended) == 2

    def test_a_worker_has_the_threads_of_its_cpus_and_the_folder_of_the_coordinator(self, on_ray: Dispatcher) -> None:
        (outcome,) = outcomes(list(on_ray.run([trial()], never)))
        assert isinstance(outcome, Completed)
        assert outcome.versions["threads"] == "1"
        assert outcome.versions["folder"] == os.getcwd()

    def test_a_process_that_has_trained_serves_the_next_step(self, on_ray: Dispatcher) -> None:
        def worker() -> str:
            (outcome,) = outcomes(list(on_ray.run([trial()], never)))
            assert isinstance(outcome, Completed)
            return outcome.versions["pid"]

        earlier = {worker(), worker()}
        assert worker() in earlier

    def test_what_is_begun_early_stops_where_it_is_not_wanted_any_more_and_once_the_others_have_ended(
        self, on_ray: Dispatcher, tmp_path: Path
    ) -> None:
        (beats := tmp_path / "beats").mkdir()
        real = trial(f"wait {tmp_path / 'on'}")
        wanted = [trial(f"linger {beats}"), trial(f"linger {beats}")]
        gone, kept = wanted

        def beat_of(one: Trial) -> str:
            return next((path.read_text() for path in beats.glob(f"*-{one.seed}")), "")

        def stopped(one: Trial) -> bool:
            before = beat_of(one)
            time.sleep(0.5)
            return beat_of(one) == before

        def watch() -> None:
            _wait(lambda: bool(beat_of(gone) and beat_of(kept)))
            wanted.remove(gone)
            _wait(lambda: stopped(gone))
            if not stopped(kept):
                (tmp_path / "on").touch()

        watcher = Thread(target=watch)
        watcher.start()
        events = list(on_ray.run([real], never, early=lambda: list(wanted)))
        watcher.join()
        assert {event.trial for event in events if isinstance(event, Started)} == {real.id, gone.id, kept.id}
        assert [outcome.trial for outcome in outcomes(events)] == [real.id]
        assert _silent(beats)

    def test_it_is_a_process_that_trains_that_measures(self, on_ray: Dispatcher) -> None:
        def worker() -> float:
            (outcome,) = outcomes(list(on_ray.run([trial()], never)))
            assert isinstance(outcome, Completed)
            return float(outcome.versions["pid"])

        workers = {worker(), worker()}
        assert {on_ray.meter.measure("memory", network()) for _ in range(4)} <= workers
        assert worker() in workers

    def test_a_worker_that_dies_measuring_is_told_in_plain_words_with_the_network(self, on_ray: Dispatcher) -> None:
        with pytest.raises(TrialError) as caught:
            on_ray.meter.measure("memory", network(16))
        assert "the memory of 2 frames of 112 pixels, blocks 1 2 5 3, widths 24 48 96 192 cannot be measured" in str(
            caught.value
        )
        assert "died without a word: killed by a signal" in str(caught.value)
        assert "keep the search from it with limits in the space" in str(caught.value)
        assert on_ray.meter.measure("latency", network()) == 0.1 + 0.2

    def test_a_fit_that_ends_by_itself_is_begun_anew(self, on_ray: Dispatcher, monkeypatch: pytest.MonkeyPatch) -> None:
        from ray import tune

        fit, ended = tune.Tuner.fit, []

        def fit_later(tuner: tune.Tuner) -> object:
            ended.append(tuner)
            return None if len(ended) == 1 else fit(tuner)

        on_ray._end()  # type: ignore[attr-defined]
        monkeypatch.setattr(tune.Tuner, "fit", fit_later)
        assert on_ray.meter.measure("latency", network()) == 0.1 + 0.2
        assert len(ended) == 2

    def test_nobody_waits_for_an_experiment_that_is_gone(
        self, on_ray: Dispatcher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from trainers.dispatch.experiment import Experiment

        on_ray._end()  # type: ignore[attr-defined]
        with monkeypatch.context() as gone:
            gone.setattr(Experiment, "_fit", lambda experiment: None)
            with pytest.raises(ExpanderError, match="Ray Tune stopped: its thread has ended without a word"):
                on_ray.meter.measure("latency", network())
        assert on_ray.meter.measure("latency", network()) == 0.1 + 0.2

    def test_a_worker_on_another_device_is_refused(self, on_ray: Dispatcher, on_ray_folder: Path) -> None:
        assert on_ray.meter.device == "a stage"
        (on_ray_folder / "device").write_text("a street")
        try:
            with pytest.raises(TrialError, match=r"latency is measured on a stage, and .* a machine with a street"):
                on_ray.meter.measure("latency", network())
        finally:
            (on_ray_folder / "device").unlink()

    def test_ctrl_c_ends_a_measurement_and_leaves_no_worker_behind(self, tmp_path: Path) -> None:
        with _script("measure", str(tmp_path)) as process:
            _wait(lambda: any(tmp_path.iterdir()) or process.poll() is not None)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=PATIENCE_SECONDS)
        assert errors.rstrip().endswith("KeyboardInterrupt")
        (worker,) = (int(path.name.partition("-")[0]) for path in tmp_path.iterdir())
        _wait(lambda: not _lives(worker))

    def test_a_second_coordinator_joins_the_cluster_by_its_address_and_prints_nothing(
        self, on_ray: Dispatcher, tmp_path: Path
    ) -> None:
        import ray

        # Between its steps a dispatcher keeps its processes, and with them the cluster; a closed one gives them back.
        events = on_ray.run([trial(f"linger {tmp_path}")], never)
        next(events)
        events.close()
        with _script("join", str(tmp_path / "died"), ray.get_runtime_context().gcs_address) as process:
            output, errors = process.communicate(timeout=2 * PATIENCE_SECONDS)
        assert (process.returncode, output, errors) == (0, "", "")

    def test_a_killed_coordinator_leaves_no_worker_behind(self, tmp_path: Path) -> None:
        with _script("local", str(tmp_path)) as process:
            _wait(lambda: len(list(tmp_path.iterdir())) == 2 or process.poll() is not None)
            process.kill()
            output, _ = process.communicate(timeout=PATIENCE_SECONDS)
        workers = [int(path.name.partition("-")[0]) for path in tmp_path.iterdir()]
        assert len(workers) == 2
        _wait(lambda: not any(_lives(worker) for worker in workers))
        assert output == ""

    def test_resources_that_no_machine_has_are_refused_before_anything_starts(self) -> None:
        with _script("ask", "0.5", "1000") as process:
            output, errors = process.communicate(timeout=PATIENCE_SECONDS)
        assert "UsageError: the space asks for 0.5 cpus and 1000 gpus a trial, more than any machine" in errors
        assert output == ""

    def test_an_address_without_a_cluster_is_the_users_mistake(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from trainers.dispatch.cluster import RayDispatcher

        with socket.create_server(("127.0.0.1", 0)) as server:
            vacant = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(UsageError, match=f"{vacant}: no Ray cluster answers there"):
            RayDispatcher(rehearse, Rehearsal(), cpus=1, gpus=0, address=vacant).__enter__()
        monkeypatch.setenv("RAY_ADDRESS", vacant)
        with pytest.raises(UsageError, match=f"{vacant}: no Ray cluster answers there"):
            RayDispatcher(rehearse, Rehearsal(), cpus=1, gpus=0).__enter__()

    def test_a_local_ray_that_does_not_start_says_what_else_there_is(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import ray

        from trainers.dispatch.joining import Joining

        def busy(*_: object, **__: object) -> None:
            raise Exception("The current node timed out during startup.")  # Ray's own class

        monkeypatch.setattr(ray, "init", busy)
        with pytest.raises(ExpanderError, match="timed out during startup") as met:
            Joining("local", 1).join()
        assert met.value.exit_code == 1
        assert "with --dispatcher inline it goes without Ray" in str(met.value)

    @pytest.mark.parametrize("address", ["nonsense", "head:not-a-port", "ray://head:10001"])
    def test_an_address_of_another_form_is_the_users_mistake(self, address: str) -> None:
        from trainers.dispatch.cluster import RayDispatcher

        with pytest.raises(UsageError, match=f"--ray-address {address}"):
            RayDispatcher(rehearse, Rehearsal(), cpus=1, gpus=0, address=address).__enter__()


def _lives(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


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


def _main(kind: str, *arguments: str) -> None:
    if kind == "inline":
        list(InlineDispatcher(rehearse, Rehearsal()).run([trial(f"linger {arguments[0]}")], never))
        return
    from trainers.dispatch.cluster import RayDispatcher

    match kind:
        case "ask":
            RayDispatcher(rehearse, Rehearsal(), cpus=float(arguments[0]), gpus=float(arguments[1])).__enter__()
        case "join":
            with RayDispatcher(rehearse, Rehearsal(), cpus=0.5, gpus=0, address=arguments[1]) as dispatcher:
                *_, last = dispatcher.run([trial(f"die-once {arguments[0]}")], lambda failed: 0.0)
            assert isinstance(last, Completed)
        case "measure":
            with RayDispatcher(rehearse, Rehearsal(Path(arguments[0])), cpus=0.5, gpus=0) as dispatcher:
                dispatcher.meter.measure("latency", network(17))
        case "local":
            with RayDispatcher(rehearse, Rehearsal(), cpus=0.5, gpus=0) as dispatcher:
                list(dispatcher.run([trial(f"linger {arguments[0]}") for _ in range(2)], never))


if __name__ == "__main__":
    _main(*sys.argv[1:])


def test_a_worker_that_dies_without_having_said_where_it_is_is_a_failure_too() -> None:
    from types import SimpleNamespace

    from trainers.dispatch.experiment import _Link

    link = _Link()
    link.live["job"] = {"id": "0123456789abcdef"}
    link.running["job"] = SimpleNamespace(last_result={"time_total_s": 1.0})
    link.lose("job", "the worker process has died")
    failed = link.events.get_nowait()
    assert isinstance(failed, Failed)
    assert "the worker that was starting died without a word" in failed.reason
    assert not link.live
