"""Weights in and out: PyTorchVideo's own network beside ours, the other tools' names and shapes, and the command."""

from __future__ import annotations

import json
import math
import os
import pickle
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import safetensors.torch
import torch
import yaml
from conftest import Expander
from peer_keys import shapes
from torch import Tensor, nn

from expander.axis import Factors
from expander.cli.convert import convert as command
from expander.cli.files import load_config
from expander.cli.networks import shipped_configs
from expander.errors import FileError, UsageError
from expander.geometry import Basis, Geometry, realise
from trainers.checkpoint import load_weights, save_weights
from trainers.networks.x3d import X3D
from trainers.weights.convert import convert, detect
from trainers.weights.files import read_tensors, write_tensors
from trainers.weights.layouts import Layout, entries, kept_shortcuts

DATA = Path(__file__).parent / "data"
PEERS = [layout for layout in Layout if layout is not Layout.EXPANDER]
# Every tool can build it, and each block there is, is in it: with SE and without, with a shortcut and without.
TINY = realise(Factors(4, 2, 2 / 7, 1 / 3, 1.5, 0.4), Basis(classes=5))
# What create_x3d needs to be told of the networks; the rest is its default.
CREATE_X3D: dict[str, dict[str, float]] = {
    "X3D-XS": {},
    "X3D-S": {},
    "X3D-M": {},
    "X3D-XL": {"width_factor": 2.9, "depth_factor": 5.0},
}

CreateX3D = Callable[..., nn.Module]


@pytest.fixture(autouse=True)
def settled() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def create_x3d(create_x3d: CreateX3D) -> CreateX3D:
    """PyTorchVideo's, for logits: its softmax and dropout left out. Its age: its swish reads `saved_variables`."""
    return lambda geometry, **arguments: create_x3d(
        input_clip_length=geometry.frames,
        input_crop_size=geometry.crop,
        model_num_class=geometry.classes,
        dropout_rate=0.0,
        head_activation=None,
        **arguments,
    )


def norms(model: nn.Module) -> list[tuple[str, nn.BatchNorm3d]]:
    return [(name, module) for name, module in model.named_modules() if isinstance(module, nn.BatchNorm3d)]


def random_x3d(geometry: Geometry) -> X3D:
    """Random weights as a training starts from, BN's random too, with logits of order 1.

    BN's gains are around 1 but small in a block's last, where a training starts from 0: with all around 1, ReLUs
    amplify rounding until any two orders of summation differ by 1e-4. Its statistics are those of random clips, shaken.
    """
    model = X3D(geometry)
    for name, norm in norms(model):
        nn.init.uniform_(norm.weight, *((0.1, 0.3) if name.endswith("project_norm") else (0.5, 1.5)))
        nn.init.normal_(norm.bias, std=0.1)
        norm.momentum = 1.0
    with torch.no_grad():
        model.train()(random_clips(8, 4, 96))
    for _, norm in norms(model):
        norm.momentum = 0.1
        norm.running_mean += norm.running_var.sqrt() * torch.randn(norm.num_features) * 0.1
        norm.running_var *= torch.empty(norm.num_features).uniform_(0.8, 1.25)
        norm.num_batches_tracked += int(torch.randint(1000, ()))
    nn.init.normal_(model.head.classifier.weight, std=0.03)
    nn.init.normal_(model.head.classifier.bias, std=0.1)
    return model


def random_clips(batch: int, frames: int, crop: int) -> Tensor:
    """Noise around a colour that differs from clip to clip."""
    return torch.randn(batch, 3, 1, 1, 1) + torch.randn(batch, 3, frames, crop, crop)


def into(model: nn.Module, geometry: Geometry, source: Layout, target: Layout, built: nn.Module) -> nn.Module:
    """`built` with the weights of `model`."""
    built.load_state_dict(convert(model.state_dict(), geometry, source, target, "weights").tensors, strict=True)
    return built


def without_norm(model: X3D) -> X3D:
    """Our network without the one BN that PyTorchVideo has not."""
    model.stages.res2[0].shortcut.norm = nn.Identity()  # type: ignore[index,union-attr]
    return model


def same(some: dict[str, Tensor], others: dict[str, Tensor]) -> bool:
    """Whether two state dicts have the same names, types and bits."""
    return some.keys() == others.keys() and all(
        tensor.dtype == others[name].dtype and torch.equal(tensor, others[name]) for name, tensor in some.items()
    )


@pytest.mark.parametrize("name", ["X3D-XS", "X3D-S", "X3D-M", pytest.param("X3D-XL", marks=pytest.mark.slow)])
def test_in_evaluation_the_logits_are_pytorchvideos_at_the_true_clip(name: str, create_x3d: CreateX3D) -> None:
    geometry = shipped_configs()[name].geometry
    ours = random_x3d(geometry).eval()
    # Out: the BN that it has not is folded. In: it becomes an identity.
    theirs = into(ours, geometry, Layout.EXPANDER, Layout.PYTORCHVIDEO, create_x3d(geometry, **CREATE_X3D[name])).eval()
    back = into(theirs, geometry, Layout.PYTORCHVIDEO, Layout.EXPANDER, X3D(geometry)).eval()
    clips = random_clips(1, geometry.frames, geometry.crop)
    with torch.no_grad():
        wanted = theirs(clips)
        assert 0.5 < wanted.abs().max() < 10
        for model in (ours, back):
            torch.testing.assert_close(model(clips), wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("name", "crop"), [("X3D-XS", 160), ("X3D-S", 160), ("X3D-M", 112), ("X3D-XL", 64)])
def test_in_training_the_logits_are_pytorchvideos_without_the_bn_that_it_has_not(
    name: str, crop: int, create_x3d: CreateX3D
) -> None:
    geometry = replace(shipped_configs()[name].geometry, crop=crop)
    theirs = create_x3d(geometry, **CREATE_X3D[name])
    into(random_x3d(geometry), geometry, Layout.EXPANDER, Layout.PYTORCHVIDEO, theirs)
    ours = without_norm(into(theirs, geometry, Layout.PYTORCHVIDEO, Layout.EXPANDER, X3D(geometry)))  # type: ignore[arg-type]
    clips = random_clips(2, geometry.frames, crop)
    with torch.no_grad():
        wanted = theirs.train()(clips)
        assert 0.5 < wanted.abs().max() < 10
        torch.testing.assert_close(ours.train()(clips), wanted, rtol=0, atol=1e-5)
    for layer, theirs_of_it in ((ours.stem.norm, "blocks.0.norm"), (ours.head.norm, "blocks.5.pool.pre_norm")):
        torch.testing.assert_close(layer.running_var, theirs.get_submodule(theirs_of_it).running_var)


@pytest.mark.filterwarnings("ignore:.*saved_variables.*:DeprecationWarning")
@pytest.mark.parametrize(
    ("name", "crop", "training"),
    [("X3D-XS", 64, True), ("X3D-XS", 32, False), ("X3D-S", 32, True), ("X3D-M", 32, True), ("X3D-XL", 32, True)],
)
def test_every_gradient_is_pytorchvideos(name: str, crop: int, training: bool, create_x3d: CreateX3D) -> None:
    """In float64, and on small pictures: in float32 rounding turns ReLUs on and off, and the gradients of any two
    orders of summation differ by about 1e-3."""
    full = shipped_configs()[name].geometry
    geometry = replace(full, crop=crop, frames=min(full.frames, 4) if name == "X3D-XL" else full.frames)
    theirs = create_x3d(geometry, **CREATE_X3D[name])
    into(random_x3d(geometry), geometry, Layout.EXPANDER, Layout.PYTORCHVIDEO, theirs)
    ours = without_norm(into(theirs, geometry, Layout.PYTORCHVIDEO, Layout.EXPANDER, X3D(geometry)))  # type: ignore[arg-type]
    clips, weights = random_clips(2, geometry.frames, crop).double(), torch.randn(2, geometry.classes).double()
    for model in (ours, theirs):
        (model.double().train(training)(clips) * weights).sum().backward()
    found, wanted = (dict(model.named_parameters()) for model in (ours, theirs))
    pairs = [e for e in entries(geometry, Layout.PYTORCHVIDEO) if e.ours in found]
    assert {entry.theirs for entry in pairs} == set(wanted)
    for entry in pairs:
        gradient, expected = found[entry.ours].grad.reshape(entry.their_shape), wanted[str(entry.theirs)].grad
        assert expected.abs().max() > 0, entry
        torch.testing.assert_close(gradient, expected, rtol=0, atol=1e-10 * expected.abs().max().item())


@pytest.mark.parametrize("folded", [False, True])
def test_the_bn_that_pytorchvideo_has_not_is_an_exact_identity(folded: bool) -> None:
    theirs = convert(random_x3d(TINY).state_dict(), TINY, Layout.EXPANDER, Layout.PYTORCHVIDEO, "weights").tensors
    ours = X3D(TINY).eval()
    ours.load_state_dict(convert(theirs, TINY, Layout.PYTORCHVIDEO, Layout.EXPANDER, "weights").tensors)
    shortcut = ours.stages.res2[0].shortcut
    if folded:
        conv = nn.utils.fuse_conv_bn_eval(shortcut.conv, shortcut.norm)
        assert torch.equal(conv.weight, shortcut.conv.weight)
        assert not conv.bias.any()
    x = torch.cat([torch.randn(10_000), torch.randn(10_000) * 1e30, torch.randn(10_000) * 1e-30, torch.zeros(8)])
    x = x.reshape(-1, 8, 1, 1, 1)
    for clips in (x, x.contiguous(memory_format=torch.channels_last_3d), x[:1]):
        assert torch.equal(shortcut.norm(clips), clips)


def test_what_comes_from_pytorchvideo_goes_back_as_it_was(create_x3d: CreateX3D) -> None:
    theirs = create_x3d(geometry := shipped_configs()["X3D-XS"].geometry)
    into(random_x3d(geometry), geometry, Layout.EXPANDER, Layout.PYTORCHVIDEO, theirs)
    ours = convert(theirs.state_dict(), geometry, Layout.PYTORCHVIDEO, Layout.EXPANDER, "weights")
    back = convert(ours.tensors, geometry, Layout.EXPANDER, Layout.PYTORCHVIDEO, "weights")
    assert same(back.tensors, dict(theirs.state_dict()))
    assert "exact identity" in ours.notes[0]
    assert "folded" in back.notes[0]
    assert all("shortcut of res2.0" in note for note in (*ours.notes, *back.notes))


def test_every_shortcut_that_keeps_its_width_is_folded(create_x3d: CreateX3D) -> None:
    """create_x3d has no key for stages of one width, so the logits are compared after a round trip."""
    geometry = replace(TINY, stages=tuple(replace(TINY.stages[0], blocks=stage.blocks) for stage in TINY.stages))
    assert kept_shortcuts(geometry) == tuple(f"stages.res{stage}.0" for stage in (2, 3, 4, 5))
    ours, clips = random_x3d(geometry).eval(), random_clips(2, 4, 64)
    theirs = convert(ours.state_dict(), geometry, Layout.EXPANDER, Layout.PYTORCHVIDEO, "weights").tensors
    assert not any("branch1_norm" in name for name in theirs)
    back = X3D(geometry).eval()
    back.load_state_dict(convert(theirs, geometry, Layout.PYTORCHVIDEO, Layout.EXPANDER, "weights").tensors)
    torch.testing.assert_close(back(clips), ours(clips), rtol=0, atol=1e-5)


ODD = realise(Factors(13, 6, 160 / 112, 4 / 3, 1.5, 1.1), Basis(classes=7))


@pytest.mark.parametrize(
    ("fixture", "geometry"),
    [
        ("pyslowfast_x3d_s", shipped_configs()["X3D-S"].geometry),
        ("pyslowfast_odd", replace(ODD, head_width=512)),
        ("mmaction2_x3d_s", shipped_configs()["X3D-S"].geometry),
        ("mmaction2_odd", ODD),
    ],
)
def test_names_and_shapes_are_those_of_the_tools_own_networks(fixture: str, geometry: Geometry) -> None:
    layout = Layout(fixture.split("_")[0])
    found = {entry.theirs: entry.their_shape for entry in entries(geometry, layout)}
    assert found == shapes(DATA / f"{fixture}.txt")


@pytest.mark.parametrize("geometry", [TINY, ODD, replace(TINY, squeeze_excitation=False)])
@pytest.mark.parametrize("layout", [Layout.PYSLOWFAST, Layout.MMACTION2])
def test_there_and_back_no_bit_changes(layout: Layout, geometry: Geometry) -> None:
    ours = dict(random_x3d(geometry).state_dict())
    theirs = convert(ours, geometry, Layout.EXPANDER, layout, "weights")
    assert theirs.notes == ()
    assert detect(theirs.tensors, "weights") is layout
    assert same(convert(theirs.tensors, geometry, layout, Layout.EXPANDER, "weights").tensors, ours)


def test_pyslowfasts_ptvx3d_keeps_pytorchvideos_names_under_model() -> None:
    ours = random_x3d(TINY).state_dict()
    under, bare = (
        convert(ours, TINY, Layout.EXPANDER, layout, "weights") for layout in (Layout.PTVX3D, Layout.PYTORCHVIDEO)
    )
    assert same(under.tensors, {f"model.{name}": tensor for name, tensor in bare.tensors.items()})
    assert "MODEL_NAME PTVX3D" in under.notes[0]
    assert (detect(under.tensors, "weights"), Layout.PTVX3D.tool) == (Layout.PTVX3D, "pyslowfast")


def test_what_is_converted_has_memory_of_its_own() -> None:
    ours = random_x3d(TINY).state_dict()
    theirs = convert(ours, TINY, Layout.EXPANDER, Layout.PYSLOWFAST, "weights").tensors
    assert {tensor.data_ptr() for tensor in theirs.values()}.isdisjoint(tensor.data_ptr() for tensor in ours.values())


def test_counters_of_batches_may_be_missing_and_half_precision_becomes_float32() -> None:
    ours = random_x3d(TINY).half().state_dict()
    without = {name: tensor for name, tensor in ours.items() if not name.endswith("num_batches_tracked")}
    theirs = convert(without, TINY, Layout.EXPANDER, Layout.MMACTION2, "weights").tensors
    assert len(theirs) == len(ours)
    assert theirs["cls_head.fc2.weight"].dtype == torch.float32
    assert torch.equal(theirs["cls_head.fc2.weight"].half(), ours["head.classifier.weight"])
    assert theirs["backbone.conv5.bn.num_batches_tracked"] == torch.tensor(0)


def test_everything_that_does_not_fit_is_said_at_once() -> None:
    theirs = convert(X3D(TINY).state_dict(), TINY, Layout.EXPANDER, Layout.PYSLOWFAST, "weights").tensors
    del theirs["head.conv_5_bn.weight"], theirs["s1.pathway0_stem.conv.weight"]
    theirs |= {"head.extra": torch.zeros(1), "head.lin_5.weight": torch.zeros(2048, 96)}
    theirs["s2.pathway0_res0.branch2.a.weight"] = theirs["s2.pathway0_res0.branch2.a.weight"].to(torch.int8)
    with pytest.raises(UsageError) as error:
        convert(theirs, TINY, Layout.PYSLOWFAST, Layout.EXPANDER, "weights x.pyth")
    assert str(error.value).splitlines() == [
        "weights x.pyth: not of the config's geometry",
        "  2 missing:",
        "    s1.pathway0_stem.conv.weight",
        "    head.conv_5_bn.weight",
        "  1 unexpected:",
        "    head.extra",
        "  1 of another shape:",
        "    head.lin_5.weight is [2048, 96], not [2048, 96, 1, 1, 1]",
        "  1 of another type:",
        "    s2.pathway0_res0.branch2.a.weight is torch.int8",
        "  Give the config of the network that these weights are of.",
    ]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("head.classifier.weight", math.nan, "1 not finite as float32:"),
        ("stem.norm.bias", -math.inf, "1 not finite as float32:"),
        ("stem.spatial.weight", 1e300, "1 not finite as float32:"),  # a number in float64 alone
        ("stages.res2.0.shortcut.norm.running_var", -0.5, "1 with a negative variance:"),
        ("head.norm.running_var", -1e-6, "1 with a negative variance:"),
    ],
)
@pytest.mark.parametrize("target", Layout)
def test_values_that_no_network_computes_with_are_refused(name: str, value: float, said: str, target: Layout) -> None:
    ours = dict(X3D(TINY).double().state_dict())
    ours[name].view(-1)[1] = value
    with pytest.raises(UsageError) as error:
        convert(ours, TINY, Layout.EXPANDER, target, "weights w")
    assert str(error.value).splitlines() == [
        "weights w: values that no network computes with",
        f"  {said}",
        f"    {name}",
        "  Give weights from before the training diverged.",
    ]


def test_weights_that_folding_makes_infinite_are_refused() -> None:
    ours = dict(X3D(TINY).state_dict())
    ours["stages.res2.0.shortcut.norm.weight"][1] = 1e38
    ours["stages.res2.0.shortcut.norm.running_var"][1] = 0.0
    for target in (Layout.PYSLOWFAST, Layout.MMACTION2):
        convert(ours, TINY, Layout.EXPANDER, target, "weights w")
    for target, name in ((Layout.PYTORCHVIDEO, "blocks.1"), (Layout.PTVX3D, "model.blocks.1")):
        with pytest.raises(UsageError) as error:
            convert(ours, TINY, Layout.EXPANDER, target, "weights w")
        assert str(error.value).splitlines() == [
            f"weights w: BN cannot be folded as {target} needs it",
            "  1 not finite then:",
            f"    {name}.res_blocks.0.branch1_conv.weight",
        ]


def test_another_number_of_classes_is_said_with_what_to_set() -> None:
    theirs = convert(X3D(TINY).state_dict(), TINY, Layout.EXPANDER, Layout.PYTORCHVIDEO, "weights").tensors
    with pytest.raises(UsageError, match=r"They are for 5 classes: set geometry\.classes to that in the config"):
        convert(theirs, replace(TINY, classes=9), Layout.PYTORCHVIDEO, Layout.EXPANDER, "weights")


def test_a_long_list_of_what_does_not_fit_is_cut_and_counted() -> None:
    with pytest.raises(UsageError, match=r"\d{3} missing:\n(    \S+\n){10}    and \d{3} more\n"):
        convert({"stem.spatial.weight": torch.zeros(1)}, ODD, Layout.EXPANDER, Layout.MMACTION2, "weights")


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["fc.weight"], "none of expander, pyslowfast"),
        (["stem.norm.weight", "backbone.conv5.bn.weight"], "expander and mmaction2"),
    ],
)
def test_names_of_no_layout_or_of_several_are_refused(names: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=f"weights w: its names are those of {said}"):
        detect({name: torch.zeros(1) for name in names}, "weights w")


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda state: state,
        lambda state: {"model_state": state},
        lambda state: {"epoch": 3, "model_state": state, "optimizer_state": {"lr": 0.1}, "cfg": "A: 1"},
        lambda state: {"meta": {"time": "now"}, "state_dict": state},
        lambda state: {"state_dict": {f"module.{name}": tensor for name, tensor in state.items()}},
        lambda state: {"model_state": {}, "state_dict": state},
        lambda state: {"state_dict": {}, "model_state": state},
        lambda state: {"module.a.weight": state["a.weight"], "b.bias": state["b.bias"]},
    ],
)
@pytest.mark.parametrize("zipped", [True, False])
def test_wrappers_and_data_parallels_prefix_are_taken_off(
    wrapped: Callable[..., Any], zipped: bool, tmp_path: Path
) -> None:
    state = {"a.weight": torch.randn(2), "b.bias": nn.Parameter(torch.randn(3))}
    torch.save(wrapped(state), tmp_path / "w", _use_new_zipfile_serialization=zipped)
    found = read_tensors(tmp_path / "w")
    assert found.keys() == state.keys()
    assert all(torch.equal(tensor, state[name]) for name, tensor in found.items())


class Payload:
    """An object that makes a folder as it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_file_is_refused_and_not_run(zipped: bool, tmp_path: Path) -> None:
    path, folder = tmp_path / "evil.pyth", tmp_path / "ran"
    values = {"model_state": {"stem.spatial.weight": torch.zeros(1)}, "optimizer_state": Payload(folder)}
    torch.save(values, path, pickle_module=pickle, _use_new_zipfile_serialization=zipped)
    with pytest.raises(UsageError, match=r"evil\.pyth: holds more than tensors: .*mkdir would have to be called"):
        read_tensors(path)
    assert not folder.exists()
    torch.load(path, weights_only=False)
    assert folder.exists()  # the file was able to


def test_what_else_only_code_could_rebuild_is_refused_with_what_to_do(tmp_path: Path) -> None:
    for values in (nn.Linear(2, 2), {"model_state": {}, "score": np.float64(3)}):
        torch.save(values, tmp_path / "w.pth")
        with pytest.raises(UsageError, match=r"save its state dict alone and convert that: torch\.save"):
            read_tensors(tmp_path / "w.pth")


def saved(values: object, path: Path) -> bytes:
    torch.save(values, path)
    return path.read_bytes()


@pytest.mark.parametrize("damage", ["empty", "text", "torn", "torn safetensors", "zip", "pickle", "flipped"])
def test_a_damaged_file_is_refused_in_words(damage: str, tmp_path: Path) -> None:
    whole = saved({"stem.spatial.weight": torch.randn(100)}, tmp_path / "whole")
    tensors = safetensors.torch.save({"stem.spatial.weight": torch.randn(100)})
    place = whole.index(b"stem.spatial") - 8
    content = {
        "empty": b"",
        "text": b"not weights at all",
        "torn": whole[: len(whole) // 2],
        "torn safetensors": tensors[: len(tensors) // 2],
        "zip": b"PK\x03\x04" + bytes(50),
        "pickle": pickle.dumps({"a": 1}, protocol=4),
        "flipped": whole[:place] + b"\xff" * 6 + whole[place + 6 :],
    }[damage]
    (tmp_path / "w").write_bytes(content)
    with pytest.raises(UsageError, match=r"w: neither a safetensors file nor one of torch\.save, or a damaged one"):
        read_tensors(tmp_path / "w")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([1, 2], "holds a list and no state dict"),
        ({}, "holds a dict and no state dict"),
        ({"epoch": 3, "lr": 0.1}, "holds no state dict: no tensor under epoch, lr; expected tensors by name"),
        ({"model_state": {"a": torch.zeros(1), "b": 3}}, "holds no state dict: no tensor under b; expected"),
        ({"epoch": 3}, r"bare or under model_state or state_dict; save .* alone: torch\.save\(model\.state_dict"),
        ({"model_state": {}}, r"no tensor under model_state; .*torch\.save\(model\.state_dict"),
        (
            {"a": torch.zeros(1), "module.a": torch.ones(1), "module.b": torch.ones(1)},
            r"with and without 'module\.' before it stands a; keep one of each",
        ),
    ],
)
def test_a_file_without_a_state_dict_is_refused(values: object, said: str, tmp_path: Path) -> None:
    saved(values, tmp_path / "w")
    with pytest.raises(UsageError, match=said):
        read_tensors(tmp_path / "w")


def test_each_tool_finds_what_its_loader_asks_for(tmp_path: Path) -> None:
    tensors = {"a": torch.arange(3.0)}
    for layout in PEERS:
        write_tensors(tmp_path / layout, tensors, layout)
    found = {layout: torch.load(tmp_path / layout, weights_only=True) for layout in PEERS}
    # PySlowFast asks for an optimizer's state where there is an epoch.
    assert all(found[layout].keys() == {"model_state"} for layout in PEERS if layout is not Layout.MMACTION2)
    assert found[Layout.MMACTION2].keys() == {"meta", "state_dict"}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A config and its weights."""
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "Tiny.yaml").write_text(yaml.safe_dump({"name": "Tiny", "geometry": TINY.as_dict()}))
    torch.manual_seed(1)
    save_weights(folder / "Tiny.safetensors", random_x3d(TINY))
    return folder / "Tiny.yaml", folder / "Tiny.safetensors"


@pytest.mark.parametrize("tool", ["pyslowfast", "pytorchvideo", "mmaction2"])
def test_the_command_goes_there_and_back(
    tool: str, tiny: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, weights = tiny
    there, back = tmp_path / "there.pyth", tmp_path / "new" / "back.safetensors"
    command(str(config), weights, tool, there)  # type: ignore[arg-type]
    said = capsys.readouterr()
    assert said.out == f"{there}: Tiny for {tool}\n"
    assert "weights of expander, by the names" in said.err
    command(str(config), there, "expander", back, source=tool)  # type: ignore[arg-type]
    assert ("fine-tuning" in capsys.readouterr().err) is (tool == "pytorchvideo")
    ours, again, clips = X3D(TINY).eval(), X3D(TINY).eval(), random_clips(2, 4, 32)
    load_weights(weights, ours)
    load_weights(back, again)
    with torch.no_grad():
        torch.testing.assert_close(again(clips), ours(clips), rtol=0, atol=1e-5)
    assert same(dict(ours.state_dict()), dict(again.state_dict())) is (tool != "pytorchvideo")


def test_the_command_as_a_user_runs_it(expander: Expander, tiny: tuple[Path, Path], tmp_path: Path) -> None:
    config, weights = tiny
    done = expander("convert", config, weights, "--to", "pytorchvideo", "--out", "t.pyth", "--json")
    found = json.loads(done.stdout)
    (note,) = found.pop("notes")
    ends = {"from": "expander", "to": "pytorchvideo", "layout": "pytorchvideo", "out": "t.pyth"}
    assert found == {"config": "Tiny", "weights": str(weights), "detected": True, **ends}
    assert "folded" in note
    (tmp_path / "torn.pyth").write_bytes((tmp_path / "t.pyth").read_bytes()[:1000])
    refused = expander("convert", config, "torn.pyth", "--to", "expander", "--out", "never", code=2)
    assert "torn.pyth: neither a safetensors file" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t.pyth", "torn.pyth"]


def test_a_wrong_argument_is_told_in_words_and_nothing_is_written(tiny: tuple[Path, Path], tmp_path: Path) -> None:
    (config, weights), out = tiny, tmp_path / "out"
    plain = tmp_path / "plain.yaml"
    plain.write_text(yaml.safe_dump({"name": "Plain", "geometry": replace(TINY, swish=False).as_dict()}))
    ptvx3d = tmp_path / "ptvx3d.pyth"
    theirs = convert(X3D(TINY).state_dict(), TINY, Layout.EXPANDER, Layout.PTVX3D, "weights").tensors
    write_tensors(ptvx3d, theirs, Layout.PTVX3D)
    twin = out.parent / "twin.safetensors"
    twin.write_bytes(weights.read_bytes())
    before = twin.read_bytes()
    with pytest.raises(UsageError, match="these are the weights that are read"):
        command(str(config), twin, "pyslowfast", twin)
    assert twin.read_bytes() == before
    endings = (("a.pt2", "onnx", "pt2"), ("a.onnx", "expander", "onnx"), ("a.pth", "expander", "pyslowfast"))
    for name, to, ends in endings:
        with pytest.raises(UsageError, match=f"is an ending of --to {ends}.*, found --to {to}"):
            command(str(config), weights, to, out.parent / name)  # type: ignore[arg-type]
    wrong = [
        ((str(config), tmp_path / "none", "expander"), "none: cannot be read: No such file or directory"),
        ((str(config), tmp_path, "expander"), "cannot be read: Is a directory"),
        (("X3D-S", weights, "mmaction2"), r"They are for 5 classes: set geometry\.classes"),
        (("X3D-XL", weights, "mmaction2"), "X3D-XL cannot be built by MMAction2: stage res3 has 72 channels"),
        ((str(plain), weights, "pyslowfast"), "Plain cannot be built by PySlowFast: it is without swish"),
        (("EfficientNet3D-B0", weights, "expander"), "EfficientNet3D-B0: no X3D"),
        (
            (str(config), weights, "expander", "mmaction2"),
            r"--from mmaction2, but its names are those of expander: .*; leave --from out, or --from expander$",
        ),
        (
            (str(config), ptvx3d, "expander", "pytorchvideo"),
            "its names are those of pyslowfast: model.blocks.0.* or --from pyslowfast$",
        ),
        (("EfficientNet3D-B0", weights, "onnx", "mmaction2"), "--from mmaction2: EfficientNet3D-B0 is no X3D, .*leave"),
    ]
    for (network, file, to, *source), said in wrong:
        with pytest.raises(UsageError, match=said):
            command(network, file, to, out, *source)  # type: ignore[arg-type]
        assert not out.exists()
    with pytest.raises(FileError, match=r"plain\.yaml cannot be made: File exists; give a file"):
        command(str(config), weights, "mmaction2", plain / "out")


def test_weights_of_a_switched_off_part_do_not_come_from_a_tool_that_always_has_it(
    tiny: tuple[Path, Path], tmp_path: Path
) -> None:
    config, weights = tiny
    plain, there = tmp_path / "plain.yaml", tmp_path / "there.pth"
    plain.write_text(yaml.safe_dump({"name": "Plain", "geometry": replace(TINY, swish=False).as_dict()}))
    command(str(config), weights, "mmaction2", there)
    with pytest.raises(UsageError, match="Plain cannot be built by MMAction2"):  # though every name and shape fits
        command(str(plain), there, "expander", tmp_path / "out")


def test_weights_for_pyslowfast_are_those_of_the_builder_that_its_config_names(tmp_path: Path) -> None:
    geometry = replace(shipped_configs()["X3D-XL"].geometry)
    save_weights(tmp_path / "xl.safetensors", X3D(geometry))
    command("X3D-XL", tmp_path / "xl.safetensors", "pyslowfast", tmp_path / "xl.pyth")
    names = torch.load(tmp_path / "xl.pyth", weights_only=True)["model_state"]
    assert all(name.startswith("model.blocks.") for name in names)
    command("X3D-XL", tmp_path / "xl.pyth", "expander", tmp_path / "again.safetensors", source="pyslowfast")
    load_weights(tmp_path / "again.safetensors", X3D(geometry))


@pytest.mark.parametrize(
    ("provenance", "expected"),
    [
        ({"search": "one", "step": "3", "trial": "01"}, {"search": "one", "step": "3", "trial": "01"}),
        ({"search": "one", "trial": "01", "trained": {"trial": "02"}}, {"search": "one", "trial": "02"}),
        ({"search": "one", "trial": "01", "trained": None}, {"search": "one", "trial": "01"}),
        ({"search": None, "trial": "01", "trained": "by hand"}, {"trial": "01"}),
    ],
)
def test_a_config_says_what_its_weights_come_from(
    provenance: dict[str, Any], expected: dict[str, str], tmp_path: Path
) -> None:
    found = told(tmp_path, provenance)
    assert {key: value for key, value in load_config(found).origin.items() if value and key != "trained"} == expected


def told(folder: Path, provenance: dict[str, Any]) -> Path:
    path = folder / "Told.yaml"
    path.write_text(yaml.safe_dump({"name": "Told", "geometry": TINY.as_dict(), "provenance": provenance}))
    return path


@pytest.mark.parametrize("trained", [None, {"trial": "02", "seed": 1}])
def test_a_deployed_network_says_what_its_weights_come_from(
    trained: object, tiny: tuple[Path, Path], tmp_path: Path
) -> None:
    config = told(tmp_path, {"search": "one", "step": 3, "trial": "01", "trained": trained})
    command(str(config), tiny[1], "onnx", tmp_path / "told.onnx")
    found = {entry.key: entry.value for entry in onnx.load(tmp_path / "told.onnx").metadata_props}
    trial = "02" if trained else "01"
    assert {"search": "one", "step": "3", "trial": trial, "name": "Told"}.items() <= found.items()


@pytest.mark.parametrize("form", ["onnx", "pt2"])
def test_weights_of_another_tool_are_deployed(form: Any, tiny: tuple[Path, Path], tmp_path: Path) -> None:
    config, weights = tiny
    command(str(config), weights, "pytorchvideo", tmp_path / "t.pyth")
    command(str(config), tmp_path / "t.pyth", form, tmp_path / f"t.{form}")
    assert (tmp_path / f"t.{form}").stat().st_size > 100_000
