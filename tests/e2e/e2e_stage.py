"""A stage for the real program: both stand-ins in threads, whose insides the tests can see."""

import json
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from rotator.sandbox.arize import arize_app, live_state
from rotator.sandbox.arize_model import ArizeOptions
from rotator.sandbox.server import DROP, serving_in_thread
from rotator.sandbox.vault import live_vault, vault_app
from rotator.sandbox.vault_kv import Answer
from rotator.sandbox.vault_state import Request

#: Short, so that no test waits: a dead owner's lease is over after a second and a half.
RUN = {
    "lease": "1500ms",
    "retry_budget": "500ms",
    "settle": "700ms",
    "handover": "300ms",
    "relist": "500ms",
}
TIMEOUT = "500ms"


@dataclass
class Stage:
    arize: object
    vault: object
    urls: dict
    folder: Path
    policies: list = field(default_factory=list)
    raws: dict = field(default_factory=dict)
    #: Further sections of the configuration.
    sections: dict = field(default_factory=dict)
    #: Further variables.
    variables: dict = field(default_factory=dict)
    trap: object = None
    #: The durations that :data:`RUN` and :data:`TIMEOUT` have unless a stage is slower.
    run_section: dict = field(default_factory=lambda: RUN)
    timeout: str = TIMEOUT

    def add_policy(self, name, key, **rotate):
        """A policy for a seeded key (id, raw), delivered to apps/<name>#api_key."""
        self.raws[name] = key[1]
        self.policies.append(
            {
                "name": name,
                "key": {"id": key[0]},
                "rotate": {"grace_period": "2s", **rotate},
                "deliver": {"path": f"apps/{name}", "field": "api_key"},
            }
        )

    @property
    def config(self):
        path = self.folder / "rotator.yaml"
        document = {
            "arize": {
                "base_url": self.urls["arize"],
                "api_key": {"env": "ARIZE_API_KEY"},
                "timeout": self.timeout,
            },
            "vault": {
                "address": self.urls["vault"],
                "auth": {"method": "token", "token": {"env": "VAULT_TOKEN"}},
                "mount": self.vault.mount,
                "timeout": self.timeout,
            },
            "run": self.run_section,
            "policies": self.policies,
            **self.sections,
        }
        path.write_text(yaml.safe_dump(document), encoding="utf-8")
        return path

    @property
    def environ(self):
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return {
            **kept,
            "TMPDIR": str(self.folder),
            "ARIZE_API_KEY": self.arize.management_key,
            "VAULT_TOKEN": self.vault.token,
            **self.variables,
        }

    def start(self, *arguments, program=("-m", "rotator"), ask=False):
        return subprocess.Popen(
            [sys.executable, *program, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.PIPE if ask else subprocess.DEVNULL,
            env=self.environ,
            cwd=self.folder,
            text=True,
        )

    def rotator(self, *arguments, timeout=60):
        process = self.start(*arguments)
        out, err = process.communicate(timeout=timeout)
        return Run(process.returncode, out, err)

    def run(self, *arguments, **kwargs):
        return self.rotator("run", "--config", str(self.config), *arguments, **kwargs)

    def run_until_killed(self, *arguments):
        """Start a run that the trap is to end."""
        self.trap.process = self.start("run", "--config", str(self.config), *arguments)
        out, err = self.trap.process.communicate(timeout=60)
        return Run(self.trap.process.returncode, out, err)

    def ask_vault(self, method, path, body=None):
        """The answer below our mount; None where there is none."""
        return self.vault.ask(method, f"{self.vault.mount}/{path}", body)

    def held(self, name):
        answer = self.ask_vault("GET", f"data/apps/{name}")
        return answer["data"]["data"]["api_key"] if answer else None

    def journal(self, name):
        answer = self.ask_vault("GET", f"data/rotator/{name}")
        return answer["data"]["data"] if answer else None

    def put(self, name, **fields):
        self.ask_vault("POST", f"data/apps/{name}", {"data": fields})

    def live(self, name):
        """The raw keys of this name that the provider accepts."""
        return [key.raw for key in self.arize.keys if key.name == name and key.usable(self.now)]

    @property
    def now(self):
        return self.arize.clock()


@dataclass(frozen=True)
class Run:
    code: int
    out: str
    err: str

    @property
    def events(self):
        return [json.loads(line) for line in self.out.splitlines()]

    def named(self, name):
        return [event for event in self.events if event["event"] == name]


class Trap:
    """Cuts connections at a request: before it is carried out or after.

    The process that asks is killed, with SIGKILL, unless ``kill`` says otherwise.
    """

    def __init__(self):
        self._pattern = None
        self._after = self._kill = False
        self._left = 0
        self.process = None
        #: All requests to both services.
        self.asked = []

    def set(self, pattern, *, after, kill=True, times=1):
        self._pattern, self._after, self._kill = re.compile(pattern), after, kill
        self._left = times

    def disarm(self):
        self._left = 0

    @property
    def is_set(self):
        return self._left > 0

    @property
    def sprung(self):
        return self._pattern is not None and not self.is_set

    def around(self, app):
        async def trapped(scope, receive, send):
            label = f"{scope['method']} {scope['path']}"
            self.asked.append(label)
            if not self.is_set or not self._pattern.search(label):
                await app(scope, receive, send)
                return
            self._left -= 1
            if self._after:
                await app(scope, receive, _nowhere)
            if self._kill:
                self.process.kill()
            await scope["extensions"][DROP]()

        return trapped


async def _nowhere(message):
    """Where the answers to a dead process go."""


class StandIn:
    """The Vault of the sandbox, as its administrator sees it."""

    mount, token = "secret", "root"

    def __init__(self):
        self._state = live_vault()
        self.app = vault_app(self._state)

    @property
    def sealed(self):
        return self._state.sealed

    @sealed.setter
    def sealed(self, sealed):
        self._state.sealed = sealed

    def ask(self, method, path, body=None):
        request = Request(method, path, body or {}, {}, token=self.token)
        try:
            return self._state.answer(request)[1]
        except Answer:
            return None


@contextmanager
def staged(folder, *, around=lambda app, _: app, vault=None, **options):
    """A stage in ``folder``, with the stand-in unless ``vault`` is given.

    ``around`` wraps the applications, given each with its name.
    """
    arize, vault = live_state(ArizeOptions(**options)), vault or StandIn()
    trap = Trap()
    with (
        serving_in_thread(around(trap.around(arize_app(arize)), "arize")) as arize_url,
        serving_in_thread(around(trap.around(vault.app), "vault")) as vault_url,
    ):
        urls = {"arize": arize_url, "vault": vault_url}
        yield Stage(arize, vault, urls, folder, trap=trap)
