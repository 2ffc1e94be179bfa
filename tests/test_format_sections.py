from __future__ import annotations

import os
from pathlib import Path

import pytest

from clinspan.corpora import Annotation, CorpusError, Document, load_spec, read_corpus, sections
from corpus_files import written

DATA = os.environ.get("CLINSPAN_DATA", "")
needs_data = pytest.mark.skipif(not Path(DATA, "corpora").is_dir() or not DATA, reason="CLINSPAN_DATA has no corpora/")

NOTES = "dataset,encounter_id,dialogue,note\n"
SECTIONS = "ID,section_header,section_text,dialogue\n"


def headers(document: Document) -> list[tuple[str, str]]:
    return [(a.label, document.text[a.start : a.end]) for a in document.annotations]


def test_sections_of_notes(tmp_path: Path) -> None:
    note = "CHIEF COMPLAINT\n\nKnee pain.\n\nASSESSMENT AND PLAN\n\nRest.\n"
    path = written(tmp_path, "valid.csv", f'{NOTES}aci,D2N001,"[doctor] hi, you .\n[patient] hi","{note}"\n')
    assert list(sections.read(path)) == [
        Document(
            "D2N001",
            note,
            (
                Annotation(0, 15, "CHIEF COMPLAINT", ((0, 15),), id="T1"),
                Annotation(29, 48, "ASSESSMENT AND PLAN", ((29, 48),), id="T2"),
            ),
        )
    ]


@pytest.mark.parametrize(
    ("note", "expected"),
    [
        ("", []),
        ("HPI:\nFever.", [("HPI", "HPI")]),
        ("Fever.\n\nPLAN", [("PLAN", "PLAN")]),
        ("\U0001d6fc.\n\nPLAN : \nRest.", [("PLAN", "PLAN")]),
        ("A.\n \t\n  PAST   HISTORY:\nNone.", [("PAST HISTORY", "PAST   HISTORY")]),
        ("EXAM\n\nPLAN\n\nEXAM\n", [("EXAM", "EXAM"), ("PLAN", "PLAN"), ("EXAM", "EXAM")]),
        ("EXAM\r\n\r\nClear.\r\n\r\nPLAN\r\nRest.\r\n", [("EXAM", "EXAM"), ("PLAN", "PLAN")]),
        ("Medical\nHIV\n\nMore", []),
        ("1. CHF.\n\nCOPD.\n\nBP: 120/80\n\nPLAN: Rest.\n\nPlan\n", []),
    ],
)
def test_sections_headers(tmp_path: Path, note: str, expected: list[tuple[str, str]]) -> None:
    (document,) = sections.read(written(tmp_path, "a.csv", f'encounter_id,note\n1,"{note}"\n'))
    assert document.text == note
    assert headers(document) == expected


def test_sections_with_a_class(tmp_path: Path) -> None:
    content = f'{SECTIONS}0,GENHX,"Pain, \U0001d6fc.\r\nPLAN",Doctor: x\r\n\r\n1,FAM/SOCHX,,\r\n'
    documents = list(sections.read(written(tmp_path, "MTS-Val.csv", content)))
    assert documents == [
        Document(
            "MTS-Val-0",
            "HISTORY OF PRESENT ILLNESS\nPain, \U0001d6fc.\r\nPLAN",
            (Annotation(0, 26, "GENHX", ((0, 26),), id="T1"),),
        ),
        Document(
            "MTS-Val-1",
            "FAMILY HISTORY/SOCIAL HISTORY\n",
            (Annotation(0, 29, "FAM/SOCHX", ((0, 29),), id="T1"),),
        ),
    ]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("", 1),
        ("fever\n", 1),
        ("note,note,encounter_id\nfever,fever,1\n", 1),
        (NOTES + "aci,1,fever\n", 2),
        (NOTES + 'aci,1,"a\nb",fever\naci,2,x,fever,fever\n', 4),
        (NOTES + 'aci,1,x,"fever\n', 2),
        (NOTES + 'aci,1,x,y\naci,1,x,"fever"fever\n', 3),
        (SECTIONS + "0,CC,x,y\n1,fever,fever,y\n", 3),
    ],
)
def test_sections_malformed(tmp_path: Path, content: str, line: int) -> None:
    with pytest.raises(CorpusError) as caught:
        list(sections.read(written(tmp_path, "a.csv", content)))
    assert caught.value.line == line
    assert caught.value.reason and "fever" not in caught.value.reason


def test_sections_longer_than_csv_allows_by_default(tmp_path: Path) -> None:
    (document,) = sections.read(written(tmp_path, "a.csv", "encounter_id,note\n1," + "x" * 200_000))
    assert len(document.text) == 200_000


@needs_data
@pytest.mark.parametrize(
    ("corpus", "split", "documents", "count"),
    [
        ("aci_bench", "train", 67, 544),
        ("aci_bench", "dev", 20, 179),
        ("mts_dialog", "train", 1201, 1201),
        ("mts_dialog", "dev", 100, 100),
    ],
)
def test_sections_of_the_corpora(corpus: str, split: str, documents: int, count: int) -> None:
    spec = load_spec(corpus)
    titles = sections.TITLES if corpus == "mts_dialog" else {}
    found = list(read_corpus(spec, split=split))
    assert (len(found), sum(len(d.annotations) for d in found)) == (documents, count)
    assert {a.label for d in found for a in d.annotations} <= spec.labels.keys()
    for document in found:
        assert all(titles.get(label, label) == surface for label, surface in headers(document))
