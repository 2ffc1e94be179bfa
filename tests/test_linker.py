"""Entities to concepts: candidates and the code taken, and what of them survives."""

from __future__ import annotations

import pickle
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin

import clinspan
from clinspan.attributes import Candidate
from clinspan.components.linker import Linker, _settle
from clinspan.components.terms import ANY, Name, pack_names
from clinspan.matching import Concept, IndexFileError, TermIndex
from clinspan.pipeline import add_terms_file, blank, choose_vocabularies
from clinspan.terminologies import Term
from clinspan.terminologies.builder import build

TERMS = [
    Term("ICD10CM", "I10", "Hypertension", "preferred", "CONDITION", (), ("MESH:D006973", "DOID:10763")),
    Term("ICD10CM", "I10", "high blood pressure", "synonym", "CONDITION"),
    Term("MESH", "D006973", "Hypertension", "preferred", "CONDITION"),
    Term("DOID", "10763", "hypertensive disorder", "preferred", "CONDITION"),
    Term("DOID", "10763", "vascular pressure", "related", "CONDITION"),
    Term("ICD10CM", "I50", "Heart failure", "preferred", "CONDITION"),
    Term("MESH", "D006333", "congestive heart failure", "preferred", "CONDITION"),
    Term("UNII", "U1", "cold", "preferred", "DRUG"),
    Term("ICD10CM", "J00", "cold", "synonym", "CONDITION"),
    Term("ICD10CM", "J00", "Common cold", "preferred", "CONDITION"),
    Term("MESH", "D003080", "cold", "preferred", "CONDITION"),
    Term("MESH", "D008", "biopsy", "preferred", "MEASUREMENT"),
    Term("MESH", "D009", "glucose", "preferred", "DRUG"),
    Term("clinspan", "OWN1", "Hypertension, own", "preferred", "CONDITION"),
    Term("ICD10CM", "R06", "Dyspnea", "preferred", "CONDITION"),
    Term("ICD10CM", "A1", "Cardiac arrest", "preferred", "CONDITION"),
    Term("ICD10CM", "A2", "arrest", "related", "CONDITION"),
]


@pytest.fixture(scope="session")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("linker") / "concepts.index"
    build(TERMS, path)
    return path


@pytest.fixture
def linker(index: Path) -> Linker:
    linker = Linker()
    linker.open_index(index)
    return linker


DICTIONARY = [
    ("CONDITION", "clinspan", "OWN1", "Hypertension, own", "hypertension"),
    ("CONDITION", "ICD10CM", "I50", "Heart failure", "heart failure"),
    ("CONDITION", "", "", "", "dyspnea"),
    ("CONDITION", "", "", "", "congestive heart failure"),
    ("CONDITION", "", "", "", "hypertensive disorders"),
    ("CONDITION", "", "", "", "cold"),
    ("CONDITION", "", "", "", "mystery"),
]


def parts() -> Language:
    """The parts that find and link, freshly put together; the others take a second."""
    nlp = spacy.blank("en", config={"nlp": {"tokenizer": {"@tokenizers": "clinspan.tokenizer.v1"}}})
    for part in ("terms", "abbreviations", "entities", "linker"):
        nlp.add_pipe(f"clinspan_{part}", name=part)
    return nlp


def pipeline(folder: Path, index: Path | None) -> Language:
    """Those parts with a small dictionary and this index of concepts."""
    nlp = parts()
    names = [Name(Concept(*row[:4]), ANY, row[4]) for row in DICTIONARY]
    pairs, payload = pack_names(names)
    TermIndex.build(pairs).to_file(folder / "terms.index", payload=payload)
    nlp.get_pipe("terms").open_index(folder / "terms.index")
    if index is not None:
        nlp.get_pipe("linker").open_index(index)
    return nlp


@pytest.fixture
def nlp(tmp_path: Path, index: Path) -> Language:
    return pipeline(tmp_path, index)


def codes(doc: Doc) -> list[tuple[str, str | None, str | None]]:
    return [(e.text, e._.vocabulary, e._.concept_id) for e in doc.spans["entities"]]


def keys(found: Iterable[Candidate]) -> list[str]:
    return [f"{c.vocabulary}:{c.concept_id}" for c in found]


# candidates


@pytest.mark.parametrize(
    ("written", "label", "expected"),
    [
        # exact preferred names first, by the label's order of vocabularies; then what is reached from them
        ("hypertension", "CONDITION", ["ICD10CM:I10", "MESH:D006973", "DOID:10763"]),
        ("High blood pressures", "CONDITION", ["ICD10CM:I10", "DOID:10763", "MESH:D006973"]),
        ("hypertensive disorder", "CONDITION", ["DOID:10763", "ICD10CM:I10"]),
        ("cold", "CONDITION", ["MESH:D003080", "ICD10CM:J00"]),
        ("cold", "DRUG", ["UNII:U1"]),
        ("cold", "", ["MESH:D003080", "UNII:U1", "ICD10CM:J00"]),
        ("cold", "SOMETHING", ["MESH:D003080", "UNII:U1", "ICD10CM:J00"]),
        ("biopsy", "MEASUREMENT", ["MESH:D008"]),
        ("biopsy", "PROCEDURE", ["MESH:D008"]),
        ("heart failure", "DRUG", []),
        ("qqqq", "CONDITION", []),
        ("", "CONDITION", []),
        ("of the", "CONDITION", []),
    ],
)
def test_candidates_are_ranked(linker: Linker, written: str, label: str, expected: list[str]) -> None:
    found = linker.candidates(written, label)
    assert keys(found)[: len(expected)] == expected
    assert [c.score for c in found] == sorted((c.score for c in found), reverse=True)
    assert all(0 < c.score <= 1 for c in found) and len(set(keys(found))) == len(found) <= linker.keep
    assert expected or not found


@pytest.mark.parametrize(
    "written", ["cold", "the cold", "colds", "a glucose", "biopsy", "hypertension", "cold glucose"]
)
def test_a_condition_is_no_drug(linker: Linker, index: Path, written: str) -> None:
    labels = {f"{t.vocabulary}:{t.concept_id}": t.label for t in TERMS}
    assert {labels[key] for key in keys(linker.candidates(written, "CONDITION"))} <= {"CONDITION", "OBSERVATION"}


def test_a_kin_label_counts_less(linker: Linker) -> None:
    scores = {label: linker.candidates("biopsy", label)[0].score for label in ("MEASUREMENT", "PROCEDURE", "")}
    assert scores == {"MEASUREMENT": 1.0, "PROCEDURE": 0.9, "": 1.0}


def test_a_cross_reference_does_not_lead_to_another_label(tmp_path: Path) -> None:
    terms = [
        Term("DOID", "1", "opium abuse", "preferred", "CONDITION", (), ("MESH:D2",)),
        Term("MESH", "D2", "opium", "preferred", "DRUG"),
    ]
    build(terms, tmp_path / "x.index")
    linker = Linker()
    linker.add_index(tmp_path / "x.index")
    assert keys(linker.candidates("opium abuse", "CONDITION")) == ["DOID:1"]


def test_cross_references_lead_both_ways(linker: Linker) -> None:
    there = linker.candidates("high blood pressure", "CONDITION")
    back = linker.candidates("hypertensive disorder", "CONDITION")
    assert {c.score for c in there if c.vocabulary == "DOID"} == {0.97}  # .98 of a synonym, .99 of the way
    assert {c.score for c in back if c.concept_id == "I10"} == {0.99}
    assert next(c for c in there if c.vocabulary == "DOID").name == "hypertensive disorder"


def test_tokens_are_as_good_as_the_name(linker: Linker) -> None:
    tokens = ["high", "\n", "blood", "pressure"]
    assert linker.candidates(tokens, "CONDITION") == linker.candidates("high blood pressure", "CONDITION")


def test_near_only_where_nothing_is_exact_for_an_entity_with_a_concept(linker: Linker) -> None:
    given = ("clinspan", "OWN1", "Hypertension, own")
    found = linker.candidates("hypertension", "CONDITION", given)
    assert keys(found) == ["clinspan:OWN1", "ICD10CM:I10", "MESH:D006973", "DOID:10763"]
    assert found[0] == Candidate("OWN1", "clinspan", "Hypertension, own", 1.0)


def test_a_concept_that_the_index_does_not_have_goes_first(linker: Linker) -> None:
    found = linker.candidates("hypertension", "CONDITION", ("local", "X", "mine"))
    assert keys(found)[0] == "local:X" and "ICD10CM:I10" in keys(found)


def test_a_short_form_with_a_concept_is_not_looked_up(linker: Linker) -> None:
    # "cold" has four letters: what it means is decided where it was found
    assert keys(linker.candidates("cold", "CONDITION", ("local", "X", "mine"))) == ["local:X"]


def test_keep(linker: Linker) -> None:
    linker.keep = 2
    assert len(linker.candidates("hypertension", "CONDITION")) == 2


def test_candidates_of_two_indexes(linker: Linker, tmp_path: Path) -> None:
    build([Term("LOCAL", "L1", "hypertension", "synonym", "CONDITION")], tmp_path / "mine.index")
    linker.add_index(tmp_path / "mine.index")
    assert {"LOCAL:L1", "ICD10CM:I10"} <= set(keys(linker.candidates("hypertension", "CONDITION")))
    assert "LOCAL" in linker.known_vocabularies() and len(linker) == 1 + len({t[:2] for t in TERMS})


def test_an_index_without_concepts_to_look_up(linker: Linker, tmp_path: Path) -> None:
    build(TERMS, tmp_path / "x.index", linking=False)
    with pytest.raises(IndexFileError, match=r"x\.index"):
        linker.add_index(tmp_path / "x.index")
    linker.add_index(tmp_path / "x.index", needed=False)
    assert len(linker.indexes) == 1


CODES = {"right": "1", "left": "2"}  # the wrong one first
SIDES = [Term("V", "X", f"{side} thing{i}", "preferred", "CONDITION") for i in range(30) for side in ("left", "right")]


@pytest.mark.parametrize("written", ["severe hypertension", "Left hypertension", "moderately severe hypertension"])
def test_side_and_severity_need_not_be_in_a_name(linker: Linker, written: str) -> None:
    assert linker.candidates(written, "CONDITION")[0] == Candidate("I10", "ICD10CM", "Hypertension", 0.95)


def test_a_name_with_its_side_is_better_than_one_without(tmp_path: Path) -> None:
    terms = [Term("V", str(i), name, "preferred", "CONDITION") for i, name in enumerate(["cyst", "left cyst", "left"])]
    build(terms, tmp_path / "x.index")
    linker = Linker()
    linker.add_index(tmp_path / "x.index")
    assert [(c.concept_id, c.score) for c in linker.candidates("left cyst", "CONDITION")][:2] == [("1", 1), ("0", 0.95)]
    assert linker.candidates("left", "CONDITION")[0].concept_id == "2"


@pytest.mark.parametrize(("sides", "written"), [(("right",), "block"), (("right", "left"), "blockage")])
def test_the_other_side_is_not_as_good(tmp_path: Path, sides: tuple[str, ...], written: str) -> None:
    names = [Term("V", CODES[side], f"{side} bundle branch block", "preferred", "CONDITION") for side in sides]
    build([*names, *SIDES], tmp_path / "x.index")
    linker = Linker(least=0.9 if len(sides) == 1 else 0.5)
    linker.add_index(tmp_path / "x.index")
    found = [c for c in linker.candidates(f"left bundle branch {written}", "CONDITION") if c.score >= linker.least]
    assert [c.concept_id for c in found[:1]] == ["2"][: len(sides) - 1]


# codes of entities


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hypertension", ("clinspan", "OWN1")),  # the dictionary's own concept first
        ("heart failure", ("ICD10CM", "I50")),
        ("dyspnea", ("ICD10CM", "R06")),  # found exactly
        ("hypertensive disorders", ("DOID", "10763")),
        ("mystery", (None, None)),
    ],
)
def test_code(nlp: Language, text: str, expected: tuple) -> None:
    (entity,) = nlp(f"Has {text}.").spans["entities"]
    assert (entity._.vocabulary, entity._.concept_id) == expected
    assert [(c.vocabulary, c.concept_id) for c in entity._.candidates[:1]] == [expected][: expected[0] is not None]
    assert entity._.concept_name == (entity._.candidates[0].name if entity._.candidates else None)


def test_without_an_index_the_dictionary_stays(tmp_path: Path) -> None:
    doc = pipeline(tmp_path, None)("hypertension, dyspnea")
    assert codes(doc) == [("hypertension", "clinspan", "OWN1"), ("dyspnea", None, None)]
    # what the dictionary says is the one candidate
    assert [e._.candidates for e in doc.spans["entities"]] == [
        [Candidate("OWN1", "clinspan", "Hypertension, own", 1.0)],
        [],
    ]


@pytest.mark.parametrize(("least", "expected"), [(0.95, None), (0.5, "A1"), (0.0, "A1")])
def test_a_near_candidate_is_taken_from_least_on(nlp: Language, least: float, expected: str | None) -> None:
    nlp.get_pipe("linker").least = least
    text = "sudden cardiac arrest"
    (entity,) = clinspan.annotate(nlp, text, [(0, len(text), "CONDITION")]).spans["entities"]
    best = entity._.candidates[0]
    assert (best.concept_id, entity._.concept_id) == ("A1", expected) and 0.5 < best.score < 0.95


def test_least_itself_is_enough(nlp: Language) -> None:
    text = "sudden cardiac arrest"
    score = nlp.get_pipe("linker").candidates(text, "CONDITION")[0].score
    for least, expected in ((score, "A1"), (score + 1e-6, None)):
        nlp.get_pipe("linker").least = least
        (entity,) = clinspan.annotate(nlp, text, [(0, len(text), "CONDITION")]).spans["entities"]
        assert entity._.concept_id == expected


@pytest.mark.parametrize(
    ("vocabularies", "expected"),
    [
        ("icd10cm", [("ICD10CM", "I10"), ("ICD10CM", "I50"), ("ICD10CM", "R06"), (None, None)]),
        ("mesh,ICD-10-CM", [("MESH", "D006973"), ("ICD10CM", "I50"), ("ICD10CM", "R06"), (None, None)]),
        ("icd10cm,mesh", [("ICD10CM", "I10"), ("ICD10CM", "I50"), ("ICD10CM", "R06"), (None, None)]),
        ("Clinspan", [("clinspan", "OWN1"), (None, None), (None, None), (None, None)]),
        ("unii", [(None, None)] * 4),
        ("", [("clinspan", "OWN1"), ("ICD10CM", "I50"), ("ICD10CM", "R06"), (None, None)]),
    ],
)
def test_vocabularies(nlp: Language, vocabularies: str, expected: list) -> None:
    choose_vocabularies(nlp, vocabularies.split(","))
    doc = nlp("Hypertension, heart failure, dyspnea, mystery.")
    assert [(e._.vocabulary, e._.concept_id) for e in doc.spans["entities"]] == expected
    wanted = {name for name, _ in expected} | {"MESH"}
    if vocabularies:
        assert {c.vocabulary for e in doc.spans["entities"] for c in e._.candidates} <= wanted
    for entity in doc.spans["entities"]:
        assert (entity._.concept_name is None) == (entity._.concept_id is None)


def test_the_first_vocabulary_has_its_say_however_few_are_kept(nlp: Language) -> None:
    nlp.get_pipe("linker").keep = 1
    choose_vocabularies(nlp, ["doid", "icd10cm"])
    assert codes(nlp("Hypertension")) == [("Hypertension", "DOID", "10763")]


COUNTED = "Hypertension, dyspnea, cold, severe hypertension, sudden cardiac arrest, heart failure, mystery"


@pytest.mark.parametrize(
    "vocabularies",
    ["", "icd10cm", pytest.param("doid,mesh,icd10cm")],
)
def test_codes_are_the_same_where_no_more_is_asked_for(nlp: Language, vocabularies: str) -> None:
    choose_vocabularies(nlp, vocabularies.split(","))
    expected = codes(nlp(COUNTED))
    nlp.get_pipe("linker").keep = 1
    choose_vocabularies(nlp, vocabularies.split(","))  # forgets what it found
    assert codes(nlp(COUNTED)) == expected


def test_unknown_vocabularies_are_refused(nlp: Language) -> None:
    with pytest.raises(ValueError, match=r"no vocabulary none, .*: these are .*DOID, ICD10CM, MESH, UNII, clinspan"):
        choose_vocabularies(nlp, ["mesh", "none", "other"])


def test_a_refused_choice_changes_nothing(nlp: Language) -> None:
    with pytest.raises(ValueError, match="none"):
        choose_vocabularies(nlp, ["none"])
    assert codes(nlp("Hypertension")) == [("Hypertension", "clinspan", "OWN1")]


@pytest.mark.parametrize(
    "vocabulary",
    [
        "LOCAL",
        "Local",
        "local_codes",
        "LOCAL-1",
        "mine.csv",
        "\u00d6rtlich",
    ],
)
def test_a_vocabulary_is_chosen_by_its_own_name(nlp: Language, tmp_path: Path, vocabulary: str) -> None:
    build([Term(vocabulary, "L1", "heart failure", "preferred", "CONDITION")], tmp_path / "mine.index")
    add_terms_file(nlp, tmp_path / "mine.index")
    choose_vocabularies(nlp, [vocabulary])
    assert codes(nlp("Heart failure")) == [("Heart failure", vocabulary, "L1")]


def test_the_users_own_code_stays_with_vocabularies(nlp: Language, tmp_path: Path) -> None:
    rows = "term,label,code,vocabulary\nhypertension,CONDITION,X9,local\ndyspnea,CONDITION,,\n"
    (tmp_path / "mine.csv").write_text(rows)
    add_terms_file(nlp, tmp_path / "mine.csv")
    choose_vocabularies(nlp, ["icd10cm"])
    doc = nlp("Hypertension and dyspnea. Malignant hypertension (MHT), MHT.")
    assert codes(doc)[:2] == [("Hypertension", "local", "X9"), ("dyspnea", "ICD10CM", "R06")]
    assert codes(doc)[-2:] == [("MHT", "local", "X9")] * 2  # the short form's as well


def test_a_term_without_code_is_looked_up(nlp: Language, tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("term,label\nhigh blood pressure,CONDITION\n")
    add_terms_file(nlp, tmp_path / "mine.csv")
    assert codes(nlp("high blood pressure")) == [("high blood pressure", "ICD10CM", "I10")]


# the note


def test_a_short_form_is_looked_up_as_the_note_defines_it(nlp: Language) -> None:
    doc = nlp("Congestive heart failure (CHF). CHF is worse, CHFs.")
    assert {code for text, _, code in codes(doc) if text.startswith("CHF")} == {"D006333"}
    assert all(keys(e._.candidates)[0] == "MESH:D006333" for e in doc.spans["entities"])


@pytest.mark.parametrize(
    ("text", "given", "expected"),
    [
        ("Congestive heart failure (CHF). CHF is worse.", "CHF is", "D006333"),
        ("Congestive heart failure (CHF). No CHFs.", "CHFs", "D006333"),
        ("Common cold (CCD). Has CCD.", "CCD.", "J00"),
        ("CHF is worse.", "CHF is", None),
        ("Congestive heart failure (CHF). Chf is worse.", "Chf is", None),
    ],
)
def test_annotate_knows_the_notes_short_forms(nlp: Language, text: str, given: str, expected: str | None) -> None:
    start = text.index(given)
    end = start + len(given.split()[0].rstrip("."))
    (entity,) = clinspan.annotate(nlp, text, [(start, end, "CONDITION")]).spans["entities"]
    assert entity._.concept_id == expected


def test_definitions_of_one_note_are_not_those_of_the_next(nlp: Language) -> None:
    texts = ["Congestive heart failure (CA). CA.", "CA.", "Cardiac arrest (CA). CA."]
    found = [clinspan.annotate(nlp, t, [(len(t) - 3, len(t) - 1, "CONDITION")]).spans["entities"][0] for t in texts]
    assert [e._.concept_id for e in found] == ["D006333", None, "A1"]


def candidate(code: str, score: float, vocabulary: str = "V") -> Candidate:
    return Candidate(code, vocabulary, code.lower(), score)


A, B, C = candidate("A", 1.0), candidate("B", 0.98), candidate("C", 0.9)


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([], "A"),
        ([(B,)], "B"),
        ([(B,), (A,)], "A"),  # as many mean it
        ([(B,), (B,), (A,)], "B"),
        ([(C,)], "A"),  # fits less well
        ([(candidate("B", 1.0, "W"),)], "A"),  # the same code elsewhere
        ([(A, B)], "A"),  # itself tied: says nothing
        ([(candidate("Z", 1.0), candidate("B", 0.9))], "A"),  # not what the other means
        ([(candidate("Z", 1.0, "W"), B)], "B"),  # among what it means as well
        ([()], "A"),
    ],
)
def test_ties_are_broken_by_other_entities(others: list[tuple], expected: str) -> None:
    linked: list[tuple[dict[str, Any], tuple[Candidate, ...]]] = [({}, found) for found in others]
    linked.append(({}, (A, B, C)))
    _settle(linked, [])
    assert linked[-1][1][0].concept_id == expected and sorted(linked[-1][1]) == sorted((A, B, C))


def test_a_concept_that_is_known_is_not_moved() -> None:
    linked = [({"concept_id": "A"}, (A, B)), ({}, (B,))]
    _settle(linked, [])
    assert linked[0][1] == (A, B)


@pytest.mark.parametrize(
    "keep",
    [5, 1],
)
def test_a_tie_in_a_note(tmp_path: Path, keep: int) -> None:
    terms = [
        Term("V", "1", "discharge from hospital", "preferred", "CONDITION"),
        Term("V", "1", "discharge", "synonym", "CONDITION"),
        Term("V", "2", "purulent discharge", "preferred", "CONDITION"),
        Term("V", "2", "discharge", "synonym", "CONDITION"),
        Term("V", "3", "pus", "preferred", "CONDITION"),
    ]
    build(terms, tmp_path / "x.index")
    nlp = parts()
    nlp.get_pipe("linker").add_index(tmp_path / "x.index")
    nlp.get_pipe("linker").keep = keep

    def linked(text: str) -> list[str]:
        spans = [(text.index(name), text.index(name) + len(name), "CONDITION") for name in text.split(", ")]
        return [e._.concept_id for e in clinspan.annotate(nlp, text, spans).spans["entities"]]

    assert linked("Discharge") == ["1"]
    assert linked("Discharge, purulent discharge") == ["2", "2"]
    assert linked("discharge from hospital, Discharge") == ["1", "1"]


# what survives


def picture(doc: Doc) -> list[tuple]:
    return [(e.text, e._.vocabulary, e._.concept_id, e._.concept_name, e._.candidates) for e in doc.spans["entities"]]


TEXT = "Hypertension; congestive heart failure (CHF), CHF. No cold, no dyspnea, no mystery."


@pytest.fixture
def chosen(nlp: Language, tmp_path: Path) -> Language:
    """With an index of the user's."""
    build([Term("LOCAL", "L1", "dyspnea", "preferred", "CONDITION")], tmp_path / "mine.index")
    add_terms_file(nlp, tmp_path / "mine.index")
    assert {"LOCAL", "ICD10CM", "MESH"} <= {c.vocabulary for e in nlp(TEXT).spans["entities"] for c in e._.candidates}
    return nlp


def test_candidates_are_what_they_were_behind_a_docbin(chosen: Language) -> None:
    store = DocBin(store_user_data=True, docs=[chosen(TEXT)])
    (again,) = DocBin().from_bytes(store.to_bytes()).get_docs(chosen.vocab)
    assert picture(again) == picture(chosen(TEXT))
    best = again.spans["entities"][0]._.candidates[0]
    assert isinstance(best, Candidate) and best.vocabulary == "clinspan"
    assert picture(Doc(chosen.vocab).from_bytes(chosen(TEXT).to_bytes())) == picture(chosen(TEXT))


def test_a_saved_pipeline(chosen: Language, tmp_path: Path) -> None:
    chosen.to_disk(tmp_path / "saved")
    again = clinspan.load(tmp_path / "saved")
    assert picture(again(TEXT)) == picture(chosen(TEXT))
    assert len(again.get_pipe("linker").indexes) == 2
    again.to_disk(tmp_path / "saved")  # over itself
    assert picture(clinspan.load(tmp_path / "saved")(TEXT)) == picture(chosen(TEXT))
    assert picture(spacy.load(tmp_path / "saved")(TEXT)) == picture(chosen(TEXT))
    choose_vocabularies(again, ["local"])
    assert again(TEXT).spans["entities"][0]._.concept_id is None


def test_saving_over_an_older_pipeline_leaves_nothing_of_its_indexes(chosen: Language, tmp_path: Path) -> None:
    chosen.to_disk(tmp_path / "saved")
    (tmp_path / "other").mkdir()
    plain = pipeline(tmp_path / "other", None)
    plain.to_disk(tmp_path / "saved")
    assert picture(clinspan.load(tmp_path / "saved")(TEXT)) == picture(plain(TEXT))


def test_chosen_vocabularies_are_saved(chosen: Language, tmp_path: Path) -> None:
    choose_vocabularies(chosen, ["mesh"])
    chosen.to_disk(tmp_path / "saved")
    assert picture(clinspan.load(tmp_path / "saved")(TEXT)) == picture(chosen(TEXT))


@pytest.mark.parametrize("vocabularies", [[], ["mesh", "local"]])
def test_bytes(chosen: Language, vocabularies: list[str]) -> None:
    choose_vocabularies(chosen, vocabularies)
    assert picture(parts().from_bytes(chosen.to_bytes())(TEXT)) == picture(chosen(TEXT))


def test_pickle(chosen: Language) -> None:
    choose_vocabularies(chosen, ["mesh", "local"])
    linker = chosen.get_pipe("linker")
    linker.keep, linker.least = 3, 0.5
    again = pickle.loads(pickle.dumps(linker))
    assert (again.vocabularies, again.keep, again.least) == (("MESH", "LOCAL"), 3, 0.5)
    asked = ("sudden dyspnea", "CONDITION")
    assert again.candidates(*asked) == linker.candidates(*asked) != ()


def test_an_index_behind_a_symbolic_link_is_one(index: Path, tmp_path: Path) -> None:
    (tmp_path / "link.index").symlink_to(index)
    linker = Linker()
    linker.open_index(tmp_path / "link.index")
    assert len(pickle.loads(pickle.dumps(linker)).indexes) == 1


def test_reading_a_folder_replaces_what_was_there(chosen: Language, tmp_path: Path) -> None:
    chosen.to_disk(tmp_path / "saved")
    linker = chosen.get_pipe("linker")
    linker.from_disk(tmp_path / "saved" / "linker")
    assert len(linker.indexes) == 2


def test_two_processes(chosen: Language) -> None:
    texts = [TEXT, "", "No cold.", TEXT]
    assert [picture(d) for d in chosen.pipe(texts, n_process=2)] == [picture(chosen(t)) for t in texts]


def test_no_text_of_the_note_is_kept(chosen: Language) -> None:
    secret = "hemoptysis"
    text = f"Zyzzyva {secret} (ZH). {TEXT}"
    start = text.index(secret)
    clinspan.annotate(chosen, text, [(start, start + len(secret), "CONDITION"), (19, 21, "CONDITION")])
    linker = chosen.get_pipe("linker")
    assert secret in str(linker._remembered)  # else there was nothing to hide
    for data in (*(part.to_bytes() for _, part in chosen.pipeline), pickle.dumps(linker)):
        assert secret.encode() not in data


# scispaCy's linker


class _Generator:
    """What ``scispacy.linking.EntityLinker`` asks of its candidate generator."""

    kb = SimpleNamespace(
        cui_to_entity={
            "C1": SimpleNamespace(canonical_name="Hypertensive disease", definition="x"),
            "C2": SimpleNamespace(canonical_name="Pressure", definition="x"),
        }
    )

    def __call__(self, mentions: list[str], k: int) -> list[list[SimpleNamespace]]:
        found = [SimpleNamespace(concept_id=c, similarities=[s]) for c, s in (("C2", 0.8), ("C1", 0.99), ("C2", 0.2))]
        return [found if mention.lower() == "hypertension" else [] for mention in mentions]


@pytest.fixture
def with_scispacy(tmp_path: Path, index: Path) -> Language:
    from scispacy.linking import EntityLinker

    Language.factory("clinspan_test_linker", func=lambda nlp, name: EntityLinker(candidate_generator=_Generator()))
    nlp = pipeline(tmp_path, None)
    nlp.remove_pipe("linker")
    nlp.add_pipe("clinspan_test_linker", name="scispacy_linker", after="entities")
    config = {"external": "scispacy_linker"}
    nlp.add_pipe("clinspan_linker", name="linker", config=config, after="scispacy_linker").open_index(index)
    return nlp


def test_what_scispacys_linker_found_comes_first(with_scispacy: Language) -> None:
    first, second = with_scispacy("hypertension, dyspnea").spans["entities"]
    assert first._.candidates[:2] == [
        Candidate("C1", "UMLS", "Hypertensive disease", 0.99),
        Candidate("C2", "UMLS", "Pressure", 0.8),
    ]
    assert keys(first._.candidates)[2:4] == ["clinspan:OWN1", "ICD10CM:I10"] and len(first._.candidates) == 5
    assert (first._.vocabulary, second._.concept_id, second._.candidates[0].vocabulary) == (
        "clinspan",
        "R06",
        "ICD10CM",
    )


def test_scispacys_codes_can_be_chosen(with_scispacy: Language) -> None:
    choose_vocabularies(with_scispacy, ["umls"])
    assert codes(with_scispacy("hypertension, dyspnea")) == [("hypertension", "UMLS", "C1"), ("dyspnea", None, None)]


def test_scispacys_codes_are_not_taken_where_others_are_chosen(with_scispacy: Language) -> None:
    choose_vocabularies(with_scispacy, ["unii"])
    assert codes(with_scispacy("hypertension")) == [("hypertension", None, None)]


def test_an_external_linker_alone(with_scispacy: Language) -> None:
    linker = with_scispacy.get_pipe("linker")
    linker.indexes.clear()
    assert linker.known_vocabularies() == {"UMLS"}
    (entity,) = with_scispacy("hypertension").spans["entities"]
    assert keys(entity._.candidates) == ["UMLS:C1", "UMLS:C2", "clinspan:OWN1"]


def test_a_pipeline_with_an_external_linker_is_pickled(with_scispacy: Language) -> None:
    again = pickle.loads(pickle.dumps(with_scispacy.get_pipe("linker")))
    assert again.external == "scispacy_linker" and again._nlp.get_pipe("scispacy_linker").kb.cui_to_entity


@pytest.mark.parametrize("keep", [1, 5])
def test_an_entity_with_a_code_settles_others(tmp_path: Path, keep: int) -> None:
    names = [("F1", "zobitis", "synonym"), ("F2", "zobitis", "synonym"), ("F2", "plorbitis", "preferred")]
    terms = [Term("V", code, name, kind, "CONDITION") for code, name, kind in names]
    build(terms, tmp_path / "v.index")
    nlp = blank()
    nlp.get_pipe("linker").add_index(tmp_path / "v.index")
    nlp.get_pipe("linker").keep = keep
    rows = [{"term": "zobitis", "label": "CONDITION"}]
    rows += [{"term": "plorbitis", "label": "CONDITION", "code": "F2", "vocabulary": "V"}]
    nlp.get_pipe("terms").add_terms(rows)
    assert [e._.concept_id for e in nlp("Now zobitis.").spans["entities"]] == ["F1"]
    assert [e._.concept_id for e in nlp("Known plorbitis. Now zobitis.").spans["entities"]] == ["F2", "F2"]


def test_a_config_goes_before_what_was_saved(nlp: Language, tmp_path: Path) -> None:
    nlp.to_disk(tmp_path / "pipe")
    name = next(name for name in nlp.pipe_names if nlp.get_pipe_meta(name).factory == "clinspan_linker")
    config = {f"components.{name}.keep": 2, f"components.{name}.vocabularies": ["MESH"]}
    read = spacy.load(tmp_path / "pipe", config=config).get_pipe(name)
    assert (read.keep, read.vocabularies, read.least) == (2, ("MESH",), nlp.get_pipe(name).least)
