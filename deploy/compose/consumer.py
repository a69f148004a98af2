"""An application of compose.yaml: uses the key in Vault each second, and says how that goes."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.request import Request, urlopen

SECRET = f"{os.environ['VAULT_ADDR']}/v1/secret/data/apps/ci/arize"
KEYS = f"{os.environ['ARIZE_ADDR']}/v2/api-keys"


def answer(url: str, header: str, value: str) -> dict[str, object]:
    """What a service says to a GET with one header."""
    with urlopen(Request(url, headers={header: value}), timeout=5) as response:  # noqa: S310 - ours
        found: dict[str, object] = json.load(response)
    return found


def look() -> str:
    """What happened this time."""
    try:
        secret = answer(SECRET, "X-Vault-Token", os.environ["VAULT_TOKEN"])
    except HTTPError as error:
        return f"Vault holds no key yet ({error.code})"
    key = secret["data"]["data"]["api_key"]  # type: ignore[index]
    answer(KEYS, "Authorization", f"Bearer {key}")
    return f"{key[:6]}...{key[-3:]} is accepted"


def main() -> None:
    """Say what is new, and how often the last thing was so."""
    # The first process of a container is not ended by a signal unless it asks for that.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    last, times = "", 0
    while True:
        try:
            now = look()
        except (OSError, HTTPException) as error:
            now = f"WITHOUT ACCESS: {error}"
        times = times + 1 if now == last else 1
        if times == 1 or times % 30 == 0:
            sys.stdout.write(f"{now}, for the {times}. time\n")
            sys.stdout.flush()
        last = now
        time.sleep(1)


if __name__ == "__main__":
    main()
