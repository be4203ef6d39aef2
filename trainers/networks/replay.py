"""A trunk in evaluation as a list of kernel calls, which are made again without the modules that led to them.

The modules choose their kernels by shapes, flags and the number of threads alone, so for a shape that was seen before the
calls are the same, but for the addresses of what lies in memory: the clips, the result, and all between, which is one
piece of memory (arena.py) that is let go after each pass. Weights are read where they lie: changed in place, they are
seen. Whatever else of the network changes is noticed, and the modules run again.

Taken as fixed: what a layer is told as it is made, but for its stride and eps; the code of the modules' classes.
"""

from __future__ import annotations

import ctypes
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from operator import getitem, is_
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.nn.modules import module as of_every_module
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from trainers.networks.arena import Span, places
from trainers.networks.kernels.calls import Kernels, watched
from trainers.networks.paths import trunk_kernels

# Of a network so many shapes are known, the last ones.
SHAPES = 8
# What a module's path depends on and somebody might set.
DECISIVE = ("training", "stride", "eps", "plain", "recompute", "residual")
# Modules of other origin may do more than compute.
KNOWN = ("trainers.networks.", "torch.nn.modules.")
CLIPS, RESULT, ARENA = range(3)

Key = tuple[torch.Size, tuple[int, ...], int]


class Replayable(nn.Module):
    """A network of which `trunk` is what `replayed` computes."""

    def trunk(self, clips: Tensor) -> Tensor:
        """By the modules."""
        raise NotImplementedError

    def train(self, mode: bool = True) -> Replayable:
        """As any module's; a network that trains has no use for what was recorded."""
        if mode:
            _forget(self)
        return super().train(mode)

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> Replayable:
        """Weights go elsewhere: their old place is no longer held."""
        _forget(self)
        return super()._apply(fn, recurse)


def replayed(network: Replayable, clips: Tensor) -> Tensor | None:
    """network.trunk(clips), to the bit; None where the modules are to be run, as for the first clips of a shape."""
    if (kernels := trunk_kernels(clips)) is None or _hooked():
        return None
    key = (clips.shape, clips.stride(), torch.get_num_threads())
    known = _known(network)
    if key not in known:
        _remember(known, key, None)
        return None
    tape = known[key]
    if tape is None:
        return _record(network, clips, kernels, known, key)
    if tape.kernels is not kernels or not tape.state.holds():
        _remember(known, key, None)
        return None
    return tape.calls.made(clips) if tape.calls else None


class _Tape(NamedTuple):
    """calls: None where there are operators between the kernels."""

    kernels: Kernels
    state: _State
    calls: _Calls | None


# Beside the networks, so that neither their copies nor their files have any of it.
_tapes: WeakKeyDictionary[nn.Module, OrderedDict[Key, _Tape | None]] = WeakKeyDictionary()
_lock = threading.Lock()


def _known(network: nn.Module) -> OrderedDict[Key, _Tape | None]:
    with _lock:
        return _tapes.setdefault(network, OrderedDict())


def _remember(known: OrderedDict[Key, _Tape | None], key: Key, tape: _Tape | None) -> None:
    """None: seen once."""
    with _lock:
        known[key] = tape
        known.move_to_end(key)
        while len(known) > SHAPES:
            known.popitem(last=False)


def _forget(network: nn.Module) -> None:
    if network in _tapes:
        with _lock:
            _tapes.pop(network, None)


def _record(
    network: Replayable, clips: Tensor, kernels: Kernels, known: OrderedDict[Key, _Tape | None], key: Key
) -> Tensor | None:
    state = _State(network)
    if not state.plain:
        _remember(known, key, _Tape(kernels, state, None))
        return None
    recorder = _Recorder(state.tensors, clips)
    with recorder, watched(recorder.called):
        features = network.trunk(clips)
    if state.holds():
        _remember(known, key, _Tape(kernels, state, recorder.calls(features)))
    return features


def _hooked() -> bool:
    return bool(of_every_module._global_forward_hooks or of_every_module._global_forward_pre_hooks)


class _State:
    """All that a network's calls depend on, as it was when this was made."""

    def __init__(self, network: nn.Module) -> None:
        modules = list(network.modules())
        self._own = [vars(module) for module in modules]
        # Attributes of the class that an object then has of its own, as `plain` or another forward.
        self._lengths = list(map(len, self._own))
        pairs = [(own, name) for own in self._own for name in DECISIVE if name in own]
        self._places, self._names = [own for own, _ in pairs], [name for _, name in pairs]
        self._values = [own[name] for own, name in pairs]
        # The network's own hooks run outside of its trunk.
        self._hooks = [
            hooks for module in modules[1:] for hooks in (module._forward_hooks, module._forward_pre_hooks)
        ]
        self._hooked = list(map(len, self._hooks))
        members = [part for module in modules for part in (module._modules, module._parameters, module._buffers)]
        self._members = list(filter(None, members))
        self._held: list[Any] = [*chain.from_iterable(map(dict.values, self._members)), self]
        self.tensors = [each for each in self._held if isinstance(each, Tensor)]
        self._addresses = [tensor.data_ptr() for tensor in self.tensors]
        # Memory that is held is nobody else's: at the same address it is the same.
        self._memory = [tensor.untyped_storage() for tensor in self.tensors]
        self.plain = not any(self._hooked) and all(map(_plain, modules))

    def holds(self) -> bool:
        """Whether the network is still as it was. In loops of C: it is asked before every pass."""
        return (
            list(map(len, self._own)) == self._lengths
            and all(map(is_, map(getitem, self._places, self._names), self._values))
            and list(map(len, self._hooks)) == self._hooked
            and all(map(is_, chain(chain.from_iterable(map(dict.values, self._members)), (self,)), self._held))
            and list(map(Tensor.data_ptr, self.tensors)) == self._addresses
        )


def _plain(module: nn.Module) -> bool:
    """Whether it does nothing but compute. Of a layer that trains the operators tell."""
    return "forward" not in vars(module) and type(module).__module__.startswith(KNOWN)


class _Place(NamedTuple):
    """An address: so far from where `area` begins."""

    area: int
    offset: int


class _Call(NamedTuple):
    kernel: Callable[..., None]
    arguments: list[Any]


class _Recorder(TorchDispatchMode):
    """Sees the operators of this thread, and is told of the kernels: what they read and write must all be known."""

    def __init__(self, fixed: Sequence[Tensor], clips: Tensor) -> None:
        super().__init__()
        self._fixed = {tensor.data_ptr() for tensor in fixed}
        self._clips = clips
        self._of_clips = _memory(clips)
        # The references are weak, so that no more is held than without the record; and yet each identity stands for one
        # piece of memory, where an address would stand for all that lie there one after the other.
        self._new: dict[int, tuple[StorageWeakRef, int]] = {}
        self._uses: dict[int, tuple[int, int]] = {}
        self._calls: list[_Call] = []
        self._known = self._of_clips not in map(_memory, fixed)

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Else the first operator imports PyTorch's compiler, which takes a second.
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """`func`'s own result; anything but new memory or another view of memory spoils the record."""
        out = func(*args, **(kwargs or {}))
        if func in ALLOCATIONS:
            memory = out.untyped_storage()
            self._new[_memory(out)] = StorageWeakRef(memory), memory.nbytes()
        elif not _only_views(func, (args, kwargs), out):
            self._known = False
        return out

    def called(
        self,
        kernel: Callable[..., None],
        before: Sequence[Any],
        tensors: Sequence[Tensor | None],
        after: Sequence[float],
    ) -> None:
        """As calls.Watcher."""
        if not all(address in self._fixed for each in before for address in _addresses(each)):
            self._known = False
        self._calls.append(_Call(kernel, [*before, *map(self._placed, tensors), *after]))

    def calls(self, features: Tensor) -> _Calls | None:
        """What was recorded, with `features` as its result; None where that is not all there was."""
        result = _memory(features)
        whole = 4 * features.numel() == features.untyped_storage().nbytes() and features.dtype == torch.float32
        if not self._known or not whole or result not in self._uses:
            return None
        between = [memory for memory in self._uses if memory != result]
        offsets, room = places([Span(self._new[memory][1], *self._uses[memory]) for memory in between])
        areas = {memory: _Place(ARENA, offset) for memory, offset in zip(between, offsets, strict=True)}
        areas[result] = _Place(RESULT, 0)
        calls = [_Call(kernel, [_moved(each, areas) for each in arguments]) for kernel, arguments in self._calls]
        return _Calls(calls, features.shape, features.stride(), room)

    def _placed(self, tensor: Tensor | None) -> Any:
        """None, a fixed address, one among the clips, or one in new memory, whose area is not yet known."""
        if tensor is None or (address := tensor.data_ptr()) in self._fixed:
            return tensor if tensor is None else address
        memory, now = _memory(tensor), len(self._calls)
        if memory == self._of_clips:
            return _Place(CLIPS, address - self._clips.data_ptr())
        if memory not in self._new:
            self._known = False
        self._uses[memory] = (self._uses.get(memory, (now, now))[0], now)
        return _Place(memory, address - tensor.untyped_storage().data_ptr())


ALLOCATIONS = {
    torch.ops.aten.empty.memory_format,
    torch.ops.aten.empty_like.default,
    torch.ops.aten.empty_strided.default,
    torch.ops.aten.new_empty.default,
}


def _only_views(func: Any, given: Any, out: Any) -> bool:
    """Whether nothing was computed: what comes out lies where something lay that went in."""
    if func._schema.is_mutable:
        return False
    before, found = {_memory(each) for each in tree_leaves(given) if isinstance(each, Tensor)}, tree_leaves(out)
    return bool(found) and all(isinstance(each, Tensor) and _memory(each) in before for each in found)


def _memory(tensor: Tensor) -> int:
    """Which piece of memory it lies in: as long as a weak reference to that is held, of no other piece."""
    return tensor.untyped_storage()._cdata


def _addresses(given: Any) -> Iterator[int | None]:
    """Those within a structure that a kernel is given."""
    if isinstance(given, ctypes._Pointer):
        content = given.contents
        yield from (getattr(content, name) for name, kind in content._fields_ if kind is ctypes.c_void_p)


def _moved(argument: Any, areas: dict[int, _Place]) -> Any:
    if not isinstance(argument, _Place) or argument.area == CLIPS:
        return argument
    area, offset = areas[argument.area]
    return _Place(area, offset + argument.offset)


class _Calls:
    """Of one trunk, for clips of one shape. Any number of threads may make them at once."""

    def __init__(self, calls: Sequence[_Call], shape: torch.Size, strides: tuple[int, ...], room: int) -> None:
        self.room = room  # bytes between the clips and the result
        self._calls, self._shape, self._strides = calls, shape, strides
        self._of_area = [
            {number for number, call in enumerate(calls) if any(_within(each, area) for each in call.arguments)}
            for area in (CLIPS, RESULT, ARENA)
        ]
        # Of the last pass: where the areas began, and the arguments for it.
        self._last = (0, 0, 0), [(call.kernel, call.arguments) for call in calls]

    def made(self, clips: Tensor) -> Tensor:
        """Their result, which is a tensor of its own."""
        out = torch.empty_strided(self._shape, self._strides)
        arena = torch.empty(self.room, dtype=torch.uint8)
        for kernel, arguments in self._arguments((clips.data_ptr(), out.data_ptr(), arena.data_ptr())):
            kernel(*arguments)
        return out

    def _arguments(self, areas: tuple[int, int, int]) -> list[tuple[Callable[..., None], list[Any]]]:
        before, calls = self._last
        if areas == before:
            return calls
        moved = [of for of, old, new in zip(self._of_area, before, areas, strict=True) if old != new]
        calls = list(calls)  # another thread may be reading the old ones
        for number in set().union(*moved):
            kernel, arguments = self._calls[number]
            calls[number] = kernel, [
                areas[each[0]] + each[1] if type(each) is _Place else each for each in arguments
            ]
        self._last = areas, calls
        return calls


def _within(argument: Any, area: int) -> bool:
    return isinstance(argument, _Place) and argument.area == area
