"""How fast a trial trains, as people read it, and what to change where reading video holds it up."""

from __future__ import annotations

import math

from expander.trial import Epoch, Metrics
from expander.units import duration

# Of an epoch's time; with less, faster reading would hardly be noticed.
HELD_UP = 0.2


def told(epoch: Epoch) -> str:
    """One line about an epoch: what it learned and how fast."""
    line = f"epoch {epoch.number}/{epoch.epochs}, loss {epoch.loss:.3f}, train top-1 {epoch.top1:.1%}"
    return ", ".join([line, f"rate {epoch.rate:.4g}", _time(epoch.seconds), *figures(epoch)])


def figures(epoch: Epoch) -> list[str]:
    """What is known of the pace: clips a second, the share of waiting, the GPU's memory."""
    found = []
    if epoch.clips_per_second is not None:
        found.append(f"{speed(epoch.clips_per_second)} clips/s")
    if epoch.waited is not None:
        found.append(f"{epoch.waited:.0%} waiting for data")
    if epoch.gpu_memory is not None:
        found.append(f"{epoch.gpu_memory / 2**30:.1f} GiB of GPU memory")
    return found


def speed(clips_per_second: float) -> str:
    """To three digits: '0.452', '38.1', '1,204'."""
    digits = 2 - math.floor(math.log10(clips_per_second)) if clips_per_second > 0 else 0
    return f"{clips_per_second:,.{max(0, digits)}f}"


def held_up(epoch: Epoch) -> bool:
    """Whether reading video, not computing, set the pace. Not to be asked of an attempt's first epoch, in which files
    are opened and kernels chosen for the first time."""
    return epoch.waited is not None and epoch.waited > HELD_UP


def advice(epoch: Epoch, loader_workers: int) -> str:
    """For an epoch that was held up: how much, and what to change. loader_workers: processes that decoded for it."""
    return f"{shortfall(epoch)}: reading video, not computing, sets the pace. {remedy(epoch, loader_workers)}"


def shortfall(epoch: Epoch) -> str:
    """How much an epoch was held up."""
    assert epoch.waited is not None
    line = f"epoch {epoch.number} spent {epoch.waited:.0%} of its {_time(epoch.seconds)} waiting for data"
    if epoch.clips_per_second is None:
        return line
    alone = epoch.clips_per_second / _computing(epoch)
    return f"{line} ({speed(epoch.clips_per_second)} clips/s; computing alone {speed(alone)})"


def remedy(epoch: Epoch, loader_workers: int) -> str:
    """What to change.

    Workers that hold a training up are busy all the time: what they decoded in an epoch is to fit into its computing.
    """
    assert epoch.waited is not None
    # Without workers the training itself decodes, for the share of waiting.
    wanted = math.ceil((loader_workers or epoch.waited) / _computing(epoch) - 1e-9)
    return (
        f"Set resources.loader_workers to {wanted} (now {loader_workers}) and resources.cpus so that each has a core;"
        " or copy the videos with `expander data prepare`, unless they are copies already"
    )


def curves(epoch: Epoch) -> dict[str, float]:
    """The values of an epoch by the name of their curve, as TensorBoard and MLflow get them; unknown ones left out."""
    values = {
        "train/loss": epoch.loss,
        "train/top1": epoch.top1,
        "train/rate": epoch.rate,
        "pace/epoch_seconds": epoch.seconds,
        "pace/clips_per_second": epoch.clips_per_second,
        "pace/waiting_for_data": epoch.waited,
        "pace/gpu_memory_bytes": epoch.gpu_memory,
    }
    return {name: value for name, value in values.items() if value is not None}


def scores(metrics: Metrics) -> dict[str, float]:
    """The scores on validation, named alike."""
    return {"val/top1": metrics.top1, "val/top5": metrics.top5, "val/loss": metrics.loss}


def _computing(epoch: Epoch) -> float:
    """Share of an epoch in which it computed; never none."""
    return max(1 - (epoch.waited or 0), 0.01)


def _time(seconds: float) -> str:
    return duration(seconds) if seconds >= 10 else f"{seconds:.2g} s"
