"""What :mod:`~clinspan.corpora.bioc_xml` and :mod:`~clinspan.corpora.bioc_json` share: the objects of the library
``bioc`` to documents, and back.

BioC is defined by Comeau et al., *BioC: a minimalist approach to interoperability for biomedical text processing*,
Database 2013, bat064, and the comments of its ``BioC.dtd``. It fixes where things stand; names of infons are left to
the files' makers, and what is read here are the names that PubTator, BC5CDR, BioRED and NLM-Chem use.

Text: passages (or their sentences, where a passage has no text of its own) are laid at their offsets. A gap of one
character becomes a newline, a longer one spaces and then a newline. Passages that overlap are refused.

Annotations of sentences, passages and the document are read, in this order within each. ``type`` is the label; the
values of ``identifier``, ``MESH``, ``OMIM`` and ``cui`` are concepts, cut at ``|``, ``;`` and ``,`` unless they are
sequence variants (``c|SUB|G|35|A``); other infons are attributes, ``true`` as a binary one, an empty one as not set.
Locations are the fragments. They are taken to count characters of the document, as today's files do, although the DTD
recommends bytes: where a file does count bytes, its mentions come out in ``Document.mismatched``. A mention's text is
compared with its fragments, or with all from its start to its end, as both are in use for discontinuous ones. Ids need
be unique only where relations refer to them, so one that comes twice in a document is replaced.

Relations with two nodes become (type, first, second), with more (type, first, other) for each other: the first is the
trigger where there is one. Those whose infons name the concepts (``entity1`` and ``entity2``, ``role1`` and ``role2``,
or, without nodes, two infons besides the type) relate codes.

Left out for want of a place in :class:`Document`: infons of collections, documents and passages; roles of nodes;
annotations without location, which speak of the document; relations to those or to relations, or with fewer than two
ends.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from clinspan.corpora._documents import codes, envelope, surface, unique_ids, writable
from clinspan.corpora._files import library
from clinspan.corpora.model import Annotation, CorpusError, Document

_TYPES = ("type", "relation")
_CONCEPTS = ("identifier", "mesh", "omim", "cui")
_ENDS = (("entity1", "entity2"), ("role1", "role2"))

#: Where an id leads: numbers of annotations, ``None`` for what has no form here.
_Scope = dict[str, list[int | None]]


def documents(decoded: Iterable[Any], path: Path) -> Iterator[Document]:
    """The documents of ``bioc.BioCDocument`` objects, as they are decoded.

    Raises:
        CorpusError: when decoding meets something that is not BioC; for passages that overlap, a document without id,
            a location outside the text, and a relation to an id that is not there.
    """
    rest = iter(decoded)
    while True:
        # The library checks nothing: what is missing or of another type shows while it or we use it.
        try:
            raw = next(rest, None)
            document = None if raw is None else _Reader(raw, path).document()
        except CorpusError:
            raise
        except KeyError as error:
            raise CorpusError(path, 0, f"not BioC: {error.args[0]} is missing") from None
        except (AttributeError, TypeError, ValueError):
            raise CorpusError(path, 0, "not BioC: a value is missing or of another type") from None
        if document is None:
            return
        yield document


def collection(documents: Iterable[Document], path: Path, problem: Callable[[Document], str]) -> Any:
    """A ``bioc.BioCCollection`` of documents, each as one passage at offset 0.

    Concepts are joined with ``|`` as ``identifier``, binary attributes become ``true``; attributes whose name has
    another meaning in BioC are left out.

    Raises:
        CorpusError: when the library is not installed.
        ValueError: for a document with a problem.
    """
    bioc = library("bioc", path)
    result = bioc.BioCCollection()
    result.source, result.date = "clinspan", ""  # not today's: the same documents give the same file
    for document in writable(documents, problem):
        passage = bioc.BioCPassage.of_text(document.text, 0)
        for annotation in document.annotations:
            passage.add_annotation(_annotation(bioc, document.text, annotation))
        raw = bioc.BioCDocument.of_passages(passage)
        raw.id = document.doc_id
        ids = {annotation.id for annotation in document.annotations}
        for number, relation in enumerate(document.relations, start=1):
            raw.add_relation(_relation(bioc, f"R{number}", relation, ids))
        result.add_document(raw)
    return result


def _annotation(bioc: Any, text: str, annotation: Annotation) -> Any:
    raw = bioc.BioCAnnotation()
    raw.id = annotation.id
    raw.infons = {"type": annotation.label}
    if annotation.concepts:
        raw.infons["identifier"] = "|".join(annotation.concepts)
    for name, value in annotation.attributes.items():
        if name != "type" and name.lower() not in _CONCEPTS and value is not False:
            raw.infons[name] = "true" if value is True else value
    for start, end in annotation.fragments:
        raw.add_location(bioc.BioCLocation(start, end - start))
    raw.text = surface(text, annotation.fragments)
    return raw


def _relation(bioc: Any, identifier: str, relation: tuple[str, str, str], ids: set[str]) -> Any:
    kind, *ends = relation
    raw = bioc.BioCRelation()
    raw.id = identifier
    raw.infons = {"type": kind}
    if ids.issuperset(ends):
        raw.nodes = [bioc.BioCNode(end, f"Arg{number}") for number, end in enumerate(ends, start=1)]
    else:
        raw.infons.update(zip(_ENDS[0], ends, strict=True))
    return raw


class _Reader:
    """One document while it is read."""

    def __init__(self, raw: Any, file: Path) -> None:
        self.raw = raw
        self.file = file
        self.annotations: list[Any] = []
        self.relations: list[tuple[Any, _Scope]] = []

    def document(self) -> Document:
        doc_id = _string(self.raw.id)
        if not doc_id:
            raise CorpusError(self.file, 0, "a document without id")
        text = self._text()
        everything = self._collect(self.raw)
        ids = unique_ids([_string(annotation.id) for annotation in self.annotations])
        annotations = tuple(self._read(a, i, text) for a, i in zip(self.annotations, ids, strict=True))
        mismatched = (
            annotation.id
            for annotation, raw in zip(annotations, self.annotations, strict=True)
            if raw.text and raw.text.split() not in _published(text, annotation)
        )
        relations = (pair for raw, scope in self.relations for pair in self._relate(raw, scope, everything, ids))
        return Document(doc_id, text, annotations, tuple(relations), tuple(mismatched))

    def _text(self) -> str:
        pieces = []
        for passage in self.raw.passages:
            sentences = [(_offset(sentence.offset), sentence.text) for sentence in passage.sentences if sentence.text]
            if passage.text:
                start = _offset(passage.offset)
                if any(o < start or not passage.text.startswith(text, o - start) for o, text in sentences):
                    raise self._error("a sentence that is not in the text of its passage")
                sentences = [(start, passage.text)]
            pieces += sentences
        text = ""
        for offset, piece in sorted(pieces, key=lambda piece: piece[0]):
            if offset < len(text):
                raise self._error(f"passages that overlap at offset {offset}")
            gap = offset - len(text)
            text += (" " * (gap - 1) + "\n" if gap else "") + piece
        return text

    def _collect(self, container: Any) -> _Scope:
        """Note the annotations and relations of a document, passage or sentence; where the ids in it lead."""
        scope: _Scope = {}
        for inner in (*getattr(container, "passages", ()), *getattr(container, "sentences", ())):
            for identifier, targets in self._collect(inner).items():
                scope.setdefault(identifier, []).extend(targets)
        for annotation in container.annotations:
            target = None
            if annotation.locations:
                target = len(self.annotations)
                self.annotations.append(annotation)
            scope.setdefault(_string(annotation.id), []).append(target)
        for relation in container.relations:
            scope.setdefault(_string(relation.id), []).append(None)
            self.relations.append((relation, scope))
        return scope

    def _read(self, raw: Any, identifier: str, text: str) -> Annotation:
        fragments = sorted((_offset(place.offset), _offset(place.offset) + place.length) for place in raw.locations)
        for start, end in fragments:
            if not 0 <= start < end <= len(text):
                raise self._error(f"offsets {start} {end} are not in the text")
        values = {
            name: value
            for name, value in raw.infons.items()
            if value is not None and value is not False and value != ""
        }
        concepts = [c for name, value in values.items() if name.lower() in _CONCEPTS for c in codes(_string(value))]
        return Annotation(
            *envelope(fragments),
            label=_string(values.get("type")),
            fragments=tuple(fragments),
            attributes={
                name: value is True or value == "true" or _string(value)
                for name, value in values.items()
                if name != "type" and name.lower() not in _CONCEPTS
            },
            concepts=tuple(dict.fromkeys(concepts)),
            id=identifier,
        )

    def _relate(self, raw: Any, scope: _Scope, everything: _Scope, ids: list[str]) -> Iterator[tuple[str, str, str]]:
        kind = next((_string(raw.infons[name]) for name in _TYPES if name in raw.infons), "")
        others = [name for name in raw.infons if name not in _TYPES]
        for first, second in _ENDS:
            if first in raw.infons and second in raw.infons:
                yield kind, _code(raw.infons[first]), _code(raw.infons[second])
                return
        if not raw.nodes and len(others) == 2:
            yield kind, _code(raw.infons[others[0]]), _code(raw.infons[others[1]])
        if len(raw.nodes) < 2:
            return
        targets = []
        for node in raw.nodes:
            found = scope.get(_string(node.refid)) or everything.get(_string(node.refid)) or []
            if len(found) != 1:
                raise self._error("a relation refers to an id that is not there, or is there twice")
            targets.append(found[0])
        for target in targets[1:]:
            if targets[0] is not None and target is not None:
                yield kind, ids[targets[0]], ids[target]

    def _error(self, reason: str) -> CorpusError:
        return CorpusError(self.file, 0, f"document {_string(self.raw.id)}: {reason}")


def _code(value: Any) -> str:
    """The concept at an end of a relation; PubTator has an object there that names it."""
    return _string(value.get("identifier")) if isinstance(value, Mapping) else _string(value)


def _published(text: str, annotation: Annotation) -> list[list[str]]:
    return [surface(text, annotation.fragments).split(), text[annotation.start : annotation.end].split()]


def _offset(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise TypeError
    return value


def _string(value: Any) -> str:
    """A value of BioC JSON as BioC XML has it; PubTator has numbers, lists and objects there."""
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False)
