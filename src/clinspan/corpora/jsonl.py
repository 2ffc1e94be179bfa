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

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from clinspan.corpora._documents import comes_twice, extras, fault, surface, unique_ids, writable
from clinspan.corpora._files import (
    Malformed,
    as_string,
    attributes,
    check_span,
    documents_of_lines,
    first_of,
    fragments,
    strings,
    typed,
    write_lines,
)
from clinspan.corpora.model import Annotation, Document
from clinspan.schema import FLAGS

_ID_KEYS = ("doc_id", "note_id", "id", "doc_key")
_MENTION_KEYS = ("annotations", "entities", "spans", "labels")
_START_KEYS = ("start", "start_char", "start_offset")
_END_KEYS = ("end", "end_char", "end_offset")
_LABEL_KEYS = ("label", "label_", "type")
_AXES = (*FLAGS, "experiencer")


def read(path: Path) -> Iterator[Document]:
    """The documents of a ``.jsonl`` or ``.jsonl.gz`` file, one a line; blank lines are passed over.

    Raises:
        CorpusError: for a file that cannot be read, a line that is not a JSON object in UTF-8, a value of the wrong
            type, an empty span or one outside the text, or an annotation id that comes twice in a document.
    """
    return documents_of_lines(path, _document)


def write(documents: Iterable[Document], path: str | Path) -> None:
    """Write documents, one a line, compressed where the name ends in ``.gz``; the same documents give the same bytes.

    Raises:
        ValueError: for a document with a :func:`problem`.
    """
    write_lines(map(_row, writable(documents, problem)), path)


def problem(document: Document) -> str:
    """Why the document cannot be written: two annotations with one id, annotations outside the text that it has,
    or text that is not Unicode. Empty when it can."""
    if comes_twice(annotation.id for annotation in document.annotations):
        return "two of its annotations have the same id"
    return fault(document, needs_text=False)


def _document(raw: Mapping[str, Any], default_id: str) -> Document:
    text = typed(raw.get("text", ""), str, "text")
    keys = [key for key in _MENTION_KEYS if key in raw]
    if len(keys) > 1:
        raise Malformed(f"both {keys[0]} and {keys[1]}")
    mentions = [
        _mention(item, len(text) if "text" in raw else sys.maxsize)
        for item in typed(raw[keys[0]] if keys else [], list, "annotations")
    ]
    given = [annotation.id for annotation, _ in mentions]
    if comes_twice(given):
        raise Malformed("an annotation id comes twice")
    annotations = tuple(replace(a, id=name) for (a, _), name in zip(mentions, unique_ids(given), strict=True))
    mismatched = set(strings(raw.get("mismatched", []), "mismatched"))
    for annotation, (_, published) in zip(annotations, mentions, strict=True):
        if text and published is not None and published.split() != surface(text, annotation.fragments).split():
            mismatched.add(annotation.id)
    in_order = [annotation.id for annotation in annotations if annotation.id in mismatched]
    if len(in_order) < len(mismatched):
        raise Malformed("mismatched names an annotation that is not there")
    relations = []
    for item in typed(raw.get("relations", []), list, "relations"):
        relation = strings(item, "a relation")
        if len(relation) != 3:
            raise Malformed("a relation is not of the form [type, first, second]")
        relations.append((relation[0], relation[1], relation[2]))
    surfaces = tuple(surface or "" for _, surface in mentions) if "text" not in raw else ()
    return Document(
        _document_id(raw, default_id),
        text,
        annotations,
        tuple(relations),
        tuple(in_order),
        surfaces if any(surfaces) else (),
    )


def _document_id(raw: Mapping[str, Any], default: str) -> str:
    for key in _ID_KEYS:
        if key in raw:
            return as_string(raw[key], key)
    meta = raw.get("meta")
    return as_string(meta["id"], "meta.id") if isinstance(meta, dict) and "id" in meta else default


def _mention(item: Any, length: int) -> tuple[Annotation, str | None]:
    """A mention, and its text as published where it is."""
    if isinstance(item, list):
        if len(item) != 3:
            raise Malformed("a mention is not of the form [start, end, label]")
        item = dict(zip(("start", "end", "label"), item, strict=True))
    item = typed(item, dict, "a mention")
    start, end = typed(first_of(item, _START_KEYS), int, "start"), typed(first_of(item, _END_KEYS), int, "end")
    check_span(start, end, length)
    axes = {axis: item[axis] for axis in _AXES if item.get(axis) is not None}
    published = item.get("text")
    return Annotation(
        start=start,
        end=end,
        label=typed(first_of(item, _LABEL_KEYS), str, "a label"),
        fragments=fragments(item.get("fragments", [[start, end]]), start, end),
        attributes=attributes(axes | typed(item.get("attributes", {}), dict, "attributes")),
        concepts=_concepts(item),
        id="" if item.get("id") is None else as_string(item["id"], "an annotation's id"),
    ), published if isinstance(published, str) else None


def _concepts(item: Mapping[str, Any]) -> tuple[str, ...]:
    concepts = strings(item.get("concepts", []), "concepts")
    if item.get("concept_id") is not None:
        code = as_string(item["concept_id"], "concept_id")
        vocabulary = item.get("vocabulary")
        prefix = "" if vocabulary is None else f"{typed(vocabulary, str, 'vocabulary')}:"
        concepts.append(code if code.startswith(prefix) else prefix + code)
    return tuple(concepts)


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
    item: dict[str, Any] = {"id": annotation.id} if annotation.id else {}
    return item | {"start": annotation.start, "end": annotation.end, "label": annotation.label} | extras(annotation)
