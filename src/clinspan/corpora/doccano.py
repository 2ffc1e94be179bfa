"""Doccano: one example a line, JSON, as its sequence labelling projects export and import.

Definition: the exporter of https://github.com/doccano/doccano (``backend/data_export``). Read: examples with ``label``
(older versions: ``labels``), a list of [start, end, label], and those of projects with relations, with ``entities``
(id, start_offset, end_offset, label) and ``relations`` (from_id, to_id, type). Entities may also be triples, as
projects for slot filling have them. Doccano numbers entities: 7 is read as ``T7``; triples are numbered in order. The
document's id is ``id``, else ``<file stem>:<line>``. Offsets are code points. Comments and other columns are not read.

Written: ``entities`` and ``relations``; ids of the form ``T7`` keep their number when all have it. Doccano has no place
for attributes, concepts and discontinuous spans; of the last the envelope is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from clinspan.corpora._documents import fault_or_same_ids as problem
from clinspan.corpora._documents import numbers, writable
from clinspan.corpora._files import Malformed, check_span, documents_of_lines, first_id, member, write_lines
from clinspan.corpora.model import Annotation, Document

_COLUMNS = ("entities", "label", "labels")


def read(path: Path) -> Iterator[Document]:
    """The examples of a file.

    Raises:
        CorpusError: for a line that is not an example with a text and labels, for offsets outside the text, and for a
            relation to an entity that the example does not have.
    """
    return documents_of_lines(path, _document)


def write(documents: Iterable[Document], path: str | Path) -> None:
    """Write documents as examples of a project with relations.

    Raises:
        ValueError: for a document with a :func:`problem`.
    """
    write_lines(map(_example, writable(documents, problem)), path)


def _document(example: dict[str, Any], fallback_id: str) -> Document:
    text = member(example, "text", str)
    column = next((name for name in _COLUMNS if name in example), None)
    if column is None:
        raise Malformed(f"has none of {', '.join(_COLUMNS)}")
    annotations = [
        _annotation(entity, text, number) for number, entity in enumerate(member(example, column, list, []), start=1)
    ]
    ids = {annotation.id for annotation in annotations}
    if len(ids) < len(annotations):
        raise Malformed("two entities have the same id")
    relations = []
    for relation in member(example, "relations", list, []):
        ends = f"T{member(relation, 'from_id', int)}", f"T{member(relation, 'to_id', int)}"
        if not ids.issuperset(ends):
            raise Malformed("a relation to an entity that the example does not have")
        relations.append((member(relation, "type", str), *ends))
    return Document(
        doc_id=first_id(example.get("id"), fallback_id),
        text=text,
        annotations=tuple(annotations),
        relations=tuple(relations),
    )


def _annotation(entity: object, text: str, number: int) -> Annotation:
    if isinstance(entity, list):
        if len(entity) != 3:
            raise Malformed("a label is not a triple of start, end and label")
        entity = dict(zip(("start_offset", "end_offset", "label"), entity))
    start, end = member(entity, "start_offset", int), member(entity, "end_offset", int)
    check_span(start, end, len(text))
    return Annotation(
        start=start,
        end=end,
        label=member(entity, "label", str),
        fragments=((start, end),),
        id=f"T{member(entity, 'id', int, number)}",
    )


def _example(document: Document) -> dict[str, Any]:
    ids = numbers(document)
    return {
        "id": document.doc_id,
        "text": document.text,
        "entities": [
            {"id": ids[a.id], "label": a.label, "start_offset": a.start, "end_offset": a.end}
            for a in document.annotations
        ],
        "relations": [
            {"id": number, "from_id": ids[first], "to_id": ids[second], "type": kind}
            for number, (kind, first, second) in enumerate(document.relations, start=1)
            if first in ids and second in ids
        ],
        "Comments": [],
    }
