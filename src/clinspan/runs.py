"""A finished run together with the notes that it read: what other formats are made from."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from clinspan.notes import Note, NotesError, ReadFailure, sanitize
from clinspan.tables import part_numbers, read_part


class NoteRows(NamedTuple):
    """A note, its text as the run read it, and its rows of the entities table."""

    note: Note
    text: str
    entities: list[dict[str, Any]]


def parts(
    run: str | os.PathLike[str], notes: Iterable[Note | ReadFailure]
) -> Iterator[tuple[int, list[NoteRows | ReadFailure]]]:
    """The parts of a run into files, by number; a part's notes as they were read.

    Args:
        run: the run's folder.
        notes: the notes that the run read, in the same order.

    Raises:
        FileNotFoundError: the run has no tables.
        NotesError: the notes are not those of the run; the message names the first that is not.
    """
    folder = Path(run)
    stream = iter(notes)
    for part in part_numbers(folder, "notes"):
        found: dict[str, list[dict[str, Any]]] = {}
        for row in read_part(folder, "entities", part).to_pylist():
            found.setdefault(row["note_id"], []).append(row)
        listed: list[NoteRows | ReadFailure] = []
        for note_id in read_part(folder, "notes", part).column("note_id").to_pylist():
            note = next(stream, None)
            if note is None or note.note_id != note_id:
                raise NotesError(f"note {note_id} of the run is not where it was among the notes")
            if isinstance(note, ReadFailure):
                listed.append(note)
                continue
            text = sanitize(note.text)
            entities = found.get(note_id, [])
            if any(text[entity["start"] : entity["end"]] != entity["text"] for entity in entities):
                raise NotesError(f"note {note_id} is not the one that the run read")
            listed.append(NoteRows(note, text, entities))
        yield part, listed


def finished(run: str | os.PathLike[str]) -> datetime.datetime:
    """When the run ended, in UTC (now, of one that has no record)."""
    when = datetime.datetime.now(datetime.timezone.utc)
    with contextlib.suppress(OSError, ValueError, KeyError):
        when = datetime.datetime.fromisoformat(json.loads((Path(run) / "run.json").read_text("utf-8"))["finished"])
    return when.astimezone(datetime.timezone.utc)
