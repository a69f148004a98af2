"""Policies as people write them, with keys that are due in the first minutes."""

from dataclasses import replace
from datetime import timedelta

from sim_services import EPOCH, Every

from rotator.keys import KeyType, LegacyBindings
from rotator.model import Choice, OnDrift, Policy, RetireWhen, Selector, Target
from rotator.sandbox.arize_state import SPACE

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
GRACE = HOUR
#: All triggers fall into the first minutes of a history, and so does the trouble.
DUE = 60.0


def add_policy(world, draw, name, *, key_name=None):
    """``key_name``: of a key that has it in common with another policy's."""
    options = world.arize.options
    service = draw.random() < 0.3
    bounded = draw.random() < 0.6
    due_at = EPOCH + timedelta(seconds=DUE + draw.uniform(-30, 200))
    lifetime = draw.choice((30, 60, 89)) * DAY
    expires_at = due_at + 7 * DAY if bounded else None
    created_at = due_at + 7 * DAY - lifetime if bounded else due_at - 30 * DAY
    seed = world.arize.seed_service_key if service else world.arize.seed_user_key
    key_id, _ = seed(key_name or name, created_at=created_at, expires_at=expires_at)
    born = world.arize.find(key_id)
    selector = _selector(draw, born, service)
    if key_name and selector.name:
        selector = replace(selector, id=born.id, name=None)
    # One in thirty keys without an end is never due: it is replaced by hand alone.
    by_age = draw.random() < (0.2 if bounded else 29 / 30)
    policy = Policy(
        name=name,
        selector=selector,
        targets=tuple(
            Target(f"apps/{name}/{at}", "api_key", metadata={"key_id": "arize_key_id"})
            for at in range(draw.choice((1, 1, 2, 3)))
        ),
        grace=GRACE,
        before_expiry=7 * DAY if bounded else None,
        max_age=30 * DAY if by_age else None,
        lifetime=draw.choice((None, None, 60 * DAY)),
        strategy=_strategy(draw, bounded, options),
        bindings=_bindings(draw, born, service),
        hooks=draw.choice(((), ("web",), ("web", "reload"))),
        suspend=draw.random() < 0.1,
        on_drift=draw.choice(tuple(OnDrift)),
        retire=draw.choice(
            (RetireWhen.AT_GRACE_END, RetireWhen.AT_GRACE_END, RetireWhen.WHEN_IDLE)
        ),
    )
    world.add(policy, born, delivered=draw.random() < 0.9)
    if draw.random() < 0.2 and policy.selector.id:
        other_id, _ = seed(born.name, created_at=created_at, expires_at=expires_at)
        world.bystanders.append(world.arize.find(other_id))


def _selector(draw, born, service):
    where = {"space_id": SPACE} if service and draw.random() < 0.5 else {}
    if service and not where:
        where = {"type": born.type}
    if draw.random() < 0.6:
        return Selector(id=born.id, **where)
    return Selector(name=born.name, **where)


def _strategy(draw, bounded, options):
    """A refresh cannot extend a life in era C: who insists on it there loses the key."""
    choices = [Choice.AUTO, Choice.AUTO, Choice.REISSUE]
    if not bounded or options.era != "C":
        choices.append(Choice.REFRESH)
    return draw.choice(choices)


def _bindings(draw, born, service):
    legacy = isinstance(born.bindings, LegacyBindings)
    return born.bindings if service and (legacy or draw.random() < 0.5) else None


def add_paced(world, draw, name):
    """A policy whose key would die within hours, and that waits for its windows."""
    due_at = EPOCH + timedelta(seconds=DUE + draw.uniform(-30, 600))
    margin = HOUR * draw.uniform(3, 7)
    key_id, _ = world.arize.seed_user_key(
        name, created_at=due_at - 30 * DAY, expires_at=due_at + margin
    )
    born = world.arize.find(key_id)
    policy = Policy(
        name=name,
        selector=Selector(id=born.id) if draw.random() < 0.6 else Selector(name=name),
        targets=(Target(f"apps/{name}", "api_key"),),
        grace=GRACE,
        before_expiry=margin,
        strategy=draw.choice((Choice.AUTO, Choice.REISSUE)),
        windows=tuple(_window(draw) for _ in range(draw.choice((0, 1, 1, 2)))),
        jitter=draw.choice((timedelta(0), 10 * MINUTE, 4 * HOUR)),
        suspend=draw.random() < 0.1,
    )
    world.add(policy, born, delivered=True)


def _window(draw):
    """Open for at least as long as it takes until somebody comes by."""
    length = MINUTE * draw.uniform(6, 60)
    return Every(length + HOUR * draw.uniform(0.1, 4), length, EPOCH + HOUR * draw.uniform(0, 4))


def add_hopeless(world, draw):
    """A policy that can only fail, in nobody's way; for each reason that there is for that."""
    kind = draw.choice(("gone", "grace", "type", "age", "shared"))
    bounded = kind in {"type", "age"}
    key_id, _ = world.arize.seed_user_key(
        "hopeless",
        created_at=EPOCH - 60 * DAY,
        expires_at=EPOCH + 6 * DAY if bounded else None,
    )
    key = world.arize.find(key_id)
    if kind == "type":
        key.type = KeyType.UNKNOWN
    if kind == "age":
        world.network.undated.add(key.raw)
    policy = Policy(
        name="hopeless",
        selector=Selector(id="QXBpS2V5OjA=" if kind == "gone" else key_id),
        targets=(Target("apps/hopeless", "api_key"),),
        grace=MINUTE / 6 if kind == "grace" else GRACE,
        before_expiry=7 * DAY if bounded else None,
        max_age=None if bounded else 30 * DAY,
        strategy=Choice.REFRESH if kind == "grace" else Choice.REISSUE,
    )
    names = ("hopeless", "hopeless too") if kind == "shared" else ("hopeless",)
    for name in names:
        world.add(replace(policy, name=name), None, delivered=False)
    world.bystanders.append(key)
