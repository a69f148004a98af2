"""Board, metrics and site, tied to the real chain of events."""

import io
import json

import pytest
from observe_stage import FAILED, ROTATED, well

from rotator.decide import decide
from rotator.events import Event
from rotator.observe import configure
from rotator.observe.monitor import Monitor
from rotator.observe.web.site import Access, Request
from rotator.secrets import Secret

CANARY = "canary-0123456789abcdef"


@pytest.fixture
def stream():
    return io.StringIO()


@pytest.fixture
def observer(stream):
    observer = configure("json", "info", stream)
    yield observer
    observer.close()


@pytest.fixture
def monitor(observer):
    return Monitor(observer, ["ci-key"], ["arize", "vault"])


def page(monitor, path, accept=""):
    site = monitor.site(Access(is_local=True))
    return site.answer(Request("GET", path, "localhost", accept))


def test_what_happens_is_on_every_page(observer, monitor):
    s = well()
    monitor.seen(s, decide(s))
    monitor.called("vault", "read", 503, 0.1)
    observer(Event.ROTATION_COMPLETED, **ROTATED)

    assert 200 == page(monitor, "/livez").status
    assert b"vault: answers that it cannot" in page(monitor, "/readyz").body
    assert b'policy="ci-key",strategy="reissue"} 1.0' in page(monitor, "/metrics").body
    assert b"ci-key" in page(monitor, "/").body


def test_metrics_come_in_the_format_that_is_asked_for(monitor):
    answer = page(monitor, "/metrics", "application/openmetrics-text; version=1.0.0")

    assert answer.content_type.startswith("application/openmetrics-text")


def test_the_page_brings_a_policy_for_its_style_sheet(monitor):
    assert "style-src 'sha256-" in page(monitor, "/").fields["Content-Security-Policy"]


def test_a_secret_that_is_known_is_on_no_page_whoever_says_it(observer, monitor):
    observer.hide(Secret(CANARY), "here")
    said = FAILED | {"error": f"cannot store {CANARY}", "remedy": f"put {CANARY} there"}
    observer(Event.POLICY_FAILED, policy="ci-key", retry_at=None, **said)

    for path in ("/livez", "/readyz", "/metrics", "/"):
        assert CANARY.encode() not in page(monitor, path).body
    assert b"cannot store [masked]" in page(monitor, "/readyz").body


def test_a_mistake_of_ours_in_a_look_is_told_and_stops_nothing(observer, monitor, stream):
    monitor.seen(None, None)
    observer.flush(5)

    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert ["process.crashed"] == [line["event"] for line in lines]


def test_policies_that_are_gone_are_on_no_page(observer, monitor):
    observer(Event.ROTATION_COMPLETED, **ROTATED)
    monitor.keep(name for name in ("other",))

    for path in ("/readyz", "/metrics", "/"):
        body = page(monitor, path).body
        assert (True, False) == (b"other" in body, b"ci-key" in body)
