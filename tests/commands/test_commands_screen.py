"""What a person is told is whole, however narrow the terminal."""

import os

from rotator.commands.screen import Screen

NAME = "this-is-a-policy-with-a-name-of-exactly-sixty-three-characters-x"


def test_a_name_that_is_wider_than_the_terminal_is_folded_and_not_cut(monkeypatch, capsys):
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((40, 24)))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)

    Screen().say(f"policy {NAME}: the key is shared", lead="FAILED:", indent=2)

    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 40
    assert NAME in "".join(line.strip() for line in lines)
