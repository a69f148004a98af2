"""What may be written below ``notify``, and what is said of every mistake in it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from settings_stage import CANARY, ENVIRON, VALID, loaded, problems, wrote

from rotator.notices import News
from rotator.notify.command import variables
from rotator.notify.making import hooks_of
from rotator.sinks.files import FileSink
from rotator.sinks.making import sinks_of

AT = "rotator.yaml:11: policies[0].notify"
NAME = (
    "use lower-case letters, digits, dots, dashes and underscores, at most 63 of them, with a"
    " letter or a digit first and last"
)
TWO = "two hooks; write each as its own item"


@pytest.fixture(autouse=True)
def _files():
    wrote("s3cr3t", "secret").chmod(0o600)
    wrote("pem", "own.pem")


def notifying(text):
    return f"{VALID}    notify: {text}\n"


def hooks(text, environ=ENVIRON):
    settings = loaded(notifying(text), environ)
    return hooks_of(settings.root.policies, None, environ)["ci"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("{http: {url: https://h/x}}", {"http": "http"}),
        ("[{http: {url: https://h/x?y=z}}]", {"http": "http"}),
        ("[{http: {url_from: {file: secret}}, name: web}]", {"web": "http"}),
        (
            (
                "[{http: {url: https://h, mode: binary, secret: {file: secret}, ca_cert: own.pem,"
                " proxy: 'http://p:1'}}]"
            ),
            {"http": "http"},
        ),
        ("[{command: [sh, -c, x], keep_env: [KUBECONFIG], timeout: 5m}]", {"command": "command"}),
        (
            "[{signal: {pid_file: /p}}, {signal: {pid_file: /q, signal: USR1}, name: q}]",
            {"signal": "signal", "q": "signal"},
        ),
        (
            (
                "[{kubernetes: {workloads: [deployment/web, statefulset/a.b], namespace: x,"
                " api: https://k, token: {file: secret}, ca_cert: own.pem}}]"
            ),
            {"kubernetes": "kubernetes"},
        ),
    ],
)
def test_every_kind_may_be_written(text, named):
    made = hooks(text)

    assert named == {name: hook.kind for name, hook in made.items()}
    assert tuple(named) == loaded(notifying(text)).policies[0].hooks


@pytest.mark.parametrize(
    ("api", "trusted"),
    [
        ("", "ca.crt"),
        (", api: https://k", "ca.crt"),
        (", api: 'http://127.0.0.1:8001'", None),
        (", api: https://k, ca_cert: own.pem", "own.pem"),
    ],
)
def test_an_api_server_without_tls_needs_nobody_to_trust(api, trusted):
    kubernetes = "workloads: [deployment/web], token: {file: secret}"
    (made,) = hooks(f"[{{kubernetes: {{{kubernetes}{api}}}}}]").values()

    assert trusted == (made.way.ca_cert and made.way.ca_cert.name)


def test_without_any_nobody_hears():
    settings = loaded(VALID)

    assert ((), {"ci": {}}) == (
        settings.policies[0].hooks,
        hooks_of(settings.root.policies, None, ENVIRON),
    )


def test_a_hook_is_tried_for_a_day_unless_said_otherwise():
    assert timedelta(days=1) == loaded(VALID).limits.notify_for
    assert timedelta(hours=1) == loaded(f"{VALID}run: {{notify_for: 1h}}\n").limits.notify_for


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        ("[{}]", "[0]", "says not what to do; write http, command, signal or kubernetes"),
        (
            "[{command: [x], signal: {pid_file: /p}}]",
            "[0]",
            f"command and signal are {TWO}",
        ),
        ("[{comand: [x]}]", "[0].comand", "unknown key; did you mean `command`?"),
        ("[{command: []}]", "[0].command", "must not be empty; write at least one"),
        ("[{command: ['']}]", "[0].command[0]", "must not be empty; name the program"),
        ("[{command: x y}]", "[0].command", "must be a list"),
        ("[{command: [x], name: Web}]", "[0].name", NAME),
        (
            "[{command: [x]}, {command: [y]}]",
            "[1]",
            "is the second one named 'command'; give it a `name` of its own",
        ),
        (
            "[{command: [x], timeout: 6m}]",
            "[0].timeout",
            "must be at most 5m; let what takes longer go on in the background",
        ),
        (
            "[{signal: {pid_file: /p}, keep_env: [X]}]",
            "[0].keep_env",
            "goes with `command`; remove it",
        ),
        (
            "[{command: [x], keep_env: [A, VAULT_TOKEN]}]",
            "[0].keep_env[1]",
            "holds a secret of rotator's own; give the command another one",
        ),
        (
            "[{command: [x], keep_env: ['A=b']}]",
            "[0].keep_env[0]",
            "is not the name of a variable; write one like ARIZE_API_KEY",
        ),
        (
            "[{http: {}}]",
            "[0].http",
            "needs either `url`, or `url_from` for one that is a secret itself",
        ),
        (
            "[{http: {url: https://h, url_from: {file: secret}}}]",
            "[0].http",
            "needs either `url`, or `url_from` for one that is a secret itself",
        ),
        (
            "[{http: {url: h/x}}]",
            "[0].http.url",
            "is not an address; write it like https://host/path",
        ),
        (
            "[{http: {url: 'https://u:p@h/x'}}]",
            "[0].http.url",
            "must not hold a user or a password; read it by `url_from` instead",
        ),
        (
            "[{http: {url_from: {env: HOOK_URL}}}]",
            "[0].http.url_from",
            "the variable HOOK_URL is not set; export it",
        ),
        (
            "[{http: {url: https://h, mode: batch}}]",
            "[0].http.mode",
            "must be 'structured' or 'binary'",
        ),
        (
            "[{http: {url: https://h, proxy: p}}]",
            "[0].http.proxy",
            "is not the address of a proxy; write it like http://proxy:3128",
        ),
        (
            "[{signal: {pid_file: /p, signal: KILL}}]",
            "[0].signal.signal",
            "must be 'HUP', 'USR1', 'USR2', 'INT', 'TERM', 'QUIT' or 'WINCH'",
        ),
        (
            "[{kubernetes: {workloads: [web], token: {file: secret}}}]",
            "[0].kubernetes.workloads[0]",
            "is not a workload; write it like deployment/web, statefulset/db or daemonset/agent",
        ),
        (
            "[{kubernetes: {workloads: [deployment/../x], token: {file: secret}}}]",
            "[0].kubernetes.workloads[0]",
            "is not a workload; write it like deployment/web, statefulset/db or daemonset/agent",
        ),
        (
            "[{kubernetes: {workloads: [deployment/x], namespace: a/b, token: {file: secret}}}]",
            "[0].kubernetes.namespace",
            "is not the name of a namespace; write one like apps",
        ),
        (
            "[{kubernetes: {workloads: [deployment/x], api: http://k, token: {file: secret}}}]",
            "[0].kubernetes.api",
            "would send keys unencrypted; use https (http is for loopback only)",
        ),
    ],
)
def test_every_mistake_is_a_line_with_its_remedy(text, path, words):
    assert [f"{AT}{path}: {words}"] == problems(notifying(text))


def test_the_token_of_the_pod_is_needed_unless_another_one_is_named():
    (problem,) = problems(notifying("[{kubernetes: {workloads: [deployment/x]}}]"))

    assert problem.startswith(f"{AT}[0].kubernetes.token: the file /var/run/secrets/")


def test_a_certificate_that_is_not_there_is_named():
    (problem,) = problems(notifying("[{http: {url: https://h, ca_cert: /nowhere/ca}}]"))

    assert problem.startswith(f"{AT}[0].http.ca_cert: ")


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        (
            "[{http: {url: http://web.apps.svc/x}}]",
            "[0].http.url",
            "goes unencrypted: whoever is on the way can read it, and whatever it holds; use https",
        ),
        (
            "[{command: [/no/such/program]}]",
            "[0].command",
            "there is no such program here; install it, or check its path",
        ),
    ],
)
def test_what_may_be_regretted_is_a_warning(text, path, words):
    assert (f"{AT}{path}: {words}",) == loaded(notifying(text)).warnings


@pytest.mark.parametrize(
    "text", ["[{http: {url: http://127.0.0.1:1/x}}]", "[{http: {url: http://localhost/}}]"]
)
def test_what_stays_on_this_machine_is_not_regretted(text):
    assert () == loaded(notifying(text)).warnings


@pytest.mark.parametrize(
    "text",
    [
        f"[{{http: {{url: '{CANARY}'}}}}]",
        f"[{{http: {{url: 'https://u:{CANARY}@h'}}}}]",
        f"[{{http: {{url: 'https://h', proxy: '{CANARY}'}}}}]",
        f"[{{http: {{url: 'https://h', secret: '{CANARY}'}}}}]",
        f"[{{signal: {{pid_file: /p, signal: '{CANARY}'}}}}]",
        f"[{{command: [x], name: '{CANARY}'}}]",
    ],
)
def test_no_mistake_shows_a_value(text):
    assert CANARY not in "\n".join(problems(notifying(text)))


def test_an_address_is_not_part_of_what_settings_show():
    settings = loaded(notifying(f"[{{http: {{url: 'https://h/{CANARY}'}}}}]"))

    assert CANARY not in repr(settings)


# --- files ---


def writing(text):
    return f"{VALID}    write: {text}\n"


def sinks(text, threads=None):
    policies = loaded(writing(text)).root.policies
    return sinks_of(policies, None, ENVIRON, {} if threads is None else threads).get("ci", ())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{file: /f}", FileSink(Path("/f"), names={"key": "api_key"})),
        (
            "[{file: /f, mode: '640', owner: '1:2', format: dotenv}]",
            FileSink(Path("/f"), 0o640, "1:2", "dotenv", {"key": "ARIZE_API_KEY"}),
        ),
        (
            "[{file: /f, mode: '0440', owner: ':g', format: json, names: {key: k, key_id: i}}]",
            FileSink(Path("/f"), 0o440, ":g", "json", {"key": "k", "key_id": "i"}),
        ),
    ],
)
def test_a_file_may_be_written(text, expected):
    assert (expected,) == sinks(text)


def test_a_file_has_its_thread_whichever_configuration_it_is_of():
    threads = {}
    (before,), (after,) = sinks("{file: /f}", threads), sinks("{file: /f, mode: '640'}", threads)

    assert threads is before.threads is after.threads


def test_hooks_may_hear_of_a_file():
    (sink,) = sinks("{file: /f, then: {signal: {pid_file: /p}}}")

    assert {"signal": "signal"} == {name: hook.kind for name, hook in sink.hooks.items()}


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        ("[{}]", "[0].file", "is missing; add it"),
        ("[{file: /f, mode: 0640}]", "[0].mode", "must be text; put a number in quotes"),
        *(
            (
                f"[{{file: /f, mode: '{mode}'}}]",
                "[0].mode",
                "is not a mode; write it in quotes, like '0640'",
            )
            for mode in ("8", "0648", "u=rw", "4755", "")
        ),
        (
            "[{file: /f, mode: '0040'}]",
            "[0].mode",
            "lets not even its owner read the file; write it like '0640'",
        ),
        *(
            (
                f"[{{file: /f, owner: '{owner}'}}]",
                "[0].owner",
                "is not an owner; write user, user:group or :group, by name or number",
            )
            for owner in ("", ":", "a:b:c", "a b")
        ),
        ("[{file: /f, format: env}]", "[0].format", "must be 'raw', 'dotenv' or 'json'"),
        (
            "[{file: /f, names: {key: k}}]",
            "[0].names",
            "goes with dotenv and json; set `format`, or remove it",
        ),
        (
            "[{file: /f, format: json, names: {key_id: k}}]",
            "[0].names",
            "leaves out the key itself; add `key`",
        ),
        (
            "[{file: /f, format: json, names: {key: k, keyid: i}}]",
            "[0].names.keyid",
            "unknown fact; did you mean `key_id`?",
        ),
        (
            "[{file: /f, format: dotenv, names: {key: my-key}}]",
            "[0].names.key",
            "is not the name of a variable; write one like ARIZE_API_KEY",
        ),
        (
            "[{file: /f, format: json, names: {key: k, name: k}}]",
            "[0].names",
            "two facts have one name; choose another for one",
        ),
        (
            "[{file: /f}, {file: /f}]",
            "[1].file",
            "this file is written by policy 'ci' already; choose another file",
        ),
        (
            "[{file: /f, then: [{command: [sh]}, {command: [sh]}]}]",
            "[0].then[1]",
            "is the second one named 'command'; give it a `name` of its own",
        ),
        (
            "[{file: /f, then: {command: [sh], keep_env: [VAULT_TOKEN]}}]",
            "[0].then.keep_env[0]",
            "holds a secret of rotator's own; give the command another one",
        ),
        (
            "[{file: /f, then: {kubernetes: {workloads: [deployment/x], token: {file: secret}}}}]",
            "[0].then.kubernetes",
            "would restart the workload once a file; write it under `notify`",
        ),
        (
            "[{file: /f, then: {http: {url_from: {env: HOOK_URL}}}}]",
            "[0].then.http.url_from",
            "the variable HOOK_URL is not set; export it",
        ),
    ],
)
def test_every_mistake_in_a_file_is_a_line_with_its_remedy(text, path, words):
    assert [f"{AT.replace('notify', 'write')}{path}: {words}"] == problems(writing(text))


@pytest.mark.parametrize("mode", ["0644", "604", "0606"])
def test_a_key_that_everybody_may_read_is_a_warning(mode):
    (warning,) = loaded(writing(f"[{{file: /f, mode: '{mode}'}}]")).warnings

    assert warning.endswith(
        ".write[0].mode: lets everybody read the key; take that away from the others"
    )


def test_a_rotator_that_is_a_hook_does_not_take_the_facts_for_settings():
    facts = (
        "file",
        *("rotation_id", "reason", "strategy", "key_id", "redacted_key", "expires_at"),
        *("old_key_id", "old_redacted_key", "old_valid_until", "targets"),
    )
    news = News("i", "t", "p", "s", datetime.now(UTC), dict.fromkeys(facts, "x"))

    assert 14 == len(variables(news))
    assert () == loaded(VALID, ENVIRON | variables(news)).warnings
