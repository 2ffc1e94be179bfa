from __future__ import annotations

from pathlib import Path

import pytest

from clinspan.corpora import CorpusError, Document, pubtator
from corpus_files import written

PUBTATOR = (
    "1|t|Fever after naloxone.\n"
    "1|a|Visual or auditory toxicity | none.\n"
    "1\t0\t5\tFever\tDisease\tD005334\n"
    "1\t12\t20\tnaloxone\tChemical\t-1\n"
    "1\t22\t49\tVisual or auditory toxicity\tDisease\tD014786|D006311\tVisual toxicity|auditory toxicity\n"
    "1\tCID\tD009270\tD005334\n"
    "\n"
    "2|t|Title only.\n"
    "2|a|\n"
)


def test_pubtator(tmp_path: Path) -> None:
    first, second = pubtator.read(written(tmp_path, "f.txt", PUBTATOR))
    assert first.text == "Fever after naloxone. Visual or auditory toxicity | none."
    assert [(a.id, first.text[a.start : a.end], a.label, a.concepts) for a in first.annotations] == [
        ("T1", "Fever", "Disease", ("D005334",)),
        ("T2", "naloxone", "Chemical", ("-1",)),
        ("T3", "Visual or auditory toxicity", "Disease", ("D014786", "D006311")),
    ]
    assert first.annotations[2].attributes == {"individual_mentions": "Visual toxicity|auditory toxicity"}
    assert first.annotations[2].fragments == ((22, 49),)
    assert (first.relations, first.mismatched) == ((("CID", "D009270", "D005334"),), ())
    assert second == Document("2", "Title only. ")


def test_pubtator_reads_crlf_alike(tmp_path: Path) -> None:
    unix, dos = written(tmp_path, "u", PUBTATOR), written(tmp_path, "d", PUBTATOR.replace("\n", "\r\n"))
    assert list(pubtator.read(unix)) == list(pubtator.read(dos))


@pytest.mark.parametrize(
    ("identifiers", "concepts"),
    [
        ("D1", ("D1",)),
        ("D1|D2", ("D1", "D2")),
        ("D1;OMIM:2", ("D1", "OMIM:2")),
        ("D1, D2", ("D1", "D2")),
        ("D1+D2", ("D1+D2",)),
        ("-1", ("-1",)),
        ("", ()),
        ("c|SUB|G|35|A", ("c|SUB|G|35|A",)),
        ("p|Allele|R|9", ("p|Allele|R|9",)),
    ],
)
def test_pubtator_concepts(tmp_path: Path, identifiers: str, concepts: tuple) -> None:
    (document,) = pubtator.read(written(tmp_path, "f", f"1|t|Fever\n1\t0\t5\tFever\tX\t{identifiers}\n"))
    assert document.annotations[0].concepts == concepts


def test_pubtator_keeps_and_lists_mismatches(tmp_path: Path) -> None:
    (document,) = pubtator.read(written(tmp_path, "f", "1|t|Fever\n1\t0\t5\tFaver\tX\t-1\n1\t0\t4\tFeve\tX\n"))
    assert (len(document.annotations), document.mismatched) == (2, ("T1",))


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("1\t0\t5\tFever\tX\t-1\n", 1),
        ("1|t|Fever\n2\t0\t5\tFever\tX\t-1\n", 2),
        ("1|t|Fever\n1\t0\t9\tFever\tX\t-1\n", 2),
        ("1|t|Fever\n1\t5\t5\tFever\tX\t-1\n", 2),
        ("1|t|Fever\n1\t0\t5\tFever\n", 2),
        ("1|t|Fever\n1\tCID\tD1\n", 2),
        ("1|t|Fever\n2|t|Chills\n", 2),
        ("1|t|Fever\n1|t|Fever\n", 2),
        ("1|t|Fever\n1\t0\t5\tFever\tX\t-1\n1|a|Fever\n", 3),
    ],
)
def test_pubtator_malformed(tmp_path: Path, content: str, line: int) -> None:
    with pytest.raises(CorpusError) as caught:
        list(pubtator.read(written(tmp_path, "f", content)))
    assert caught.value.line == line and "Fever" not in str(caught.value)
