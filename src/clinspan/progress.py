"""Progress of long work, and a batch run's summary, in the terminal, on stderr."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clinspan.partition import Summary


def _size(files: Sequence[str]) -> int | None:
    """Bytes of the files, about as many as characters; None where that cannot be told."""
    try:
        packed = any(name.endswith((".gz", ".tgz", ".parquet")) for name in files)
        return None if packed or not files else sum(os.stat(name).st_size for name in files)
    except OSError:
        return None


class Progress:
    """Progress on stderr: notes, characters a second, time left where the inputs' size tells it."""

    def __init__(self, files: Sequence[str], *, quiet: bool) -> None:
        import rich.progress
        from rich.console import Console
        from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        size = None if quiet else _size(files)
        self._bar = rich.progress.Progress(
            SpinnerColumn(),
            TextColumn("{task.fields[notes]:,} notes"),
            BarColumn(),
            TextColumn("{task.fields[rate]:,.0f} notes/s"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=quiet,
            transient=True,
        )
        self._task = self._bar.add_task("notes", total=size, notes=0, rate=0.0)
        self._notes = 0
        self._characters = 0

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def advance(self, characters: int, notes: int = 1) -> None:
        """Count notes, of so many characters."""
        before = self._notes // 20
        self._notes += notes
        self._characters += characters
        if self._notes // 20 > before:
            elapsed = self._bar.tasks[0].elapsed or 1.0
            self._bar.update(
                self._task, completed=self._characters, notes=self._notes, rate=self._notes / max(elapsed, 1e-6)
            )

    def say(self, line: str) -> None:
        """A line above the bar."""
        self._bar.console.print(line, highlight=False, markup=False)


@contextmanager
def counting(what: str, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    """A count on stderr, for work of which nobody knows how long it is."""
    import rich.progress
    from rich.console import Console

    columns = (rich.progress.SpinnerColumn(), rich.progress.TextColumn("{task.completed:,.0f} " + what))
    elapsed = rich.progress.TimeElapsedColumn()
    with rich.progress.Progress(*columns, elapsed, console=Console(stderr=True), disable=quiet, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda count: bar.update(task, completed=count)


def print_summary(summary: Summary, folder: Path) -> None:
    """Print what a run did, on stderr."""
    from rich.console import Console
    from rich.table import Table

    console = Console(stderr=True)
    console.print(
        f"{summary.notes:,} notes, {summary.failed:,} failed; {summary.entities:,} entities "
        f"in {summary.seconds:.1f} s -> {folder}",
        highlight=False,
        markup=False,
    )
    if summary.entities:
        table = Table(box=None, pad_edge=False)
        for heading in ("label", "entities", "assertion", "entities"):
            table.add_column(heading, justify="right" if heading == "entities" else "left")
        labels = sorted(summary.by_label.items(), key=lambda item: -item[1])
        values = sorted(summary.by_assertion.items(), key=lambda item: -item[1])
        for i in range(max(len(labels), len(values))):
            left = (labels[i][0], f"{labels[i][1]:,}") if i < len(labels) else ("", "")
            right = (values[i][0], f"{values[i][1]:,}") if i < len(values) else ("", "")
            table.add_row(*left, *right)
        console.print(table)
    if summary.repeated_ids:
        console.print(
            f"{summary.repeated_ids:,} notes had the id of an earlier one; theirs end in #2, #3, …", highlight=False
        )
    if summary.failed:
        console.print(f"what failed and why: {folder / 'errors'}", highlight=False, markup=False)
