"""A corpus from one format to another, with a report of what did not come along.

The report is not a table of what formats are said to hold: the result is read back and compared with what was to be
written, mention by mention.
"""

from __future__ import annotations

import csv
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from clinspan.corpora.formats import FORMATS, module_of, read_files
from clinspan.corpora.model import Annotation, CorpusError, Document

#: What may be lost, and what that means.
LOSSES: dict[str, str] = {
    "document": "not written at all",
    "text": "the text is another",
    "white space": "the text differs in white space; offsets were moved along",
    "annotation": "not written",
    "added": "read back, but not in the source",
    "fragments": "discontinuous before, written as another span",
    "span": "other offsets",
    "label": "another label",
    "attributes": "attributes missing or changed",
    "concepts": "codes missing or changed",
    "relation": "a relation missing or changed",
    "id": "another annotation id",
}


@dataclass(frozen=True)
class Loss:
    """Something of the source that the written corpus does not hold.

    Attributes:
        doc_id: the document.
        what: a key of :data:`LOSSES`.
        annotation: id of the annotation in the source (of both ends, for a relation), ``""`` for the document itself.
        detail: names of labels or attributes and offsets; never text of the document.
    """

    doc_id: str
    what: str
    annotation: str = ""
    detail: str = ""


def convert(
    source: str | Path,
    target: str | Path,
    *,
    source_format: str,
    target_format: str,
    progress: Callable[[str], None] | None = None,
) -> tuple[int, list[Loss]]:
    """Write a corpus in another format.

    Args:
        source: a file, or a folder of files of the format.
        target: the file to write; for formats with several files a document (``Format.folder``), the folder.
        source_format: one of :data:`~clinspan.corpora.formats.FORMATS`.
        target_format: one that can be written.
        progress: called with each document's id once it is read.

    Returns:
        How many documents were written, and what of them was lost.

    Raises:
        CorpusError: for what the source has wrong, and for a format without writer.
        OSError: when the target cannot be written.
    """
    module = module_of(target_format)
    if not FORMATS[target_format].writes:
        raise CorpusError(target_format, 0, "a format that is read only")
    problem = getattr(module, "problem", lambda _: "")
    kept: list[Document] = []
    losses: list[Loss] = []
    for document in read_files(source, source_format):
        if reason := problem(document):
            losses.append(Loss(document.doc_id, "document", detail=reason))
        else:
            kept.append(document)
        if progress:
            progress(document.doc_id)
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    module.write(kept, target)
    back = {document.doc_id: document for document in read_files(target, target_format)} if kept else {}
    for document in kept:
        if document.doc_id in back:
            losses += compare(document, back[document.doc_id])
        else:
            losses.append(Loss(document.doc_id, "document", detail="not read back under its id"))
    return len(kept), losses


def write_losses(losses: Iterable[Loss], path: str | Path) -> None:
    """Write losses as CSV, one row each."""
    with Path(path).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Loss)])
        writer.writeheader()
        writer.writerows(map(asdict, losses))


def compare(before: Document, after: Document) -> list[Loss]:
    """What of one document another does not hold. Offsets are compared without white space when only that differs."""
    losses: list[Loss] = []
    place_before: _Place = _same
    place_after: _Place = _same
    if before.text != after.text:
        if "".join(before.text.split()) != "".join(after.text.split()):
            return [Loss(before.doc_id, "text")]
        losses.append(Loss(before.doc_id, "white space"))
        place_before, place_after = _ink(before.text), _ink(after.text)
    left, added = list(before.annotations), list(after.annotations)
    ids: dict[str, str] = {}
    for one, other in _matches(left, added, place_before, place_after):
        ids[one.id] = other.id
        losses += _differences(before.doc_id, one, other, place_before, place_after)
    losses += [Loss(before.doc_id, "annotation", a.id, f"{a.label} {a.start} {a.end}") for a in left]
    losses += [Loss(before.doc_id, "added", a.id, f"{a.label} {a.start} {a.end}") for a in added]
    expected = [(kind, ids.get(first, first), ids.get(second, second)) for kind, first, second in before.relations]
    missing = Counter(expected) - Counter(after.relations)
    for key, (kind, first, second) in zip(expected, before.relations, strict=True):
        if missing[key] > 0:
            missing[key] -= 1
            losses.append(Loss(before.doc_id, "relation", f"{first} {second}", kind))
    return losses


_Place = Callable[[int], int]


def _same(offset: int) -> int:
    return offset


def _ink(text: str) -> _Place:
    """Offsets counted in characters that are not white space."""
    written = [i for i, character in enumerate(text) if not character.isspace()]
    return lambda offset: bisect_left(written, offset)


def _placed(annotation: Annotation, place: _Place) -> tuple[tuple[int, int], ...]:
    return tuple((place(start), place(end)) for start, end in annotation.fragments)


#: What makes two annotations the same one, from all to the least; after these, that they overlap under one label.
_SAMENESS: Sequence[Callable[[Annotation, _Place], Hashable]] = (
    lambda a, p: (_placed(a, p), a.label, a.id),
    lambda a, p: (_placed(a, p), a.label),
    lambda a, p: (p(a.start), p(a.end), a.label),
    lambda a, p: _placed(a, p),
    lambda a, p: (a.id, a.label),
)


def _matches(
    left: list[Annotation], added: list[Annotation], p: _Place, q: _Place
) -> Iterator[tuple[Annotation, Annotation]]:
    """What is the same annotation before and after; it is taken out of the two lists."""
    for same in _SAMENESS:
        keys: dict[Hashable, list[Annotation]] = {}
        for other in added:
            keys.setdefault(same(other, q), []).append(other)
        for one in list(left):
            if found := keys.get(same(one, p)):
                yield _taken(one, left), _taken(found.pop(0), added)
    overlaps = [
        (min(p(one.end), q(other.end)) - max(p(one.start), q(other.start)), one, other)
        for one in left
        for other in added
        if one.label == other.label
    ]
    for overlap, one, other in sorted(overlaps, key=lambda triple: -triple[0]):
        if overlap > 0 and one in left and other in added:
            yield _taken(one, left), _taken(other, added)


def _taken(annotation: Annotation, annotations: list[Annotation]) -> Annotation:
    annotations.remove(annotation)
    return annotation


def _differences(doc_id: str, before: Annotation, after: Annotation, p: _Place, q: _Place) -> Iterable[Loss]:
    fragments, others = _placed(before, p), _placed(after, q)
    if fragments != others:
        what = "fragments" if len(fragments) > 1 else "span"
        yield Loss(doc_id, what, before.id, f"{before.start} {before.end} -> {after.start} {after.end}")
    if before.label != after.label:
        yield Loss(doc_id, "label", before.id, f"{before.label} -> {after.label}")
    names = [name for name, value in before.attributes.items() if after.attributes.get(name, False) != value]
    names += [name for name in after.attributes if name not in before.attributes]
    if names:
        yield Loss(doc_id, "attributes", before.id, ", ".join(names))
    if before.concepts != after.concepts:
        yield Loss(doc_id, "concepts", before.id, f"{len(before.concepts)} -> {len(after.concepts)}")
    if before.id != after.id:
        yield Loss(doc_id, "id", before.id, after.id)
