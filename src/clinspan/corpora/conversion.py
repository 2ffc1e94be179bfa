"""A corpus from one format to another, with a report of what did not come along.

The report is not a table of what formats are said to hold: the result is read back and compared with what was to be
written, mention by mention.
"""

from __future__ import annotations

import csv
import os
from bisect import bisect_left
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from tempfile import TemporaryDirectory

from clinspan.corpora.formats import FORMATS, WRITABLE, module_of, read_files
from clinspan.corpora.model import Annotation, CorpusError, Document

#: What may be lost, and what that means.
LOSSES: dict[str, str] = {
    "document": "not written at all",
    "text": "the text is another",
    "white space": "the text differs in white space; offsets were moved along",
    "annotation": "not written",
    "added": "an annotation or relation that is read back, but not in the source",
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
        annotation: id of the annotation in the source, of what was added in the result (of both ends, for a relation);
            ``""`` for the document itself.
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

    The target comes into being whole or not at all: the corpus is written and read back in a temporary folder beside
    it and then moved. A file there is replaced, also when it is the source. Where no document can be written, nothing
    is.

    Args:
        source: a file, or a folder of files of the format.
        target: the file to write; for formats with several files a document (``Format.folder``), the folder, which
            does not exist or is empty.
        source_format: one of :data:`~clinspan.corpora.formats.FORMATS`.
        target_format: one that can be written.
        progress: called with each document's id once it is read.

    Returns:
        How many documents were written, and what of them was lost.

    Raises:
        CorpusError: for what the source has wrong, a format without writer, and a target that is a folder with
            something in it, or a file where the format needs a folder or the reverse.
        OSError: when the target cannot be written.
    """
    module = module_of(target_format)
    if target_format not in WRITABLE:
        raise CorpusError(target_format, 0, "a format that is read only")
    _check_target(Path(target), FORMATS[target_format].folder)
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
    if not kept:
        return 0, losses
    back = {document.doc_id: document for document in _written(kept, Path(target), target_format)}
    for document in kept:
        if document.doc_id in back:
            losses += compare(document, back[document.doc_id])
        else:
            losses.append(Loss(document.doc_id, "document", detail="not read back under its id"))
    return len(kept), losses


def _check_target(target: Path, folder: bool) -> None:
    if target.is_dir():
        if not folder:
            raise CorpusError(target, 0, "a folder; the format is written to a file")
        if any(target.iterdir()):
            raise CorpusError(target, 0, "the folder is not empty")
    elif folder and target.exists():
        raise CorpusError(target, 0, "a file; the format is written to a folder")


def _written(documents: Sequence[Document], target: Path, name: str) -> list[Document]:
    """Write documents, whole or not at all, and read them back."""
    target = target.resolve()  # what a link leads to is replaced, not the link
    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".clinspan-", dir=target.parent) as temporary:
        draft = Path(temporary, target.name)  # some formats tell ids or compression by the name
        try:
            module_of(name).write(documents, draft)
            back = list(read_files(draft, name))
        except CorpusError as error:
            file = target / error.file.relative_to(draft) if error.file.is_relative_to(draft) else error.file
            raise CorpusError(file, error.line, error.reason) from None
        if target.is_dir():
            target.rmdir()  # empty; not every system renames onto a folder
        os.replace(draft, target)
    return back


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
    left, right = dict(enumerate(before.annotations)), dict(enumerate(after.annotations))
    ids: dict[str, str] = {}
    for one, other in _matches(left, right, place_before, place_after):
        ids[one.id] = other.id
        losses += _differences(before.doc_id, one, other, place_before, place_after)
    losses += [Loss(before.doc_id, "annotation", a.id, f"{a.label} {a.start} {a.end}") for a in left.values()]
    losses += [Loss(before.doc_id, "added", a.id, f"{a.label} {a.start} {a.end}") for a in right.values()]
    expected = [(kind, ids.get(first, first), ids.get(second, second)) for kind, first, second in before.relations]
    missing = Counter(expected) - Counter(after.relations)
    for key, (kind, first, second) in zip(expected, before.relations, strict=True):
        if missing[key] > 0:
            missing[key] -= 1
            losses.append(Loss(before.doc_id, "relation", f"{first} {second}", kind))
    added = Counter(after.relations) - Counter(expected)
    losses += [Loss(before.doc_id, "added", f"{first} {second}", kind) for kind, first, second in added.elements()]
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
    left: dict[int, Annotation], right: dict[int, Annotation], p: _Place, q: _Place
) -> Iterator[tuple[Annotation, Annotation]]:
    """What is the same annotation before and after; it is taken out of the two dictionaries."""
    for same in _SAMENESS:
        keys: dict[Hashable, deque[int]] = defaultdict(deque)
        for j, other in right.items():
            keys[same(other, q)].append(j)
        for i, one in list(left.items()):
            if found := keys.get(same(one, p)):
                yield left.pop(i), right.pop(found.popleft())
    for _, i, j in sorted(_overlaps(left, right, p, q)):
        if i in left and j in right:
            yield left.pop(i), right.pop(j)


def _overlaps(
    left: Mapping[int, Annotation], right: Mapping[int, Annotation], p: _Place, q: _Place
) -> Iterator[tuple[int, int, int]]:
    """Annotations that overlap under one label: by how much, below zero, and their keys; in the order of the text, so
    that each is compared only with those that have not ended."""
    mentions = [(p(a.start), p(a.end), a.label, True, i) for i, a in left.items()]
    mentions += [(q(a.start), q(a.end), a.label, False, j) for j, a in right.items()]
    going_on: dict[tuple[str, bool], list[tuple[int, int]]] = defaultdict(list)
    for start, end, label, is_left, key in sorted(mentions):
        for side in (True, False):
            going_on[label, side] = [mention for mention in going_on[label, side] if mention[0] > start]
        for other_end, other in going_on[label, not is_left]:
            overlap = min(end, other_end) - start
            if overlap > 0:
                yield (-overlap, key, other) if is_left else (-overlap, other, key)
        going_on[label, is_left].append((end, key))


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
