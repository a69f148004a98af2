"""The layout of events and their signature, against the words of the two standards."""

import base64
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from notify_stage import AT, NEWS

from rotator.errors import Unauthenticated
from rotator.notices import News
from rotator.notify import cloudevents
from rotator.secrets import Secret

DOCS = Path(__file__).parents[2] / "docs" / "notify.md"
KEY = b"thirty-two bytes of good chance!"
WHSEC = f"whsec_{base64.b64encode(KEY).decode()}"


def verifier():
    """The function that the documentation shows to receivers."""
    (snippet,) = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    names = {}
    exec(snippet, names)  # noqa: S102 - our own documentation
    return names["verify"]


def test_the_example_of_standard_webhooks_is_signed_as_theirs_is():
    """The vector of the reference implementations (``test_webhook``)."""
    news = News("msg_p5jXN8AQM9LWM0D4loKWxJek", "t", "p", "s", AT)
    sent_at = datetime.fromtimestamp(1614265330, UTC)
    secret = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

    assert {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    } == cloudevents.signed(secret, news, b'{"test": 2432232314}', sent_at)


@pytest.mark.parametrize("secret", ["a plain secret", WHSEC])
@pytest.mark.parametrize("layout", [cloudevents.structured, cloudevents.binary])
def test_the_documented_way_to_verify_takes_what_we_send(secret, layout):
    _, body = layout(NEWS)
    headers = cloudevents.signed(Secret(secret), NEWS, body, AT)
    verify, now = verifier(), AT.timestamp()

    assert verify(secret, headers, body, now=now)
    assert verify(secret, headers, body, now=now + 299)
    assert not verify(secret, headers, body, now=now + 301)
    assert not verify(secret, headers, body, now=now - 301)
    assert not verify("another secret", headers, body, now=now)
    assert not verify(secret, headers, body + b" ", now=now)
    for name in ("webhook-id", "webhook-timestamp"):
        assert not verify(secret, headers | {name: "1795422663"}, body, now=now)
    assert not verify(secret, {}, body, now=now)
    both = f"v1,AAAA {headers['webhook-signature']}"
    assert verify(secret, headers | {"webhook-signature": both}, body, now=now)


def test_a_secret_that_pretends_to_be_base64_is_refused_without_being_shown():
    with pytest.raises(Unauthenticated) as caught:
        cloudevents.signed(Secret("whsec_CANARY!"), NEWS, b"", AT)

    assert "CANARY" not in f"{caught.value} {caught.value.__context__!r}"


def test_what_a_header_cannot_hold_is_encoded():
    """The example of the HTTP binding, 3.1.3.2."""
    headers, _ = cloudevents.binary(replace(NEWS, subject="Euro € 😀"))

    assert "Euro%20%E2%82%AC%20%F0%9F%98%80" == headers["ce-subject"]


@pytest.mark.parametrize(
    ("given", "expected"), [('a"b', "a%22b"), ("100%", "100%25"), ("a b\x7f", "a%20b%7F")]
)
def test_what_has_a_meaning_in_a_header_is_encoded(given, expected):
    assert expected == cloudevents.binary(replace(NEWS, subject=given))[0]["ce-subject"]


def test_the_rest_of_ascii_is_left_as_it_is():
    plain = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')

    assert plain == cloudevents.binary(replace(NEWS, subject=plain))[0]["ce-subject"]


def test_no_content_type_stands_among_the_attributes_of_a_binary_event():
    assert "ce-datacontenttype" not in cloudevents.binary(NEWS)[0]


def test_text_goes_as_utf_8():
    _, body = cloudevents.structured(replace(NEWS, facts={"reason": "Schlüssel"}))

    assert "Schlüssel".encode() in body
    assert "Schlüssel" == json.loads(body)["data"]["reason"]
