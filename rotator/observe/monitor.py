"""Everything that looks on, tied together: the board, the metrics, the site.

Loaded only where one of them is wanted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rotator.events import Event
from rotator.observe.board import Board
from rotator.observe.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rotator.model import Snapshot, Step
    from rotator.observe.logs import Observer
    from rotator.observe.web.site import Access, Answer, Request, Site


class Monitor:
    """Listens to ``observer`` from now on, for ``policies`` and ``services``."""

    def __init__(
        self, observer: Observer, policies: Iterable[str], services: Iterable[str]
    ) -> None:
        self._observer = observer
        self.board = Board(policies, services, clean=observer.clean)
        self.metrics = Metrics(self.board)
        observer.listen(self.board.heard)
        observer.listen(self.metrics.heard)

    def called(self, service: str, operation: str, status: int | None, seconds: float, /) -> None:
        """See :class:`rotator.ports.Called`."""
        self.board.called(service, operation, status, seconds)
        self.metrics.called(service, operation, status, seconds)

    def seen(self, s: Snapshot, step: Step) -> None:
        """See :class:`rotator.ports.World`."""
        try:
            self.board.seen(s, step)
        except Exception as error:  # noqa: BLE001 - who looks on must not stop what goes on
            self._observer(Event.CRASHED, exception=error)

    def keep(self, policies: Iterable[str]) -> None:
        """Forget all policies but these, and expect those that are new."""
        names = tuple(policies)
        self.board.keep(names)
        self.metrics.keep(names)

    def site(self, access: Access) -> Site:
        """The pages, for whoever may read them."""
        from rotator.observe.health import liveness, readiness  # noqa: PLC0415 - only with `http`
        from rotator.observe.web.site import Site  # noqa: PLC0415

        return Site(
            access,
            {"/livez": lambda: liveness(self.board), "/readyz": lambda: readiness(self.board)},
            {"/metrics": self._metrics, "/": self._page},
        )

    def _metrics(self, request: Request) -> Answer:
        from rotator.observe.web.site import Answer  # noqa: PLC0415

        return Answer(200, *self.metrics.answer(request.accept))

    def _page(self, _: Request) -> Answer:
        from rotator.observe.web import page  # noqa: PLC0415 - only who looks pays for it
        from rotator.observe.web.site import Answer  # noqa: PLC0415

        body, allowed = page.render(self.board), page.security_policy()
        headers = {"Content-Security-Policy": allowed}
        return Answer(200, "text/html; charset=utf-8", body, headers)
