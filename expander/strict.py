"""Strict sections of a YAML file, and one clear message for each mistake in it."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from typing import Any, ClassVar, TypeVar, cast

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from expander.errors import SpaceError

Key = tuple[str | int, ...]
# Where values contradict each other: the key to name, the message, and the other keys that it was drawn from.
Conflict = tuple[Key, str, *tuple[Key, ...]]


class Section(BaseModel):
    """A frozen mapping that allows its own keys only, and no silent conversion (1 is no bool, '2' no number)."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    # Keys of earlier versions, and what they are called now.
    renamed: ClassVar[Mapping[str, str]] = {}


Model = TypeVar("Model", bound=Section)


def check(
    model: type[Model],
    values: object,
    where: Mapping[Key, str],
    source: str,
    conflicts: Callable[[Model], Sequence[Conflict]],
) -> Model:
    """`values` as a `model`. `conflicts` finds values that are possible by themselves and impossible together.

    `where` names the place of each key ('file.yaml:12'), `source` the whole. Raises one SpaceError with every mistake.
    """
    if not isinstance(values, dict):
        allowed = ", ".join(model.model_fields)
        raise SpaceError(f"{source}: expected a mapping with some of the keys {allowed}, found {_shown(values)}")
    mistakes: list[tuple[Key, str]] = []
    try:
        valid: Model | None = model.model_validate(values)
    except ValidationError as error:
        mistakes = [(_key(detail), _message(model, detail)) for detail in error.errors()]
        valid = _valid_part(model, values, [key for key, _ in mistakes])
    if valid is not None:
        wrong = [key for key, _ in mistakes]
        for key, text, *reads in conflicts(valid):
            # What a wrong value should have been is unknown: nothing is said of what it takes part in.
            if not any(_overlap(read, other) for read in (key, *reads) for other in wrong):
                mistakes.append((key, text))
        if not mistakes:
            return valid
    lines = sorted({f"{_place(key, where, source)}: {text}" for key, text in mistakes}, key=_natural)
    raise SpaceError("\n".join(lines))


def _key(detail: ErrorDetails) -> Key:
    """Where a mistake is; pydantic marks a wrong key of a free mapping by one more part."""
    return tuple(part for part in detail["loc"] if part != "[key]")


def _valid_part(model: type[Model], values: Mapping[str, Any], wrong: Iterable[Key]) -> Model | None:
    """The values without the wrong ones, which take their defaults: conflicts among the others still show."""
    rest: Any = deepcopy(values)
    for key in wrong:
        section = rest
        for part in key[:-1]:
            # A wrong entry takes its whole list with it.
            if not isinstance(section.get(part), dict):
                section.pop(part, None)
                break
            section = section[part]
        else:
            section.pop(key[-1], None)
    try:
        return model.model_validate(rest)
    except ValidationError:
        return None


def _overlap(one: Key, other: Key) -> bool:
    shared = min(len(one), len(other))
    return one[:shared] == other[:shared]


def _place(loc: Sequence[str | int], where: Mapping[Key, str], source: str) -> str:
    """'file.yaml:12: recipe.epochs', from the deepest key of `loc` that has a line."""
    path = tuple(loc)
    line = next((where[path[:end]] for end in range(len(path), 0, -1) if path[:end] in where), source)
    return f"{line}: {'.'.join(str(part) for part in path)}" if path else line


def _message(model: type[Section], detail: ErrorDetails) -> str:
    """What was found and what is allowed, in words."""
    found, context = _shown(detail["input"]), detail.get("ctx", {})
    match detail["type"]:
        case "extra_forbidden":
            return _unknown_key(model, detail["loc"])
        case "missing":
            return "is missing; it has no default"
        case "greater_than_equal":
            return f"found {found}; expected at least {_number(context['ge'])}"
        case "greater_than":
            return f"found {found}; expected more than {_number(context['gt'])}"
        case "less_than_equal":
            return f"found {found}; expected at most {_number(context['le'])}"
        case "less_than":
            return f"found {found}; expected less than {_number(context['lt'])}"
        case "enum" | "literal_error":
            allowed = context["expected"].replace("'", "").replace(" or ", ", ")
            return f"found {found}; expected one of {allowed}{_closest(detail['input'], allowed.split(', '))}"
        case "too_short":
            return f"found {found}; expected {context['min_length']} or more entries"
        case "too_long":
            return f"found {found}; expected no more than {context['max_length']} entries"
        case kind if kind in _EXPECTED:
            return f"found {found}; expected {_EXPECTED[kind]}"
        case _:
            return f"found {found}; {detail['msg']}"


_EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "a text",
    "string_pattern_mismatch": "letters, digits, - and _",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}


def _unknown_key(model: type[Section], loc: Sequence[str | int]) -> str:
    section: Any = model
    for part in loc[:-1]:
        if isinstance(part, str):
            section = section.model_fields[part].annotation
            if getattr(section, "__origin__", None) is list:
                section = section.__args__[0]
    names = list(cast("type[Section]", section).model_fields)
    if (name := section.renamed.get(loc[-1])) is not None:
        return f"unknown key; it is called {name} now"
    return f"unknown key; allowed: {', '.join(names)}{_closest(loc[-1], names)}"


def _closest(found: object, allowed: Sequence[str]) -> str:
    close = difflib.get_close_matches(str(found), allowed, n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def _shown(value: object) -> str:
    match value:
        case None:
            return "nothing (null)"
        case bool():
            return "true" if value else "false"
        case dict():
            return "a mapping" if value else "an empty mapping"
        case list() if len(value) > 8:
            return f"a list of {len(value)}"
        case _:
            return repr(value)


def _natural(line: str) -> tuple[str, int, str]:
    """Sort by file, then line number, then text."""
    name, _, rest = line.partition(":")
    number, _, text = rest.partition(":")
    return (name, int(number), text) if number.isdecimal() else (name, 0, rest)
