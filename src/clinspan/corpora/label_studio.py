"""Label Studio: a JSON list of tasks, as its JSON export (not JSON-MIN) writes and its import takes.

Definition: https://labelstud.io/guide/task_format and https://labelstud.io/tags/text. The text is ``data.text``, else
the one string in ``data``. Of the annotations of a task that were not cancelled the first with ``ground_truth`` is
read, else the first; a task without any is left out, and so are predictions. Read of it:

- ``labels``: a region; one with several labels becomes several annotations, ``<id>``, ``<id>.2``, …
- ``choices``, ``taxonomy``, ``textarea``, ``rating``, ``number`` and ``datetime`` of a region (the same id): an
  attribute named by the control; several values are joined by ``|``, the steps of a taxonomy by ``/``. A choice named
  as its control is ``True``, and the text area ``concepts`` holds the concepts. Those of the whole task, or of
  a region without labels, are not read.
- ``relation``: one relation for each of its labels (``relation`` when it has none), turned round for direction "left".

Regions of HTML, dialogues and images are refused: their offsets are not offsets in a text.

Offsets are code points; a carriage return counts. Older versions counted UTF-16 units (issues 1008 and 1347, pull
requests 1559 and 6135 of HumanSignal/label-studio): where a region's own text does not stand at its offsets as code
points, and does as UTF-16 units, these are taken.

The document's id is ``data.doc_id``, where it is written and survives an import, else the task's id, else
``<file stem>:<task>``. Label Studio has no discontinuous regions: the envelope is written.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clinspan.corpora._documents import fault_or_same_ids as problem
from clinspan.corpora._documents import writable
from clinspan.corpora._files import Malformed, as_string, check_span, first_id, member, parse_json, strings
from clinspan.corpora.model import Annotation, CorpusError, Document, read_text

_CONCEPTS = "concepts"
#: Controls of a region, and the key that holds their value.
_CONTROLS = {
    "choices": "choices",
    "taxonomy": "taxonomy",
    "textarea": "text",
    "rating": "rating",
    "number": "number",
    "datetime": "datetime",
}


def read(path: Path) -> Iterator[Document]:
    """The annotated tasks of a file.

    Raises:
        CorpusError: when it is not a list of tasks, and for a task without a text, a region that is not one of text or
            lies outside it, or a relation to a region that the task does not have. The line is 0 unless the file is
            not JSON; tasks are counted from 1.
    """
    path = Path(path)
    tasks = parse_json(read_text(path).removeprefix("\ufeff"), path)
    if not isinstance(tasks, list):
        raise CorpusError(path, 0, "not a list of tasks")
    for number, task in enumerate(tasks, start=1):
        try:
            if chosen := _chosen(task):
                yield _document(task, chosen, f"{path.stem}:{number}")
        except Malformed as error:
            raise CorpusError(path, 0, f"task {number}: {error}") from None


def write(documents: Iterable[Document], path: str | Path) -> None:
    """Write documents as tasks with one annotation each: for a <Text> ``text`` with <Labels> ``label``, a control for
    each attribute, and relations.

    Raises:
        ValueError: for a document with a :func:`problem`.
    """
    tasks = [_task(document) for document in writable(documents, problem)]
    Path(path).write_bytes(json.dumps(tasks, ensure_ascii=False, indent=1).encode() + b"\n")


def _chosen(task: object) -> dict[str, Any] | None:
    annotations = member(task, "annotations", list)
    for annotation in annotations:
        member(annotation, "result", list)
    valid = [annotation for annotation in annotations if annotation.get("was_cancelled") is not True]
    return next((a for a in valid if a.get("ground_truth") is True), valid[0] if valid else None)


def _document(task: dict[str, Any], annotation: dict[str, Any], fallback_id: str) -> Document:
    data = member(task, "data", dict)
    text = _text(data)
    regions: dict[str, _Region] = {}
    about: list[dict[str, Any]] = []
    for entry in annotation["result"]:
        kind = member(entry, "type", str)
        if kind == "labels":
            name, value = member(entry, "id", str), member(entry, "value", dict)
            labels = strings(value.get("labels"), "labels")
            if not labels:
                raise Malformed("a region has no label")
            regions.setdefault(name, _region(value, text)).labels += labels
        elif kind == "relation" or kind in _CONTROLS:
            about.append(entry)
        else:
            raise Malformed("a result is neither a region of text nor about one")
    relations: list[tuple[str, str, str]] = []
    for entry in about:
        if entry["type"] == "relation":
            relations += _relation(entry, regions)
        elif region := regions.get(first_id(entry.get("id"))):
            _add_value(region, entry)
    annotations: dict[str, Annotation] = {}
    mismatched: list[str] = []
    for name, region in regions.items():
        for number, label in enumerate(region.labels, start=1):
            key = name if number == 1 else f"{name}.{number}"
            if key in annotations:
                raise Malformed("two regions have the same id")
            annotations[key] = Annotation(
                *region.span, label, (region.span,), region.attributes, tuple(region.concepts), key
            )
            if region.mismatched:
                mismatched.append(key)
    return Document(
        doc_id=first_id(data.get("doc_id"), task.get("id"), fallback_id),
        text=text,
        annotations=tuple(annotations.values()),
        relations=tuple(relations),
        mismatched=tuple(mismatched),
    )


def _text(data: dict[str, Any]) -> str:
    strings = [value for name, value in data.items() if isinstance(value, str) and name != "doc_id"]
    text = data.get("text", strings[0] if len(strings) == 1 else None)
    if not isinstance(text, str):
        raise Malformed("data has no text")
    return text


@dataclass
class _Region:
    span: tuple[int, int]
    mismatched: bool
    labels: list[str] = field(default_factory=list)
    attributes: dict[str, str | bool] = field(default_factory=dict)
    concepts: list[str] = field(default_factory=list)


def _region(value: dict[str, Any], text: str) -> _Region:
    span = member(value, "start", int), member(value, "end", int)
    mismatched = False
    if "text" in value:
        published = _words(member(value, "text", str))
        units = _from_utf16(text, *span)
        mismatched = _words(text[max(span[0], 0) : span[1]]) != published
        if mismatched and units and _words(text[units[0] : units[1]]) == published:
            span, mismatched = units, False
    check_span(*span, len(text))
    return _Region(span, mismatched)


def _words(surface: str) -> list[str]:
    return surface.replace("\\n", " ").split()  # Label Studio writes a line break in a region as backslash and n


def _from_utf16(text: str, start: int, end: int) -> tuple[int, int] | None:
    """The code points of a span given in UTF-16 units; ``None`` when it is outside the text or halves a character."""
    units = text.encode("utf-16-le")
    if not 0 <= start < end <= len(units) // 2:
        return None
    try:
        before, inside = units[: 2 * start].decode("utf-16-le"), units[2 * start : 2 * end].decode("utf-16-le")
    except UnicodeDecodeError:
        return None
    return len(before), len(before) + len(inside)


def _add_value(region: _Region, entry: dict[str, Any]) -> None:
    kind, name = entry["type"], member(entry, "from_name", str)
    value = member(entry, "value", dict).get(_CONTROLS[kind])
    if kind == "taxonomy" and isinstance(value, list):
        value = ["/".join(strings(steps, "a taxonomy")) for steps in value]
    values = strings(value, "a control") if isinstance(value, list) else [as_string(value, "a control's value")]
    if kind == "textarea" and name == _CONCEPTS:
        region.concepts += values
    elif kind == "choices" and values == [name]:
        region.attributes[name] = True
    elif values:
        region.attributes[name] = "|".join(values)


def _relation(entry: dict[str, Any], regions: dict[str, _Region]) -> list[tuple[str, str, str]]:
    first, second = member(entry, "from_id", str), member(entry, "to_id", str)
    if first not in regions or second not in regions:
        raise Malformed("a relation to a region that the task does not have")
    if entry.get("direction") == "left":
        first, second = second, first
    return [(label, first, second) for label in strings(member(entry, "labels", list, []), "labels") or ["relation"]]


def _task(document: Document) -> dict[str, Any]:
    ids = {annotation.id for annotation in document.annotations}
    result = [entry for annotation in document.annotations for entry in _results(annotation, document.text)]
    result += [
        {"type": "relation", "from_id": first, "to_id": second, "direction": "right", "labels": [kind]}
        for kind, first, second in document.relations
        if first in ids and second in ids
    ]
    return {"data": {"text": document.text, "doc_id": document.doc_id}, "annotations": [{"result": result}]}


def _results(annotation: Annotation, text: str) -> Iterator[dict[str, Any]]:
    place = {"start": annotation.start, "end": annotation.end}

    def entry(name: str, kind: str, value: dict[str, Any]) -> dict[str, Any]:
        return {"id": annotation.id, "from_name": name, "to_name": "text", "type": kind, "value": {**place, **value}}

    surface = text[annotation.start : annotation.end]
    yield entry("label", "labels", {"text": surface, "labels": [annotation.label]})
    for name, value in annotation.attributes.items():
        if value is not False:
            yield entry(name, "choices", {"choices": [name if value is True else value]})
    if annotation.concepts:
        yield entry(_CONCEPTS, "textarea", {"text": list(annotation.concepts)})
