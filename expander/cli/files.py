"""Reading YAML with the place of every key, and finding search spaces."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from expander.errors import SpaceError, UsageError
from expander.space import SearchSpace, read_space
from expander.strict import Key

if TYPE_CHECKING:
    from results.config import InstanceConfig


class _Loader(yaml.SafeLoader):
    """SafeLoader that reads 6e8 as a number (YAML 1.1 wants 6.0e+8) and keeps `on` and `off` as texts."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not (tag.endswith(":bool") and first in "oOyYnN")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9][0-9_]*(\.[0-9_]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def load_yaml(text: str, source: str) -> tuple[Any, dict[Key, str]]:
    """The plain values in `text` and the place of each key, as 'source:line'.

    Raises SpaceError for YAML that does not parse and for a key that stands twice.
    """
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return {}, {}
        where: dict[Key, str] = {}
        twice = _places(node, (), where, source)
        if twice:
            raise SpaceError("\n".join(twice))
        return loader.construct_document(node), where
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise SpaceError(f"{source}{line}: not valid YAML: {getattr(error, 'problem', None) or error}") from None
    finally:
        loader.dispose()


def _places(node: yaml.Node, path: Key, where: dict[Key, str], source: str) -> list[str]:
    """Fill `where` below `node`; return the message of each key that stands twice."""
    twice = []
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            below = (*path, str(key.value))
            line = f"{source}:{key.start_mark.line + 1}"
            if below in where:
                twice.append(
                    f"{line}: {'.'.join(map(str, below))}: stands twice; remove one (the first is at {where[below]})"
                )
            where[below] = line
            twice += _places(value, below, where, source)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            where[(*path, index)] = f"{source}:{value.start_mark.line + 1}"
            twice += _places(value, (*path, index), where, source)
    return twice


def shipped_spaces() -> list[str]:
    """Names of the search spaces that come with the project."""
    return sorted(
        entry.name.removesuffix(".yaml") for entry in files("search_spaces").iterdir() if entry.name.endswith(".yaml")
    )


def find_space(argument: str) -> tuple[str, str]:
    """The text of a search space and its source: the name of a shipped one, or the absolute path of a file."""
    if argument in shipped_spaces():
        return (files("search_spaces") / f"{argument}.yaml").read_text(), argument
    path = Path(argument)
    if path.is_file():
        return path.read_text(), str(path.resolve())
    raise UsageError(
        f"search space {argument!r}: neither a file nor a shipped space; expected a path to a YAML file or one of"
        f" {', '.join(shipped_spaces())}"
    )


def load_space(argument: str, overrides: Sequence[str] = ()) -> tuple[SearchSpace, str]:
    """The search space named by `argument` with `--set key=value` applied, and its source."""
    text, source = find_space(argument)
    shown = source if source == argument else argument
    values, where = load_yaml(text, f"{shown}.yaml" if source in shipped_spaces() else shown)
    _locate_data(values, Path(source).parent if Path(source).is_file() else Path())
    for override in overrides:
        _apply(values, where, override)
    return read_space(values, where, shown), source


def load_config(path: Path, overrides: Sequence[str] = ()) -> InstanceConfig:
    """The exported config in `path` with `--set key=value` applied.

    Raises UsageError where it is missing, SpaceError with every mistake in it.
    """
    from results.config import read_config

    if not path.is_file():
        raise UsageError(f"config {path}: no such file; `expander export` writes one for each instance")
    values, where = load_yaml(path.read_text(), str(path))
    for override in overrides:
        _apply(values, where, override)
    return read_config(values, where, str(path))


def _locate_data(values: Any, folder: Path) -> None:
    """Paths in a space start from its own folder, whatever folder the command is run in."""
    data = values.get("data") if isinstance(values, dict) else None
    for key in ("train", "val", "root"):
        if isinstance(data, dict) and isinstance(data.get(key), str):
            data[key] = str((folder / data[key]).resolve())


def _apply(values: Any, where: dict[Key, str], override: str) -> None:
    """Set one dotted key to a value in YAML: 'recipe.epochs=4', 'expansion.axes=[fast, depth]'."""
    key, equals, text = override.partition("=")
    path = key.strip().split(".")
    if not equals or not all(path):
        raise UsageError(f"--set {override}: expected key=value with a dotted key, such as recipe.epochs=4")
    value, _ = load_yaml(text, f"--set {override}")
    section = values
    for part in path[:-1]:
        section = section.setdefault(part, {}) if isinstance(section, dict) else section
        if not isinstance(section, dict):
            raise UsageError(f"--set {override}: {part} is not a mapping of keys")
    section[path[-1]] = None if text.strip() == "" else value
    where[tuple(path)] = f"--set {override}"
