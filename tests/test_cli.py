"""The commands as users and scripts meet them: flags, documents, exit codes, messages."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer.main
from conftest import ROOT, Expander, Videos, environment
from test_store import first_step, new_search

from expander.axis import Axis
from expander.cli.commands import app
from expander.cli.export import _values
from expander.cli.networks import shipped_configs
from expander.cli.train import _relabelled
from expander.errors import DataError
from expander.trial import Damage, Failed
from results.config import read_config
from results.export import export_configs
from results.store import open_store
from trainers.data.manifest import Manifest, Video

# Every option of every command. Adding one is a visible decision: it needs two users (docs/decisions.md).
FLAGS = {
    "plan": [
        *("--axes", "--gpu", "--count", "--prepared", "--price", "--store"),
        *("--simulate", "--gpus", "--gpus-per-node", "--seed"),
        *("--failures-per-1000-gpu-hours", "--preemptions-per-1000-node-hours"),
        *("--set", "--json"),
    ],
    "cost": [
        "--frames",
        "--crop",
        "--gamma-w",
        "--gamma-b",
        "--gamma-d",
        "--classes",
        "--without",
        "--trace",
        "--json",
    ],
    "search": [
        "--name",
        "--train",
        "--val",
        "--store",
        "--runs",
        "--dispatcher",
        "--ray-address",
        "--steps",
        "--set",
        "--json",
    ],
    "resume": ["--store", "--dispatcher", "--ray-address", "--accept-changes", "--json"],
    "fork": [
        "--from-step",
        "--name",
        "--space",
        "--set",
        "--decide",
        "--run",
        "--store",
        "--dispatcher",
        "--ray-address",
        "--json",
    ],
    "store upgrade": ["--store", "--yes"],
    "store check": ["--store", "--repair", "--json"],
    "retry": ["--trial", "--store", "--dispatcher", "--ray-address", "--json"],
    "status": ["--store", "--damaged", "--trial", "--watch", "--every", "--json"],
    "export": ["--out", "--published", "--instance", "--format", "--store", "--json"],
    "train": [
        "--train",
        "--val",
        "--out",
        "--root",
        "--outside-root",
        "--set",
        "--damage-share",
        "--device",
        "--threads",
        "--loader-workers",
        "--json",
    ],
    "test": [
        "--weights",
        "--val",
        "--views",
        "--out",
        "--per-video",
        "--root",
        "--outside-root",
        "--damage-share",
        "--device",
        "--threads",
        "--loader-workers",
        "--json",
    ],
    "convert": ["--to", "--out", "--from", "--json"],
    "data prepare": [
        "--out",
        "--root",
        "--outside-root",
        "--side",
        "--space",
        "--config",
        "--as",
        "--keyframes",
        "--quality",
        "--workers",
        "--json",
    ],
    "finetune ava": [
        "--train",
        "--val",
        "--val-boxes",
        "--labels",
        "--root",
        "--out",
        "--weights",
        "--train-boxes",
        "--exclude",
        "--video-start",
        "--iterations",
        "--warmup",
        "--every",
        "--patience",
        "--whole-frame",
        "--set",
        "--damage-share",
        "--device",
        "--threads",
        "--loader-workers",
        "--json",
    ],
    "report": ["--out", "--scores", "--store", "--json"],
    "data check": [
        "--val",
        "--root",
        "--outside-root",
        "--clip",
        "--out",
        "--workers",
        "--seconds-per-video",
        "--json",
    ],
    "finetune charades": [
        "--weights",
        "--train",
        "--val",
        "--videos",
        "--out",
        "--set",
        "--damage-share",
        "--device",
        "--threads",
        "--loader-workers",
        "--json",
    ],
}
GEOMETRY = {
    "frames": 1,
    "stride": None,
    "crop": 16,
    "widths": [8],
    "inner_widths": [8],
    "squeeze_widths": [8],
    "blocks": [1],
    "classes": 4,
    "head_width": 8,
    "stem_kernel": 5,
}
PUBLISHED = ["X3D-XS", "X3D-S", "X3D-M", "X3D-L", "X3D-XL", "X3D-XXL"]


def small(videos: Videos, *, epochs: int = 1) -> list[object]:
    """Arguments of a search of one step that takes seconds."""
    manifests = ["--train", videos.train, "--val", videos.val]
    shrunk = [f"--set=recipe.epochs={epochs}", "--set=recipe.batch=12", "--set=recipe.batchnorm_group=12"]
    return [*manifests, *shrunk, "--set=views.clips=1", "--dispatcher=inline", "--steps=1"]


def test_the_commands_have_exactly_these_flags() -> None:
    commands = dict(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    for group in [name for name, command in commands.items() if hasattr(command, "commands")]:
        below = commands.pop(group).commands
        commands |= {f"{group} {name}": command for name, command in below.items()}
    found = {
        name: [parameter.opts[0] for parameter in command.params if parameter.opts[0].startswith("--")]
        for name, command in commands.items()
    }
    assert {name: [flag for flag in flags if flag != "--help"] for name, flags in found.items()} == FLAGS


def test_plan_json_has_every_step_candidate_and_instance(expander: Expander) -> None:
    plan = json.loads(expander("plan", "x3d_published", "--json").stdout)
    expansions = [step for step in plan["steps"] if step["kind"] == "expansion"]
    assert [step["number"] for step in expansions] == list(range(1, 14))
    for step in expansions:
        assert [candidate["axis"] for candidate in step["candidates"]] == list(Axis)
        for candidate in step["candidates"]:
            assert candidate["feasible"]
            assert {"frames", "stride", "crop", "widths", "inner_widths", "blocks"} <= set(candidate["geometry"])
            assert {"factors", "flops", "params", "params_without_batchnorm", "achieved_rate"} <= set(candidate)
    assert [instance["name"] for instance in plan["instances"]] == PUBLISHED
    assert {i["name"]: i["flops"] for i in plan["instances"]}["X3D-S"] == 1_962_892_112
    assert {i["name"]: i["kind"] for i in plan["instances"]}["X3D-S"] == "contraction"


def test_cost_leaves_a_mobile_part_out(expander: Expander) -> None:
    told = json.loads(expander("cost", "X3D-S", "--without", "squeeze-excitation", "--json").stdout)
    assert (told["flops"], told["params_without_batchnorm"]) == (1_962_733_136, 3_600_162)
    assert told["geometry"]["squeeze_excitation"] is False
    assert "no X3D" in expander("cost", "EfficientNet3D-B0", "--without", "swish", code=2).stderr


def test_plan_marks_an_assumed_path_and_costs_its_training(expander: Expander) -> None:
    plan = json.loads(expander("plan", "x3d_kinetics400", "--json").stdout)
    assert plan["assumed"] is True
    assert plan["training_flops"] == sum(step["training_flops"] for step in plan["steps"]) > 1e20
    assert "assumed" in expander("plan", "x3d_kinetics400").stdout


def test_plan_does_not_import_torch() -> None:
    code = """
import sys
from expander.cli import main
sys.argv = ["expander", "plan", "x3d_kinetics400", "--json"]
try:
    main()
except SystemExit:
    heavy = ("torch", "ray", "sqlalchemy", "pandas", "numpy", "av")
    print([module for module in heavy if module in sys.modules], file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "[]"


def test_the_list_of_searches_imports_neither_the_schema_of_a_space_nor_sqlalchemy(
    expander: Expander, tmp_path: Path
) -> None:
    expander("search", "x3d_published", "--name", "published")
    code = """
import sys
from expander.cli import main
sys.argv = ["expander", "status", "--store", sys.argv[1]]
try:
    main()
except SystemExit:
    heavy = ("torch", "ray", "sqlalchemy", "pandas", "numpy", "av", "alembic", "psycopg", "expander.space")
    print([module for module in heavy if module in sys.modules], file=sys.stderr)
"""
    store = f"sqlite:///{tmp_path / 'runs' / 'expander.db'}"
    done = subprocess.run([sys.executable, "-c", code, store], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "[]"
    assert "published" in done.stdout


def test_cost_json_is_the_closed_form_and_trace_agrees(expander: Expander) -> None:
    options = ("--frames", 4, "--crop", 160, "--gamma-b", 2.25, "--gamma-d", 2.2)
    cost = json.loads(expander("cost", *options, "--trace", "--json").stdout)
    assert (cost["flops"], cost["params"], cost["params_without_batchnorm"]) == (605_256_512, 3_794_322, 3_762_858)
    assert cost["geometry"]["blocks"] == [3, 5, 11, 7]
    assert cost["traced"] == {key: cost[key] for key in ("flops", "params", "params_without_batchnorm", "activations")}


def test_a_prescribed_search_exports_configs_that_cost_what_they_say(expander: Expander, tmp_path: Path) -> None:
    expander("search", "x3d_published", "--name", "published")
    expander("export", "published", "--out", "configs")
    assert sorted(path.stem for path in (tmp_path / "configs").glob("*.yaml")) == sorted(PUBLISHED)
    status = json.loads(expander("status", "published", "--json").stdout)
    for instance in status["instances"]:
        cost = json.loads(expander("cost", f"configs/{instance['name']}.yaml", "--json").stdout)
        assert cost["flops"] == instance["flops"]


@pytest.mark.parametrize(
    ("form", "ending"), [("yaml", "yaml"), ("pyslowfast", "pyslowfast.yaml"), ("pytorchvideo", "pytorchvideo.json")]
)
def test_the_published_networks_are_exported_without_a_search(
    expander: Expander, tmp_path: Path, form: str, ending: str
) -> None:
    document = json.loads(expander("export", "--published", "--format", form, "--out", "o", "--json").stdout)
    assert (document["search"], document["format"]) == (None, form)
    assert [file["config"] for file in document["files"]] == [f"o/{name}.{ending}" for name in PUBLISHED]
    assert sorted(path.name for path in (tmp_path / "o").iterdir()) == sorted(f"{n}.{ending}" for n in PUBLISHED)
    one = expander("export", "--published", "--format", form, "--out", "one", "--instance", "X2D").stdout
    assert one == f"one/X2D.{ending} (no weights: nothing was trained)\n"


def test_export_json_has_the_command_that_lays_out_the_weights_of_each_file(tmp_path: Path) -> None:
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(b"weights")
    out = tmp_path / "of mine"
    (exported,) = export_configs([shipped_configs()["X3D-S"]], out, "pytorchvideo", {"X3D-S": weights})
    assert _values(exported) == {
        "instance": "X3D-S",
        "config": f"{out}/X3D-S.pytorchvideo.json",
        "weights": None,
        "convert": f"expander convert '{out}/X3D-S.yaml' '{out}/X3D-S.safetensors' --to pytorchvideo"
        f" --out '{out}/X3D-S.pytorchvideo.pyth'",
    }


def test_a_small_search_runs_is_shown_exported_tested_and_reported(
    expander: Expander, videos: Videos, tmp_path: Path
) -> None:
    bounds = "--set=regimes.bounds={Tiny: 2.4e6}"
    done = expander("search", "smoke", "--name", "one", *small(videos), bounds, "--json")
    document = json.loads(done.stdout)
    assert document["state"] == "completed"
    status = json.loads(expander("status", "one", "--json").stdout)
    assert {"name", "state", "steps", "instances"} <= set(status)
    (step,) = [step for step in status["steps"] if step["kind"] == "expansion"]
    by_axis = {candidate["axis"]: candidate for candidate in step["candidates"]}
    assert by_axis["fast"]["trial"] == by_axis["temporal"]["trial"]
    assert all(c["state"] == "completed" and 0 <= c["score"] <= 1 for c in by_axis.values())
    best = max(candidate["score"] for candidate in by_axis.values())
    assert by_axis[step["chosen"]]["score"] == best
    (instance,) = status["instances"]

    exported = json.loads(expander("export", "one", "--out", "out", "--instance", "Tiny", "--json").stdout)
    (files,) = exported["files"]
    written = {"instance": "Tiny", "config": "out/Tiny.yaml", "weights": "out/Tiny.safetensors"}
    assert files == written | {"convert": None}
    refused = expander("export", "one", "--format", "pyslowfast", "--out", "peer", code=2).stderr
    assert "Tiny cannot be built by PySlowFast: it has 3 stages" in " ".join(refused.split())
    assert not (tmp_path / "peer").exists()
    tested = expander("test", "out/Tiny.yaml", "--weights", "out/Tiny.safetensors", "--val", videos.val, "--json")
    assert json.loads(tested.stdout)["top1"] == instance["score"]

    again = ("train", "out/Tiny.yaml", "--train", videos.train, "--val", videos.val, "--out", "again", "--threads", 1)
    trained = json.loads(expander(*again, "--json").stdout)
    # The same recipe, data and seed are the same trial, and give the same score.
    assert (trained["trial"], trained["top1"]) == (instance["trial"], instance["score"])

    (tmp_path / "runs" / "trials" / instance["trial"] / "weights.safetensors").unlink()
    lost = expander("export", "one", "--out", "lost", "--json")
    assert json.loads(lost.stdout)["files"][0]["weights"] is None
    assert "the config was written without them" in " ".join(lost.stderr.split())

    expander("report", "one", "--out", "report.html")
    assert instance["trial"] in (tmp_path / "report.html").read_text()
    for command in (("export", "one"), (*again[:6],)):
        refused = expander(*command, "--out", "report.html", code=2).stderr
        assert "report.html" in refused
        assert "; give a file in a folder that you may write to" in " ".join(refused.split())
    names = [search["name"] for search in json.loads(expander("status", "--json").stdout)["searches"]]
    assert names == ["one"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["plan", "nowhere"], "search space 'nowhere': neither a file nor a shipped space"),
        (["plan", "smoke", "--axes", "fast,fats"], "--axes: 'fats' not among the space's axes; allowed: fast,"),
        (["plan", "smoke", "--set", "recipe.epoch=3"], "recipe.epoch: unknown key; allowed: epochs"),
        (["plan", "smoke", "--set", "recipe.epochs"], "expected key=value"),
        (["cost", "--gamma-w", "-1"], "--gamma-w: found -1; expected a number over 0"),
        (["cost", "missing.yaml"], "config missing.yaml: neither a file nor a shipped network"),
        (["search", "smoke", "--name", "x"], "no train and val manifest: give --train MANIFEST and --val MANIFEST"),
        (["search", "smoke", "--name", "../x"], "--name '../x': expected letters, digits"),
        (["search", "smoke", "--name", "x", "--train", "no.csv", "--val", "no.csv"], "no.csv: no such manifest"),
        (["status", "--store", "nonsense"], "'nonsense' is no URL of a store; expected sqlite:///"),
        (["status", "x"], "expander search"),
        (["resume", "x"], "expander search"),
        (["export", "x", "--out", "o"], "expander search"),
        (["export", "--out", "o"], "nothing to export: give the name of a search, or --published"),
        (["export", "x", "--published", "--out", "o"], "leave it out, or the name 'x'"),
        (["export", "--published", "--store", "sqlite:///s.db", "--out", "o"], "--store is where a search is"),
        (["export", "--published", "--instance", "X3D-Q", "--out", "o"], "expected one of X2D, X3D-XS, X3D-S,"),
        (["export", "--published", "--format", "mmaction2", "--out", "o"], "the others can be: --instance X3D-XS"),
    ],
)
def test_a_users_mistake_is_told_in_words_with_exit_code_2(
    expander: Expander, arguments: list[str], message: str
) -> None:
    done = expander(*arguments, code=2)
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_search_that_cannot_begin_leaves_its_name_free(expander: Expander, videos: Videos) -> None:
    arguments = ("search", "smoke", "--name", "x", "--train", videos.train, "--val", videos.val)
    refused = expander(*arguments, "--ray-address", "127.0.0.1:1", code=2).stderr
    assert "127.0.0.1:1" in refused
    assert json.loads(expander("status", "--json").stdout)["searches"] == []


def test_a_mistake_with_json_is_one_document_too(expander: Expander) -> None:
    done = expander("plan", "nowhere", "--json", code=2)
    document: dict[str, Any] = json.loads(done.stdout)
    assert document["exit_code"] == 2
    assert "nowhere" in document["error"]


def test_a_name_that_exists_is_refused_and_resume_of_a_finished_search_trains_nothing(expander: Expander) -> None:
    expander("search", "x3d_published", "--name", "published")
    assert "expander resume published" in expander("search", "x3d_published", "--name", "published", code=2).stderr
    resumed = json.loads(expander("resume", "published", "--json").stdout)
    assert resumed["state"] == "completed"
    assert "published" in expander("resume", "publishd", code=2).stderr


def test_resume_refuses_a_changed_space_and_changed_data_and_says_how(
    expander: Expander, videos: Videos, tmp_path: Path
) -> None:
    space, train, val = tmp_path / "mine.yaml", tmp_path / "train.csv", tmp_path / "val.csv"
    space.write_text((ROOT / "search_spaces" / "smoke.yaml").read_text())
    for mine, theirs in ((train, videos.train), (val, videos.val)):
        folder = theirs.parent
        mine.write_text("".join(f"{folder}/{line}\n" for line in theirs.read_text().splitlines()))
    mine = Videos(train, val)
    allowed = "--set=data.outside_root=true"
    expander("search", "mine.yaml", "--name", "mine", *small(mine), "--set=regimes.bounds={Tiny: 2.4e6}", allowed)

    space.write_text(space.read_text().replace("base_rate: 0.1", "base_rate: 0.3").replace("retries: 1", "retries: 3"))
    refused = expander("resume", "mine", "--dispatcher=inline", code=2).stderr
    assert "recipe.base_rate: 0.1 recorded, 0.3 now" in refused
    assert "retries" not in refused
    space.write_text(space.read_text().replace("base_rate: 0.3", "base_rate: 0.1"))
    assert "failures.retries: 1 recorded, 3 now" in expander("resume", "mine", "--dispatcher=inline").stderr

    train.write_text(train.read_text() + train.read_text().splitlines()[0].replace("rising", "other") + "\n")
    refused = expander("resume", "mine", "--dispatcher=inline", code=2).stderr
    assert "train: 24 videos" in " ".join(refused.split())
    exported = expander("export", "mine", "--out", "configs")
    assert "no class_names: the manifests have changed" in exported.stderr
    assert "class_names: []" in (tmp_path / "configs" / "Tiny.yaml").read_text()


def test_videos_are_tested_by_the_names_of_the_classes_that_the_network_was_trained_for() -> None:
    config = read_config({"name": "Tiny", "geometry": GEOMETRY, "class_names": ["a", "b", "c"]}, {}, "c")
    manifest = Manifest(Path("val.csv"), (Video(Path("1.mp4"), 0), Video(Path("2.mp4"), 1)), ("b", "c"))
    assert [video.label for video in _relabelled(manifest, config).videos] == [1, 2]
    with pytest.raises(DataError, match="classes x are not among the 3"):
        _relabelled(replace(manifest, classes=("b", "x")), config)

    unnamed = replace(config, class_names=())
    with pytest.raises(DataError, match="does not say which of the network's 4 these are"):
        _relabelled(manifest, unnamed)
    by_number = replace(manifest, classes=("0", "1"))
    assert _relabelled(by_number, unnamed) is by_number


def test_status_counts_damaged_videos_and_lists_them_when_asked(expander: Expander, tmp_path: Path) -> None:
    where = ("--store", f"sqlite:///{tmp_path}/store.db")
    with closing(open_store(where[1], create=True)) as store:
        search, step = new_search(store), first_step()
        search.enroll(step)
        trial = step.trials[0].id
        assert "damaged" not in expander("status", "first", *where).stdout
        assert expander("status", "first", "--damaged", *where).stdout == "no damaged video has been reported\n"
        search.record(Failed(trial, "too many", "", (Damage("val", "/v/[a].mp4", "does not exist"),)))
    line = "1 damaged video could not be read; list them with: expander status first --damaged"
    assert line in expander("status", "first", *where).stdout
    listed = expander("status", "first", "--damaged", *where).stdout
    assert listed.startswith("/v/[a].mp4: does not exist (val, 1 trial of first, 20")
    (video,) = json.loads(expander("status", "first", *where, "--json").stdout)["damaged"]
    assert (video["manifest"], video["trials"], video["searches"]) == ("val", [trial], ["first"])
    assert "give its NAME, and no --watch" in expander("status", "--damaged", *where, code=2).stderr


def test_every_command_of_the_readme_is_one_that_exists_and_parses(expander: Expander) -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    text = (ROOT / "README.md").read_text()
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", text, flags=re.S)).replace("\\\n", " ")
    lines = [line.split(" #")[0].strip() for line in blocks.splitlines()]
    ours = [line.split()[1:] for line in lines if line.startswith("expander ")]
    assert {name for name, *_ in ours} >= {"plan", "cost", "search", "status", "resume", "export"}
    for name, *arguments in ours:
        if hasattr(commands[name], "commands"):
            below, *rest = arguments
            commands[name].commands[below].make_context(below, rest)
            continue
        commands[name].make_context(name, list(arguments))
        if name in ("plan", "cost"):
            expander(name, *arguments)
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.M)
    assert {line.split()[1] for line in lines if line.startswith("make ")} <= set(targets)


def test_the_module_is_silent_where_the_environment_is_hostile(expander: Expander) -> None:
    env = environment() | {"NO_COLOR": "1", "TERM": "dumb"}
    done = subprocess.run(
        [sys.executable, "-c", "from expander.cli import main; main()", "plan", "x3d_published"],
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "\x1b[" not in done.stdout
