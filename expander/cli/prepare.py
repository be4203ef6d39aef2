"""`expander data prepare`: a copy of a data set made for training speed."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from expander.axis import round_half_up
from expander.cli.files import load_config, load_space, make_folder
from expander.cli.options import Json, OutsideRoot, Root
from expander.cli.output import document, notes, print_json
from expander.errors import Interrupted, UsageError
from expander.plan import plan
from expander.recipe import Recipe
from expander.space import SearchSpace
from expander.trial import shorter_side
from expander.units import duration, human

if TYPE_CHECKING:
    from trainers.data.encode import Settings
    from trainers.data.manifest import Manifest
    from trainers.data.prepare import Event, Finished, Predicted
    from trainers.data.prepared import Made, State

FormName = Literal["frames", "video", "raw"]
DEFAULT_SPACE = "x3d_kinetics400"
# Where no terminal shows a bar, lines come no faster.
LINE_SECONDS = 10.0
UNPREPARED_SHOWN = 5


def prepare(
    manifests: Annotated[
        list[Path], typer.Argument(help="Manifests or folders of classes that belong together, training first.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for the copies and their lists, MANIFEST.csv each.")],
    root: Root = None,
    outside_root: OutsideRoot = False,
    side: Annotated[
        int | None, typer.Option(min=16, max=8192, help="Shorter side in pixels; smaller videos keep theirs.")
    ] = None,
    space: Annotated[
        str | None,
        typer.Option(
            help=f"Instead: as the largest crop needs that a search of this space may train. Default: {DEFAULT_SPACE}."
        ),
    ] = None,
    config: Annotated[str | None, typer.Option(help="Instead: as training this config needs, such as X3D-M.")] = None,
    form: Annotated[
        FormName,
        typer.Option(
            "--as",
            help="frames: JPEG, a clip's frames alone are read. video: H.264, a quarter of the bytes, about a third as"
            " fast. raw: ten times the bytes, fastest from memory.",
        ),
    ] = "frames",
    keyframes: Annotated[
        int | None,
        typer.Option(min=1, max=1000, help="Of a video: frames from one key frame to the next, at most. Default: 12."),
    ] = None,
    quality: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=51,
            help="Higher is smaller. Of frames: JPEG's quantiser, 2 to 31 (3); of a video: x264's crf (20).",
        ),
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; by default one for each core.")] = None,
    as_json: Json = False,
) -> None:
    """Copy a data set for training speed: as large as a search needs, all frames kept and each quickly had, no sound.

    Run again, it goes on. A video that cannot be read is copied as it is and named in unprepared.csv.
    """
    pixels, why = _side(side, space, config)
    settings = settings_of(pixels, form, keyframes, quality)
    from trainers.data.manifest import ManifestSource, read_pair

    sources = [ManifestSource(path.resolve(), root and root.resolve(), outside_root) for path in manifests]
    read = [sources[0].read(), *(read_pair(sources[0], other)[1] for other in sources[1:])]
    notes().print(f"shorter side {pixels}: {why}", markup=False)
    began = time.monotonic()
    predicted, finished = _made(read, out, settings, workers)
    _print(finished, predicted, settings.as_dict(), time.monotonic() - began, as_json)


def prepare_for(space: SearchSpace, renew: bool) -> None:
    """Make the copies that a search of `space` trains on, as far as they are not there; it may ask for none.

    renew: also where the lists of the copies are there, of which some may be missing or have changed. Raises UsageError
    where no side is known, and what `expander data prepare` raises.
    """
    from expander.cli.inputs import copies_of, originals_of
    from trainers.data.manifest import read_pair

    lists = copies_of(space)
    if lists is None or not (renew or not all(path.is_file() for path in lists)):
        return
    assert space.prepare.folder is not None
    if space.prepare.side is None and space.measured is not None:
        raise UsageError(
            f"prepare.side: the crops of a space whose complexity is {space.complexity} are known only as it is"
            " searched; give the shorter side that the largest crop needs, 10/7 of it"
        )
    side, why = (space.prepare.side, "as given") if space.prepare.side else _of_space(space, "the search")
    notes().print(f"videos are prepared in {space.prepare.folder}, shorter side {side}: {why}", markup=False)
    settings = settings_of(side, space.prepare.form, None, None)
    _, finished = _made(read_pair(*originals_of(space)), Path(space.prepare.folder), settings, None)
    unprepared = sum(made.state != "prepared" for made in finished.made)
    if unprepared:
        notes().print(_left(Counter(made.state for made in finished.made), _unprepared(finished)), markup=False)


def _made(
    manifests: Sequence[Manifest], out: Path, settings: Settings, workers: int | None
) -> tuple[Predicted | None, Finished]:
    """Make copies and show it; what was predicted of them, and what came of it."""
    from trainers.data.prepare import prepare as make

    make_folder(out)
    # As many as the cores that this process may use, which a container limits.
    events = make(out.resolve(), manifests, settings, workers or len(os.sched_getaffinity(0)))
    try:
        with closing(events):
            return _shown(events, notes())
    except KeyboardInterrupt:
        raise Interrupted("stopped; the same command goes on from here") from None


def _unprepared(finished: Finished) -> Path:
    return finished.manifests[0].parent / "unprepared.csv"


def settings_of(side: int, form: FormName, keyframes: int | None, quality: int | None) -> Settings:
    """How copies are made. Raises UsageError for what has no meaning in this form."""
    from trainers.data.encode import FORMS, Settings

    known = FORMS[form]
    if keyframes is not None and form != "video":
        raise UsageError(f"--keyframes {keyframes}: of --as {form} every frame stands by itself; leave it out")
    if quality is not None and not known.coarser:
        raise UsageError(f"--quality {quality}: --as {form} loses nothing; leave it out")
    if quality is not None and not known.best <= quality <= known.worst:
        raise UsageError(f"--quality {quality}: of --as {form} it is {known.coarser}, {known.best} to {known.worst}")
    return Settings(side, keyframes or 12, quality, form)


def _side(side: int | None, space: str | None, config: str | None) -> tuple[int, str]:
    """Pixels of the shorter side, and where they come from."""
    given = {"--side": side, "--space": space, "--config": config}
    several = [name for name, value in given.items() if value is not None]
    if len(several) > 1:
        raise UsageError(f"{' and '.join(several)}: each says how large the copies are; give one of them")
    if side is not None:
        return side, "as given"
    if config is not None:
        loaded = load_config(config)
        return _needed(
            loaded.geometry.crop, loaded.recipe
        ), f"what training {loaded.name} needs, of crop {loaded.geometry.crop}"
    loaded_space, _ = load_space(space or DEFAULT_SPACE)
    if loaded_space.measured is not None:
        raise UsageError(
            f"--space {space}: the crops of a space whose complexity is {loaded_space.complexity} are known only as it"
            " is searched; give --side, or the --config of the largest network"
        )
    return _of_space(loaded_space, space or DEFAULT_SPACE)


def _of_space(space: SearchSpace, name: str) -> tuple[int, str]:
    # Of every candidate: the ones that a step does not keep are trained too.
    candidates = [candidate for step in plan(space).steps for candidate in step.step.candidates]
    crops = [found.solution.geometry.crop for found in candidates if found.solution and found.feasible]
    crop = max([space.basis.crop, *crops])
    return _needed(crop, space.base_recipe), f"what the largest crop needs that {name} plans to train, {crop}"


def _needed(crop: int, recipe: Recipe) -> int:
    """The longest shorter side that a clip or a view is taken at: 160 γs for a crop of 112 γs (Sec. 4)."""
    return max(round_half_up(recipe.scale_jitter[1] * crop), shorter_side(crop))


def _shown(events: Iterator[Event], console: Console) -> tuple[Predicted | None, Finished]:
    """Show the events as they come; what was predicted, and what came of it."""
    from trainers.data.prepare import Begun, Finished, Predicted
    from trainers.data.prepared import Made

    predicted = None
    with _Board(console) as board:
        for event in events:
            match event:
                case Begun():
                    board.begin(event.videos, event.todo)
                case Predicted():
                    predicted = event
                    board.say(_foretold(event))
                case Made():
                    board.add(event)
                case Finished():
                    return predicted, event
    raise AssertionError("the events ended without a last one")


def _foretold(predicted: Predicted) -> str:
    sizes = f"about {human(predicted.bytes, 3)}B of {human(predicted.free, 3)}B free"
    return f"by the first {predicted.sample} videos, the others take {sizes} and {duration(predicted.seconds)}"


class _Board:
    """How far it is: a bar on a terminal, else a line now and then."""

    def __init__(self, console: Console) -> None:
        self.console = console
        columns = (
            TextColumn("{task.completed:,}/{task.total:,} videos"),
            BarColumn(),
            TextColumn("{task.fields[rest]}"),
        )
        self.bar = Progress(*columns, console=console, transient=True)
        self.task = self.bar.add_task("", total=0, rest="")
        self.todo = self.done = self.bytes = self.shown = 0
        self.began = self.told = time.monotonic()

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.console.is_terminal:  # else it would leave an empty line
            self.bar.stop()

    def say(self, line: str) -> None:
        self.console.print(line, markup=False)

    def begin(self, videos: int, todo: int) -> None:
        self.todo = todo
        self.began = self.told = time.monotonic()
        self.bar.update(self.task, total=todo)
        known = f", {videos - todo:,} of them are there already" if todo < videos else ""
        self.say(f"{videos:,} videos{known}")

    def add(self, made: Made) -> None:
        self.done += 1
        self.bytes += made.bytes
        self.bar.update(self.task, completed=self.done, rest=self._rest())
        if made.state != "prepared":
            self.shown += 1
            if self.shown <= UNPREPARED_SHOWN:
                self.say(f"{made.source}: {made.reason}")
        if not self.console.is_terminal and time.monotonic() - self.told >= LINE_SECONDS:
            self.told = time.monotonic()
            self.say(f"{self.done:,}/{self.todo:,} videos, {self._rest()}")

    def _rest(self) -> str:
        """'12.3 videos/s, 45.6 MB, 3 min 05 s left'"""
        rate = self.done / max(1e-9, time.monotonic() - self.began)
        return f"{rate:.1f} videos/s, {human(self.bytes, 3)}B, {duration((self.todo - self.done) / rate)} left"


def _print(
    finished: Finished, predicted: Predicted | None, settings: dict[str, Any], seconds: float, as_json: bool
) -> None:
    states = Counter(made.state for made in finished.made)
    taken = sum(made.bytes for made in finished.made)
    original = sum(made.size for made in finished.made)
    unprepared = _unprepared(finished)
    if as_json:
        print_json(
            {
                "manifests": [str(path) for path in finished.manifests],
                "settings": settings,
                "videos": len(finished.made),
                **{state: states[state] for state in ("prepared", "kept", "missing", "crashed")},
                "bytes": taken,
                "source_bytes": original,
                "predicted_bytes": predicted and predicted.bytes,
                "seconds": seconds,
                "unprepared": str(unprepared),
            }
        )
        return
    sizes = f"{human(taken, 3)}B, from {human(original, 3)}B"
    document().print(f"{states['prepared']:,} of {len(finished.made):,} videos are prepared: {sizes}", markup=False)
    for path in finished.manifests:
        document().print(str(path), markup=False, soft_wrap=True)
    if len(finished.made) > states["prepared"]:
        notes().print(_left(states, unprepared), markup=False)


def _left(states: Mapping[State, int], unprepared: Path) -> str:
    kinds: dict[State, str] = {
        "kept": "copied as they are",
        "missing": "missing",
        "crashed": "copied as they are after a crash",
    }
    counts = ", ".join(f"{states[state]:,} {words}" for state, words in kinds.items() if states[state])
    return f"not prepared: {counts}; the lists name them all the same, and {unprepared} says why"
