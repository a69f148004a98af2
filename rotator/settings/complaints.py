"""From pydantic's errors to lines for a person: place, path, what is wrong, remedy.

Nothing here repeats what somebody wrote as a value: it might be a secret in the wrong place.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

from rotator.settings.documents import dotted

if TYPE_CHECKING:
    from pydantic import ValidationError

    from rotator.settings.documents import Document, Where

_TYPES = {
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "path_type": "must be a path",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
    "string_pattern_mismatch": "use lower-case letters, digits, dots, dashes and underscores, at"
    " most 63 of them",
    "missing": "is missing",
    "union_tag_not_found": "needs a `method`: token, approle or kubernetes",
    "union_tag_invalid": "has an unknown `method`; use token, approle or kubernetes",
}

_BOUNDS = {
    "literal_error": ("expected", "must be"),
    "less_than_equal": ("le", "must be at most"),
    "greater_than_equal": ("ge", "must be at least"),
}
#: What pydantic calls the arms of our unions.
_ARMS = {"str", "RoleById", "token", "approle", "kubernetes"}


def complaints(error: ValidationError, root: type[BaseModel], document: Document) -> list[str]:
    """A line for each mistake, in the order of the file."""
    lines: dict[str, None] = {}
    for one in error.errors(include_input=False, include_url=False):
        where = _written(one["loc"], document.data)
        lines[line(document, where, _words(one, where, root))] = None
    return list(lines)


def line(document: Document, where: Where, words: str) -> str:
    """``file:line: path: words``."""
    place = document.place(where)
    return f"{place}: {dotted(where)}: {words}" if where else f"{place}: {words}"


def _written(loc: Where, data: Any) -> Where:
    """``loc`` without what only pydantic knows: the arm of a union, a list made of one."""
    path: list[str | int] = []
    for part in loc:
        inside = isinstance(data, dict) and part in data
        if inside or (isinstance(data, list) and isinstance(part, int) and part < len(data)):
            data = data[part]
            path.append(part)
        elif part == loc[-1] and isinstance(part, str) and part not in _ARMS:
            path.append(part)
    return tuple(path)


def _words(error: Any, where: Where, root: type[BaseModel]) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown(where, root)
    if kind == "value_error":
        return str(context["error"])
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        return f"{words} {context[name]}"
    return _TYPES.get(kind, "is wrong")


def _unknown(where: Where, root: type[BaseModel]) -> str:
    name = str(where[-1])
    known = sorted(_fields(where[:-1], root))
    near = get_close_matches(name, known, n=1, cutoff=0.6)
    if near:
        return f"unknown key; did you mean `{near[0]}`?"
    return f"unknown key; known here: {', '.join(known)}"


def _fields(where: Where, root: type[BaseModel]) -> set[str]:
    """The fields that the models at ``where`` have."""
    models = [root]
    for part in where:
        if isinstance(part, str):
            models = [
                inner
                for model in models
                if (field := model.model_fields.get(part)) is not None
                for inner in _models_in(field.annotation)
            ]
    return {name for model in models for name in model.model_fields}


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models_in(inner)]
