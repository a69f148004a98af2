"""Values that cannot print.

A raw key is wrapped at the place where its bytes arrive and unwrapped where they leave: in the
request to the provider, in the write to the store, nowhere else. In between there is nothing that
``repr``, ``str``, ``format``, ``json``, ``pickle`` or a traceback with locals could show, and
nothing that a search through a dump of the memory would find.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from typing import Generic, Never, TypeVar

T = TypeVar("T")

MASK = "[masked]"

#: At most this much of a raw key is ever shown. The provider shows about as much
#: (``ak-abc...xyz``), and no more is taken from it: one that forgets to redact stays harmless.
_HEAD, _TAIL = 7, 4
#: Fewer visible characters than this cannot tell two keys apart.
_DISTINCTIVE = 4
#: Of a shorter secret, a head and a tail would be a large part: nothing of it is shown.
_LONG_ENOUGH = 22


class Masked(Generic[T]):
    """A value that is only ever shown as ``[masked]``; :meth:`reveal` is the one way out."""

    __slots__ = ("__value",)

    def __init__(self, value: T) -> None:
        self.__value = value

    def reveal(self) -> T:
        """The value itself. Every call of this is a place to review."""
        return self.__value

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __format__(self, spec: str, /) -> str:
        return MASK

    def __reduce_ex__(self, protocol: object, /) -> Never:
        raise TypeError("a masked value cannot be pickled or copied out")

    def __copy__(self) -> Masked[T]:
        return self

    def __deepcopy__(self, memo: object, /) -> Masked[T]:
        return self

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.__value == other.reveal()

    def __hash__(self) -> int:
        raise TypeError("a masked value cannot be hashed")


#: What a secret is veiled with while it waits. It decides nothing: any bytes would do.
_PAD = secrets.token_bytes(64)


class Secret(Masked[str]):
    """A raw key, token or password. Compared in constant time.

    It waits as bytes that are meaningless without a pad kept elsewhere. Whoever owns the process
    can still put the two together; whoever searches its memory or a dump for keys finds none.
    """

    __slots__ = ("__veiled",)

    def __init__(self, value: str) -> None:
        super().__init__("")
        # JSON can bring half a surrogate pair, and the error for that would carry the secret.
        self.__veiled = _veil(value.encode(errors="surrogatepass"))

    def reveal(self) -> str:
        """The value itself. Every call of this is a place to review."""
        return self._bytes().decode(errors="surrogatepass")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._bytes(), other._bytes())

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    @property
    def fingerprint(self) -> str:
        """``sha256:`` and 16 hex digits: tells equal from different, tells nothing else.

        Safe to store: a raw key has some 300 bits, far beyond guessing.
        """
        return f"sha256:{hashlib.sha256(self._bytes()).hexdigest()[:16]}"

    @property
    def redacted(self) -> Redacted:
        """What may be shown of it."""
        raw = self.reveal()
        return Redacted(raw[:6], raw[-3:]) if len(raw) >= _LONG_ENOUGH else Redacted()

    def _bytes(self) -> bytes:
        return _veil(self.__veiled)


def _veil(data: bytes) -> bytes:
    """Exclusive or with the pad, over and over; a second time takes it away again."""
    pad = _PAD * (len(data) // len(_PAD) + 1)
    mixed = int.from_bytes(data) ^ int.from_bytes(pad[: len(data)])
    return mixed.to_bytes(len(data))


@dataclass(frozen=True, slots=True)
class Redacted:
    """The visible head and tail of a raw key, like ``ak-abc...xyz``."""

    head: str = ""
    tail: str = ""

    @classmethod
    def parse(cls, text: str | None) -> Redacted:
        """Read the provider's ``redacted_key``, whatever it masks with (``...``, ``***``, ``…``).

        A text without any mask tells nothing, or too much, and is dropped.
        """
        parts = re.split(r"\.{2,}|[*…•]+", text or "")
        if len(parts) < 2:  # noqa: PLR2004 - a head and a tail
            return cls()
        return cls(parts[0][:_HEAD], parts[-1][-_TAIL:])

    @property
    def distinctive(self) -> bool:
        """Whether enough is visible to tell one key from another."""
        return len(self.head.removeprefix("ak-") + self.tail) >= _DISTINCTIVE

    def matches(self, secret: Secret | None) -> bool:
        """Whether ``secret`` may be the key shown. False whenever too little is visible to tell."""
        if secret is None or not self.distinctive:
            return False
        raw = secret.reveal()
        return raw.startswith(self.head) and raw.endswith(self.tail)

    def __str__(self) -> str:
        return f"{self.head}...{self.tail}" if self.head or self.tail else "(unknown)"
