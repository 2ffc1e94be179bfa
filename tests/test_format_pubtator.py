from __future__ import annotations

from pathlib import Path

import pytest

from clinspan.corpora import Annotation, CorpusError, Document, pubtator
from clinspan.corpora.conversion import compare
from corpus_files import PLAIN, RICH, written

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
        (f"1|t|Fever\n1\t0\t{'9' * 5000}\tFever\tX\t-1\n", 2),
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


def test_pubtator_written_as_published(tmp_path: Path) -> None:
    documents = list(pubtator.read(written(tmp_path, "f", PUBTATOR)))
    pubtator.write(documents, tmp_path / "out")
    assert (tmp_path / "out").read_bytes().decode() == PUBTATOR


@pytest.mark.parametrize("document", [PLAIN, Document("empty", ""), Document("a b", "One. Two. Three")])
def test_pubtator_loses_nothing(tmp_path: Path, document: Document) -> None:
    pubtator.write([document, document], tmp_path / "f")
    back, again = pubtator.read(tmp_path / "f")
    assert (compare(document, back), again, back.doc_id) == ([], back, document.doc_id)


def test_pubtator_losses(tmp_path: Path) -> None:
    pubtator.write([RICH], tmp_path / "f")
    (back,) = pubtator.read(tmp_path / "f")
    assert [(loss.what, loss.annotation) for loss in compare(RICH, back)] == [
        ("white space", ""),
        ("attributes", "T1"),
        ("attributes", "T4"),
        ("fragments", "T2"),
        ("relation", "T2 T3"),
    ]
    assert (back.text, back.mismatched) == (RICH.text.replace("\n", " "), ())


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", ["d|t|"]),
        ("fever", ["d|t|fever"]),
        ("fever.", ["d|t|fever."]),
        ("1.5 mg. Two. ", ["d|t|1.5 mg.", "d|a|Two. "]),
        ("One. Two\nThree", ["d|t|One. Two", "d|a|Three"]),
        ("\na|b\r\nc", ["d|t|", "d|a|a|b  c"]),
        ("a\rb\r", ["d|t|a", "d|a|b "]),
    ],
)
def test_pubtator_title_and_abstract(tmp_path: Path, text: str, lines: list[str]) -> None:
    pubtator.write([Document("d", text)], tmp_path / "f")
    assert (tmp_path / "f").read_bytes().decode() == "".join(f"{line}\n" for line in lines)
    (back,) = pubtator.read(tmp_path / "f")
    assert (len(back.text), back.text.split()) == (len(text), text.split())


def test_pubtator_rows(tmp_path: Path) -> None:
    document = Document(
        "d",
        "\U0001d6fc\tknee\nb",
        (
            Annotation(2, 8, "X", ((2, 6), (7, 8)), {"individual_mentions": "a|b\tc", "other": True}, ("1", "2"), "T1"),
            Annotation(0, 3, "Y", ((0, 3),), {"individual_mentions": True}, (), "T2"),
        ),
        (("CID", "D1", "D2"), ("of", "T1", "T2"), ("of", "D1", "T2"), ("7", "D1", "D2"), ("", "D1", "D2")),
    )
    pubtator.write([document], tmp_path / "f")
    assert (tmp_path / "f").read_bytes().decode().split("\n")[2:] == [
        "d\t2\t8\tknee b\tX\t1|2\ta|b c",
        "d\t0\t3\t\U0001d6fc k\tY\t",
        "d\tCID\tD1\tD2",
        "",
    ]


@pytest.mark.parametrize(
    ("doc_id", "label"),
    [("", "X"), (" ", "X"), ("a|b", "X"), ("a\tb", "X"), ("a\nb", "X"), ("d", "a\tb"), ("d", "a\n")],
)
def test_pubtator_refuses(tmp_path: Path, doc_id: str, label: str) -> None:
    document = Document(doc_id, "a", (Annotation(0, 1, label, ((0, 1),), id="T1"),))
    with pytest.raises(ValueError, match="document"):
        pubtator.write([document], tmp_path / "f")
    assert pubtator.problem(document) and not (tmp_path / "f").exists()
