"""Read notes: folders of text, csv, tsv, jsonl and parquet, and the Python objects a library user has at hand.

Readers stream. They deliver the text as decoded: line ends untranslated, nothing stripped but a byte order mark.
`sanitize` makes it the string that tables reproduce; the pipeline applies it, the readers do not.

A note that cannot be read becomes a `ReadFailure` and the others go on. A mistake of the caller (a missing file, a
missing column) raises `NotesError`, before the first note wherever the first rows can tell.
Failures and errors hold ids, classes, line and row numbers and column names, never note text.
"""

from __future__ import annotations

import codecs
import csv
import datetime
import glob
import gzip
import io
import json
import numbers
import os
import re
import sys
import tarfile
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import chain, islice, takewhile
from pathlib import Path
from typing import Any, TypeVar, cast

__all__ = ["Note", "NoteFile", "NotesError", "ReadFailure", "changed_characters", "content_kind", "decode",
           "find_files", "read_notes", "read_query", "sanitize", "to_notes"]  # fmt: skip


class NotesError(ValueError):
    """The caller's request cannot be met: a missing file, no notes, a missing column, an unsupported suffix."""


@dataclass(frozen=True, slots=True, kw_only=False)
class Note:
    """One note. `note_id` is always a string; `encoding` is the one its bytes were read with, None if there were none.

    `text` and `extra` are left out of `repr`, so that a note in a traceback or a log line does not show its text.
    """

    note_id: str
    text: str = field(repr=False)
    person_id: str | None = None
    encounter_id: str | None = None
    note_date: datetime.date | None = None
    note_type: str | None = None
    extra: dict[str, object] = field(default_factory=dict, repr=False, hash=False)
    encoding: str | None = None

    def __post_init__(self) -> None:
        if not (isinstance(self.note_id, str) and isinstance(self.text, str)):
            raise TypeError("note_id and text of a Note are strings")


@dataclass(frozen=True, slots=True)
class ReadFailure:
    """A note, a row or a file that could not be read: `error` is a class and a position, never text."""

    note_id: str
    stage: str
    error: str


@dataclass(frozen=True, slots=True)
class NoteFile:
    """A file to read: `file_id` is its path relative to the folder given, without the suffix, with forward slashes."""

    name: str  # not a Path, which takes a kilobyte: there may be millions
    file_id: str
    kind: str

    @property
    def path(self) -> Path:
        return Path(self.name)


# --- the note as read -------------------------------------------------------------------------------------------------

_UNSAFE = re.compile(r"[\x00\ud800-\udfff]")


def sanitize(text: str) -> str:
    """The note as read: a lone surrogate becomes U+FFFD, a NUL a space; the length and all offsets stay the same."""
    if text.isascii() and "\0" not in text:
        return text
    return _UNSAFE.sub(lambda match: " " if match[0] == "\0" else "\ufffd", text)


def changed_characters(text: str) -> int:
    """How many characters `sanitize` replaces in `text`."""
    if text.isascii():
        return text.count("\0")
    return sum(1 for _ in _UNSAFE.finditer(text))


_CONTENT = (
    ("RtfContent", re.compile(r"\s*\{\\rtf")),
    ("PdfContent", re.compile(r"\s*%PDF-")),
    ("HtmlContent", re.compile(r"\s*(?:<\?xml[^>]*>\s*)?<(?:html\b|!doctype\s+html\b)", re.I)),
    ("CdaContent", re.compile(r"\s*(?:<\?xml\b.{0,4000}?)?<(?:\w+:)?ClinicalDocument\b", re.S)),
    ("XmlContent", re.compile(r"\s*<\?xml\b")),
)


def content_kind(text: str) -> str | None:
    """Name the format if `text` is a document of another format (rtf, pdf, html, C-CDA, other xml), else None."""
    start = text[:10_000].lstrip("\ufeff")
    return next((kind for kind, pattern in _CONTENT if pattern.match(start)), None)


# --- bytes to text ----------------------------------------------------------------------------------------------------

_HEAD_BYTES = 4096
_BOMS = {  # UTF-32 first: its little-endian mark starts with that of UTF-16
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def decode(data: bytes, encoding: str | None = None) -> tuple[str, str]:
    """Decode without ever failing; returns the text and the encoding used.

    A UTF-16 or UTF-32 byte order mark decides; then UTF-8, then `encoding`, then cp1252, then latin-1. An `encoding`
    in which ASCII letters are other bytes (UTF-16 without a mark, EBCDIC) is tried before UTF-8. Nothing is guessed
    from letter statistics: the same bytes give the same text everywhere. A byte order mark is not part of the text.
    """
    wide = _wide_encoding(data[:_HEAD_BYTES], encoding)
    if wide:
        return data.decode(wide, "replace"), wide
    return _decode_ascii_based(data.removeprefix(codecs.BOM_UTF8), encoding)


def _decode_ascii_based(data: bytes, encoding: str | None) -> tuple[str, str]:
    for candidate in ("utf-8", encoding, "cp1252"):
        try:
            if candidate:
                return data.decode(candidate), candidate
        except UnicodeError:
            continue
    return data.decode("latin-1"), "latin-1"


def _wide_encoding(head: bytes, declared: str | None) -> str | None:
    """The encoding, if it is one whose lines cannot be told apart before decoding."""
    for mark, name in _BOMS.items():
        if head.startswith(mark):
            return name
    if declared is None or _is_ascii_based(declared):
        return None
    name = codecs.lookup(declared).name
    return f"{name}-le" if name in ("utf-16", "utf-32") else name


def _is_ascii_based(encoding: str) -> bool:
    ascii_bytes = bytes(range(32, 127))
    try:
        return ascii_bytes.decode(encoding) == ascii_bytes.decode("ascii")
    except UnicodeError:
        return False
    except LookupError:
        raise NotesError(f"unknown text encoding {encoding!r}") from None


class _Lines:
    """The lines of a byte stream with their line ends, each decoded by itself: one bad byte costs one line.

    A line ends at \\n, \\r\\n or a lone \\r. `take_encoding` names the encoding used since it was last asked.
    """

    def __init__(self, stream: io.BufferedReader, declared: str | None) -> None:
        self._stream = stream
        self._declared = declared
        self._wide = _wide_encoding(stream.peek(_HEAD_BYTES)[:_HEAD_BYTES], declared)
        self._used = self._usual = self._wide or "utf-8"

    def __iter__(self) -> Iterator[str]:
        if self._wide:
            with io.TextIOWrapper(self._stream, encoding=self._wide, errors="replace", newline="") as decoded:
                yield from decoded
            return
        if self._stream.peek(3).startswith(codecs.BOM_UTF8):
            self._stream.read(3)
        for raw in self._stream:
            for part in raw.splitlines(keepends=True):
                text, encoding = _decode_ascii_based(part, self._declared)
                if encoding != self._usual:
                    self._used = encoding
                yield text

    def take_encoding(self) -> str:
        used, self._used = self._used, self._usual
        return used


# --- files ------------------------------------------------------------------------------------------------------------

_KINDS = {
    ".txt": "text", ".text": "text", ".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl",
    ".parquet": "parquet", ".tar": "tar", ".tgz": "tar",
}  # fmt: skip
_READABLE = f"{', '.join(_KINDS)} (and .gz of all but parquet)"
STDIN = "-"  # as a source: JSON lines from standard input


def find_files(sources: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> list[NoteFile]:
    """The files that `read_notes` reads for `sources`, in its order, each once. Raises `NotesError`.

    A folder (any depth) or a glob pattern stands for its text files; if it has none, for its tables, which must then
    be of one kind. Other files in it, hidden files and linked folders are passed over. File ids are relative to the
    folder, or to the part of the pattern before the first wildcard; a file named by itself has its stem as id.
    """
    if isinstance(sources, (str, os.PathLike)):
        sources = [sources]
    files: dict[str, NoteFile] = {}
    for source in sources:
        for file in _files_of(Path(source)):
            files.setdefault(os.path.abspath(file.name), file)
    if not files:
        raise NotesError("no notes: no file, folder or pattern was given")
    return list(files.values())


def _files_of(source: Path) -> list[NoteFile]:
    name = str(source)
    if name == STDIN:
        return [NoteFile(name, "stdin", "jsonl")]
    if source.is_dir():
        return _select(source, source, _walk(source))
    if source.exists():
        file = _note_file(name, source.parent)
        if file is None:
            raise NotesError(f"{source}: unsupported suffix; readable are {_READABLE}")
        return [file]
    if not re.search(r"[*?\[]", name):
        raise NotesError(f"{source}: no such file or folder")
    base = Path(*takewhile(lambda part: not re.search(r"[*?\[]", part), source.parts))
    found = (str(Path(each)) for each in glob.iglob(name, recursive=True))
    return _select(source, base, (each for each in found if not os.path.isdir(each)))


def _walk(folder: Path) -> Iterator[str]:
    def refuse(error: OSError) -> None:
        raise NotesError(f"{error.filename}: folder cannot be listed ({type(error).__name__})") from error

    for root, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (os.path.join(root, name) for name in names if not name.startswith("."))


def _select(source: Path, base: Path, names: Iterable[str]) -> list[NoteFile]:
    files = [file for name in sorted(names, key=lambda name: _below(name, base)) if (file := _note_file(name, base))]
    kinds = sorted({file.kind for file in files})
    if not files:
        raise NotesError(f"{source}: no notes found; readable are {_READABLE}")
    if "text" in kinds:
        return [file for file in files if file.kind == "text"]
    if len(kinds) > 1:
        raise NotesError(f"{source}: holds tables of several kinds ({', '.join(kinds)}); name the files to read")
    return files


def _below(name: str, base: Path) -> str:
    """The path relative to a folder that it begins with, with forward slashes."""
    prefix = str(base)
    if prefix != ".":
        name = name.removeprefix(prefix)
    return name.replace(os.sep, "/").removeprefix("./").lstrip("/")


def _note_file(name: str, base: Path) -> NoteFile | None:
    folder, last = os.path.split(_below(name, base))
    plain = last[:-3] if last.lower().endswith(".gz") else last
    stem, suffix = os.path.splitext(plain)
    kind = _KINDS.get(suffix.lower())
    if kind is None or (kind == "parquet" and plain != last):
        return None
    return NoteFile(name, sanitize(f"{folder}/{stem}" if folder else stem), kind)


def _open(path: Path) -> io.BufferedReader:
    if str(path) == STDIN:
        return cast(io.BufferedReader, sys.stdin.buffer)
    if path.name.lower().endswith(".gz"):
        return io.BufferedReader(gzip.open(path))
    return open(path, "rb")


# --- tables -----------------------------------------------------------------------------------------------------------

_SAMPLE_ROWS = 100
_ROLES = {  # field of Note -> names it is recognised by, in order, in lower case
    "text": ("text", "note_text", "note", "report", "report_text", "content", "body", "narrative"),
    "note_id": ("note_id", "id", "doc_id", "document_id", "report_id", "row_id"),
    "person_id": ("person_id", "patient_id", "subject_id"),
    "encounter_id": ("encounter_id", "visit_occurrence_id", "visit_id", "hadm_id"),
    "note_date": ("note_date", "note_datetime", "date", "chartdate", "charttime"),
    "note_type": ("note_type", "category"),
}
# csv refuses NUL on Python 3.10. A lone surrogate stands in for it meanwhile: decoded text never holds one.
_NUL_STAND_IN = "\udc00"


@dataclass(frozen=True, slots=True)
class _Header:
    columns: list[str]


@dataclass(frozen=True, slots=True)
class _Row:
    number: int
    place: str
    values: Mapping[str, object]
    encoding: str | None


_Item = _Header | _Row | ReadFailure


@dataclass(frozen=True, slots=True)
class _Options:
    named: dict[str, str | None]  # field of Note -> the column that the caller named for it
    keep: tuple[str, ...] = ()
    encoding: str | None = None


def _table(file: NoteFile, encoding: str | None, columns: list[str] | None = None) -> Generator[_Item, None, None]:
    """The header (jsonl has none), then the rows. A damaged file ends in a `ReadFailure` after what could be read."""
    place = "the start"
    try:
        for item in _parquet(file, columns) if file.kind == "parquet" else _lines_table(file, encoding):
            place = item.place if isinstance(item, _Row) else place
            yield item
    except NotesError:
        raise
    except Exception as error:  # whatever a damaged file provokes, it costs its own notes only
        yield ReadFailure(file.file_id, "read", f"{_name(error)} after {place}")


def _name(error: BaseException) -> str:
    return "CsvError" if isinstance(error, csv.Error) else type(error).__name__


def _lines_table(file: NoteFile, encoding: str | None) -> Iterator[_Item]:
    with _open(file.path) as stream:
        lines = _Lines(stream, encoding)
        yield from _jsonl(file, lines) if file.kind == "jsonl" else _csv(file, lines)


def _csv(file: NoteFile, lines: _Lines) -> Iterator[_Item]:
    # The limit is the csv module's only, process-wide setting; notes are longer than its 128 KiB.
    csv.field_size_limit(max(csv.field_size_limit(), 2**31 - 1))
    texts = (line.replace("\0", _NUL_STAND_IN) for line in lines)
    first = next(texts, "")
    delimiter = "\t" if file.kind == "tsv" else max(",;\t|", key=re.sub(r'"[^"]*"', "", first).count)
    # strict: an unclosed or stray quote is a failure, where the lenient mode would silently alter or join notes.
    reader = csv.reader(chain([first], texts), delimiter=delimiter, strict=True)
    header: list[str] = []
    number = 0
    while True:
        line = reader.line_num + 1
        error = ""
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error:
            if not header:
                raise
            fields, error = [], f"CsvError at lines {line} to {reader.line_num}"
        encoding = lines.take_encoding()
        fields = [value.replace(_NUL_STAND_IN, "\0") for value in fields]
        if not header:
            header = [name.strip() for name in fields]
            if header:
                yield _Header(header)
            continue
        if not fields and not error:  # a blank line
            continue
        number += 1
        if not error and len(fields) != len(header):
            error = f"RowLength: {len(fields)} fields, {len(header)} expected, at line {line}"
        if error:
            yield ReadFailure(f"{file.file_id}:{number}", "read", error)
        else:
            yield _Row(number, f"line {line}", dict(zip(header, fields, strict=True)), encoding)


def _jsonl(file: NoteFile, lines: _Lines) -> Iterator[_Item]:
    number = 0
    for line, text in enumerate(lines, start=1):
        encoding = lines.take_encoding()
        if not text.strip():
            continue
        number += 1
        try:
            values = json.loads(text, strict=False)  # control characters within strings are common and harmless
            error = "" if isinstance(values, dict) else "NotAnObject"
        except (ValueError, RecursionError) as fault:
            error = _name(fault)
        if error:
            yield ReadFailure(f"{file.file_id}:{number}", "read", f"{error} at line {line}")
        else:
            yield _Row(number, f"line {line}", values, encoding)


def _parquet(file: NoteFile, columns: list[str] | None) -> Iterator[_Item]:
    try:
        from pyarrow import parquet
    except ImportError:
        raise NotesError(f"{file.path}: reading parquet needs the package pyarrow") from None
    partition = dict(part.split("=", 1) for part in file.file_id.split("/")[:-1] if "=" in part)
    with parquet.ParquetFile(file.path) as table:
        names = list(table.schema_arrow.names)
        yield _Header([*names, *(name for name in partition if name not in names)])
        wanted = None if columns is None else [name for name in columns if name in names]
        batches = table.iter_batches(batch_size=_SAMPLE_ROWS, columns=wanted)
        rows = chain.from_iterable(batch.to_pylist() for batch in batches)
        for number, row in enumerate(rows, start=1):
            yield _Row(number, f"row {number}", {**partition, **row}, None)


def _sample_layout(file: NoteFile, options: _Options) -> dict[str, str | None] | None:
    """Choose the columns from the first rows; None when there are none to tell from (an empty or damaged file)."""
    with closing(_table(file, options.encoding)) as items:
        head = list(islice(items, _SAMPLE_ROWS + 1))
    rows = [item.values for item in head if isinstance(item, _Row)]
    header = next((item.columns for item in head if isinstance(item, _Header)), None)
    columns = header or list(dict.fromkeys(chain.from_iterable(rows)))
    layout = _choose_columns(str(file.path), columns, rows, options) if columns else None
    return layout if rows else None


def _choose_columns(
    where: str, columns: Sequence[str], rows: Sequence[Mapping[str, object]], options: _Options
) -> dict[str, str | None]:
    """Which column is which field of Note: the one named, else one known by its name, else (text) the longest."""
    asked = [name for name in (*options.named.values(), *options.keep) if name is not None]
    for name in asked:
        if name not in columns:
            raise NotesError(f"{where}: no column {name!r}; columns are {_listed(columns)}")
    normal = {re.sub(r"[\s-]+", "_", str(name).strip().casefold()): name for name in reversed(columns)}
    layout = dict(options.named)
    for role, known in _ROLES.items():
        free = (normal[name] for name in known if name in normal and normal[name] not in options.named.values())
        if role == "text":
            free = (name for name in free if _is_textual(name, rows))
        layout[role] = layout.get(role) or next(free, None)
    if layout["text"] is None and rows:
        lengths = {name: _mean_length(name, rows) for name in columns if name not in layout.values()}
        longest = max(lengths, key=lengths.__getitem__, default=None)
        if longest is None or not lengths[longest]:
            raise NotesError(f"{where}: no column of text found; columns are {_listed(columns)}")
        layout["text"] = longest
    for used in {*layout.values(), *asked}:
        if [*columns].count(used) > 1:  # type: ignore[arg-type]
            raise NotesError(f"{where}: column {used!r} occurs more than once")
    return layout


def _listed(columns: Sequence[str]) -> str:
    """Names for a message; one that does not look like a name may be note text, from a table without a header."""
    looks_right = re.compile(r"(?=.{1,40}$)\S+( \S+){0,2}")
    numbered = enumerate(map(str, columns), start=1)
    return ", ".join(name if looks_right.fullmatch(name) else f"(column {number})" for number, name in numbered)


def _is_textual(column: str, rows: Sequence[Mapping[str, object]]) -> bool:
    values = [value for row in rows if not _is_null(value := row.get(column))]
    return not values or any(isinstance(value, (str, bytes)) for value in values)


def _mean_length(column: str, rows: Sequence[Mapping[str, object]]) -> float:
    lengths = [len(value) for row in rows if isinstance(value := row.get(column), str)]
    return sum(lengths) / len(lengths) if lengths else 0.0


# --- values -----------------------------------------------------------------------------------------------------------


def _is_null(value: object) -> bool:
    """None, NaN, and pandas' NA and NaT, which compare to nothing."""
    if isinstance(value, (str, bytes)):
        return False
    missing = value is None or type(value).__name__ in ("NAType", "NaTType")
    return missing or (isinstance(value, numbers.Real) and bool(value != value))


def _as_id(value: object) -> str | None:
    """An id as a string: "007" stays, 12 and 12.0 are "12"; null and blank are None."""
    if _is_null(value):
        return None
    if isinstance(value, bytes):
        value = decode(value)[0]
    elif isinstance(value, numbers.Real) and not isinstance(value, numbers.Integral) and float(value).is_integer():
        value = int(float(value))
    text = sanitize(str(value))
    return text if text.strip() else None


_DATE_FORMATS = ("%Y-%m-%d", "%Y/%m/%d", "%m/%d/%Y", "%d.%m.%Y", "%d-%b-%Y", "%d %b %Y", "%d %B %Y", "%B %d, %Y")


def _as_date(value: object) -> datetime.date | None:
    """ISO dates and timestamps, 20240131, 1/31/2024 (month first), 31.1.2024, 31-Jan-2024; anything else is None."""
    if _is_null(value):
        return None
    if isinstance(value, datetime.datetime):
        return value.date()
    if isinstance(value, datetime.date):
        return value
    day = re.sub(r"(?<=\d)[T ]\s*\d\d?:.*", "", str(value).strip(), flags=re.S)
    for form in ("%Y%m%d",) if re.fullmatch(r"\d{8}", day) else _DATE_FORMATS:
        try:
            return datetime.datetime.strptime(day, form).date()
        except ValueError:
            continue
    return None


def _build_note(
    values: Mapping[str, object],
    layout: Mapping[str, str | None],
    keep: Iterable[str],
    row_id: str,
    encoding: str | None = None,
) -> Note:
    """Raises `TypeError` (naming the type only) when the text is neither a string, bytes nor null."""

    def value(role: str) -> object:
        column = layout.get(role)
        return None if column is None else values.get(column)

    text = value("text")
    if isinstance(text, bytes):
        text, encoding = decode(text, encoding)
    elif _is_null(text):
        text = ""
    elif not isinstance(text, str):
        raise TypeError(f"text of type {type(text).__name__}")
    return Note(
        note_id=_as_id(value("note_id")) or row_id,
        text=text,
        person_id=_as_id(value("person_id")),
        encounter_id=_as_id(value("encounter_id")),
        note_date=_as_date(value("note_date")),
        note_type=_as_id(value("note_type")),
        extra={str(name): sanitize(kept) if isinstance(kept := values.get(name), str) else kept for name in keep},
        encoding=encoding,
    )


_Identified = TypeVar("_Identified", Note, ReadFailure, Note | ReadFailure)


class _UniqueIds:
    """Gives every id out once: the second "a" becomes "a#2". Holds all ids of the run in memory."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._last: dict[str, int] = {}

    def apply(self, item: _Identified) -> _Identified:
        first = item.note_id
        note_id = first
        while note_id in self._seen:
            self._last[first] = self._last.get(first, 1) + 1
            note_id = f"{first}#{self._last[first]}"
        self._seen.add(note_id)
        if note_id == first:
            return item
        if isinstance(item, Note):
            return replace(item, note_id=note_id, extra={**item.extra, "duplicate_of": first})
        return replace(item, note_id=note_id)


# --- the two ways in --------------------------------------------------------------------------------------------------


def read_notes(
    sources: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | Sequence[NoteFile],
    *,
    text_column: str | None = None,
    id_column: str | None = None,
    keep: Sequence[str] = (),
    date_column: str | None = None,
    person_column: str | None = None,
    encounter_column: str | None = None,
    type_column: str | None = None,
    encoding: str | None = None,
) -> Iterator[Note | ReadFailure]:
    """Stream the notes of files, folders and glob patterns; `find_files` says which files those are, and what it
    gave is taken as well.

    - A text file is one note, also one in a .tar (.tar.gz, .tgz); its id is the file id. In tables, columns that are
      not named are recognised by name; the text column, failing that, is the column of strings that is longest on
      average in the first 100 rows.
      Ids, dates and the other fields stay empty if there is no such column; a row without an id is
      "{file id}:{row number}", from 1. Columns in `keep` go into `Note.extra`.
    - Of parquet files below folders such as "year=2020", these are columns too. "-" is standard input, JSON lines.
    - All csv values are strings ("NA" is text). A null or absent text is the empty note. Dates are parsed where
      possible, else None. Text is decoded as `decode` says, in csv and jsonl line by line.
    - A later note with the same id is delivered as "{id}#2", with the id it had in `extra["duplicate_of"]`.
    - A note that is rtf, pdf, html or xml, a malformed row, and a damaged file each give a `ReadFailure`.

    Raises `NotesError` at once for sources that are missing or hold no notes, for an unknown encoding, and for columns
    that are named but missing (in jsonl: from all of the first 100 rows), duplicated or, for the text, not found.
    """
    if encoding is not None:
        _is_ascii_based(encoding)  # raises for an unknown one
    named = {"text": text_column, "note_id": id_column, "person_id": person_column,
             "encounter_id": encounter_column, "note_date": date_column, "note_type": type_column}  # fmt: skip
    options = _Options(named, tuple(dict.fromkeys(keep)), encoding)
    if isinstance(sources, Sequence) and sources and all(isinstance(source, NoteFile) for source in sources):
        files = cast(Sequence[NoteFile], sources)
    else:
        files = find_files(cast("str | os.PathLike[str] | Sequence[str | os.PathLike[str]]", sources))
    tables = [file for file in files if file.kind not in ("text", "tar")]
    layouts = {file: None if file.file_id == "stdin" else _sample_layout(file, options) for file in tables}

    def notes() -> Iterator[Note | ReadFailure]:
        ids = _UniqueIds()
        for file in files:
            if file.kind == "text":
                items: Iterable[Note | ReadFailure] = [_read_text(file, encoding)]
            elif file.kind == "tar":
                items = _read_tar(file, encoding)
            else:
                items = _read_table(file, layouts[file], options)
            for item in items:
                yield ids.apply(item)

    return notes()


def read_query(
    url: str,
    query: str,
    *,
    text_column: str | None = None,
    id_column: str | None = None,
    keep: Sequence[str] = (),
    date_column: str | None = None,
    person_column: str | None = None,
    encounter_column: str | None = None,
    type_column: str | None = None,
) -> Iterator[Note | ReadFailure]:
    """Stream the notes of a query, a row each, through SQLAlchemy (`pip install 'clinspan[sql]'`).

    The rows come as the database delivers them (a cursor of the server's, where it has them), never all at once. Their
    columns are recognised as those of files are. An `ORDER BY` lets an interrupted run be gone on with.

    Raises `NotesError` where SQLAlchemy is not installed, where the database or the query is refused (by the class of
    the error: its message may hold a password), and for columns as `read_notes` does.
    """
    try:
        import sqlalchemy
    except ImportError:
        raise NotesError("a query needs the package sqlalchemy: pip install 'clinspan[sql]'") from None
    named = {"text": text_column, "note_id": id_column, "person_id": person_column,
             "encounter_id": encounter_column, "note_date": date_column, "note_type": type_column}  # fmt: skip
    options = _Options(named, tuple(dict.fromkeys(keep)))
    try:
        engine = sqlalchemy.create_engine(url)
        connection = engine.connect().execution_options(stream_results=True, yield_per=_SAMPLE_ROWS)
        result = connection.execute(sqlalchemy.text(query))
        columns = list(result.keys())
        rows = (dict(row._mapping) for row in result)
        first = list(islice(rows, _SAMPLE_ROWS))
    except Exception as error:
        raise NotesError(f"the query failed ({_name(error)})") from None
    layout = _choose_columns("the query", columns, first, options)

    def notes() -> Iterator[Note | ReadFailure]:
        ids = _UniqueIds()
        number = 0
        try:
            for number, row in enumerate(chain(first, rows), start=1):
                try:
                    note = _build_note(row, layout, options.keep, f"query:{number}")
                except TypeError as error:
                    yield ids.apply(ReadFailure(f"query:{number}", "read", f"TypeError: {error}, at row {number}"))
                else:
                    yield ids.apply(_unless_markup(note, f", at row {number}"))
        except Exception as error:  # the rows so far are not lost, and the run says that more were to come
            yield ReadFailure("query", "read", f"{_name(error)} after row {number}")
        finally:
            connection.close()
            engine.dispose()

    return notes()


def _read_text(file: NoteFile, encoding: str | None) -> Note | ReadFailure:
    try:
        with _open(file.path) as stream:
            text, used = decode(stream.read(), encoding)
    except Exception as error:  # whatever a damaged file provokes, it costs its own note only
        return ReadFailure(file.file_id, "read", _name(error))
    return _unless_markup(Note(file.file_id, text, encoding=used))


def _read_tar(file: NoteFile, encoding: str | None) -> Iterator[Note | ReadFailure]:
    """The text files of an archive, in its order, read as it streams by; other members are passed over."""
    place = "the start"
    try:
        with _open(file.path) as stream, tarfile.open(fileobj=stream, mode="r|*") as archive:
            for member in archive:
                inner = _note_file(member.name, Path())
                if inner is None or inner.kind != "text" or not member.isfile():
                    continue
                place = inner.file_id
                content = archive.extractfile(member)
                assert content is not None  # it is a file
                data = content.read()
                try:
                    if member.name.lower().endswith(".gz"):
                        data = gzip.decompress(data)
                except Exception as error:
                    yield ReadFailure(inner.file_id, "read", _name(error))
                    continue
                text, used = decode(data, encoding)
                yield _unless_markup(Note(inner.file_id, text, encoding=used))
    except Exception as error:  # whatever a damaged archive provokes, it costs its own notes only
        yield ReadFailure(file.file_id, "read", f"{_name(error)} after {place}")


def _unless_markup(note: Note, place: str = "") -> Note | ReadFailure:
    kind = content_kind(note.text)
    if kind is None:
        return note
    return ReadFailure(note.note_id, "read", f"{kind}: recognised, not plain text{place}")


def _read_table(
    file: NoteFile, layout: dict[str, str | None] | None, options: _Options
) -> Iterator[Note | ReadFailure]:
    columns = list(dict.fromkeys([*filter(None, layout.values()), *options.keep])) if layout else None
    for item in _table(file, options.encoding, columns):
        if isinstance(item, ReadFailure):
            yield item
        if not isinstance(item, _Row):
            continue
        if layout is None:  # none of the first rows could be read
            layout = _choose_columns(str(file.path), list(item.values), [item.values], options)
        row_id = f"{file.file_id}:{item.number}"
        try:
            note = _build_note(item.values, layout, options.keep, row_id, item.encoding)
        except TypeError as error:
            yield ReadFailure(row_id, "read", f"TypeError: {error}, at {item.place}")
        else:
            yield _unless_markup(note, f", at {item.place}")


def to_notes(obj: object) -> Iterator[Note]:
    """Notes from what a library user has: a string, a `Note`, an iterable of either, or a pandas DataFrame.

    Strings get the ids "0", "1", ... by position; None and NaN among them are empty notes; a `Note` passes as it is,
    the second of an id as "{id}#2".
    In a DataFrame, columns are recognised as in `read_notes` and all others go into `extra`; without an id column, ids
    are the index labels; a repeated id becomes "{id}#2". Rtf, html and the like are not looked for: see `content_kind`.

    Raises `TypeError` for anything else, naming the position and the type; `NotesError` for a DataFrame without text.
    """
    if isinstance(obj, (str, Note)):
        obj = [obj]
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(obj, pandas.DataFrame):
        yield from _frame_notes(obj)
        return
    if isinstance(obj, (bytes, Mapping, os.PathLike)) or not isinstance(obj, Iterable):
        hint = "; read_notes reads files" if isinstance(obj, os.PathLike) else ""
        raise TypeError(f"notes cannot be made of {type(obj).__name__}{hint}")
    ids = _UniqueIds()
    for position, item in enumerate(obj):
        if isinstance(item, Note):
            yield ids.apply(item)
        elif isinstance(item, str) or _is_null(item):
            yield Note(str(position), item if isinstance(item, str) else "")
        else:
            raise TypeError(f"item {position} is {type(item).__name__}, not a string or Note")


def _frame_notes(frame: Any) -> Iterator[Note]:
    columns = list(frame.columns)

    def rows(part: Any) -> Iterator[dict[str, object]]:
        series = [part.iloc[:, position] for position in range(len(columns))]
        return (dict(zip(columns, values, strict=True)) for values in zip(*series, strict=True))

    if frame.empty:
        return
    layout = _choose_columns("DataFrame", columns, list(rows(frame.head(_SAMPLE_ROWS))), _Options({}))
    extra = [name for name in columns if name not in layout.values()]
    ids = _UniqueIds()
    for label, values in zip(frame.index, rows(frame), strict=True):
        row_id = _as_id(label) or str(label)
        try:
            yield ids.apply(_build_note(values, layout, extra, row_id))
        except TypeError as error:
            raise TypeError(f"note {row_id}: {error}") from None


def column_names(names: Sequence[str]) -> str:
    """What columns a table has, for messages; what does not look like names may be a note's text."""
    if names and all(re.fullmatch(r"\w[\w .-]{0,30}", name) for name in names):
        return f"the columns are {', '.join(names)}"
    return f"its first line does not look like names of columns ({len(names)} fields)"
