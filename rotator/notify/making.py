"""From the configuration to hooks. Each kind's module is loaded where a policy has such a hook."""

from __future__ import annotations

from datetime import UTC, datetime
from signal import Signals
from typing import TYPE_CHECKING

from rotator.secrets import Secret
from rotator.settings.sections import POD_TOKEN

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from rotator.afterwards import Hook
    from rotator.settings import hooks as written, schema
    from rotator.settings.sections import SecretSource

    Read = Callable[[SecretSource], Awaitable[Secret]]

#: What the kubelet puts beside the pod's token.
_POD_CA, _POD_NAMESPACE = POD_TOKEN.with_name("ca.crt"), POD_TOKEN.with_name("namespace")


def hooks_of(
    policies: Iterable[schema.Policy], read: Read, environ: Mapping[str, str]
) -> dict[str, dict[str, Hook]]:
    """The hooks of ``policies``, by policy and name.

    Args:
        policies: As they are written.
        read: Reads a secret, from wherever it lies.
        environ: The variables, of which commands get a few.
    """
    return {
        policy.name: {one.title: hook_of(one, read, environ) for one in policy.notify}
        for policy in policies
    }


def hook_of(one: written.Hook, read: Read, environ: Mapping[str, str]) -> Hook:
    """One hook."""
    if one.http is not None:
        return _post(one.http, one, read)
    if one.command is not None:
        from rotator.notify.command import Command, kept  # noqa: PLC0415

        return Command(one.command, one.timeout, kept(environ, one.keep_env))
    if one.signal is not None:
        from rotator.notify.pidfile import Signal  # noqa: PLC0415

        number = Signals[f"SIG{one.signal.signal}"]
        return Signal(one.signal.pid_file, number, one.signal.process)
    if one.kubernetes is not None:
        return _rollout(one.kubernetes, one, read, environ)
    raise AssertionError(one.title)


def _post(http: written.HttpHook, one: written.Hook, read: Read) -> Hook:
    from rotator.notify import cloudevents  # noqa: PLC0415
    from rotator.notify.post import Post  # noqa: PLC0415
    from rotator.notify.wire import Way  # noqa: PLC0415

    secret, source = http.secret, http.url_from

    async def url() -> Secret:
        return Secret(http.url or "") if source is None else await read(source)

    return Post(
        way=Way(f"notify {one.title}", one.timeout, http.ca_cert, http.proxy),
        url=url,
        layout=cloudevents.binary if http.mode == "binary" else cloudevents.structured,
        secret=None if secret is None else lambda: read(secret),
        now=lambda: datetime.now(UTC),
    )


def _rollout(
    kubernetes: written.KubernetesHook,
    one: written.Hook,
    read: Read,
    environ: Mapping[str, str],
) -> Hook:
    from rotator.notify.rollout import Rollout, api_of  # noqa: PLC0415
    from rotator.notify.wire import Way  # noqa: PLC0415

    api = (kubernetes.api or api_of(environ)).rstrip("/")
    # Through `kubectl proxy` or a sidecar of that kind there is no TLS, and no authority to trust.
    pods = None if api.startswith("http:") else _POD_CA
    return Rollout(
        way=Way(f"notify {one.title}", one.timeout, kubernetes.ca_cert or pods),
        api=api,
        token=lambda: read(kubernetes.token),
        namespace=kubernetes.namespace or _POD_NAMESPACE,
        workloads=kubernetes.workloads,
    )
