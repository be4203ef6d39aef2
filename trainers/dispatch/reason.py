"""What is said of a worker that Ray has lost."""

from __future__ import annotations

import re

from expander.trial import FailureKind

# As Ray writes of a machine that it has given up.
GONE = re.compile(r"\bnode (where this actor was running )?(has |is |was )?(died|dead|terminated)\b|marked dead")


def reason(worker: str, text: str) -> tuple[FailureKind, str]:
    """What kind of failure it is, and one line for people, out of Ray's page. Ray does not know which signal ended a
    process."""
    if "low on memory" in text:
        return FailureKind.SIGNAL, (
            f"Ray stopped the worker {worker} (SIGKILL) because its machine ran out of memory; let fewer trials share a"
            " machine (larger resources.cpus) or train with a smaller batch"
        )
    if "failed to import on the worker" in text:
        missing = re.findall(r"^(?:ModuleNotFound|Import)Error: .*", text, re.MULTILINE)
        return FailureKind.CODE, (
            f"the worker {worker} cannot import the training ({missing[-1] if missing else 'Ray does not say why'});"
            " install the same packages on every machine of the cluster"
        )
    if GONE.search(text):
        return FailureKind.LOST, (
            f"the machine of the worker {worker} was lost: taken away, switched off or cut off from the cluster"
        )
    if "worker process has died" in text or "node where this actor was running" in text or not text:
        return FailureKind.SIGNAL, (
            f"the worker {worker} died without a word: killed by a signal (SIGKILL, often for want of memory), or by a"
            " crash outside of Python; Ray's logs on that machine may say more"
        )
    if raised := re.findall(r"^[\w.]+(?:Error|Exception)\b.*", text, re.MULTILINE):
        return FailureKind.ERROR, f"the worker {worker} failed outside of the training: {raised[-1]}"
    lines = text.strip().splitlines() or ["Ray does not say why"]
    return FailureKind.ERROR, f"the worker {worker} ended without an outcome: {lines[-1].strip()}"
