"""Who reads a key from the store while it is rotated, and uses it."""

import threading
import time


class Consumers:
    """One reads the key from the store and uses it, again and again until the block ends.

    Others keep what they have read for up to ``keeps`` seconds: so long after it was replaced, each
    key is used, too.
    """

    def __init__(self, stage, keeps, tally):
        self._stage, self._keeps, self._tally = stage, keeps, tally
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._consume)
        #: By key: until when somebody may use it.
        self._kept = {}
        self.fault = None

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    @property
    def have_read_anew(self):
        """Whether all of them have what the store has."""
        return len(self._kept) == 1

    def _consume(self):
        try:
            while not self._over.wait(0.01):
                self._use()
        except Exception as error:  # noqa: BLE001 - told by whoever looks at the history's end
            self.fault = error

    def _use(self):
        now, tally = time.monotonic(), self._tally
        held = self._stage.held("ci")
        kept = {raw: until for raw, until in self._kept.items() if until > now}
        self._kept = {**kept, held: now + self._keeps}
        refused = {raw for raw in self._kept if not self._stage.arize.accepts(raw)}
        tally.reads += 1
        tally.refused += held in refused
        tally.late += len(self._kept) - 1
        tally.late_refused += len(refused - {held})
