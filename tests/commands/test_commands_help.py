"""The help fits a small screen, and shells can complete."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rotator.cli import main

PROGRAMS = Path(sys.executable).parent
CONFIG = """\
policies:
  - name: ci-pipeline
  - name: reports
  - unheard of
  - {nameless: true}
"""
SOUND = """\
arize: {api_key: {env: ARIZE_API_KEY}}
files: {directory: .}
policies:
  - name: ci
    key: {id: k1}
    rotate: {before_expiry: 7d}
    deliver: {path: ci, field: key}
"""


def help_of(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--help"])
    assert 0 == ended.value.code
    return capsys.readouterr().out.splitlines()


def test_the_help_fits_a_terminal_of_24_lines_and_80_columns(capsys):
    lines = help_of(capsys)

    assert len(lines) < 24, "the prompt needs one"
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    "line", ["adopt ci {}", "{}", "run --rotate {}", "status {}", "plan --config {}", "run --{}"]
)
def test_a_key_on_the_command_line_is_not_repeated(tmp_path, monkeypatch, line, capsys):
    raw = "ak-Canary0on0the0command0line0of0a0person0in0a0hurry0"
    (tmp_path / "rotator.yaml").write_text(SOUND, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ARIZE_API_KEY", "ak-management")
    try:
        code = main(line.format(raw).split())
    except SystemExit as ended:
        code = ended.code
    assert 2 == code

    shown = capsys.readouterr()
    assert shown.err
    assert "Canary" not in shown.err + shown.out


def test_each_command_has_a_line_in_the_help(capsys):
    lines = help_of(capsys)
    commands = [line.split() for line in lines if line.startswith("    ")]

    assert {"run", "plan", "status", "history", "check"} <= {words[0] for words in commands}
    assert [] == [words[0] for words in commands if len(words) < 3]


# --- completion ---


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "rotator.yaml").write_text(CONFIG, encoding="utf-8")
    return tmp_path


def asked(folder, line):
    """What argcomplete answers a shell that has got so far."""
    answer = folder / "answer"
    environ = {
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(answer),
        "_ARGCOMPLETE_IFS": "\n",
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
        "COMP_TYPE": "",
    }
    subprocess.run(
        [PROGRAMS / "rotator"], env=environ, cwd=folder, check=False, capture_output=True
    )
    return {found.strip() for found in answer.read_text(encoding="utf-8").splitlines()}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("rotator hist", {"history"}),
        ("rotator run --on", {"--once"}),
        ("rotator completion ", {"bash", "fish", "zsh"}),
        ("rotator history ", {"ci-pipeline", "reports"}),
        ("rotator status ci-pipeline r", {"reports"}),
        ("rotator plan --config rotator.yaml c", {"ci-pipeline"}),
        ("rotator run --rotate re", {"reports"}),
        ("rotator plan --config none.yaml c", set()),
    ],
)
def test_a_shell_completes_commands_options_and_policies(folder, line, expected):
    assert expected == asked(folder, line)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_code(shell, capsys):
    assert 0 == main(["completion", shell])
    assert "rotator" in capsys.readouterr().out


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_for_real(folder):
    script = """
        eval "$(rotator completion bash)"
        COMP_LINE="rotator history rep" COMP_POINT=19 COMP_WORDBREAKS=' '
        _python_argcomplete rotator
        echo "${COMPREPLY[@]}"
    """
    environ = {"PATH": f"{PROGRAMS}:{os.environ['PATH']}"}
    run = subprocess.run(
        ["bash", "-c", script], env=environ, cwd=folder, check=True, capture_output=True, text=True
    )

    assert ("reports", "") == (run.stdout.strip(), run.stderr)
