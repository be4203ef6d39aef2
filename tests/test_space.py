"""Search spaces: what they say of mistakes, what they mean, and the page that explains them."""
# ruff: noqa: E501 (messages stand here as a user reads them)

import json
import re
from importlib.resources import files

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from spaces import space_of

from expander.axis import Axis
from expander.cli.files import find_space, load_space, load_yaml, shipped_spaces
from expander.errors import ExpanderError, SpaceError, UsageError
from expander.geometry import Basis
from expander.recipe import Recipe
from expander.solve import Grids, Lattice, Limits
from expander.space import OPERATIONAL, SearchSpace, difference, read_space

SECTIONS = "description, complexity, basis, expansion, grids, limits, regimes, recipe, regularisation, views, data, prepare, resources, failures, watch, coordinator, seed"


def mistakes(tmp_path, text, *overrides):
    """What a space of this text is answered with, the file being called s.yaml."""
    path = tmp_path / "s.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UsageError) as caught:
        load_space(str(path), overrides)
    assert caught.value.exit_code == 2
    return str(caught.value).replace(str(path), "s.yaml")


# YAML -> what is said of it; where that does not begin with a place, after "s.yaml:1: ".
MISTAKES = {
    # The file as a whole.
    "- seed: 1": f"s.yaml: expected a mapping with some of the keys {SECTIONS}, found [{{'seed': 1}}]",
    "seed": f"s.yaml: expected a mapping with some of the keys {SECTIONS}, found 'seed'",
    "null": f"s.yaml: expected a mapping with some of the keys {SECTIONS}, found nothing (null)",
    "seed: 0\nbasis: [": "s.yaml:2: not valid YAML: expected the node content, but found '<stream end>'",
    "basis:\n\tcrop: 3": "s.yaml:2: not valid YAML: found character '\\t' that cannot start any token",
    "seed: 1\n---\nseed: 2": "s.yaml:2: not valid YAML: but found another document",
    "description: !!python/name:os.system": (
        "not valid YAML: tags (tag:yaml.org,2002:python/name:os.system) are not read here; write the value without"
    ),
    "basis: &b {crop: 48}\nlimits: *b": "s.yaml:2: not valid YAML: aliases are not read here; write the value out",
    "basis: &b [*b]": "not valid YAML: aliases are not read here; write the value out",
    "[" * 1500: "s.yaml:1: not valid YAML: nested too deeply, in more than 64 levels",
    "seed: 1\nbasis:\n  crop: 48\n  crop: 64\nseed: 2": (
        "s.yaml:4: basis.crop: stands twice; remove one (the first is at s.yaml:3)\ns.yaml:5: seed: stands"
        " twice; remove one (the first is at s.yaml:1)"
    ),
    "regularisation:\n  - {from_step: 1,\n     from_step: 2}": "s.yaml:3: regularisation.0.from_step: stands twice; remove one (the first is at s.yaml:2)",
    "1: a\nbasis:\n  true: b": (
        "s.yaml:1: a key is no text; write a name, or put it in quotes\ns.yaml:3: a key is no text; write a"
        " name, or put it in quotes"
    ),
    # Keys.
    "recipee:\n  epochs: 3": f"recipee: unknown key; allowed: {SECTIONS} (did you mean recipe?)",
    "expansion:\n  # ĉ\n  rat: 2": (
        "s.yaml:3: expansion.rat: unknown key; allowed: rate, tolerance, axes, first_stride, max_steps,"
        " path, path_is (did you mean rate?)"
    ),
    "regularisation:\n- from_step: 1\n- from_step: 2\n  epohs: 3": (
        "s.yaml:4: regularisation.1.epohs: unknown key; allowed: from_step, when_gap, epochs, batch, base_rate,"
        " warmup, weight_decay, dropout, drop_connect, batchnorm_group (did you mean epochs?)"
    ),
    "views:\n  zzz: 3": "s.yaml:2: views.zzz: unknown key; allowed: clips, crops",
    "regularisation:\n- batch: 4": (
        "s.yaml:2: regularisation.0: it never begins; give from_step, its first step, or when_gap, the gap that it"
        " waits for"
    ),
    "regularisation:\n- from_step: 4\n  when_gap: 0.1": (
        "s.yaml:3: regularisation.0.when_gap: 0.1 stands beside from_step 4; give one of the two"
    ),
    "on: 3": f"on: unknown key; allowed: {SECTIONS}",
    # Types.
    "seed: 1\nrecipe:": "s.yaml:2: recipe: found nothing (null); expected a mapping",
    "recipe: [1]": "recipe: found [1]; expected a mapping",
    "regularisation: {from_step: 1}": "regularisation: found a mapping; expected a list",
    "basis: {crop: null}": "basis.crop: found nothing (null); expected a whole number",
    "recipe: {epochs: many}": "recipe.epochs: found 'many'; expected a whole number",
    "recipe: {epochs: 2.0}": "recipe.epochs: found 2.0; expected a whole number",
    "recipe: {momentum: '0.9'}": "recipe.momentum: found '0.9'; expected a number",
    "recipe: {dropout: true}": "recipe.dropout: found true; expected a number",
    "recipe: {flip: 1}": "recipe.flip: found 1; expected true or false",
    "recipe: {flip: yes}": "recipe.flip: found 'yes'; expected true or false",
    "description: 3": "description: found 3; expected a text",
    "expansion: {axes: fast}": "expansion.axes: found 'fast'; expected a list",
    "regimes: {bounds: [1e9]}": "regimes.bounds: found [1000000000.0]; expected a mapping",
    "seed: {a: 1}": "seed: found a mapping; expected a whole number",
    "seed: " + "9" * 30: "seed: found 999999999999999999999999999999; expected at most 1,000,000,000",
    # Values.
    "basis: {crop: 0}": "basis.crop: found 0; expected at least 1",
    "seed: -1": "seed: found -1; expected at least 0",
    "basis: {blocks: [1, 1001, 3, 1]}": "basis.blocks.1: found 1001; expected at most 1,000",
    "expansion: {rate: 1}": "expansion.rate: found 1; expected more than 1",
    "recipe: {dropout: 1}": "recipe.dropout: found 1; expected less than 1",
    "recipe: {base_rate: .nan}": "recipe.base_rate: found nan; expected a finite number",
    "regimes: {bounds: {A: .inf}}": "regimes.bounds.A: found inf; expected a finite number",
    "resources: {cpus: 1e999}": "resources.cpus: found inf; expected a finite number",
    "resources: {gpus: 8}": "resources.gpus: unknown key; it is called gpus_per_trial now",
    "resources: {gpus_per_trial: 1.5}": (
        "resources.gpus_per_trial: 1.5 is more than one GPU and no whole number; give whole GPUs, or a part of one"
    ),
    "resources: {gpus_per_trial: 8, workers_per_trial: 3}": (
        "resources.workers_per_trial: 3 processes for 8 GPUs; a process trains on one GPU: give null, or 8"
    ),
    "resources: {gpus_per_trial: 0.5, workers_per_trial: 2}": (
        "resources.workers_per_trial: 2 processes for 0.5 GPUs; a process trains on one GPU: give null, or 1"
    ),
    "resources: {workers_per_trial: 0}": "resources.workers_per_trial: found 0; expected at least 1",
    "resources:\n  gpus_per_trial: 4\n  least_workers: 5": (
        "s.yaml:3: resources.least_workers: 5 is more than the processes of a trial, 4; give at most that, or null"
    ),
    "resources: {least_workers: 2}": (
        "resources.least_workers: 2 is more than the processes of a trial, 1; give at most that, or null"
    ),
    "grids: {width: 0.0001}": "grids.width: found 0.0001; expected at least 0.001",
    "expansion:\n  axes:\n    - fast\n    - tempral": (
        "s.yaml:4: expansion.axes.1: found 'tempral'; expected one of fast, temporal, spatial, depth, width,"
        " bottleneck (did you mean temporal?)"
    ),
    "failures: {then: halt}": "failures.then: found 'halt'; expected one of stop, skip",
    "regimes: {bounds: {../S: 1e9}}": "regimes.bounds.../S: found '../S'; expected letters, digits, - and _",
    "regimes: {bounds: {}}": "regimes.bounds: found an empty mapping; expected 1 or more entries",
    "basis: {widths: []}": "basis.widths: found []; expected 1 or more entries",
    "recipe: {scale_jitter: [1, 2, 3]}": "recipe.scale_jitter: found [1, 2, 3]; expected no more than 2 entries",
    "complexity: flop": "complexity: found 'flop'; expected one of flops, params, activations, latency, memory (did you mean flops?)",
    "complexity: 3": "complexity: found 3; expected one of flops, params, activations, latency, memory",
    "complexity: latncy\nregimes: {bounds: {A: 0.02}}": (
        "complexity: found 'latncy'; expected one of flops, params, activations, latency, memory (did you mean latency?)"
    ),
    # Values that contradict each other.
    "basis: {crop: 48}\ncomplexity: latency": (
        "s.yaml:2: complexity: latency needs regimes.bounds in seconds; the paper's, which stand by default, are"
        " multiply-adds"
    ),
    "complexity: params\nregimes: {bounds: {A: 1e6, B: 1e7}}": (
        "s.yaml:2: regimes.bounds.A: 1e+06 parameters are under the basis' own 1,633,560; give a larger bound"
    ),
    "basis:\n  widths: [8, 16]\n  blocks: [1]": "s.yaml:3: basis.blocks: 1 stages, but basis.widths has 2; give one entry a stage in both",
    "basis: {stem_kernel: 4}": "basis.stem_kernel: 4 is even; a centred kernel has an odd number of frames",
    "expansion: {axes: [fast, depth, fast]}": "expansion.axes.2: 'fast' is listed twice; list each axis once",
    "expansion:\n  axes: [depth, width]\n  path: [depth, fast]\n  path_is: prescribed": "s.yaml:3: expansion.path.1: 'fast' is not among expansion.axes; allowed: depth, width",
    "expansion: {path_is: prescribed}": "expansion.path_is: 'prescribed' needs expansion.path, the axis of each step in order",
    "recipe: {scale_jitter: [1.3, 1.1]}": "recipe.scale_jitter: [1.3, 1.1] runs backwards; give [smallest, largest]",
    "limits: {crop: 64}": "limits.crop: 64 is under the basis' 112; give at least that, or null for no limit",
    "regimes:\n  bounds:\n    A: 2e7\n    B: 1e9": (
        "s.yaml:3: regimes.bounds.A: 2e+07 multiply-adds are under the basis' own 20,662,304; give a larger bound"
    ),
}


@pytest.mark.parametrize("text", MISTAKES, ids=lambda text: text[:40])
def test_a_mistake_gets_one_clear_message(tmp_path, text):
    message = MISTAKES[text]
    assert mistakes(tmp_path, text) == (message if message.startswith("s.yaml:") else f"s.yaml:1: {message}")


def test_all_mistakes_of_a_file_come_in_one_go_in_the_order_of_their_lines(tmp_path):
    text = """\
seed: zero
basis:
  classes: 1
  widths: [8, 16]
  blocks: [1, 2, 3]
expansion:
  rate: 0.5
  axes: [fast, fast]
  path: [depth, sideways]
recipe:
  epochs: -1
  dropuot: 0.1
  scale_jitter: [2, 1]
limits:
  crop: 100
"""
    assert mistakes(tmp_path, text).splitlines() == [
        "s.yaml:1: seed: found 'zero'; expected a whole number",
        "s.yaml:3: basis.classes: found 1; expected at least 2",
        "s.yaml:5: basis.blocks: 3 stages, but basis.widths has 2; give one entry a stage in both",
        "s.yaml:7: expansion.rate: found 0.5; expected more than 1",
        "s.yaml:8: expansion.axes.1: 'fast' is listed twice; list each axis once",
        "s.yaml:9: expansion.path.1: found 'sideways'; expected one of fast, temporal, spatial, depth, width, bottleneck",
        "s.yaml:11: recipe.epochs: found -1; expected at least 1",
        "s.yaml:12: recipe.dropuot: unknown key; allowed: epochs, batch, base_rate, reference_batch, warmup, momentum,"
        " weight_decay, dropout, drop_connect, batchnorm_group, scale_jitter, flip, precision, precise_batchnorm,"
        " short_videos (did you mean dropout?)",
        "s.yaml:13: recipe.scale_jitter: [2.0, 1.0] runs backwards; give [smallest, largest]",
        "s.yaml:15: limits.crop: 100 is under the basis' 112; give at least that, or null for no limit",
    ]


def test_precise_batchnorm_needs_more_than_one_clip(tmp_path):
    text = "recipe: {precise_batchnorm: 1}"
    assert mistakes(tmp_path, text).startswith("s.yaml:1: recipe.precise_batchnorm: 1 clip has no variance; give 0")


def test_nothing_is_said_of_what_a_wrong_value_takes_part_in(tmp_path):
    # The crop of the basis is unknown here: whether the limit is under it, or the bound under its cost, is not for now.
    text = "basis: {crop: small}\nlimits: {crop: 24}\nregimes: {bounds: {A: 1e6}}"
    assert mistakes(tmp_path, text) == "s.yaml:1: basis.crop: found 'small'; expected a whole number"
    text = "expansion: {axes: [fsat], path: [depth], path_is: prescribed}"
    assert len(mistakes(tmp_path, text).splitlines()) == 1


def test_lines_are_sorted_as_numbers(tmp_path):
    lines = mistakes(tmp_path, "\n".join(f"k{index}: 1" for index in range(12))).splitlines()
    assert [line.split(":")[1] for line in lines] == [str(number) for number in range(1, 13)]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("recipe.epochs", "--set recipe.epochs: expected key=value with a dotted key, such as recipe.epochs=4"),
        ("=4", "--set =4: expected key=value with a dotted key, such as recipe.epochs=4"),
        ("recipe..epochs=4", "--set recipe..epochs=4: expected key=value with a dotted key, such as recipe.epochs=4"),
        ("recipe.epochs=0", "--set recipe.epochs=0: recipe.epochs: found 0; expected at least 1"),
        ("recipe.epochs=", "--set recipe.epochs=: recipe.epochs: found nothing (null); expected a whole number"),
        ("recipe.epochs=[", "--set recipe.epochs=[:1: not valid YAML: expected the node content, but found '<stream end>'"),
        ("seed.x=4", "--set seed.x=4: seed is not a mapping of keys; set it as a whole: seed=..."),
        (
            "expansion.path.0=fast",
            "--set expansion.path.0=fast: expansion.path is not a mapping of keys; set it as a whole: expansion.path=...",
        ),
        ("basis={widths: [8], blocks: [0]}", "--set basis={widths: [8], blocks: [0]}: basis.blocks.0: found 0;"
         " expected at least 1"),
    ],
)  # fmt: skip
def test_a_mistake_on_the_command_line_is_named_as_it_was_written(tmp_path, override, message):
    text = "seed: 1\nexpansion:\n  path: [fast]\nbasis:\n  blocks: [1, 2, 5, 3]"
    assert mistakes(tmp_path, text, override) == message


def test_a_key_set_for_a_file_that_is_no_mapping_leaves_the_message_of_the_file(tmp_path):
    assert mistakes(tmp_path, "[1]", "seed=3").startswith("s.yaml: expected a mapping")


def test_what_is_set_goes_over_the_file_and_the_last_one_counts():
    space, source = load_space("x3d_published", ["seed=4", "recipe.epochs=2", "recipe.epochs=3", "grids.width=1"])
    assert (space.seed, space.recipe.epochs, space.grids.width, source) == (4, 3, 1.0, "x3d_published")
    space, _ = load_space("x3d_kinetics400", ["expansion.axes=[fast, width]", "expansion.path=[]"])
    assert space.expansion.axes == [Axis.FAST, Axis.WIDTH]
    assert load_space("smoke", ["description='a: b'"])[0].description == "a: b"


def test_a_file_that_is_no_text_is_named(tmp_path):
    assert mistakes(tmp_path, b"\xff\xfe\x00").startswith(
        "s.yaml: cannot be read: 'utf-8' codec can't decode byte 0xff"
    )
    assert "not valid YAML: unacceptable character #x0000" in mistakes(tmp_path, "a\x00b")


def test_a_number_of_thousands_of_digits_is_a_mistake_and_no_crash(tmp_path):
    assert mistakes(tmp_path, "seed: " + "9" * 5000).startswith("s.yaml: not valid YAML: Exceeds the limit")


def test_a_space_that_does_not_exist_is_answered_with_those_that_do(tmp_path):
    with pytest.raises(UsageError) as caught:
        find_space("x3d_kinetic")
    assert str(caught.value) == (
        "search space 'x3d_kinetic': neither a file nor a shipped space; expected a path to a YAML file or one of"
        " smoke, x3d_kinetics400, x3d_published"
    )
    with pytest.raises(UsageError, match="neither a file"):
        find_space(str(tmp_path))


@pytest.mark.parametrize("text", ["", "# nothing but a comment\n"])
def test_an_empty_file_is_the_papers_search(tmp_path, text):
    (tmp_path / "s.yaml").write_text(text)
    assert load_space(str(tmp_path / "s.yaml"))[0] == SearchSpace() == space_of()


def test_numbers_are_read_as_people_write_them():
    values, _ = load_yaml("[6e8, 6E8, 6.5e-3, 6.0e+8, -1e3, 1_000, .5]", "s")
    assert values == [6e8, 6e8, 6.5e-3, 6e8, -1e3, 1000, 0.5]
    assert load_yaml("[on, off, yes, no, 2024-01-31, e8, 6e, true]", "s")[0] == [
        "on", "off", "yes", "no", "2024-01-31", "e8", "6e", True,
    ]  # fmt: skip


def test_every_key_knows_its_line():
    _, where = load_yaml("a: 1\nb:\n  - c: 2\n    d:\n      [3,\n       4]\n", "s")
    assert where == {
        ("a",): "s:1",
        ("b",): "s:2",
        ("b", 0): "s:3",
        ("b", 0, "c"): "s:3",
        ("b", 0, "d"): "s:4",
        ("b", 0, "d", 0): "s:5",
        ("b", 0, "d", 1): "s:6",
    }


def refusal(read):
    """What a mistake is answered with; nothing where there is none. Any other error is a crash."""
    try:
        read()
    except SpaceError as error:
        return str(error)
    return ""


texts = st.text("abc: -[]{}\n\t'\"&*!|>#%@0123456789.,?eE~<=", max_size=60)


@settings(max_examples=300, deadline=None)
@given(texts | st.text(max_size=30))
def test_any_text_is_a_space_or_a_mistake(text):
    message = refusal(lambda: read_space(*load_yaml(text, "s"), "s"))
    assert message.startswith("s") or not message


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(st.data(), json_values)
def test_any_value_under_any_key_is_taken_or_refused_with_its_key(data, value):
    section = data.draw(st.sampled_from(sorted(SearchSpace.model_fields)))
    fields = getattr(SearchSpace.model_fields[section].annotation, "model_fields", None)
    key = data.draw(st.sampled_from(sorted(fields))) if fields else None
    message = refusal(lambda: read_space({section: {key: value} if key else value}, {}, "s"))
    assert section in message or not message


@pytest.mark.parametrize(
    ("resources", "workers", "gpus"),
    [
        ({}, 1, 0),
        ({"gpus_per_trial": 0.5}, 1, 0.5),
        ({"gpus_per_trial": 8}, 8, 1),
        ({"gpus_per_trial": 8, "workers_per_trial": 8, "least_workers": 8}, 8, 1),
        ({"workers_per_trial": 3, "least_workers": 1}, 3, 0),
    ],
)
def test_a_trial_has_a_process_for_each_of_its_gpus(resources, workers, gpus):
    space = space_of(resources=resources)
    assert (space.resources.workers, space.resources.gpus_per_worker) == (workers, gpus)


def test_a_space_becomes_what_the_search_runs_on():
    space = space_of(
        basis={
            "widths": [8, 16, 32],
            "blocks": [1, 1, 2],
            "crop": 48,
            "classes": 7,
            "head_width": 64,
            "stem_kernel": 3,
        },
        grids={"frames": 2, "crop": 4, "width": 0.1, "bottleneck": 0.5},
        limits={"frames": 8, "crop": 96, "depth": 3, "width": 2.5, "bottleneck": 4},
        expansion={"first_stride": 3},
        recipe={"epochs": 4, "scale_jitter": [1, 1.5]},
        regularisation=[{"from_step": 2, "dropout": 0.1, "batch": None}],
        views={"clips": 2, "crops": "left-center-right"},
    )
    assert space.lattice == Lattice(
        Basis((8, 16, 32), (1, 1, 2), 48, 7, 64, 3), Grids(2, 4, 0.1, 0.5), Limits(8, 96, 3.0, 2.5, 4.0), first_stride=3
    )
    assert space.base_recipe == Recipe(epochs=4, scale_jitter=(1.0, 1.5))
    (change,) = space.regularisation_expansion
    assert (change.from_step, change.changes) == (2, {"dropout": 0.1})
    assert space.test_views.per_video == 6


@pytest.mark.parametrize("name", ["smoke", "x3d_kinetics400", "x3d_published"])
def test_a_shipped_space_survives_the_store(name):
    assert name in shipped_spaces()
    space, _ = load_space(name)
    stored = json.loads(json.dumps(space.as_dict()))
    again = read_space(stored, {}, "store")
    assert again == space
    assert difference(space, again) == ()


def test_the_kinetics_space_is_what_the_defaults_are():
    space, _ = load_space("x3d_kinetics400")
    for section in ("basis", "grids", "limits", "regimes", "views"):
        assert getattr(space, section) == getattr(SearchSpace(), section)
    for key, value in Recipe().as_dict().items():
        assert getattr(space.base_recipe, key) == pytest.approx(value, abs=1e-7)


def test_differences_are_listed_key_by_key():
    one = space_of(recipe={"epochs": 10}, expansion={"axes": ["fast"]}, regimes={"bounds": {"A": 1e9}})
    other = space_of(recipe={"epochs": 20}, expansion={"axes": ["fast", "depth"]}, regimes={"bounds": {"B": 1e9}})
    assert difference(one, one) == ()
    assert difference(one, other) == (
        "expansion.axes: ['fast'] recorded, ['fast', 'depth'] now",
        "regimes.bounds.A: 1000000000.0 recorded, None now",
        "recipe.epochs: 10 recorded, 20 now",
        "regimes.bounds.B: None recorded, 1000000000.0 now",
    )


# The page that explains every key.

PAGE = (files("search_spaces") / "README.md").read_text(encoding="utf-8")
HEADER = "| key | type | unit | default | allowed | meaning and source |"


def tables():
    """Section of the page -> key -> the cells of its row."""
    found = {}
    for section in re.split(r"^### ", PAGE, flags=re.M)[1:]:
        title, _, text = section.partition("\n")
        rows = [
            [cell.strip() for cell in line.strip("|").split("|")]
            for line in text.splitlines()
            if line.startswith("| `")
        ]
        assert HEADER in text
        found[title] = {row[0].strip("`"): row[1:] for row in rows}
        assert len(found[title]) == len(rows)
    return found


def schemas():
    """Section -> key -> its JSON schema; the plain keys of the file under the name of the page's first section."""
    whole = SearchSpace.model_json_schema()

    def resolved(schema):
        return whole["$defs"][schema["$ref"].split("/")[-1]] if "$ref" in schema else schema

    found = {"The file itself": {}}
    for name, schema in whole["properties"].items():
        section = resolved(schema.get("items", schema))
        if "properties" in section:
            found[name] = {key: resolved(value) for key, value in section["properties"].items()}
        else:
            found["The file itself"][name] = schema
    return found


def allowed(schema):
    """What a JSON schema allows, in the words of the page."""
    match schema:
        case {"anyOf": [value, {"type": "null"}]}:
            return f"{allowed(value)} or null"
        case {"$ref": _}:
            return f"one of {', '.join(Axis)}"
        case {"enum": names}:
            return ", ".join(names)
        case {"type": "boolean"}:
            return "true, false"
        case {"type": "string"}:
            return "any"
        case {"type": "array", "items": items, "minItems": 2}:
            return f"exactly 2, each {allowed(items)}"
        case {"type": "array", "items": items} | {"type": "object", "patternProperties": {**items}}:
            items = items if schema["type"] == "array" else next(iter(items.values()))
            fewest = "1 or more, " if 1 in (schema.get("minItems"), schema.get("minProperties")) else ""
            return f"{fewest}each {allowed(items)}"
    ends = {key: f"{value:,}" if value < 1e12 else f"{value:g}" for key, value in schema.items() if "imum" in key}
    low = f"over {ends['exclusiveMinimum']}" if "exclusiveMinimum" in ends else ends["minimum"]
    if "exclusiveMaximum" in ends:
        return f"{low} to under {ends['exclusiveMaximum']}"
    if "maximum" in ends:
        return f"{low} to {ends['maximum']}"
    return low if low.startswith("over") else f"{low} or more"


def test_every_key_stands_in_the_page_and_nothing_else_does():
    assert {section: list(rows) for section, rows in tables().items()} == {
        section: list(keys) for section, keys in schemas().items()
    }


CELLS = [
    pytest.param(row, schemas().get(section, {}).get(key, {}), id=f"{section}.{key}")
    for section, rows in tables().items()
    for key, row in rows.items()
]


@pytest.mark.parametrize(("row", "schema"), CELLS)
def test_the_page_says_what_the_schema_says(row, schema):
    kind, _, default, limits, meaning = row
    if default:
        assert load_yaml(default.strip("`"), "page")[0] == schema["default"]
    else:
        assert "default" not in schema
    assert limits == allowed(schema)
    assert ("whole number" in kind) == ("integer" in json.dumps(schema))
    assert meaning.endswith(".")


def test_the_page_names_every_shipped_space():
    assert re.findall(r"^\| `(\w+)\.yaml`", PAGE, flags=re.M) == ["x3d_kinetics400", "x3d_published", "smoke"]
    assert sorted(re.findall(r"^\| `(\w+)\.yaml`", PAGE, flags=re.M)) == shipped_spaces()


def test_the_examples_of_the_page_are_spaces():
    own, on_gpus, automatic = (
        read_space(*load_yaml(example, "README.md"), "README.md")
        for example in re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.S)
    )
    assert (own.basis.classes, list(own.regimes.bounds)) == (10, ["Tiny", "Small"])
    assert (on_gpus.resources.workers, on_gpus.resources.least_workers) == (8, 4)
    papers, _ = load_space("x3d_kinetics400")
    changes = [change.changes for change in automatic.regularisation_expansion]
    assert changes == [change.changes for change in papers.regularisation_expansion]


def test_the_page_names_what_may_change_on_resume():
    (sentence,) = re.findall(r"where these alone have changed: (.*?), which", PAGE, flags=re.S)
    assert tuple(re.findall(r"`(\w+)`", sentence)) == OPERATIONAL


def test_what_is_set_in_the_page_can_be_set():
    overrides = re.findall(r"--set '?(\w+\.[\w.]+=(?:\[.*?\]|\S+?))[`'\s]", PAGE)
    assert len(overrides) == 4
    space, _ = load_space("x3d_kinetics400", [*overrides, "expansion.path=[]"])
    assert space.regimes.bounds["Tiny"] == yaml.safe_load("60.0e+6")
    assert isinstance(space, SearchSpace)


def test_mistakes_of_a_space_are_user_mistakes():
    assert issubclass(SpaceError, UsageError)
    assert issubclass(UsageError, ExpanderError)
    assert SpaceError("x").exit_code == 2
