"""spaCy's DocBin (``.spacy``): Docs packed with msgpack and zlib, no pickle; https://spacy.io/api/docbin.

Written: tokens of clinspan's tokenizer, cut where a mention begins or ends, so that text and offsets are exact;
``doc.spans["entities"]`` with every mention, its id as ``span.id_`` and its first concept as ``span.kb_id_``;
``doc.ents`` with those of them that an NER component can learn from: the longest first, none that overlap, none that
begin or end in white space. ``spacy train`` takes the file as it is. What spans have no place for is plain values in
``doc.user_data["clinspan.corpus"]``, by the mention's id; the document's id is in ``doc.user_data["doc_id"]``.

Read: ``doc.spans["entities"]``, else the only span group, else the group ``sc``, else ``doc.ents``. Without
``clinspan.corpus``, the values that clinspan's pipeline set are read: axes that are set as attributes, the concept, the
fragments of a discontinuous mention. A Doc without ``doc_id`` is ``<file stem>-<number>``.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinspan.corpora._documents import envelope, extras, fault, unique_ids, writable
from clinspan.corpora.model import Annotation, CorpusError, Document, read_bytes

if TYPE_CHECKING:
    from spacy.tokens import Doc, Span

KEY = "clinspan.corpus"
DOC_ID = "doc_id"


def read(path: Path) -> Iterator[Document]:
    """The documents of a DocBin.

    Raises:
        CorpusError: for a file that cannot be read or is not a DocBin, a Doc with several span groups none of which is
            ``entities`` or ``sc``, and values under ``clinspan.corpus`` that do not fit the Doc.
    """
    path = Path(path)
    for number, doc in enumerate(_docs(path), start=1):
        try:
            document = _document(doc, f"{path.stem}-{number}")
        except (AttributeError, LookupError, TypeError, ValueError):
            raise CorpusError(path, 0, f"Doc {number}: its spans or user data are damaged") from None
        if document is None:
            raise CorpusError(path, 0, f"Doc {number}: several span groups, none of them entities or sc")
        yield document


def write(documents: Iterable[Document], path: str | Path) -> None:
    """Write documents as a DocBin.

    Raises:
        ValueError: for a document with a :func:`problem`.
    """
    import spacy
    from spacy.tokens import DocBin

    vocab = spacy.blank("en").vocab
    packed = DocBin(store_user_data=True)
    for document in writable(documents, problem):
        packed.add(_doc(document, vocab))
    Path(path).write_bytes(packed.to_bytes())


def problem(document: Document) -> str:
    """Why a Doc cannot hold the document: text that is not Unicode, or annotations outside it. Empty when it can."""
    return fault(document)


def _docs(path: Path) -> Iterator[Doc]:
    import spacy
    from spacy.tokens import DocBin

    content = read_bytes(path)
    collecting = gc.isenabled()
    try:
        yield from DocBin().from_bytes(content).get_docs(spacy.blank("en").vocab)
    except Exception:  # whatever zlib, msgpack, numpy and spaCy stumble over
        raise CorpusError(path, 0, "not a DocBin, or damaged") from None
    finally:
        if collecting:
            gc.enable()  # srsly leaves it disabled when it cannot unpack


def _document(doc: Doc, default_id: str) -> Document | None:
    spans = _spans(doc)
    if spans is None:
        return None
    doc_id = doc.user_data.get(DOC_ID, default_id)
    if isinstance(doc_id, bool) or not isinstance(doc_id, (str, int)):
        raise TypeError
    stored: dict[str, Any] | None = doc.user_data.get(KEY)
    given = [span.id_ for span in spans]
    ids = unique_ids(given)
    annotations = []
    for span, own_id, identifier in zip(spans, given, ids, strict=True):
        values = _judged(span) if stored is None else stored["annotations"].get(own_id, {})
        annotations.append(_annotation(span, identifier, values))
    relations = tuple((str(kind), str(a), str(b)) for kind, a, b in (stored or {}).get("relations", ()))
    mismatched = tuple(map(str, (stored or {}).get("mismatched", ())))
    return Document(str(doc_id), doc.text, tuple(annotations), relations, mismatched)


def _spans(doc: Doc) -> list[Span] | None:
    names = list(doc.spans)
    if not names:
        return list(doc.ents)
    for name in ("entities", *(names if len(names) == 1 else ("sc",))):
        if name in names:
            return list(doc.spans[name])
    return None


def _judged(span: Span) -> dict[str, Any]:
    """What clinspan's pipeline stored of an entity, in the form of what is stored here."""
    from clinspan import attributes
    from clinspan.schema import FLAGS

    stored = attributes.stored_values(span)
    values: dict[str, Any] = {axis: True for axis in FLAGS if stored.get(axis)}
    if stored.get("experiencer", "patient") != "patient":
        values["experiencer"] = stored["experiencer"]
    code, vocabulary = stored.get("concept_id"), stored.get("vocabulary")
    prefix = f"{vocabulary}:" if vocabulary else ""
    found: dict[str, Any] = {"attributes": values, "fragments": (stored.get("fragments") or {}).get(span.id_, ())}
    return found | ({"concepts": (code if code.startswith(prefix) else prefix + code,)} if code else {})


def _annotation(span: Span, identifier: str, values: dict[str, Any]) -> Annotation:
    pieces = values.get("fragments") or ((span.start_char, span.end_char),)
    fragments = tuple(sorted((int(start), int(end)) for start, end in pieces))
    if any(not 0 <= start < end <= len(span.doc.text) for start, end in fragments):
        raise ValueError
    attributes: dict[str, str | bool] = {}
    for name, value in values.get("attributes", {}).items():
        if not isinstance(name, str) or not (value is True or isinstance(value, str)):
            raise TypeError
        attributes[name] = value
    return Annotation(
        *envelope(fragments),
        label=span.label_,
        fragments=fragments,
        attributes=attributes,
        concepts=tuple(map(str, values.get("concepts", (span.kb_id_,) if span.kb_id_ else ()))),
        id=identifier,
    )


def _doc(document: Document, vocab: Any) -> Doc:
    from spacy.util import filter_spans

    from clinspan.components.tokenizer import cut_at, make_doc, words_and_spaces

    pieces = [piece for annotation in document.annotations for piece in annotation.fragments]
    words, spaces = words_and_spaces(document.text)
    doc = make_doc(vocab, *cut_at(words, spaces, (start for start, _ in pieces), (end for _, end in pieces)))
    ids = unique_ids([annotation.id for annotation in document.annotations])
    spans = [_span(doc, a, identifier) for a, identifier in zip(document.annotations, ids, strict=True)]
    doc.spans["entities"] = spans
    doc.ents = filter_spans(s for s in spans if s.label_ and not (s[0].is_space or s[-1].is_space))
    doc.user_data[DOC_ID] = document.doc_id
    doc.user_data[KEY] = {
        "annotations": {i: extras(a) for i, a in zip(ids, document.annotations, strict=True)},
        "relations": [list(relation) for relation in document.relations],
        "mismatched": list(document.mismatched),
    }
    return doc


def _span(doc: Doc, annotation: Annotation, identifier: str) -> Span:
    concept = annotation.concepts[0] if annotation.concepts else ""
    span = doc.char_span(annotation.start, annotation.end, label=annotation.label, kb_id=concept, span_id=identifier)
    if span is None:
        raise AssertionError(f"[{annotation.start}, {annotation.end}) does not fall on tokens")
    return span
