"""The JSON Schema of a configuration file, for editors: from the models, with words from ``help``.

It describes one file, of which there may be several, under an environment that may add to it. So
only what stands in a list is ever required: the rest may be said elsewhere. ``rotator check`` knows
more than a schema can say, such as which settings must not be together.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

from rotator import words
from rotator.settings.help import HELP
from rotator.settings.schema import REGIONS, Root
from rotator.settings.sections import FACTS

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
#: As :func:`~rotator.settings.durations.parse_duration` reads it.
_LENGTH = {
    "pattern": r"^([0-9 ]+(\.[0-9 ]+)?(m *s|[smhdw]) *)+$",
    "examples": ["90s", "1h30m", "7d"],
}
_KV_PATH = {"type": "string", "pattern": r"^/*[^/\x00-\x20]+(/[^/\x00-\x20]+)*/*$"}
_ADDRESS = {"type": "string", "pattern": "^https?://"}
#: What a model checks in code, and pydantic therefore does not tell, by model and field.
_FIELDS: dict[str, dict[str, Json]] = {
    "Arize": {"base_url": _ADDRESS, "region": {"enum": list(REGIONS)}},
    "Vault": {"address": _ADDRESS, "mount": _KV_PATH, "journal": _KV_PATH},
    "Http": {"listen": {"type": "string", "pattern": r":[0-9]{1,5}$"}},
    "VaultPlace": {"path": _KV_PATH, "mount": _KV_PATH},
    "Delivery": {"path": _KV_PATH, "mount": _KV_PATH},
    "SecretSource": {"env": {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}},
    "Policy": {
        "name": {"type": "string", "pattern": "^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$"},
    },
}
#: Either of two fields, by model.
_EITHER = {
    "KeyChoice": ("id", "name"),
    "KeyBindings": ("organizations", "space_id"),
    "HttpHook": ("url", "url_from"),
    "Hook": ("http", "command", "signal", "kubernetes"),
}
#: Models of which at least one stands inside of a list, where nothing else can add to it.
_LISTED = {
    "Policy",
    "Delivery",
    "Window",
    "Hook",
    "HttpHook",
    "SignalHook",
    "KubernetesHook",
    "Sink",
    "OrgRoles",
    "SpaceRoles",
}


def json_schema() -> Json:
    """The whole schema, draft 2020-12."""
    schema = Root.model_json_schema()
    parts = schema["$defs"]
    for model in _models(Root):
        _describe(schema if model is Root else parts[model.__name__], model)
    parts["SecretSource"] |= {"minProperties": 1, "maxProperties": 1}
    parts["Role"] = _or_text(parts["Role"])
    parts["Delivery"]["properties"]["metadata"]["propertyNames"] = {"enum": list(FACTS)}
    parts["Sink"]["properties"]["names"]["propertyNames"] = {"enum": ["key", *FACTS]}
    for field in ("deliver", "windows", "notify", "write"):
        _one_or_many(parts["Policy"]["properties"][field])
    whole: Json = {"$schema": _DRAFT, "title": "Configuration of rotator"}
    return whole | dict(_plain(schema))


def _describe(part: Json, model: type[BaseModel]) -> None:
    """Complete what pydantic says of ``model``."""
    name = model.__name__
    part["description"] = " ".join((model.__doc__ or "").replace("``", "`").split())
    if name not in _LISTED:
        part.pop("required", None)
    if name in _EITHER:
        part["oneOf"] = [{"required": [one]} for one in _EITHER[name]]
    for field, told in part["properties"].items():
        # Of an optional field, the first arm is the one that is not null.
        arm = told["anyOf"][0] if "anyOf" in told else told
        arm |= _FIELDS.get(name, {}).get(field, {})
        told["description"] = HELP[name][field]
        default = model.model_fields[field].default
        if isinstance(default, timedelta):
            told["default"] = words.length(default)
        elif isinstance(default, BaseModel) or default is None:
            told.pop("default", None)


def _plain(part: Any) -> Any:
    """Without titles that only repeat names, and with lengths of time as we write them."""
    if isinstance(part, list):
        return [_plain(one) for one in part]
    if not isinstance(part, dict):
        return part
    if part.get("format") == "duration":
        part = {key: value for key, value in part.items() if key != "format"} | _LENGTH
    return {
        key: _plain(value)
        for key, value in part.items()
        if not (key == "title" and isinstance(value, str))
    }


def _one_or_many(told: Json) -> None:
    """A list that may be written as its one item."""
    many = {"type": told.pop("type"), "items": told.pop("items"), "minItems": 1}
    told["anyOf"] = [many["items"], many]


def _or_text(role: Json) -> Json:
    """A role may be written as its name alone."""
    name = {"type": "string", "minLength": 1}
    return {"description": role.pop("description"), "anyOf": [name, role]}


def _models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """``model`` and all that can stand in it."""
    seen = [model]
    for one in seen:
        seen += [
            inner
            for field in one.model_fields.values()
            for inner in _inside(field.annotation)
            if inner not in seen
        ]
        yield one


def _inside(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _inside(inner)
