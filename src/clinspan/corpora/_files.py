"""What formats share of reading and writing files: JSON, JSON lines and CSV, and checks of the values in them."""

from __future__ import annotations

import csv
import gzip
import importlib
import io
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import IO, Any, NoReturn, TypeVar, cast

from clinspan.corpora.model import CorpusError, Document, read_text

_KINDS: dict[type, str] = {str: "a string", int: "a whole number", list: "a list", dict: "an object"}
_T = TypeVar("_T")


class Malformed(ValueError):
    """What is wrong with a value; the caller knows the file and the line."""


def library(module: str, path: Path) -> Any:
    """A module of an optional library.

    Raises:
        CorpusError: when it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        name = module.partition(".")[0]
        raise CorpusError(path, 0, f"needs the library {name}: pip install 'clinspan[formats]'") from None


def parse_json(text: str, file: Path, line: int = 1) -> Any:
    """A value of JSON, strictly: without NaN and Infinity, which Python takes, and without lone surrogates.

    Args:
        text: the JSON.
        file: the file it is from, for the error.
        line: the line of the file that it begins on; 0 for errors without a line.

    Raises:
        CorpusError: when it is not.
    """
    try:
        value = json.loads(text, parse_constant=_refuse)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise CorpusError(file, line, "a lone surrogate") from None
    except json.JSONDecodeError as error:
        raise CorpusError(file, line + error.lineno - 1 if line else 0, "not JSON") from None
    except (ValueError, RecursionError):  # NaN, a number of thousands of digits, brackets by the thousand
        raise CorpusError(file, line, "not JSON") from None
    return value


def json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a file of JSON lines, ``.gz`` or not, with the numbers of their lines; blank ones are passed over.

    Raises:
        CorpusError: for a file that cannot be read, and a line that is not a JSON object in UTF-8.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if number == 1:
                    line = line.removeprefix(b"\xef\xbb\xbf")
                if line.strip():
                    value = parse_json(line.removesuffix(b"\n").decode(), path, number)
                    if not isinstance(value, dict):
                        raise CorpusError(path, number, "not a JSON object")
                    yield number, value
    except UnicodeDecodeError:
        raise CorpusError(path, number, "not UTF-8") from None
    except (OSError, EOFError, zlib.error) as error:
        raise CorpusError(path, 0, f"cannot be read ({type(error).__name__})") from None


def documents_of_lines(path: str | Path, make: Callable[[dict[str, Any], str], Document | None]) -> Iterator[Document]:
    """The documents of a file of JSON lines, one a line.

    Args:
        path: the file.
        make: gives the document of an object, or ``None``; is given the object and, for one that has no id,
            ``<file stem>:<line>``.

    Raises:
        CorpusError: for what :func:`json_lines` refuses, and where ``make`` raises :class:`Malformed`.
    """
    path = Path(path)
    stem = Path(path.name.removesuffix(".gz")).stem
    for number, row in json_lines(path):
        try:
            document = make(row, f"{stem}:{number}")
        except Malformed as error:
            raise CorpusError(path, number, str(error)) from None
        if document is not None:
            yield document


def write_lines(rows: Iterable[Mapping[str, Any]], path: str | Path) -> None:
    """Write objects as JSON lines, compressed where the name ends in ``.gz``; the same objects give the same bytes."""
    path = Path(path)
    with path.open("wb") as file, _compressed(file) if path.suffix == ".gz" else nullcontext(file) as out:
        for row in rows:
            out.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")


def csv_rows(path: Path, *columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a CSV file by the names in its first, with the lines they begin on; blank lines are passed over.

    Args:
        path: the file.
        columns: of these sets of names, the file must have one.

    Raises:
        CorpusError: for a file that is not UTF-8 or not CSV, without the columns, with one twice, and for a row with
            another number of fields than the first.
    """
    csv.field_size_limit(max(csv.field_size_limit(), 2**31 - 1))  # a note may be longer than the default allows
    table = csv.reader(io.StringIO(read_text(path).removeprefix("\ufeff"), newline="\n"), strict=True)
    names: list[str] = []
    line = 1
    try:
        names = next(table, [])
        if len(set(names)) < len(names) or not any(set(wanted) <= set(names) for wanted in columns):
            raise CorpusError(path, 1, f"the columns are not {' or '.join(map(', '.join, columns))}")
        line = table.line_num + 1
        for fields in table:
            if fields and len(fields) != len(names):
                raise CorpusError(path, line, f"{len(fields)} fields, not {len(names)}")
            if fields:
                yield line, dict(zip(names, fields, strict=True))
            line = table.line_num + 1
    except csv.Error:
        raise CorpusError(path, line, "not CSV") from None


# Values of JSON. All of these raise Malformed.


def typed(value: object, kind: type[_T], what: str) -> _T:
    """The value, when it is of exactly this type."""
    if type(value) is not kind:  # True is an int by isinstance
        raise Malformed(f"{what} is missing" if value is None else f"{what} is not {_KINDS[kind]}")
    return value


def member(holder: object, name: str, kind: type[_T], default: _T | None = None) -> _T:
    """The value of a key, of exactly this type; ``default``, where there is one, when it is missing or null."""
    if not isinstance(holder, dict):
        raise Malformed(f"not an object with {name}")
    value = holder.get(name)
    return default if value is None and default is not None else typed(value, kind, name)


def first_of(holder: Mapping[str, Any], names: Sequence[str]) -> Any:
    """The value of the first of these keys that is there, or ``None``."""
    return next((holder[name] for name in names if name in holder), None)


def strings(value: object, what: str) -> list[str]:
    """The value, when it is a list of strings."""
    return [typed(item, str, f"a member of {what}") for item in typed(value, list, what)]


def as_string(value: object, what: str) -> str:
    """A string, or a number as one."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Malformed(f"{what} is neither a string nor a number")
    return str(value)


def first_id(*candidates: object) -> str:
    """The first of the candidates that can be an id, a string or a whole number; ``""`` when none can."""
    return next((str(c) for c in candidates if isinstance(c, str | int) and not isinstance(c, bool) and c != ""), "")


def attributes(value: object) -> dict[str, str | bool]:
    """Attributes of a mention, those that are set."""
    given = typed(value, dict, "attributes")
    if not all(isinstance(said, str | bool) for said in given.values()):
        raise Malformed("an attribute is neither a string nor a boolean")
    return {name: said for name, said in given.items() if said is not False}


def check_span(start: int, end: int, length: int) -> None:
    """Refuse an empty span, or one outside a text of this length."""
    if not 0 <= start < end <= length:
        raise Malformed(f"offsets {start} {end} are not in the text")


def fragments(value: object, start: int, end: int) -> tuple[tuple[int, int], ...]:
    """The fragments of the mention from ``start`` to ``end``, from a list of pairs in any order."""
    pairs = []
    for pair in typed(value, list, "fragments"):
        if not isinstance(pair, list) or [type(offset) for offset in pair] != [int, int] or pair[0] >= pair[1]:
            raise Malformed("a fragment is not a pair of offsets")
        pairs.append((pair[0], pair[1]))
    pairs.sort()
    if not pairs or (pairs[0][0], max(last for _, last in pairs)) != (start, end):
        raise Malformed(f"fragments that do not span from {start} to {end}")
    return tuple(pairs)


def _compressed(file: IO[bytes]) -> IO[bytes]:
    return cast(IO[bytes], gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0))


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)
