"""What formats share of taking documents apart and putting them together."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count
from typing import Any

from clinspan.corpora.model import Annotation, Document

_SURROGATE = re.compile("[\ud800-\udfff]")
_VARIANT = re.compile(r"[a-z]?\|[A-Za-z]+\|")
_SEPARATORS = re.compile(r"[|;,]")
_NUMBERED = re.compile(r"T(0|[1-9]\d{0,8})", re.ASCII)


def writable(documents: Iterable[Document], problem: Callable[[Document], str]) -> Iterator[Document]:
    """The documents.

    Raises:
        ValueError: for one with a problem.
    """
    for document in documents:
        if reason := problem(document):
            raise ValueError(f"document {document.doc_id!r}: {reason}")
        yield document


def fault(document: Document, *, needs_text: bool = True) -> str:
    """What keeps a document from being written in any format: an annotation that is empty or outside the text, or
    characters that are not Unicode. Empty when nothing does.

    Predictions may come without their text; ``needs_text`` says whether that is a fault.
    """
    length = len(document.text) if document.text or needs_text else sys.maxsize
    spans = (span for a in document.annotations for span in ((a.start, a.end), *a.fragments))
    if any(not 0 <= start < end <= length for start, end in spans):
        return "an annotation is not in its text"
    return "it holds a lone surrogate" if any(map(_SURROGATE.search, strings(document))) else ""


def fault_or_same_ids(document: Document) -> str:
    """Why a format that tells annotations by their ids cannot hold the document: two with one id, or a :func:`fault`.
    Empty when it can."""
    ids = {annotation.id for annotation in document.annotations}
    return "two of its annotations have the same id" if len(ids) < len(document.annotations) else fault(document)


def strings(document: Document) -> Iterator[str]:
    """All that would be written of a document as characters."""
    yield from (document.doc_id, document.text, *document.mismatched)
    for relation in document.relations:
        yield from relation
    for annotation in document.annotations:
        yield from (annotation.id, annotation.label, *annotation.concepts, *annotation.attributes)
        yield from (value for value in annotation.attributes.values() if isinstance(value, str))


def is_file_name(doc_id: str) -> bool:
    """Whether a file or folder can be named so."""
    return doc_id not in ("", ".", "..") and not re.search(r"[/\\\0]", doc_id)


def envelope(fragments: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """From the least start to the greatest end."""
    starts, ends = zip(*fragments)
    return min(starts), max(ends)


def surface(text: str, fragments: Iterable[tuple[int, int]]) -> str:
    """The text of the fragments, one space between them."""
    return " ".join(text[start:end] for start, end in fragments)


def extras(annotation: Annotation) -> dict[str, Any]:
    """What an annotation has besides id, span and label, for JSON: without keys that would be empty."""
    values = {
        "fragments": list(map(list, annotation.fragments)) if len(annotation.fragments) > 1 else [],
        "attributes": {name: value for name, value in annotation.attributes.items() if value is not False},
        "concepts": list(annotation.concepts),
    }
    return {key: value for key, value in values.items() if value}


def codes(identifiers: str) -> list[str]:
    """Identifiers as PubTator writes them, cut at ``|``, ``;`` and ``,``: but not a sequence variant
    (``c|SUB|G|35|A``), of which the bars are part."""
    if _VARIANT.match(identifiers):
        return [identifiers]
    return [part for part in map(str.strip, _SEPARATORS.split(identifiers)) if part]


def comes_twice(ids: Iterable[str]) -> bool:
    """Whether an id, other than an empty one, comes twice."""
    given = [identifier for identifier in ids if identifier]
    return len(set(given)) < len(given)


def unique_ids(given: Sequence[str]) -> list[str]:
    """The ids, those that are empty or came before replaced by the first free ones of T1, T2, …"""
    taken = set(given)
    free = (identifier for identifier in map("T{}".format, count(1)) if identifier not in taken)
    seen = {""}
    ids = []
    for identifier in given:
        ids.append(next(free) if identifier in seen else identifier)
        seen.add(identifier)
    return ids


def numbers(document: Document) -> dict[str, int]:
    """A number for every annotation id, for formats that know no other ids: that of ``T7`` where all are so formed."""
    ids = [annotation.id for annotation in document.annotations]
    if all(map(_NUMBERED.fullmatch, ids)):
        return {name: int(name[1:]) for name in ids}
    return {name: number for number, name in enumerate(ids, start=1)}
