"""News as a CloudEvent 1.0, and its signature. Pure.

Layouts: CloudEvents 1.0.2, the JSON format and the HTTP binding. Signature: Standard Webhooks 1.0,
symmetric.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from typing import TYPE_CHECKING
from urllib.parse import quote

from rotator.errors import Unauthenticated

if TYPE_CHECKING:
    from datetime import datetime

    from rotator.notices import News
    from rotator.secrets import Secret

#: Of a secret that is written as Standard Webhooks has them.
_PREFIX = "whsec_"
#: Printable ASCII but the space, the double quote and the percent sign goes into a header as it is.
_PLAIN = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')

Layout = tuple[dict[str, str], bytes]


def structured(news: News) -> Layout:
    """Headers and body of a request with everything in its body."""
    event = {**_attributes(news), "datacontenttype": "application/json", "data": _data(news)}
    return {"Content-Type": "application/cloudevents+json; charset=UTF-8"}, _json(event)


def binary(news: News) -> Layout:
    """Headers and body of a request with the facts in its body, and the rest in headers."""
    headers = {f"ce-{name}": quote(text, safe=_PLAIN) for name, text in _attributes(news).items()}
    return {**headers, "Content-Type": "application/json"}, _json(_data(news))


def signed(secret: Secret, news: News, body: bytes, now: datetime) -> dict[str, str]:
    """The headers by which whoever shares ``secret`` knows who sent ``body``, and when.

    Raises:
        Unauthenticated: The secret begins with ``whsec_``, and no base64 follows.
    """
    sent_at = str(int(now.timestamp()))
    content = f"{news.id}.{sent_at}.".encode() + body
    digest = hmac.new(_key(secret), content, hashlib.sha256).digest()
    return {
        "webhook-id": news.id,
        "webhook-timestamp": sent_at,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def _key(secret: Secret) -> bytes:
    raw = secret.reveal()
    if not raw.startswith(_PREFIX):
        return raw.encode()
    try:
        return base64.b64decode(raw.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        pass
    raise Unauthenticated(
        f"the secret for signatures begins with {_PREFIX} and goes on with something else than"
        " base64",
        remedy="take it over whole, or one without that beginning",
    )


def _attributes(news: News) -> dict[str, str]:
    return {
        "specversion": "1.0",
        "id": news.id,
        "source": f"/rotator/policies/{news.policy}",
        "type": news.type,
        "subject": news.subject,
        "time": news.at.isoformat().replace("+00:00", "Z"),
    }


def _data(news: News) -> dict[str, object]:
    return {"policy": news.policy, **news.facts}


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
