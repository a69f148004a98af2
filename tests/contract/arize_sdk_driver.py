"""Makes calls with the `arize` SDK that is first on the path, and says what the SDK understood.

Runs as a process of its own, because three versions of one package cannot live in one. Reads a line
of JSON for each call and answers with a line: the values are those that the SDK parsed and
validated, not those on the wire.

The whole `ArizeClient` is used: measured on 8.32, 8.36 and 8.61, neither it nor its `api_keys`
imports the data science (pandas, pyarrow, ...) that the SDK wants installed. Pydantic, urllib3 and
python-dateutil are enough.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import datetime
from typing import Any

from arize import ArizeClient
from arize._generated.api_client.exceptions import ApiException
from arize.api_keys import types
from pydantic_core import to_jsonable_python


def understood(value: Any) -> Any:
    """Plain data, with the name of the SDK's class that took each answer."""
    value = getattr(value, "actual_instance", None) or value
    if hasattr(value, "api_keys"):
        page = value.pagination
        keys = [understood(key) for key in value.api_keys]
        return {"keys": keys, "has_more": page.has_more, "next_cursor": page.next_cursor}
    return value and {"model": type(value).__name__, **to_jsonable_python(value.to_dict())}


def argument(name: str, value: Any) -> Any:
    """A plain value as the SDK's own type for that parameter."""
    match name:
        case "expires_at":
            return datetime.fromisoformat(value)
        case "key_type":
            return types.ApiKeyType(value)
        case "status":
            return types.ApiKeyStatus(value)
        case "space_role":
            return types.ApiKeySpaceRole(value)
        case "orgs":
            return [organization(**one) for one in value]
        case _:
            return value


def organization(org_id: str, role: str, spaces: dict[str, str]) -> Any:
    wanted = types.OrganizationRoleAssignmentRequest(
        types.OrganizationPredefinedRoleAssignmentRequest(type="PREDEFINED", name=role)
    )
    return types.OrgBinding(
        org_id=org_id,
        role=wanted,
        spaces=[
            types.SpaceBinding(
                space=space,
                role=types.SpaceRoleAssignmentRequest(
                    types.PredefinedRoleAssignmentRequest(type="PREDEFINED", name=name)
                ),
            )
            for space, name in spaces.items()
        ],
    )


def perform(order: dict[str, Any]) -> dict[str, Any]:
    client = ArizeClient(api_key=order["key"], api_host=order["host"], api_scheme="http")
    arguments = {name: argument(name, value) for name, value in order["arguments"].items()}
    try:
        return {"value": understood(getattr(client.api_keys, order["call"])(**arguments))}
    except ApiException as error:
        problem = json.loads(error.body)
        return {"refused": type(error).__name__, "status": error.status, "problem": problem}


logging.disable()  # The SDK logs to stdout, which is ours to answer on.
for line in sys.stdin:
    sys.stdout.write(json.dumps(perform(json.loads(line))) + "\n")
    sys.stdout.flush()
