"""``rotator health``: asks the daemon beside it whether it lives. For a container's health check.

Light, since it runs every few seconds, and in doubt about nothing but the answer.
"""

from __future__ import annotations

import http.client
import os
import sys
from typing import TYPE_CHECKING

from rotator.settings import http_of

if TYPE_CHECKING:
    from argparse import Namespace

    from rotator.settings.http import Http

#: Seconds. A daemon that takes longer is not well.
_TIMEOUT = 3.0
#: Where one that listens everywhere is found.
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not listened at


def command(arguments: Namespace) -> int:
    """Ask; 0 when it lives, 1 when it does not, does not answer, or has no page to ask."""
    found = http_of(arguments.config, os.environ)
    if found is None:
        sys.stderr.write("there is no `http` section, and so nothing to ask; add `http: {}`\n")
        return 1
    alive, words = _ask(found)
    (sys.stdout if alive else sys.stderr).write(f"{words}\n")
    return 0 if alive else 1


def _ask(found: Http) -> tuple[bool, str]:
    host = _EVERYWHERE.get(found.host, found.host)
    place = f"http://{f'[{host}]' if ':' in host else host}:{found.port}/livez"
    connection = http.client.HTTPConnection(host, found.port, timeout=_TIMEOUT)
    try:
        connection.request("GET", "/livez")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        reason = (isinstance(error, OSError) and error.strerror) or "no answer in time"
        return False, f"{place}: {reason}"
    finally:
        connection.close()
    if status == http.client.OK:
        return True, "alive"
    return False, f"{place}: not alive ({status}); its answer and its events tell why"
