"""The complexities that a step may multiply: in closed form, and measured."""

import math
from dataclasses import replace

import pytest
from spaces import space_of

from expander.axis import Axis, Factors
from expander.complexity import measure
from expander.coordinator import measured
from expander.cost import closed_form, shown
from expander.errors import SpaceError
from expander.geometry import Basis, realise
from expander.search import cost_of

GEOMETRY = realise(Factors(gamma_t=4, gamma_tau=12, gamma_s=160 / 112), Basis())


class Stopwatch:
    """A meter that tells what it was asked; each answer is larger than the one before."""

    device = "a stopwatch"

    def __init__(self, value=1.0):
        self.value = value
        self.asked = []

    def measure(self, name, geometry):
        self.asked.append((name, geometry))
        return self.value + len(self.asked) - 1


class Notebook:
    """Measurements in a dictionary."""

    def __init__(self):
        self.values = {}

    def measurement(self, name, device, geometry):
        return self.values.get((name, device, geometry))

    def remember(self, name, device, geometry, value):
        return self.values.setdefault((name, device, geometry), value)


@pytest.mark.parametrize("name", ["flops", "params", "activations"])
def test_a_closed_form_is_the_geometrys_complexity(name):
    assert closed_form(name).of(GEOMETRY) == getattr(measure(GEOMETRY), name)
    assert closed_form(name) is closed_form(name)
    assert (closed_form(name).measured, closed_form(name).device) == (False, None)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("flops", 1_962_892_112, "1.963 GFLOPs"),
        ("flops", 2e9, "2 GFLOPs"),
        ("flops", 400_000, "400 kFLOPs"),
        ("flops", 1e30, "1e+12 EFLOPs"),
        ("params", 3_794_322, "3.794 M parameters"),
        ("params", 999, "999 parameters"),
        ("activations", 12_345_678, "12.35 M elements"),
        ("activations", 999_950, "1 M elements"),
        ("latency", 0.00421, "4.21 ms"),
        ("latency", 12.0, "12 s"),
        ("memory", 512_300_000, "512.3 MB"),
        ("memory", 96_992, "96.99 kB"),
    ],
)
def test_a_value_is_shown_with_its_unit(name, value, text):
    assert shown(name, value) == text


def test_parameters_see_neither_frames_nor_pixels_and_everything_else_sees_every_axis():
    unseen = {axis for axis in Axis if closed_form("params").unseen(axis)}
    assert unseen == {Axis.FAST, Axis.TEMPORAL, Axis.SPATIAL}
    for name in ("flops", "activations"):
        assert not any(closed_form(name).unseen(axis) for axis in Axis)
    assert not any(measured("latency", Stopwatch()).unseen(axis) for axis in Axis)


def test_a_network_is_measured_once_whatever_the_stride_of_its_clip():
    watch = Stopwatch()
    cost = measured("latency", watch)
    assert {cost.of(replace(GEOMETRY, stride=stride)) for stride in (12, 9, 1)} == {1.0}
    assert cost.of(replace(GEOMETRY, crop=168)) == 2.0
    assert [(name, geometry.stride, geometry.crop) for name, geometry in watch.asked] == [
        ("latency", None, 160),
        ("latency", None, 168),
    ]
    assert (cost.measured, cost.device) == (True, "a stopwatch")


def test_what_is_known_is_not_measured_again_and_the_first_value_stands():
    notebook = Notebook()
    first = measured("memory", Stopwatch(5.0), notebook)
    assert first.of(GEOMETRY) == 5.0
    again = Stopwatch(9.0)
    assert measured("memory", again, notebook).of(GEOMETRY) == 5.0
    assert not again.asked
    assert measured("latency", again, notebook).of(GEOMETRY) == 9.0

    class Late(Notebook):
        def measurement(self, name, device, geometry):
            return None  # another search records it while this one measures

    late = Late()
    late.remember("memory", "a stopwatch", replace(GEOMETRY, stride=None), 7.0)
    assert measured("memory", Stopwatch(9.0), late).of(GEOMETRY) == 7.0


def test_bounds_under_the_measured_basis_are_the_users_mistake():
    space = space_of(complexity="latency", regimes={"bounds": {"Fast": 0.05, "Slow": 2.0}})
    with pytest.raises(SpaceError) as caught:
        cost_of(space, measured("latency", Stopwatch(0.125)))
    assert str(caught.value) == (
        "regimes.bounds.Fast: 50 ms is under the latency of the basis, 125 ms as measured on a stopwatch;"
        " give a larger bound"
    )


def test_a_basis_that_does_not_fit_the_device_is_the_users_mistake():
    space = space_of(complexity="memory", regimes={"bounds": {"Small": 1e6}})
    with pytest.raises(SpaceError, match=r"^basis: it does not fit in the memory of a stopwatch"):
        cost_of(space, measured("memory", Stopwatch(math.inf)))
