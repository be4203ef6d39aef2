"""Damaged and hostile files through the readers that take files from outside: `make fuzz`.

Every input follows from the seed, its kind and its number. They are read in processes of their own, whose memory is
bounded and whose death or silence is a finding. A reader may refuse with an error of ours; it may do nothing else.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import resource
import selectors
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared" / "data"
# A read of one input; what is longer is a hang.
HANG_SECONDS = 10.0
# Of a process' addresses; PyTorch alone takes some five.
MEMORY = 12 * 2**30
# What one input may add to a process' resident memory.
GROWTH = 1.5 * 2**30
SHARES = {
    "spaces": 4,
    "manifests": 5,
    "configs": 4,
    "checkpoints": 2,
    "outcomes": 1,
    "weights": 2,
    "lists": 3,
    "videos": 4,
}
TOKENS = (
    *(b"0", b"-1", b"1e309", b"nan", b".inf", b"9" * 400, b"null", b"true", b"\x00", b"\xff\xfe", b"\xed\xa0\x80"),
    *(b"[" * 3000, b"{a: " * 800, b"&a [*a, *a]", b"!!python/object/apply:os.getcwd []", b"\xe2\x80\xa8", b'"', b"'"),
    *(b"../../../etc/passwd", b"%s%n", b",,,,", b"\n\n\n", b": ", b"- ", b"\xd9\xa3", b"2026-11-28", b"1_0", b"0x10"),
)


@dataclass
class Tally:
    """What the inputs of one kind came to."""

    inputs: int = 0
    read: int = 0
    slowest: float = 0.0
    memory: int = 0
    findings: list[str] = field(default_factory=list)


def mutated(choice: random.Random, content: bytes) -> bytes:
    """Like `content`, but for one to a dozen changes of the kinds that disks, networks and people make."""
    text = bytearray(content)
    for _ in range(choice.choice((1, 1, 2, 4, 12))):
        place = choice.randrange(len(text) + 1)
        match choice.randrange(7):
            case 0 if text:
                text[min(place, len(text) - 1)] ^= 1 << choice.randrange(8)
            case 1:
                del text[place:]
            case 2:
                del text[place : place + choice.choice((1, 4, 60, 1000))]
            case 3:
                text[place:place] = choice.choice(TOKENS)
            case 4:
                other = choice.randrange(len(text) + 1)
                text[place:place] = text[other : other + choice.choice((1, 10, 200))]
            case 5:
                text[place : place + 4] = choice.choice((b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x00\x00\x00\x00"))
            case 6:
                lines = bytes(text).split(b"\n")
                choice.shuffle(lines)
                text = bytearray(b"\n".join(lines))
    return bytes(text)


def restructured(choice: random.Random, values: object) -> object:
    """A document with one of its values, or one of its keys, changed into something else."""
    if isinstance(values, dict) and values and choice.random() < 0.9:
        key = choice.choice(list(values))
        if choice.random() < 0.15:
            return {**{k: v for k, v in values.items() if k != key}, choice.choice(STRANGE_KEYS): values[key]}
        return {**values, key: restructured(choice, values[key])}
    if isinstance(values, list) and values and choice.random() < 0.7:
        place = choice.randrange(len(values))
        return [*values[:place], restructured(choice, values[place]), *values[place + 1 :]]
    return choice.choice(STRANGE)


STRANGE: tuple[object, ...] = (
    *(None, True, 0, -1, 1, 2**63, 10**30, 1e308, 0.5, float("nan"), float("inf"), "", "x", "0", "\u0000", "ä" * 500),
    *([], {}, [[]], {"x": {}}, list(range(300)), [None], "../../x", "1e9", "fast", ["fast"] * 40, 1e-300, 10**9),
)
STRANGE_KEYS = ("", "x", "basis", "recipe", "0", "γ", "__class__")


def originals(kind: str, folder: Path) -> list[tuple[str, bytes]]:
    """Sound files of a kind, by the names that tell readers what they are."""
    match kind:
        case "spaces":
            return [(path.name, path.read_bytes()) for path in sorted((ROOT / "search_spaces").glob("*.yaml"))]
        case "manifests":
            return [
                ("list.csv", b"".join(b"a/%d.mp4 %d\n" % (n, n % 3) for n in range(20))),
                ("comma.csv", b"".join(b'"a b/%d.mp4",%d\n' % (n, n % 3) for n in range(20))),
                ("k.csv", b"label,youtube_id,time_start,time_end\n" + b"abseiling,x_y-z12345,1,11\n" * 3),
                ("k.json", json.dumps({"abc": {"annotations": {"label": "a", "segment": [1.0, 11.0]}}}).encode()),
                ("s.json", json.dumps([{"id": "1", "template": "Holding [something]", "label": "x"}]).encode()),
                ("trainlist01.txt", b"A/v_A_g01_c01.avi 1\nB/v_B_g01_c01.avi 2\n"),
                *((path.name, path.read_bytes()[:4000]) for path in sorted((SHARED / "annotations").glob("*.csv"))),
            ]
        case "configs":
            made = folder / "published"
            for form in ("yaml", "pyslowfast"):
                command = [sys.executable, "-c", "from expander.cli import main; main()", "export", "--published"]
                subprocess.run([*command, "--format", form, "--out", str(made)], check=True, capture_output=True)
            return [(path.name, path.read_bytes()) for path in sorted(made.glob("*.yaml"))]
        case "lists":
            truth = b"v,0902,0.077,0.151,0.283,0.811,80,1\nv,0903,0.1,0.1,0.5,0.5,1,0\n"
            labels = b'item {\n  name: "a"\n  id: 1\n}\nlabel {\n  name: "b"\n  label_id: 2\n}\n'
            charades = b"id,subject,scene,quality,relevance,verified,script,objects,descriptions,actions,length\n"
            charades += b'ABCDE,S,Kitchen,6,7,Yes,"a, b",cup,"d",c092 11.90 21.20;c147 0.00 12.60,24.83\n' * 3
            box = b"v,0902,0.077,0.151,0.283,0.811,,0.99\n"
            return [("charades.csv", charades), ("truth.csv", truth), ("boxes.csv", box), ("labels.pbtxt", labels)]
        case "videos":
            return [(path.name, path.read_bytes()) for path in _videos(folder)]
    return []


def _videos(folder: Path) -> list[Path]:
    """Small real videos where there are some, and always some that are made here."""
    from trainers.data.synthetic import write_videos

    write_videos(folder / "made", train_per_class=1, val_per_class=1)
    real = [path for path in sorted(SHARED.rglob("*")) if path.suffix in (".mp4", ".avi", ".webm", ".mkv")]
    small = [path for path in real if path.stat().st_size < 400_000]
    return [*sorted((folder / "made").rglob("*.mp4"))[:4], *small[:: max(1, len(small) // 24)]]


def _trained(folder: Path) -> dict[str, list[tuple[str, bytes]]]:
    """A checkpoint, an outcome and weights, as a training leaves them."""
    import torch

    from expander.trial import Completed, Epoch, Metrics
    from trainers import checkpoint

    folder.mkdir(exist_ok=True)
    epoch = Epoch("t", 1, 2, 1.0, 0.5, 0.1, 1.0)
    model = torch.nn.Linear(3, 2)
    state = checkpoint.State("t", model.state_dict(), {"lr": 0.1}, (epoch,), {"a.mp4": "torn"})
    path = checkpoint.save(folder, state)
    checkpoint.save_weights(folder / checkpoint.WEIGHTS, model)
    checkpoint.save_completed(folder, Completed("t", Metrics(0.5, 0.9, 1.0, 9), 1.0, damaged=("a",)))
    torch.save({"model_state": model.state_dict()}, folder / "x.pyth")
    return {
        "checkpoints": [(path.name, path.read_bytes())],
        "outcomes": [(checkpoint.COMPLETED, (folder / checkpoint.COMPLETED).read_bytes())],
        "weights": [(n, (folder / n).read_bytes()) for n in (checkpoint.WEIGHTS, "x.pyth")],
    }


def reader(kind: str) -> Callable[[Path], object]:
    """What the program does with a file of that kind."""
    match kind:
        case "spaces":
            from expander.cli.files import load_space

            return lambda path: load_space(str(path))
        case "configs":
            from expander.cli.files import load_config

            return load_config
        case "manifests":
            from trainers.data.manifest import ManifestSource

            return lambda path: ManifestSource(path).read()
        case "lists":
            return _read_list
        case "videos":
            from expander.geometry import Geometry  # noqa: F401  as a training imports it
            from trainers.data.check import Clip, Task, look

            return lambda path: look(Task(path, Clip(16, 5), False, 5.0))
    import torch

    from trainers import checkpoint
    from trainers.weights.files import read_tensors

    match kind:
        case "checkpoints":
            return lambda path: checkpoint.latest(path.parent, "t")
        case "outcomes":
            return lambda path: checkpoint.load_completed(path.parent, "t")
        case _:
            model = torch.nn.Linear(3, 2)
            return lambda path: read_tensors(path) if path.suffix == ".pyth" else checkpoint.load_weights(path, model)


def _read_list(path: Path) -> object:
    from trainers.data import ava
    from trainers.data.charades import read_charades

    read: Mapping[str, Callable[[Path], object]] = {
        "charades.csv": lambda csv: read_charades(csv, csv.parent),
        "truth.csv": ava.read_truth,
        "boxes.csv": ava.read_proposals,
        "labels.pbtxt": ava.read_label_map,
    }
    return read[path.name](path)


def damaged(kind: str, seed: int, number: int, sound: list[tuple[str, bytes]]) -> tuple[str, bytes]:
    """Input `number` of a kind."""
    choice = random.Random(f"{seed} {kind} {number}")
    name, content = choice.choice(sound)
    document = name.endswith((".yaml", ".json")) and choice.random() < 0.6
    if document and kind != "outcomes":
        values = yaml.safe_load(content)
        for _ in range(choice.choice((1, 1, 2, 5))):
            values = restructured(choice, values)
        as_json = name.endswith(".json")
        text = json.dumps(values) if as_json else yaml.safe_dump(values, allow_unicode=True)
        return name, text.encode("utf-8", "surrogatepass")
    changed = mutated(choice, content)
    if kind == "checkpoints" and choice.random() < 0.5:
        # With a checksum that is right again: what was tampered with, not torn.
        payload = changed.partition(b"\n")[2]
        changed = b"x3d-expander checkpoint 2 sha256 %s\n" % hashlib.sha256(payload).hexdigest().encode() + payload
    return name, changed


def child(kind: str, seed: int, first: int, count: int, folder: Path) -> None:
    """Read inputs, telling each before it is begun and how it ended after."""
    from expander.errors import ExpanderError

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    sound = originals(kind, folder) or _trained(folder / "trained")[kind]
    read = reader(kind)
    here = folder / "input"
    shutil.rmtree(here, ignore_errors=True)
    here.mkdir()
    (here / "weights.safetensors").write_bytes(b"")
    for number in range(first, first + count):
        name, content = damaged(kind, seed, number, sound)
        for old in here.iterdir():
            old.unlink()
        if kind == "outcomes":
            (here / "weights.safetensors").write_bytes(b"weights")
        (here / name).write_bytes(content)
        _tell(begins=number)
        before, began, ended, problem = _resident(), time.monotonic(), "refused", ""
        try:
            read(here / name)
            ended = "read"
        except ExpanderError as error:
            problem = "" if str(error).strip() else "an empty message"
        except MemoryError:
            problem = f"more than {MEMORY >> 30} GiB"
        except BaseException:  # noqa: BLE001  whatever else comes out is what is looked for
            problem = traceback.format_exc()
        if not problem and (grown := _peak() - before) > GROWTH:
            problem = f"{grown >> 20} MiB of memory"
        if problem:
            shutil.copy(here / name, folder / f"found-{number}-{name}")
        _tell(ended=ended, seconds=time.monotonic() - began, memory=_peak(), problem=problem)
    _tell(done=True)


def _tell(**values: object) -> None:
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def fuzz(kind: str, count: int, seed: int, keep: Path) -> Tally:
    """Read `count` inputs of a kind. Those that are findings are kept in `keep`."""
    tally, number = Tally(), 0
    with tempfile.TemporaryDirectory(prefix="expander-fuzz-") as place:
        while number < count:
            number = _batch(kind, number, count, seed, Path(place), tally, keep)
    return tally


def _batch(kind: str, first: int, count: int, seed: int, folder: Path, tally: Tally, keep: Path) -> int:
    """One child, until it has read all or has died; the number of the next input."""
    command = [sys.executable, str(Path(__file__)), "--child", kind, str(seed), str(first), str(count - first)]
    at = first
    with (
        (folder / "stderr").open("wb") as stderr,
        subprocess.Popen(
            [*command, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, stderr=stderr, text=True
        ) as process,
    ):
        for told in _lines(process):
            if told is None:
                process.kill()
                _found(kind, at, f"no word for {HANG_SECONDS:g} s", folder, tally, keep)
                return at + 1
            at = told.get("begins", at)
            if "ended" in told:
                tally.inputs += 1
                tally.read += told["ended"] == "read"
                tally.slowest, tally.memory = max(tally.slowest, told["seconds"]), max(tally.memory, told["memory"])
                if told["problem"]:
                    _found(kind, at, told["problem"], folder, tally, keep)
            if told.get("done"):
                return count
    last = (folder / "stderr").read_text(errors="replace")[-500:]
    _found(kind, at, f"its process ended with {process.returncode}: {last}", folder, tally, keep)
    return at + 1


def _lines(process: subprocess.Popen[str]) -> Iterator[dict[str, object] | None]:
    """What the child tells; None where it is silent for too long in an input."""
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    rest, begun = "", False
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            # Imports and sound files take longer than an input may.
            if not selector.select(HANG_SECONDS if begun else 120):
                yield None
                return
            if not (more := os.read(process.stdout.fileno(), 1 << 16)):
                return
            *whole, rest = (rest + more.decode()).split("\n")
            for line in whole:
                told = json.loads(line)
                begun = True
                yield told


def _found(kind: str, number: int, problem: str, folder: Path, tally: Tally, keep: Path) -> None:
    keep.mkdir(parents=True, exist_ok=True)
    kept = []
    told = list(folder.glob(f"found-{number}-*"))
    for path in told or (folder / "input").glob("*"):
        kept.append(shutil.copy(path, keep / f"{kind}-{number}-{path.name.removeprefix(f'found-{number}-')}"))
    tally.findings.append(f"{kind} {number}: {problem.strip()}\n  kept in {', '.join(map(str, kept))}")


def shares(inputs: int) -> dict[str, int]:
    """How many inputs of each kind."""
    total = sum(SHARES.values())
    return {kind: -(-inputs * share // total) for kind, share in SHARES.items()}


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        kind, seed, first, count, folder = sys.argv[2:]
        child(kind, int(seed), int(first), int(count), Path(folder))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--keep", type=Path, default=Path("runs/fuzz"))
    parser.add_argument("--kinds", nargs="+", choices=SHARES, default=list(SHARES))
    given = parser.parse_args()
    print(f"seed {given.seed}: repeat with --seed {given.seed} --inputs {given.inputs}", flush=True)
    print(f"{'kind':>12}{'inputs':>10}{'read':>8}{'findings':>10}{'slowest':>10}{'memory':>11}", flush=True)
    findings = []
    for kind, count in shares(given.inputs).items():
        if kind not in given.kinds:
            continue
        tally = fuzz(kind, count, given.seed, given.keep)
        findings += tally.findings
        row = f"{kind:>12}{tally.inputs:>10,}{tally.read:>8,}{len(tally.findings):>10}{tally.slowest:>8.2f} s"
        print(f"{row}{tally.memory >> 20:>7,} MiB", flush=True)
    for finding in findings:
        print(finding, file=sys.stderr)
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
