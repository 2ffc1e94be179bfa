from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, Span

import clinspan
from clinspan import batch
from clinspan.corpora import CorpusError, Document
from clinspan.corpora import brat as brat_format
from clinspan.notes import Note
from clinspan.predictions import Finder, is_predictions, judge, predict, read_predictions
from corpus_files import written
from evaluations import TEXT, marks

DOCUMENTS = [Document("a", TEXT), Document("b", "Nothing.")]


@Language.component("test_negex")
def negex(doc: Doc) -> Doc:
    """As negspaCy does: an attribute on the spans of ``doc.ents``."""
    if not Span.has_extension("negex"):
        Span.set_extension("negex", default=False)
    for ent in doc.ents:
        ent._.negex = ent.start > 0 and doc[ent.start - 1].lower_ == "no"
    return doc


@pytest.fixture
def foreign() -> Language:
    """A pipeline that is not ours: a ruler with labels of its own and a component that negates."""
    nlp = spacy.blank("en")
    ruler = nlp.add_pipe("span_ruler", config={"annotate_ents": True, "spans_key": "found"})
    ruler.add_patterns([{"label": "DISEASE", "pattern": x} for x in ("fever", "asthma")])  # type: ignore[attr-defined]
    nlp.add_pipe("test_negex")
    return nlp


def surfaces(documents: list[Document]) -> list[list[tuple[str, str]]]:
    return [[(d.text[a.start : a.end], a.label) for a in d.annotations] for d in documents]


@pytest.mark.parametrize("spans", [None, "ents", "found"])
def test_a_pipeline_that_is_not_ours(foreign: Language, spans: str | None) -> None:
    finder = Finder(spans=spans, labels={"DISEASE": "CONDITION"}, attributes={"negex": "negated"})
    found = predict(foreign, DOCUMENTS, finder=finder)
    assert surfaces(found.documents) == [[("fever", "CONDITION"), ("asthma", "CONDITION")], []]
    assert found.axes == ("negated",)
    assert [a.attributes for a in found.documents[0].annotations] == [{"negated": True}, {"negated": False}]


def test_a_span_group_that_is_not_there(foreign: Language) -> None:
    with pytest.raises(ValueError, match="'sc'"):
        predict(foreign, DOCUMENTS, finder=Finder(spans="sc"))


def test_our_pipeline(nlp: Language) -> None:
    found = predict(nlp, DOCUMENTS)
    attributes = {d.text[a.start : a.end]: a.attributes for d in found.documents for a in d.annotations}
    assert attributes["fever"]["negated"] is True and attributes["asthma"]["experiencer"] == "family"
    assert found.axes == clinspan.corpora.AXES and found.name.startswith("en_clinspan")
    codes = {d.text[a.start : a.end]: a.concepts for d in found.documents for a in d.annotations}
    assert all(ranked and all(code.count(":") == 1 for code in ranked) for ranked in codes.values())
    assert len(codes["fever"]) > 1  # all candidates, best first


def test_judge_gives_back_the_spans_given(nlp: Language) -> None:
    given = Document("a", TEXT, marks(("fever", "CONDITION"), ("asthma", "MY_LABEL"), ("fev", "CONDITION")))
    (judged,) = judge(nlp, [given]).documents
    assert [(a.id, a.fragments, a.label) for a in judged.annotations] == [
        (a.id, a.fragments, a.label) for a in given.annotations
    ]
    assert [a.attributes["experiencer"] for a in judged.annotations] == ["patient", "family", "patient"]


def test_judge_with_a_pipeline_that_is_not_ours(foreign: Language) -> None:
    given = Document("a", TEXT, marks(("fever", "X"), ("fever. Mother", "X"), ("chest pain", "X")))
    (judged,) = judge(foreign, [given], finder=Finder(attributes={"negex": "negated"})).documents
    # spans that overlap are judged too, though doc.ents cannot hold both
    assert [a.attributes for a in judged.annotations] == [{"negated": True}, {"negated": True}, {"negated": False}]
    assert [a.id for a in judged.annotations] == [a.id for a in given.annotations]


def test_attributes_of_other_pipelines_in_the_process_say_nothing(foreign: Language) -> None:
    predict(foreign, DOCUMENTS)  # registers its attribute for all Docs
    assert predict(spacy.blank("en"), DOCUMENTS).axes == ()


@Language.component("test_failing")
def failing(doc: Doc) -> Doc:
    raise ValueError(doc.text)


@pytest.mark.parametrize("how", [predict, judge])
def test_errors_of_a_pipeline_do_not_quote_the_text(how: Callable) -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("test_failing")
    with pytest.raises(ValueError, match=r"document 'a': the pipeline failed \(ValueError\)") as caught:
        how(nlp, [Document("a", TEXT, marks(("fever", "X")))])
    assert "fever" not in str(caught.value)


def test_section_headers_and_abbreviations(nlp: Language) -> None:
    text = "ALLERGIES: none.\nHISTORY OF PRESENT ILLNESS: congestive heart failure (CHF), no CHF now."
    sections = predict(nlp, [Document("a", text)], finder=Finder(layer="sections"))
    assert surfaces(sections.documents)[0][0] == ("ALLERGIES", "allergies")
    (pair,) = predict(nlp, [Document("a", text)], finder=Finder(layer="abbreviations")).documents[0].annotations
    assert [text[s:e] for s, e in pair.fragments] == ["congestive heart failure", "CHF"]


def test_predictions_in_json_lines(tmp_path: Path) -> None:
    line = {
        "doc_id": "a",
        "annotations": [
            {"start": 3, "end": 8, "label": "DISEASE", "attributes": {"Negated": True, "note": "x"}},
            {"start": 20, "end": 26, "label": "DRUG"},
        ],
    }
    path = written(tmp_path, "p.jsonl", json.dumps(line) + "\n")
    found = read_predictions(path, labels={"DISEASE": "CONDITION"})
    assert [(a.label, dict(a.attributes)) for a in found.documents[0].annotations] == [
        ("CONDITION", {"negated": True}),
        ("DRUG", {}),
    ]
    assert found.axes == clinspan.corpora.AXES  # what is not written down is not so
    path = written(tmp_path, "none.jsonl", json.dumps({"doc_id": "a", "annotations": [[3, 8, "X"]]}))
    assert read_predictions(path).axes == ()


def test_predictions_in_a_folder_of_brat(tmp_path: Path) -> None:
    brat_format.write([Document("a", TEXT, marks(("asthma", "CONDITION", {"Experiencer": "family"})))], tmp_path)
    found = read_predictions(tmp_path)
    assert found.documents[0].annotations[0].attributes == {"experiencer": "family"}


def test_predictions_of_a_run(tmp_path: Path, nlp: Language) -> None:
    notes = [Note(d.doc_id, d.text) for d in DOCUMENTS]
    batch.run(notes, nlp=nlp, output=batch.prepare_output(tmp_path / "out"))
    found = read_predictions(tmp_path / "out")
    direct = predict(nlp, DOCUMENTS)
    assert [[(a.fragments, a.label, a.attributes, a.concepts) for a in d.annotations] for d in found.documents] == [
        [(a.fragments, a.label, a.attributes, a.concepts[:1]) for a in d.annotations] for d in direct.documents
    ]


def test_predictions_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="format"):
        read_predictions(written(tmp_path, "p.unknown", ""))
    line = {"doc_id": "a", "annotations": [{"start": 0, "end": 1, "label": "X", "attributes": {"negated": "perhaps"}}]}
    with pytest.raises(CorpusError, match="negated") as caught:
        read_predictions(written(tmp_path, "p.jsonl", json.dumps(line)))
    assert "perhaps" not in str(caught.value)


def test_what_is_predictions_and_what_a_pipeline(tmp_path: Path) -> None:
    assert not is_predictions("en_clinspan")
    assert is_predictions(tmp_path) and is_predictions(written(tmp_path, "p.jsonl", ""))
    written(tmp_path, "config.cfg", "")
    assert not is_predictions(tmp_path)
