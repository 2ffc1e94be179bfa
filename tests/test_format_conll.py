from __future__ import annotations

from pathlib import Path

import pytest

from clinspan.corpora import Annotation, CorpusError, Document, conll
from clinspan.corpora.conversion import compare
from corpus_files import PLAIN, RICH, written

#: As the CoNLL-2003 task publishes its files: four columns, IOB1.
CONLL_2003 = (
    "-DOCSTART- -X- O O\n\n"
    "Fever NN B-NP I-Sign\n, , O O\nknee NN B-NP I-Sign\npain NN I-NP I-Sign\nchills NN B-NP B-Sign\n. . O O\n\n"
    "\u00b5 NN B-NP I-Unit\n\n"
    "-DOCSTART- (2 testa) -X- O O\n\n"
    "No DT B-NP O\n"
)


def spans(document: Document) -> list[tuple[str, int, int, str]]:
    return [(a.label, a.start, a.end, document.text[a.start : a.end]) for a in document.annotations]


def test_conll_2003(tmp_path: Path) -> None:
    first, second = conll.read(written(tmp_path, "eng.conll", CONLL_2003))
    assert (first.doc_id, first.text) == ("eng-1", "Fever , knee pain chills .\n\u00b5")
    assert spans(first) == [
        ("Sign", 0, 5, "Fever"),
        ("Sign", 8, 17, "knee pain"),
        ("Sign", 18, 24, "chills"),
        ("Unit", 27, 28, "\u00b5"),
    ]
    assert [a.id for a in first.annotations] == ["T1", "T2", "T3", "T4"]
    assert second == Document("2 testa", "No")


@pytest.mark.parametrize(
    ("scheme", "tags", "expected"),
    [
        ("IOB2", "B-X I-X O B-X B-X", ["X 0 3", "X 6 7", "X 8 9"]),
        ("IOB1", "I-X I-X O I-X B-X", ["X 0 3", "X 6 7", "X 8 9"]),
        ("BIOES", "B-X E-X O S-X S-X", ["X 0 3", "X 6 7", "X 8 9"]),
        ("BILOU", "B-X L-X O U-X U-X", ["X 0 3", "X 6 7", "X 8 9"]),
        ("three tokens, BIOES", "B-X I-X E-X O O", ["X 0 5"]),
        ("three tokens, BILOU", "B-X I-X L-X O O", ["X 0 5"]),
        ("another label", "B-X I-Y I-Y O O", ["X 0 1", "Y 2 5"]),
        ("another label at the end", "B-X E-Y O O O", ["X 0 1", "Y 2 3"]),
        ("inside after the end", "B-X E-X I-X O O", ["X 0 3", "X 4 5"]),
        ("inside after a single", "S-X I-X O O O", ["X 0 1", "X 2 3"]),
        ("a label with hyphens", "B-X-ray I-X-ray O O O", ["X-ray 0 3"]),
        ("no labels", "B I O B O", ["ENTITY 0 3", "ENTITY 6 7"]),
    ],
)
@pytest.mark.parametrize("separator", ["\t", " ", "   "])
def test_conll_tags(tmp_path: Path, scheme: str, tags: str, expected: list[str], separator: str) -> None:
    content = "".join(f"{token}{separator}{tag}\n" for token, tag in zip("abcde", tags.split(), strict=True))
    (document,) = conll.read(written(tmp_path, "f.conll", content))
    assert [f"{a.label} {a.start} {a.end}" for a in document.annotations] == expected


@pytest.mark.parametrize(
    ("id_", "content", "documents"),
    [
        ("empty", "", []),
        ("blank", "\n \n\n", []),
        ("no marks", "a\tO\n\nb\tO", [("f-1", "a\nb")]),
        ("carriage returns", "-DOCSTART- O\r\n\r\na O\r\n\r\nb O\r\n", [("f-1", "a\nb")]),
        ("byte order mark", "\ufeff-DOCSTART- O\n\na O\n", [("f-1", "a")]),
        ("rows before the first mark", "a O\n\n-DOCSTART- O\n\nb O\n", [("f-1", "a"), ("f-2", "b")]),
        ("ids of CoNLL-U", "# newdoc id = x 1\na O\n\n# newdoc id = y\nb O\n", [("x 1", "a"), ("y", "b")]),
        ("newdoc without id", "# newdoc\na O\n\n# newdoc\nb O\n", [("f-1", "a"), ("f-2", "b")]),
        ("both marks", "# newdoc id = x\n-DOCSTART- O\n\n# newdoc id = y\n-DOCSTART- O\n\n", [("x", ""), ("y", "")]),
        ("both marks, reversed", "-DOCSTART- (z)\n# newdoc id = x\na O\n", [("x", "a")]),
        ("no documents between", "-DOCSTART- O\n\n-DOCSTART- O\n", [("f-1", ""), ("f-2", "")]),
        ("comments", "# sent_id = 1\n# text = a O\na O\n\n# type O\nb O\n", [("f-1", "a\nb")]),
        ("a number sign is a token", "a O\n\n# O\nb O\n", [("f-1", "a\n# b")]),
        ("a number sign in a sentence", "a O\n# O\n", [("f-1", "a #")]),
        ("a number sign and a tab", "#\tO\n", [("f-1", "#")]),
        ("a token that is white space", "a\tO\n\u00a0\tO\n", [("f-1", "a \u00a0")]),
        ("columns may change between sentences", "a O\n\nb X O\n", [("f-1", "a\nb")]),
    ],
)
def test_conll_documents(tmp_path: Path, id_: str, content: str, documents: list[tuple[str, str]]) -> None:
    assert [(d.doc_id, d.text) for d in conll.read(written(tmp_path, "f.conll", content))] == documents


def test_conll_mention_ends_with_its_sentence(tmp_path: Path) -> None:
    (document,) = conll.read(written(tmp_path, "f.conll", "a I-X\n\nb I-X\n"))
    assert spans(document) == [("X", 0, 1, "a"), ("X", 2, 3, "b")]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("fever\n", 1),
        ("a\tO\nfever\n", 2),
        ("fever\tfever\n", 1),
        ("fever\tB-\n", 1),
        ("fever\tX-Sign\n", 1),
        ("fever\tb-Sign\n", 1),
        ("fever\tO\t\n", 1),
        ("a\tO\n\n\tO\n", 3),
        ("a O\nfever NN O\n", 2),
        ("a O\n# newdoc id = fever\n", 2),
    ],
)
def test_conll_malformed(tmp_path: Path, content: str, line: int) -> None:
    with pytest.raises(CorpusError) as caught:
        list(conll.read(written(tmp_path, "f.conll", content)))
    assert caught.value.line == line and "fever" not in caught.value.reason


@pytest.mark.parametrize("scheme", conll.SCHEMES)
def test_conll_loses_nothing_of_plain(tmp_path: Path, scheme: str) -> None:
    empty = Document("empty", "")
    conll.write([PLAIN, empty], tmp_path / "f.conll", scheme=scheme)
    back, again = conll.read(tmp_path / "f.conll")
    assert (compare(PLAIN, back), again) == ([], empty)


def test_conll_losses(tmp_path: Path) -> None:
    conll.write([RICH], tmp_path / "f.conll")
    (back,) = conll.read(tmp_path / "f.conll")
    assert [(loss.what, loss.annotation) for loss in compare(RICH, back)] == [
        ("white space", ""),
        ("attributes", "T1"),
        ("concepts", "T1"),
        ("concepts", "T3"),
        ("id", "T3"),
        ("attributes", "T4"),
        ("id", "T4"),
        ("annotation", "T2"),
        ("annotation", "T5"),
        ("relation", "T2 T3"),
    ]


def mentions(*spans: tuple[int, int]) -> tuple[Annotation, ...]:
    return tuple(Annotation(*span, "X", (span,), id=f"T{n}") for n, span in enumerate(spans, start=1))


APART = Annotation(0, 5, "X", ((0, 1), (4, 5)), id="T9")


@pytest.mark.parametrize(
    ("id_", "scheme", "text", "annotations", "rows"),
    [
        ("iob2", "iob2", "a bc", mentions((0, 4)), ["a B-X", "bc I-X"]),
        ("bioes", "bioes", "a b c d", mentions((0, 5), (6, 7)), ["a B-X", "b I-X", "c E-X", "d S-X"]),
        ("adjacent", "iob2", "a b", mentions((0, 1), (2, 3)), ["a B-X", "b B-X"]),
        ("adjacent, bioes", "bioes", "a b", mentions((0, 1), (2, 3)), ["a S-X", "b S-X"]),
        ("tokens are cut", "iob2", "abc", mentions((1, 2)), ["a O", "b B-X", "c O"]),
        ("longest first", "iob2", "a b c", mentions((0, 1), (0, 3), (2, 5)), ["a B-X", "b I-X", "c O"]),
        ("same offsets twice", "iob2", "a", mentions((0, 1), (0, 1)), ["a B-X"]),
        ("spaces around", "iob2", "a b c", mentions((1, 4)), ["a O", "b B-X", "c O"]),
        ("spaces alone", "iob2", "a b", mentions((1, 2)), ["a O", "b O"]),
        ("a line a sentence", "iob2", "a\r\n\r\nb \n c\rd", (), ["a O", "", "b O", "", "c O", "", "d O"]),
        ("across lines", "iob2", "a\nb\nc", mentions((0, 3)), ["a B-X", "b I-X", "", "c O"]),
        ("discontinuous", "iob2", "a b c", (APART,), ["a B-X", "b I-X", "c I-X"]),
        ("discontinuous last", "iob2", "a b c", (APART, *mentions((2, 3))), ["a O", "b B-X", "c O"]),
        ("beyond the first plane", "iob2", "\U0001d6fc b", mentions((2, 3)), ["\U0001d6fc O", "b B-X"]),
    ],
)
def test_conll_rows(
    tmp_path: Path, id_: str, scheme: str, text: str, annotations: tuple[Annotation, ...], rows: list[str]
) -> None:
    conll.write([Document("d", text, annotations)], tmp_path / "f", scheme=scheme)
    lines = (tmp_path / "f").read_bytes().decode().split("\n")
    assert lines == ["# newdoc id = d", "-DOCSTART-\tO", "", *(row.replace(" ", "\t") for row in rows), "", ""]


@pytest.mark.parametrize(
    ("doc_id", "label"), [("", "X"), (" d", "X"), ("a\nb", "X"), ("d", ""), ("d", "a\tb"), ("d", "a\nb")]
)
def test_conll_refuses(tmp_path: Path, doc_id: str, label: str) -> None:
    document = Document(doc_id, "a", (Annotation(0, 1, label, ((0, 1),), id="T1"),))
    with pytest.raises(ValueError, match="document"):
        conll.write([document], tmp_path / "f")
    assert conll.problem(document) and not (tmp_path / "f").exists()


def test_conll_refuses_other_schemes(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="bilou"):
        conll.write([PLAIN], tmp_path / "f", scheme="bilou")
