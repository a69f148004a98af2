"""The hook ``kubernetes``: a rollout restart of workloads, as ``kubectl rollout restart`` does it.

An annotation of the pod template is patched. Its value is the rotation, so that being told twice
restarts once.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rotator.errors import NotFound, NotPermitted, RotatorError, Unavailable
from rotator.notify.wire import send
from rotator.secrets import Secret

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import timedelta
    from pathlib import Path

    from rotator.notices import News
    from rotator.notify.wire import Way

#: On the pod template of what was restarted.
ANNOTATION = "arize-key-rotator/event"


@dataclass(frozen=True, slots=True)
class Rollout:
    """Implements :class:`rotator.afterwards.Hook`.

    Args:
        way: How to get to the API server.
        api: The address of the API server.
        token: Reads the service account's token, which the kubelet replaces every hour.
        namespace: Of the workloads; a file that names it where the configuration does not.
        workloads: ``deployment/web`` and the like.
    """

    kind: ClassVar[str] = "kubernetes"
    way: Way
    api: str
    token: Callable[[], Awaitable[Secret]]
    namespace: str | Path
    workloads: tuple[str, ...]

    @property
    def timeout(self) -> timedelta:
        """For all of them, at the same time."""
        return self.way.timeout

    def obstacle(self) -> RotatorError | None:
        """What a pod has, and a machine outside of it has not."""
        try:
            self._namespace()
        except RotatorError as error:
            return error
        return self.way.obstacle()

    async def tell(self, news: News) -> None:
        """Patch each workload. One that fails does not keep the others from it.

        Raises:
            RotatorError: What went wrong with the first of those that were not patched.
        """
        token, namespace = await self.token(), self._namespace()
        ends = await asyncio.gather(
            *(self._restart(one, namespace, token, news) for one in self.workloads)
        )
        failures = [error for error in ends if error is not None]
        if failures:
            raise failures[0]

    async def _restart(
        self, workload: str, namespace: str, token: Secret, news: News
    ) -> RotatorError | None:
        kind, _, name = workload.partition("/")
        path = f"/apis/apps/v1/namespaces/{namespace}/{kind}s/{name}"
        annotations = {ANNOTATION: news.id}
        patch = {"spec": {"template": {"metadata": {"annotations": annotations}}}}
        headers = {
            "Authorization": f"Bearer {token.reveal()}",
            "Content-Type": "application/strategic-merge-patch+json",
            "Accept": "application/json",
        }
        url = Secret(f"{self.api}{path}?fieldManager=arize-key-rotator")
        try:
            await send(self.way, "PATCH", url, headers, json.dumps(patch).encode())
        except NotPermitted as error:
            return NotPermitted(
                f"{workload} in {namespace}: {error.message}",
                remedy=f"allow the service account `patch` on {kind}s {name}; see docs/notify.md",
            )
        except NotFound as error:
            return NotFound(f"{workload} in {namespace}: {error.message}", remedy="check its name")
        except RotatorError as error:
            return Unavailable(f"{workload} in {namespace}: {error.message}", remedy=error.remedy)
        return None

    def _namespace(self) -> str:
        if isinstance(self.namespace, str):
            return self.namespace
        try:
            return self.namespace.read_text(encoding="utf-8").strip()
        except OSError:
            raise NotFound(
                "the namespace is not known outside of a pod", remedy="set `kubernetes.namespace`"
            ) from None


def api_of(environ: Mapping[str, str]) -> str:
    """The address of the API server, as a pod is told it."""
    host, port = (environ.get(f"KUBERNETES_SERVICE_{name}", "") for name in ("HOST", "PORT"))
    if not host:
        return "https://kubernetes.default.svc"
    host = f"[{host}]" if ":" in host else host
    return f"https://{host}:{port or 443}"
