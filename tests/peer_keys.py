"""Writes a fixture: the names and shapes of a network's tensors, from a file of weights.

    python tests/peer_keys.py STATE.pyth "what the network is" > tests/data/NAME.txt

Run it on what the other tool saved, `torch.save({"model_state": model.state_dict()}, "STATE.pyth")`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from trainers.weights.files import read_tensors


def lines(weights: Path, title: str) -> Iterator[str]:
    """A comment, and for each tensor its name and its sizes."""
    yield f"# {title}"
    for name, tensor in read_tensors(weights).items():
        yield " ".join([name, *map(str, tensor.shape)])


def shapes(fixture: Path) -> dict[str, tuple[int, ...]]:
    """What `lines` wrote: the shape of each tensor by its name."""
    found = (line.split() for line in fixture.read_text().splitlines() if not line.startswith("#"))
    return {name: tuple(map(int, sizes)) for name, *sizes in found}


if __name__ == "__main__":
    print(*lines(Path(sys.argv[1]), sys.argv[2]), sep="\n")
