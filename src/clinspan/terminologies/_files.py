"""What readers of terminologies share of reading files: compression, lines, tables, XML, and errors with a line."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, TextIO, cast

from clinspan.terminologies.model import TermsFileError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

#: Suffixes of the compressions that are undone.
COMPRESSED = (".gz", ".xz", ".bz2")

#: A line longer than this is no line of a terminology.
_LONGEST = 1 << 24
_CHUNK = 1 << 16
_BOM = b"\xef\xbb\xbf"
_HIDDEN_PROLOG = re.compile(rb"<!ENTITY|\x00")


def fail(path: Path, line: int, what: str) -> TermsFileError:
    """The error that says what is wrong on a line of a file; 0 for the file as a whole."""
    return TermsFileError(f"{path}:{line}: {what}" if line else f"{path}: {what}")


def plain_name(path: Path) -> str:
    """The file's name without the suffix of its compression, in lower case."""
    name = path.name.lower()
    return next((name.removesuffix(suffix) for suffix in COMPRESSED if name.endswith(suffix)), name)


def open_binary(path: Path) -> IO[bytes]:
    """The file, uncompressed by its suffix: ``.gz``, ``.xz``, ``.bz2`` or none."""
    match path.suffix.lower():
        case ".gz":
            return io.BufferedReader(cast(io.RawIOBase, gzip.open(path)), _CHUNK)
        case ".xz":
            return io.BufferedReader(cast(io.RawIOBase, lzma.open(path)), _CHUNK)
        case ".bz2":
            return io.BufferedReader(cast(io.RawIOBase, bz2.open(path)), _CHUNK)
    return path.open("rb")


def open_text(path: Path) -> TextIO:
    """The file as text, uncompressed by its suffix, with its line breaks as they are and without a byte order mark."""
    return io.TextIOWrapper(open_binary(path), encoding="utf-8-sig", newline="")


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turns what opening and uncompressing a file raise into a :class:`TermsFileError`."""
    try:
        yield
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise fail(path, 0, f"cannot be read ({type(error).__name__})") from None


def lines(path: Path, *, ends: bool = False) -> Iterator[tuple[int, str]]:
    """The lines of a UTF-8 file with their numbers, from 1. Only ``\\n`` ends one; a ``\\r`` before it goes with it.

    Args:
        path: the file, compressed or not.
        ends: keep the line breaks.

    Raises:
        TermsFileError: for a file that cannot be read, a line that is not UTF-8 or has no end.
    """
    with readable(path), open_binary(path) as file:
        number = 0
        while raw := file.readline(_LONGEST):
            number += 1
            if number == 1:
                raw = raw.removeprefix(_BOM)
            if len(raw) == _LONGEST:
                raise fail(path, number, "a line without an end")
            try:
                line = raw.decode()
            except UnicodeDecodeError:
                raise fail(path, number, "not UTF-8") from None
            yield number, line if ends else line.removesuffix("\n").removesuffix("\r")


def head(path: Path) -> str:
    """The first characters of a file, whatever their encoding; for telling formats apart.

    Raises:
        TermsFileError: for a file that cannot be read.
    """
    with readable(path), open_binary(path) as file:
        return file.read(_CHUNK).removeprefix(_BOM).decode(errors="replace")


def csv_rows(path: Path, delimiter: str = ",") -> Iterator[tuple[int, list[str]]]:
    """The rows of a table whose fields may be quoted, with the lines they begin on; blank lines are passed over.

    Raises:
        TermsFileError: for what :func:`lines` refuses, and a row that is not CSV.
    """
    table = csv.reader((line for _, line in lines(path, ends=True)), delimiter=delimiter, strict=True)
    number = 1
    try:
        for fields in table:
            if fields:
                yield number, fields
            number = table.line_num + 1
    except csv.Error:
        raise fail(path, number, "not CSV") from None


def tab_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The rows of a tab-separated table, in which quotes are like other characters, with their lines; blank lines are
    passed over.

    Raises:
        TermsFileError: for what :func:`lines` refuses.
    """
    for number, line in lines(path):
        if line:
            yield number, line.split("\t")


def headed(path: Path, rows: Iterator[tuple[int, list[str]]]) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """The names in a table's first row, and its other rows, each as long as the first.

    Raises:
        TermsFileError: for an empty table; on the way, for a row that is shorter or longer.
    """
    _, names = next(rows, (0, []))
    if not names:
        raise fail(path, 1, "no row with the names of the columns")
    return [name.strip() for name in names], _even(path, rows, len(names))


def _even(path: Path, rows: Iterator[tuple[int, list[str]]], width: int) -> Iterator[tuple[int, list[str]]]:
    for number, fields in rows:
        if len(fields) != width:
            raise fail(path, number, f"{len(fields)} fields, not {width}")
        yield number, fields


def rrf_rows(path: Path, width: int) -> Iterator[tuple[int, list[str]]]:
    """The rows of a file in NLM's Rich Release Format: fields that each end in a bar.

    Raises:
        TermsFileError: for what :func:`lines` refuses, and a row without this number of fields.
    """
    for number, line in lines(path):
        if not line:
            continue
        fields = line.split("|")
        if len(fields) == width + 1 and not fields[-1]:
            fields.pop()
        if len(fields) != width:
            raise fail(path, number, f"{len(fields)} fields, not {width}")
        yield number, fields


def one_of(folder: Path, *names: str) -> Path | None:
    """The first file of one of these names in a folder or below it, compressed or not; names may be patterns."""
    for name in names:
        for suffix in ("", *COMPRESSED):
            if files := sorted(file for file in folder.rglob(name + suffix) if file.is_file()):
                return files[0]
    return None


def xml_elements(path: Path, *tags: str) -> Iterator[tuple[int, Element]]:
    """The elements with one of these tags, with the line that each ends on; each is emptied when the next is asked for.

    Entities cannot be declared, so none can swell: a document type that declares one is refused.

    Raises:
        TermsFileError: for a file that cannot be read, is not XML, declares an entity, or ends too early.
    """
    from xml.etree.ElementTree import ParseError, XMLPullParser

    parser: XMLPullParser = XMLPullParser(["start", "end"])
    root: Element | None = None
    prolog = b""
    number = 1
    try:
        with readable(path), open_binary(path) as file:
            while raw := file.readline(_CHUNK):
                if root is None:
                    prolog = prolog[-_CHUNK:] + raw
                    if _HIDDEN_PROLOG.search(prolog):
                        raise fail(path, number, "declares an entity, or is not UTF-8")
                try:
                    parser.feed(raw)
                except (LookupError, ValueError):
                    raise fail(path, number, "in an unknown encoding") from None
                for event, element in cast("Iterator[tuple[str, Element]]", parser.read_events()):
                    if root is None:
                        root = element
                    if event == "end" and element.tag in tags:
                        yield number, element
                        element.clear()
                        root.clear()
                number += raw.endswith(b"\n")
            parser.close()
            for event, element in cast("Iterator[tuple[str, Element]]", parser.read_events()):
                if event == "end" and element.tag in tags:
                    yield number, element
    except ParseError as error:
        raise fail(path, error.position[0], "not XML, or cut short") from None
