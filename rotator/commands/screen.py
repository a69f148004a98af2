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
        self._ascii = self._console.options.ascii_only

    def table(self, rows: Sequence[Row], layouts: Sequence[Layout]) -> None:
        """Draw ``rows`` in the first of ``layouts`` that fits, else in the last.

        What no row has a cell for is left out.
        """
        filled = {title for row in rows for title, cell in row.items() if cell.text}
        kept = [[[one for one in column if one in filled] for column in each] for each in layouts]
        tables = [self._table(rows, [column for column in each if column]) for each in kept]
        fitting = (table for table in tables if self._fits(table))
        self._console.print(next(fitting, tables[-1]))

    def gap(self) -> None:
        """An empty line."""
        self._console.print()

    def say(self, text: str, style: str = "", indent: int = 0) -> None:
        """A line, or more of them where the terminal is too narrow."""
        from rich.padding import Padding  # noqa: PLC0415

        said = Padding(self._text(Cell(text, style)), (0, 0, 0, indent), expand=False)
        self._console.print(said)

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
