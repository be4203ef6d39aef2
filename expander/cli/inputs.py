"""What a search is carried out with, and whether it still is what was recorded of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from expander.cli.data import warn_of_leaks
from expander.cli.files import load_space
from expander.cli.output import notes
from expander.errors import UsageError
from expander.inputs import ACCEPTABLE, MEANING, Change, changes
from expander.space import OPERATIONAL, SearchSpace, difference

if TYPE_CHECKING:
    from results.inputs import Packed
    from results.search import SearchStore
    from trainers.data.files import FileList, Seen
    from trainers.data.manifest import DataFingerprint, Manifest, ManifestSource

NAMED = 10
# Fewer are looked at in a moment.
MANY_FILES = 5000


@dataclass(frozen=True)
class Videos:
    """The manifests of a search, read and fingerprinted. files: what was found of their files, once looked at."""

    train: ManifestSource
    val: ManifestSource
    manifests: tuple[Manifest, Manifest]
    fingerprint: DataFingerprint
    files: tuple[FileList, FileList] | None = None

    @property
    def class_names(self) -> tuple[str, ...]:
        """The name of each label."""
        return self.manifests[0].classes

    @property
    def packed(self) -> dict[str, Packed]:
        """What was found of the files, for the store."""
        return {files.summary.digest: files.packed() for files in self.files or ()}

    @property
    def seen(self) -> tuple[Seen, Seen] | None:
        """What each training compares with what it sees itself."""
        from trainers.data.files import seen

        if self.files is None:
            return None
        train, val = self.files
        return seen(self.fingerprint.train, train), seen(self.fingerprint.val, val)


def read_videos(space: SearchSpace) -> Videos:
    """The manifests that `space` names. Raises UsageError where it names none, ManifestError where they are wrong."""
    from trainers.data.manifest import ManifestSource, check_classes, fingerprint, read_pair

    train, val = originals_of(space)
    if (copies := copies_of(space)) is not None:
        missing = [str(path) for path in copies if not path.is_file()]
        if missing:
            raise UsageError(
                f"{' and '.join(missing)}: the copies of the videos are not there, or not all of them; `expander"
                " search` makes them, and so does `expander resume`"
            )
        train, val = (ManifestSource(path) for path in copies)
    manifests = read_pair(train, val)
    for manifest in manifests:
        check_classes(manifest, space.basis.classes)
    warn_of_leaks(*manifests)
    return Videos(train, val, manifests, fingerprint(*manifests))


def originals_of(space: SearchSpace) -> tuple[ManifestSource, ManifestSource]:
    """The training and the validation manifest that `space` names. Raises UsageError where it names none."""
    from trainers.data.manifest import ManifestSource

    train, val = space.data.train, space.data.val
    if train is None or val is None:
        missing = " and ".join(key for key in ("train", "val") if getattr(space.data, key) is None)
        raise UsageError(
            f"no {missing} manifest: give --train MANIFEST and --val MANIFEST, or data.train and data.val in the space"
        )
    root = None if space.data.root is None else Path(space.data.root).resolve()
    outside = space.data.outside_root
    return ManifestSource(Path(train).resolve(), root, outside), ManifestSource(Path(val).resolve(), root, outside)


def copies_of(space: SearchSpace) -> tuple[Path, Path] | None:
    """The lists of the copies that the search trains on; None where it trains on the originals."""
    if space.prepare.folder is None:
        return None
    folder = Path(space.prepare.folder).resolve()
    train, val = (folder / f"{source.path.stem}.csv" for source in originals_of(space))
    return train, val


def look_at_files(videos: Videos) -> Videos:
    """The same with the files of both manifests, which are part of the fingerprint then."""
    from trainers.data.files import list_files

    train, val = videos.manifests
    with _bar(len(train.videos) + len(val.videos)) as tell:
        files = list_files(train, tell), list_files(val, tell)
    return replace(videos, files=files, fingerprint=videos.fingerprint.with_files(*(each.summary for each in files)))


def unchanged_space(resumed: SearchStore) -> SearchSpace:
    """The space of the search, with what may change as its file says now. Raises UsageError where more has changed."""
    record = resumed.record_of
    try:
        now, _ = load_space(record.source, record.overrides)
    except UsageError as error:
        notes().print(
            f"{record.source} cannot be read any more ({error}); going on with the space in the store", markup=False
        )
        return record.space
    changed = difference(record.space, now)
    refused = [line for line in changed if line.split(".")[0].split(":")[0] not in OPERATIONAL]
    if refused:
        raise UsageError(
            f"{record.source} has changed since search {record.name!r} began\n{_listed(refused)}\n"
            "Going on would mix results. Undo these changes, or start a new search under another name: it takes over"
            f" every finished trial that is still the same work. {fork_of(record.name)} --space {record.source}"
        )
    if changed:
        notes().print("\n".join(["the space has changed how trials are carried out:", *changed]), markup=False)
    return now


def unchanged_videos(resumed: SearchStore, space: SearchSpace) -> Videos:
    """The videos of the search, under the id that they have there. Raises UsageError where they have changed."""
    record = resumed.record_of
    videos = read_videos(space)
    assert record.data is not None
    if changed := data_changes(resumed, videos):
        refuse_data(record.name, changed)
    videos = look_at_files(videos)
    if changed := data_changes(resumed, videos):
        refuse_data(record.name, changed)
    # What an earlier program trained keeps its name, although it had not looked at the files.
    return replace(videos, fingerprint=replace(videos.fingerprint, id=record.data["id"]))


def refuse_data(name: str, changed: Sequence[str]) -> None:
    """Raise UsageError for data that have changed."""
    raise UsageError(
        f"the data of search {name!r} have changed since it began\n{_listed(changed)}\n"
        "Going on would mix results, and no option allows it. Restore the manifests and files, or start a new search"
        f" under another name. {fork_of(name)}"
    )


def data_changes(resumed: SearchStore, videos: Videos) -> tuple[str, ...]:
    """One line for each difference between what is recorded of the data and `videos`, as far as both know it."""
    from trainers.data.files import FileList, changed_files
    from trainers.data.manifest import DataFingerprint

    record = resumed.record_of
    assert record.data is not None
    recorded, now = DataFingerprint.from_dict(record.data), videos.fingerprint
    if changed := recorded.difference(now):
        return changed
    lines: list[str] = []
    for index, name in enumerate(("train", "val")):
        if recorded.files is None or videos.files is None:
            continue
        before = recorded.files[index]
        if before == videos.files[index].summary:
            continue
        kept = resumed.file_list(before.digest)
        named = changed_files(videos.manifests[index], FileList.unpacked(*kept), videos.files[index]) if kept else ()
        lines += [f"{name}: {line}" for line in named or ("its files are others, and which is not recorded",)]
    return tuple(lines)


def versions() -> dict[str, str]:
    """Versions of what decides and trains, for provenance."""
    from importlib.metadata import version

    from trainers.versions import versions as found

    return {**found(), "ray": version("ray")}


def sources() -> Mapping[str, str]:
    """What tells each source that decides or trains from another one."""
    from trainers.versions import sources as found

    return found()


def accepted_changes(resumed: SearchStore, accept: str | None) -> tuple[Change, ...]:
    """The changes of versions and sources that would mix results, all of which `accept` names.

    accept: kinds, between commas. Raises UsageError where others have changed, and where it names what has not.
    """
    record, now = resumed.record_of, versions()
    kinds = _kinds(accept)
    changed = changes(record.versions, now)
    found = [*(change for change in changed if change.mixes), *resumed.foreign()]
    refused = [change for change in found if change.kind not in kinds]
    if refused:
        raise UsageError(_refusal(resumed, refused))
    if unneeded := [kind for kind in kinds if kind not in {change.kind for change in found}]:
        raise UsageError(f"--accept-changes {accept}: {', '.join(unneeded)} has not changed; leave it out")
    if harmless := [change.line for change in changed if not change.mixes]:
        notes().print("\n".join(["of what mixes no results, this has changed:", *harmless]), markup=False)
    return tuple(found)


def fork_of(name: str) -> str:
    """The command that goes on with what is changed, as far as it goes."""
    return f"To keep its decisions before a step K: expander fork {name} --from-step K --name NEW"


def _kinds(accept: str | None) -> list[str]:
    kinds = [kind.strip() for kind in accept.split(",")] if accept is not None else []
    for kind in kinds:
        if kind not in ACCEPTABLE:
            never = " Other data are never accepted: fork the search." if kind == "data" else ""
            never = never or (" Another trainer is never accepted: fork the search." if kind == "trainer" else "")
            raise UsageError(
                f"--accept-changes {accept}: found {kind!r}; expected some of {', '.join(ACCEPTABLE)}, between"
                f" commas.{never}"
            )
    return kinds


def _refusal(resumed: SearchStore, refused: Sequence[Change]) -> str:
    record = resumed.record_of
    lines: list[str] = []
    for change in refused:
        lines.append(f"{change.line} ({MEANING[change.kind]})")
        if change.kind == "code" and change.trial is None:
            lines += _changed_sources(record.sources)
    kinds = list(dict.fromkeys(change.kind for change in refused))
    ways = ["Go on with what is recorded"]
    if set(kinds) <= set(ACCEPTABLE):
        ways.append(f"accept it, which is recorded: expander resume {record.name} --accept-changes {','.join(kinds)}")
    return (
        f"search {record.name!r} was carried out otherwise so far\n{_listed(lines)}\n"
        f"Going on would mix results. {'; or '.join(ways)}. {fork_of(record.name)}"
    )


def _changed_sources(recorded: Mapping[str, str]) -> list[str]:
    now = sources()
    names = [name for name in sorted({**recorded, **now}) if recorded.get(name) != now.get(name)] if recorded else []
    lines = [f"  {name}{_what(name, recorded, now)}" for name in names[:NAMED]]
    return [*lines, *([f"  and {len(names) - NAMED} more files"] if len(names) > NAMED else [])]


def _what(name: str, recorded: Mapping[str, str], now: Mapping[str, str]) -> str:
    if name not in recorded:
        return " is new"
    return " has changed" if name in now else " is gone"


def _listed(lines: Sequence[str]) -> str:
    return "\n".join(f"  {line}" for line in lines)


@contextmanager
def _bar(files: int) -> Iterator[Callable[[int], None]]:
    """What is told of files that were looked at: a bar on a terminal, where they are many."""
    if files < MANY_FILES or not sys.stderr.isatty():
        yield lambda more: None
        return
    from rich.progress import Progress

    with Progress(console=notes(), transient=True) as progress:
        task = progress.add_task("looking at the files", total=files)
        yield lambda more: progress.advance(task, more)
