"""Factors, strides and the rounding of a geometry."""

import json
import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from expander.axis import FACTORS, Axis, Factors, expand, factor_of, round_half_up, stride_after
from expander.geometry import Basis, Geometry, Stage, blocks_at, crop_at, realise, round_width

factors = st.builds(
    Factors,
    gamma_t=st.just(16),
    gamma_tau=st.integers(1, 20),
    gamma_s=st.integers(3, 40).map(lambda eighths: eighths * 8 / 112),
    gamma_w=st.floats(0.1, 6),
    gamma_b=st.floats(0.01, 6),
    gamma_d=st.floats(0.1, 12),
)


@pytest.mark.parametrize(("value", "rounded"), [(2.5, 3), (3.5, 4), (4.5, 5), (2.49, 2), (0.5, 1), (0.4, 0), (7, 7)])
def test_halves_round_up_where_python_rounds_them_to_even(value, rounded):
    assert round_half_up(value) == rounded


def test_a_half_that_binary_falls_short_of_rounds_up_too():
    assert 13 * (15 / 26) < 7.5
    assert round_half_up(13 * (15 / 26)) == 8


@pytest.mark.parametrize(
    ("axis", "stride", "frames", "new_frames", "new_stride"),
    [
        (Axis.FAST, None, 1, 2, 16),
        (Axis.TEMPORAL, None, 1, 2, 16),
        (Axis.FAST, None, 1, 10, 16),
        (Axis.TEMPORAL, 16, 2, 4, 12),
        (Axis.TEMPORAL, 12, 4, 8, 9),
        (Axis.FAST, 9, 8, 16, 5),  # 4.5
        (Axis.FAST, 9, 8, 13, 6),  # 5.54: X3D-S
        (Axis.FAST, 5, 16, 32, 3),  # 2.5
        (Axis.TEMPORAL, 9, 8, 16, 7),  # 6.75
        (Axis.FAST, 1, 16, 17, 1),
        (Axis.TEMPORAL, 1, 16, 160, 1),
        (Axis.FAST, 5, 16, 13, 6),  # smaller: the same duration takes a longer stride
        (Axis.TEMPORAL, 5, 16, 8, 7),
    ],
)
def test_the_stride_follows_the_frames(axis, stride, frames, new_frames, new_stride):
    assert stride_after(axis, stride, frames, new_frames, first_stride=16) == new_stride


@given(stride=st.integers(1, 64), frames=st.integers(2, 64), new_frames=st.integers(2, 640))
def test_x_fast_keeps_the_duration_to_half_a_frame_of_stride(stride, frames, new_frames):
    found = stride_after(Axis.FAST, stride, frames, new_frames, first_stride=16)
    exact = Fraction(stride * frames, new_frames)
    assert found == max(1, math.floor(exact + Fraction(1, 2)))


@given(stride=st.integers(1, 64), frames=st.integers(2, 64))
def test_x_temporal_takes_three_quarters_of_the_stride_at_a_doubling(stride, frames):
    found = stride_after(Axis.TEMPORAL, stride, frames, 2 * frames, first_stride=16)
    assert abs(found - 0.75 * stride) <= 0.5 + 0.01


@pytest.mark.parametrize("frames", [2, 3, 10])
def test_x_fast_and_x_temporal_from_one_frame_are_the_same_factors(frames):
    fast, temporal = (expand(Factors(), axis, frames, first_stride=16) for axis in (Axis.FAST, Axis.TEMPORAL))
    assert fast == temporal == Factors(gamma_tau=16, gamma_t=frames)


@pytest.mark.parametrize("axis", Axis)
def test_an_axis_moves_its_factor_and_no_other(axis):
    before = Factors(gamma_tau=6, gamma_t=8, gamma_s=2.0, gamma_w=1.5, gamma_b=2.25, gamma_d=2.2)
    after = expand(before, axis, 16, first_stride=16)
    assert factor_of(after, axis) == 16
    changed = {name for name in FACTORS if getattr(before, name) != getattr(after, name)}
    assert (
        changed
        == {
            Axis.FAST: {"gamma_t", "gamma_tau"},
            Axis.TEMPORAL: {"gamma_t", "gamma_tau"},
            Axis.SPATIAL: {"gamma_s"},
            Axis.DEPTH: {"gamma_d"},
            Axis.WIDTH: {"gamma_w"},
            Axis.BOTTLENECK: {"gamma_b"},
        }[axis]
    )


@pytest.mark.parametrize("axis", [Axis.FAST, Axis.TEMPORAL])
def test_back_at_one_frame_there_is_no_stride(axis):
    assert expand(Factors(gamma_tau=5, gamma_t=16), axis, 1, first_stride=16) == Factors()


def test_factors_as_plain_values_have_the_names_of_the_paper():
    assert Factors(gamma_tau=5, gamma_t=16).as_dict() == {
        "gamma_tau": 5,
        "gamma_t": 16,
        "gamma_s": 1.0,
        "gamma_w": 1.0,
        "gamma_b": 1.0,
        "gamma_d": 1.0,
    }


@pytest.mark.parametrize(
    ("width", "rounded"),
    [
        *((24, 24), (34.8, 32), (69.6, 72), (139.2, 136), (278.4, 280)),
        *((12, 16), (11, 16), (8.88, 8), (8.9, 16), (0.1, 8), (18, 24), (17.7, 16), (27 / 8, 8), (20, 24), (28, 32)),
    ],
)
def test_widths_round_to_multiples_of_eight_and_never_lose_more_than_a_tenth(width, rounded):
    assert round_width(width) == rounded


@given(st.integers(1, 40_000).map(lambda thousandths: Fraction(thousandths, 1000)))
def test_rounded_widths_follow_the_rule_of_mobile_networks(width):
    nearest = max(8, math.floor(width / 8 + Fraction(1, 2)) * 8)
    assert round_width(float(width)) == (nearest if nearest >= Fraction(9, 10) * width else nearest + 8)


@given(st.floats(0.1, 1000), st.floats(0.1, 1000))
def test_rounded_widths_never_fall_as_the_width_grows(one, other):
    assert round_width(min(one, other)) <= round_width(max(one, other))


@given(numerator=st.integers(1, 400), base=st.integers(1, 60), blocks=st.integers(1, 60))
def test_a_depth_that_is_a_fraction_of_blocks_gives_exactly_these_blocks(numerator, base, blocks):
    assert blocks_at(numerator / base, base) == numerator
    assert blocks_at(numerator / base, blocks) == math.ceil(Fraction(numerator * blocks, base))


def test_a_depth_just_beyond_a_fraction_gains_a_block():
    assert [blocks_at(2.2, base) for base in (1, 2, 5, 3)] == [3, 5, 11, 7]
    assert [blocks_at(2.2001, base) for base in (1, 2, 5, 3)] == [3, 5, 12, 7]


@given(base=st.integers(1, 500), crop=st.integers(1, 2000))
def test_a_crop_survives_the_way_through_its_factor(base, crop):
    assert crop_at(crop / base, base) == crop


def test_inner_widths_are_cut_and_not_rounded_to_a_multiple():
    geometry = realise(Factors(gamma_w=1.45, gamma_b=2.3), Basis())
    assert geometry.widths == (32, 72, 136, 280)
    assert geometry.inner_widths == (73, 165, 312, 644)  # 73.6, 165.6, 312.8, 644.0
    assert geometry.squeeze_widths == (8, 16, 24, 40)  # sixteenths: 4.6, 10.3, 19.5, 40.25


def test_a_bottleneck_near_zero_leaves_one_channel():
    assert realise(Factors(gamma_b=0.01), Basis(widths=(8, 24), blocks=(1, 1))).inner_widths == (1, 1)


@given(factors)
def test_a_geometry_survives_json(found):
    geometry = realise(found, Basis())
    assert Geometry.from_dict(json.loads(json.dumps(geometry.as_dict()))) == geometry


def test_a_geometry_describes_itself():
    stages = (Stage(blocks=1, width=8, inner_width=18, squeeze_width=8), Stage(2, 16, 36, 8))
    geometry = Geometry(frames=4, stride=12, crop=40, stages=stages, classes=7)
    assert geometry.as_dict() == {
        "frames": 4,
        "stride": 12,
        "crop": 40,
        "widths": [8, 16],
        "inner_widths": [18, 36],
        "squeeze_widths": [8, 8],
        "blocks": [1, 2],
        "classes": 7,
        "head_width": 2048,
        "stem_kernel": 5,
    }
    assert geometry.clip == "4x12"
    assert realise(Factors(), Basis()).clip == "1"


def test_a_geometry_of_lists_that_differ_in_length_is_refused():
    values = realise(Factors(), Basis()).as_dict() | {"blocks": [1, 2]}
    with pytest.raises(ValueError, match="zip"):
        Geometry.from_dict(values)
