"""The last wall: no text leaves with something in it that looks like a secret.

Nothing here should ever find anything. Raw keys are wrapped from the moment they arrive
(:mod:`rotator.secrets`) and no event is given one. What this catches is a mistake of ours, or the
words of a library that does not know better.
"""

from __future__ import annotations

import base64
import functools
import json
import re
import threading
from collections import deque
from enum import IntEnum
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, quote_plus

from rotator.secrets import MASK

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from rotator.secrets import Secret

#: Longer texts are cut: a line is for reading, and patterns take time.
LIMIT = 2000
#: A secret shorter than this is not looked for: it would be found in ordinary words.
_SHORTEST = 6
#: So many values of each source are looked for. What it has now is what we work with, and what it
#: had before is in use until the requests made with it are answered, which two would do for. The
#: others are for a file that is read while it is written. A pod's token lives for an hour and is
#: replaced after four fifths of it: when a value is forgotten, it has ended for hours.
_KEPT = 8


class Trust(IntEnum):
    """How much a text is suspected. A name may look a little like a key: ``ak-production-2``."""

    NAME = 0
    OWN = 1
    FOREIGN = 2


class Rule(NamedTuple):
    """What is masked in a text that holds ``hint``, whatever its case.

    Looking for a hint first takes a hundredth of the time that a pattern takes, and most patterns
    are never even compiled.
    """

    hint: str
    pattern: str
    shown: str = MASK


# The ways to write the dash of `ak-`: as it is, in a URL, in JSON, in Python.
_KEY = r"ak(?:-|%2[dD]|\\u002[dD]|\\x2[dD])"
_MORE64 = r"[A-Za-z0-9+/_-]{12,}={0,2}"

_ALWAYS = (
    Rule("ak", rf"{_KEY}(?:[A-Za-z0-9]{{16,}}|[A-Za-z0-9_-]{{32,}})"),
    # `ak-` in base64, at each of the offsets it can have, and what follows it.
    Rule("ywst", rf"YWst{_MORE64}"),
    Rule("frl", rf"[GWm2]FrL[Q-Za-f]{_MORE64}"),
    Rule("hay", rf"[BFJNRVZdhlptx159]hay[0-3]{_MORE64}"),
    Rule("616b2d", r"616[bB]2[dD][0-9a-fA-F]{12,}"),
    Rule("%", r"(?:%[0-9a-fA-F]{2}){8,}"),
    Rule("\\u00", r"(?:\\u00[0-9a-fA-F]{2}){8,}"),
    Rule("\\x", r"(?:\\x[0-9a-fA-F]{2}){8,}"),
    # Vault: service, batch and recovery tokens, new and old.
    Rule("hv", r"hv[sbr]\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9]+)?"),
    Rule(".", r"(?<![A-Za-z0-9_.])[sbr]\.[A-Za-z0-9]{20,}(?:\.[A-Za-z0-9]+)?"),
    # A JWT begins with `{"`.
    Rule("eyj", r"eyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*)?"),
)

_OPEN = r"""(["']?\s*[:=,]\s*(?:b(?=["']))?["']?)"""
_HEADER = (
    rf"""(?i)\b((?:proxy-)?authorization|x-vault-[a-z-]*token|(?:set-)?cookie)\b{_OPEN}[^"'\r\n]+"""
)
_SCHEME = r"\b([Bb]earer|[Bb]asic)(\s+)(?=\S*[0-9=])[A-Za-z0-9._~+/=-]{8,}"

_OWN = (
    *_ALWAYS,
    Rule("ak", rf"(?<![A-Za-z0-9]){_KEY}(?=[a-z_-]*[A-Z0-9])[A-Za-z0-9_-]{{8,}}"),
    *(Rule(hint, _HEADER, rf"\1\2{MASK}") for hint in ("authorization", "x-vault", "cookie")),
    *(Rule(hint, _SCHEME, rf"\1\2{MASK}") for hint in ("bearer", "basic")),
    Rule("?", r"\?[\w.~%-]+=[^\s'\"<>)]*", f"?{MASK}"),
    Rule("@", r"://[^\s/@'\"]+@", f"://{MASK}@"),
)

_NAMED = (
    r"(?i)\b(\w*token|\w*password|passwd|\w*secret(?:_id)?|api[_-]?key|x-api-key|jwt)\b"
    r"""(["']?\s*[:=]\s*(?:b(?=["']))?["']?)[^\s"',;)}\]]+"""
)
# Long, and of capitals, small letters and digits: nothing a person wrote. A path has no capitals.
# Begun only where such a run begins: anywhere else would take quadratic time.
_RANDOM = (
    r"(?<![A-Za-z0-9+/_=%-])(?=[A-Za-z+/_=%-]*[0-9])(?=[a-z0-9+/_=%-]*[A-Z])(?=[A-Z0-9+/_=%-]*[a-z])"
    r"[A-Za-z0-9+/_=%-]{20,}|[0-9a-fA-F]{32,}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
)

_FOREIGN = (
    *_OWN,
    Rule("", _NAMED, rf"\1\2{MASK}"),
    Rule(".", r"(?<![A-Za-z0-9_-])(?:[A-Za-z0-9_-]{16,}\.){2}[A-Za-z0-9_-]{16,}"),
    Rule("", _RANDOM),
)

_compiled = functools.cache(re.compile)
_RULES = {Trust.NAME: _ALWAYS, Trust.OWN: _OWN, Trust.FOREIGN: _FOREIGN}


class Scrubber:
    """Masks what looks like a secret, and the secrets it has been told of, however encoded."""

    def __init__(self) -> None:
        #: By source, of which there are as many as configurations have named: one whose secrets
        #: come and go pushes out none of another that stays.
        self._told: dict[Hashable, deque[frozenset[str]]] = {}
        self._known: tuple[str, ...] = ()
        # Vault is logged in to in threads, and the page has its own.
        self._lock = threading.Lock()

    def hide(self, secret: Secret, source: Hashable) -> None:
        """Look for ``secret`` from now on: for credentials that no pattern can recognise.

        Args:
            secret: What ``source`` has now.
            source: Where it was read. Its last :data:`_KEPT` values are looked for.
        """
        forms = frozenset(form for form in _forms(secret.reveal()) if len(form) >= _SHORTEST)
        with self._lock:
            told = self._told.setdefault(source, deque(maxlen=_KEPT))
            if told and told[-1] == forms:
                return
            if forms in told:
                told.remove(forms)
            told.append(forms)
            known = set(chain.from_iterable(chain.from_iterable(self._told.values())))
            self._known = tuple(sorted(known, key=len, reverse=True))

    def __call__(self, text: str, trust: Trust = Trust.FOREIGN) -> str:
        """``text`` without what looks like a secret, cut to :data:`LIMIT`."""
        # Cut roughly first, for time, and again when all that shrinks has shrunk.
        masked = whole = _cut(text, 4 * LIMIT)
        # The longest first. No pattern of all of them: `re` would keep the last 512 of those too.
        for form in self._known:
            masked = masked.replace(form, MASK)
        lower = masked.lower()
        for hint, pattern, shown in _RULES[trust]:
            if hint in lower:
                masked = _compiled(pattern).sub(shown, masked)
        result = _cut(masked, LIMIT)
        return (
            result if (len(whole), len(result)) == (len(text), len(masked)) else f"{result} [cut]"
        )


def _cut(text: str, limit: int) -> str:
    """Cut between words: half a secret is none that a pattern knows."""
    return text if len(text) <= limit else text[:limit].rpartition(" ")[0]


def _forms(raw: str) -> Iterator[str]:
    """A secret as it may turn up inside other text."""
    yield from (raw, quote(raw, errors="replace"), quote_plus(raw, errors="replace"))
    yield from (quote(raw, safe="", errors="replace"), repr(raw)[1:-1])
    # In a text that has both kinds of quotes, `repr` escapes one of them.
    yield repr(f"{raw}'\"")[1:-4]
    yield from (json.dumps(raw)[1:-1], json.dumps(raw, ensure_ascii=False)[1:-1])
    data = raw.encode(errors="surrogatepass")
    yield from (data.hex(), data.hex().upper())
    for offset, unsure in enumerate((0, 2, 3)):
        # What stands before decides the first characters, what follows the last one.
        encoded = base64.b64encode(bytes(offset) + data).decode().rstrip("=")
        sure = encoded[unsure:] if (offset + len(data)) % 3 == 0 else encoded[unsure:-1]
        yield from (sure, sure.replace("+", "-").replace("/", "_"))
