from __future__ import annotations

from pathlib import Path

import pytest

from clinspan.corpora import Annotation, CorpusError, Document, i2b2
from clinspan.corpora.conversion import compare
from corpus_files import PLAIN, RICH, written

#: Lines and tokens:  1: 0    1      2  3   4          2: 0    1    2 3   3: (blank)  4: 0 1
TEXT = "The  Chest Pain of\t1/2 .\nAspirin for it .\n\nNo rales"
CON = (
    'c="aspirin" 2:0 2:0||t="treatment"\n'
    'c="the chest pain" 1:0 1:2||t="problem"\n'
    'c="it . no" 2:2 4:0||t="problem"\n'
    'c="rales" 4:1 4:1||t="problem"\n'
)
AST = 'c="rales" 4:1 4:1||t="problem"||a="absent"\nc="the chest pain" 1:0 1:2||t="problem"||a="present"\n'
REL = 'c="aspirin" 2:0 2:0||r="TrAP"||c="the chest pain" 1:0 1:2\n'
SUFFIXES = (".txt", ".con", ".ast", ".rel")


def read_i2b2(folder: Path, con: str, ast: str = "", rel: str = "", text: str = TEXT) -> Document:
    for suffix, content in zip(SUFFIXES, (text, con, ast, rel), strict=True):
        written(folder, f"d{suffix}", content)
    (document,) = i2b2.read(folder / "d.con")
    return document


EXPECTED = Document(
    "d",
    TEXT,
    (
        Annotation(25, 32, "treatment", ((25, 32),), {}, (), "T1"),
        Annotation(0, 15, "problem", ((0, 15),), {"assertion": "present"}, (), "T2"),
        Annotation(37, 45, "problem", ((37, 45),), {}, (), "T3"),
        Annotation(46, 51, "problem", ((46, 51),), {"assertion": "absent"}, (), "T4"),
    ),
    (("TrAP", "T1", "T2"),),
)


def test_i2b2(tmp_path: Path) -> None:
    document = read_i2b2(tmp_path, CON, AST, REL)
    assert document == EXPECTED
    surfaces = [document.text[a.start : a.end] for a in document.annotations]
    assert surfaces == ["Aspirin", "The  Chest Pain", "it .\n\nNo", "rales"]


@pytest.mark.parametrize("folders", [("txt", "concept", "ast", "rel"), ("../test_data", "concepts", "ast", "rel")])
@pytest.mark.parametrize("given", [".con", ".txt"])
def test_i2b2_published_layouts(tmp_path: Path, folders: tuple[str, ...], given: str) -> None:
    files = {}
    for suffix, folder, content in zip(SUFFIXES, folders, (TEXT, CON, AST, REL), strict=True):
        (tmp_path / "corpus" / folder).mkdir(parents=True)
        files[suffix] = written(tmp_path / "corpus" / folder, f"d{suffix}", content)
    if folders[0] == "txt" or given == ".con":
        assert list(i2b2.read(files[given])) == [EXPECTED]
    else:
        with pytest.raises(CorpusError, match=r"d\.con"):
            list(i2b2.read(files[given]))


def test_i2b2_without_assertions_and_relations(tmp_path: Path) -> None:
    written(tmp_path, "d.v1.txt", TEXT)
    (document,) = i2b2.read(written(tmp_path, "d.v1.con", CON))
    assert (document.doc_id, len(document.annotations), document.relations) == ("d.v1", 4, ())
    assert not any(annotation.attributes for annotation in document.annotations)


@pytest.mark.parametrize("missing", [".txt", ".con"])
def test_i2b2_missing_file(tmp_path: Path, missing: str) -> None:
    read_i2b2(tmp_path, CON)
    (tmp_path / f"d{missing}").unlink()
    with pytest.raises(CorpusError, match=rf"d\{missing}"):
        list(i2b2.read(tmp_path / ("d.txt" if missing == ".con" else "d.con")))


@pytest.mark.parametrize(
    ("id_", "text", "con", "surface", "mismatched"),
    [
        ("another text", "No rales", 'c="chills" 1:1 1:1||t="x"', "rales", ("T1",)),
        ("more white space", "No  RALES", 'c="no rales" 1:0 1:1||t="x"', "No  RALES", ()),
        ("quotation marks", 'say "ah" x', 'c="say "ah"" 1:0 1:1||t="x"', 'say "ah"', ()),
        ("a place in the text", 'a" 1:1 1:2 b', 'c="a" 1:1 1:2 b" 1:0 1:3||t="x"', 'a" 1:1 1:2 b', ()),
        ("carriage returns", "a\r\nb\r\n", 'c="b" 2:0 2:0||t="x"\r\n', "b", ()),
        ("beyond the first plane", "\U0001d6fc b", 'c="b" 1:1 1:1||t="x"', "b", ()),
        ("space before the first token", "  a b", 'c="a" 1:0 1:0||t="x"', "a", ()),
        ("byte order mark", "a b", '\ufeffc="b" 1:1 1:1||t="x"', "b", ()),
        ("line separators end no line", "a\u2028b", 'c="b" 1:1 1:1||t="x"', "b", ()),
    ],
)
def test_i2b2_text(tmp_path: Path, id_: str, text: str, con: str, surface: str, mismatched: tuple) -> None:
    document = read_i2b2(tmp_path, con, text=text)
    (annotation,) = document.annotations
    assert (document.text[annotation.start : annotation.end], document.mismatched) == (surface, mismatched)


def test_i2b2_concepts_at_the_same_place(tmp_path: Path) -> None:
    rales = 'c="rales" 4:1 4:1'
    con = "".join(f'{rales}||t="{label}"\n' for label in ("test", "problem", "problem"))
    ast = "".join(f'{rales}||t="problem"||a="{value}"\n' for value in ("absent", "possible", "absent"))
    document = read_i2b2(tmp_path, con, ast, f'{rales}||r="TeRP"||{rales}\n')
    assert [a.attributes for a in document.annotations] == [{}, {"assertion": "absent"}, {"assertion": "possible"}]
    assert document.relations == (("TeRP", "T1", "T1"),)


@pytest.mark.parametrize(
    ("suffix", "line_of_file", "line"),
    [
        (".con", "rales", 5),
        (".con", 'c="rales" 4:1||t="problem"', 5),
        (".con", 'c="rales" 4:1 4:1', 5),
        (".con", 'c="rales" 4:1 4:1||t=""', 5),
        (".con", 'c="rales" 4:1 4:1||t="problem" x', 5),
        (".con", 'c="rales" 4:1 4:2||t="problem"', 5),
        (".con", 'c="rales" 0:0 0:0||t="problem"', 5),
        (".con", 'c="rales" 5:0 5:0||t="problem"', 5),
        (".con", 'c="rales" 3:0 3:0||t="problem"', 5),
        (".con", 'c="rales" 4:1 4:0||t="problem"', 5),
        (".con", f'c="rales" 4:{"9" * 5000} 4:1||t="problem"', 5),
        (".ast", 'c="rales" 4:1 4:1||t="problem"', 3),
        (".ast", 'c="rales" 4:1 4:1||t="test"||a="absent"', 3),
        (".ast", 'c="rales" 4:0 4:1||t="problem"||a="absent"', 3),
        (".ast", 'c="rales" 4:1 4:1||t="problem"||a="possible"', 3),
        (".rel", 'c="rales" 4:1 4:1||r="PIP"', 2),
        (".rel", 'c="rales" 4:1 4:1||r="PIP"||c="rales" 4:0 4:1', 2),
        (".rel", 'c="rales" 4:1 4:1||r="PIP"||c="rales" 4:1 4:9', 2),
    ],
)
def test_i2b2_malformed(tmp_path: Path, suffix: str, line_of_file: str, line: int) -> None:
    files = {".con": CON, ".ast": AST, ".rel": REL}
    files[suffix] += line_of_file + "\n"
    with pytest.raises(CorpusError) as caught:
        read_i2b2(tmp_path, *files.values())
    assert (caught.value.file.name, caught.value.line) == (f"d{suffix}", line)
    assert "rales" not in caught.value.reason


@pytest.mark.parametrize("document", [PLAIN, EXPECTED, Document("empty", "")])
def test_i2b2_loses_nothing(tmp_path: Path, document: Document) -> None:
    i2b2.write([document], tmp_path / "out")
    (back,) = i2b2.read(tmp_path / "out" / f"{document.doc_id}.con")
    assert (compare(document, back), back.mismatched, back.text) == ([], (), document.text)


def test_i2b2_losses(tmp_path: Path) -> None:
    i2b2.write([RICH], tmp_path)
    (back,) = i2b2.read(tmp_path / "note-1.con")
    assert [(loss.what, loss.annotation) for loss in compare(RICH, back)] == [
        ("attributes", "T1"),
        ("concepts", "T1"),
        ("concepts", "T3"),
        ("attributes", "T4"),
        ("fragments", "T2"),
    ]


def test_i2b2_files(tmp_path: Path) -> None:
    document = Document(
        "d",
        'Knee-PAIN  "R"\r\nnow',
        (
            Annotation(5, 13, "a b", ((5, 13),), {"assertion": "possible", "x": True}, ("C1",), "x"),
            Annotation(16, 19, "time", ((16, 19),), {"assertion": True}, (), "y"),
            Annotation(9, 11, "space", ((9, 11),), {"assertion": "absent"}, (), "z"),
        ),
        (("r", "x", "y"), ("r", "x", "z"), ("CID", "D1", "D2")),
    )
    i2b2.write([document], tmp_path)
    pain = 'c="knee-pain "r"" 1:0 1:1'
    assert {suffix: (tmp_path / f"d{suffix}").read_bytes().decode() for suffix in SUFFIXES} == {
        ".txt": document.text,
        ".con": f'{pain}||t="a b"\nc="now" 2:0 2:0||t="time"\n',
        ".ast": f'{pain}||t="a b"||a="possible"\n',
        ".rel": f'{pain}||r="r"||c="now" 2:0 2:0\n',
    }


@pytest.mark.parametrize(("doc_id", "label"), [("", "x"), ("..", "x"), ("a/b", "x"), ("d", ""), ("d", "a\nb")])
def test_i2b2_refuses(tmp_path: Path, doc_id: str, label: str) -> None:
    document = Document(doc_id, "a", (Annotation(0, 1, label, ((0, 1),), id="T1"),))
    with pytest.raises(ValueError, match="document"):
        i2b2.write([document], tmp_path)
    assert i2b2.problem(document) and not list(tmp_path.iterdir())
