"""What a search shows while it runs: a live table on a terminal, plain lines elsewhere. All of it on stderr."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.table import Table

from expander.cli.failing import blame, said
from expander.cli.output import new_table, notes
from expander.cli.status import log_of
from expander.complexity import measure
from expander.coordinator import Meter
from expander.cost import MeasuredName, described, shown
from expander.failure import suspects
from expander.geometry import Geometry
from expander.pace import advice, figures, held_up, remedy, shortfall, speed
from expander.plan import plan
from expander.recipe import points
from expander.search import Decision, Step, regularisation
from expander.space import SearchSpace
from expander.trial import Completed, Epoch, Event, Failed, Started, Warned
from expander.units import duration

if TYPE_CHECKING:
    from results.patience import PatientSearch
    from results.store import SearchStore


DAMAGED_SHOWN = 5
# Lines about measuring come no faster: a step measures dozens of networks, each for about a second.
MEASURING_SECONDS = 10


class MeasuringAloud:
    """A meter that says on stderr what it is about to measure, and where."""

    def __init__(self, meter: Meter, console: Console) -> None:
        self.meter = meter
        self.console = console
        self.measured = 0
        self.told = -math.inf

    @property
    def device(self) -> str:
        """The meter's."""
        return self.meter.device

    def measure(self, name: MeasuredName, geometry: Geometry) -> float:
        """Measure as the meter does."""
        if time.monotonic() - self.told >= MEASURING_SECONDS:
            self.told = time.monotonic()
            done = f" ({self.measured} networks so far)" if self.measured else ""
            self.console.print(f"measuring {name} on {self.device}{done}: {described(geometry)}", markup=False)
        value = self.meter.measure(name, geometry)
        self.measured += 1
        return value


@dataclass
class _Row:
    """What is known of one trial of the step. before: epochs that an interrupted search had trained already.

    cold: in the first epoch of an attempt. advised: whether it was said that reading holds it up.
    """

    axes: str
    work: float
    state: str = "pending"
    epoch: Epoch | None = None
    score: float | None = None
    before: int = 0
    cold: bool = True
    advised: bool = False


@dataclass
class _Board:
    """The step that is being trained."""

    step: Step
    rows: dict[str, _Row]
    began: float = field(default_factory=time.monotonic)


class Progress:
    """Told of every event of the loop; shows step, trials with epoch and accuracy, and the time that is left.

    The time that is left to the whole search follows the path that its space assumes. nodes: those of the dispatcher,
    once there is one.
    """

    def __init__(self, store: SearchStore | PatientSearch, space: SearchSpace, console: Console | None = None) -> None:
        self.console = console or notes()
        self.store = store
        self.runs = store.record_of.runs
        self.complexity = space.complexity
        self.loader_workers = space.resources.loader_workers
        self.space = space
        # A measured complexity would have to be measured along the whole path before the search begins.
        known = space.expansion.path and not space.prescribed and space.measured is None
        self.planned = [planned.step for planned in plan(space).steps] if known else []
        self.board: _Board | None = None
        self.advised: set[str] = set()
        self.failures = list(store.failures())
        self.nodes: Callable[[], frozenset[str]] = frozenset
        self.live = Live(console=self.console, get_renderable=self._table, refresh_per_second=2, transient=True)

    def __enter__(self) -> Progress:
        if self.console.is_terminal:
            self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.live.stop()

    def watch(self, step: Step, event: Event | Decision | None) -> None:
        """Show one event: a step that begins (None), what a dispatcher yielded, or the step's decision."""
        match event:
            case None:
                self._begin(step)
            case Decision():
                self._decided(step, event)
            case Started() | Epoch() | Warned() | Completed() | Failed():
                assert self.board is not None
                self._update(self.board.rows[event.trial], event)

    def _begin(self, step: Step) -> None:
        rows: dict[str, _Row] = {}
        for trial in step.trials:
            axes = "/".join(c.axis for c in step.candidates if c.trial is not None and c.trial.id == trial.id)
            rows[trial.id] = _Row(axes, measure(trial.geometry).flops * trial.recipe.epochs)
        for outcome in self.store.outcomes(step):
            if isinstance(outcome, Completed):
                rows[outcome.trial].state, rows[outcome.trial].score = "completed", outcome.score
                self._name_damaged(rows[outcome.trial].axes, outcome)
        self.board = _Board(step, rows)
        done = sum(row.state == "completed" for row in rows.values())
        known = f", {done} of them trained already" if done else ""
        what = f"contraction to {step.regime}" if step.regime else f"to {shown(self.complexity, step.bound)}"
        self._say(f"step {step.number}: {what}, {len(step.candidates)} candidates, {len(rows)} trials{known}")
        for change in regularisation(self.space, self.store.decisions()):
            if change.when_gap is not None and change.from_step == step.number and step.kind == "expansion":
                self._say(f"  the gap of step {step.number - 1} is over {points(change.when_gap)}: {change.what}")

    def _update(self, row: _Row, event: Event) -> None:
        match event:
            case Started():
                row.state, row.cold = "running", True
            case Epoch():
                row.before = row.before if row.epoch else event.number - 1
                row.state, row.epoch = "running", event
                if not self.console.is_terminal:
                    self._say(f"  {row.axes}: {_epoch(event)}; step ready in about {self._left()}")
                cold, row.cold = row.cold, False
                if held_up(event) and not cold and not row.advised:
                    row.advised = True
                    self._say(f"  {row.axes}: {self._advice(event)}")
            case Warned():
                self._say(f"  {row.axes}: {event.text}")
            case Completed():
                row.state, row.score = "completed", event.score
                self._say(f"  {row.axes}: top-1 {event.score:.1%} in {duration(event.seconds)}")
                self._name_damaged(row.axes, event)
                for note in event.notes:
                    self._say(f"  {row.axes}: {note}")
            case Failed():
                row.state = "failed"
                self._say(f"  {row.axes}: failed: {event.reason}")
                self._say(f"  {row.axes}: {said(event)}")
                self._say(f"  {row.axes}: log in {log_of(self.runs, event.trial)}")
                self._suspect(event)

    def _suspect(self, failed: Failed) -> None:
        """Say it where a failure makes its node one that is avoided."""
        before = suspects(self.failures)
        self.failures.append(failed)
        for node in suspects(self.failures) - before:
            others = self.nodes() - suspects(self.failures)
            then = "new attempts are placed elsewhere" if others else "it is used all the same, as there is no other"
            self._say(f"  {blame(node, self.failures)}: {then}")

    def _advice(self, epoch: Epoch) -> str:
        """What to change, said once: it is often the same for every trial."""
        advised = remedy(epoch, self.loader_workers)
        if advised in self.advised:
            return shortfall(epoch)
        self.advised.add(advised)
        return advice(epoch, self.loader_workers)

    def _name_damaged(self, axes: str, completed: Completed) -> None:
        """Name the videos that a training left out, also one that is taken over from before."""
        if completed.damaged:
            self._say(f"  {axes}: trained without {len(completed.damaged)} damaged videos:")
            for video in completed.damaged[:DAMAGED_SHOWN]:
                self._say(f"    {video}")
            if len(completed.damaged) > DAMAGED_SHOWN:
                self._say(f"    and {len(completed.damaged) - DAMAGED_SHOWN} more, which the report names")

    def _decided(self, step: Step, decision: Decision) -> None:
        scored = f", top-1 {decision.score:.1%}" if decision.score is not None else ""
        what = f"{step.regime} contracted on" if step.regime else f"step {step.number} keeps"
        self._say(f"{what} {decision.axis}: {shown(self.complexity, decision.cost)}{scored}")

    def _say(self, line: str) -> None:
        self.console.print(line, markup=False)

    def _left(self) -> str:
        """Time until the step is ready and until the search is, from what a flop has taken in this step so far."""
        if self.board is None:
            return "?"
        rows = self.board.rows.values()
        done = sum(row.work * (row.epoch.number - row.before) / row.epoch.epochs for row in rows if row.epoch)
        left = sum(
            row.work * (1 - (row.epoch.number / row.epoch.epochs if row.epoch else 0))
            for row in rows
            if row.state != "completed"
        )
        if not done:
            return "?"
        seconds = (time.monotonic() - self.board.began) / done
        later = sum(_work(step) for step in self.planned if step.number > self.board.step.number)
        search = f", the search in about {duration(seconds * (left + later))}" if later else ""
        return duration(seconds * left) + search

    def _table(self) -> Table:
        if self.board is None:
            return Table.grid()
        step = self.board.step
        name = f"{step.number} (contraction to {step.regime})" if step.regime else str(step.number)
        spent = duration(time.monotonic() - self.board.began)
        title = f"step {name}: {spent} so far, ready in about {self._left()}"
        figures = ("loss", "train", "clips/s", "wait", "top-1")
        table = new_table(title, ("axis", "trial", "state"), figures)
        for trial, row in self.board.rows.items():
            score = f"{row.score:.1%}" if row.score is not None else ""
            at = f"epoch {row.epoch.number}/{row.epoch.epochs}" if row.epoch and row.state == "running" else row.state
            table.add_row(row.axes, trial, at, *_cells(row.epoch), score)
        return table


def _work(step: Step) -> int:
    """Multiply-adds of one forward pass over each epoch's clip, for each different network of a step."""
    networks = {
        candidate.solution.geometry for candidate in step.candidates if candidate.feasible and candidate.solution
    }
    return sum(measure(geometry).flops for geometry in networks) * step.recipe.epochs


def _epoch(epoch: Epoch) -> str:
    learned = f"epoch {epoch.number}/{epoch.epochs}, loss {epoch.loss:.3f}, train top-1 {epoch.top1:.1%}"
    return ", ".join([learned, *figures(epoch)])


def _cells(epoch: Epoch | None) -> tuple[str, ...]:
    """Loss and top-1 on the training clips, clips a second, share of waiting for data."""
    if epoch is None:
        return ("",) * 4
    clips = "" if epoch.clips_per_second is None else speed(epoch.clips_per_second)
    waited = "" if epoch.waited is None else f"{epoch.waited:.0%}"
    return f"{epoch.loss:.3f}", f"{epoch.top1:.1%}", clips, waited
