"""A trunk in evaluation as a list of kernel calls, which are made again without the modules that led to them.

The modules choose their kernels by shapes, flags and the number of threads alone, so for a shape that was seen before
the calls are the same, but for the addresses of what lies in memory: the clips, the result, and all between, which is
one piece of memory (arena.py) that is let go after each pass. Weights are read where they lie: changed in place, they
are seen. Whatever else of the network changes is noticed, and the modules run again.

Not noticed, and so taken as fixed: what a layer is told as it is made, but for its stride and eps; the code of the
modules' classes; `data` of a weight set to another view of the same memory, from the same address on; hooks written
into a module's dicts without the functions that register them; a module's dicts, if another takes the place of one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from itertools import chain
from operator import is_
from typing import Any, NamedTuple, cast
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn.modules import module as of_every_module
from torch.utils.hooks import RemovableHandle

from trainers.networks.kernels.calls import Kernels, watched
from trainers.networks.paths import trunk_kernels
from trainers.networks.tape import Recorder, Tape

# Of a network so many shapes are known, the last ones.
SHAPES = 8
# What a module's path depends on and somebody might set.
DECISIVE = ("training", "stride", "eps", "plain", "recompute", "residual")
# Modules of other origin may do more than compute.
KNOWN = ("trainers.networks.", "torch.nn.modules.")
# After the last of a sequence, so that a longer one is noticed.
END = object()

Key = tuple[torch.Size, tuple[int, ...], int]


class Replayable(nn.Module, ABC):
    """A network of which `trunk` is what `replayed` computes."""

    @abstractmethod
    def trunk(self, clips: Tensor) -> Tensor:
        """By the modules."""

    def train(self, mode: bool = True) -> Replayable:
        """As any module's; a network that trains has no use for what was recorded."""
        if mode:
            _shapes.pop(self, None)
        return super().train(mode)

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> Replayable:
        """Weights go elsewhere: their old place is no longer held."""
        _shapes.pop(self, None)
        # Untyped in PyTorch's stubs.
        return cast("Replayable", super()._apply(fn, recurse))  # type: ignore[no-untyped-call]


def replayed(network: Replayable, clips: Tensor) -> Tensor | None:
    """network.trunk(clips), to the bit; None where the modules are to be run, as for the first clips of a shape."""
    if (kernels := trunk_kernels(clips)) is None or _hooked():
        return None
    key = (clips.shape, clips.stride(), torch.get_num_threads())
    shapes = _shapes.setdefault(network, {})
    if key not in shapes:
        _remember(shapes, key, None)
        return None
    if (known := shapes.get(key)) is None:
        return _record(network, clips, kernels, shapes, key)
    if known.kernels is not kernels or not known.state.holds():
        shapes.clear()  # nor does what other shapes know, which would hold the weights that the network had
        _remember(shapes, key, None)
        return None
    return known.tape.played(clips) if known.tape else None


class _Known(NamedTuple):
    """Of clips of one shape. tape: None where there is more between the kernels than memory."""

    kernels: Kernels
    state: _State
    tape: Tape | None


# Beside the networks, so that neither their copies nor their files have any of it. What threads do to these dicts at
# once is each time a single operation. None: seen once.
_Shapes = dict[Key, _Known | None]
_shapes: WeakKeyDictionary[nn.Module, _Shapes] = WeakKeyDictionary()


def _remember(shapes: _Shapes, key: Key, known: _Known | None) -> None:
    shapes.pop(key, None)
    shapes[key] = known
    for oldest in list(shapes)[:-SHAPES]:
        shapes.pop(oldest, None)


def _record(network: Replayable, clips: Tensor, kernels: Kernels, shapes: _Shapes, key: Key) -> Tensor | None:
    """As `replayed`."""
    state = _State(network)
    if not state.plain:
        _remember(shapes, key, _Known(kernels, state, None))
        return None
    recorder = Recorder(state.tensors, clips)
    with recorder, watched(recorder.called):
        features = network.trunk(clips)
    if state.holds():
        _remember(shapes, key, _Known(kernels, state, recorder.tape(features)))
    return features


def _hooked() -> bool:
    return bool(of_every_module._global_forward_hooks or of_every_module._global_forward_pre_hooks)


class _State:
    """All that a network's calls depend on, as it was when this was made."""

    def __init__(self, network: nn.Module) -> None:
        self._handles = RemovableHandle.next_id
        modules = list(network.modules())
        self._own = [vars(module) for module in modules]
        # Attributes of the class that an object then has of its own, as `plain` or another forward.
        self._lengths = list(map(len, self._own))
        pairs = [(own, name) for own in self._own for name in DECISIVE if name in own]
        self._places, self._names = [own for own, _ in pairs], [name for _, name in pairs]
        self._values = [own[name] for own, name in pairs]
        # The network's own hooks run outside of its trunk.
        self._hooks = [hooks for module in modules[1:] for hooks in (module._forward_hooks, module._forward_pre_hooks)]
        self._hooked = list(map(len, self._hooks))
        self._members: list[dict[str, Any]] = [
            part for module in modules for part in (module._modules, module._parameters, module._buffers) if part
        ]
        self._held: list[Any] = [*chain.from_iterable(map(dict.values, self._members)), END]
        # BN's counts of batches are for nobody.
        self.tensors = [each for each in self._held if isinstance(each, Tensor) and each.is_floating_point()]
        self._addresses = [tensor.data_ptr() for tensor in self.tensors]
        # Memory that is held is nobody else's: at the same address it is the same.
        self._memory = [tensor.untyped_storage() for tensor in self.tensors]
        self.plain = not any(self._hooked) and all(map(_plain, modules))

    def holds(self) -> bool:
        """Whether the network is still as it was. In loops of C: it is asked before every pass."""
        return (
            list(map(len, self._own)) == self._lengths
            and all(map(is_, map(dict.get, self._places, self._names), self._values))
            and self._hooked_alike()
            and all(map(is_, chain(chain.from_iterable(map(dict.values, self._members)), (END,)), self._held))
            and list(map(Tensor.data_ptr, self.tensors)) == self._addresses
        )

    def _hooked_alike(self) -> bool:
        # Every hook is registered under a number of its own: without a new number there is no new hook.
        handles = RemovableHandle.next_id
        if handles == self._handles and self.plain:
            return True
        if list(map(len, self._hooks)) != self._hooked:
            return False
        self._handles = handles
        return True


def _plain(module: nn.Module) -> bool:
    """Whether it does nothing but compute. Of a layer that trains the operators tell."""
    return "forward" not in vars(module) and type(module).__module__.startswith(KNOWN)
