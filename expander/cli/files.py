"""Reading YAML with the place of every key, and finding search spaces."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from yaml.composer import ComposerError

from expander import files
from expander.cli.output import notes
from expander.errors import SpaceError, UsageError
from expander.space import SearchSpace, read_space
from expander.strict import Key

if TYPE_CHECKING:
    from results.config import InstanceConfig


# Of a YAML file. Longer ones take seconds to parse; an export with 700 names of classes has a tenth of that.
MAX_BYTES = 256 * 1024
MAX_DEPTH = 64


class _Loader(yaml.SafeLoader):
    """SafeLoader that reads 6e8 as a number (YAML 1.1 wants 6.0e+8) and keeps `on`, `off` and dates as texts."""

    _depth = 0  # nodes around the one that is composed

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuse aliases: nested ones unfold to gigabytes, and one inside its own anchor has no end. Refuse what is
        nested without end, and tags: PyYAML's constructors raise anything for values that do not fit theirs."""
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        mark: Any = event.start_mark
        if isinstance(event, yaml.AliasEvent):
            raise ComposerError(None, None, "aliases are not read here; write the value out", mark)
        if event.tag is not None:
            words = f"tags ({event.tag}) are not read here; write the value without"
            raise ComposerError(None, None, words, mark)
        if self._depth == MAX_DEPTH:
            raise ComposerError(None, None, f"nested too deeply, in more than {MAX_DEPTH} levels", mark)
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


_TEXTS = {("tag:yaml.org,2002:bool", first) for first in "oOyYnN"} | {
    ("tag:yaml.org,2002:timestamp", first) for first in "0123456789"
}
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if (tag, first) not in _TEXTS]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9][0-9_]*(\.[0-9_]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def load_yaml(text: str, source: str) -> tuple[Any, dict[Key, str]]:
    """The plain values in `text` and the place of each key, as 'source:line'.

    Raises SpaceError for YAML that does not parse, for a key that stands twice and for one that is no text.
    """
    loader = None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return {}, {}
        where: dict[Key, str] = {}
        mistakes = _places(node, (), where, source)
        if mistakes:
            raise SpaceError("\n".join(mistakes))
        return loader.construct_document(node), where
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise SpaceError(f"{source}{line}: not valid YAML: {getattr(error, 'problem', None) or error}") from None
    except RecursionError:
        raise SpaceError(f"{source}: not valid YAML: nested too deeply") from None
    except ValueError as error:  # a number of thousands of digits
        raise SpaceError(f"{source}: not valid YAML: {error}") from None
    finally:
        if loader is not None:
            loader.dispose()


def _places(node: yaml.Node, path: Key, where: dict[Key, str], source: str) -> list[str]:
    """Fill `where` below `node`; return the message of each key that stands twice or is no text."""
    mistakes = []
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            below = (*path, str(key.value))
            line = f"{source}:{key.start_mark.line + 1}"
            name = f"{line}: {'.'.join(map(str, below))}"
            if key.tag != "tag:yaml.org,2002:str":
                mistakes.append(f"{line}: a key is no text; write a name, or put it in quotes")
            elif below in where:
                mistakes.append(f"{name}: stands twice; remove one (the first is at {where[below]})")
            where[below] = line
            mistakes += _places(value, below, where, source)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            where[(*path, index)] = f"{source}:{value.start_mark.line + 1}"
            mistakes += _places(value, (*path, index), where, source)
    return mistakes


def shipped_spaces() -> list[str]:
    """Names of the search spaces that come with the project."""
    return sorted(
        entry.name.removesuffix(".yaml")
        for entry in resources.files("search_spaces").iterdir()
        if entry.name.endswith(".yaml")
    )


def find_space(argument: str) -> tuple[str, str]:
    """The text of a search space and its source: the name of a shipped one, or the absolute path of a file."""
    if argument in shipped_spaces():
        return (resources.files("search_spaces") / f"{argument}.yaml").read_text(encoding="utf-8"), argument
    path = Path(argument)
    if path.is_file():
        return _read(path), str(path.resolve())
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


def load_config(argument: str | Path, overrides: Sequence[str] = ()) -> InstanceConfig:
    """The config named by `argument`, a file or a shipped network (X3D-S), with `--set key=value` applied.

    A YAML of PySlowFast is read too, for its network, clip and views. Raises UsageError where there is neither,
    SpaceError with every mistake in it.
    """
    from results.config import read_config
    from results.peers.reading import is_pyslowfasts, left_out, read_pyslowfast

    values, where = _config_values(argument)
    if is_pyslowfasts(values):
        theirs = values
        values, where = read_pyslowfast(theirs, str(argument)), {}
        if missing := left_out(theirs):
            notes().print(f"{argument}: PySlowFast's defaults stand for {', '.join(missing)}", markup=False)
    for override in overrides:
        _apply(values, where, override)
        if isinstance(values, dict):
            _drop_outdated(values, override)
    return read_config(values, where, str(argument))


def _config_values(argument: str | Path) -> tuple[Any, dict[Key, str]]:
    # Imported here: the shipped networks are read off shipped spaces, so that module needs this one.
    from expander.cli.networks import shipped_configs

    path = Path(argument)
    if path.is_file():
        if path.suffix in (".py", ".json"):
            raise UsageError(f"config {path}: only YAML is read, ours or PySlowFast's; found a {path.suffix} file")
        return load_yaml(_read(path), str(path))
    shipped = shipped_configs()
    if str(argument) not in shipped:
        close = [name for name in shipped if name.lower() == str(argument).lower()]
        raise UsageError(
            f"config {argument}: neither a file nor a shipped network{f' (did you mean {close[0]}?)' if close else ''};"
            " expected a path to a config, which `expander export` writes for each instance, or one of"
            f" {', '.join(shipped)}"
        )
    return shipped[str(argument)].as_dict(), {}


def _drop_outdated(values: dict[str, Any], override: str) -> None:
    """A geometry that is set is none of a search's any more: what the config said of the old one does not hold."""
    key = override.partition("=")[0].strip()
    if key.split(".")[0] == "geometry":
        values.pop("complexity", None)
        if key != "geometry.classes":
            values.pop("factors", None)


def make_folder(folder: Path) -> None:
    """Make `folder` where it is missing. Raises FileError where nothing can be written to it."""
    files.make_folder(folder)
    files.check_writable(folder)


def _locate_data(values: Any, folder: Path) -> None:
    """Paths in a space start from its own folder, whatever folder the command is run in."""
    for name, keys in (("data", ("train", "val", "root")), ("prepare", ("folder",))):
        section = values.get(name) if isinstance(values, dict) else None
        for key in keys:
            if isinstance(section, dict) and isinstance(section.get(key), str):
                section[key] = str((folder / section[key]).resolve())


def _read(path: Path) -> str:
    try:
        if (size := path.stat().st_size) > MAX_BYTES:
            raise UsageError(f"{path}: too large, {size:,} bytes; search spaces and configs have at most {MAX_BYTES:,}")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read: {error}") from None


def _apply(values: Any, where: dict[Key, str], override: str) -> None:
    """Set one dotted key to a value in YAML: 'recipe.epochs=4', 'expansion.axes=[fast, depth]'."""
    key, equals, text = override.partition("=")
    path = key.strip().split(".")
    if not equals or not all(path):
        raise UsageError(f"--set {override}: expected key=value with a dotted key, such as recipe.epochs=4")
    value, _ = load_yaml(text, f"--set {override}")
    if not isinstance(values, dict):
        return  # the whole file is wrong, which is reported with its own place
    section = values
    for end, part in enumerate(path[:-1], start=1):
        section = section.setdefault(part, {})
        if not isinstance(section, dict):
            outer = ".".join(path[:end])
            raise UsageError(f"--set {override}: {outer} is not a mapping of keys; set it as a whole: {outer}=...")
    section[path[-1]] = None if text.strip() == "" else value
    below = [known for known in where if known[: len(path)] == tuple(path)]
    for known in below:
        del where[known]
    where[tuple(path)] = f"--set {override}"
