"""What is said of a worker that Ray has lost."""

from __future__ import annotations

import re


def reason(worker: str, text: str) -> str:
    """One line for people out of Ray's page. Ray does not know which signal ended a process."""
    if "low on memory" in text:
        return (
            f"Ray stopped the worker {worker} because its machine ran out of memory; let fewer trials share a machine "
            "(larger resources.cpus) or train with a smaller batch"
        )
    if "worker process has died" in text or "node where this actor was running" in text or not text:
        return (
            f"the worker {worker} died without a word: killed by a signal, often for want of memory, or by a crash "
            "outside of Python; Ray's logs on that machine may say more"
        )
    if raised := re.findall(r"^[\w.]+(?:Error|Exception)\b.*", text, re.MULTILINE):
        return f"the worker {worker} failed outside of the training: {raised[-1]}"
    lines = text.strip().splitlines() or ["Ray does not say why"]
    return f"the worker {worker} ended without an outcome: {lines[-1].strip()}"
