from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from clinspan.corpora import Annotation, CorpusError, Document
from clinspan.corpora import brat as brat_format
from corpus_files import written

#: 0         1         2         3         4
#: 0123456789012345678901234567890123456789012345678
TEXT = "No fever or chills. Left and right knee pain now."


def read_brat(folder: Path, ann: str, text: str = TEXT) -> Document:
    (folder / "d.txt").write_bytes(text.encode())
    (folder / "d.ann").write_bytes(ann.encode())
    (document,) = brat_format.read(folder / "d.txt")
    return document


@pytest.mark.parametrize(
    ("id_", "ann", "expected"),
    [
        ("continuous", "T1\tSign 3 8\tfever\n", [("T1", "Sign", 3, 8, ((3, 8),))]),
        ("no last newline", "T1\tSign 3 8\tfever", [("T1", "Sign", 3, 8, ((3, 8),))]),
        ("crlf lines", "T1\tSign 3 8\tfever\r\n", [("T1", "Sign", 3, 8, ((3, 8),))]),
        ("blank lines", "\n\nT1\tSign 3 8\tfever\n \n", [("T1", "Sign", 3, 8, ((3, 8),))]),
        ("fragments", "T1\tSign 20 24;35 44\tLeft knee pain\n", [("T1", "Sign", 20, 44, ((20, 24), (35, 44)))]),
        ("reverse", "T1\tSign 35 44;20 24\tknee pain Left\n", [("T1", "Sign", 20, 44, ((20, 24), (35, 44)))]),
        ("overlapping fragments", "T1\tS 3 18;12 15\tx\n", [("T1", "S", 3, 18, ((3, 18), (12, 15)))]),
        (
            "equal offsets, two labels",
            "T1\tSign 3 8\tfever\nT2\tDisease 3 8\tfever\n",
            [("T1", "Sign", 3, 8, ((3, 8),)), ("T2", "Disease", 3, 8, ((3, 8),))],
        ),
        (
            "file order",
            "T7\tS 12 18\tchills\nT2\tS 3 8\tfever\n",
            [("T7", "S", 12, 18, ((12, 18),)), ("T2", "S", 3, 8, ((3, 8),))],
        ),
        ("empty file", "", []),
    ],
)
def test_brat_spans(tmp_path: Path, id_: str, ann: str, expected: list[tuple]) -> None:
    document = read_brat(tmp_path, ann)
    assert [(a.id, a.label, a.start, a.end, a.fragments) for a in document.annotations] == expected
    assert (document.doc_id, document.text) == ("d", TEXT)


T = "T1\tSign 3 8\tfever\nT2\tSign 12 18\tchills\n"


@pytest.mark.parametrize(
    ("id_", "ann", "first", "second"),
    [
        ("valued, on the event", T + "E1\tSign:T1 \nA1\tPOLARITY E1 NEG\n", {"POLARITY": "NEG"}, {}),
        ("valued, on the trigger", T + "E1\tSign:T1\nA1\tPOLARITY T1 NEG\n", {"POLARITY": "NEG"}, {}),
        ("event after its attribute", "A1\tPOLARITY E1 NEG\nE1\tSign:T2\n" + T, {}, {"POLARITY": "NEG"}),
        ("binary", T + "A1\tOptional T2\n", {}, {"Optional": True}),
        ("binary with trailing blank", T + "A1\tOptional T2 \n", {}, {"Optional": True}),
        ("modification", T + "M1\tNegation E1\nE1\tSign:T1\n", {"Negation": True}, {}),
        ("value with spaces", T + "A1\tWho T1 an aunt\n", {"Who": "an aunt"}, {}),
        ("two on one", T + "A1\tx T1\nA2\ty T1 z\n", {"x": True, "y": "z"}, {}),
        ("note", T + "#1\tAnnotatorNotes E1\tsee above\nE1\tSign:T1\n", {"#AnnotatorNotes": "see above"}, {}),
        ("two notes", T + "#1\tN T1\ta\n#2\tN T1\tb\n", {"#N": "a\nb"}, {}),
        ("note on a relation", T + "R1\tr Arg1:T1 Arg2:T2\n#1\tN R1\ta\n", {}, {}),
        ("attribute of a relation", T + "R1\tr Arg1:T1 Arg2:T2\nA1\tx R1\n", {}, {}),
    ],
)
def test_brat_attributes(tmp_path: Path, id_: str, ann: str, first: dict, second: dict) -> None:
    annotations = {a.id: a for a in read_brat(tmp_path, ann).annotations}
    assert (annotations["T1"].attributes, annotations["T2"].attributes) == (first, second)


@pytest.mark.parametrize(
    ("ann", "relations"),
    [
        ("R1\tMODIFY Arg1:T1 Arg2:T2\t\n", (("MODIFY", "T1", "T2"),)),
        ("E1\tSign:T2\nR1\tMODIFY Arg1:T1 Arg2:E1\n", (("MODIFY", "T1", "T2"),)),
        ("*\tOR T1 T2\n", (("OR", "T1", "T2"),)),
        ("*\tOR T1 T2 T1\n", (("OR", "T1", "T2"), ("OR", "T2", "T1"))),
        ("E1\tSign:T1 Theme:E2\nE2\tSign:T2\n", (("Theme", "T1", "T2"),)),
    ],
)
def test_brat_relations(tmp_path: Path, ann: str, relations: tuple) -> None:
    assert read_brat(tmp_path, T + ann).relations == relations


def test_brat_normalisations_become_concepts(tmp_path: Path) -> None:
    document = read_brat(tmp_path, T + "N1\tReference T1 HP:0001945\tFever\nN2\tReference T1 MESH:D005334\tFever\n")
    assert [a.concepts for a in document.annotations] == [("HP:0001945", "MESH:D005334"), ()]


@pytest.mark.parametrize(
    ("id_", "text", "ann", "surface", "mismatched"),
    [
        ("offsets count carriage returns", "a\r\nfever", "T1\tS 3 8\tfever\n", "fever", ()),
        ("code points, not bytes or UTF-16", "µ𝛼 fever", "T1\tS 3 8\tfever\n", "fever", ()),
        ("line break as a space", "knee\npain", "T1\tS 0 9\tknee pain\n", "knee\npain", ()),
        ("line break carried over", "knee\r\npain", "T1\tS 0 10\tknee\r\npain\r\n", "knee\r\npain", ()),
        ("blank line carried over", "knee\n\npain x", "T1\tS 0 10\tknee\n\npain\nT2\tS 11 12\tx\n", "knee\n\npain", ()),
        ("line left over", "knee pain", "T1\tS 0 4\tknee\n pain\nT2\tS 5 9\tpain\n", "knee", ("T1",)),
        ("another text", "knee pain", "T1\tS 0 4\tfoot\n", "knee", ("T1",)),
        ("line separators do not end lines", "a\u2028b", "T1\tS 0 3\ta\u2028b\n", "a\u2028b", ()),
    ],
)
def test_brat_text(tmp_path: Path, id_: str, text: str, ann: str, surface: str, mismatched: tuple) -> None:
    document = read_brat(tmp_path, ann, text)
    first = document.annotations[0]
    assert document.text[first.start : first.end] == surface
    assert document.mismatched == mismatched


@pytest.mark.parametrize(
    ("id_", "ann", "line"),
    [
        ("no text column", "T1\tSign 3 8\n", 1),
        ("no offsets", T + "T3\tSign\tfever\n", 3),
        ("one offset", T + "T3\tSign 3\tfever\n", 3),
        ("negative offset", "T1\tSign -3 8\tfever\n", 1),
        ("empty span", "T1\tSign 3 3\t\n", 1),
        ("backward span", "T1\tSign 8 3\tfever\n", 1),
        ("behind the text", "T1\tSign 3 50\tfever\n", 1),
        ("one fragment behind", "T1\tSign 3 8;40 50\tfever\n", 1),
        ("an offset of 5000 digits", f"T1\tSign 3 {'8' * 5000}\tfever\n", 1),
        ("id twice", T + "T1\tSign 3 8\tfever\n", 3),
        ("event without trigger", T + "E1\tSign\n", 3),
        ("event id twice", T + "E1\tSign:T1\nE1\tSign:T2\n", 4),
        ("event of nothing", T + "E1\tSign:T9\n", 3),
        ("attribute of nothing", T + "\nA1\tPOLARITY E9 NEG\n", 4),
        ("attribute without target", T + "A1\tPOLARITY\n", 3),
        ("relation with one end", T + "R1\tr Arg1:T1\n", 3),
        ("relation to nothing", T + "R1\tr Arg1:T1 Arg2:T9\n", 3),
        ("equivalence of one", T + "*\tOR T1\n", 3),
        ("normalisation without code", T + "N1\tReference T1\tx\n", 3),
        ("no id", "fever\n", 1),
        ("no id, after a relation", T + "R1\tr Arg1:T1 Arg2:T2\nfever\n", 4),
        ("unknown id", T + "X1\tSign T1\n", 3),
        ("unknown line with a tab", T + "fever\tSign\n", 3),
        ("spaces for tabs, after an annotation", T + "T3 Sign 3 8 fever\n", 3),
        ("spaces for tabs", "T1 Sign 3 8 fever\n", 1),
    ],
)
def test_brat_malformed(tmp_path: Path, id_: str, ann: str, line: int) -> None:
    with pytest.raises(CorpusError) as caught:
        read_brat(tmp_path, ann)
    assert (caught.value.file, caught.value.line) == (tmp_path / "d.ann", line)
    assert caught.value.reason and "fever" not in str(caught.value)


def test_brat_without_annotation_file(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"d\.ann"):
        list(brat_format.read(written(tmp_path, "d.txt", TEXT)))


def test_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "d.txt").write_bytes(b"one\ntwo \xff\n")
    with pytest.raises(CorpusError) as caught:
        list(brat_format.read(tmp_path / "d.txt"))
    assert (caught.value.file.name, caught.value.line) == ("d.txt", 2)


def test_error_survives_a_process_boundary() -> None:
    error = pickle.loads(pickle.dumps(CorpusError("f.ann", 3, "malformed relation")))
    assert (str(error), error.line, error.reason) == ("f.ann:3: malformed relation", 3, "malformed relation")


def test_write_brat_reads_back(tmp_path: Path) -> None:
    document = Document(
        "note 1",
        "Father: MI.\r\nNo left\nknee pain µ𝛼 x",
        (
            Annotation(8, 10, "CONDITION", ((8, 10),), {"experiencer": "family", "historical": True}, ("HP:1",), "T4"),
            Annotation(16, 30, "CONDITION", ((16, 20), (26, 30)), {"negated": True, "#N": "a\nb"}, (), "T1"),
            Annotation(16, 25, "ANATOMY", ((16, 25),), {}, (), "T2"),
            Annotation(31, 33, "DRUG", ((31, 33),), {}, ("x:1", "y:2"), "T3"),
        ),
        (("of", "T1", "T2"),),
    )
    brat_format.write([document], tmp_path / "out")
    assert list(brat_format.read(tmp_path / "out" / "note 1.txt")) == [document]


def test_write_brat_numbers_foreign_ids_and_leaves_out_false(tmp_path: Path) -> None:
    document = Document(
        "d",
        "ab",
        (
            Annotation(0, 1, "DRUG", ((0, 1),), {"negated": False}, (), "x"),
            Annotation(1, 2, "DRUG", ((1, 2),), {}, (), "y"),
        ),
        (("r", "y", "x"), ("CID", "D1", "D2")),
    )
    brat_format.write([document], tmp_path)
    assert (tmp_path / "d.ann").read_text() == "T1\tDRUG 0 1\ta\nT2\tDRUG 1 2\tb\nR1\tr Arg1:T2 Arg2:T1\n"


@pytest.mark.parametrize(
    ("doc_id", "label", "attributes", "concepts"),
    [
        ("a/b", "X", {}, ()),
        ("..", "X", {}, ()),
        ("", "X", {}, ()),
        ("d", "X Y", {}, ()),
        ("d", "", {}, ()),
        ("d", "X", {"a b": True}, ()),
        ("d", "X", {"a": "b\nc"}, ()),
        ("d", "X", {}, ("a\tb",)),
    ],
)
def test_write_brat_refuses(tmp_path: Path, doc_id: str, label: str, attributes: dict, concepts: tuple) -> None:
    document = Document(doc_id, "ab", (Annotation(0, 1, label, ((0, 1),), attributes, concepts, "T1"),))
    with pytest.raises(ValueError):
        brat_format.write([document], tmp_path)
    assert not list(tmp_path.iterdir())
