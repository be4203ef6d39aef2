"""A tested network's scores as a file: `expander test --out` writes it, `expander report --scores` reads it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from expander.complexity import Complexity, measure
from expander.efficientnet3d import AnyGeometry, read_geometry
from expander.errors import SpaceError, UsageError
from expander.files import write_whole
from expander.plan import inference_flops
from expander.space import Count, Share, ViewsSection
from expander.strict import Key, Section, check
from expander.trial import Metrics, Views
from results.config import EfficientNet3DSection, GeometrySection

Large = Annotated[int, Field(ge=1)]
SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Scored:
    """The scores from `views`. flops: multiply-adds of all views of one video."""

    views: Views
    flops: int
    metrics: Metrics

    @property
    def error(self) -> float:
        """One standard error of the top-1."""
        return standard_error(self.metrics.top1, self.metrics.videos)

    @property
    def average(self) -> float:
        """Mean of top-1 and top-5, by which Kinetics' test set is compared (Table 4)."""
        return (self.metrics.top1 + self.metrics.top5) / 2

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {"views": self.views.as_dict(), "flops_per_video": self.flops, **asdict(self.metrics)}


@dataclass(frozen=True)
class TestedOn:
    """A manifest by its content: number of videos and SHA-256 of its `name label` lines, the same at any root."""

    __test__ = False  # no test class, for pytest

    manifest: str
    videos: int
    sha256: str


@dataclass(frozen=True)
class NetworkScores:
    """One network with its weights, tested on one manifest.

    geometry: the plain values of its config. weights: SHA-256 of the file. search, trial: whose instance it is and what
    trained it, where its config says so. damaged: videos left out. tested: when. source: the file it was read from.
    """

    name: str
    geometry: Mapping[str, Any]
    complexity: Complexity
    scores: tuple[Scored, ...]
    val: TestedOn
    weights: str
    search: str | None
    trial: str | None
    damaged: tuple[str, ...]
    versions: Mapping[str, str]
    tested: datetime
    source: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain values in the order in which a person reads them; `read_scores` reads them back."""
        return {
            "name": self.name,
            "scores": [scored.as_dict() for scored in self.scores],
            "complexity": self.complexity.as_dict(),
            "geometry": dict(self.geometry),
            "weights": self.weights,
            "val": asdict(self.val),
            "search": self.search,
            "trial": self.trial,
            "damaged": list(self.damaged),
            "versions": dict(self.versions),
            "tested": self.tested.isoformat(timespec="seconds"),
        }


class ClipSection(Section):
    """The geometry of any network: its clip is read, all else is kept."""

    model_config = ConfigDict(extra="allow")

    frames: Count
    stride: Count | None
    crop: Count


class ComplexitySection(Section):
    """As `Complexity`."""

    flops: Large
    params: Large
    params_without_batchnorm: Large
    activations: Large


class ScoredSection(Section):
    """As `Scored`."""

    views: ViewsSection
    flops_per_video: Large
    top1: Share
    top5: Share
    loss: Annotated[float, Field(ge=0)]
    videos: Count


class TestedOnSection(Section):
    """As `TestedOn`."""

    __test__ = False  # no test class, for pytest

    manifest: str
    videos: Count
    sha256: str


class ScoresSection(Section):
    """A whole file."""

    name: Annotated[str, Field(min_length=1)]
    scores: Annotated[list[ScoredSection], Field(min_length=1)]
    complexity: ComplexitySection
    geometry: ClipSection
    weights: str
    val: TestedOnSection
    search: str | None
    trial: str | None
    damaged: list[str]
    versions: dict[str, str]
    tested: str


def write_scores(scores: NetworkScores, out: Path) -> None:
    """Write them to `out` as JSON, whole or not at all. Raises FileError where that cannot be."""
    text = json.dumps(scores.as_dict(), indent=2, allow_nan=False) + "\n"
    write_whole(out, text.encode())


def read_scores(path: Path) -> NetworkScores:
    """What `write_scores` wrote. Raises UsageError where it cannot be read, SpaceError with every mistake in it."""
    try:
        values = json.loads(path.read_bytes())
    except OSError as error:
        raise UsageError(
            f"scores {path}: cannot be read: {error.strerror}; `expander test CONFIG --out {path}` writes such a file"
        ) from None
    except (ValueError, RecursionError) as error:
        raise SpaceError(f"{path}: not JSON: {error}; `expander test CONFIG --out FILE` writes such a file") from None
    section = check(ScoresSection, values, {}, str(path), _conflicts)
    return NetworkScores(
        name=section.name,
        geometry=section.geometry.model_dump(),
        complexity=Complexity(**section.complexity.model_dump()),
        scores=tuple(_scored(each) for each in section.scores),
        val=TestedOn(**section.val.model_dump()),
        weights=section.weights,
        search=section.search,
        trial=section.trial,
        damaged=tuple(section.damaged),
        versions=section.versions,
        tested=datetime.fromisoformat(section.tested),
        source=str(path),
    )


def standard_error(share: float, videos: int) -> float:
    """Binomial standard error of a share of `videos` videos."""
    return math.sqrt(share * (1 - share) / videos)


def _scored(section: ScoredSection) -> Scored:
    metrics = Metrics(section.top1, section.top5, section.loss, section.videos)
    return Scored(Views(**section.views.model_dump()), section.flops_per_video, metrics)


def _conflicts(section: ScoresSection) -> list[tuple[Key, str]]:
    network = _network(section.geometry.model_dump())
    found = _in_complexity(section.complexity, network)
    seen: set[str] = set()
    for index, each in enumerate(section.scores):
        scored = _scored(each)
        if scored.views.name in seen:
            found.append((("scores", index, "views"), f"{scored.views.name} stands twice; keep one of them"))
        seen.add(scored.views.name)
        flops = _flops(scored.views, section.complexity, network)
        if flops not in (None, scored.flops):
            text = f"found {scored.flops:,}; {scored.views.name} of this network takes {flops:,}"
            found.append((("scores", index, "flops_per_video"), text))
        if each.top5 < each.top1:
            found.append((("scores", index, "top5"), f"found {each.top5:g}, less than top1, which is {each.top1:g}"))
        if each.videos > section.val.videos:
            text = f"found {each.videos:,}; val.videos has {section.val.videos:,}"
            found.append((("scores", index, "videos"), text))
    for key, value in ((("weights",), section.weights), (("val", "sha256"), section.val.sha256)):
        if not SHA256.fullmatch(value):
            found.append((key, f"found {value!r}; expected the 64 hexadecimal digits of a SHA-256"))
    if not _is_aware(section.tested):
        expected = "a date and time with its offset from UTC, as 2026-11-22T12:00:00+00:00"
        found.append((("tested",), f"found {section.tested!r}; expected {expected}"))
    return found


def _network(values: dict[str, Any]) -> AnyGeometry | None:
    """The geometry where it is that of a network of ours; None of another, of which only the file knows."""
    section = EfficientNet3DSection if "network" in values else GeometrySection
    try:
        return read_geometry(section.model_validate(values).model_dump())
    except ValueError:  # which pydantic's is, and that of lists of different lengths
        return None


def _in_complexity(said: ComplexitySection, network: AnyGeometry | None) -> list[tuple[Key, str]]:
    actual = said.model_dump() if network is None else measure(network).as_dict()
    wrong = [(key, value) for key, value in said.model_dump().items() if value != actual[key]]
    return [(("complexity", key), f"found {value:,}; the geometry has {actual[key]:,}") for key, value in wrong]


def _flops(views: Views, said: ComplexitySection, network: AnyGeometry | None) -> int | None:
    """Multiply-adds of all views of a video; None where the file does not tell what a larger crop takes."""
    if network is not None:
        return inference_flops(network, views)
    return said.flops * views.per_video if views.crops == "center" else None


def _is_aware(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
