"""Prodigy: one annotation task a line, JSON, as ``prodigy db-out`` exports and ``prodigy db-in`` imports.

Definition: https://prodi.gy/docs/api-interfaces (ner_manual, spans_manual, relations). Read: ``text``; ``spans`` with
``start``, ``end``, ``label``; ``relations`` with ``head_span``, ``child_span``, ``label``, as (label, head, child);
``meta.id`` as the document's id, else ``<file stem>:<line>``. Tasks answered "reject" or "ignore" are left out, as
Prodigy leaves out the ignored ones when it trains: a rejected task says what is wrong, not what is right. Tasks without
an answer are taken. A relation whose end is no span (Prodigy relates tokens too) is left out. The other keys (tokens,
hashes, patterns, scores) are Prodigy's bookkeeping and are not read.

Written besides: the tokens, cut at the mentions' boundaries, without which the manual interfaces take no spans; and a
key ``clinspan`` on spans, for which Prodigy has no place of its own: id, attributes, concepts and fragments. Prodigy
keeps keys it does not know. Overlapping mentions need spans_manual; ner_manual refuses them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

from clinspan.corpora._documents import comes_twice, extras, unique_ids, writable
from clinspan.corpora._documents import fault_or_same_ids as problem
from clinspan.corpora._files import (
    Malformed,
    attributes,
    check_span,
    documents_of_lines,
    first_id,
    fragments,
    member,
    strings,
    write_lines,
)
from clinspan.corpora.model import Annotation, Document

_EXTRA = "clinspan"
_ANSWERS = ("accept", "reject", "ignore")


def read(path: Path) -> Iterator[Document]:
    """The accepted tasks of a file.

    Raises:
        CorpusError: for a line that is not a task with a text, and for spans outside the text.
    """
    return documents_of_lines(path, _document)


def write(documents: Iterable[Document], path: str | Path) -> None:
    """Write documents as tasks without an answer, which ``db-in`` takes for accepted ones.

    Raises:
        ValueError: for a document with a :func:`problem`.
    """
    write_lines(map(_task, writable(documents, problem)), path)


def _document(task: dict[str, Any], fallback_id: str) -> Document | None:
    if (answer := member(task, "answer", str, "accept")) not in _ANSWERS:
        raise Malformed(f"answer is none of {', '.join(_ANSWERS)}")
    if answer != "accept":
        return None
    text = member(task, "text", str)
    meta = task.get("meta")
    spans = member(task, "spans", list, [])
    given = [member(member(span, _EXTRA, dict, {}), "id", str, "") for span in spans]
    if comes_twice(given):
        raise Malformed("two spans have the same id")
    annotations = [_annotation(span, text, name) for span, name in zip(spans, unique_ids(given), strict=True)]
    mismatched = [
        annotation.id
        for span, annotation in zip(spans, annotations)
        if "text" in span and member(span, "text", str).split() != text[annotation.start : annotation.end].split()
    ]
    return Document(
        doc_id=first_id(meta.get("id") if isinstance(meta, dict) else None, fallback_id),
        text=text,
        annotations=tuple(annotations),
        relations=tuple(_relations(task, annotations)),
        mismatched=tuple(mismatched),
    )


def _annotation(span: object, text: str, name: str) -> Annotation:
    start, end = member(span, "start", int), member(span, "end", int)
    check_span(start, end, len(text))
    extra = member(span, _EXTRA, dict, {})
    return Annotation(
        start=start,
        end=end,
        label=member(span, "label", str),
        fragments=fragments(extra.get("fragments", [[start, end]]), start, end),
        attributes=attributes(extra.get("attributes", {})),
        concepts=tuple(strings(extra.get("concepts", []), "concepts")),
        id=name,
    )


def _relations(task: dict[str, Any], annotations: list[Annotation]) -> Iterator[tuple[str, str, str]]:
    places: dict[tuple[int, int, object], str] = {}
    for annotation in annotations:
        places.setdefault((annotation.start, annotation.end, annotation.label), annotation.id)
        places.setdefault((annotation.start, annotation.end, None), annotation.id)
    for relation in member(task, "relations", list, []):
        label = member(relation, "label", str)
        ends = []
        for name in ("head_span", "child_span"):
            span = member(relation, name, dict)
            place = member(span, "start", int), member(span, "end", int)
            ends.append(places.get((*place, first_id(span.get("label")))) or places.get((*place, None)))
        if ends[0] and ends[1]:
            yield label, ends[0], ends[1]


def _task(document: Document) -> dict[str, Any]:
    tokens = _tokens(document)
    first = {token["start"]: token["id"] for token in tokens}
    last = {token["end"]: token["id"] for token in tokens}
    places = {
        annotation.id: {
            "start": annotation.start,
            "end": annotation.end,
            "token_start": first[annotation.start],
            "token_end": last[annotation.end],
            "label": annotation.label,
        }
        for annotation in document.annotations
    }
    task: dict[str, Any] = {
        "text": document.text,
        "meta": {"id": document.doc_id},
        "tokens": tokens,
        "spans": [{**places[a.id], _EXTRA: {"id": a.id, **extras(a)}} for a in document.annotations],
    }
    relations = [r for r in document.relations if r[1] in places and r[2] in places]
    if relations:
        task["relations"] = [
            {
                "head": places[head]["token_end"],
                "child": places[child]["token_end"],
                "head_span": places[head],
                "child_span": places[child],
                "label": label,
            }
            for label, head, child in relations
        ]
    return task


def _tokens(document: Document) -> list[dict[str, Any]]:
    from clinspan.components.tokenizer import cut_at, words_and_spaces  # imports spaCy

    starts = [annotation.start for annotation in document.annotations]
    ends = [annotation.end for annotation in document.annotations]
    words, spaces = cut_at(*words_and_spaces(document.text), starts, ends)
    begins = accumulate((len(word) + space for word, space in zip(words, spaces)), initial=0)
    return [
        {"text": word, "start": begin, "end": begin + len(word), "id": number, "ws": space}
        for number, (word, space, begin) in enumerate(zip(words, spaces, begins))
    ]
