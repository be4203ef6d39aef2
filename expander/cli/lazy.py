"""Groups of commands that are imported when they are asked for: to import them all takes longer than some to answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

# The function of a command, as 'module:function', or a group below.
Place = str | typer.Typer


def group(help_text: str, places: Mapping[str, Place]) -> typer.Typer:
    """A group of the commands at `places`, by their names and in their order."""

    class Group(TyperGroup):
        def __init__(self, **attributes: Any) -> None:
            super().__init__(**attributes | {"commands": _Commands(places)})

    return typer.Typer(
        help=help_text,
        cls=Group,
        callback=_nothing,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


class _Commands(Mapping[str, Any]):
    """Typer's commands by their names, each made the first time it is looked up."""

    def __init__(self, places: Mapping[str, Place]) -> None:
        self._places = places
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = _made(name, self._places[name])
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def _made(name: str, place: Place) -> Any:
    if isinstance(place, typer.Typer):
        made = typer.main.get_command(place)
        made.name = name
        return made
    module, _, function = place.partition(":")
    alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    alone.command(name)(getattr(import_module(module), function))
    return typer.main.get_command(alone)


def _nothing() -> None: ...
