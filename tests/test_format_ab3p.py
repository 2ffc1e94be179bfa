from __future__ import annotations

import os
from pathlib import Path

import pytest

from clinspan.corpora import Annotation, CorpusError, Document, ab3p, load_spec, read_corpus
from clinspan.corpora.spec import data_folder
from corpus_files import written

DATA = os.environ.get("CLINSPAN_DATA", "")
needs_data = pytest.mark.skipif(not Path(DATA, "corpora").is_dir() or not DATA, reason="CLINSPAN_DATA has no corpora/")

FILE = """12018411
Comparison of artificial insemination (AI) protocols.\x20
AI was timed (TAI, timed AI).
  AI|artificial insemination
  TAI|timed AI
//!ord
//*  cow|Bos taurus
// rows|remark
  GnRH|gonadotropin

3533522
Nothing here.

12018411

"""


def test_ab3p(tmp_path: Path) -> None:
    path = written(tmp_path, "dev.txt", FILE)
    first, second = ab3p.read(path)
    assert first == Document(
        "12018411",
        "Comparison of artificial insemination (AI) protocols. \nAI was timed (TAI, timed AI).",
        (
            Annotation(14, 41, "ABBREVIATION", ((14, 37), (39, 41)), id="T1"),
            Annotation(69, 82, "ABBREVIATION", ((69, 72), (74, 82)), id="T2"),
        ),
    )
    assert second == Document("3533522", "Nothing here.")
    assert ab3p.unlocated(path) == [("12018411", 9)]


@pytest.mark.parametrize(
    ("short", "long", "text", "expected"),
    [
        ("MI", "myocardial infarct", "myocardial infarct (MI)", ("MI", 20, 0)),
        ("MI", "myocardial infarct", "MI (myocardial infarct)", ("MI", 0, 4)),
        ("MI", "myocardial infarct", "myocardial infarct [MI]", ("MI", 20, 0)),
        ("MI", "myocardial infarct", "MI, myocardial infarct and a myocardial\r\ninfarct\n(MI)", ("MI", 50, 29)),
        ("MI", "myocardial infarct", "MI or x or myocardial infarct: MI", ("MI", 31, 11)),
        ("T", "testosterone", "AT testosterone, T", ("T", 17, 3)),
        ("T", "testosterone", "testosterone (T4)", ("T", 14, 0)),
        ("ct", "Computed tomography", "computed tomography (CT)", ("CT", 21, 0)),
        ("Ct", "computed tomography", "CT. computed tomography (Ct)", ("Ct", 25, 4)),
        ("IK(N)", "K+ current", "\U0001d6fc: K+ current (IK(N))", ("IK(N)", 15, 3)),
        ("FasL", "FasL", "FasL", None),
        ("pHi", "intracellular pH", "intracellular (pHi) pH", None),
        ("MI", "myocardial infarct", "", None),
    ],
)
def test_ab3p_find_definition(short: str, long: str, text: str, expected: tuple[str, int, int] | None) -> None:
    found = ab3p.find_definition(short, long, text)
    assert (found and (text[slice(*found[0])], found[0][0], found[1][0])) == expected


def test_ab3p_listed_twice(tmp_path: Path) -> None:
    content = "1\nOn heart attack (HA).\nA heart attack (HA) is HA.\n" + "  HA|heart attack\n" * 3
    path = written(tmp_path, "dev.txt", content)
    (document,) = ab3p.read(path)
    assert [a.fragments for a in document.annotations] == [((3, 15), (17, 19)), ((24, 36), (38, 40))]
    assert ab3p.unlocated(path) == [("1", 6)]


def test_ab3p_line_ends(tmp_path: Path) -> None:
    content = "1\r\nOne.\rTwo\r\nheart attack (HA)\r\n  HA| heart attack \r\n\r\n2\r\nx\r\n"
    first, second = ab3p.read(written(tmp_path, "dev.txt", content))
    assert first.text == "One.\rTwo\r\nheart attack (HA)" and second.text == "x"
    assert first.annotations[0].fragments == ((10, 22), (24, 26))


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_ab3p_nothing(tmp_path: Path, content: str) -> None:
    assert list(ab3p.read(written(tmp_path, "dev.txt", content))) == []


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("\nfever\nfever\n", 2),
        ("1\nfever\n\nfever\n", 4),
        ("1\n", 1),
        ("1\nfever\n\n2\n\n", 4),
        ("1\n  HA|fever\n", 1),
        ("1\nfever\n  fever\n", 3),
        ("1\nfever\n  |fever\n", 3),
        ("1\nfever\n  HA| \n", 3),
        ("1\nfever\n  HA|fever\nfever\n", 4),
    ],
)
def test_ab3p_malformed(tmp_path: Path, content: str, line: int) -> None:
    with pytest.raises(CorpusError) as caught:
        list(ab3p.read(written(tmp_path, "dev.txt", content)))
    assert caught.value.line == line
    assert caught.value.reason and "fever" not in caught.value.reason


@needs_data
def test_med1250() -> None:
    spec = load_spec("med1250")
    documents = list(read_corpus(spec, split="dev"))
    fragments = [(d.text, a.fragments) for d in documents for a in d.annotations]
    bracketed = [text[a[1] : b[0]].strip() in ("(", "[") for text, (a, b) in fragments]
    assert (len(documents), len(fragments), sum(bracketed)) == (625, 588, 580)
    assert ab3p.unlocated(data_folder(spec) / "dev.txt") == [("3008575", 1720), ("11188944", 2562)]
