"""The pipeline as a whole: loading, annotate, what survives, and bad input."""

from __future__ import annotations

import pickle
import socket
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.tokens.underscore import Underscore

import clinspan
from clinspan.pipeline import blank, find_model
from marked import parse

TEXT = (
    "PMH: HTN, DM2.\nDenies chest pain or n/v/d. Father had MI at 52. Congestive heart failure (CHF) was noted; "
    "CHF is stable. ?PNA. Start metformin 500mg BID. Allergic to penicillin. Return if fever."
)


def values(doc: Doc) -> list[tuple]:
    return [
        (
            e.text,
            e.label_,
            e._.assertion,
            e._.exists,
            e._.experiencer,
            e._.section,
            e._.concept_id,
            e._.source,
            e._.cues,
        )
        for e in doc.spans["entities"]
    ]


def test_import_is_light() -> None:
    code = "import sys, clinspan; clinspan.__version__; sys.exit('spacy' in sys.modules or 'pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_unknown_attribute() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        _ = clinspan.nothing
    assert "load" in dir(clinspan)


def test_spacy_loads_the_folder_without_clinspan_imported(nlp: Language) -> None:
    code = (
        f"import spacy; doc = spacy.load({str(find_model())!r})('Denies chest pain.'); e = doc.spans['entities'][0]\n"
    )
    code += "assert (e.text, e._.negated, e._.assertion) == ('chest pain', True, 'absent'), e.text"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_unknown_pipeline_says_where_it_looked() -> None:
    with pytest.raises(OSError, match=r"no_such_pipeline.*models"):
        clinspan.load("no_such_pipeline")


def test_exclude() -> None:
    nlp = clinspan.load(exclude=["abbreviations"])
    doc = nlp("chest pain")
    assert "abbreviations" not in nlp.pipe_names and doc.spans["entities"][0].text == "chest pain"


def test_contract_example(nlp: Language) -> None:
    doc = nlp("Denies chest pain. Father had MI at 52. Start metformin 500 mg BID.")
    assert [(e.text, e.label_, e._.assertion) for e in doc.spans["entities"]] == [
        ("chest pain", "CONDITION", "absent"),
        ("MI", "CONDITION", "family"),
        ("metformin", "DRUG", "present"),
    ]
    assert [e._.exists for e in doc.spans["entities"]] == [False, False, True]
    assert [e.text for e in doc.ents] == ["chest pain", "MI", "metformin"]


def test_pipe_with_two_processes(nlp: Language) -> None:
    texts = [TEXT, "", "No edema.", TEXT]
    assert [values(d) for d in nlp.pipe(texts, n_process=2)] == [values(nlp(t)) for t in texts]


def test_docbin(nlp: Language) -> None:
    store = DocBin(store_user_data=True, docs=[nlp(TEXT)])
    (again,) = DocBin().from_bytes(store.to_bytes()).get_docs(nlp.vocab)
    assert values(again) == values(nlp(TEXT))


def test_doc_bytes(nlp: Language) -> None:
    doc = nlp(TEXT)
    assert values(Doc(nlp.vocab).from_bytes(doc.to_bytes())) == values(doc)


def test_to_disk_and_bytes(nlp: Language, tmp_path: Path) -> None:
    nlp.to_disk(tmp_path / "copy")
    assert values(clinspan.load(tmp_path / "copy")(TEXT)) == values(nlp(TEXT))
    fresh = blank().from_bytes(nlp.to_bytes())
    assert values(fresh(TEXT)) == values(nlp(TEXT))
    assert not list((tmp_path / "copy").rglob("*.pkl"))


@pytest.mark.parametrize("name", ["sentences", "sections", "terms", "abbreviations", "entities", "context"])
def test_each_component_round_trips(nlp: Language, name: str, tmp_path: Path) -> None:
    component = nlp.get_pipe(name)
    component.to_disk(tmp_path / name)
    nlp_again = clinspan.load()
    nlp_again.get_pipe(name).from_disk(tmp_path / name)
    nlp_again.get_pipe(name).from_bytes(component.to_bytes())
    assert values(nlp_again(TEXT)) == values(nlp(TEXT))
    assert pickle.loads(pickle.dumps(component)) is not None  # for worker processes that are spawned
    assert pickle.dumps(Underscore.get_state())


def test_values_of_equal_offsets_are_apart(nlp: Language) -> None:
    doc = clinspan.annotate(nlp, "No aspirin.", [(3, 10, "DRUG"), (3, 10, "ANATOMY")])
    assert [e._.negated for e in doc.spans["entities"]] == [True, False]
    doc.spans["entities"][1]._.negated = True
    assert [e._.negated for e in doc.spans["entities"]] == [True, True]
    doc.spans["entities"][0]._.negated = False
    assert [e._.negated for e in doc.spans["entities"]] == [False, True]


# --- annotate ---


@pytest.mark.parametrize(
    "text, given, expected",
    [
        ("no edema", [(3, 8, "CONDITION")], [(3, 8)]),
        ("nonedematous legs", [(3, 8, "CONDITION")], [(3, 8)]),
        ("a  b", [(1, 2, "X"), (2, 3, "X"), (3, 4, "X")], [(1, 2), (2, 3), (3, 4)]),
        ("pain now", [(4, 8, "CONDITION"), (0, 4, "CONDITION"), (0, 4, "CONDITION")], [(4, 8), (0, 4), (0, 4)]),
        ("e\u0301dema", [(0, 6, "CONDITION")], [(0, 6)]),
        ("\U0001f912fever", [(1, 6, "CONDITION")], [(1, 6)]),
        ("5mg/kg", [(0, 3, "DRUG"), (1, 6, "DRUG")], [(0, 3), (1, 6)]),
        ("left and right arm pain", [([(15, 23), (0, 4)], "CONDITION")], [(15, 23)]),
        ("carcinoma of the lung or the breast", [([(0, 16), (29, 35)], "CONDITION")], [(0, 16)]),
        ("chest pain is here", [(0, 11, "CONDITION"), (5, 10, "CONDITION")], [(0, 11), (5, 10)]),
        ("a  b", [(0, 2, "X")], [(0, 2)]),
        ("left or right arm", [[(0, 4, "ANATOMY"), (14, 17, "ANATOMY")]], [(14, 17)]),
        ("", [], []),
    ],
)
def test_annotate_keeps_every_span(nlp: Language, text: str, given: list, expected: list) -> None:
    doc = clinspan.annotate(nlp, text, given)
    assert doc.text == text
    assert [(e.start_char, e.end_char) for e in doc.spans["entities"]] == expected
    assert all(e._.source == "given" for e in doc.spans["entities"])
    assert len(doc.spans["discarded"]) == 0


def test_annotate_judges_discontinuous_spans_by_their_head(nlp: Language) -> None:
    doc = clinspan.annotate(nlp, "no left or right arm pain", [([(3, 7), (17, 25)], "CONDITION")])
    (entity,) = doc.spans["entities"]
    assert entity._.negated and entity._.fragments == [[3, 7], [17, 25]]


@pytest.mark.parametrize(
    "given", [(3, 3, "X"), (5, 3, "X"), (-1, 2, "X"), (0, 9, "X"), (1, 2), ("a", 1), ([(0, 1)], 3)]
)
def test_annotate_refuses_bad_spans(nlp: Language, given: tuple) -> None:
    with pytest.raises(ValueError, match="span 1") as error:
        clinspan.annotate(nlp, "hemoptys", [(0, 1, "X"), given])
    assert "hemoptys" not in str(error.value)


def test_annotate_agrees_with_the_finders(nlp: Language) -> None:
    doc = nlp(TEXT)
    given = [(e.start_char, e.end_char, e.label_) for e in doc.spans["entities"]]
    again = clinspan.annotate(nlp, TEXT, given)
    assert [e._.assertion for e in again.spans["entities"]] == [e._.assertion for e in doc.spans["entities"]]


# --- bad input ---


@pytest.mark.parametrize(
    "text, found",
    [
        ("", []),
        ("   \n\t \n", []),
        ("chest pain\0", ["chest pain"]),
        ("chest\0pain", ["chest\0pain".replace("\0", " ")]),
        ("fever \ud800 cough", ["fever", "cough"]),
        ("No fever.\r\nNo cough.\r\n", ["fever", "cough"]),
        ("\tfever\tcough\t", ["fever", "cough"]),
        ("\U0001f600 fever \U0001f468\u200d\u2695\ufe0f cough", ["fever", "cough"]),
        ("oede\u0301me, fever", ["fever"]),
        ("x" * 100_000 + " fever", ["fever"]),
        ("chest\npain", ["chest\npain"]),
    ],
)
def test_odd_texts(nlp: Language, text: str, found: list[str]) -> None:
    frame = clinspan.extract(text, nlp=nlp)
    assert [t for t, label in zip(frame["text"], frame["label"]) if label == "CONDITION"] == found
    read = clinspan.notes.sanitize(text)
    assert all(read[s:e] == t for s, e, t in zip(frame["start"], frame["end"], frame["text"]))


def test_five_megabytes_on_one_line(nlp: Language) -> None:
    piece = "Patient denies chest pain and has a cough with fever today, "
    text = piece * (5_000_000 // len(piece))
    doc = nlp(text)
    assert len(doc.spans["entities"]) == 3 * text.count("fever")


def test_no_network(nlp: Language, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("network call")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert len(clinspan.extract(TEXT, nlp=clinspan.load())) > 5


def test_marked_texts() -> None:
    assert parse("No [MRI|MEASUREMENT=absent] [x]") == ("No MRI [x]", [(3, 6, "MEASUREMENT")], ["absent"])


def test_runs_under_a_memory_zone(nlp: Language) -> None:
    expected = values(nlp(TEXT))
    for _ in range(2):
        with nlp.memory_zone():
            assert values(nlp(TEXT)) == expected
    assert values(nlp(TEXT)) == expected


def test_spacy_version_is_the_tested_one() -> None:
    assert spacy.__version__.startswith("3.8.")


@pytest.mark.parametrize("text", ["Abd soft, NT BS+", "abdomen BS present", "No fever bs"])
def test_short_forms_behind_entities(nlp: Language, text: str) -> None:
    doc = nlp(text)
    assert len(doc.spans["entities"]) >= 1 and doc.text == text


def test_many_definitions_in_one_note(nlp: Language) -> None:
    # quadratic work over definitions and spans needs minutes for this
    doc = nlp("congestive heart failure (CHF) " * 5_000)
    assert len(doc.spans["entities"]) == 10_000


def test_sections_of_the_same_group_have_their_own_titles(nlp: Language) -> None:
    doc = nlp("ALLERGIES:\nPenicillin\n\nPLAN:\nStart aspirin\n\nALLERGIES:\nSulfa\n")
    assert [e._.cues[0]["start"] for e in doc.spans["entities"] if e._.allergy] == [0, 44]


def test_line_ends_of_old_macs(nlp: Language) -> None:
    doc = nlp("PMH:\rAsthma\rMEDS:\rAspirin\r")
    assert [s.label_ for s in doc.spans["sections"]] == ["past_medical_history", "medications"]


def test_cues_hold_no_note_text(nlp: Language) -> None:
    doc = nlp("Denies chest pain.")
    assert "Denies" not in str(doc.user_data)


def test_threads(nlp: Language) -> None:
    own = clinspan.load()
    for name in ("terms", "context"):
        component = own.get_pipe(name)
        matcher = component._bundled.matcher if name == "terms" else component._cues.matcher
        matcher.limit = 50
    texts = [f"No fever w{i}, has  cough x{i} and  chest pain." for i in range(60)]
    expected = [values(nlp(t)) for t in texts]
    with ThreadPoolExecutor(8) as pool:
        assert [values(d) for d in pool.map(own, texts)] == expected


def test_spawned_processes(nlp: Language) -> None:
    code = (
        "import multiprocessing, clinspan\n"
        "if __name__ == '__main__':\n"
        "    multiprocessing.set_start_method('spawn')\n"
        "    docs = list(clinspan.load().pipe(['No fever.', 'Cough.'], n_process=2))\n"
        "    assert [d.spans['entities'][0]._.negated for d in docs] == [True, False]\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "spawn.py"
        script.write_text(code)
        subprocess.run([sys.executable, str(script)], check=True, timeout=120)
