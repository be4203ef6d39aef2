import json
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from expander.axis import Factors
from expander.efficientnet3d import EfficientNet3D, MobileStage
from expander.errors import ExpanderError, FileError, UsageError
from expander.geometry import MOBILE_PARTS, Basis, Geometry, Stage, realise
from trainers.data.clips import normalise
from trainers.deploy import BATCHES, METADATA, deploy
from trainers.networks.build import build
from trainers.networks.fold import fold_batchnorm
from trainers.networks.x3d import X3D

SMALL = Geometry(3, 2, 32, (Stage(2, 8, 12, 8), Stage(1, 16, 24, 8)), classes=5, head_width=20, stem_kernel=5)
MOBILE = (MobileStage(1, 1, 8, 1), MobileStage(2, 2, 16, 6))
EFFICIENT = EfficientNet3D(3, 2, 32, stem_width=8, stages=MOBILE, head_width=20, classes=5)
GEOMETRIES = {
    "several frames": SMALL,
    "one frame": replace(SMALL, frames=1, stride=None),
    "odd crop": replace(SMALL, crop=33),
    "no mobile parts": replace(SMALL, channelwise=False, swish=False, squeeze_excitation=False),
    "EfficientNet3D": EFFICIENT,
}
XS = realise(Factors(gamma_tau=12, gamma_t=4, gamma_s=160 / 112, gamma_b=2.25, gamma_d=2.2), Basis())
FOLDED = {
    "X3D": SMALL,
    **{f"without {part}": replace(SMALL, **{part: False}) for part in MOBILE_PARTS},
    "EfficientNet3D": EFFICIENT,
}
SHAPES = [(1, 32, 32), (3, 33, 33), (4, 17, 40)]


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def trained(geometry):
    """A network whose biases and BN layers are far from their initial state, as after a training."""
    model = build(geometry)
    with torch.no_grad():
        for name, bias in model.named_parameters():
            if name.endswith("bias"):
                bias.normal_(0, 0.5)
        for norm in (module for module in model.modules() if isinstance(module, nn.BatchNorm3d)):
            norm.weight.uniform_(0.3, 1.5)
            norm.running_mean.normal_(0, 0.5)
            norm.running_var.uniform_(0.3, 3)
    return model


def clips(geometry, batch):
    return normalise(torch.randint(256, (batch, geometry.frames, geometry.crop, geometry.crop, 3), dtype=torch.uint8))


def logits_of(path, clips):
    if path.suffix == ".pt2":
        return torch.export.load(path).module()(clips)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(["logits"], {"clips": np.ascontiguousarray(clips)})[0])


def python(code, *arguments, cwd):
    """What a fresh process, in which every warning is an error, says on its two streams."""
    command = [sys.executable, "-W", "error", "-c", code, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=True)


# Folding


@pytest.mark.parametrize(("dtype", "relative"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
@pytest.mark.parametrize("geometry", FOLDED)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_folded_network_computes_the_same(shape, geometry, dtype, relative):
    model = trained(FOLDED[geometry]).to(dtype).eval()
    x = torch.randn(2, 3, *shape, dtype=dtype)
    expected = model(x)
    folded = fold_batchnorm(model)
    assert not any(isinstance(module, nn.BatchNorm3d) for module in folded.modules())
    assert (folded(x) - expected).abs().max() <= relative * expected.abs().max()


def test_every_batchnorm_becomes_the_bias_of_a_plain_convolution():
    model = trained(SMALL)
    convolutions = [module for module in fold_batchnorm(model).modules() if type(module) is nn.Conv3d]
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm3d)]
    assert sum(conv.bias is not None for conv in convolutions) == len(norms) == 1 + 3 * 3 + 2 + 1


def test_a_convolution_with_a_bias_keeps_it():
    model = nn.Sequential(nn.Conv3d(2, 4, 3, bias=True), nn.BatchNorm3d(4)).eval()
    model[1].running_var.fill_(4)
    x = torch.randn(1, 2, 4, 4, 4)
    torch.testing.assert_close(fold_batchnorm(model)(x), model(x))


def test_folding_leaves_the_network_and_the_random_state_alone():
    model = trained(SMALL).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    random = torch.get_rng_state()
    folded = fold_batchnorm(model)
    assert model.training
    assert not any(module.training for module in folded.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)


@pytest.mark.parametrize(
    "model",
    [
        nn.Sequential(nn.Conv3d(2, 2, 1), nn.ReLU(), nn.BatchNorm3d(2)),
        nn.Sequential(nn.BatchNorm3d(2)),
    ],
)
def test_a_batchnorm_without_its_convolution_is_named(model):
    with pytest.raises(ValueError, match=rf"^{len(model) - 1} cannot be folded"):
        fold_batchnorm(model)


def test_a_convolution_that_others_read_too_is_not_folded():
    class Branching(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm = nn.Conv3d(2, 2, 1), nn.BatchNorm3d(2)

        def forward(self, x):
            y = self.conv(x)
            return y + self.norm(y)

    with pytest.raises(ValueError, match=r"^norm cannot be folded"):
        fold_batchnorm(Branching())


# Files


@pytest.fixture(scope="module", params=[(name, form) for name in GEOMETRIES for form in ("onnx", "pt2")], ids="-".join)
def deployed(request, tmp_path_factory):
    """A network, its geometry, and its file."""
    name, form = request.param
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = trained(GEOMETRIES[name])
    out = tmp_path_factory.mktemp("deployed") / f"small.{form}"
    return model, GEOMETRIES[name], deploy(model, GEOMETRIES[name], out, form, {"name": "X3D-é", "trial": "0123abcd"})


def test_a_file_computes_the_networks_logits_for_any_batch(deployed):
    model, geometry, written = deployed
    assert model.training  # as it came
    for batch in (1, 2, 5):
        x = clips(geometry, batch)
        expected = model.eval()(x).detach()
        found = logits_of(written.path, x)
        assert found.shape == (batch, 5)
        assert (found - expected).abs().max() <= 1e-4 * expected.abs().max()
    model.train()


def test_a_file_was_checked_and_says_so(deployed):
    _, _, written = deployed
    assert written.batches == BATCHES == (1, 2, 3)
    assert 0 <= written.difference < 1e-5
    assert written.bytes == written.path.stat().st_size
    assert written.versions["torch"] == torch.__version__
    assert [path.name for path in written.path.parent.iterdir()] == [written.path.name]


def metadata_of(path):
    if path.suffix == ".pt2":
        torch.export.load(path, extra_files=(extra := {METADATA: ""}))
        return json.loads(extra[METADATA])
    return {entry.key: entry.value for entry in onnx.load(path).metadata_props}


def test_a_file_says_which_clips_it_takes(deployed):
    _, geometry, written = deployed
    metadata = metadata_of(written.path)
    size = f"{geometry.frames}, {geometry.crop}, {geometry.crop}"
    assert metadata == {
        "name": "X3D-é",
        "trial": "0123abcd",
        "input": f"clips: float32 (N, 3, {size}), (batch, RGB, frames, height, width), normalised",
        "output": "logits: float32 (N, 5), before softmax",
        "normalisation": "(value / 255 - 0.45) / 0.225 of every 8-bit RGB value",
        "mean": "0.45",
        "std": "0.225",
        "frames": str(geometry.frames),
        "stride": "1" if geometry.stride is None else "2",
        "crop": str(geometry.crop),
        "shorter_side": {32: "36", 33: "37"}[geometry.crop],
        "classes": "5",
    }


def test_the_normalisation_that_a_file_states_is_that_of_the_training(deployed):
    metadata = metadata_of(deployed[2].path)
    pixels = torch.randint(256, (3, 8, 8, 3), dtype=torch.uint8)
    stated = (pixels.numpy() / 255 - float(metadata["mean"])) / float(metadata["std"])
    np.testing.assert_allclose(stated.transpose(3, 0, 1, 2), normalise(pixels), atol=1e-5)


def test_a_file_holds_plain_convolutions_without_batchnorm_or_this_machines_paths(deployed):
    model, _, written = deployed
    convolutions = sum(isinstance(module, nn.Conv3d) for module in model.modules())
    if written.form == "onnx":
        graph = onnx.load(written.path).graph
        operators = Counter(node.op_type for node in graph.node)
        assert operators["Conv"] == convolutions
        assert [len(node.input) for node in graph.node if node.op_type == "Conv"] == [2] + [3] * (convolutions - 1)
        assert not any("Norm" in operator for operator in operators)
        assert [(value.name, value.type.tensor_type.shape.dim[0].dim_param) for value in graph.input] == [
            ("clips", "batch")
        ]
        assert not any(part.metadata_props for part in (graph, *graph.node, *graph.value_info, *graph.input))
    else:
        program = torch.export.load(written.path)
        operators = Counter(str(node.target) for node in program.graph.nodes)
        assert operators["aten.conv3d.default"] == convolutions
        assert not any("norm" in operator for operator in operators)
        assert program.example_inputs is None
    assert str(Path(__file__).parents[1]).encode() not in written.path.read_bytes()


@pytest.mark.parametrize("form", ["onnx", "pt2"])
def test_the_real_xs_is_deployed(form, tmp_path):
    model = trained(XS)
    written = deploy(model, XS, tmp_path / f"xs.{form}", form, {})
    assert written.difference < 1e-4
    weights = 4 * sum(p.numel() for p in fold_batchnorm(model).parameters())
    assert weights < written.bytes < 1.1 * weights


def test_a_pt2_needs_neither_this_package_nor_its_sources(tmp_path):
    model = trained(SMALL)
    written = deploy(model, SMALL, tmp_path / "small.pt2", "pt2", {})
    x = clips(SMALL, 2).contiguous()
    np.save(tmp_path / "clips.npy", x.numpy())
    code = (
        "import json, sys, numpy, torch\n"
        "logits = torch.export.load(sys.argv[1]).module()(torch.from_numpy(numpy.load('clips.npy')))\n"
        "ours = [name for name in sys.modules if name.split('.')[0] in ('trainers', 'expander')]\n"
        "print(json.dumps([logits.numpy().tolist(), ours]))"
    )
    logits, ours = json.loads(python(code, written.path, cwd=tmp_path).stdout)
    assert ours == []
    torch.testing.assert_close(torch.tensor(logits), model.eval()(x).detach(), rtol=1e-4, atol=1e-5)


def test_nothing_but_our_own_words_reaches_the_terminal(tmp_path):
    code = (
        "from pathlib import Path\n"
        "from expander.geometry import Geometry, Stage\n"
        "from trainers.deploy import deploy\n"
        "from trainers.networks.x3d import X3D\n"
        "geometry = Geometry(1, None, 16, (Stage(1, 8, 8, 8),), classes=2, head_width=8)\n"
        "for form in ('onnx', 'pt2'):\n"
        "    print(deploy(X3D(geometry), geometry, Path(form), form, {}).form)"
    )
    done = python(code, cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("onnx\npt2\n", "")


# Refusals


class Forgetful(X3D):
    """Draws what it adds to its logits anew each time, so that no file computes what it computed."""

    def forward(self, clips):
        logits = super().forward(clips)
        return logits + torch.rand_like(logits)


@pytest.mark.parametrize("form", ["onnx", "pt2"])
def test_a_file_with_other_logits_is_not_written(form, tmp_path):
    out = tmp_path / "wrong.file"
    out.write_text("what was here before")
    with pytest.raises(ExpanderError, match=r"wrong\.file was not written: its logits would differ .* torch 2"):
        deploy(Forgetful(SMALL), SMALL, out, form, {})
    assert [path.read_text() for path in tmp_path.iterdir()] == ["what was here before"]


def test_weights_that_give_no_numbers_are_refused(tmp_path):
    model = trained(SMALL)
    with torch.no_grad():
        model.stem.norm.weight[0] = float("nan")
    with pytest.raises(UsageError, match="the logits are not numbers"):
        deploy(model, SMALL, tmp_path / "nan.pt2", "pt2", {})
    assert not list(tmp_path.iterdir())


def test_missing_packages_are_named_with_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UsageError, match=r"needs onnxruntime, of the extra: pip install 'x3d-expander\[onnx\]'"):
        deploy(X3D(SMALL), SMALL, tmp_path / "small.onnx", "onnx", {})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("taken", ["", "folder"])
def test_a_file_that_cannot_be_written_is_the_users_mistake(taken, tmp_path):
    out = tmp_path / "taken"
    out.mkdir() if taken else out.write_text("")
    with pytest.raises(FileError, match=r"cannot be written: .*(; give a file in a folder|mount it again)"):
        deploy(X3D(SMALL), SMALL, out if taken else out / "small.pt2", "pt2", {})
