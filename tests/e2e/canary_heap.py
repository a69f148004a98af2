"""``python canary_heap.py ARGUMENT...`` is rotator, looking for keys in its own memory when told.

It waits for a line on stdin, then answers on stderr with the hash of every raw key that any object
holds, one a line, and an empty line.
"""

import gc
import hashlib
import re
import sys
import threading

from rotator.cli import main

RAW_KEY = re.compile(rb"ak-[A-Za-z0-9]{40,}")


def hashes():
    found = set()
    for text in texts():
        data = text.encode(errors="replace") if isinstance(text, str) else bytes(text)
        found |= {hashlib.sha256(raw).hexdigest() for raw in RAW_KEY.findall(data)}
    return found


def texts():
    """Every text and all bytes that an object refers to, at whatever depth."""
    # What was loaded at the beginning, and may hold something by now, is hidden from the collector.
    gc.unfreeze()
    gc.collect()
    ahead, met = gc.get_objects(), set()
    while ahead:
        one = ahead.pop()
        if id(one) in met:
            continue
        met.add(id(one))
        if isinstance(one, str | bytes | bytearray):
            yield one
        elif not isinstance(one, type(sys)):
            ahead.extend(gc.get_referents(one))


def look():
    for _ in sys.stdin:
        sys.stderr.write("".join(f"{found}\n" for found in hashes()) + "\n")
        sys.stderr.flush()


if __name__ == "__main__":
    threading.Thread(target=look, daemon=True).start()
    raise SystemExit(main(sys.argv[1:]))
