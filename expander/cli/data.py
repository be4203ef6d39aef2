"""`expander data`: looking after the videos themselves, before a search trains on them."""

from __future__ import annotations

import csv
import io
import os
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from expander.cli.files import make_folder
from expander.cli.output import Json, document, new_table, notes, print_json
from expander.errors import Interrupted, UsageError
from expander.files import write_whole
from expander.units import duration

if TYPE_CHECKING:
    from trainers.data.check import Clip, Finding, Problem, Seen, Task
    from trainers.data.manifest import Manifest

data_app = typer.Typer(
    help="Looks after the videos, before a search trains on them.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# What is said of each problem. Those of `short` are no mistakes: such a video loops, or holds its last frame.
WORDS: dict[Problem, str] = {
    "missing": "missing",
    "broken": "broken",
    "crash": "crashes the decoder",
    "leak": "in training too",
    "twice": "listed or copied twice",
    "short": "shorter than a clip",
}
NAMED = 5
# Lines of progress come no faster, where no terminal shows a bar.
TOLD_SECONDS = 10


@data_app.command("check")
def check(
    manifest: Annotated[Path, typer.Argument(help="Manifest of videos, or a folder of classes.")],
    val: Annotated[
        Path | None,
        typer.Option(help="Manifest of the validation videos: checked too, and for videos that are in both."),
    ] = None,
    root: Annotated[
        Path | None, typer.Option(help="Folder that the manifests' paths start from; else the manifest's own.")
    ] = None,
    outside_root: Annotated[
        bool, typer.Option("--outside-root", help="Let manifests that you trust name videos outside of --root.")
    ] = False,
    clip: Annotated[
        str, typer.Option(help="What is too short: frames x stride of a clip. 16x5 is that of X3D-M, L and XL.")
    ] = "16x5",
    out: Annotated[Path, typer.Option(help="File for every problem, one a line.")] = Path("check.csv"),
    workers: Annotated[int | None, typer.Option(min=1, help="Processes that decode; else one for each core.")] = None,
    seconds_per_video: Annotated[
        float, typer.Option(min=1, help="Time limit of a video; large files get more, as all of each is decoded.")
    ] = 120.0,
    as_json: Json = False,
) -> None:
    """Decode every video of a manifest to its end and list what is wrong; exit code 1 where anything is."""
    wanted = _read_clip(clip)
    if out.is_dir():
        raise UsageError(f"--out {out} is a folder; give a file in it, such as {out / 'check.csv'}")
    make_folder(out.parent)
    from trainers.data.check import findings, look_all, tasks
    from trainers.data.manifest import ManifestSource, read_pair

    given = [path.resolve() for path in (manifest, val) if path is not None]
    sources = [ManifestSource(path, root and root.resolve(), outside_root) for path in given]
    manifests = list(read_pair(*sources)) if len(sources) == 2 else [sources[0].read()]
    todo = tasks(manifests, wanted, seconds_per_video)
    try:
        with closing(look_all(todo, min(workers or _cores(), len(todo)))) as looked:
            seen = {task.path: shown for task, shown in _aloud(looked, len(todo))}
    except KeyboardInterrupt:
        raise Interrupted(f"the check was stopped; {out} was not written") from None
    found = findings(manifests, seen)
    text = _csv(found)
    write_whole(out, text)
    if as_json:
        print_json(_document(manifests, found, clip, out))
    else:
        _print(manifests, found, out)
    if any(finding.problem != "short" for finding in found):
        raise typer.Exit(1)


def warn_of_leaks(train: Manifest, val: Manifest) -> None:
    """Say which videos are in both manifests, as far as their paths, names and sizes tell."""
    from trainers.data.check import in_both

    if leaked := in_both(train, val):
        first = ", ".join(str(video.path) for video in leaked[:3]) + (", ..." if len(leaked) > 3 else "")
        notes().print(
            f"warning: {len(leaked):,} of {len(val.videos):,} validation videos are in training too, so scores will be"
            f" too good: {first}. `expander data check` also finds copies under other names",
            markup=False,
            soft_wrap=True,
        )


def _read_clip(text: str) -> Clip:
    from trainers.data.check import Clip

    match = re.fullmatch(r"([1-9][0-9]{0,5})x([1-9][0-9]{0,5})", text)
    if match is None:
        raise UsageError(f"--clip {text}: expected frames x stride of a clip, such as 16x5, or 1x1 for single frames")
    return Clip(int(match[1]), int(match[2]))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _aloud(looked: Iterable[tuple[Task, Seen]], total: int) -> Iterator[tuple[Task, Seen]]:
    """Each of `looked`, with a bar on a terminal and a line now and then elsewhere."""
    console, problems, began = notes(), 0, time.monotonic()
    told = began
    columns = (
        TextColumn("decoding"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        shown = bar.add_task("", total=total)
        for done, (task, seen) in enumerate(looked, start=1):
            problems += seen.problem not in (None, "short")
            bar.update(shown, advance=1, description=f"{problems:,} with a problem" if problems else "")
            now = time.monotonic()
            if not console.is_terminal and now - told >= TOLD_SECONDS:
                told = now
                left = duration((now - began) / done * (total - done))
                console.print(f"decoded {done:,} of {total:,} videos, {problems:,} with a problem; about {left} left")
            yield task, seen


def _csv(found: Sequence[Finding]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("manifest", "where", "video", "problem", "reason"))
    writer.writerows((each.manifest, each.where, each.video, each.problem, each.reason) for each in found)
    return text.getvalue().encode("utf-8", "surrogateescape")


def _document(manifests: Sequence[Manifest], found: Sequence[Finding], clip: str, out: Path) -> dict[str, Any]:
    listed = []
    for manifest in manifests:
        mine = [finding for finding in found if finding.manifest == manifest.path]
        counts = Counter(finding.problem for finding in mine)
        listed.append(
            {
                "manifest": str(manifest.path),
                "form": manifest.form,
                "videos": len(manifest.videos),
                "classes": len(manifest.classes),
                "sound": _sound(manifest, found),
                "problems": {problem: counts[problem] for problem in WORDS},
            }
        )
    problems = [{**asdict(each), "manifest": str(each.manifest), "video": str(each.video)} for each in found]
    return {"manifests": listed, "clip": clip, "problems": problems, "out": str(out)}


def _sound(manifest: Manifest, found: Sequence[Finding]) -> int:
    """Videos with no problem, or that are only short."""
    mine = [finding for finding in found if finding.manifest == manifest.path and finding.problem != "short"]
    return len(manifest.videos) - len({(finding.where, finding.video) for finding in mine})


def _print(manifests: Sequence[Manifest], found: Sequence[Finding], out: Path) -> None:
    console = document()
    for manifest in manifests:
        sound = f"{_sound(manifest, found):,} of {len(manifest.videos):,} videos are sound"
        line = f"{manifest.path}: {sound} (read as {manifest.form})"
        console.print(line, markup=False, soft_wrap=True)
    if not found:
        return
    names = [manifest.path.name for manifest in manifests]
    table = new_table("", ("problem",), names if len(set(names)) == len(names) else ["train", "val"])
    for problem, words in WORDS.items():
        counts = [sum(f.problem == problem and f.manifest == m.path for f in found) for m in manifests]
        if any(counts):
            table.add_row(words, *(f"{count:,}" if count else "" for count in counts))
    console.print(table)
    for problem, words in WORDS.items():
        mine = [finding for finding in found if finding.problem == problem]
        for finding in mine[:NAMED]:
            place = f"{finding.manifest.name}, {finding.where}"
            console.print(f"{words}: {finding.video} ({place}): {finding.reason}", markup=False, soft_wrap=True)
        if len(mine) > NAMED:
            console.print(f"{words}: and {len(mine) - NAMED:,} more", markup=False)
    console.print(f"Every problem, one a line: {out}", markup=False, soft_wrap=True)
