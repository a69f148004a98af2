"""Three keys that need three treatments, and a configuration for them: for sandbox and demo."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import yaml

from rotator.keys import LegacyBindings
from rotator.sandbox.arize_privileges import plain_bindings
from rotator.sandbox.arize_state import ORGANIZATION, SPACE
from rotator.secrets import Secret

if TYPE_CHECKING:
    from rotator.sandbox.arize_state import ArizeState

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Example:
    """A key in the account, with the policy that looks after it."""

    name: str
    what: str
    #: Where it is delivered, below the mount.
    path: str
    raw: Secret
    policy: dict[str, object]


def seed(arize: ArizeState, *, grace: str) -> list[Example]:
    """Put three keys into the account, each of them due.

    Args:
        arize: The account.
        grace: ``grace_period`` of the policies.
    """
    now = arize.clock()
    ci = arize.seed_user_key("ci-pipeline", created_at=now - 31 * _DAY)
    reports = arize.seed_user_key("reports", created_at=now - 88 * _DAY, expires_at=now + 2 * _DAY)
    ingest = arize.seed_service_key("ingest", created_at=now - 29 * _DAY, expires_at=now + _DAY)
    service: dict[str, object] = {"id": ingest[0], "space_id": SPACE}
    if arize.options.era != "C":
        # The older wire format never tells what a service key may do.
        service["bindings"] = _legacy_bindings(arize)
    aged = {"max_age": "30d", "grace_period": grace}
    return [
        _example("ci-pipeline", "user key without expiry", ci[1], {"id": ci[0]}, aged),
        _example(
            "reports", "user key near its expiry", reports[1], {"id": reports[0]}, _week(grace)
        ),
        _example("ingest", "service key near its expiry", ingest[1], service, _week(grace)),
    ]


def _week(grace: str) -> dict[str, str]:
    """One for each policy: what two shared would be written as an anchor and an alias."""
    return {"before_expiry": "7d", "grace_period": grace}


def configuration(
    examples: list[Example], *, arize_url: str, vault_url: str, run: dict[str, str]
) -> str:
    """A ``rotator.yaml`` for ``examples``; the two credentials come from the environment."""
    document = {
        "arize": {"base_url": arize_url, "api_key": {"env": "ARIZE_API_KEY"}},
        "vault": {
            "address": vault_url,
            "auth": {"method": "token", "token": {"env": "VAULT_TOKEN"}},
        },
        **({"run": run} if run else {}),
        "policies": [example.policy for example in examples],
    }
    return yaml.safe_dump(document, sort_keys=False)


def _example(
    name: str, what: str, raw: str, selector: dict[str, object], rotate: dict[str, str]
) -> Example:
    path = f"apps/{name}/arize"
    siblings = {"key_id": "arize_key_id", "expires_at": "arize_expires_at"}
    policy: dict[str, object] = {"name": name, "key": selector, "rotate": rotate}
    policy["deliver"] = {"path": path, "field": "api_key", "metadata": siblings}
    return Example(name, what, path, Secret(raw), policy)


def _legacy_bindings(arize: ArizeState) -> dict[str, object]:
    bindings = plain_bindings(arize.options.era, organization=ORGANIZATION, space=SPACE)
    if not isinstance(bindings, LegacyBindings):
        raise TypeError(bindings)
    return {
        "space_id": bindings.space_id,
        "roles": {
            "space_role": bindings.space_role,
            "org_role": bindings.org_role,
            "account_role": bindings.account_role,
        },
    }
