"""Looks for raw keys, in every form in which one might get out."""

import base64
import json
import urllib.parse

#: No longer piece of a raw key may be anywhere; a redacted key shows six and three characters.
FRAGMENT = 8


def forms(raw):
    """Named ways to write ``raw``, and every piece of it."""
    data = raw.encode()
    yield "raw", raw
    yield "hex", data.hex()
    yield "HEX", data.hex().upper()
    yield "url", "".join(f"%{byte:02X}" for byte in data[:FRAGMENT])
    yield "url", urllib.parse.quote(raw, safe="")
    yield "json", "".join(f"\\u{byte:04x}" for byte in data[:FRAGMENT])
    yield "json", json.dumps(raw)[1:-1]
    yield "reversed", raw[::-1]
    for offset in range(3):
        # What stands before decides the first characters, what follows the last ones.
        encoded = base64.b64encode(bytes(offset) + data).decode().rstrip("=")[4:-2]
        yield "base64", encoded[: 2 * FRAGMENT]
        yield "base64", encoded.replace("+", "-").replace("/", "_")
    for start in range(len("ak-"), len(raw) - FRAGMENT + 1):
        yield "fragment", raw[start : start + FRAGMENT]


class Search:
    """Finds what must not be seen: ``raws`` in ``places``, a mapping of names to texts or bytes."""

    def __init__(self, raws):
        self._needles = [(form.encode(), kind) for raw in raws for kind, form in forms(raw)]
        assert self._needles, "nothing to look for"

    def found(self, places):
        """(place, form) of all that is seen."""
        return sorted(
            {
                (place, kind)
                for place, content in places.items()
                for needle, kind in self._needles
                if needle in (content if isinstance(content, bytes) else content.encode())
            }
        )
