"""Sections, terms, abbreviations and the merger, each by rows."""

from __future__ import annotations

import pytest
from spacy.language import Language
from spacy.tokens import Span

import clinspan
from clinspan.components.entities import merge
from clinspan.pipeline import blank
from marked import parse

NLP = blank()


def sections(text: str) -> list[tuple[str, str]]:
    doc = NLP(text)
    return [(s.label_, t.text) for s, t in zip(doc.spans["sections"], doc.spans["section_titles"])]


@pytest.mark.parametrize(
    "text, expected",
    [
        ("CHIEF COMPLAINT: Cough.", [("chief_complaint", "CHIEF COMPLAINT")]),
        ("Past Medical History:\nAsthma", [("past_medical_history", "Past Medical History")]),
        ("HPI\nCough for 3 days", [("history_of_present_illness", "HPI")]),
        (
            "PMH: HTN. PSH: none. Allergies: NKDA.",
            [("past_medical_history", "PMH"), ("past_surgical_history", "PSH"), ("allergies", "Allergies")],
        ),
        ("PMH HTN\nMeds: lisinopril", [("past_medical_history", "PMH"), ("medications", "Meds")]),
        ("ALLERGIES,Penicillin.", [("allergies", "ALLERGIES")]),
        ("MEDICATIONS ON ADMISSION: aspirin", [("medications", "MEDICATIONS ON ADMISSION")]),
        ("PLANNED RECONSTRUCTION:\n3 minutes", [("other", "PLANNED RECONSTRUCTION")]),
        (
            "PHYSICAL EXAM:\nHEENT: normal\nLUNGS: clear\nASSESSMENT: well",
            [("physical_exam", "PHYSICAL EXAM"), ("assessment", "ASSESSMENT")],
        ),
        ("The plan was discussed with medications in hand.", []),
        ("She takes\nmedications daily", []),
        ("", []),
    ],
)
def test_sections(text: str, expected: list) -> None:
    assert sections(text) == expected


def test_text_before_the_first_header_has_no_section(nlp: Language) -> None:
    doc = nlp("Seen for cough.\nPLAN: rest, treat fever.")
    assert [e._.section for e in doc.spans["entities"] if e.label_ == "CONDITION"] == [None, "plan"]


def found(nlp: Language, text: str) -> list[tuple[str, str]]:
    doc = nlp(text)
    return [(e.text, e.label_) for e in doc.spans["entities"]]


@pytest.mark.parametrize(
    "marked",
    [
        "[SOB|CONDITION] and [cp|CONDITION] today",
        "c/o [abd pain|CONDITION]",
        "no [n|CONDITION]/[v|CONDITION]/[d|CONDITION]",
        "[HTN|CONDITION], [DM2|CONDITION], [CHF|CONDITION], [afib|CONDITION], s/p [MI|CONDITION]",
        "[UTI|CONDITION] treated with [abx|DRUG]",
        "[CBC|MEASUREMENT], [BMP|MEASUREMENT], [CXR|MEASUREMENT] and [EKG|MEASUREMENT]",
        "[A1c|MEASUREMENT] 7.9",
        "s/p [lap chole|PROCEDURE]",
        "[foley|DEVICE] placed",
        "[oedema|CONDITION] and [edema|CONDITION]",
        "[Chest\npain|CONDITION] since noon",
        "[BP|MEASUREMENT]:120/80",
        "[metformin|DRUG] 500mg",
        "[PE|CONDITION] on CTA".replace("CTA", "[CTA|MEASUREMENT]"),
        "PE tubes".replace("PE tubes", "[PE tubes|DEVICE]"),
        "98% on RA",
        "seropositive [RA|CONDITION] on [methotrexate|DRUG]",
        "[MS|CONDITION] with relapsing course",
        "The patient was seen as planned.",
        "She does well and is stable.",
        "[renal mass|CONDITION] on the left",
        "[carcinoma of the left breast|CONDITION]",
        "an [ankle tourniquet|DEVICE] and an [ICP catheter|DEVICE]",
        "[L5 compression fracture|CONDITION] on the [femoral artery angiogram|MEASUREMENT]",
        "[CO2 insufflation|PROCEDURE] through the osteotomy guide",
        "the [catheter neck|DEVICE] and SKIN PREPARATION: soap",
        "[spine problems|CONDITION] and [spine|ANATOMY]",
        "history of [alcohol abuse|CONDITION]",
        "[dorsal aspect of the right foot|ANATOMY] and the [7th rib|ANATOMY]",
        "limb of the [graft|DEVICE] and healthy tissue, [lung tissue|ANATOMY] removed",
        "[Cranial nerves II to XII|ANATOMY] intact",
        "alcohol induced [dementia|CONDITION]",
        "[smokes|OBSERVATION] one and a half packs",
        "[ruptured ectopic pregnancy|CONDITION], now [pregnant|OBSERVATION]",
        "the 40th percentile for gestational age, prepped with [iodine|DRUG] and [alcohol|DRUG]",
        "the [extensor hallucis longus tendon|ANATOMY], with [synovitis of the peroneus longus tendon|CONDITION]",
        "the [deltoid insertion|ANATOMY] seen before [needle insertion|PROCEDURE]",
        "[Plt|MEASUREMENT] 190K, [K|MEASUREMENT] 4.2, able to bear weight",
        "the [kidneys|ANATOMY] [weigh|MEASUREMENT] 115 grams",
        "a trough was burred in the [bone|ANATOMY]",
        "a [mattress stitch|DEVICE], [percutaneous screw fixation|PROCEDURE] and a [wedge biopsy|MEASUREMENT]",
        "echo smoke is seen; she does not [smoke|OBSERVATION]",
        "walking with weights, excessive weight on her left [leg|ANATOMY], [weight|MEASUREMENT] 70 kg",
        "Radiation Oncology offers [radiation therapy|PROCEDURE]; followed by ABC",
        "[5 months' pregnant|OBSERVATION], a [39-week pregnancy|OBSERVATION]",
        "She is a [teacher|OBSERVATION]. The teachers and the police officer say so.",
        "[stent removal|PROCEDURE] planned",
        "taken to the cath lab",
        "Department of Anesthesia",
        "started on [xyzumab|DRUG]",
        "[smoker|OBSERVATION], [lives alone|OBSERVATION]",
    ],
)
def test_terms(nlp: Language, marked: str) -> None:
    text, spans, _ = parse(marked)
    assert found(nlp, text) == [(text[s:e], label) for s, e, label in spans]


def test_headings_are_no_entities(nlp: Language) -> None:
    assert found(nlp, "ALLERGIES: none.\nANESTHESIA: spinal.") == []
    assert ("COMPLICATIONS", "CONDITION") in found(nlp, "COMPLICATIONS: None.")


def test_user_terms_win(tmp_path, nlp: Language) -> None:
    own = clinspan.load()
    terms = own.get_pipe("terms")
    count = terms.add_terms(
        [
            {"term": "chest pain clinic", "label": "observation", "code": "X1"},
            {"term": "=SOB", "label": "CONDITION", "code": "X2", "vocabulary": "local", "name": "breathless"},
        ],
        source="mine.csv",
    )
    assert count == 2
    own.to_disk(tmp_path / "own")
    for pipeline in (own, clinspan.load(tmp_path / "own")):
        doc = pipeline("Denies SOB. Seen in chest pain clinic. sob")
        rows = [
            (e.text, e.label_, e._.concept_id, e._.vocabulary, e._.concept_name, e._.source)
            for e in doc.spans["entities"]
        ]
        assert rows[0] == ("SOB", "CONDITION", "X2", "local", "breathless", "mine.csv")
        assert rows[1] == ("chest pain clinic", "OBSERVATION", "X1", "mine.csv", "chest pain clinic", "mine.csv")
        assert rows[2][0] == "sob" and rows[2][5] == "terms"
        assert doc.spans["entities"][0]._.negated


@pytest.mark.parametrize(
    "row, message",
    [
        ({"term": "", "label": "DRUG"}, "row 1 has no term"),
        ({"term": "x", "label": "PILL"}, "row 1: label"),
        ({"term": "'s", "label": "DRUG"}, "row 1 has no term"),
        ({"term": "*pain", "label": "DRUG"}, "row 1: a term is words"),
    ],
)
def test_bad_user_terms(row: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        blank().get_pipe("terms").add_terms([row], source="mine.csv")


@pytest.mark.parametrize(
    "text, short, label, name",
    [
        ("Congestive heart failure (CHF). CHF is stable.", "CHF", "CONDITION", None),
        ("She has polycystic kidney disease (PKD) and PKD runs on.", "PKD", "CONDITION", None),
        ("Given methotrexate (QTX), QTX was stopped.", None, None, None),
        ("Congestive heart failure (CHF, EF 20%) and CHF clinic.", "CHF", "CONDITION", None),
        ("Congestive heart failure (CHF; NYHA III) and CHF clinic.", "CHF", "CONDITION", None),
        ("Congestive heart failure [CHF] and CHF clinic.", "CHF", "CONDITION", None),
    ],
)
def test_abbreviations(nlp: Language, text: str, short: str | None, label: str | None, name: str | None) -> None:
    doc = nlp(text)
    mine = [(e.text, e.label_) for e in doc.spans["entities"] if e._.source == "abbreviations"]
    assert mine == ([(short, label)] * 2 if short else [])


@pytest.mark.parametrize(
    "text, long",
    [
        ("the RNA-dependent RNA polymerase (RdRp) is", "RNA-dependent RNA polymerase"),
        ("Labelled with 2,4-dinitrophenyl (DNP) here", "2,4-dinitrophenyl"),
        ("3-hydroxy-3-methylglutaryl-CoA (HMG-CoA)", "3-hydroxy-3-methylglutaryl-CoA"),
        ("in 3, dinitrophenyl (DNP) here", "dinitrophenyl"),
    ],
)
def test_long_forms_begin_where_their_first_word_does(nlp: Language, text: str, long: str) -> None:
    assert [text[s:e] for *_, s, e in nlp(text).user_data["clinspan.abbreviations"]] == [long]


def test_a_definition_may_be_repeated_but_not_changed(nlp: Language) -> None:
    text = "Heart failure (HF). Heart failure (HF) again. Hay fever (HF) too."
    assert [text[s:e] for *_, s, e in nlp(text).user_data["clinspan.abbreviations"]] == ["Heart failure"] * 2


def test_definition_in_the_note_overrides_the_dictionary(nlp: Language) -> None:
    assert ("PE", "CONDITION") in found(nlp, "Concern for PE. PE found.")
    text = "The patient education (PE) was given. PE was repeated."
    assert ("PE", "CONDITION") not in found(nlp, text)


def test_abbreviation_takes_the_long_forms_concept(nlp: Language) -> None:
    doc = nlp("Deep vein thrombosis (DVT) was found. DVT treated.")
    long, *short = [e for e in doc.spans["entities"] if e.label_ == "CONDITION"]
    assert short and all(e._.concept_id == long._.concept_id for e in short)


def test_merge_prefers_user_then_length_then_rank() -> None:
    doc = NLP.make_doc("chest pain clinic today")
    user = [Span(doc, 1, 2, label="X", span_id="mine.csv")]
    terms = [Span(doc, 0, 2, label="CONDITION", span_id="terms")]
    ner = [Span(doc, 0, 3, label="CONDITION", span_id="ner"), Span(doc, 3, 4, label="CONDITION", span_id="ner")]
    winners, losers = merge([user, [], terms, ner])
    assert [(s.start, s.end, s.id_) for s in winners] == [(1, 2, "mine.csv"), (3, 4, "ner")]
    assert [(s.start, s.end, s.id_) for s in losers] == [(0, 2, "terms"), (0, 3, "ner")]
    assert merge([[], [], terms, ner])[0][0].end == 3
    assert merge([[], terms, [Span(doc, 0, 2, label="DRUG", span_id="terms")], []])[0][0].label_ == "CONDITION"


def test_user_terms_win_with_any_source(nlp: Language) -> None:
    for source in ("user_terms", "terms"):
        own = clinspan.load()
        own.get_pipe("terms").add_terms([{"term": "chest", "label": "ANATOMY"}], source=source)
        assert found(own, "chest pain") == [("chest", "ANATOMY")]


def test_user_terms_win_over_abbreviations(nlp: Language) -> None:
    own = clinspan.load()
    own.get_pipe("terms").add_terms([{"term": "CHF", "label": "CONDITION", "code": "U1"}], source="mine.csv")
    doc = own("congestive heart failure (CHF). CHF is worse.")
    assert [e._.concept_id for e in doc.spans["entities"] if e.text == "CHF"] == ["U1", "U1"]


def test_saving_over_an_older_pipeline_leaves_nothing_of_it(tmp_path, nlp: Language) -> None:
    own = clinspan.load()
    own.get_pipe("terms").add_terms([{"term": "blue\u2028moon", "label": "DEVICE", "code": "a\tb"}], source="m.csv")
    own.get_pipe("context").add_rules(
        [
            {
                "id": "Z9",
                "axis": "negated",
                "value": "",
                "direction": "before",
                "scope": "",
                "stops": "",
                "labels": "",
                "cues": "xx",
            }
        ]
    )
    own.to_disk(tmp_path / "p")
    again = clinspan.load(tmp_path / "p")
    doc = again("xx blue moon")
    assert [(e._.concept_id, e._.negated) for e in doc.spans["entities"]] == [("a b", True)]
    nlp.to_disk(tmp_path / "p")
    assert found(clinspan.load(tmp_path / "p"), "xx blue moon") == []


def test_losers_leave_no_values(nlp: Language) -> None:
    own = clinspan.load()
    own.get_pipe("terms").add_terms([{"term": "pain now", "label": "OBSERVATION"}], source="mine.csv")
    doc = own("No chest pain now.")
    assert [s.text for s in doc.spans["discarded"]] == ["chest pain"]
    (loser,) = doc.spans["discarded"]
    assert loser._.concept_id is None and not loser._.negated and loser.id_ == "terms"


def test_merge_with_the_trained_finder():
    doc = clinspan.pipeline.blank().make_doc("severe chest pain with renal stent")

    def spans(*given):
        return [Span(doc, start, end, label=label, span_id=source) for start, end, label, source in given]

    groups = [
        [],
        [],
        spans((3, 4, "DRUG", "mine.index")),
        spans((1, 3, "CONDITION", "terms"), (5, 6, "DEVICE", "terms")),
    ]
    trained = spans((0, 3, "CONDITION", "ner"), (3, 4, "CONDITION", "ner"), (4, 5, "ANATOMY", "ner"))

    def kept(winners):
        return [(span.start, span.end, span.label_) for span in winners]

    notes, losers = merge([*groups, trained])
    assert kept(notes) == [(1, 3, "CONDITION"), (3, 4, "DRUG"), (4, 5, "ANATOMY"), (5, 6, "DEVICE")]
    assert kept(losers) == [(0, 3, "CONDITION"), (3, 4, "CONDITION")]
    literature, _ = merge([*groups, trained], literature=True)
    assert kept(literature) == [(0, 3, "CONDITION"), (3, 4, "DRUG"), (4, 5, "ANATOMY"), (5, 6, "DEVICE")]
    assert kept(merge([*groups, []], literature=True)[0]) == kept(merge([*groups, []])[0])
