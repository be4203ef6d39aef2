"""The report and its tables, over real stores; trainings are made up, and only their scores."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.text import Text

from expander.axis import Axis
from expander.cli.files import load_space
from expander.complexity import Complexity, measure
from expander.coordinator import run_search
from expander.errors import FileError, StepFailed, TrialError, UsageError
from expander.files import fill_whole
from expander.plan import plan
from expander.search import Decision, Step
from expander.space import SearchSpace, read_space
from expander.trial import Completed, Damage, Epoch, Event, Metrics, Trial, Views
from expander.units import duration, human
from results import plots, tables
from results.curves import curves
from results.drawing import Label, Line, Size, drawing, place_labels, round_flops
from results.records import TrialRecord
from results.report import render, write_report
from results.scores import NetworkScores, Scored, TestedOn
from results.search import SearchStore
from results.store import open_store
from trainers.dispatch.inline import InlineDispatcher
from trainers.meter import DeviceMeter

VIDEOS = 1000
DATA: dict[str, Any] = {
    "id": "da7a" * 4,
    "train": {"videos": 8000, "classes": 400, "sha256": "5a" * 32},
    "val": {"videos": VIDEOS, "classes": 400, "sha256": "a5" * 32},
}
VERSIONS = {"python": "3.11.9", "x3d-expander": "0.1.0"}
# The regularisation expansion of the paper, with schedules of a moment.
QUICK = (
    "regularisation=[{from_step: 1, batch: 2048, epochs: 1}, {from_step: 8, batch: 1024, epochs: 2},"
    " {from_step: 11, drop_connect: 0.1}, {from_step: 13, drop_connect: 0.2}]"
)
SMALL: dict[str, Any] = {
    "basis": {"widths": [8, 16], "blocks": [1, 1], "crop": 32, "classes": 3, "head_width": 16},
    "expansion": {"first_stride": 4, "max_steps": 2},
    "limits": {"width": 1.0},
    "regimes": {"bounds": {"T-S": 0.4e6, "T-M": 9e6}},
    "recipe": {"epochs": 3, "batch": 8},
    "failures": {"retries": 0, "then": "skip"},
}
VOID = {"meta", "br", "hr", "img", "input", "link"}


@dataclass
class Page(HTMLParser):
    """A page taken apart. Raises AssertionError where its elements are not nested."""

    text: str = ""
    attributes: list[tuple[str, str, str]] = field(default_factory=list)
    titles: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def __hash__(self) -> int:
        return id(self)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert "svg" in self.open, f"<{tag}/> closes nothing in HTML"
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "svg" in self.open and self.open[-1] == "title":
            self.titles.append(data)
        elif not {"style", "head"} & set(self.open):
            self.text += data

    def values(self, *names: str) -> list[str]:
        """The values of these attributes, in the order of the page."""
        return [value for _, name, value in self.attributes if name in names]


def parsed(html: str) -> Page:
    page = Page()
    page.feed(html)
    page.close()
    assert page.open == []
    return page


def luck(trial: Trial) -> float:
    return int(trial.id[:6], 16) / 16**6


def score_of(trial: Trial) -> float:
    """More FLOPs score more, with luck, in whole videos."""
    share = 0.3 + 0.05 * math.log10(measure(trial.geometry).flops) + 0.05 * luck(trial)
    return round(share * VIDEOS) / VIDEOS


@dataclass(frozen=True)
class MadeUp:
    """A training that trains nothing. score: what a trial comes to; fails: whether it stops half-way instead."""

    score: Callable[[Trial], float] = score_of
    fails: Callable[[Trial], bool] = lambda trial: False

    def __call__(self, trial: Trial, report: Callable[[Epoch], None]) -> Completed:
        epochs = trial.recipe.epochs
        for number in range(1, epochs + 1):
            if self.fails(trial) and number > epochs / 2:
                raise TrialError("the loss is <nan> & nothing else: lower recipe.base_rate")
            loss = 5 * (1 - 0.8 * number / epochs) + luck(trial)
            report(Epoch(trial.id, number, epochs, loss, 0.5 * number / epochs, 0.1, 60.0))
        score = self.score(trial)
        metrics = Metrics(score, min(1.0, score + 0.1), 2.0, VIDEOS)
        ledger = (Damage("train", "broken & gone.mp4", "does not <exist>"),)
        return Completed(trial.id, metrics, 60.0 * epochs + 30, None, (), {"torch": "2.13.0"}, ledger=ledger)


def small(**sections: Mapping[str, Any]) -> SearchSpace:
    return read_space(
        {**SMALL, **{key: {**SMALL.get(key, {}), **value} for key, value in sections.items()}}, {}, "small"
    )


@contextmanager
def search_of(space: SearchSpace, name: str = "a search", source: str = "small") -> Iterator[SearchStore]:
    """A search that has not begun, in a store of its own."""
    store = open_store("sqlite://", create=True)
    data = None if space.prescribed else DATA
    try:
        yield store.create(
            name, space=space, source=source, overrides=["recipe.epochs=3"], data=data, runs="/runs", versions=VERSIONS
        )
    finally:
        store.close()


def carry_on(search: SearchStore, training: MadeUp, completed: int | None = None) -> None:
    """The loop, interrupted once so many trials have completed in it."""
    left = [completed]

    def watch(step: Step, event: Event | Decision | None) -> None:
        if isinstance(event, Completed) and left[0] is not None:
            left[0] -= 1
            if left[0] == 0:
                raise KeyboardInterrupt

    search.claim()
    try:
        search.release(
            "completed",
            run_search(search.record_of.space, search, InlineDispatcher(training, DeviceMeter()), DATA["id"], watch),
        )
    except KeyboardInterrupt:
        search.release("interrupted", "stopped by a signal")
    except StepFailed as error:
        search.release("failed", str(error))


@pytest.fixture(scope="module")
def kinetics() -> Iterator[SearchStore]:
    """Thirteen steps along the published path, with made-up scores; one trial of step 4 failed."""
    published, _ = load_space("x3d_published")
    path = {
        candidate.solution.geometry
        for planned in plan(published).steps
        for candidate in planned.step.candidates
        if candidate.axis is planned.chosen and candidate.solution
    }

    def score(trial: Trial) -> float:
        flops = np.log10(measure(trial.geometry).flops)
        share = np.interp(
            flops, np.log10([20e6, 41e6, 6e8, 2e9, 5e9, 18e9, 36e9, 150e9]), [48, 55, 69, 73, 75, 77, 78, 80]
        )
        return round((share / 100 - (trial.geometry not in path) * (0.002 + 0.03 * luck(trial))) * VIDEOS) / VIDEOS

    def fails(trial: Trial) -> bool:
        return trial.geometry.crop == 224 and trial.geometry.frames == 2 and trial.geometry.blocks == (1, 2, 5, 3)

    space, source = load_space("x3d_kinetics400", [QUICK, "failures.then=skip", "failures.retries=0"])
    with search_of(space, "kinetics", source) as search:
        carry_on(search, MadeUp(score, fails))
        yield search


@pytest.fixture(scope="module")
def html(kinetics: SearchStore) -> str:
    return render(kinetics)


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return parsed(html)


def charts(page: Page) -> dict[str, list[str]]:
    """What the points of each figure say, by the figure's name."""
    found: dict[str, list[str]] = {}
    groups = [value for tag, name, value in page.attributes if tag == "g" and name == "id" and "-point-" in value]
    for group, title in zip(groups, page.titles, strict=True):
        found.setdefault(group.rpartition("-point-")[0], []).append(title)
    return found


# The page.


def test_every_candidate_and_every_instance_is_on_the_page(page: Page, kinetics: SearchStore) -> None:
    candidates = [candidate for step in kinetics.steps() for candidate in step.candidates]
    assert len(candidates) == 79
    for candidate in candidates:
        assert candidate.trial is not None
        assert candidate.trial in page.text
    for instance in kinetics.instances():
        assert page.text.count(instance.name) >= 3, "in both figures and in the table of instances"
        assert instance.trial is not None
        assert page.text.count(instance.trial) >= 2


def test_the_page_needs_nothing_but_itself(html: str, page: Page) -> None:
    assert "http:" not in html
    assert "https:" not in html
    assert "@import" not in html
    assert "<script" not in html
    links = page.values("href", "src", "xlink:href", "data", "action")
    assert links, "markers are used by reference"
    assert all(link.startswith("#") for link in links)
    assert html.count("url(") == html.count("url(#")


def test_ids_are_unique_and_every_reference_has_its_target(page: Page) -> None:
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    clips = {value.removeprefix("url(#").removesuffix(")") for value in page.values("clip-path")}
    assert {link.removeprefix("#") for link in page.values("href")} | clips <= set(ids)


def test_the_same_search_gives_the_same_page_whatever_the_users_plot_settings(kinetics: SearchStore, html: str) -> None:
    with matplotlib.rc_context({"font.size": 30, "svg.fonttype": "path", "axes.grid": False, "savefig.dpi": 300}):
        assert render(kinetics) == html
        assert matplotlib.rcParams["font.size"] == 30, "the user's settings are left as they were"


def test_names_from_outside_are_shown_as_they_are_and_never_as_markup() -> None:
    name = '<b>&"x'
    with search_of(small(), name, source="<u>&.yaml") as search:
        carry_on(search, MadeUp(fails=lambda trial: trial.geometry.crop > 32))
        html = render(search)
    page = parsed(html)
    for text in (
        name,
        "<u>&.yaml",
        "the loss is <nan> & nothing else",
        "broken & gone.mp4",
        ": does not <exist> (train, ",
    ):
        assert text in page.text
    assert not {"u", "nan"} & {tag for tag, _, _ in page.attributes}
    assert "<b>&" not in html
    assert f"<title>{'&lt;b&gt;&amp;&#34;x'} · X3D expansion search</title>" in html


def test_a_figure_shows_the_scored_candidates_and_the_table_says_why_others_are_missing(
    kinetics: SearchStore, page: Page
) -> None:
    candidates = [candidate for step in kinetics.steps() for candidate in step.candidates]
    scored = [candidate for candidate in candidates if candidate.score is not None]
    failed = [candidate for candidate in candidates if candidate.state == "failed"]
    assert len(failed) == 1
    figures = {name: titles for name, titles in charts(page).items() if name.startswith("accuracy")}
    assert set(figures) == {"accuracy-820", "accuracy-350"}
    for titles in figures.values():
        assert len(titles) == len(scored) == 78
    assert "1 failed attempt: the loss is <nan> & nothing else" in page.text
    assert "step 1, X-Bottleneck: 1, 112², 41.00 MFLOPs, top-1 55.0%, kept" in charts(page)["accuracy-820"]


def test_the_infeasible_are_listed_with_their_reasons_and_not_drawn() -> None:
    with search_of(small()) as search:
        carry_on(search, MadeUp())
        infeasible = [c for step in search.steps() for c in step.candidates if not c.feasible]
        page = parsed(render(search))
    assert {candidate.axis for candidate in infeasible} >= {Axis.WIDTH}
    assert not any("X-Width" in title for title in page.titles)
    for candidate in infeasible:
        assert candidate.reason is not None
        assert candidate.reason in page.text


def test_a_search_that_trains_nothing_shows_how_its_flops_grow() -> None:
    space, source = load_space("x3d_published")
    with search_of(space, source=source) as search:
        carry_on(search, MadeUp())
        page = parsed(render(search))
    assert "Nothing was trained" in page.text
    assert "top-1" not in page.text
    assert set(charts(page)) == {"growth-820", "growth-350"}
    assert len(charts(page)["growth-820"]) == 79
    assert "143.5 G" in page.text
    assert "basis" in page.text


def test_an_interrupted_search_says_what_is_open_and_how_to_go_on() -> None:
    with search_of(small(), name="half way") as search:
        carry_on(search, MadeUp(), completed=6)
        page = parsed(render(search))
        assert search.effective_state == "interrupted"
    assert "Interrupted: stopped by a signal" in page.text
    assert "expander resume 'half way'" in page.text
    assert page.text.count("not decided yet") == 1
    assert "pending" in page.text
    assert "Without an instance yet: T-S (400 kFLOPs), T-M (9 MFLOPs)." in page.text


def test_a_search_that_stopped_over_a_failure_says_so() -> None:
    with search_of(small(failures={"then": "stop"})) as search:
        carry_on(search, MadeUp(fails=lambda trial: trial.geometry.frames > 1))
        page = parsed(render(search))
    assert "Failed: step 1: " in page.text
    assert "not decided yet" in page.text
    assert "Accuracy against complexity" in page.text


@pytest.mark.parametrize("completed", [1, 2])
def test_one_or_two_trials_are_enough_for_a_figure(completed: int) -> None:
    with search_of(small(expansion={"axes": ["depth"]})) as search:
        carry_on(search, MadeUp(score=lambda trial: 1.0), completed=completed)
        page = parsed(render(search))
    assert len(charts(page)["accuracy-820"]) == completed


def test_a_search_that_has_not_begun_or_not_finished_a_trial_has_a_page_too() -> None:
    with search_of(small()) as search:
        page = parsed(render(search))
        assert "No step has begun yet" in page.text
        carry_on(search, MadeUp(fails=lambda trial: True))
        page = parsed(render(search))
    assert "No training has finished yet" in page.text
    assert len(charts(page)["growth-820"]) == 5


def test_provenance_names_the_data_the_versions_and_the_seed(page: Page) -> None:
    for text in (
        DATA["id"],
        "5a" * 32,
        "8,000 videos of 400 classes",
        "python 3.11.9",
        "torch 2.13.0",
        "recipe.epochs=3",
    ):
        assert text in page.text


def test_the_recipe_is_shown_where_it_changes(html: str) -> None:
    heads = [f'<th class="n">{steps}</th>' for steps in ("steps 1–7", "steps 8–10", "steps 11–12", "step 13")]
    assert "".join(heads) in html
    row = '<th scope="row">drop_connect</th><td class="n">0</td><td class="n">0</td>'
    assert f'{row}<td class="n changed">0.1</td><td class="n changed">0.2</td>' in html


# Inference cost.


OTHERS = "0b" * 32
KS = (1, 3, 5, 7, 10)


def network(
    name: str,
    flops: int,
    *,
    top1: float = 0.7,
    trial: str | None = None,
    views: Sequence[Views] = tuple(map(Views, KS)),
    videos: str = DATA["val"]["sha256"],
    weights: str = "11",
    source: str = "scores.json",
) -> NetworkScores:
    """A network of `flops` a clip, of which no more is known than a file says."""
    points = [Scored(v, flops * v.per_video, Metrics(top1 - 0.1 / v.per_video, 0.9, 1.0, VIDEOS)) for v in views]
    return NetworkScores(
        name=name,
        geometry={"network": "another", "frames": 16, "stride": 5, "crop": 224},
        complexity=Complexity(flops, 3_300_000, 3_200_000, 10**7),
        scores=tuple(points),
        val=TestedOn("/videos/<val>.csv", VIDEOS, videos),
        weights=weights * 32,
        search=None,
        trial=trial,
        damaged=(),
        versions={"torch": "2.13.0"},
        tested=datetime(2026, 11, 22, 12, tzinfo=UTC),
        source=source,
    )


def of_instance(search: SearchStore, name: str, **changes: Any) -> NetworkScores:
    instance = next(instance for instance in search.instances() if instance.name == name)
    assert instance.score is not None
    return network(name, instance.flops, top1=instance.score, trial=instance.trial, **changes)


def test_without_scores_each_instance_has_the_point_of_its_validation_and_a_command_adds_the_curve(
    kinetics: SearchStore, page: Page
) -> None:
    found = curves(kinetics)
    assert [curve.name for curve in found] == [instance.name for instance in kinetics.instances()]
    for curve, instance in zip(found, kinetics.instances(), strict=True):
        (scored,) = curve.scores
        assert (scored.views.name, scored.flops) == ("10-Center", 10 * instance.flops)
        assert (scored.metrics.top1, scored.metrics.videos) == (instance.score, VIDEOS)
        assert (curve.ours, curve.same_videos) == (True, True)
    inference = {name: titles for name, titles in charts(page).items() if name.startswith("inference")}
    assert set(inference) == {f"inference-{scale}-{width}" for scale in ("linear", "log") for width in (580, 350)}
    for titles in inference.values():
        assert "X3D-S: 10-Center, 19.63 GFLOPs, top-1 72.9%" in titles
        assert len(titles) == 6
    assert (
        "expander test configs/X3D-XS.yaml --weights configs/X3D-XS.safetensors --val VAL --views 1,3,5," in page.text
    )


def test_an_instance_with_scores_is_one_curve_together_with_its_validation(kinetics: SearchStore) -> None:
    few = of_instance(kinetics, "X3D-S", views=[Views(3), Views(1)], source="few.json")
    large = of_instance(kinetics, "X3D-S", views=[Views(10, "left-center-right")], source="large.json")
    (curve,) = [curve for curve in curves(kinetics, [large, few]) if curve.name == "X3D-S"]
    names = ["1-Center", "3-Center", "10-Center", "10-LeftCenterRight"]
    assert [scored.views.name for scored in curve.scores] == names
    assert curve.fullest.views.name == "10-Center"
    page = parsed(render(kinetics, [few, large]))
    assert "few.json" in page.text
    assert "large.json" in page.text
    assert "X3D-XS, X3D-M, X3D-L, X3D-XL, X3D-XXL have the one score" in page.text
    assert len([title for title in charts(page)["inference-log-580"] if title.startswith("X3D-S: ")]) == 4
    # Three crops of each clip would press all else to the left.
    assert not any("LeftCenterRight" in title for title in charts(page)["inference-linear-580"])


def test_networks_of_no_search_are_drawn_and_tabled_beside(kinetics: SearchStore) -> None:
    files = [
        network(f"EfficientNet3D-B{n}", flops, weights=f"{n}1") for n, flops in ((0, 740_000_000), (4, 23_800_000_000))
    ]
    found = curves(kinetics, files)
    names = ["X3D-XS", "EfficientNet3D-B0", "X3D-S", "X3D-M", "X3D-L", "EfficientNet3D-B4", "X3D-XL", "X3D-XXL"]
    assert [curve.name for curve in found] == names
    assert [curve.ours for curve in found] == [name.startswith("X3D") for name in names]
    colours = [curve.colour for curve in found if curve.ours]
    assert len(set(colours)) == 6
    page = parsed(render(kinetics, files))
    for text in ("740.0 M", "3.300 M", "3.200 M", "not of this search", "no search", "/videos/<val>.csv"):
        assert text in page.text
    for titles in (charts(page)["inference-log-580"], charts(page)["inference-linear-350"]):
        assert "EfficientNet3D-B4: 10-Center, 238.0 GFLOPs, top-1 69.0%" in titles
        assert len(titles) == 6 + 2 * 5


def test_scores_of_other_videos_are_marked_and_never_joined_with_the_searchs(kinetics: SearchStore) -> None:
    same = of_instance(kinetics, "X3D-S")
    other = of_instance(kinetics, "X3D-S", videos=OTHERS, source="test/<set>.json")
    found = [curve for curve in curves(kinetics, [other, same]) if curve.name == "X3D-S"]
    assert [(curve.same_videos, curve.ours, curve.label) for curve in found] == [
        (True, True, "X3D-S"),
        (False, True, "X3D-S, <set>.json"),
    ]
    assert [len(curve.scores) for curve in found] == [5, 5]
    page = parsed(render(kinetics, [same, other]))
    assert "* Not comparable: X3D-S, <set>.json was tested on other videos than the search validates on." in page.text
    assert (
        "X3D-S, <set>.json: 1-Center, 1.963 GFLOPs, top-1 62.9%, on other videos" in charts(page)["inference-log-580"]
    )
    assert "Not comparable" not in parsed(render(kinetics, [same])).text


def test_a_search_that_trains_nothing_compares_scores_with_those_of_the_first_file() -> None:
    space, source = load_space("x3d_published")
    with search_of(space, source=source) as search:
        assert curves(search) == ()
        first, other = network("One", 10**9), network("Two", 2 * 10**9, videos=OTHERS)
        assert [curve.same_videos for curve in curves(search, [first, other])] == [True, False]
        page = parsed(render(search, [first, other]))
        assert "Two was tested on other videos than One here." in page.text
        assert "expander test" not in page.text
        only = network("Wide", 10**9, views=[Views(10, "left-center-right")])
        for titles in charts(parsed(render(search, [only]))).values():
            assert titles == ["Wide: 10-LeftCenterRight, 30.00 GFLOPs, top-1 69.7%"]


def test_the_same_views_twice_are_refused(kinetics: SearchStore) -> None:
    files = [network("Net", 10**9, source="a.json"), network("Net", 10**9, source="b.json", views=[Views(5)])]
    with pytest.raises(UsageError, match=r"--scores b.json: 5-Center of Net stands in a.json too"):
        curves(kinetics, files)
    again = network("Net", 10**9, source="b.json", weights="22")
    assert [curve.label for curve in curves(kinetics, [files[0], again]) if not curve.ours] == ["Net", "Net, b.json"]


# The file.


def test_the_file_is_replaced_as_a_whole_and_its_folder_is_made(tmp_path: Path) -> None:
    out = tmp_path / "new" / "report.html"
    with search_of(small()) as search:
        write_report(search, out)
        out.write_text("an older report")
        write_report(search, out)
        assert out.read_text(encoding="utf-8") == render(search)
    assert list(out.parent.iterdir()) == [out]


def test_a_file_that_cannot_be_written_is_the_users_mistake_and_leaves_nothing(tmp_path: Path) -> None:
    with search_of(small()) as search:
        (tmp_path / "folder").mkdir()
        (tmp_path / "file").write_text("x")
        for out in (tmp_path / "folder", tmp_path / "file" / "report.html"):
            with pytest.raises(FileError, match=r"cannot be (written|made): (Is a directory|File exists); give a file"):
                write_report(search, out)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "folder"]


# The tables.


def test_the_candidates_are_one_tidy_table(kinetics: SearchStore) -> None:
    table = tables.candidates(kinetics)
    assert list(table.columns) == list(tables.CANDIDATES)
    assert {name: str(dtype) for name, dtype in table.dtypes.items()} == tables.CANDIDATES
    kept = [row for row in tables.rows_of(table) if row["kept"]]
    assert [row["axis"] for row in kept if row["kind"] == "expansion"] == list(
        load_space("x3d_published")[0].expansion.path
    )
    [contracted] = [row for row in kept if row["regime"] == "X3D-S"]
    assert (contracted["step"], contracted["number"]) == ("7-X3D-S", 7)
    assert (contracted["frames"], contracted["stride"], contracted["crop"]) == (13, 6, 160)
    assert (contracted["blocks"], contracted["widths"], contracted["gamma_b"]) == ("3 5 11 7", "24 48 96 192", 2.25)
    instance = next(instance for instance in kinetics.instances() if instance.name == "X3D-S")
    assert (contracted["flops"], contracted["params"]) == (instance.flops, instance.params)
    assert table["top1"].isna().sum() == 1
    assert table["top1"].max() <= 1


def test_the_epochs_are_one_tidy_table(kinetics: SearchStore) -> None:
    table = tables.epochs(kinetics)
    assert {name: str(dtype) for name, dtype in table.dtypes.items()} == tables.EPOCHS
    candidates = tables.candidates(kinetics)
    trained = candidates[candidates["state"] == "completed"].drop_duplicates("trial")
    assert len(table) == trained["epochs"].sum()
    assert table["train_loss"].iloc[0] > 1


def test_tables_of_a_search_that_has_not_begun_have_their_columns() -> None:
    with search_of(small()) as search:
        for table, columns in (
            (tables.candidates(search), tables.CANDIDATES),
            (tables.epochs(search), tables.EPOCHS),
            (tables.decisions(search), tables.DECISIONS),
        ):
            assert table.empty
            assert {name: str(dtype) for name, dtype in table.dtypes.items()} == columns


def test_a_margin_is_over_the_best_of_the_other_trials_and_has_its_error() -> None:
    """X-Fast and X-Temporal of step 1 are one trial, which is not its own second."""
    scores = {"frames": 0.8, "depth": 0.75}

    def score(trial: Trial) -> float:
        geometry = trial.geometry
        return scores["frames"] if geometry.frames > 1 else scores["depth"] if geometry.blocks != (1, 1) else 0.5

    with search_of(small(expansion={"first_stride": 4, "max_steps": 1})) as search:
        carry_on(search, MadeUp(score=score))
        [row] = tables.rows_of(tables.decisions(search))
        clear = parsed(render(search)).text
    assert (row["axis"], row["second_axis"]) == ("fast", "depth")
    assert row["margin"] == pytest.approx(0.05)
    assert row["error"] == pytest.approx(math.sqrt(0.8 * 0.2 / 1000))
    assert row["margin_error"] == pytest.approx(math.sqrt(0.8 * 0.2 / 1000 + 0.75 * 0.25 / 1000))
    assert "clear" in clear
    assert "here n = 1000" in clear


@pytest.mark.parametrize(
    ("second", "verdict"), [(0.79, "within noise"), (0.8, "none: of equal scores the cheapest is kept")]
)
def test_a_margin_that_chance_explains_is_called_so(second: float, verdict: str) -> None:
    def score(trial: Trial) -> float:
        return 0.8 if trial.geometry.frames > 1 else second

    with search_of(small(expansion={"first_stride": 4, "max_steps": 1})) as search:
        carry_on(search, MadeUp(score=score))
        assert verdict in parsed(render(search)).text


def test_a_single_candidate_has_no_margin() -> None:
    with search_of(small(expansion={"axes": ["depth"], "max_steps": 1})) as search:
        carry_on(search, MadeUp())
        [row] = tables.rows_of(tables.decisions(search))
        assert row["margin"] is None
        assert "no other network was scored" in parsed(render(search)).text


def test_training_time_is_the_longer_of_the_last_attempt_and_the_epochs() -> None:
    with search_of(small()) as search:
        carry_on(search, MadeUp(), completed=1)
        record = next(trial for trial in tables.trials(search).values() if trial.completed)
    assert tables.training_seconds(record) == 3 * 60 + 30
    long = tuple(Epoch(record.id, number, 3, 1.0, 0.5, 0.1, 1000.0) for number in (1, 2, 3))
    assert tables.training_seconds(TrialRecord(record.id, record.trial, record.outcome, long)) == 3000
    assert tables.training_seconds(TrialRecord(record.id, record.trial, None, ())) is None


# Drawing.


@pytest.mark.parametrize(
    ("flops", "text"),
    [(2e3, "2 k"), (5e5, "0.5 M"), (2e7, "20 M"), (1e8, "0.1 G"), (6e8, "0.6 G"), (1.5e11, "150 G"), (2e12, "2 T")],
)
def test_round_flops_read_as_in_the_paper(flops: float, text: str) -> None:
    assert round_flops(flops) == text


def test_counts_and_durations_read_as_people_write_them() -> None:
    assert [human(n) for n in (7, 1633600, 41e6, 605256512, 1.5e11)] == [
        "7.000",
        "1.634 M",
        "41.00 M",
        "605.3 M",
        "150.0 G",
    ]
    assert [duration(s) for s in (4, 185, 7800, 273600)] == ["4 s", "3 min 05 s", "2 h 10 min", "3 d 4 h"]


@pytest.mark.parametrize("size", [plots.WIDE, plots.NARROW])
def test_labels_hide_no_point_no_path_and_no_other_label(size: Size) -> None:
    """Along a path like the published one: steep, then flat."""
    path = np.array([(number, 80 - 40 * 0.75**number) for number in range(1, 14)])
    others = path - [0, 3]
    labels = [Label(f"{number:g} X3D-{'X' * int(number % 3)}L", number, y, bold=True) for number, y in path]
    with drawing(size) as axes:
        axes.set_xlim(0, 14)
        axes.set_ylim(30, 90)
        points: Line = np.concatenate([path, others])
        place_labels(axes, labels, points, [path], size.marker / 2)
        axes.figure.draw_without_rendering()  # type: ignore[union-attr]
        boxes = [Text.get_window_extent(text) for text in axes.texts]
        frame, markers = axes.get_window_extent(), axes.transData.transform(points)
        line = axes.transData.transform(np.column_stack([(x := np.linspace(1, 13, 500)), np.interp(x, *path.T)]))
    assert [text.get_text() for text in axes.texts] == [label.text for label in labels]
    for index, box in enumerate(boxes):
        assert frame.x0 <= box.x0
        assert box.x1 <= frame.x1
        assert not any(box.overlaps(other) for other in boxes[index + 1 :])
        assert not any(box.contains(*point) for point in [*markers, *line])


def test_half_a_page_is_never_left_behind(tmp_path: Path) -> None:
    def fail(file: object) -> None:
        raise OSError(28, "disk full")

    out = tmp_path / "report.html"
    out.write_text("before")
    with pytest.raises(FileError, match=r"report\.html cannot be written: disk full \(.* are free\); free some space"):
        fill_whole(out, fail)
    assert out.read_text() == "before"
    assert list(tmp_path.iterdir()) == [out]
