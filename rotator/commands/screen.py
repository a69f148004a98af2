"""What the commands draw: tables that choose the widest layout that fits, notes, JSON.

Rich is loaded here alone, and only when something is drawn. Without a terminal a row is one line,
however long, for grep and its like.
"""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from rotator import words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from _typeshed import DataclassInstance
    from rich.table import Table
    from rich.text import Text

    Row = Mapping[str, "Cell"]
    #: Columns from left to right; where one has several titles, their cells stand below each other.
    Layout = Sequence[Sequence[str]]

#: As wide as any row, for a pipe.
_ENDLESS = 1000
_ASCII = str.maketrans(f"█░…{words.TIE}", "#-~ ")


class Cell(NamedTuple):
    """A text, and rich's name of a style for it."""

    text: str = ""
    style: str = ""


class Screen:
    """Standard output, as a person or a pipe sees it."""

    def __init__(self) -> None:
        from rich.console import Console  # noqa: PLC0415 - only who draws pays for it

        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else _ENDLESS
        self._console = Console(highlight=False, width=width)
        # Rich ends the program with 1 there; ``cli`` knows better.
        self._console.on_broken_pipe = _broken  # type: ignore[method-assign]
        self._ascii = self._console.options.ascii_only

    def table(self, rows: Sequence[Row], layouts: Sequence[Layout]) -> None:
        """Draw ``rows`` in the first of ``layouts`` that fits, else in the last.

        What no row has a cell for is left out.
        """
        filled = {title for row in rows for title, cell in row.items() if cell.text}
        kept = [[[one for one in column if one in filled] for column in each] for each in layouts]
        tables = [self._table(rows, [column for column in each if column]) for each in kept]
        fitting = (table for table in tables if self._fits(table))
        with self._console.capture() as drawn:
            self._console.print(next(fitting, tables[-1]))
        # Rich fills the last column up: noise in a pipe, as are ties for who searches there.
        lines = (
            line if self._console.is_terminal else line.rstrip().replace(words.TIE, " ")
            for line in drawn.get().splitlines()
        )
        self._console.file.write("".join(f"{line}\n" for line in lines))

    def gap(self) -> None:
        """An empty line."""
        self._console.print()

    def say(self, text: str, style: str = "", indent: int = 0, lead: str = "") -> None:
        """A line, or more of them below each other where the terminal is too narrow.

        Args:
            text: What to say.
            style: Rich's name of one.
            indent: Columns to the left of it.
            lead: A word before the text, which further lines do not go under.
        """
        from rich.padding import Padding  # noqa: PLC0415
        from rich.table import Table  # noqa: PLC0415

        line = Table.grid(padding=(0, 1, 0, 0), pad_edge=False)
        for _ in filter(None, (lead, text)):
            # A name that is too long for the terminal is what the line is about.
            line.add_column(overflow="fold")
        line.add_row(*(self._text(Cell(part, style)) for part in (lead, text) if part))
        self._console.print(Padding(line, (0, 0, 0, indent), expand=False))

    def _fits(self, table: Table) -> bool:
        from rich.measure import Measurement  # noqa: PLC0415

        console = self._console
        options = console.options.update(width=_ENDLESS)
        return Measurement.get(console, options, table).maximum <= console.width

    def _table(self, rows: Sequence[Row], layout: Layout) -> Table:
        from rich.table import Table  # noqa: PLC0415

        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
        for column in layout:
            # Further down, cells speak for themselves; a tall head would only push them away.
            table.add_column("\n".join(column[:3]), overflow="fold")
        for row in rows:
            table.add_row(*(self._stacked(row, column) for column in layout))
        return table

    def _stacked(self, row: Row, titles: Sequence[str]) -> Text:
        from rich.text import Text  # noqa: PLC0415

        cells = [row[title] for title in titles if title in row and row[title].text]
        return Text("\n").join(self._text(cell) for cell in cells)

    def _text(self, cell: Cell) -> Text:
        from rich.text import Text  # noqa: PLC0415

        text = words.printable(cell.text)
        if self._ascii:
            text = text.translate(_ASCII).encode("ascii", "replace").decode()
        return Text(text, cell.style)


def _broken() -> None:
    raise BrokenPipeError


def print_json(**document: object) -> None:
    """Version 1 of a stable format: times in RFC 3339, lengths in seconds."""
    json.dump({"version": 1, **document}, sys.stdout, indent=2, default=_plain)
    sys.stdout.write("\n")


def fields_of(row: DataclassInstance, *names: str) -> dict[str, object]:
    """All fields of ``row``, or those of these ``names``."""
    return {name: getattr(row, name) for name in names or [each.name for each in fields(row)]}


def _plain(value: object) -> object:
    """What JSON has no type for."""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return value.total_seconds()
    if is_dataclass(value) and not isinstance(value, type):
        return fields_of(value)
    raise TypeError(type(value))
