"""JSON lines with spans: clinspan's own format, which holds everything a :class:`Document` does; also for predictions.

One object a line, keys without a value left out::

    {"doc_id": "n1", "text": "…", "annotations": [{"id": "T1", "start": 3, "end": 8, "label": "CONDITION",
     "fragments": [[3, 5], [7, 8]], "attributes": {"negated": true}, "concepts": ["HP:0001945"]}],
     "relations": [["of", "T1", "T2"]], "mismatched": ["T1"]}

``fragments`` stands only where there are several; ``start`` and ``end`` are then their envelope.

What other tools write is read too. The id may be under ``note_id``, ``id``, ``doc_key`` or ``meta.id`` (else it is
``<file stem>:<line>``); the mentions under ``entities``, ``spans`` or ``labels``, one of these in a line; a mention may
be a list ``[start, end, label]``, or have ``start_char`` or ``start_offset`` (and so the end) and ``label_`` or
``type``. clinspan's axes (``negated``, …, ``experiencer``) directly on a mention are attributes, ``concept_id`` with
``vocabulary`` is a concept, and where a mention gives its ``text`` it is compared with the text at its offsets. Keys
not named here are passed over. A line without ``text`` has an empty one, which its offsets are not checked against:
so predictions need not repeat the notes.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import IO, Any, NoReturn, TypeVar, cast

from clinspan.corpora.model import Annotation, CorpusError, Document
from clinspan.schema import FLAGS

_ID_KEYS = ("doc_id", "note_id", "id", "doc_key")
_MENTION_KEYS = ("annotations", "entities", "spans", "labels")
_START_KEYS = ("start", "start_char", "start_offset")
_END_KEYS = ("end", "end_char", "end_offset")
_LABEL_KEYS = ("label", "label_", "type")
_AXES = (*FLAGS, "experiencer")

_T = TypeVar("_T")


def read(path: Path) -> Iterator[Document]:
    """The documents of a ``.jsonl`` or ``.jsonl.gz`` file, one a line; blank lines are passed over.

    Raises:
        CorpusError: for a file that cannot be read, a line that is not a JSON object in UTF-8, a value of the wrong
            type, an empty span or one outside the text, or an annotation id that comes twice in a document.
    """
    path = Path(path)
    stem = path.name.removesuffix(".gz").removesuffix(".jsonl")
    for number, line in _lines(path):
        try:
            yield _document(_typed(parse_json(line, path, number), dict, "the line"), f"{stem}:{number}")
        except _Malformed as error:
            raise CorpusError(path, number, str(error)) from None


def write(documents: Iterable[Document], path: str | Path) -> None:
    """Write documents, one a line, compressed where the name ends in ``.gz``; the same documents give the same bytes.

    Raises:
        ValueError: for a document with a :func:`problem`.
    """
    path = Path(path)
    with path.open("wb") as file:
        if path.suffix == ".gz":
            with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as compressed:
                _write(documents, cast(IO[bytes], compressed))
        else:
            _write(documents, file)


def problem(document: Document) -> str:
    """Why the document cannot be written: two annotations with one id, or text that is not Unicode. Else empty."""
    ids = [annotation.id for annotation in document.annotations if annotation.id]
    if len(set(ids)) < len(ids):
        return "two of its annotations have the same id"
    return "" if _is_unicode(_row(document)) else "it holds a lone surrogate"


def parse_json(content: bytes, file: Path, line: int = 1) -> Any:
    """JSON in UTF-8, strictly: without NaN and Infinity, which Python takes, and without lone surrogates.

    Args:
        content: the JSON.
        file: the file it is from, for the error.
        line: the line of the file it begins on.

    Raises:
        CorpusError: when it is not.
    """
    try:
        value = json.loads(content.decode(), parse_constant=_refuse)
    except UnicodeDecodeError as error:
        raise CorpusError(file, line + content.count(b"\n", 0, error.start), "not UTF-8") from None
    except json.JSONDecodeError as error:
        raise CorpusError(file, line + error.lineno - 1, "not JSON") from None
    except (ValueError, RecursionError):
        raise CorpusError(file, line, "not JSON") from None
    if b"\\u" in content and not _is_unicode(value):
        raise CorpusError(file, line, "a lone surrogate")
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


class _Malformed(ValueError):
    """What is wrong with a line, to be reported with its number."""


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if number == 1:
                    line = line.removeprefix(b"\xef\xbb\xbf")
                if line.strip():
                    yield number, line
    except (OSError, EOFError, zlib.error) as error:
        raise CorpusError(path, 0, f"cannot be read ({type(error).__name__})") from None


def _is_unicode(value: object) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _document(raw: Mapping[str, Any], default_id: str) -> Document:
    text = _typed(raw.get("text", ""), str, "text")
    keys = [key for key in _MENTION_KEYS if key in raw]
    if len(keys) > 1:
        raise _Malformed(f"both {keys[0]} and {keys[1]}")
    mentions = [
        _mention(item, len(text) if "text" in raw else None)
        for item in _typed(raw[keys[0]] if keys else [], list, "annotations")
    ]
    annotations = _numbered([annotation for annotation, _ in mentions])
    mismatched = set(_strings(raw.get("mismatched", []), "mismatched"))
    for annotation, (_, surface) in zip(annotations, mentions, strict=True):
        expected = " ".join(text[start:end] for start, end in annotation.fragments)
        if text and surface is not None and surface.split() != expected.split():
            mismatched.add(annotation.id)
    in_order = [annotation.id for annotation in annotations if annotation.id in mismatched]
    if len(in_order) < len(mismatched):
        raise _Malformed("mismatched names an annotation that is not there")
    relations = []
    for item in _typed(raw.get("relations", []), list, "relations"):
        relation = _strings(item, "a relation")
        if len(relation) != 3:
            raise _Malformed("a relation is not of the form [type, first, second]")
        relations.append((relation[0], relation[1], relation[2]))
    return Document(_document_id(raw, default_id), text, annotations, tuple(relations), tuple(in_order))


def _document_id(raw: Mapping[str, Any], default: str) -> str:
    for key in _ID_KEYS:
        if key in raw:
            return _identifier(raw[key], key)
    meta = raw.get("meta")
    return _identifier(meta["id"], "meta.id") if isinstance(meta, dict) and "id" in meta else default


def _mention(item: Any, length: int | None) -> tuple[Annotation, str | None]:
    """A mention, and its text as published where it is."""
    if isinstance(item, list):
        if len(item) != 3:
            raise _Malformed("a mention is not of the form [start, end, label]")
        item = dict(zip(("start", "end", "label"), item, strict=True))
    item = _typed(item, dict, "a mention")
    fragments = _fragments(item)
    for start, end in fragments:
        if not 0 <= start < end or (length is not None and end > length):
            raise _Malformed(f"offsets {start} {end} are not in the text")
    surface = item.get("text")
    return Annotation(
        start=fragments[0][0],
        end=max(end for _, end in fragments),
        label=_typed(_first(item, _LABEL_KEYS), str, "a label"),
        fragments=fragments,
        attributes=_attributes(item),
        concepts=_concepts(item),
        id="" if item.get("id") is None else _identifier(item["id"], "an annotation's id"),
    ), surface if isinstance(surface, str) else None


def _fragments(item: Mapping[str, Any]) -> tuple[tuple[int, int], ...]:
    envelope = _offset(_first(item, _START_KEYS)), _offset(_first(item, _END_KEYS))
    fragments = []
    for pair in _typed(item.get("fragments", [envelope]), list, "fragments"):
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise _Malformed("a fragment is not of the form [start, end]")
        fragments.append((_offset(pair[0]), _offset(pair[1])))
    fragments.sort()
    if not fragments or (fragments[0][0], max(end for _, end in fragments)) != envelope:
        raise _Malformed("fragments that do not span from start to end")
    return tuple(fragments)


def _attributes(item: Mapping[str, Any]) -> dict[str, str | bool]:
    own = {axis: item[axis] for axis in _AXES if item.get(axis) is not None}
    attributes = {**own, **_typed(item.get("attributes", {}), dict, "attributes")}
    if not all(isinstance(value, (str, bool)) for value in attributes.values()):
        raise _Malformed("an attribute is neither a string nor a boolean")
    return {name: value for name, value in attributes.items() if value is not False}


def _concepts(item: Mapping[str, Any]) -> tuple[str, ...]:
    concepts = _strings(item.get("concepts", []), "concepts")
    if item.get("concept_id") is not None:
        code = _identifier(item["concept_id"], "concept_id")
        vocabulary = item.get("vocabulary")
        prefix = "" if vocabulary is None else f"{_typed(vocabulary, str, 'vocabulary')}:"
        concepts.append(code if code.startswith(prefix) else prefix + code)
    return tuple(concepts)


def _numbered(annotations: Sequence[Annotation]) -> tuple[Annotation, ...]:
    """The annotations with an id each: T1, T2, … for those without, none of them an id that is there already."""
    given = [annotation.id for annotation in annotations if annotation.id]
    taken = set(given)
    if len(taken) < len(given):
        raise _Malformed("an annotation id comes twice")
    free = (identifier for identifier in map("T{}".format, count(1)) if identifier not in taken)
    return tuple(a if a.id else replace(a, id=next(free)) for a in annotations)


def _first(item: Mapping[str, Any], keys: Sequence[str]) -> Any:
    for key in keys:
        if key in item:
            return item[key]
    raise _Malformed(f"a mention without {keys[0]}")


def _offset(value: Any) -> int:
    if isinstance(value, bool):
        raise _Malformed("an offset is not of type int")
    return _typed(value, int, "an offset")


def _identifier(value: Any, what: str) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise _Malformed(f"{what} is neither a string nor a number")
    return str(value)


def _strings(value: Any, what: str) -> list[str]:
    return [_typed(item, str, f"a member of {what}") for item in _typed(value, list, what)]


def _typed(value: Any, kind: type[_T], what: str) -> _T:
    if not isinstance(value, kind):
        raise _Malformed(f"{what} is not of type {kind.__name__}")
    return value


def _write(documents: Iterable[Document], file: IO[bytes]) -> None:
    for document in documents:
        if reason := problem(document):
            raise ValueError(f"document {document.doc_id!r}: {reason}")
        file.write(json.dumps(_row(document), ensure_ascii=False).encode() + b"\n")


def _row(document: Document) -> dict[str, Any]:
    row: dict[str, Any] = {"doc_id": document.doc_id}
    rest = {
        "text": document.text,
        "annotations": [_item(annotation) for annotation in document.annotations],
        "relations": document.relations,
        "mismatched": document.mismatched,
    }
    return row | {key: value for key, value in rest.items() if value}


def _item(annotation: Annotation) -> dict[str, Any]:
    item = {"id": annotation.id} if annotation.id else {}
    rest = {
        "fragments": annotation.fragments if len(annotation.fragments) > 1 else (),
        "attributes": {name: value for name, value in annotation.attributes.items() if value is not False},
        "concepts": annotation.concepts,
    }
    span = {"start": annotation.start, "end": annotation.end, "label": annotation.label}
    return item | span | {key: value for key, value in rest.items() if value}
