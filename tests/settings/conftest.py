import pytest


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    # Messages then begin with a short name, and no test reads another's files.
    monkeypatch.chdir(tmp_path)
