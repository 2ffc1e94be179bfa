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

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate, count
from pathlib import Path
from typing import Any, TypeVar

from clinspan.corpora.jsonl import parse_json, problem
from clinspan.corpora.model import Annotation, CorpusError, Document, read_text

_EXTRA = "clinspan"
_ANSWERS = ("accept", "reject", "ignore")
_KINDS: dict[type, str] = {str: "a string", int: "a whole number", list: "a list", dict: "an object"}
_T = TypeVar("_T")


class Malformed(ValueError):
    """What is wrong with a JSON value; the caller knows the file and the line."""


def read(path: Path) -> Iterator[Document]:
    """The accepted tasks of a file.

    Raises:
        CorpusError: for a line that is not a task with a text, and for spans outside the text.
    """
    path = Path(path)
    for number, task in json_lines(path):
        try:
            if (answer := member(task, "answer", str, "accept")) not in _ANSWERS:
                raise Malformed(f"answer is none of {', '.join(_ANSWERS)}")
            if answer == "accept":
                yield _document(task, f"{path.stem}:{number}")
        except Malformed as error:
            raise CorpusError(path, number, str(error)) from None


def write(documents: Iterable[Document], path: str | Path) -> None:
    """Write documents as tasks without an answer, which ``db-in`` takes for accepted ones.

    Raises:
        ValueError: for a document with a :func:`~clinspan.corpora.jsonl.problem`.
    """
    write_lines(map(_task, writable(documents)), path)


def json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a file of JSON lines with the numbers of their lines; blank lines are skipped.

    Raises:
        CorpusError: for a line that is not a JSON object.
    """
    for number, line in enumerate(read_text(path).removeprefix("\ufeff").split("\n"), start=1):
        if line.strip():
            value = parse_json(line.encode(), path, number)
            if not isinstance(value, dict):
                raise CorpusError(path, number, "not a JSON object")
            yield number, value


def write_lines(rows: Iterable[dict[str, Any]], path: str | Path) -> None:
    """Write objects as JSON lines."""
    with Path(path).open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def writable(documents: Iterable[Document]) -> Iterator[Document]:
    """The documents; ValueError for one with a :func:`~clinspan.corpora.jsonl.problem`."""
    for document in documents:
        if reason := problem(document):
            raise ValueError(f"document {document.doc_id!r}: {reason}")
        yield document


def member(holder: object, name: str, kind: type[_T], default: _T | None = None) -> _T:
    """The value of a key, of exactly this type; ``default`` where it is missing or null.

    Raises:
        Malformed: when it is of another type, or missing without a default.
    """
    if not isinstance(holder, dict):
        raise Malformed(f"not an object with {name}")
    value = holder.get(name)
    if value is None and default is not None:
        return default
    if type(value) is not kind:  # True is an int by isinstance
        raise Malformed(f"{name} is not {_KINDS[kind]}")
    return value


def check_span(start: int, end: int, text: str) -> None:
    """Raise :class:`Malformed` for an empty span, or one outside the text."""
    if not 0 <= start < end <= len(text):
        raise Malformed(f"offsets {start} {end} are not in the text")


def identifier(*candidates: object) -> str:
    """The first of the candidates that can be an id, a string or a whole number; ``""`` when none can."""
    return next((str(c) for c in candidates if isinstance(c, str | int) and not isinstance(c, bool) and c != ""), "")


def _document(task: dict[str, Any], fallback_id: str) -> Document:
    text = member(task, "text", str)
    meta = task.get("meta")
    spans = member(task, "spans", list, [])
    given = [member(member(span, _EXTRA, dict, {}), "id", str, "") for span in spans]
    free = (name for name in map("T{}".format, count(1)) if name not in given)
    annotations = [_annotation(span, text, name or next(free)) for span, name in zip(spans, given)]
    if len({annotation.id for annotation in annotations}) < len(annotations):
        raise Malformed("two spans have the same id")
    mismatched = [
        annotation.id
        for span, annotation in zip(spans, annotations)
        if "text" in span and member(span, "text", str).split() != text[annotation.start : annotation.end].split()
    ]
    return Document(
        doc_id=identifier(meta.get("id") if isinstance(meta, dict) else None, fallback_id),
        text=text,
        annotations=tuple(annotations),
        relations=tuple(_relations(task, annotations)),
        mismatched=tuple(mismatched),
    )


def _annotation(span: object, text: str, name: str) -> Annotation:
    start, end = member(span, "start", int), member(span, "end", int)
    label = member(span, "label", str)
    check_span(start, end, text)
    extra = member(span, _EXTRA, dict, {})
    fragments = _fragments(extra, start, end)
    attributes = member(extra, "attributes", dict, {})
    if not all(isinstance(value, str) or value is True for value in attributes.values()):
        raise Malformed("an attribute is neither a string nor true")
    concepts = member(extra, "concepts", list, [])
    if not all(isinstance(concept, str) for concept in concepts):
        raise Malformed("a concept is not a string")
    return Annotation(
        start=start,
        end=end,
        label=label,
        fragments=fragments,
        attributes=attributes,
        concepts=tuple(concepts),
        id=name,
    )


def _fragments(extra: Mapping[str, object], start: int, end: int) -> tuple[tuple[int, int], ...]:
    fragments = []
    for pair in member(extra, "fragments", list, [[start, end]]):
        if not isinstance(pair, list) or [type(offset) for offset in pair] != [int, int] or pair[0] >= pair[1]:
            raise Malformed("a fragment is not a pair of offsets")
        fragments.append((pair[0], pair[1]))
    fragments.sort()
    if not fragments or (fragments[0][0], max(last for _, last in fragments)) != (start, end):
        raise Malformed(f"the fragments of the span {start} {end} are not its own")
    return tuple(fragments)


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
            ends.append(places.get((*place, identifier(span.get("label")))) or places.get((*place, None)))
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
        "spans": [{**places[a.id], _EXTRA: _extra(a)} for a in document.annotations],
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


def _extra(annotation: Annotation) -> dict[str, object]:
    extra: dict[str, object] = {"id": annotation.id}
    if attributes := {name: value for name, value in annotation.attributes.items() if value is not False}:
        extra["attributes"] = attributes
    if annotation.concepts:
        extra["concepts"] = annotation.concepts
    if len(annotation.fragments) > 1:
        extra["fragments"] = annotation.fragments
    return extra


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
