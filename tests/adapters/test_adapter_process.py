"""A process that holds keys cannot be dumped."""

import subprocess
import sys

PROGRAM = """
import ctypes, resource
from rotator.adapters.process import forbid_dumps
forbid_dumps()
print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
"""


def test_neither_dumped_nor_looked_into():
    told = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )

    assert "(0, 0) 0\n" == told.stdout
