"""The configuration from the command line: lines on stderr, exit 2, no traceback."""

import socket

import pytest
from settings_stage import CANARY, ENVIRON, OTHER, VALID, changed, wrote

from rotator.cli import main

WRONG = changed(("7d", "7"), ("deliver:", "delivr:"))
LINES = """\
rotator.yaml:7: policies[0].deliver: is missing; add it
rotator.yaml:9: policies[0].rotate.before_expiry: a number has no unit; write a length of time like\
 90s, 1h30m, 7d or 2w
rotator.yaml:10: policies[0].delivr: unknown key; did you mean `deliver`?
"""


@pytest.fixture(autouse=True)
def _environ(monkeypatch):
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    "command",
    [
        ["check"],
        ["check", "--online"],
        ["plan"],
        ["plan", "--json"],
        ["run"],
        ["run", "--once"],
        ["run", "--rotate", "ci"],
    ],
    ids=" ".join,
)
def test_each_command_says_all_mistakes_and_exits_2(command, capsys):
    wrote(WRONG)

    assert (2, ("", LINES)) == (main(command), capsys.readouterr())


def test_a_configuration_that_is_not_there_is_one_line(capsys):
    assert (2, ("", "no.yaml: there is no such file; name one with --config\n")) == (
        main(["check", "--config", "no.yaml"]),
        capsys.readouterr(),
    )


def test_a_secret_that_is_not_set_is_one_line(capsys, monkeypatch):
    wrote(VALID)
    monkeypatch.delenv("ARIZE_API_KEY")

    assert (
        2,
        ("", "rotator.yaml:2: arize.api_key: the variable ARIZE_API_KEY is not set; export it\n"),
    ) == (main(["run", "--once"]), capsys.readouterr())


def test_a_policy_that_is_not_there_is_one_line(capsys):
    wrote(VALID)

    assert (2, ("", "no policy is named 'ic'; there are: ci\n")) == (
        main(["run", "--rotate", "ic"]),
        capsys.readouterr(),
    )


def test_a_right_configuration_exits_0(capsys):
    wrote(VALID, "a/a.yaml")
    wrote(OTHER, "b.yaml")

    assert (0, ("ok: the configuration, with 2 policies\n", "")) == (
        main(["check", "--config", "a", "--config", "b.yaml"]),
        capsys.readouterr(),
    )


def test_warnings_do_not_make_it_wrong(capsys):
    wrote(changed(("vault:\n", "vault:\n  skip_verify: true\n")))

    assert (
        0,
        (
            (
                "warning: rotator.yaml:4: vault.skip_verify: Vault's certificate is not checked:"
                " anybody on the way can take the keys; set ca_cert instead\n"
                "ok: the configuration, with 1 policy\n"
            ),
            "",
        ),
    ) == (main(["check"]), capsys.readouterr())


def test_a_key_that_is_written_into_the_file_is_not_shown(capsys):
    wrote(changed(("{env: ARIZE_API_KEY}", CANARY)))
    code = main(["check"])

    assert (2, False) == (code, CANARY in "".join(capsys.readouterr()))


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("--arize-port=99999", "not a port; write a number from 0 to 65535"),
        ("--vault-port=-1", "not a port; write a number from 0 to 65535"),
        ("--error-rate=2", "not a share; write a number from 0 to 1"),
        ("--error-rate=half", "not a share; write a number from 0 to 1"),
    ],
)
def test_a_wrong_option_says_what_to_write_instead(option, words, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["sandbox", option])

    assert 2 == ended.value.code
    assert capsys.readouterr().err.endswith(f"argument {option.partition('=')[0]}: {words}\n")


def test_a_configuration_that_cannot_be_written_is_all_that_the_sandbox_says(capsys):
    assert (2, ("", "no/x.yaml: cannot be written: No such file or directory\n")) == (
        main(["sandbox", "--write-config", "no/x.yaml"]),
        capsys.readouterr(),
    )


def test_a_configuration_of_somebody_elses_is_not_overwritten_by_the_sandbox(tmp_path, capsys):
    path = tmp_path / "rotator.yaml"
    path.write_text("arize: {}\n", encoding="utf-8")

    assert 2 == main(["sandbox", "--write-config", str(path)])
    assert capsys.readouterr() == (
        "",
        f"{path}: is there already, and not a sandbox's; name another\n",
    )
    assert "arize: {}\n" == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("option", ["--arize-port", "--vault-port"])
def test_a_port_that_is_taken_is_named(option, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code = main(["sandbox", option, str(port)])

    assert (2, f"port {port} cannot be used: Address already in use\n") == (
        code,
        capsys.readouterr().err,
    )


@pytest.mark.parametrize("command", ["plan", "check"])
def test_a_command_without_a_log_has_no_options_for_one(command, capsys):
    with pytest.raises(SystemExit):
        main([command, "--log-level", "debug"])

    assert "unrecognized arguments: --log-level" in capsys.readouterr().err
