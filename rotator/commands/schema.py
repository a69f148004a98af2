"""``rotator schema``: the JSON Schema of the configuration, for editors."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from rotator.settings.json_schema import json_schema

if TYPE_CHECKING:
    from argparse import Namespace


def command(_: Namespace) -> int:
    """Print it."""
    json.dump(json_schema(), sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")
    return 0
