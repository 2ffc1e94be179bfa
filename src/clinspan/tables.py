"""Docs to rows, rows to tables: Arrow, pandas, and files (parquet, csv, jsonl).

The columns are those of :mod:`clinspan.schema`. Rows are gathered by column, many notes at a time.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from clinspan import schema
from clinspan.attributes import ENTITIES, KEY, user_data
from clinspan.components.memo import sentence_starts, spans_of
from clinspan.components.sections import SECTIONS, TITLES
from clinspan.schema import Column

if TYPE_CHECKING:
    import pandas as pd
    from spacy.language import Language
    from spacy.tokens import Doc

FORMATS: tuple[str, ...] = ("parquet", "csv", "jsonl")
_TYPES: dict[str, pa.DataType] = {
    "string": pa.string(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
}
_CUE = pa.struct([pa.field(c.name, _TYPES[c.type], nullable=c.nullable) for c in schema.CUE_FIELDS])
_TYPES["list<cue>"] = pa.list_(pa.field("element", _CUE, nullable=False))


def arrow_schema(columns: Iterable[Column]) -> pa.Schema:
    """The Arrow schema of declared columns."""
    return pa.schema([pa.field(c.name, _TYPES[c.type], nullable=c.nullable) for c in columns])


class Rows:
    """Rows of one table, by column, until they are taken as an Arrow batch."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self.schema = arrow_schema(columns)
        self._columns: dict[str, list[Any]] = {c.name: [] for c in columns}

    def __len__(self) -> int:
        return len(next(iter(self._columns.values())))

    def append(self, **values: Any) -> None:
        """Add one row; columns not given are null."""
        for name, column in self._columns.items():
            column.append(values.get(name))

    def take(self) -> pa.Table:
        """The rows so far as an Arrow table; the buffer is empty afterwards."""
        arrays = []
        for field in self.schema:
            values = self._columns[field.name]
            arrays.append(pa.array(values, type=field.type))
            values.clear()
        return pa.Table.from_arrays(arrays, schema=self.schema)


def _cue_array(rows: list[Sequence[Sequence[Any]]]) -> pa.Array:
    """The cues column, from each row's cues as tuples of their fields: flat arrays and offsets."""
    offsets = np.zeros(len(rows) + 1, dtype=np.int32)
    np.cumsum([len(row) for row in rows], out=offsets[1:])
    fields = list(zip(*[cue for row in rows for cue in row])) or [()] * len(schema.CUE_FIELDS)
    children = [pa.array(values, type=_TYPES[c.type]) for values, c in zip(fields, schema.CUE_FIELDS, strict=True)]
    values = pa.StructArray.from_arrays(children, fields=list(_CUE))
    return pa.ListArray.from_arrays(pa.array(offsets), values, type=_TYPES["list<cue>"])


class EntityRows:
    """Rows of the ``entities`` table until they are taken as an Arrow batch.

    What is the same for a note or for many entities is stored once and written out by Arrow.
    """

    _GATHERED = (
        "start", "end", "text", "label", "section", "assertions", "cues",
        "concept_id", "vocabulary", "concept_name", "score", "source", "snippet",
    )  # fmt: skip

    def __init__(self, *, pipeline: str, snippet: int = 0) -> None:
        self.schema = arrow_schema((*schema.ENTITIES, schema.SNIPPET) if snippet else schema.ENTITIES)
        self._pipeline = pipeline
        self._snippet = snippet
        self._assertions: dict[tuple[Any, ...], int] = {}  # combinations of axes met, by number
        self._clear()

    def _clear(self) -> None:
        self._length = 0
        self._notes: list[tuple[str, int]] = []  # ids, and how many rows each has
        self._sentences: list[np.ndarray] = []
        self._columns: dict[str, list[Any]] = {name: [] for name in self._GATHERED}
        self._extend = [column.extend for column in self._columns.values()]

    def __len__(self) -> int:
        return self._length

    def add(self, doc: Doc, note_id: str, text: str) -> int:
        """Add the entities of a note; ``text`` is the text that the Doc was made of. Returns how many."""
        entities = spans_of(doc, ENTITIES)
        if not entities:
            return 0
        data = user_data(doc)
        nothing: dict[str, Any] = {}
        snippet = self._snippet
        plain = self._number(_AXES.values())
        rows = []
        for span in entities:
            start, end, label = span.start_char, span.end_char, span.label_
            stored = data.get((KEY, start, end, label), nothing)
            get = stored.get
            judged = plain
            if not stored.keys().isdisjoint(_AXES):
                judged = self._number(get(axis, default) for axis, default in _AXES.items())
            cues = get("cues")
            row = (
                start,
                end,
                text[start:end],
                label,
                get("section"),
                judged,
                [(*cue[:3], text[cue[3] : cue[4]], *cue[3:]) for cue in cues] if cues else (),
                get("concept_id"),
                get("vocabulary"),
                get("concept_name"),
                get("score"),
                get("source") or span.id_ or "given",
                text[max(0, start - snippet) : end + snippet] if snippet else None,
            )
            rows.append(row)
        places = [span.start for span in entities]
        self._sentences.append(np.searchsorted(sentence_starts(doc), places, side="right") - 1)
        for extend, values in zip(self._extend, zip(*rows)):
            extend(values)
        self._notes.append((note_id, len(rows)))
        self._length += len(rows)
        return len(rows)

    def _number(self, axes: Iterable[Any]) -> int:
        """The number of a combination of axes."""
        return self._assertions.setdefault(tuple(axes), len(self._assertions))

    def take(self) -> pa.Table:
        """The rows so far as an Arrow table; the buffer is empty afterwards."""
        numbers = np.repeat(np.arange(len(self._notes)), [rows for _, rows in self._notes])
        given = {
            "note_id": pa.array([note for note, _ in self._notes], type=pa.string()).take(pa.array(numbers)),
            "sentence": pa.array(np.concatenate([np.zeros(0, np.int64), *self._sentences])),
            "pipeline": pa.array([self._pipeline], type=pa.string()).take(pa.array(np.zeros(self._length, np.int64))),
            "cues": _cue_array(self._columns["cues"]),
        }
        for name in ("start", "end", "text", "label"):
            given[name] = pa.array(self._columns[name], type=self.schema.field(name).type)
        place = (given[name].cast(pa.string()) for name in ("start", "end"))
        given["entity_id"] = pc.binary_join_element_wise(given["note_id"], *place, given["label"], ":")
        which = pa.array(self._columns["assertions"], type=pa.int64())
        met = [dict(zip(_AXES, axes)) for axes in self._assertions]
        for name in (*_AXES, "assertion", "exists"):
            summary = {"assertion": schema.assertion, "exists": schema.exists}.get(name)
            values = [summary(**axes) if summary else axes[name] for axes in met]
            given[name] = pa.array(values, type=self.schema.field(name).type).take(which)
        arrays = [
            given[field.name] if field.name in given else pa.array(self._columns[field.name], type=field.type)
            for field in self.schema
        ]
        self._clear()
        return pa.Table.from_arrays(arrays, schema=self.schema)


_AXES: dict[str, Any] = {**dict.fromkeys(schema.FLAGS, False), "experiencer": "patient"}


def add_sections(rows: Rows, doc: Doc, note_id: str, text: str) -> None:
    """Add the sections of a note to the ``sections`` table; a body begins behind its header's colon and space."""
    for title, section in zip(spans_of(doc, TITLES), spans_of(doc, SECTIONS)):
        start = title.end_char
        end = section.end_char
        while start < end and (text[start].isspace() or text[start] in ":,"):
            start += 1
        while end > start and text[end - 1].isspace():
            end -= 1
        rows.append(
            note_id=note_id,
            section=section.label_,
            title=title.text,
            title_start=title.start_char,
            title_end=title.end_char,
            start=start,
            end=end,
        )


def to_pandas(table: pa.Table) -> pd.DataFrame:
    """A DataFrame with declared dtypes: ``string``, ``int64``, ``bool``, ``float64``, and lists of dicts for cues."""
    import pandas as pd

    strings = pd.StringDtype()
    frame: pd.DataFrame = table.to_pandas(types_mapper={pa.string(): strings}.get)
    if "cues" in frame:  # Arrow would give arrays
        frame["cues"] = pd.Series(table.column("cues").to_pylist(), index=frame.index, dtype=object)
    return frame


def extract(
    notes: Any,
    *,
    nlp: Language | None = None,
    snippet: int = 0,
) -> pd.DataFrame:
    """Entities of notes as a DataFrame with the columns of the ``entities`` table.

    Args:
        notes: a text, a list of texts, a DataFrame with ``note_id`` and ``text`` columns, or an iterable of ``Note``.
        nlp: the pipeline; the bundled one, loaded once, when left out.
        snippet: characters of context each side in a ``snippet`` column; 0 for no such column.

    Returns:
        One row an entity, in the order of the notes and of their text; offsets are code points of the note as read
        (:func:`clinspan.notes.sanitize`).

    Raises:
        NotesError: a DataFrame without a text column.
    """
    from clinspan.notes import sanitize, to_notes
    from clinspan.pipeline import TOGETHER, pipeline_name, process_all, together

    nlp = nlp or _default()
    rows = EntityRows(pipeline=pipeline_name(nlp), snippet=snippet)
    parts = []
    read = ((note.note_id, sanitize(note.text)) for note in to_notes(notes))
    for several in together(read, lambda pair: len(pair[1]), most=TOGETHER):
        for (note_id, text), doc in zip(several, process_all(nlp, [text for _, text in several])):
            if isinstance(doc, Exception):
                raise doc
            rows.add(doc, note_id, text)
        if len(rows) >= 50_000:
            parts.append(rows.take())
    parts.append(rows.take())
    return to_pandas(pa.concat_tables(parts))


@lru_cache(maxsize=1)
def _default() -> Language:
    from clinspan.pipeline import codes_only, load

    nlp = load()
    codes_only(nlp)
    return nlp


# --- files ---


class PartWriter:
    """Writes one part file of a table: aside first, then flushed to disk and renamed, so that it is whole or absent."""

    def __init__(self, path: Path, table_schema: pa.Schema, format: str) -> None:
        if format not in FORMATS:
            raise ValueError(f"format is not one of {', '.join(FORMATS)}: {format!r}")
        self.path = path
        self._aside = path.with_name(f".{path.name}.writing")
        self._format = format
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._aside.open("wb")
        self._writer: Any = None
        if format == "parquet":
            self._writer = pq.ParquetWriter(self._file, table_schema, compression="zstd")
        elif format == "csv":
            self._writer = pa_csv.CSVWriter(self._file, flat(table_schema.empty_table()).schema)

    def write(self, table: pa.Table) -> None:
        """Add rows."""
        if not table.num_rows:
            return
        if self._format == "parquet":
            self._writer.write_table(table)
        elif self._format == "csv":
            self._writer.write_table(flat(table))
        else:
            lines = (json.dumps(row, ensure_ascii=False) for row in table.to_pylist())
            self._file.write(("\n".join(lines) + "\n").encode("utf-8"))

    def close(self) -> None:
        """Finish the file and put it in its place."""
        if self._writer is not None:
            self._writer.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._aside.replace(self.path)

    def abandon(self) -> None:
        """Leave nothing behind."""
        with contextlib.suppress(Exception):  # what failed before is what counts
            if self._writer is not None:
                self._writer.close()
        self._file.close()
        self._aside.unlink(missing_ok=True)


@contextlib.contextmanager
def aside(path: Path) -> Iterator[BinaryIO]:
    """A file to write, put in its place when all of it is on the disk, and gone where that fails."""
    written = path.with_name(f".{path.name}.writing")
    try:
        with written.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        written.replace(path)
    except BaseException:
        written.unlink(missing_ok=True)
        raise


def flat(table: pa.Table) -> pa.Table:
    """The table with its cues column as JSON text, for csv and databases."""
    if "cues" not in table.column_names:
        return table
    place = table.column_names.index("cues")
    texts = [json.dumps(cues, ensure_ascii=False) for cues in table.column("cues").to_pylist()]
    return table.set_column(place, pa.field("cues", pa.string(), nullable=False), pa.array(texts, type=pa.string()))


def part_numbers(folder: str | os.PathLike[str], table: str) -> list[int]:
    """The numbers of a table's parts in a run's folder.

    Raises:
        FileNotFoundError: no such table there.
    """
    return sorted(int(path.stem.partition("-")[2]) for path in _parts(folder, table))


def read_part(folder: str | os.PathLike[str], table: str, number: int) -> pa.Table:
    """One part of a table of a run, whatever its format.

    Raises:
        FileNotFoundError: no such part.
    """
    found = [path for path in _parts(folder, table) if path.stem == f"part-{number:05d}"]
    if not found:
        raise FileNotFoundError(f"{os.fspath(folder)}: no part {number} of table {table!r}")
    return _read(found, table)


def read_table(folder: str | os.PathLike[str], table: str) -> pa.Table:
    """A table of a finished run, whatever its format; ``folder`` is the run's.

    Raises:
        FileNotFoundError: no such table there.
    """
    return _read(_parts(folder, table), table)


def _parts(folder: str | os.PathLike[str], table: str) -> list[Path]:
    parts = sorted(p for p in (Path(folder) / table).glob("part-*") if p.is_file())
    if not parts:
        raise FileNotFoundError(f"{os.fspath(folder)}: no table {table!r}")
    return parts


def _read(parts: Sequence[Path], table: str) -> pa.Table:
    suffix = parts[0].suffix
    if suffix == ".parquet":
        return pa.concat_tables([pq.read_table(p, partitioning=None) for p in parts])
    columns: Sequence[Column] = schema.TABLES[table]
    if suffix == ".csv":
        return pa.concat_tables([_read_csv(p, columns) for p in parts])
    known = {c.name for c in columns}
    wanted = arrow_schema(columns)
    rows = [json.loads(line) for p in parts for line in p.read_text("utf-8").split("\n") if line]
    extra = [pa.field(k, pa.string()) for k in (rows[0] if rows else {}) if k not in known]
    return pa.Table.from_pylist(rows, schema=pa.schema([*wanted, *extra]))


def _read_csv(path: Path, columns: Sequence[Column]) -> pa.Table:
    types = {c.name: pa.string() if c.type == "list<cue>" else _TYPES[c.type] for c in columns}
    table = pa_csv.read_csv(
        path,
        read_options=pa_csv.ReadOptions(block_size=min(path.stat().st_size + 1, 2**31 - 1)),  # a row is never cut
        parse_options=pa_csv.ParseOptions(newlines_in_values=True),
        convert_options=pa_csv.ConvertOptions(
            column_types=types, strings_can_be_null=True, quoted_strings_can_be_null=False, null_values=[""]
        ),
    )
    if "cues" in table.column_names:
        place = table.column_names.index("cues")
        cues = [json.loads(text) for text in table.column("cues").to_pylist()]
        table = table.set_column(place, "cues", _cue_array([[tuple(cue.values()) for cue in row] for row in cues]))
    declared = {field.name: field for field in arrow_schema(columns)}
    return table.cast(pa.schema([declared.get(field.name, field) for field in table.schema]))
