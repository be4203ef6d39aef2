"""The kernel calls of one pass, recorded, and made again on other memory."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from trainers.networks.arena import Span, places

# Where memory is that differs from pass to pass.
CLIPS, RESULT, ARENA = range(3)
ALLOCATIONS = {
    torch.ops.aten.empty.memory_format,
    torch.ops.aten.empty_like.default,
    torch.ops.aten.empty_strided.default,
    torch.ops.aten.new_empty.default,
}


class _Place(NamedTuple):
    """An address: so far from where `area` begins."""

    area: int
    offset: int


class _Call(NamedTuple):
    kernel: Callable[..., None]
    arguments: list[Any]


class Recorder(TorchDispatchMode):
    """Sees the operators of this thread, and is told of the kernels: what they read and write must all be known."""

    def __init__(self, fixed: Sequence[Tensor], clips: Tensor) -> None:
        """fixed: tensors that will lie where they lie."""
        super().__init__()  # type: ignore[no-untyped-call]
        self._fixed = {tensor.data_ptr() for tensor in fixed} - {0}
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
            self._new[_memory(out)] = StorageWeakRef(memory), memory.nbytes()  # type: ignore[no-untyped-call]
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

    def tape(self, features: Tensor) -> Tape | None:
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
        return Tape(calls, features.shape, features.stride(), room)

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


def _only_views(func: Any, given: Any, out: Any) -> bool:
    """Whether nothing was computed: what comes out lies where something lay that went in."""
    if func._schema.is_mutable:
        return False
    before, found = {_memory(each) for each in tree_leaves(given) if isinstance(each, Tensor)}, tree_leaves(out)
    return bool(found) and all(isinstance(each, Tensor) and _memory(each) in before for each in found)


def _memory(tensor: Tensor) -> int:
    """Which piece of memory it lies in: as long as a weak reference to that is held, of no other piece."""
    return cast("int", tensor.untyped_storage()._cdata)


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


class Tape:
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

    def played(self, clips: Tensor) -> Tensor:
        """Their result, which is a tensor of its own."""
        out = torch.empty_strided(self._shape, self._strides, dtype=torch.float32)
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
            calls[number] = kernel, [areas[each[0]] + each[1] if type(each) is _Place else each for each in arguments]
        self._last = areas, calls
        return calls


def _within(argument: Any, area: int) -> bool:
    return isinstance(argument, _Place) and argument.area == area
