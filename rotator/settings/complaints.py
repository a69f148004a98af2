"""From pydantic's errors to lines for a person: place, path, what is wrong, remedy.

Nothing here repeats what somebody wrote as a value: it might be a secret in the wrong place.
"""

from __future__ import annotations

from difflib import get_close_matches
from itertools import pairwise
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

from rotator.settings.documents import dotted

if TYPE_CHECKING:
    from pydantic import ValidationError

    from rotator.settings.documents import Document, Where

_TYPES = {
    "string_type": "must be text; put a number in quotes",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number",
    "finite_number": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "path_type": "must be a path",
    "string_too_short": "must not be empty; fill it in",
    "missing": "is missing; add it",
    "union_tag_not_found": "has no `method`; add token, approle or kubernetes",
    "union_tag_invalid": "has an unknown `method`; use token, approle or kubernetes",
}

_BOUNDS = {
    "literal_error": ("expected", "must be"),
    "less_than_equal": ("le", "must be at most"),
    "greater_than_equal": ("ge", "must be at least"),
}
#: What pydantic calls the arms of our one union, `vault.auth`.
_ARMS = {("auth", method) for method in ("token", "approle", "kubernetes")}


def complaints(error: ValidationError, root: type[BaseModel], document: Document) -> list[str]:
    """A line for each mistake, in the order of the file."""
    return [
        line(document, _without_arm(one["loc"]), _words(one, root))
        for one in error.errors(include_input=False, include_url=False)
    ]


def line(document: Document, where: Where, words: str) -> str:
    """``file:line: path: words``."""
    written = _as_written(where, document.data)
    return f"{document.place(written)}: {dotted(written)}: {words}"


def _without_arm(loc: Where) -> Where:
    return tuple(loc[:1]) + tuple(
        part for pair in pairwise(loc) if pair not in _ARMS for part in pair[1:]
    )


def _as_written(where: Where, data: Any) -> Where:
    """``where`` without the index of a list that is written as its one item."""
    path: list[str | int] = []
    for part in where:
        if isinstance(part, int) and isinstance(data, dict):
            continue
        path.append(part)
        inside = part in data if isinstance(data, dict) else isinstance(data, list)
        data = data[part] if inside else None
    return tuple(path)


def _words(error: Any, root: type[BaseModel]) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown(error["loc"], root)
    if kind == "value_error":
        return str(context["error"])
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        bound = context[name]
        return f"{words} {bound:g}" if isinstance(bound, float) else f"{words} {bound}"
    return _TYPES.get(kind, "is not what belongs here; see config/rotator.yaml")


def _unknown(loc: Where, root: type[BaseModel]) -> str:
    known = sorted(_fields(loc[:-1], root))
    # Just enough for `grace` to find `grace_period`.
    near = get_close_matches(str(loc[-1]), known, n=1, cutoff=0.55)
    if near:
        return f"unknown key; did you mean `{near[0]}`?"
    return f"unknown key; remove it, known here: {', '.join(known)}"


def _fields(loc: Where, root: type[BaseModel]) -> set[str]:
    """The fields that the model at ``loc`` has."""
    models = [root]
    for part in loc:
        if len(models) > 1:
            models = [one for one in models if part in get_args(_annotation(one, "method"))]
        elif isinstance(part, str):
            models = _models_in(_annotation(models[0], part))
    return set(models[0].model_fields)


def _annotation(model: type[BaseModel], name: str) -> Any:
    return model.model_fields[name].annotation


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models_in(inner)]
