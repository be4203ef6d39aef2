"""The paper's numbers: every network of the published search, from its factors (facts.md, "The published path")."""

from typing import NamedTuple

import pytest

from expander.axis import Factors
from expander.complexity import measure
from expander.geometry import Basis, Geometry, realise

NARROW = ((24, 48, 96, 192), (24, 48, 96, 192))
INVERTED = ((24, 48, 96, 192), (54, 108, 216, 432))
WIDE = ((32, 72, 136, 280), (72, 162, 306, 630))


class Row(NamedTuple):
    name: str
    frames: int
    stride: int | None
    crop: int
    gamma_w: float
    gamma_b: float
    gamma_d: float
    widths: tuple[tuple[int, ...], tuple[int, ...]]  # of the stages, and inside their bottlenecks
    blocks: tuple[int, ...]
    flops: int
    params: int
    params_without_batchnorm: int

    @property
    def geometry(self) -> Geometry:
        factors = Factors(self.stride, self.frames, self.crop / 112, self.gamma_w, self.gamma_b, self.gamma_d)
        return realise(factors, Basis())


# fmt: off
#   name, T, τ, S, γw, γb, γd, widths, blocks, multiply-adds, params, params without BN
ROWS = (
    Row("X2D",         1,None,112, 1.00, 1.00, 1.0, NARROW,   (1, 2, 5, 3),         20_662_304,  1_633_560,  1_625_352),
    Row("step 1",      1,None,112, 1.00, 2.25, 1.0, INVERTED, (1, 2, 5, 3),         40_996_040,  2_653_172,  2_638_604),
    Row("step 2",      2,  16,112, 1.00, 2.25, 1.0, INVERTED, (1, 2, 5, 3),         80_209_520,  2_653_172,  2_638_604),
    Row("step 3",      2,  16,160, 1.00, 2.25, 1.0, INVERTED, (1, 2, 5, 3),        153_402_560,  2_653_172,  2_638_604),
    Row("step 4",      2,  16,160, 1.00, 2.25, 2.2, INVERTED, (3, 5, 11, 7),       303_559_712,  3_794_322,  3_762_858),
    Row("X3D-XS",      4,  12,160, 1.00, 2.25, 2.2, INVERTED, (3, 5, 11, 7),       605_256_512,  3_794_322,  3_762_858),
    Row("step 6",      8,   9,160, 1.00, 2.25, 2.2, INVERTED, (3, 5, 11, 7),     1_208_650_112,  3_794_322,  3_762_858),
    Row("step 7",     16,   5,160, 1.00, 2.25, 2.2, INVERTED, (3, 5, 11, 7),     2_415_437_312,  3_794_322,  3_762_858),
    Row("X3D-S",      13,   6,160, 1.00, 2.25, 2.2, INVERTED, (3, 5, 11, 7),     1_962_892_112,  3_794_322,  3_762_858),
    Row("X3D-M",      16,   5,224, 1.00, 2.25, 2.2, INVERTED, (3, 5, 11, 7),     4_732_468_736,  3_794_322,  3_762_858),
    Row("step 9",     16,   5,312, 1.00, 2.25, 2.2, INVERTED, (3, 5, 11, 7),     9_451_559_360,  3_794_322,  3_762_858),
    Row("X3D-L",      16,   5,312, 1.00, 2.25, 5.0, INVERTED, (5, 10, 25, 15),  18_367_710_176,  6_153_432,  6_087_120),
    Row("X3D-XL",     16,   5,312, 1.45, 2.25, 5.0, WIDE,     (5, 10, 25, 15),  35_837_627_616, 11_095_904, 11_000_260),
    Row("step 12",    32,   3,312, 1.45, 2.25, 5.0, WIDE,     (5, 10, 25, 15),  71_672_522_272, 11_095_904, 11_000_260),
    Row("X3D-XXL",    32,   3,312, 1.45, 2.25, 10.2,WIDE,     (11, 21, 51, 31),143_541_630_016, 20_474_404, 20_279_760),
)
# fmt: on


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_factors_realise_the_published_geometry(row):
    geometry = row.geometry
    assert (geometry.frames, geometry.stride, geometry.crop) == (row.frames, row.stride, row.crop)
    assert (geometry.widths, geometry.inner_widths) == row.widths
    assert geometry.blocks == row.blocks


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_closed_form_lands_on_the_published_complexity(row):
    complexity = measure(row.geometry)
    assert complexity.flops == row.flops
    assert complexity.params == row.params
    assert complexity.params_without_batchnorm == row.params_without_batchnorm


#    Table 4 of the paper: GFLOPs and millions of parameters, some cut rather than rounded
PRINTED = {
    "X2D": (0.02067, 1.63),
    "X3D-XS": (0.60, 3.76),
    "X3D-S": (1.96, 3.76),
    "X3D-M": (4.73, 3.76),
    "X3D-L": (18.37, 6.08),
    "X3D-XL": (35.84, 11.0),
    "X3D-XXL": (143.5, 20.3),
}


@pytest.mark.parametrize("row", [row for row in ROWS if row.name in PRINTED], ids=lambda row: row.name)
def test_the_printed_figures_are_these_to_their_last_digit(row):
    gflops, millions = PRINTED[row.name]
    assert row.flops / 1e9 == pytest.approx(gflops, rel=0.01)
    assert row.params_without_batchnorm / 1e6 == pytest.approx(millions, rel=0.005)
