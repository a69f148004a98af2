"""A process that holds keys cannot be dumped, nor what it sends be recorded."""

import os
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


RECORDED = """
import ssl
from rotator.adapters.process import forbid_recordings
forbid_recordings()
print(ssl.create_default_context().keylog_filename)
"""


def test_the_environment_has_no_tls_recorded(tmp_path):
    asked = {**os.environ, "SSLKEYLOGFILE": str(tmp_path / "keys")}
    told = subprocess.run(
        [sys.executable, "-c", RECORDED], capture_output=True, text=True, check=True, env=asked
    )

    assert "None\n" == told.stdout
