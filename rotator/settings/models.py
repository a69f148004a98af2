"""From what is written to what the pure half works with."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from rotator.keys import Bindings, KeyType, LegacyBindings, OrgBinding, Role, SpaceBinding
from rotator.model import Choice, Limits, OnDrift, Policy, RetireWhen, Selector, Target
from rotator.settings.windows import CronWindow

if TYPE_CHECKING:
    from rotator.keys import AnyBindings
    from rotator.settings import schema


def policy_of(written: schema.Policy) -> Policy:
    """The rules for one key."""
    key, rotate = written.key, written.rotate
    return Policy(
        name=written.name,
        selector=Selector(
            id=key.id,
            name=key.name,
            space_id=key.space_id,
            type=KeyType(key.type) if key.type else None,
        ),
        targets=tuple(
            Target(one.path, one.field, one.mount, dict(one.metadata)) for one in written.deliver
        ),
        grace=rotate.grace_period,
        before_expiry=rotate.before_expiry,
        max_age=rotate.max_age,
        lifetime=rotate.lifetime,
        strategy=Choice(rotate.strategy),
        min_interval=rotate.min_interval,
        on_drift=OnDrift(rotate.on_drift),
        retire=RetireWhen(rotate.retire),
        bindings=_bindings(key.bindings) if key.bindings else None,
        jitter=rotate.jitter or timedelta(0),
        windows=windows_of(written),
        suspend=written.suspend,
        hooks=tuple(hook.title for hook in written.notify),
    )


def windows_of(written: schema.Policy) -> tuple[CronWindow, ...]:
    """When rotations may be begun."""
    return tuple(CronWindow(one.cron, one.duration, one.time_zone) for one in written.windows)


def limits_of(root: schema.Root) -> Limits:
    """The bounds that protect a key."""
    return Limits(
        lease=root.run.lease,
        timeout=max(root.arize.timeout, root.vault.timeout if root.vault else root.arize.timeout),
        retry_budget=root.run.retry_budget,
        settle=root.run.settle,
        handover=root.run.handover,
        notify_for=root.run.notify_for,
    )


def _bindings(written: schema.KeyBindings) -> AnyBindings:
    if written.space_id is not None:
        roles = written.roles
        if roles is None:
            return LegacyBindings(written.space_id)
        return LegacyBindings(
            written.space_id, roles.space_role, roles.org_role, roles.account_role
        )
    return Bindings(
        organizations=tuple(
            OrgBinding(
                org.org_id,
                _role(org.role),
                tuple(SpaceBinding(space.space_id, _role(space.role)) for space in org.spaces),
            )
            for org in written.organizations or ()
        ),
        account_role=_role(written.account_role),
    )


def _role(written: schema.Role | None) -> Role | None:
    return Role(written.name, written.id) if written else None
