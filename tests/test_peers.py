"""Networks in the words of PySlowFast, PyTorchVideo and MMAction2: built exactly, or refused with the reason."""
# ruff: noqa: E501 (messages and tables stand here as a user reads them)

import ast
import json
import math
import re
import shlex
from dataclasses import replace
from itertools import accumulate, repeat
from pathlib import Path
from typing import get_args

import pytest
import torch
import yaml
from conftest import ROOT
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from spaces import frontiers, lattices
from yacs.config import CfgNode

from expander.axis import Factors
from expander.cli.convert import Target
from expander.cli.export import Format as CommandsFormat
from expander.cli.files import load_config
from expander.cli.networks import shipped_configs
from expander.errors import UsageError
from expander.geometry import MOBILE_PARTS, Basis, realise
from expander.recipe import Recipe
from expander.trial import Views
from results.config import InstanceConfig
from results.export import ENDINGS, Format, export_configs
from results.peers import arithmetic, mmaction2, pyslowfast, pytorchvideo, training
from trainers.weights.layouts import Layout, entries

DATA = Path(__file__).parent / "data"
CONFIGS = shipped_configs()
PUBLISHED = ["X3D-XS", "X3D-S", "X3D-M", "X3D-L", "X3D-XL", "X3D-XXL"]
PEERS = (pyslowfast, pytorchvideo, mmaction2)


def built(peer, text, geometry):
    """What a peer makes of the text of a file."""
    if peer is pyslowfast:
        return pyslowfast.build(yaml.safe_load(text))
    if peer is pytorchvideo:
        return pytorchvideo.build(json.loads(text), geometry.stride)
    return mmaction2.build(executed(text))


def executed(text):
    """The variables of a Python config, which uses nothing but dict."""
    variables = {}
    exec(compile(text, "config.py", "exec"), {"__builtins__": {"dict": dict}}, variables)
    return variables


# --- The published networks -------------------------------------------------------------------------------------------

# fmt: off
# MODEL_NAME, WIDTH_FACTOR, DEPTH_FACTOR, frames, stride, crop; XS to L as in PySlowFast's configs/Kinetics/X3D_*.yaml, XL's factors in Table 3c.
IN_PYSLOWFAST = {
    "X3D-XS":  ("X3D", 2.0, 2.2, 4, 12, 160),
    "X3D-S":   ("X3D", 2.0, 2.2, 13, 6, 160),
    "X3D-M":   ("X3D", 2.0, 2.2, 16, 5, 224),
    "X3D-L":   ("X3D", 2.0, 5.0, 16, 5, 312),
    "X3D-XL":  ("PTVX3D", 2.9, 5.0, 16, 5, 312),
    "X3D-XXL": ("PTVX3D", 2.9, 10.2, 32, 3, 312),
}
# fmt: on


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.NAME)
@pytest.mark.parametrize("name", ["X2D", *PUBLISHED])
def test_a_published_network_is_built_exactly_or_refused(peer, name):
    config = CONFIGS[name]
    if peer is mmaction2 and name in ("X3D-XL", "X3D-XXL"):
        with pytest.raises(UsageError) as caught:
            peer.express(config)
        assert str(caught.value) == (
            f"{name} cannot be built by MMAction2: stage res3 has 72 channels, MMAction2 would make 64 of gamma_w 1.45"
            " over 24; stage res4 has 136 channels, MMAction2 would make 128 of gamma_w 1.45 over 24; stage res5 has"
            " 280 channels, MMAction2 would make 256 of gamma_w 1.45 over 24"
        )
    else:
        assert built(peer, peer.express(config), config.geometry) == config.geometry


@pytest.mark.parametrize("name", PUBLISHED)
def test_pyslowfast_gets_the_factors_that_it_has_published_itself(name):
    keys = yaml.safe_load(pyslowfast.express(CONFIGS[name]))
    network, data = keys["X3D"], keys["DATA"]
    found = (keys["MODEL"]["MODEL_NAME"], network["WIDTH_FACTOR"], network["DEPTH_FACTOR"])
    assert (*found, data["NUM_FRAMES"], data["SAMPLING_RATE"], data["TRAIN_CROP_SIZE"]) == IN_PYSLOWFAST[name]
    assert (network["BOTTLENECK_FACTOR"], network["DIM_C1"], network["DIM_C5"]) == (2.25, 12, 2048)


@pytest.mark.parametrize("ending", ["pyslowfast.yaml", "pytorchvideo.json", "mmaction2.txt"])
def test_the_whole_file_of_x3d_s_is_as_it_was_checked_by_hand(ending, tmp_path):
    form = ending.partition(".")[0]
    (written,) = export_configs([CONFIGS["X3D-S"]], tmp_path, form, {})
    assert written.config.read_text() == (DATA / f"x3d_s.{ending}").read_text()


def test_the_formats_are_the_same_wherever_they_stand():
    assert get_args(Format) == get_args(CommandsFormat) == tuple(ENDINGS)
    assert {"yaml", *get_args(Target)} >= set(get_args(Format))  # the command for the weights says --to


@pytest.mark.parametrize("name", PUBLISHED)
def test_xl_and_xxl_are_for_pyslowfasts_second_builder(name):
    second = name in ("X3D-XL", "X3D-XXL")
    assert pyslowfast.builder_of(CONFIGS[name]) == (pyslowfast.PYTORCHVIDEOS if second else pyslowfast.OWN)


def test_pyslowfasts_own_builder_would_not_make_xl_of_the_papers_factor():
    keys = pyslowfast.keys(CONFIGS["X3D-XL"], pyslowfast.OWN)
    keys["X3D"] |= {"WIDTH_FACTOR": 2.9, "DIM_C1": 12}
    assert pyslowfast.build(keys).widths == (35, 70, 139, 278)


def test_all_formats_of_one_network_share_a_folder(tmp_path):
    for form in ("yaml", "pyslowfast", "pytorchvideo", "mmaction2"):
        export_configs([CONFIGS["X3D-S"]], tmp_path, form, {})
    names = ["X3D-S.mmaction2.py", "X3D-S.pyslowfast.yaml", "X3D-S.pytorchvideo.json", "X3D-S.yaml"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names


def test_where_one_network_is_refused_nothing_is_written(tmp_path):
    out = tmp_path / "configs"
    with pytest.raises(UsageError) as caught:
        export_configs([CONFIGS[name] for name in PUBLISHED], out, "mmaction2", {})
    *refused, advice = str(caught.value).splitlines()
    assert [line.split()[0] for line in refused] == ["X3D-XL", "X3D-XXL"]
    assert (
        advice
        == "nothing was written; the others can be: --instance X3D-XS --instance X3D-S --instance X3D-M --instance X3D-L"
    )
    assert not out.exists()


def test_weights_in_our_layout_come_with_the_command_that_lays_them_out(tmp_path):
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(b"weights")
    configs = [CONFIGS["X3D-S"], CONFIGS["X3D-XL"]]
    found = {"X3D-S": weights, "X3D-XL": weights}
    small, large = export_configs(configs, tmp_path / "o", "pyslowfast", found)
    where = tmp_path / "o"
    assert (
        small.convert
        == f"expander convert {where}/X3D-S.yaml {where}/X3D-S.safetensors --to pyslowfast --out {where}/X3D-S.pyth"
    )
    assert (
        large.convert
        == f"expander convert {where}/X3D-XL.yaml {where}/X3D-XL.safetensors --to pyslowfast --out {where}/X3D-XL.pyth"
    )
    assert not list(where.glob("*.safetensors"))
    spaced = tmp_path / "my configs; $HOME"
    (one,) = export_configs(configs[:1], spaced, "mmaction2", found)
    files = [f"{spaced}/X3D-S.{ending}" for ending in ("yaml", "safetensors", "pth")]
    assert shlex.split(one.convert) == ["expander", "convert", *files[:2], "--to", "mmaction2", "--out", files[2]]
    (ours,) = export_configs(configs[:1], where, "yaml", found)
    assert (ours.weights, ours.convert) == (where / "X3D-S.safetensors", None)
    assert yaml.safe_load(ours.config.read_text())["weights"] == "X3D-S.safetensors"


# --- Any network ------------------------------------------------------------------------------------------------------

FIRST = CONFIGS["X3D-S"]


def config_of(geometry, factors=None):
    return replace(FIRST, geometry=geometry, factors=factors.as_dict() if factors else {})


@st.composite
def places(draw):
    """Factors on the grids of the paper's lattice."""
    frames = draw(st.integers(1, 40))
    return Factors(
        gamma_tau=None if frames == 1 else draw(st.integers(1, 20)),
        gamma_t=frames,
        gamma_s=draw(st.integers(4, 60)) * 8 / 112,
        gamma_w=round(draw(st.integers(20, 200)) * 0.05, 12),
        gamma_b=draw(st.integers(4, 40)) / 4,
        gamma_d=draw(st.integers(5, 150)) / draw(st.sampled_from((1, 2, 5, 3))),
    )


@settings(deadline=None, max_examples=150)
@given(factors=places(), told=st.booleans())
@example(factors=Factors(gamma_w=1.45, gamma_b=2.25, gamma_d=7 / 3), told=True)
def test_pyslowfast_and_pytorchvideo_build_every_place_of_the_papers_lattice(factors, told):
    geometry = realise(factors, Basis())
    config = config_of(geometry, factors if told else None)
    for peer in (pyslowfast, pytorchvideo):
        assert built(peer, peer.express(config), geometry) == geometry


def test_of_a_base_of_one_pyslowfast_makes_nine_and_pytorchvideo_eight():
    # round_width has a least width of 1 in slowfast/models/utils.py, of 8 in pytorchvideo/layers/utils.py.
    assert arithmetic.doubled(1, least=1) == (1, 9, 24, 48)
    assert arithmetic.doubled(1, least=8) == (1, 8, 16, 32)


@settings(deadline=None, max_examples=100)
@given(factors=places())
def test_mmaction2_builds_a_place_exactly_where_each_stage_doubles_the_width(factors):
    geometry = realise(factors, Basis())
    first = geometry.widths[0]
    if geometry.widths == (first, 2 * first, 4 * first, 8 * first):
        assert built(mmaction2, mmaction2.express(config_of(geometry, factors)), geometry) == geometry
    else:
        with pytest.raises(UsageError, match=r"stage res\d has \d+ channels, MMAction2 would make"):
            mmaction2.express(config_of(geometry, factors))


@settings(deadline=None, max_examples=150)
@given(data=st.data(), lattice=lattices(), parts=st.sets(st.sampled_from(MOBILE_PARTS)))
def test_any_network_is_built_exactly_or_refused(data, lattice, parts):
    basis = replace(lattice.basis, **dict.fromkeys(parts, False))
    if data.draw(st.booleans()):
        basis = replace(basis, head_width=2048, stem_kernel=5)
    factors = data.draw(frontiers(replace(lattice, basis=basis)))
    geometry = realise(factors, basis)
    for peer in PEERS:
        try:
            text = peer.express(config_of(geometry, factors))
        except UsageError:
            continue
        assert built(peer, text, geometry) == geometry


@settings(deadline=None, max_examples=300)
@given(base=st.integers(1, 400), number=st.integers(1, 4000), divisor=st.sampled_from((1, 8)))
@example(base=5, number=100, divisor=8)
@example(base=251, number=37, divisor=1)
def test_whatever_widths_a_base_and_a_factor_make_are_found_again(base, number, divisor):
    widths = arithmetic.scaled(base, divisor, number / 1000)
    assume(widths[0] <= 2000)
    again, factor = arithmetic.base_and_factor(widths, None, divisor)
    assert arithmetic.scaled(again, divisor, factor) == widths


@pytest.mark.parametrize(
    ("factors", "written"),
    [
        (Factors(gamma_w=1.45, gamma_b=2.25, gamma_d=2.2), (2.9, 2.2, 2.25)),  # as they are
        (Factors(gamma_d=7 / 3), (2.0, 2.3, 1.0)),  # 7 / 3 is no decimal: the shortest that makes the same blocks
        (Factors(gamma_d=8 / 3), (2.0, 2.61, 1.0)),  # 2.6 has 13 blocks in res4, and not 14
    ],
)
def test_factors_are_written_as_a_person_would(factors, written):
    keys = json.loads(pytorchvideo.express(config_of(realise(factors, Basis()), factors)))
    assert (keys["width_factor"], keys["depth_factor"], keys["bottleneck_factor"]) == written
    unknown = json.loads(pytorchvideo.express(config_of(realise(factors, Basis()))))
    digits = [len(str(unknown[key])) for key in ("width_factor", "depth_factor", "bottleneck_factor")]
    assert digits <= [len(str(value)) for value in written]


def test_the_peers_pool_what_the_network_leaves_of_any_crop():
    # Theirs pools ceil(crop / 32) pixels; each of five strided convolutions leaves half, rounded up.
    for crop in range(1, 1000):
        *_, left = accumulate(repeat(None, 5), lambda size, _: (size + 1) // 2, initial=crop)
        assert left == math.ceil(crop / 32)


# --- What is refused --------------------------------------------------------------------------------------------------


def changed(**values):
    """X3D-S with something else in its geometry."""
    return replace(FIRST, geometry=replace(FIRST.geometry, **values))


SMALL = replace(CONFIGS["X3D-XL"], geometry=replace(CONFIGS["X3D-XL"].geometry, crop=24))
# fmt: off
REFUSED = {
    "stages": (pyslowfast, changed(stages=FIRST.geometry.stages[:3]), "it has 3 stages, PySlowFast builds 4"),
    "more stages": (mmaction2, changed(stages=FIRST.geometry.stages * 2), "it has 8 stages, MMAction2 builds 1 to 4"),
    "no X3D": (pytorchvideo, CONFIGS["EfficientNet3D-B0"], "it is no X3D"),
    "blocks": (pytorchvideo, changed(stages=tuple(replace(stage, blocks=4) for stage in FIRST.geometry.stages)),
               "stage res3 has 4 blocks, PyTorchVideo would make 8 of depth_factor 4; stage res4"),
    "inner widths": (pytorchvideo, changed(stages=(replace(FIRST.geometry.stages[0], inner_width=60), *FIRST.geometry.stages[1:])),
                     "stage res3 has 108 inner channels, PyTorchVideo would make 120 of bottleneck_factor 2.5"),
    "squeeze widths": (pyslowfast, changed(stages=(*FIRST.geometry.stages[:3], replace(FIRST.geometry.stages[3], squeeze_width=40))),
                       "stage res5 has 40 channels in its squeeze-excitation, PySlowFast would make 32 of a ratio of 1/16"),
    "stem": (mmaction2, changed(stem_kernel=3), "its stem sees 3 frames, MMAction2's always 5"),
    "head": (mmaction2, changed(head_width=512), "its head has 512 channels, MMAction2's always 2048"),
    "dense": (pyslowfast, changed(channelwise=False),
              "it is without channelwise, and PySlowFast has that only without all of channelwise, swish, squeeze-excitation"),
    "dense block": (pytorchvideo, changed(channelwise=False), "it is without channelwise, for which create_x3d takes a function, and JSON has none"),
    "swish": (pytorchvideo, changed(swish=False), "it is without swish, for which create_x3d takes a function, and JSON has none"),
    "use_swish": (mmaction2, changed(swish=False), "it is without swish, which MMAction2 always builds"),
    "crop": (pytorchvideo, changed(crop=31), "its crop is 31 pixels, PyTorchVideo asks for 32 at least"),
    "crop in PySlowFast": (pyslowfast, SMALL, "its crop is 24 pixels, PTVX3D asks for 32 at least"),
}
# fmt: on


@pytest.mark.parametrize(("peer", "config", "message"), REFUSED.values(), ids=REFUSED)
def test_a_network_that_a_peer_cannot_build_is_refused_with_what_does_not_fit(peer, config, message):
    with pytest.raises(UsageError) as caught:
        peer.express(config)
    assert str(caught.value).startswith(f"{config.name} cannot be built by {peer.NAME}: {message}")


def test_mobile_parts_are_left_out_where_a_peer_can():
    plain = changed(**dict.fromkeys(MOBILE_PARTS, False))
    keys = yaml.safe_load(pyslowfast.express(plain))
    assert (keys["RESNET"]["TRANS_FUNC"], keys["X3D"]["CHANNELWISE_3x3x3"]) == ("bottleneck_transform", False)
    assert pyslowfast.build(keys) == plain.geometry
    without = changed(squeeze_excitation=False)
    assert json.loads(pytorchvideo.express(without))["se_ratio"] == 0
    assert executed(mmaction2.express(without))["model"]["backbone"]["se_ratio"] is None
    for peer in (pytorchvideo, mmaction2):
        assert built(peer, peer.express(without), without.geometry) == without.geometry


# --- PySlowFast's file ------------------------------------------------------------------------------------------------

# The keys that are written, with their defaults in slowfast/config/defaults.py.
DEFAULTS = {
    "TRAIN": {"DATASET": "kinetics", "BATCH_SIZE": 64},
    "X3D": {
        "WIDTH_FACTOR": 1.0,
        "DEPTH_FACTOR": 1.0,
        "BOTTLENECK_FACTOR": 1.0,
        "DIM_C5": 2048,
        "DIM_C1": 12,
        "CHANNELWISE_3x3x3": True,
    },
    "TEST": {"DATASET": "kinetics", "BATCH_SIZE": 8, "NUM_ENSEMBLE_VIEWS": 10, "NUM_SPATIAL_CROPS": 3},
    "DATA": {
        "NUM_FRAMES": 8,
        "SAMPLING_RATE": 8,
        "TRAIN_JITTER_SCALES": [256, 320],
        "TRAIN_CROP_SIZE": 224,
        "TEST_CROP_SIZE": 256,
        "INPUT_CHANNEL_NUM": [3, 3],
        "RANDOM_FLIP": True,
    },
    "RESNET": {"ZERO_INIT_FINAL_BN": False, "TRANS_FUNC": "bottleneck_transform", "STRIDE_1X1": False},
    "BN": {"USE_PRECISE_STATS": False, "NORM_TYPE": "batchnorm", "WEIGHT_DECAY": 0.0},
    "SOLVER": {
        "BASE_LR": 0.1,
        "BASE_LR_SCALE_NUM_SHARDS": False,
        "LR_POLICY": "cosine",
        "COSINE_AFTER_WARMUP": False,
        "COSINE_END_LR": 0.0,
        "MAX_EPOCH": 300,
        "WARMUP_EPOCHS": 0.0,
        "WARMUP_START_LR": 0.01,
        "OPTIMIZING_METHOD": "sgd",
        "MOMENTUM": 0.9,
        "NESTEROV": True,
        "WEIGHT_DECAY": 1e-4,
    },
    "MODEL": {
        "ARCH": "slowfast",
        "MODEL_NAME": "SlowFast",
        "NUM_CLASSES": 400,
        "LOSS_FUNC": "cross_entropy",
        "DROPOUT_RATE": 0.5,
        "DROPCONNECT_RATE": 0.0,
    },
    "NUM_GPUS": 1,
    "RNG_SEED": 1,
}
ODD = replace(
    CONFIGS["X2D"],
    recipe=Recipe(epochs=3, batch=7, batchnorm_group=4, dropout=0, momentum=0, weight_decay=0, warmup=0, flip=False),
    views=Views(1, "left-center-right"),
)


@pytest.mark.parametrize("config", [*(CONFIGS[name] for name in PUBLISHED), CONFIGS["X2D"], ODD], ids=lambda c: c.name)
def test_pyslowfasts_config_system_takes_the_file(config, tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(pyslowfast.express(config))
    loaded = CfgNode(DEFAULTS)
    loaded.merge_from_file(str(path))  # raises for unknown keys and for other types
    assert loaded == yaml.safe_load(path.read_text())  # it replaces each of the defaults
    for section, values in DEFAULTS.items():
        for key, default in values.items() if isinstance(values, dict) else ():
            assert type(loaded[section][key]) is type(default), f"{section}.{key}"


def test_pyslowfast_trains_by_our_recipe():
    keys = yaml.safe_load(pyslowfast.express(CONFIGS["X3D-L"]))
    recipe, solver = CONFIGS["X3D-L"].recipe, keys["SOLVER"]
    machines = recipe.batch // keys["TRAIN"]["BATCH_SIZE"]
    # Started with --num_shards 16, its assert_and_infer_cfg multiplies the rate.
    assert (machines, solver["BASE_LR"] * machines) == (16, pytest.approx(recipe.peak_rate))
    assert keys["TRAIN"]["BATCH_SIZE"] // keys["NUM_GPUS"] == recipe.batchnorm_group
    assert (solver["MAX_EPOCH"], solver["WARMUP_EPOCHS"]) == (256, pytest.approx(256 * 8 / 60))
    assert (solver["WEIGHT_DECAY"], keys["BN"]["WEIGHT_DECAY"], solver["NESTEROV"]) == (5e-5, 0, False)
    assert (keys["DATA"]["TRAIN_JITTER_SCALES"], keys["DATA"]["TEST_CROP_SIZE"]) == ([356, 446], 312)
    threefold = replace(CONFIGS["X3D-L"], views=Views(5, "left-center-right"))
    keys = yaml.safe_load(pyslowfast.express(threefold))
    assert (keys["TEST"]["NUM_ENSEMBLE_VIEWS"], keys["TEST"]["NUM_SPATIAL_CROPS"]) == (5, 3)
    assert keys["DATA"]["TEST_CROP_SIZE"] == 356


def rate_of_pyslowfast(solver, epoch):
    """Its lr_policy: cosine from the end of the warm-up, which begins at WARMUP_START_LR."""
    warmup, epochs = solver["WARMUP_EPOCHS"], solver["MAX_EPOCH"]
    if epoch < warmup:
        return solver["WARMUP_START_LR"] + (solver["BASE_LR"] - solver["WARMUP_START_LR"]) * epoch / warmup
    return solver["BASE_LR"] * (math.cos(math.pi * (epoch - warmup) / (epochs - warmup)) + 1) / 2


def test_pyslowfasts_rate_is_ours_at_every_epoch():
    from trainers.schedule import rate_at

    solver = yaml.safe_load(pyslowfast.express(CONFIGS["X3D-S"]))["SOLVER"]
    for epoch in range(129):
        ours = rate_at(epoch / 128, CONFIGS["X3D-S"].recipe)
        assert 16 * rate_of_pyslowfast(solver, epoch) == pytest.approx(ours, abs=1e-6)


# --- PyTorchVideo's -----------------------------------------------------------------------------------------------------


def tensors_of(create_x3d, keys):
    """Names and shapes of the network that `create_x3d` builds, after a clip of the true size went through it."""
    with torch.device("meta"):
        network = create_x3d(**keys)
        frames, crop = keys["input_clip_length"], keys["input_crop_size"]
        assert network.eval()(torch.empty(1, 3, frames, crop, crop)).shape == (1, keys["model_num_class"])
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


def expected_tensors(geometry):
    return {entry.theirs: entry.their_shape for entry in entries(geometry, Layout.PYTORCHVIDEO) if entry.theirs}


@pytest.mark.parametrize("name", ["X2D", *PUBLISHED])
def test_create_x3d_itself_builds_a_published_network(name, create_x3d):
    config = CONFIGS[name]
    keys = json.loads(pytorchvideo.express(config))
    assert tensors_of(create_x3d, keys) == expected_tensors(config.geometry)


@settings(deadline=None, max_examples=10)
@given(
    base=st.integers(1, 40),
    width=st.integers(10, 40),
    depth=st.integers(1, 8),
    bottleneck=st.integers(2, 16),
    squeeze=st.sampled_from((0.0, 1 / 16, 1 / 5)),
    kernel=st.sampled_from((1, 3, 5)),
    frames=st.integers(1, 4),
    crop=st.integers(32, 80),
)
@example(base=5, width=20, depth=5, bottleneck=9, squeeze=1 / 16, kernel=5, frames=1, crop=32)
@example(base=1, width=40, depth=5, bottleneck=9, squeeze=0.0, kernel=1, frames=1, crop=33)
def test_create_x3d_itself_builds_what_is_computed_of_its_arguments(
    base, width, depth, bottleneck, squeeze, kernel, frames, crop, create_x3d
):
    keys = pytorchvideo.keys(FIRST) | {
        "input_clip_length": frames,
        "input_crop_size": crop,
        "width_factor": width / 10,
        "depth_factor": depth / 10,
        "stem_dim_in": base,
        "stem_conv_kernel_size": [kernel, 3, 3],
        "bottleneck_factor": bottleneck / 4,
        "se_ratio": squeeze,
        "head_dim_out": 64,
    }
    geometry = pytorchvideo.build(keys, None if frames == 1 else 2)
    expected = expected_tensors(geometry)
    assert tensors_of(create_x3d, keys) == expected
    # What is written for that network, whatever base it is given there, builds it too.
    assert tensors_of(create_x3d, json.loads(pytorchvideo.express(config_of(geometry)))) == expected


def test_the_readmes_pytorchvideo_does_what_it_says(create_x3d, tmp_path, monkeypatch):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.S)
    (block,) = [block for block in blocks if "create_x3d" in block]
    (shape,) = re.findall(r"^logits = .*# (.*)$", block, flags=re.M)
    export_configs([CONFIGS["X3D-S"]], tmp_path / "configs", "pytorchvideo", {})
    monkeypatch.chdir(tmp_path)
    variables = {}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        exec(compile(block, "README.md", "exec"), variables)
    logits = variables["logits"]
    assert tuple(logits.shape) == ast.literal_eval(shape)
    assert logits.min() < 0 < logits.max()  # no softmax


# --- MMAction2's ----------------------------------------------------------------------------------------------------------


def types(pipeline):
    return [step["type"] for step in pipeline]


def test_mmaction2_trains_by_our_recipe():
    config = executed(mmaction2.express(CONFIGS["X3D-M"]))
    assert config["model"]["backbone"] == {
        "type": "X3D",
        "gamma_w": 1.0,
        "gamma_b": 2.25,
        "gamma_d": 2.2,
        "se_ratio": 1 / 16,
    }
    assert (config["model"]["cls_head"]["in_channels"], config["model"]["cls_head"]["num_classes"]) == (432, 400)
    train = config["train_dataloader"]
    assert train["dataset"]["pipeline"] == [
        {"type": "DecordInit"},
        {"type": "SampleFrames", "clip_len": 16, "frame_interval": 5, "num_clips": 1},
        {"type": "DecordDecode"},
        {"type": "RandomRescale", "scale_range": (256, 320)},
        {"type": "RandomCrop", "size": 224},
        {"type": "Flip", "flip_ratio": 0.5},
        {"type": "FormatShape", "input_format": "NCTHW"},
        {"type": "PackActionInputs"},
    ]
    wrapper = config["optim_wrapper"]
    assert wrapper["optimizer"] == {"type": "SGD", "lr": 1.6, "momentum": 0.9, "weight_decay": 5e-5, "nesterov": False}
    assert wrapper["paramwise_cfg"] == {"norm_decay_mult": 0.0}
    assert (train["batch_size"], wrapper["accumulative_counts"]) == (8, 16)  # on 8 GPUs: 1024 clips
    up, down = config["param_scheduler"]
    assert (up["begin"], up["end"], down["end"]) == (0, pytest.approx(256 * 8 / 60), 256)
    assert down["begin"] == up["end"]
    assert down["T_max"] == pytest.approx(down["end"] - down["begin"])
    assert config["train_cfg"]["max_epochs"] == 256


def test_mmaction2_tests_from_our_views():
    def test_steps(views):
        config = executed(mmaction2.express(replace(CONFIGS["X3D-L"], views=views)))
        _, sample, _, resize, crop, *_ = config["test_dataloader"]["dataset"]["pipeline"]
        return sample["num_clips"], resize["scale"], crop["type"], crop["crop_size"]

    assert test_steps(Views(10, "center")) == (10, (-1, 356), "CenterCrop", 312)
    assert test_steps(Views(3, "left-center-right")) == (3, (-1, 356), "ThreeCrop", 356)


def test_what_a_recipe_leaves_out_is_left_out():
    recipe = replace(ODD.recipe, scale_jitter=(1.0, 1.0))
    config = executed(mmaction2.express(replace(ODD, recipe=recipe)))
    pipeline = config["train_dataloader"]["dataset"]["pipeline"]
    assert "Flip" not in types(pipeline)
    assert {"type": "Resize", "scale": (-1, 112)} in pipeline  # RandomRescale wants more than one side
    assert types(config["param_scheduler"]) == ["CosineAnnealingLR"]
    assert pipeline[1] == {"type": "SampleFrames", "clip_len": 1, "frame_interval": 1, "num_clips": 1}


@settings(deadline=None)
@given(widths=st.integers(1, 4))
def test_mmaction2_builds_fewer_stages(widths):
    config = changed(stages=FIRST.geometry.stages[:widths])
    assert built(mmaction2, mmaction2.express(config), config.geometry) == config.geometry


# --- What all say -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("batch", "group", "shared"),
    [
        (1024, 8, (8, 8, 16)),
        (2048, 16, (16, 8, 16)),
        (8, 8, (8, 1, 1)),
        (4, 8, (4, 1, 1)),  # fewer clips than a group
        (24, 8, (8, 3, 1)),
        (72, 8, (8, 3, 3)),
        (7, 4, (7, 1, 1)),  # no group of 4, and of 1 BN has no statistics
        (20, 8, (10, 2, 1)),
    ],
)
def test_a_batch_is_spread_over_gpus_with_a_bn_group_each(batch, group, shared):
    found = training.share(Recipe(batch=batch, batchnorm_group=group))
    assert (found.group, found.gpus, found.machines) == shared
    assert found.group * found.gpus * found.machines == batch


@pytest.mark.parametrize("peer", [pyslowfast, mmaction2], ids=lambda peer: peer.NAME)
def test_a_file_says_what_it_is_and_what_it_cannot_say(peer):
    recipe = Recipe(batch=20, batchnorm_group=8, drop_connect=0.2, scale_jitter=(1.0, 2.0))
    provenance = {"search": "first", "step": 7, "trial": "0123456789abcdef"}
    text = peer.express(replace(FIRST, recipe=recipe, provenance=provenance))
    comments = " ".join(line.lstrip("# ") for line in text.splitlines() if line.startswith("#"))
    for part in (
        f"X3D-S for {peer.NAME}, written by x3d-expander; search first, step 7, trial 0123456789abcdef",
        "1,962,892,112 multiply-adds",
        "3,762,858 parameters without BN's, as the paper counts them, 3,794,322 with",
        "drop-connect",
        "BN statistics within 8 clips: 20 is no multiple; they are within 10",
        "centre crops of a shorter side of 182" if peer is pyslowfast else "a warm-up from 0",
    ):
        assert part in comments
    published = peer.express(FIRST)
    assert "the published network (Fig. 2 and Sec. 4.1), step 7" in published
    assert not any(part in published for part in ("drop-connect", "BN statistics within", "shorter side"))


def test_a_config_of_no_search_is_expressed_too():
    config = InstanceConfig("mine", FIRST.geometry, {}, Recipe(), Views(), 0, None, (), {})
    for peer in PEERS:
        assert built(peer, peer.express(config), FIRST.geometry) == FIRST.geometry


# --- PySlowFast's configs, read ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PUBLISHED)
def test_what_is_written_for_pyslowfast_is_read_as_the_same_network(name, tmp_path):
    path = tmp_path / f"{name}.pyslowfast.yaml"
    path.write_text(pyslowfast.express(CONFIGS[name]))
    read = load_config(path, ["recipe.epochs=3"])
    assert (read.name, read.geometry, read.views) == (name, CONFIGS[name].geometry, CONFIGS[name].views)
    assert (read.recipe, dict(read.provenance)) == (Recipe(epochs=3), {"pyslowfast": path.name})


def test_pyslowfasts_own_yaml_of_x3d_m_is_x3d_m(tmp_path, capsys):
    path = tmp_path / "X3D_M.yaml"
    path.write_text(
        "X3D: {WIDTH_FACTOR: 2.0, DEPTH_FACTOR: 2.2, BOTTLENECK_FACTOR: 2.25, DIM_C5: 2048, DIM_C1: 12}\n"
        "TEST: {ENABLE: True, NUM_SPATIAL_CROPS: 3}\nDATA: {NUM_FRAMES: 16, SAMPLING_RATE: 5, TRAIN_CROP_SIZE: 224}\n"
        "RESNET: {TRANS_FUNC: x3d_transform}\nMODEL: {ARCH: x3d, MODEL_NAME: X3D}\nOUTPUT_DIR: .\n"
    )
    read = load_config(path)
    assert (read.geometry, read.views) == (CONFIGS["X3D-M"].geometry, Views(10, "left-center-right"))
    assert "X3D_M.yaml: PySlowFast's defaults stand for MODEL.NUM_CLASSES 400" in " ".join(
        capsys.readouterr().err.split()
    )


# fmt: off
NOT_READ = {
    "builder": ({"MODEL.MODEL_NAME": "SlowFast"}, "MODEL.MODEL_NAME is SlowFast, only X3D and PTVX3D are known here"),
    "kernels": ({"MODEL.ARCH": "slow"}, "MODEL.ARCH is 'slow', only 'x3d' is built here"),
    "a wider res2": ({"X3D.SCALE_RES2": True}, "X3D.SCALE_RES2 is True, only False is built here"),
    "a norm in the head": ({"X3D.BN_LIN5": True}, "X3D.BN_LIN5 is True, only False is built here"),
    "dense": ({"X3D.CHANNELWISE_3x3x3": False}, "X3D.CHANNELWISE_3x3x3 False with x3d_transform is not built here"),
    "basic block": ({"X3D.CHANNELWISE_3x3x3": False, "RESNET.TRANS_FUNC": "basic_transform"},
                    "X3D.CHANNELWISE_3x3x3 False with basic_transform is not built here"),
    "block of PTVX3D": ({"MODEL.MODEL_NAME": "PTVX3D", "RESNET.TRANS_FUNC": "bottleneck_transform"},
                        "RESNET.TRANS_FUNC is bottleneck_transform, PTVX3D builds only x3d_transform"),
    "stride": ({"RESNET.STRIDE_1X1": True}, "RESNET.STRIDE_1X1 is True, only False is built here"),
    "groups": ({"RESNET.NUM_GROUPS": 2}, "RESNET.NUM_GROUPS is 2, only 1 is built here"),
    "dilation": ({"RESNET.SPATIAL_DILATIONS": [[1], [1], [1], [2]]},
                 "RESNET.SPATIAL_DILATIONS is [[1], [1], [1], [2]], only [[1], [1], [1], [1]] is built here"),
    "non-local": ({"NONLOCAL.LOCATION": [[[0]], [[]], [[]], [[]]]},
                  "NONLOCAL.LOCATION is [[[0]], [[]], [[]], [[]]], only [[[]], [[]], [[]], [[]]] is built here"),
    "grey": ({"DATA.INPUT_CHANNEL_NUM": [1]}, "DATA.INPUT_CHANNEL_NUM is [1], only [3] is built here"),
    "two pathways": ({"DATA.INPUT_CHANNEL_NUM": [3, 3]}, "DATA.INPUT_CHANNEL_NUM is [3, 3], only [3] is built here"),
    "no list": ({"DATA.INPUT_CHANNEL_NUM": 3}, "DATA.INPUT_CHANNEL_NUM is 3, expected a list"),
    "unknown": ({"X3D.WIDHT_FACTOR": 2.0},
                "X3D.WIDHT_FACTOR is unknown; known are WIDTH_FACTOR, DEPTH_FACTOR, BOTTLENECK_FACTOR, DIM_C1, DIM_C5, SCALE_RES2, BN_LIN5, CHANNELWISE_3x3x3"),
    "fraction": ({"X3D.DIM_C1": 12.5}, "X3D.DIM_C1 is 12.5, expected a whole number over 0 and under 100,000"),
    "infinite": ({"X3D.DEPTH_FACTOR": math.inf}, "X3D.DEPTH_FACTOR is inf, expected a number over 0 and under 100,000"),
    "true": ({"X3D.WIDTH_FACTOR": True}, "X3D.WIDTH_FACTOR is True, expected a number over 0 and under 100,000"),
    "true for whole": ({"DATA.NUM_FRAMES": True}, "DATA.NUM_FRAMES is True, expected a whole number over 0 and under 100,000"),
    "a list": ({"TEST.NUM_SPATIAL_CROPS": [3]}, "TEST.NUM_SPATIAL_CROPS is [3], expected a whole number over 0 and under 100,000"),
    "crops": ({"TEST.NUM_SPATIAL_CROPS": 2}, "TEST.NUM_SPATIAL_CROPS is 2, the paper's views have 1 or 3"),
    "two": ({"X3D.DIM_C9": 1, "DATA.TRAIN_CROP_SIZE": "a"},
            "X3D.DIM_C9 is unknown; known are WIDTH_FACTOR, DEPTH_FACTOR, BOTTLENECK_FACTOR, DIM_C1, DIM_C5, SCALE_RES2, BN_LIN5, CHANNELWISE_3x3x3; "
            "DATA.TRAIN_CROP_SIZE is 'a', expected a whole number over 0 and under 100,000"),
}
# fmt: on


@pytest.mark.parametrize(("changes", "message"), NOT_READ.values(), ids=NOT_READ)
def test_a_config_of_pyslowfast_that_is_none_of_ours_is_refused(changes, message, tmp_path):
    keys, path = yaml.safe_load(pyslowfast.express(FIRST)), tmp_path / "theirs.yaml"
    for key, value in changes.items():
        section, name = key.split(".")
        keys.setdefault(section, {})[name] = value
    path.write_text(yaml.safe_dump(keys))
    with pytest.raises(UsageError) as caught:
        load_config(path)
    assert str(caught.value) == f"{path} is a config of PySlowFast that cannot be read: {message}"


def test_a_section_that_is_none_is_refused_in_words(tmp_path):
    path = tmp_path / "theirs.yaml"
    path.write_text("MODEL: {MODEL_NAME: X3D}\nX3D: [1]\n")
    with pytest.raises(UsageError) as caught:
        load_config(path)
    assert str(caught.value) == f"{path}: X3D: found [1]; expected a section of PySlowFast's config"


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("X3D_M.yaml", "X3D_M"),
        ("my net (2).yaml", "my-net-2-"),
        ("été.yaml", "t-"),
        ("_mine.pyslowfast.yaml", "mine"),
        (".yaml", "PySlowFast"),
    ],
)
def test_a_config_of_pyslowfast_is_named_after_its_file_by_what_a_name_may_have(file, name, tmp_path):
    path = tmp_path / file
    path.write_text(pyslowfast.express(FIRST))
    read = load_config(path)
    assert (read.name, read.provenance["pyslowfast"]) == (name, file)
