"""A real browser without a window, led over a pipe by its own protocol: no driver, no network.

See https://chromedevtools.github.io/devtools-protocol/ for the methods.
"""

import base64
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-extensions"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--hide-scrollbars", "--remote-debugging-pipe"),
)
#: It reads from 3 and writes to 4. Not by a shell: some know no descriptors beyond 9.
_START = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3]]
os.dup2(ends[0], 3), os.dup2(ends[1], 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
PHONE, DESKTOP = (390, 844), (1280, 800)


class Browser:
    """One tab."""

    def __init__(self, to, back):
        self._to, self._back, self._left = to, back, b""
        self._count = 0
        self._session = None
        self.events = []
        target = self("Target.createTarget", url="about:blank")["targetId"]
        answer = self("Target.attachToTarget", targetId=target, flatten=True)
        self._session = answer["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self(f"{domain}.enable")

    def __call__(self, method, **params):
        """Do something, and answer what came of it. Events on the way are kept."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        self._to.write(json.dumps(message).encode() + b"\0")
        self._to.flush()
        while True:
            found = self._next()
            if found.get("id") == self._count:
                assert "error" not in found, found
                return found["result"]

    def _next(self):
        while b"\0" not in self._left:
            more = os.read(self._back.fileno(), 1 << 16)
            assert more, "the browser is gone"
            self._left += more
        text, _, self._left = self._left.partition(b"\0")
        found = json.loads(text)
        self.events.append(found)
        return found

    def open(self, url, *, size=DESKTOP, dark=False, headers=None):
        """Show ``url`` and wait until it is there."""
        self.events.clear()
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self("Emulation.setDeviceMetricsOverride", **metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self("Emulation.setEmulatedMedia", features=[scheme])
        self("Network.setExtraHTTPHeaders", headers=headers or {})
        self("Page.navigate", url=url)
        while not self.told("Page.loadEventFired"):
            self._next()

    def told(self, method):
        """The events of this name since the page was opened."""
        return [event["params"] for event in self.events if event.get("method") == method]

    @property
    def requested(self):
        """The addresses that were asked for something."""
        return [one["request"]["url"] for one in self.told("Network.requestWillBeSent")]

    @property
    def complaints(self):
        """What the console says: violations of the security policy, for one."""
        return self.told("Log.entryAdded") + self.told("Runtime.consoleAPICalled")

    def value(self, expression):
        """Of JavaScript, from outside of the page: what a person would see or measure."""
        return self("Runtime.evaluate", expression=expression, returnByValue=True)["result"][
            "value"
        ]

    def picture(self):
        """The whole page as PNG."""
        size = self.value("[document.documentElement.scrollWidth, document.body.scrollHeight]")
        clip = {"x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1}
        data = self("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)["data"]
        return base64.b64decode(data)


@contextlib.contextmanager
def browsing():
    """A browser with a profile of its own, until the block ends."""
    (down, to), (back, up) = os.pipe(), os.pipe()
    with tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [
                *(sys.executable, "-c", _START, str(down), str(up)),
                *(PROGRAM, *_FLAGS, f"--user-data-dir={profile}"),
            ],
            pass_fds=(down, up),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(down)
        os.close(up)
        try:
            with os.fdopen(to, "wb") as to_browser, os.fdopen(back, "rb") as from_browser:
                yield Browser(to_browser, from_browser)
        finally:
            process.terminate()
            process.wait(10)
