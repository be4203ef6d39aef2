"""The inputs of the fuzzers: sound files of each kind, what spoils them, and the reader that gets the result."""

from __future__ import annotations

import functools
import hashlib
import json
import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import torch
import yaml
from test_scores import GEOMETRY, SCORES

from expander.cli.files import load_config, load_space
from expander.cli.networks import shipped_configs
from expander.errors import ExpanderError
from expander.recipe import Recipe
from expander.trial import Completed, Epoch, Metrics
from results.peers import pyslowfast
from results.scores import read_scores, write_scores
from trainers import checkpoint
from trainers.data.ava import read_excluded, read_label_map, read_proposals, read_truth
from trainers.data.charades import read_charades
from trainers.data.clips import Clip, TrainingClips
from trainers.data.manifest import Manifest, ManifestSource, Video
from trainers.data.synthetic import write_videos
from trainers.networks.build import build
from trainers.weights.files import read_tensors, write_tensors
from trainers.weights.layouts import Layout

DATA = Path(__file__).parents[1].parent / "shared" / "data"
LARGEST_VIDEO = 400_000  # bytes; larger ones take seconds even where they are sound
LARGEST_TEXT = 20_000
TRIAL = "0123456789abcdef"

# What a mistake, a careless tool or malice writes in the place of a value.
ODD = (
    *(
        "",
        " ",
        "~",
        "null",
        "NaN",
        ".nan",
        "-.inf",
        "1e999",
        "1e-999",
        "-1",
        "0",
        "0x10",
        "1_000",
        "9" * 400,
        "9" * 5000,
    ),
    *("true", "on", "2026-01-01", "[]", "{}", "[[[", "{a: {a: 1}}", "'", '"', "&a [*a]", "*a", "<<: {a: 1}", "? []"),
    *("!!int ''", "!!bool x", "!!float x", "!!timestamp x", "!!binary é", "!!set {a}", "!!omap [a]", "!!pairs [1]"),
    *("!!python/object/apply:os.system [id]", "!x y", "%YAML 9.9\n---\n", "---\n", "...\n", "|\n x", ">-\n"),
    *(
        "é",
        "\u202e",
        "\x00",
        "\x1b[31m",
        "\ufeff",
        "\U0001f3a5",
        "\u0085",
        "\u0661\u0662",
        "İ",
        "²",
        "../../etc/passwd",
    ),
    *(
        "/",
        "//",
        "~root",
        "a" * 5000,
        "\t",
        "\r",
        ",",
        ";",
        "1,",
        "-0",
        "0.1",
        "1.5e3",
        "4294967296",
        "1e308",
        "2" * 19,
    ),
)
BRACKETS = ("[", "{a: ", "(", '{"a":', "- ", "!!seq [", "? ")


@dataclass(frozen=True)
class Kind:
    """One kind of input. seeds: name and content of sound ones. read: as the product reads it. share: of all inputs."""

    seeds: Callable[[Path], Sequence[tuple[str, bytes]]]
    read: Callable[[Path], object]
    spoil: Callable[[random.Random, bytes], bytes]
    share: float


# What spoils a file.


def spoiled_text(chance: random.Random, content: bytes) -> bytes:
    """One to four of: odd values, lines gone, doubled, moved or indented, deep nesting, alias bombs, wrong bytes."""
    text = content.decode()
    for _ in range(chance.choice((1, 1, 2, 4))):
        text = chance.choice(_TEXT_CHANGES)(chance, text)
    encoded = text.encode("utf-8", "surrogatepass")
    return spoiled_bytes(chance, encoded) if chance.random() < 0.1 else encoded


def _value(chance: random.Random, text: str) -> str:
    """An odd value in the place of what follows a colon, comma, blank or bracket."""
    places = [place for place, letter in enumerate(text) if letter in ":, [{="]
    if not places:
        return text + chance.choice(ODD)
    place = chance.choice(places) + 1
    end = place
    while end < len(text) and text[end] not in ",]}\n":
        end += 1
    return f"{text[:place]} {chance.choice(ODD)}{text[end:]}" if chance.random() < 0.8 else text[:place] + text[end:]


def _word(chance: random.Random, text: str) -> str:
    place = chance.randrange(len(text) + 1)
    return text[:place] + chance.choice(ODD) + text[place + chance.choice((0, 1, 5)) :]


def _lines(chance: random.Random, text: str) -> str:
    lines = text.split("\n")
    one, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    match chance.randrange(5):
        case 0:
            del lines[one]
        case 1:
            lines.insert(other, lines[one])
        case 2:
            lines[one], lines[other] = lines[other], lines[one]
        case 3:
            lines[one] = " " * chance.randrange(1, 5) + lines[one]
        case 4:
            lines[one] = lines[one].lstrip()
    return "\n".join(lines)


def _nested(chance: random.Random, text: str) -> str:
    place = text.find("\n", chance.randrange(len(text) + 1)) + 1
    return text[:place] + chance.choice(BRACKETS) * chance.choice((30, 1000, 100_000)) + text[place:]


def _bomb(chance: random.Random, text: str) -> str:
    """Nine levels of nine aliases each: a thousand million values, were they written out."""
    levels = [f"a0: &a0 [{', '.join(['lol'] * 9)}]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    return "\n".join((*levels, text) if chance.random() < 0.5 else (text, *levels))


def _large(chance: random.Random, text: str) -> str:
    """Many times the same, up to megabytes."""
    return (text + "\n") * chance.choice((2, 50, 300)) if len(text) < 10_000 else text * 2


_TEXT_CHANGES = (*(_value,) * 8, *(_word,) * 4, *(_lines,) * 4, _nested, _bomb, _large)


def spoiled_bytes(chance: random.Random, content: bytes) -> bytes:
    """Flipped bits, wrong bytes, huge 32-bit numbers, pieces gone, doubled or of zeros; a file cut off."""
    spoiled = bytearray(content)
    # Headers are where a number says what is to be allocated.
    reach = len(spoiled) if chance.random() < 0.6 else min(len(spoiled), 2000)
    for _ in range(chance.choice((0, 1, 1, 4, 32, 256)) if reach else 0):
        place = chance.randrange(reach)
        match chance.randrange(4):
            case 0:
                spoiled[place] ^= 1 << chance.randrange(8)
            case 1:
                spoiled[place] = chance.choice((0, 0x7F, 0x80, 0xFF, chance.randrange(256)))
            case 2:
                number = chance.choice((0, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x10000, 1))
                spoiled[place : place + 4] = number.to_bytes(4, chance.choice(("big", "little")))
            case 3:
                spoiled[place : place + 4] = bytes(spoiled[p] for p in range(place, min(place + 4, len(spoiled))))[::-1]
    if spoiled and chance.random() < 0.35:
        start, length = chance.randrange(len(spoiled)), chance.choice((1, 16, 4096))
        piece = bytes(spoiled[start : start + length])
        spoiled[start : start + length] = chance.choice((b"", piece * 2, bytes(len(piece)), piece[::-1]))
    return bytes(spoiled[: chance.randrange(len(spoiled) + 1)] if chance.random() < 0.3 else spoiled)


def spoiled_either(chance: random.Random, content: bytes) -> bytes:
    """Text where it is one."""
    try:
        content.decode()
    except UnicodeDecodeError:
        return spoiled_bytes(chance, content)
    return spoiled_text(chance, content)


def resealed(chance: random.Random, content: bytes) -> bytes:
    """A checkpoint that is spoiled; half of the time its checksum fits what it holds."""
    if chance.random() < 0.5:
        return spoiled_bytes(chance, content)
    return sealed(spoiled_bytes(chance, content.partition(b"\n")[2]))


def sealed(payload: bytes) -> bytes:
    """A checkpoint of any content whose checksum matches."""
    return b"x3d-expander checkpoint 2 sha256 " + hashlib.sha256(payload).hexdigest().encode() + b"\n" + payload


# Sound files.


def _spaces(folder: Path) -> list[tuple[str, bytes]]:
    shipped = [entry for entry in resources.files("search_spaces").iterdir() if entry.name.endswith(".yaml")]
    return [(entry.name, entry.read_bytes()) for entry in sorted(shipped, key=lambda entry: entry.name)]


def _configs(folder: Path) -> list[tuple[str, bytes]]:
    shipped = shipped_configs()
    ours = [(f"{name}.yaml", yaml.safe_dump(config.as_dict()).encode()) for name, config in shipped.items()]
    theirs = [(f"{name}-theirs.yaml", pyslowfast.express(shipped[name]).encode()) for name in ("X3D-S", "X3D-L")]
    return ours + theirs * 4


def _scores(folder: Path) -> list[tuple[str, bytes]]:
    write_scores(SCORES, folder / "scores.json")
    return [("scores.json", (folder / "scores.json").read_bytes())]


def _manifests(folder: Path) -> list[tuple[str, bytes]]:
    kinetics = {f"v{n:010d}": {"annotations": {"label": f"class {n % 3}", "segment": [n, n + 10]}} for n in range(6)}
    csv = "label,youtube_id,time_start,time_end,split\n" + "".join(
        f"riding a bike,abcdefghij{n},{n},{n + 10},train\n" for n in range(6)
    )
    something = [{"id": str(n), "template": "Pushing [something]", "label": "pushing cup"} for n in range(6)]
    made = [
        ("list.txt", "".join(f"a/{n}.mp4 {n % 3}\n" for n in range(6))),
        ("list.csv", "".join(f'"a b/{n}.mp4",{n % 3}\n' for n in range(6))),
        ("words.csv", "".join(f"a/{n}.mp4,class {n % 3}\n" for n in range(6))),
        ("kinetics.json", json.dumps(kinetics, indent=1)),
        ("kinetics.csv", csv),
        ("train.json", json.dumps(something, indent=1)),
        ("trainlist01.txt", "".join(f"One/v_One_g0{n}_c01.avi 1\n" for n in range(6))),
    ]
    found = sorted((DATA / "annotations").rglob("*")) if DATA.is_dir() else []
    official = [(path.name, path.read_bytes()[:LARGEST_TEXT]) for path in found if path.suffix in (".csv", ".txt")]
    return [*((name, text.encode()) for name, text in made), *official]


def _charades(folder: Path) -> list[tuple[str, bytes]]:
    rows = "".join(f'AB{n}CD,S1,Kitchen,6,7,"A person, {n}.",c092 1.0 4.5;c000 0.0 3.1,30.0\n' for n in range(5))
    return [("charades.csv", f"id,subject,scene,quality,relevance,script,actions,length\n{rows}".encode())]


def _ava(folder: Path) -> list[tuple[str, bytes]]:
    truth = "".join(f"abc,{n:04d},0.1,0.2,0.5,0.9{n},{n + 1},{n}\n" for n in range(6))
    return [
        ("truth.csv", truth.encode()),
        ("proposals.csv", "".join(f"abc,{n:04d},0.1,0.2,0.5,0.9,,0.9{n}\n" for n in range(6)).encode()),
        ("excluded.csv", b"abc,0903\nabc,0904\n"),
        ("labels.pbtxt", b'item {\n  name: "sit"\n  id: 11\n}\nlabel {\n  name: "walk"\n  label_id: 14\n}\n'),
    ]


def _checkpoints(folder: Path) -> list[tuple[str, bytes]]:
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    model(torch.zeros(1, 3)).sum().backward()
    optimizer.step()
    epochs = (Epoch(TRIAL, 1, 4, 1.0, 0.5, 0.1, 2.0),)
    state = checkpoint.State(TRIAL, model.state_dict(), optimizer.state_dict(), epochs)
    return [("epoch-00001.checkpoint", checkpoint.save(folder, state).read_bytes())]


def _outcomes(folder: Path) -> list[tuple[str, bytes]]:
    (folder / checkpoint.WEIGHTS).write_bytes(b"weights")
    completed = Completed(TRIAL, Metrics(0.5, 1.0, 0.7, 8), 1.0, str(folder / checkpoint.WEIGHTS))
    checkpoint.save_completed(folder, completed)
    return [(checkpoint.COMPLETED, (folder / checkpoint.COMPLETED).read_bytes())]


def _weights(folder: Path) -> list[tuple[str, bytes]]:
    tensors = {"module.a.weight": torch.ones(2, 3), "module.a.bias": torch.zeros(2)}
    found = []
    for layout, name in (
        (Layout.EXPANDER, "a.safetensors"),
        (Layout.PYSLOWFAST, "a.pyth"),
        (Layout.MMACTION2, "a.pth"),
    ):
        write_tensors(folder / name, tensors, layout)
        found.append((name, (folder / name).read_bytes()))
    torch.save(tensors, folder / "old.pyth", _use_new_zipfile_serialization=False)
    checkpoint.save_weights(folder / "whole.safetensors", build(GEOMETRY))
    old, whole = folder / "old.pyth", folder / "whole.safetensors"
    return [*found, (old.name, old.read_bytes()), (whole.name, whole.read_bytes())]


def _videos(folder: Path) -> list[tuple[str, bytes]]:
    """Small real videos of every container that is there, and synthetic ones."""
    write_videos(folder / "synthetic", train_per_class=1, val_per_class=1)
    found = sorted((folder / "synthetic").rglob("*.mp4"))[:4]
    if DATA.is_dir():
        found += sorted((DATA / "decoder" / "files").iterdir()) * 3
        for name in ("actions", "fights", "gestures", "interactions"):
            found += sorted(p for p in (DATA / name).rglob("*") if p.suffix in (".mp4", ".avi", ".mkv", ".webm"))[:8]
    small = [path for path in found if 0 < path.stat().st_size <= LARGEST_VIDEO]
    return [(f"video{path.suffix}", path.read_bytes()) for path in small]


# What reads them.


def _read_manifest(path: Path) -> object:
    return ManifestSource(path).read()


def _read_ava(path: Path) -> object:
    match path.name:
        case "truth.csv":
            return read_truth(path)
        case "proposals.csv":
            return read_proposals(path)
        case "excluded.csv":
            return read_excluded(path)
    return read_label_map(path)


def _read_weights(path: Path) -> object:
    if path.name == "whole.safetensors":
        return checkpoint.load_weights(path, build(GEOMETRY))
    return read_tensors(path)


def _read_video(path: Path) -> object:
    """A clip as the training draws it. Damage is no error: the training counts it and goes on."""
    clips = TrainingClips(Manifest(path, (Video(path, 0),), ("a",), "a list"), GEOMETRY, Recipe(), seed=0)
    clip = clips[0, 0]
    if isinstance(clip, Clip):
        return clip
    if not clip.reason or "\n" in clip.reason:
        raise ValueError(f"no one-line reason: {clip.reason!r}")
    raise Refused(clip.reason)


class Refused(ExpanderError):
    """A damaged video, told as the readers of other files tell it."""


KINDS: dict[str, Kind] = {
    "spaces": Kind(_spaces, lambda path: load_space(str(path)), spoiled_text, 0.2),
    "configs": Kind(_configs, lambda path: load_config(str(path)), spoiled_text, 0.14),
    "scores": Kind(_scores, read_scores, spoiled_text, 0.06),
    "manifests": Kind(_manifests, _read_manifest, spoiled_either, 0.16),
    "charades": Kind(_charades, lambda path: read_charades(path, path.parent), spoiled_either, 0.05),
    "ava": Kind(_ava, _read_ava, spoiled_either, 0.05),
    "checkpoints": Kind(_checkpoints, lambda path: checkpoint.latest(path.parent, TRIAL), resealed, 0.08),
    "outcomes": Kind(_outcomes, lambda path: checkpoint.load_completed(path.parent, TRIAL), spoiled_text, 0.04),
    "weights": Kind(_weights, _read_weights, spoiled_bytes, 0.08),
    "videos": Kind(_videos, _read_video, spoiled_bytes, 0.14),
}


@functools.cache
def sound(kind: str, folder: Path) -> tuple[tuple[str, bytes], ...]:
    """The sound files of a kind, made in `folder`, which is emptied again."""
    folder.mkdir(exist_ok=True)
    try:
        return tuple(KINDS[kind].seeds(folder))
    finally:
        shutil.rmtree(folder)


def draw(kind: str, seed: int, number: int, folder: Path) -> tuple[str, bytes]:
    """Input `number` of a kind: the name of its file and its content, the same for the same seed."""
    chance = random.Random(f"{seed} {kind} {number}")
    name, content = chance.choice(sound(kind, folder))
    return name, KINDS[kind].spoil(chance, content)
