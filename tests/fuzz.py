"""Bad input by the thousand: `make fuzz` reads 20,000 files that are spoiled in a way that follows from a printed seed.

Each is read as the product reads it, in a process with a limit on its memory and a clock outside of it. A finding is
anything but a result or an ExpanderError of ours: another exception, a signal, more than SECONDS, more than MEMORY. So
is a command that ends with a traceback, and one that changes a store. The input of a finding stays in a named file.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import fuzz_inputs

from expander.errors import ExpanderError

SECONDS = 10.0
START_SECONDS = 120.0  # for a process to import all and to make its sound files
MEMORY = 1 << 30  # bytes of address space that a reader may add; a frame of 8K as RGB is a tenth of it
TOTAL = 20_000
COMMANDS = 40


@dataclass(frozen=True)
class Finding:
    """What went wrong with an input, which is kept in `path`."""

    kind: str
    number: int
    words: str
    path: Path


@dataclass
class Report:
    """What came of the inputs. read, refused: by kind. slowest: seconds, kind and number. peak: bytes resident."""

    read: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    slowest: tuple[float, str, int] = (0.0, "", 0)
    peak: int = 0


def counts_of(total: int) -> dict[str, int]:
    """How many inputs of each kind make up at least `total`."""
    return {name: math.ceil(total * kind.share) for name, kind in fuzz_inputs.KINDS.items()}


def fuzz(counts: Mapping[str, int], seed: int, keep: Path) -> Report:
    """So many inputs of each kind. A process that is lost is followed by another, which goes on after its input."""
    report = Report()
    jobs = [(kind, number) for kind, count in counts.items() for number in range(count)]
    while jobs:
        jobs = _run(jobs, seed, report, keep)
    return report


def _run(jobs: list[tuple[str, int]], seed: int, report: Report, keep: Path) -> list[tuple[str, int]]:
    """Read these inputs until the process is lost; those that are left."""
    mine, theirs = multiprocessing.get_context("spawn").Pipe(duplex=False)
    with tempfile.TemporaryDirectory() as folder:
        process = multiprocessing.get_context("spawn").Process(
            target=_work, args=(jobs, seed, Path(folder), theirs), daemon=True
        )
        process.start()
        theirs.close()
        place, limit, busy = -1, START_SECONDS, False
        while True:
            try:
                if not mine.poll(limit):
                    process.kill()
                    words = f"still busy after {limit:g} s"
                    break
                told = mine.recv()
            except (EOFError, ConnectionResetError):
                process.join()
                words = _end(process.exitcode)
                break
            if isinstance(told, int):
                place, limit, busy = told, SECONDS, True
                kind, number = jobs[place]
                continue
            busy, limit = False, START_SECONDS
            refused, words, seconds, peak = told
            report.read[kind] += 1
            report.refused[kind] += refused
            report.slowest = max(report.slowest, (seconds, kind, number))
            report.peak = max(report.peak, peak)
            if words:
                report.findings.append(_kept(kind, seed, number, words, keep))
        process.join()
        if not busy and process.exitcode == 0:
            return []
        if place < 0:
            raise RuntimeError(f"the process that reads did not begin: {words}")
        report.read[kind] += busy
        report.findings.append(_kept(kind, seed, number, words, keep))
        return jobs[place + 1 :]


def _work(jobs: list[tuple[str, int]], seed: int, folder: Path, told: Connection) -> None:
    warnings.simplefilter("ignore")
    for kind in dict.fromkeys(kind for kind, _ in jobs):
        fuzz_inputs.sound(kind, folder / "sound")
    place = folder / "input"
    place.mkdir()
    (place / "weights.safetensors").write_bytes(b"weights")  # what an outcome stands beside
    for video in range(5):
        (place / f"AB{video}CD.mp4").touch()  # what Charades' csv lists
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGESIZE")
    resource.setrlimit(resource.RLIMIT_AS, (in_use + MEMORY, in_use + MEMORY))
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())  # what FFmpeg and the warnings say
    for index, (kind, number) in enumerate(jobs):
        name, content = fuzz_inputs.draw(kind, seed, number, folder / "sound")
        path = place / name
        path.write_bytes(content)
        told.send(index)
        start = time.monotonic()
        refused, words = _read(kind, path)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        told.send((refused, words, time.monotonic() - start, peak))
        path.unlink()


def _read(kind: str, path: Path) -> tuple[bool, str]:
    """Whether an input was refused as it should be, and what went wrong."""
    try:
        fuzz_inputs.KINDS[kind].read(path)
    except ExpanderError as error:
        return True, "" if str(error).strip() else f"{type(error).__name__} without a message"
    except Exception:  # noqa: BLE001 - that none comes is what is tested
        return False, traceback.format_exc()
    return False, ""


def _end(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        return f"the process ended by {signal.Signals(-exitcode).name}"
    return f"the process ended with exit code {exitcode}"


def _kept(kind: str, seed: int, number: int, words: str, keep: Path) -> Finding:
    with tempfile.TemporaryDirectory() as folder:
        name, content = fuzz_inputs.draw(kind, seed, number, Path(folder) / "sound")
    keep.mkdir(parents=True, exist_ok=True)
    path = keep / f"{kind}-{seed}-{number}-{name}"
    path.write_bytes(content)
    return Finding(kind, number, words, path)


def fuzz_commands(wanted: int, seed: int, keep: Path) -> Report:
    """Some inputs through the command line, beside a store that has to stay as it is."""
    from results.store import open_store

    report = Report()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = folder / "store.sqlite"
        with closing(open_store(f"sqlite:///{store}", create=True)):
            pass
        before = hashlib.sha256(store.read_bytes()).hexdigest()
        for number in range(wanted):
            kind = ("spaces", "configs", "manifests", "weights")[number % 4]
            file, content = fuzz_inputs.draw(kind, seed, number, folder / "sound")
            path = folder / file
            path.write_bytes(content)
            start = time.monotonic()
            words = _command(_arguments(kind, path, store), folder)
            if hashlib.sha256(store.read_bytes()).hexdigest() != before:
                words = words or "the store changed"
            report.read[f"{kind} by command"] += 1
            report.slowest = max(report.slowest, (time.monotonic() - start, kind, number))
            if words:
                report.findings.append(_kept(kind, seed, number, words, keep))
            path.unlink()
    return report


def _arguments(kind: str, path: Path, store: Path) -> list[str]:
    """A command that reads the file and, were it sound, would end with another mistake or change nothing."""
    absent = str(path.parent / "absent.csv")
    match kind:
        case "spaces":
            at = ["--store", f"sqlite:///{store}", "--runs", str(path.parent / "runs")]
            return ["search", str(path), "--name", "fuzz", "--train", absent, "--val", absent, *at]
        case "configs":
            return ["cost", str(path)]
        case "manifests":
            return ["data", "check", str(path)]
    return ["convert", "X3D-S", str(path), "--to", "onnx", "--out", str(path.parent / "never.onnx")]


def _command(arguments: list[str], folder: Path) -> str:
    """What went wrong with a command, empty where nothing did."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", "from expander.cli import main; main()", *arguments],
            cwd=folder,
            capture_output=True,
            timeout=6 * SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"{arguments[0]}: still busy after {6 * SECONDS:g} s"
    said = (done.stdout + done.stderr).decode(errors="replace")
    if "Traceback" in said or done.returncode not in (0, 1, 2):
        return f"{arguments[0]}: exit code {done.returncode}\n{said}"
    return ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--inputs", type=int, default=TOTAL)
    parser.add_argument("--commands", type=int, default=COMMANDS, help="inputs through the command line, beside these")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4)))
    parser.add_argument("--kind", choices=fuzz_inputs.KINDS, help="this kind alone")
    parser.add_argument("--keep", type=Path, default=Path("runs/fuzz"), help="folder for the inputs of findings")
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    start = time.monotonic()
    counts = {given.kind: given.inputs} if given.kind else counts_of(given.inputs)
    reports = [fuzz({kind: count}, given.seed, given.keep) for kind, count in counts.items()]
    reports.append(fuzz_commands(given.commands, given.seed, given.keep))
    for kind, read in (pair for report in reports for pair in report.read.items()):
        print(f"{kind:22} {read:7,} inputs, {sum(report.refused[kind] for report in reports):7,} refused")
    seconds, kind, number = max(report.slowest for report in reports[:-1])
    print(f"{sum(report.read.total() for report in reports):,} inputs in {time.monotonic() - start:,.0f} s")
    print(f"slowest: {kind} {number}, {seconds:.2f} s; peak memory {max(r.peak for r in reports) / 2**20:,.0f} MiB")
    findings = [finding for report in reports for finding in report.findings]
    for finding in findings:
        print(f"\nFINDING {finding.path}\n{finding.words.rstrip()}")
    print(f"{len(findings)} findings")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
