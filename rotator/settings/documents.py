"""YAML files with the line of everything in them, so that a message can point at its cause.

Scalars are read as YAML 1.2 has them: ``on`` and ``no`` are words, ``1:30`` is no number, and a
date is text.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml
from yaml.reader import ReaderError

if TYPE_CHECKING:
    from pathlib import Path

_Loader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Where = tuple[str | int, ...]

_INT = re.compile(r"[-+]?\d+")
_FLOAT = re.compile(r"[-+]?(\d+\.\d*|\.\d+)([eE][-+]?\d+)?")
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}
#: A file has fewer nodes than characters. Only aliases can make more of them, and not many do.
_MOST_ALIASED = 100_000
_DEEPEST = 32
#: A word that a person might give to a setting, rather than a secret: no digits but at its end.
_WORD = re.compile(r"(?!ak-)[A-Za-z][A-Za-z_.-]{0,31}\d{0,2}")
#: What a parser found, of which only single characters and its own `<scalar>` may be repeated.
_QUOTED = re.compile(r" '[^'<]{2,}'")


@dataclass(slots=True)
class Document:
    """The content of one file, or of several: ``lines`` has the place of each path."""

    data: dict[str, Any] = field(default_factory=dict)
    lines: dict[Where, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def place(self, where: Where) -> str:
        """``file:line`` of the longest part of ``where`` that is written somewhere."""
        for end in range(len(where), 0, -1):
            if where[:end] in self.lines:
                return self.lines[where[:end]]
        return f"{next(iter(self.lines.values())).rpartition(':')[0]}:1"

    def overrule(self, where: Where, place: str) -> None:
        """From now on, what is at ``where`` was said at ``place``."""
        for inner in [one for one in self.lines if one[: len(where)] == where]:
            del self.lines[inner]
        self.lines[where] = place


def read(paths: list[Path]) -> Document:
    """Read ``paths`` and everything in those that are directories. Mistakes are in ``problems``."""
    whole = Document()
    for path in paths:
        for file in files_of(path, whole.problems):
            _add(whole, _read_file(file))
    return whole


def files_of(path: Path, problems: list[str]) -> list[Path]:
    """``path``, or the files in it when it is a directory; what is wrong joins ``problems``."""
    try:
        if not path.is_dir():
            return [path]
        # Kubernetes mounts a ConfigMap as links into a directory whose name begins with dots.
        # Not by `glob`, to which a directory that is closed to us looks empty.
        inside = (file for file in path.iterdir() if not file.name.startswith("."))
        found = sorted(file for file in inside if file.suffix == ".yaml")
    except OSError as error:
        problems.append(f"{path}: cannot be read: {error.strerror}; allow it, or name another one")
        return []
    if not found:
        problems.append(f"{path}: there is no *.yaml in this directory; put one there")
    return found


def _read_file(file: Path) -> Document:
    document = Document()
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        document.problems.append(f"{file}: there is no such file; name one with --config")
        return document
    except (OSError, UnicodeDecodeError) as error:
        document.problems.append(f"{file}: cannot be read: {_unreadable(error)}")
        return document
    try:
        _check_depth(text)
        document.data = _Builder(file, document, text).build()
    except yaml.YAMLError as error:
        document.problems.append(_malformed(file, text, error))
    return document


def _unreadable(error: OSError | UnicodeDecodeError) -> str:
    if isinstance(error, OSError):
        return f"{error.strerror}; allow it, or name another one"
    return "it is not UTF-8 text; save it as that"


def _check_depth(text: str) -> None:
    """Refuse what the loader in C, which recurses without a bound, would crash on."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise yaml.YAMLError


def _malformed(file: Path, text: str, error: Exception) -> str:
    number, what = 1, "it is nested too deeply, or has too many aliases"
    if isinstance(error, yaml.MarkedYAMLError):
        number = error.problem_mark.line + 1 if error.problem_mark else 1
        what = _QUOTED.sub("", error.problem or "malformed")
    elif isinstance(error, ReaderError):
        number = text.encode()[: error.position].count(b"\n") + 1
        what = error.reason
    return f"{file}:{number}: not readable as YAML: {what}; correct it"


class _Builder:
    """Builds plain values from the nodes of one file."""

    def __init__(self, file: Path, document: Document, text: str) -> None:
        self._file = file
        self._document = document
        self._loader = _Loader(text)
        self._room = len(text) + _MOST_ALIASED
        self._met: set[int] = set()

    def build(self) -> dict[str, Any]:
        """The mapping at the top; empty when the file is."""
        try:
            node = self._loader.get_single_node()
            if node is None or not node.value:
                self._document.problems.append(
                    f"{self._file}:1: is empty; write `arize` and `policies` into it"
                )
                return {}
            if not isinstance(node, yaml.MappingNode):
                self._document.problems.append(
                    f"{self._place(node)}: must be a mapping with `arize` and `policies`"
                )
                return {}
            return self._mapping(node, ())
        finally:
            self._loader.dispose()

    def _value(self, node: Any, where: Where) -> Any:
        self._room -= 1
        if self._room < 0 or len(where) > _DEEPEST:
            raise yaml.YAMLError
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, where)
        if isinstance(node, yaml.SequenceNode):
            return [self._item(child, (*where, at)) for at, child in enumerate(node.value)]
        return _scalar(node)

    def _item(self, node: Any, where: Where) -> Any:
        self._document.lines[where] = self._place(node)
        return self._value(node, where)

    def _mapping(self, node: Any, where: Where) -> dict[str, Any]:
        if id(node) not in self._met:
            # An alias brings the same node again, with merged keys in it already.
            self._met.add(id(node))
            self._complain_of_twins(node, where)
            self._loader.flatten_mapping(node)
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            # Merged keys (<<) come first, so that those written here replace them.
            key = _name(key_node)
            self._document.lines[*where, key] = self._place(key_node)
            result[key] = self._value(value_node, (*where, key))
        return result

    def _complain_of_twins(self, node: Any, where: Where) -> None:
        seen: dict[str, str] = {}
        for key_node, _ in node.value:
            key, place = _name(key_node), self._place(key_node)
            if key in seen:
                path = dotted((*where, key))
                self._document.problems.append(
                    f"{place}: {path}: given twice; keep one, the first is at {seen[key]}"
                )
            seen.setdefault(key, place)

    def _place(self, node: Any) -> str:
        return f"{self._file}:{node.start_mark.line + 1}"


def _name(node: Any) -> str:
    return sys.intern(node.value) if isinstance(node, yaml.ScalarNode) else "?"


def _scalar(node: Any) -> object:
    # A copy: what stays of a file would lie among its nodes, and keep their memory from the system.
    text = "".join(node.value)
    if node.style:
        return text
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if _INT.fullmatch(text):
        return int(text) if len(text) < 32 else text  # noqa: PLR2004 - no number of ours is longer
    return float(text) if _FLOAT.fullmatch(text) else text


def _add(whole: Document, one: Document) -> None:
    """Policies add up over files; anything else may be said once, or twice alike."""
    whole.problems += one.problems
    before = whole.data.get("policies")
    begun = len(before) if isinstance(before, list) else 0
    for where, place in one.lines.items():
        if where[0] == "policies" and len(where) > 1 and isinstance(where[1], int):
            whole.lines["policies", where[1] + begun, *where[2:]] = place
        else:
            whole.lines.setdefault(where, place)
    for key, value in one.data.items():
        if key not in whole.data:
            whole.data[key] = value
        elif key == "policies" and isinstance(value, list) and isinstance(whole.data[key], list):
            whole.data[key] = [*whole.data[key], *value]
        elif whole.data[key] != value:
            first, second = whole.lines[key,], one.lines[key,]
            whole.problems.append(f"{second}: {key}: said otherwise at {first}; keep one of them")


def dotted(where: Where) -> str:
    """``policies[0].rotate.grace_period``, without names that might be a secret."""
    text = ""
    for part in where:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f"{'.' if text else ''}{part if _WORD.fullmatch(part) else '…'}"
    return text
