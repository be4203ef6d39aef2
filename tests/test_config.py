"""The config of an exported instance: read back as it was written, and strict about mistakes."""
# ruff: noqa: E501 (messages stand here as a user reads them)

import json
import re
from dataclasses import replace

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from spaces import frontiers, lattices

from expander.axis import Factors
from expander.cli.files import load_config
from expander.complexity import measure
from expander.efficientnet3d import EFFICIENTNET3D
from expander.errors import FileError, SpaceError, UsageError
from expander.files import digest, sealed
from expander.geometry import MOBILE_PARTS, Basis, realise
from expander.recipe import Recipe
from expander.trial import Views
from results.config import ConfigSection, InstanceConfig, check_weights, read_config, with_weights
from results.export import export_configs, write_config

XS = Factors(gamma_tau=12, gamma_t=4, gamma_s=160 / 112, gamma_b=2.25, gamma_d=2.2)
CONFIG = InstanceConfig(
    name="X3D-XS",
    geometry=realise(XS, Basis(classes=3)),
    factors=XS.as_dict(),
    recipe=Recipe(drop_connect=0.1),
    views=Views(3, "left-center-right"),
    seed=7,
    weights="X3D-XS.safetensors",
    class_names=("yes", "2024-01-01", "off"),
    provenance={"search": "first", "step": 5, "score": 0.5, "versions": {"torch": "2.6"}, "trial": None},
)


def test_a_config_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "X3D-XS.yaml"
    path.write_text(yaml.safe_dump(CONFIG.as_dict(), sort_keys=False, allow_unicode=True))
    assert load_config(path) == CONFIG
    assert read_config(json.loads(json.dumps(CONFIG.as_dict())), {}, "config") == CONFIG
    assert load_config(path).complexity == measure(CONFIG.geometry)


def test_weights_that_are_not_those_of_their_config_are_refused_under_its_name_alone(tmp_path):
    source, beside, other = (tmp_path / name for name in ("trained", "X3D-XS.safetensors", "other.safetensors"))
    source.write_bytes(b"weights")
    config = with_weights(CONFIG, beside.name, source)
    assert load_config_of(config, tmp_path) == config
    for path in (beside, other):
        path.write_bytes(source.read_bytes())
        check_weights(config, path)
        path.write_bytes(b"weighty")
    with pytest.raises(
        UsageError, match=r"X3D-XS\.safetensors are not what was written with .* damaged, or were replaced"
    ):
        check_weights(config, beside)
    check_weights(config, other)
    check_weights(CONFIG, beside)  # by an earlier version, without a checksum


def test_damaged_weights_of_a_trial_are_not_exported(tmp_path):
    weights, out = tmp_path / "weights.safetensors", tmp_path / "out"
    weights.write_bytes(b"weights")
    (tmp_path / "completed.json").write_bytes(sealed({"weights_sha256": digest(weights)}))
    export_configs([CONFIG], out, "yaml", {CONFIG.name: weights})
    assert load_config(out / "X3D-XS.yaml").provenance["weights_sha256"] == digest(out / "X3D-XS.safetensors")
    weights.write_bytes(b"weighty")
    with pytest.raises(FileError, match=r"weights\.safetensors is damaged: its checksum is not the one in completed"):
        export_configs([CONFIG], tmp_path / "never", "yaml", {CONFIG.name: weights})
    assert not (tmp_path / "never").exists()


def load_config_of(config, folder):
    write_config(config, folder / "config.yaml")
    return load_config(folder / "config.yaml")


@settings(deadline=None, max_examples=50)
@given(data=st.data(), lattice=lattices())
def test_every_instance_of_a_search_survives_its_config(data, lattice):
    factors = data.draw(frontiers(lattice))
    geometry = realise(factors, lattice.basis)
    config = replace(CONFIG, geometry=geometry, factors=factors.as_dict(), class_names=())
    again = read_config(yaml.safe_load(yaml.safe_dump(config.as_dict())), {}, "config")
    assert again == config
    assert Factors(**again.factors) == factors


@pytest.mark.parametrize("part", MOBILE_PARTS)
def test_a_config_says_which_mobile_part_is_missing(part):
    config = replace(CONFIG, geometry=replace(CONFIG.geometry, **{part: False}))
    written = config.as_dict()
    assert written["geometry"][part] is False
    assert read_config(written, {}, "config") == config
    assert not set(MOBILE_PARTS) & set(CONFIG.as_dict()["geometry"])


def test_what_is_set_goes_over_the_file(tmp_path):
    path = tmp_path / "X3D-XS.yaml"
    path.write_text(yaml.safe_dump(CONFIG.as_dict()))
    changed = load_config(path, ["recipe.epochs=2", "seed=8"])
    assert (changed.recipe, changed.seed) == (replace(CONFIG.recipe, epochs=2), 8)


def test_little_more_than_a_geometry_is_needed():
    config = read_config({"name": "mine", "geometry": CONFIG.geometry.as_dict()}, {}, "config")
    assert config == InstanceConfig(
        name="mine",
        geometry=CONFIG.geometry,
        factors={},
        recipe=Recipe(),
        views=Views(),
        seed=0,
        weights=None,
        class_names=(),
        provenance={},
    )


def changed(**values):
    """The config as plain values, some replaced: geometry__frames=2 is geometry.frames."""
    config = CONFIG.as_dict()
    for key, value in values.items():
        section, _, inner = key.partition("__")
        if inner:
            config[section][inner] = value
        else:
            config[section] = value
    return config


# fmt: off
MISTAKES = {
    "stage": (changed(geometry__blocks=[3, 5, 11]), "c: geometry: entries differ in number (widths 4, inner_widths 4, squeeze_widths 4,"
              " blocks 3); give one a stage in each"),
    "even kernel": (changed(geometry__stem_kernel=4), "c: geometry.stem_kernel: 4 is even; a centred kernel is odd"),
    "stride at one frame": (changed(geometry__frames=1), "c: geometry.stride: found 12; expected null with one frame"),
    "no stride": (changed(geometry__stride=None), "c: geometry.stride: found None; expected a whole number with several frames"),
    "name": (changed(name="../other"), "c: name: found '../other'; expected letters, digits, - and _"),
    "class names": (changed(class_names=list("abcd")), "c: class_names: 4 names for geometry.classes 3"),
    "flops": (changed(complexity__flops=605), "c: complexity.flops: found 605; the geometry has 604,443,456"),
    "unknown cost": (changed(complexity__watts=1), "c: complexity.watts: found 1; the geometry has one of flops, params,"
                     " params_without_batchnorm, activations"),
    "unknown key": (changed(geometry__width=8), "c: geometry.width: unknown key; allowed: frames, stride, crop, widths, inner_widths,"
                    " squeeze_widths, blocks, classes, head_width, stem_kernel, channelwise, swish, squeeze_excitation (did you mean widths?)"),
    "switch": (changed(geometry__swish=1), "c: geometry.swish: found 1; expected true or false"),
    "bool": (changed(seed=True), "c: seed: found true; expected a whole number"),
    "views": (changed(views__crops="left"), "c: views.crops: found 'left'; expected one of center, left-center-right"),
    "null": (None, f"c: expected a mapping with some of the keys {', '.join(ConfigSection.model_fields)}, found nothing (null)"),
    "nothing": ({}, "c: geometry: is missing; it has no default\nc: name: is missing; it has no default"),
    "several": (changed(name=3, geometry__crop=0, recipe__epochs=0), "c: geometry.crop: found 0; expected at least 1\n"
                "c: name: found 3; expected a text\nc: recipe.epochs: found 0; expected at least 1"),
}
# fmt: on


@pytest.mark.parametrize(("values", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_gets_one_clear_message(values, message):
    with pytest.raises(SpaceError) as caught:
        read_config(values, {}, "c")
    assert str(caught.value) == message


def test_a_mistake_in_a_file_has_its_line(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump(changed(geometry__crop="wide"), sort_keys=False))
    line = path.read_text().splitlines().index("  crop: wide") + 1
    with pytest.raises(SpaceError) as caught:
        load_config(path)
    assert str(caught.value) == f"{path}:{line}: geometry.crop: found 'wide'; expected a whole number"


def test_a_config_that_is_not_there_is_named_beside_what_there_is(tmp_path):
    with pytest.raises(
        UsageError, match=r"config .*none\.yaml: neither a file nor .*one of X2D, X3D-XS, X3D-S, X3D-M, "
    ):
        load_config(tmp_path / "none.yaml")


def test_a_shipped_network_is_a_config_by_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = load_config("X3D-S")
    assert (config.name, config.geometry.clip, config.complexity.flops) == ("X3D-S", "13x6", 1_962_892_112)
    assert load_config("X3D-S", ["recipe.epochs=4"]) == replace(config, recipe=replace(config.recipe, epochs=4))
    (tmp_path / "X3D-S").write_text(yaml.safe_dump(CONFIG.as_dict()))
    assert load_config("X3D-S") == CONFIG


def test_a_geometry_that_is_set_loses_what_was_said_of_the_old_one():
    config = load_config("X3D-M")
    classes = load_config("X3D-M", ["geometry.classes=6"])
    assert classes == replace(config, geometry=replace(config.geometry, classes=6))
    assert load_config("X3D-M", ["geometry.crop=64"]).factors == {}


@pytest.mark.parametrize("override", ["geometry.blocks=[1, 2]", "geometry.colour=red", "name=[]"])
def test_a_mistake_in_what_is_set_on_a_shipped_network_is_named(override):
    with pytest.raises(SpaceError, match=rf"^--set {re.escape(override)}: |^X3D-M: geometry"):
        load_config("X3D-M", [override])


@pytest.mark.parametrize("name", EFFICIENTNET3D)
def test_a_config_of_an_efficientnet3d_is_read_as_it_was_written(name):
    config = load_config(name)
    assert config.geometry == EFFICIENTNET3D[name]
    assert read_config(yaml.safe_load(yaml.safe_dump(config.as_dict())), {}, "config") == config


def of_b0(**values):
    """The shipped config of EfficientNet3D-B0 with some of its geometry replaced."""
    config = load_config("EfficientNet3D-B0").as_dict()
    config["geometry"] |= values
    return config


# fmt: off
MISTAKES_OF_B0 = {
    "network": (of_b0(network="resnet3d"), "c: geometry.network: found 'resnet3d'; expected one of efficientnet3d"),
    "X3D's key": (of_b0(inner_widths=[8]), "c: geometry.inner_widths: unknown key; allowed: network, frames, stride, crop, stem_width,"
                  " widths, expansions, spatial_strides, blocks, head_width, classes, stem_kernel (did you mean widths?)"),
    "stages": (of_b0(blocks=[1, 2]), "c: geometry: entries differ in number (widths 7, expansions 7, spatial_strides 7, blocks 2);"
               " give one a stage in each"),
    "flops": (of_b0(classes=2), "c: complexity.activations: found 12,040,096; the geometry has 12,039,698\n"
              "c: complexity.flops: found 734,194,496; the geometry has 733,685,056\n"
              "c: complexity.params: found 4,464,000; the geometry has 3,954,162\n"
              "c: complexity.params_without_batchnorm: found 4,421,984; the geometry has 3,912,146"),
}
# fmt: on


@pytest.mark.parametrize(("values", "message"), MISTAKES_OF_B0.values(), ids=MISTAKES_OF_B0)
def test_a_mistake_in_an_efficientnet3d_gets_one_clear_message(values, message):
    with pytest.raises(SpaceError) as caught:
        read_config(values, {}, "c")
    assert str(caught.value) == message
