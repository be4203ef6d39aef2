"""A fixed 500 spoiled files; `make fuzz` reads 20,000 others. What they found has a test each here."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import fuzz
import fuzz_inputs
import pytest

from expander.errors import ExpanderError

SEED = 5


def told(findings: list[fuzz.Finding]) -> str:
    return "\n".join(f"{finding.path}: {finding.words}" for finding in findings)


def test_500_spoiled_files_of_every_kind_end_in_a_result_or_a_message(tmp_path: Path) -> None:
    report = fuzz.fuzz(fuzz.counts_of(500), SEED, tmp_path / "keep")
    assert not report.findings, told(report.findings)
    assert report.read.total() >= 500
    assert set(report.read) == set(fuzz_inputs.KINDS)
    assert report.slowest[0] < fuzz.SECONDS


def test_commands_given_spoiled_files_end_without_a_traceback_and_leave_the_store(tmp_path: Path) -> None:
    report = fuzz.fuzz_commands(4, SEED, tmp_path / "keep")
    assert not report.findings, told(report.findings)
