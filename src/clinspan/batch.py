"""Batch runs: notes in, part files out, no note lost.

Notes are taken in partitions; each becomes one part file of every table, written aside, flushed and renamed. A note
that fails lands in ``errors`` and in ``notes`` with status ``failed``; the others go on. ``run.json`` is written last.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import platform
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import clinspan
from clinspan import schema
from clinspan.notes import Note, ReadFailure, changed_characters, sanitize
from clinspan.pipeline import TOGETHER, pipeline_name, process_all, together
from clinspan.schema import Column
from clinspan.tables import FORMATS, EntityRows, PartWriter, Rows, add_sections

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

RUN_FILE = "run.json"
#: Notes in one partition, and so in one part file.
PARTITION = 5_000
#: Entity rows gathered before they are handed to the file.
_FLUSH = 20_000
#: Notes after which the strings they brought are forgotten.
_ZONE = 500


class OutputError(ValueError):
    """The output folder cannot be used; the message names it and says why."""


@dataclass
class Summary:
    """What a run did."""

    notes: int = 0
    failed: int = 0
    repeated_ids: int = 0
    entities: int = 0
    characters: int = 0
    seconds: float = 0.0
    by_label: dict[str, int] = field(default_factory=dict)
    by_assertion: dict[str, int] = field(default_factory=dict)


def prepare_output(output: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Make the output folder, or clear an earlier run out of it.

    Raises:
        OutputError: it holds something and ``overwrite`` is not set, is a file, or cannot be written to.
    """
    folder = Path(output)
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder}: is a file, not a folder")
    try:
        if folder.exists() and any(folder.iterdir()):
            if not overwrite:
                raise OutputError(f"{folder}: is not empty; choose another folder or pass --overwrite")
            _clear(folder)
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".write-test-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written to ({type(error).__name__})") from None
    return folder


def _clear(folder: Path) -> None:
    """Remove what an earlier run wrote, and nothing else."""
    for table in schema.TABLES:
        for path in [*(folder / table).glob("part-*"), *(folder / table).glob(".part-*.writing")]:
            path.unlink()
        with contextlib.suppress(OSError):
            (folder / table).rmdir()
    (folder / RUN_FILE).unlink(missing_ok=True)


def run(
    notes: Iterable[Note | ReadFailure],
    *,
    nlp: Language,
    output: Path,
    format: str = "parquet",
    keep: Sequence[str] = (),
    snippet: int = 0,
    settings: dict[str, Any] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Summary:
    """Run a pipeline over notes and write the tables.

    Args:
        notes: from :func:`clinspan.notes.read_notes`.
        nlp: the pipeline.
        output: a folder made ready by :func:`prepare_output`.
        format: ``parquet``, ``csv`` or ``jsonl``.
        keep: names in ``Note.extra`` that become columns of ``notes``, as text.
        snippet: characters of context each side in the entities table; 0 for none.
        settings: recorded in ``run.json`` (never note text).
        progress: called after each note with its length in characters.

    Raises:
        ValueError: an unknown format, or a column to keep that ``notes`` has itself.
    """
    if format not in FORMATS:
        raise ValueError(f"format is not one of {', '.join(FORMATS)}: {format!r}")
    keep = kept_columns(keep)
    started = datetime.datetime.now(datetime.timezone.utc)
    clock = time.perf_counter()
    total = Summary()
    stream = iter(notes)
    number = 0
    while True:
        partition: list[Note | ReadFailure] = list(islice(stream, 1))
        if not partition and number:
            break
        write_partition(
            _chain(partition, islice(stream, PARTITION - 1)),
            number,
            nlp=nlp,
            output=output,
            format=format,
            keep=keep,
            snippet=snippet,
            total=total,
            progress=progress,
        )
        number += 1
    total.seconds = round(time.perf_counter() - clock, 3)
    record = {
        "clinspan": clinspan.__version__,
        "python": platform.python_version(),
        "pipeline": pipeline_name(nlp),
        "components": list(nlp.pipe_names),
        "settings": settings or {},
        "started": started.isoformat(timespec="seconds"),
        "finished": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "parts": number,
        **asdict(total),
    }
    aside = output / f".{RUN_FILE}.writing"
    aside.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    aside.replace(output / RUN_FILE)
    return total


def kept_columns(keep: Iterable[str]) -> tuple[str, ...]:
    """The columns to keep, each once.

    Raises:
        ValueError: the ``notes`` table has a column of that name.
    """
    names = tuple(dict.fromkeys(keep))
    taken = [name for name in names if name in {column.name for column in schema.NOTES}]
    if taken:
        raise ValueError(f"cannot keep {', '.join(taken)}: the notes table has its own column of that name")
    return names


def _chain(first: list[Note | ReadFailure], rest: Iterator[Note | ReadFailure]) -> Iterator[Note | ReadFailure]:
    yield from first
    yield from rest


def write_partition(
    notes: Iterable[Note | ReadFailure],
    number: int,
    *,
    nlp: Language,
    output: Path,
    format: str,
    keep: Sequence[str],
    snippet: int,
    total: Summary,
    progress: Callable[[int], None] | None,
) -> None:
    """Run the pipeline over one partition and write its part file of every table."""
    kept = tuple(Column(name, "string", True, "kept from the input") for name in keep)
    rows = _Buffers(
        entities=EntityRows(pipeline=pipeline_name(nlp), snippet=snippet),
        notes=Rows((*schema.NOTES[:1], *kept, *schema.NOTES[1:])),
        sections=Rows(schema.SECTIONS),
        errors=Rows(schema.ERRORS),
    )
    writers: dict[str, PartWriter] = {}
    try:
        for table, buffer in rows._asdict().items():
            path = output / table / f"part-{number:05d}.{format}"
            writers[table] = PartWriter(path, buffer.schema, format)
        stream = iter(notes)
        more = True
        while more:
            # what the vocabulary learns from the notes of a zone is forgotten with it: memory stays flat
            with nlp.memory_zone():
                more = False
                for several in together(islice(stream, _ZONE), _length, most=TOGETHER):
                    more = True
                    for length in _process(several, nlp, rows, keep, total):
                        if len(rows.entities) >= _FLUSH:
                            _flush(rows, writers, total)
                        if progress:
                            progress(length)
        _flush(rows, writers, total)
        for writer in writers.values():
            writer.close()
    except BaseException:
        for writer in writers.values():
            writer.abandon()
        raise


class _Buffers(NamedTuple):
    """The rows of a partition not yet written, by table."""

    entities: EntityRows
    notes: Rows
    sections: Rows
    errors: Rows


def _flush(rows: _Buffers, writers: dict[str, PartWriter], total: Summary) -> None:
    for table, buffer in rows._asdict().items():
        taken = buffer.take()
        writers[table].write(taken)
        if table == "entities":
            for column, counts in (("label", total.by_label), ("assertion", total.by_assertion)):
                for pair in taken.column(column).value_counts().to_pylist():
                    counts[pair["values"]] = counts.get(pair["values"], 0) + pair["counts"]


def _length(note: Note | ReadFailure) -> int:
    return 0 if isinstance(note, ReadFailure) else len(note.text)


def _process(
    several: Sequence[Note | ReadFailure], nlp: Language, rows: _Buffers, keep: Sequence[str], total: Summary
) -> Iterator[int]:
    """Notes into the rows, whatever happens to them. Yields the length of each."""
    notes = [note for note in several if not isinstance(note, ReadFailure)]
    texts = [sanitize(note.text) for note in notes]
    clock = time.perf_counter()
    docs = process_all(nlp, texts)
    # the time that they took together, by their lengths
    pace = (time.perf_counter() - clock) / max(1, sum(map(len, texts)))
    read = zip(texts, docs)
    for note in several:
        total.notes += 1
        if isinstance(note, ReadFailure):
            total.failed += 1
            rows.errors.append(note_id=note.note_id, stage=note.stage, error=note.error)
            rows.notes.append(
                note_id=note.note_id, characters=0, changed_characters=0, entities=0, seconds=0.0, status="failed"
            )
            yield 0
            continue
        text, doc = next(read)
        _add(note, text, doc, pace, rows, keep, total)
        yield len(text)


def _add(
    note: Note, text: str, doc: Doc | Exception, pace: float, rows: _Buffers, keep: Sequence[str], total: Summary
) -> None:
    """The rows of one note; ``pace``: seconds that a character took."""
    total.repeated_ids += "duplicate_of" in note.extra
    clock = time.perf_counter()
    status = "done"
    count = 0
    stage = "pipeline"
    try:
        if isinstance(doc, Exception):
            raise doc
        stage = "rows"
        add_sections(rows.sections, doc, note.note_id, text)
        count = rows.entities.add(doc, note.note_id, text)
    except Exception as error:
        # the class alone: an exception's message may quote the text
        cause = f" from {type(error.__cause__).__name__}" if error.__cause__ else ""
        rows.errors.append(note_id=note.note_id, stage=stage, error=type(error).__name__ + cause)
        status = "failed"
        total.failed += 1
    total.entities += count
    total.characters += len(text)
    rows.notes.append(
        note_id=note.note_id,
        characters=len(text),
        changed_characters=changed_characters(note.text),
        encoding=note.encoding,
        entities=count,
        seconds=round(pace * len(text) + time.perf_counter() - clock, 6),
        status=status,
        **{name: None if note.extra.get(name) is None else str(note.extra[name]) for name in keep},
    )
