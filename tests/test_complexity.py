"""The closed-form cost equals fvcore's count of the real network, to the last multiply-add."""

import logging
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_published import ROWS

from expander.axis import Factors
from expander.complexity import measure
from expander.geometry import Basis, Geometry, Stage, realise
from trainers.networks.trace import trace


def geometry(frames=1, crop=112, w=1.0, b=1.0, d=1.0, **basis):
    return realise(Factors(4 if frames > 1 else None, frames, crop / 112, w, b, d), Basis(**basis))


ODD = {
    "crop 99": geometry(2, 99, b=2.25),
    "crop 113": geometry(2, 113, b=2.25),
    "crop 130": geometry(3, 130, b=2.25),
    "crop 182": geometry(2, 182, b=2.25),
    "crop 33": geometry(5, 33),
    "crop 7": geometry(3, 7),
    "crop 1": geometry(2, 1),
    "one deep frame": geometry(1, 160, b=2.25, d=2.2),
    "one odd frame": geometry(1, 113, w=1.45, b=2.25),
    "three frames, fewer than the stem's kernel": geometry(3, 64),
    "γb 0.5": geometry(2, 112, b=0.5),
    "γb 0.75": geometry(2, 96, b=0.75),
    "γb 0.02, inner width 1": geometry(2, 64, b=0.02),
    "7 classes": geometry(4, 80, b=2.25, classes=7),
    "1 class": geometry(2, 48, classes=1),
    "γw 0.5": geometry(2, 112, w=0.5),
    "γw 0.35": geometry(2, 64, w=0.35, b=2.25),
    "γw 1.45": geometry(2, 112, w=1.45, b=2.25),
    "γd 1.2": geometry(2, 112, d=1.2),
    "γd 5": geometry(1, 64, d=5.0),
    "stem kernel 3": geometry(4, 64, stem_kernel=3),
    "stem kernel 1": geometry(4, 64, stem_kernel=1),
    "stem kernel 7": geometry(4, 64, stem_kernel=7),
    "three stages": geometry(3, 72, b=2.25, widths=(16, 40, 88), blocks=(2, 3, 2)),
    "one stage": geometry(3, 40, widths=(24,), blocks=(3,)),
    "six stages": geometry(2, 96, widths=(8, 16, 24, 32, 40, 48), blocks=(1, 2, 1, 2, 1, 2)),
    "other base widths": geometry(2, 80, b=1.5, widths=(12, 30, 61, 100), blocks=(2, 1, 4, 1)),
    "equal widths": geometry(2, 64, b=2.25, widths=(32, 32, 32, 32)),
    "narrowing widths": geometry(2, 64, widths=(64, 48, 32, 16)),
    "head width 100": geometry(2, 64, head_width=100),
    "no channel-wise convolution": geometry(3, 40, b=2.25, d=2.2, channelwise=False),
    "no channel-wise convolution, one frame": geometry(1, 33, b=0.6, channelwise=False),
    "no swish": geometry(3, 40, b=2.25, swish=False),
    "no squeeze-excitation": geometry(3, 40, b=2.25, d=2.2, squeeze_excitation=False),
    "no mobile part": geometry(2, 35, w=0.5, b=1.5, channelwise=False, swish=False, squeeze_excitation=False),
}


@pytest.fixture(autouse=True)
def one_thread():
    # PyTorch's threads spin while they wait, and slow each other down on a busy machine.
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    "row", [pytest.param(row, id=row.name, marks=pytest.mark.slow if row.name == "X3D-XXL" else ()) for row in ROWS]
)
def test_a_published_network_traces_to_its_closed_form(row):
    assert trace(row.geometry) == measure(row.geometry)


@pytest.mark.parametrize("name", ODD)
def test_an_odd_network_traces_to_its_closed_form(name):
    assert trace(ODD[name]) == measure(ODD[name])


width = st.integers(1, 40)
stage = st.builds(Stage, st.integers(1, 3), width, width, st.sampled_from((8, 16)))


@settings(max_examples=15, deadline=None)
@given(
    st.builds(
        Geometry,
        frames=st.integers(1, 4),
        stride=st.just(2),
        crop=st.integers(1, 70),
        stages=st.lists(stage, min_size=1, max_size=4).map(tuple),
        classes=st.integers(1, 12),
        head_width=st.integers(1, 64),
        stem_kernel=st.sampled_from((1, 3, 5)),
        channelwise=st.booleans(),
        swish=st.booleans(),
        squeeze_excitation=st.booleans(),
    )
)
def test_any_network_traces_to_its_closed_form(geometry):
    assert trace(geometry) == measure(geometry)


def test_tracing_is_silent_and_leaves_warnings_and_logging_as_they_were(caplog):
    filters, loggers = list(warnings.filters), set(logging.root.manager.loggerDict)
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        trace(ODD["crop 7"])
    assert raised == []
    assert caplog.records == []
    assert warnings.filters == filters
    new = set(logging.root.manager.loggerDict) - loggers
    assert all(not name.startswith("fvcore") or logging.getLogger(name).level == 0 for name in new)
