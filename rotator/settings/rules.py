"""What settings must not be together. Each rule yields (where, words)."""

from __future__ import annotations

from datetime import timedelta
from difflib import get_close_matches
from importlib.util import find_spec
from typing import TYPE_CHECKING

from rotator import words
from rotator.settings import hook_rules, pacing
from rotator.settings.addresses import fault_of_url, of_way
from rotator.settings.schema import REGIONS
from rotator.settings.sections import FACTS
from rotator.settings.sources import fault_of, read_secret

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rotator.secrets import Secret
    from rotator.settings.documents import Where
    from rotator.settings.parts import Parts
    from rotator.settings.schema import Arize, Delivery, Policy, Run, Vault

Complaint = tuple["Where", str]
#: Bound of Arize on ``grace_period_seconds``.
_MOST_GRACE = timedelta(hours=24)
#: Characters of ``http.token``.
_LEAST_TOKEN = 16


def every(parts: Parts, environ: Mapping[str, str]) -> Iterator[Complaint]:
    """Mistakes in what is well-formed."""
    yield from _of_services(parts)
    yield from _of_secrets(parts, environ)
    taken = {source.env for _, source in parts.sources() if source.env}
    for at, policy in parts.policies.items():
        yield from _of_policy(policy, at, parts.run)
        yield from hook_rules.exposed(policy, ("policies", at), taken)
    yield from _between(parts.policies, parts.vault)


def _of_services(parts: Parts) -> Iterator[Complaint]:
    if parts.arize is not None:
        yield from _of_arize(parts.arize)
    if parts.vault is not None:
        yield from _of_vault(parts.vault)
    if parts.vault is not None and parts.files is not None:
        yield ("files",), "there is `vault` as well; keys live in one of them, keep one"
    if parts.spool is not None:
        yield from _of_spool(parts)
    if parts.run is not None:
        yield from _of_run(parts.run, [one.timeout for one in (parts.arize, parts.vault) if one])


def _of_secrets(parts: Parts, environ: Mapping[str, str]) -> Iterator[Complaint]:
    for where, source in parts.sources():
        if source.vault is not None and where[0] == "vault":
            yield where, "lies in Vault, behind this login; use {env: NAME} or {file: PATH}"
        if source.vault is not None and where[0] == "http":
            yield where, "is needed also when Vault is down; use {env: NAME} or {file: PATH}"
        if fault := fault_of(source, environ):
            yield where, fault
        elif where[0] == "http" and source.vault is None:
            yield from _of_token(where, read_secret(source, environ))


def _of_token(where: Where, token: Secret) -> Iterator[Complaint]:
    if len(token.reveal()) < _LEAST_TOKEN:
        words = f"is shorter than {_LEAST_TOKEN} characters, and may be guessed"
        yield where, f"{words}; make one with: openssl rand -hex 16"


def _of_policy(policy: Policy, at: int, run: Run | None) -> Iterator[Complaint]:
    where: Where = ("policies", at)
    rotate = policy.rotate
    if rotate.before_expiry is None and rotate.max_age is None:
        yield (*where, "rotate"), "has no trigger; set `before_expiry`, `max_age` or both"
    if rotate.strategy != "reissue":
        yield from _of_grace(policy, (*where, "rotate", "grace_period"), run)
    yield from _of_lifetime(policy, (*where, "rotate"))
    yield from pacing.mistakes(policy, where, run)
    yield from hook_rules.mistakes(policy, where)
    for place, delivery in enumerate(policy.deliver):
        spot = (*where, "deliver", place)
        yield from _of_metadata(delivery.metadata, delivery.field, spot)
        if delivery.refresh_every is not None and delivery.refresh_every >= rotate.grace_period:
            grace = words.length(rotate.grace_period)
            text = f"is not shorter than grace_period ({grace}): the old key ends before it is seen"
            yield (*spot, "refresh_every"), f"{text}; lengthen grace_period, or read more often"


def _between(policies: Mapping[int, Policy], vault: Vault | None) -> Iterator[Complaint]:
    owners: dict[tuple[object, ...], str] = {}
    mount = vault.mount if vault else None
    for at, policy in policies.items():
        for claim, where, what, remedy in _claims(policy, at, mount):
            if claim in owners:
                yield where, f"{what} {owners[claim]!r} already; {remedy}"
            owners.setdefault(claim, policy.name)
        yield from _of_journal(policy, at, vault)
    yield from _of_one_name(policies)


def _of_one_name(policies: Mapping[int, Policy]) -> Iterator[Complaint]:
    """Two policies that name their keys alike, and one of them says more: it may be one key."""
    named: dict[tuple[str, str], list[Policy]] = {}
    for at, policy in policies.items():
        key = policy.key
        if key.name is None:
            continue
        # Without a word of services, those of users are listed.
        kind = key.type or ("service" if key.space_id else "user")
        alike = named.setdefault((key.name, kind), [])
        for other in alike:
            said = {(one.type, one.space_id) for one in (key, other.key)}
            if len(said) > 1 and (None in {key.space_id, other.key.space_id}):
                remedy = "say of which space in both, or let one policy deliver it to both"
                yield ("policies", at, "key"), f"may be the key of policy {other.name!r}; {remedy}"
        alike.append(policy)


def _claims(
    policy: Policy, at: int, mount: str | None
) -> Iterator[tuple[tuple[object, ...], Where, str, str]]:
    """What a policy wants for itself: (what it is, where it is said, words, remedy)."""
    where: Where = ("policies", at)
    key = policy.key
    yield ("name", policy.name), (*where, "name"), "a policy is named", "choose another name"
    chosen = ("id", key.id) if key.id else ("named", key.name, key.space_id, key.type)
    yield (
        chosen,
        (*where, "key"),
        "this key is rotated by policy",
        "let one policy deliver it to both",
    )
    for file, spot in hook_rules.files(policy, where):
        yield ("file", file), spot, "this file is written by policy", "choose another file"
    for place, delivery in enumerate(policy.deliver):
        for name, spot in _fields_of(delivery).items():
            yield (
                ("field", delivery.mount or mount, delivery.path, name),
                (*where, "deliver", place, *spot),
                "this field of this path is written by policy",
                "choose another field",
            )


def _fields_of(delivery: Delivery) -> dict[str, Where]:
    """The fields that a delivery writes, with where that is said."""
    siblings: dict[str, Where] = {
        name: ("metadata", fact) for fact, name in delivery.metadata.items()
    }
    return {**siblings, delivery.field: ("field",)}


def _of_arize(arize: Arize) -> Iterator[Complaint]:
    if arize.base_url is not None and arize.region is not None:
        yield ("arize", "region"), "there is `base_url` as well; keep one of them"
    if arize.region is not None and arize.region not in REGIONS:
        near = get_close_matches(arize.region, REGIONS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"use one of {', '.join(REGIONS)}"
        yield ("arize", "region"), f"is not a region of Arize; {hint}"
    if arize.base_url is not None and (fault := fault_of_url(arize.base_url)):
        yield ("arize", "base_url"), fault
    yield from of_way(("arize",), {"ca_cert": arize.ca_cert}, arize.proxy, arize.base_url)


def doubts(policy: Policy, where: Where, vault: Vault | None) -> Iterator[Complaint]:
    """What works, and perhaps not as it was meant."""
    rotate = policy.rotate
    if rotate.before_expiry and rotate.before_expiry < rotate.grace_period:
        text = "is shorter than the grace period: old keys will expire before their grace ends"
        yield (*where, "rotate", "before_expiry"), f"{text}; lengthen it"
    if rotate.max_age and rotate.max_age < rotate.min_interval:
        least = words.length(rotate.min_interval)
        text = f"is shorter than min_interval ({least}): keys grow older"
        yield (*where, "rotate", "max_age"), f"{text}; lengthen it, or shorten that"
    for place, delivery in enumerate(policy.deliver if vault else ()):
        mount = delivery.mount or (vault.mount if vault else "")
        # Vault's API and its policies have a path like that, its `kv` commands have not.
        for prefix in (f"{mount}/data/", f"{mount}/", "data/"):
            if delivery.path.startswith(prefix):
                text = f"begins with {prefix}, which lies below the mount {mount} then"
                yield (*where, "deliver", place, "path"), f"{text}; leave it out if not so meant"
                break


def _of_vault(vault: Vault) -> Iterator[Complaint]:
    if fault := fault_of_url(vault.address):
        yield ("vault", "address"), fault
    if (vault.client_cert is None) != (vault.client_key is None):
        missing = "client_key" if vault.client_key is None else "client_cert"
        yield ("vault",), f"a client certificate needs both of its files; add `{missing}`"
    files = {name: getattr(vault, name) for name in ("ca_cert", "client_cert", "client_key")}
    yield from of_way(("vault",), files, vault.proxy, vault.address)


def _of_spool(parts: Parts) -> Iterator[Complaint]:
    if not parts.in_vault:
        words = "what it seals is opened with a key in Vault; write `vault`, or remove it"
        yield ("spool",), words
    if find_spec("nacl") is None:
        words = "needs PyNaCl, which is not installed; pip install 'arize-key-rotator[spool]'"
        yield ("spool",), words


def _of_run(run: Run, timeouts: list[timedelta]) -> Iterator[Complaint]:
    slowest = max(timeouts, default=timedelta(0))
    if run.lease < 3 * slowest:
        text = f"must be at least three times the longest timeout ({words.length(slowest)})"
        yield ("run", "lease"), f"{text}; lengthen it, or shorten the timeout"


def _of_grace(policy: Policy, where: Where, run: Run | None) -> Iterator[Complaint]:
    grace = policy.rotate.grace_period
    if grace > _MOST_GRACE:
        yield where, "Arize takes at most 24h for a refresh; shorten it, or use strategy: reissue"
    elif run is not None and grace < run.retry_budget:
        budget = words.length(run.retry_budget)
        text = f"is shorter than run.retry_budget ({budget}), which a delivery may take"
        yield where, f"{text}; lengthen it, or use strategy: reissue"


def _of_lifetime(policy: Policy, where: Where) -> Iterator[Complaint]:
    rotate = policy.rotate
    if rotate.lifetime is None:
        return
    margin = rotate.before_expiry or timedelta(0)
    if margin >= rotate.lifetime:
        text = f"must be shorter than the lifetime ({words.length(rotate.lifetime)})"
        yield (*where, "before_expiry"), f"{text}, or every new key is due at once"
    elif rotate.min_interval >= rotate.lifetime - margin:
        yield (
            (*where, "min_interval"),
            "must be shorter than `lifetime` less `before_expiry`, or keys expire waiting for it",
        )


def _of_metadata(metadata: dict[str, str], field: str, where: Where) -> Iterator[Complaint]:
    for fact, name in metadata.items():
        if fact not in FACTS:
            near = get_close_matches(fact, FACTS, n=1)
            hint = f"did you mean `{near[0]}`?" if near else f"use one of {', '.join(FACTS)}"
            yield (*where, "metadata", fact), f"unknown fact; {hint}"
        if name == field:
            yield (*where, "metadata", fact), "would overwrite the key itself; choose another field"
    if len(set(metadata.values())) < len(metadata):
        yield (*where, "metadata"), "two facts are written to one field; choose another for one"


def _of_journal(policy: Policy, at: int, vault: Vault | None) -> Iterator[Complaint]:
    if vault is None:
        return
    for place, delivery in enumerate(policy.deliver):
        inside = f"{delivery.path}/".startswith(f"{vault.journal}/")
        if inside and (delivery.mount or vault.mount) == vault.mount:
            yield (
                ("policies", at, "deliver", place, "path"),
                "lies in the journal; deliver elsewhere, or rename vault.journal",
            )
