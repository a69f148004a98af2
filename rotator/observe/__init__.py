"""What others see of rotator: events as log lines, and their catalogue.

``logs`` configures the one chain that everything takes; ``capture`` leads the standard library's
logging, warnings and crashes into it; ``values`` and ``scrub`` decide what may be shown;
``console`` draws lines for a person; ``writer`` writes them without ever keeping anybody waiting;
``catalogue`` writes ``docs/events.md``.
"""

from rotator.observe.logs import Observer, configure, observing

__all__ = ["Observer", "configure", "observing"]
