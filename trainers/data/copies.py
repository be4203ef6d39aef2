"""Where the copies of a data set lie in their folder, the lists of them, and what the folder says of itself."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import av

from expander.errors import ManifestError, UsageError
from trainers.data.annotations import FOLDER_FORM
from trainers.data.encode import Settings
from trainers.data.manifest import Manifest, summary
from trainers.data.prepared import UNPREPARED


def videos_of(manifests: Sequence[Manifest], settings: Settings) -> dict[str, Path]:
    """The source of each video by its path in the folder. The settings are part of it: they are of its name, and so
    the data of a trial on prepared videos are never taken for those of the originals, or of other settings."""
    found: dict[str, Path] = {}
    for manifest in manifests:
        for video in manifest.videos:
            path = _place(manifest, video.name or video.path.name, settings)
            if found.setdefault(path, video.path) != video.path:
                raise ManifestError(
                    f"{manifest.path}: {video.where}: {video.name} is {video.path}, but {found[path]} has the same name"
                    f" in the folder ({path}); prepare the lists into folders of their own"
                )
    return found


def lists_of(manifests: Sequence[Manifest]) -> dict[str, Manifest]:
    """The manifests by the names of their lists in the folder."""
    lists = {f"{manifest.path.stem}.csv": manifest for manifest in manifests}
    if len(lists) < len(manifests) or UNPREPARED in lists:
        paths = ", ".join(str(manifest.path) for manifest in manifests)
        raise UsageError(
            f"{paths}: the lists of their copies are named after them, and would be {', '.join(lists)}; give them names"
            f" that differ, and not {UNPREPARED}"
        )
    return lists


def by_known_classes(manifest: Manifest, known: Sequence[str] | None) -> Manifest:
    """`manifest` with the labels that the folder's lists have for its classes, where these have names."""
    if not known or not set(manifest.classes) <= set(known):
        return manifest
    numbers = [known.index(name) for name in manifest.classes]
    videos = tuple(replace(video, label=numbers[video.label]) for video in manifest.videos)
    return replace(manifest, videos=videos, classes=tuple(known))


def about_of(
    folder: Path, known: Mapping[str, Any], lists: Mapping[str, Manifest], settings: Settings
) -> dict[str, Any]:
    """What the folder says of itself before its lists are there. Raises UsageError where it is another's."""
    classes = next(iter(lists.values())).classes
    about = {
        "settings": settings.as_dict(),
        "classes": None if classes == tuple(map(str, range(len(classes)))) else list(classes),
        "manifests": known.get("manifests", {}),
        "versions": {"x3d-expander": importlib.metadata.version("x3d-expander"), "av": av.__version__}
        | {name: ".".join(map(str, av.library_versions[name])) for name in ("libavcodec", "libswscale")},
    }
    if known and known.get("settings") != about["settings"]:
        raise UsageError(
            f"{folder}: its videos were prepared with {_options(known.get('settings') or {})}, not with"
            f" {_options(about['settings'])}; give the former again, or another folder"
        )
    if known and known.get("classes") != about["classes"]:
        raise UsageError(
            f"{folder}: its lists have other classes than {next(iter(lists.values())).path}; prepare lists that belong"
            " together in one call, the training list first"
        )
    for name in lists:
        if name not in about["manifests"] and (folder / name).exists():
            raise UsageError(f"{folder / name} exists and was not written by this command; give another folder")
    return about


def _options(settings: Mapping[str, Any]) -> str:
    """As `expander data prepare` is given them."""
    forms = {"h264": "video", "jpeg": "frames"}
    return " ".join(
        f"--as {forms.get(value, value)}" if key == "form" else f"--{key} {value}" for key, value in settings.items()
    )


def source_of(manifest: Manifest) -> dict[str, Any]:
    """What a list was made from."""
    return {"source": str(manifest.path), "form": manifest.form, **vars(summary(manifest))}


def _place(manifest: Manifest, name: str, settings: Settings) -> str:
    """The path of a video in the folder, by what its list calls it."""
    # As a line in UTF-8 can hold it.
    plain = name.encode("utf-8", "backslashreplace").decode().translate({10: "_", 13: "_"})
    parts = ["_" if part == ".." else part for part in PurePosixPath(plain).parts if part != "/"]
    if manifest.form == FOLDER_FORM:  # two folders of classes often have files of the same names
        parts.insert(0, manifest.path.name)
    path = "/".join([settings.name, *parts])
    return path if path.endswith(settings.suffix) else f"{path}{settings.suffix}"


def lines_of(manifest: Manifest, settings: Settings) -> str:
    """`path label` lines, in the order of the original."""
    named = ((_place(manifest, video.name or video.path.name, settings), video.label) for video in manifest.videos)
    return "".join(f"{path} {label}\n" for path, label in named)
