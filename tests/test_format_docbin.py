from __future__ import annotations

import gc
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import spacy
import srsly
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Corpus

from clinspan.attributes import values_of
from clinspan.corpora import Annotation, CorpusError, Document
from clinspan.corpora import docbin as docbin_format
from clinspan.corpora.conversion import compare
from corpus_files import PLAIN, RICH

WORDS = ["No", "fever", "or", "chills", "."]


def made(*prepare: Callable[[Doc], object], user_data: bool = True) -> bytes:
    """A DocBin as spaCy makes it, with one Doc for each function that is to annotate it."""
    packed = DocBin(store_user_data=user_data)
    for change in prepare:
        doc = Doc(spacy.blank("en").vocab, words=WORDS, spaces=[True, True, True, False, False])
        change(doc)
        packed.add(doc)
    return packed.to_bytes()


def read_docbin(folder: Path, content: bytes) -> list[Document]:
    (folder / "d.spacy").write_bytes(content)
    return list(docbin_format.read(folder / "d.spacy"))


def entities(doc: Doc) -> None:
    doc.ents = [Span(doc, 1, 2, label="A", kb_id="C1", span_id="e"), Span(doc, 3, 4, label="A")]


def groups(**names: tuple[str, int]) -> Callable[[Doc], None]:
    def change(doc: Doc) -> None:
        entities(doc)
        for name, (label, token) in names.items():
            doc.spans[name] = [Span(doc, token, token + 1, label=label)]

    return change


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (entities, [("e", "A", 3, 8, ("C1",)), ("T1", "A", 12, 18, ())]),
        (groups(entities=("B", 1), sc=("C", 0)), [("T1", "B", 3, 8, ())]),
        (groups(other=("B", 1)), [("T1", "B", 3, 8, ())]),
        (groups(other=("B", 1), sc=("C", 0)), [("T1", "C", 0, 2, ())]),
        (lambda doc: None, []),
    ],
)
def test_spans_of_others(tmp_path: Path, change: Callable, expected: list) -> None:
    (document,) = read_docbin(tmp_path, made(change, user_data=False))
    assert [(a.id, a.label, a.start, a.end, a.concepts) for a in document.annotations] == expected
    assert (document.doc_id, document.text) == ("d-1", "No fever or chills.")


def test_document_ids(tmp_path: Path) -> None:
    content = made(
        lambda doc: doc.user_data.update(doc_id="n"), lambda doc: None, lambda doc: doc.user_data.update(doc_id=7)
    )
    assert [document.doc_id for document in read_docbin(tmp_path, content)] == ["n", "d-2", "7"]


def test_values_of_the_pipeline(tmp_path: Path) -> None:
    def judged(doc: Doc) -> None:
        doc.spans["entities"] = [
            Span(doc, 1, 2, label="CONDITION"),
            Span(doc, 3, 4, label="CONDITION", span_id="0"),
            Span(doc, 1, 2, label="OBSERVATION"),
        ]
        values_of(doc, 3, 8, "CONDITION").update(negated=True, historical=False, source="terms", section="history")
        values_of(doc, 3, 8, "CONDITION").update(concept_id="R50.9", vocabulary="ICD10CM", experiencer="patient")
        values_of(doc, 12, 18, "CONDITION").update(experiencer="family", fragments={"0": [[12, 18], [3, 8]]})

    (document,) = read_docbin(tmp_path, made(judged))
    assert document.annotations == (
        Annotation(3, 8, "CONDITION", ((3, 8),), {"negated": True}, ("ICD10CM:R50.9",), "T1"),
        Annotation(3, 18, "CONDITION", ((3, 8), (12, 18)), {"experiencer": "family"}, (), "0"),
        Annotation(3, 8, "OBSERVATION", ((3, 8),), {}, (), "T2"),
    )


def test_as_written(tmp_path: Path) -> None:
    docbin_format.write([RICH], tmp_path / "d.spacy")
    (doc,) = DocBin().from_disk(tmp_path / "d.spacy").get_docs(spacy.blank("en").vocab)
    assert doc.text == RICH.text
    assert [(s.start_char, s.end_char, s.label_, s.id_, s.kb_id_) for s in doc.spans["entities"]] == [
        (7, 12, "CONDITION", "T1", "HP:0001945"),
        (16, 40, "CONDITION", "T2", ""),
        (31, 35, "ANATOMY", "T3", "UBERON:0001465"),
        (53, 55, "CONDITION", "T4", ""),
        (53, 55, "OBSERVATION", "T5", ""),
    ]
    assert [(e.start_char, e.end_char, e.label_) for e in doc.ents] == [
        (7, 12, "CONDITION"),
        (16, 40, "CONDITION"),
        (53, 55, "CONDITION"),
    ]


def test_an_ner_component_learns_from_it(tmp_path: Path) -> None:
    within = Document(
        "n",
        " infarct\n\u00b5 mild-moderate\U0001d6fc",
        (
            Annotation(1, 8, "S", ((1, 8),), id="T1"),
            Annotation(0, 8, "S", ((0, 8),), id="T2"),
            Annotation(16, 24, "S", ((16, 24),), id="T3"),
        ),
    )
    docbin_format.write([PLAIN, RICH, within], tmp_path / "d.spacy")
    nlp = spacy.blank("en")
    nlp.add_pipe("ner")
    corpus = Corpus(tmp_path / "d.spacy")
    nlp.initialize(lambda: corpus(nlp))
    assert nlp.get_pipe("ner").labels == ("CONDITION", "S")
    losses = nlp.update(list(corpus(nlp)))
    assert losses["ner"] > 0
    assert [(e.start_char, e.end_char) for e in list(corpus(nlp))[2].reference.ents] == [(1, 8), (16, 24)]


@pytest.mark.parametrize(
    "before",
    [
        PLAIN,
        RICH,
        Document("empty", ""),
        Document(
            "",
            "a\r\n\u2028\x00\t \U0001d6fc",
            (Annotation(1, 3, "", ((1, 3),), id="x y"),),
            (("r", "C1", "C2"),),
            ("x y",),
        ),
        Document(
            "d", "abcd", (Annotation(0, 4, "S", ((0, 1), (3, 4)), id="a"), Annotation(1, 2, "S", ((1, 2),), id="b"))
        ),
        Document("d", "abcd", (Annotation(0, 4, "S", ((0, 3), (1, 4)), id="a"),)),
    ],
)
def test_round_trip(tmp_path: Path, before: Document) -> None:
    docbin_format.write([before], tmp_path / "d.spacy")
    first = (tmp_path / "d.spacy").read_bytes()
    (after,) = docbin_format.read(tmp_path / "d.spacy")
    assert (after, compare(before, after)) == (before, [])
    docbin_format.write([after], tmp_path / "d.spacy")
    assert (tmp_path / "d.spacy").read_bytes() == first


def test_ids_that_cannot_be_kept(tmp_path: Path) -> None:
    annotations = tuple(Annotation(0, 1, label, ((0, 1),), {label: True}, (), "x") for label in "AB")
    before = Document("d", "a", annotations)
    docbin_format.write([before, Document("e", "")], tmp_path / "d.spacy")
    after, _ = docbin_format.read(tmp_path / "d.spacy")
    assert [(loss.what, loss.annotation, loss.detail) for loss in compare(before, after)] == [("id", "x", "T1")]


def stored(**values: object) -> bytes:
    def change(doc: Doc) -> None:
        entities(doc)
        doc.user_data["clinspan.corpus"] = {"annotations": {}, **values}

    return made(change)


GOOD = made(entities)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"fever",
        GOOD[:-9],
        zlib.compress(b""),
        zlib.compress(srsly.msgpack_dumps(["fever"])),
        zlib.compress(srsly.msgpack_dumps({"attrs": [], "strings": ["fever"]})),
        zlib.compress(zlib.decompress(GOOD)[:-9]),
        made(groups(a=("fever", 1), b=("B", 1))),
        made(lambda doc: doc.user_data.update(doc_id=["fever"])),
        made(lambda doc: doc.user_data.update({"clinspan.corpus": "fever"})),
        stored(annotations=["fever"]),
        stored(annotations={"e": "fever"}),
        stored(annotations={"e": {"attributes": {"x": 1}}}),
        stored(annotations={"e": {"concepts": 1}}),
        stored(annotations={"e": {"fragments": [[3, 8, 9]]}}),
        stored(annotations={"e": {"fragments": [[3, 80]]}}),
        stored(annotations={"e": {"fragments": [["fever", 8]]}}),
        stored(relations=[["fever"]]),
        stored(mismatched=1),
    ],
)
def test_malformed(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(CorpusError) as caught:
        read_docbin(tmp_path, content)
    assert (caught.value.file, caught.value.line) == (tmp_path / "d.spacy", 0)
    assert caught.value.reason and "fever" not in caught.value.reason
    assert gc.isenabled()


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="cannot be read"):
        list(docbin_format.read(tmp_path / "none.spacy"))


@pytest.mark.parametrize(
    "refused", [Document("d", "fever \ud83d"), Document("d", "", (Annotation(3, 8, "S", ((3, 8),), id="T1"),))]
)
def test_refused(tmp_path: Path, refused: Document) -> None:
    assert docbin_format.problem(refused)
    with pytest.raises(ValueError, match="'d'") as caught:
        docbin_format.write([refused], tmp_path / "d.spacy")
    assert "fever" not in str(caught.value)
