from __future__ import annotations

from pathlib import Path

import pytest

from clinspan.corpora import Annotation, CorpusError, Document, inline
from clinspan.corpora.conversion import compare
from corpus_files import PLAIN, RICH, written

NOTES = (
    "=== note-1\n"
    "Denies [chest pain|CONDITION #T7 @HP:0100749 Negated].\n"
    "Father had [[MI|OBSERVATION]|CONDITION  Experiencer=family Historical\n @HP:1 @X:2].\n"
    "=== note 2\n"
    "\n"
    "[\U0001d6fc|X] a \\[b\\|c\\] \\\\ d\n"
    "\\=== e\n"
    "\n"
    "=== note-3\n"
)
RELATIVE: dict[str, str | bool] = {"Experiencer": "family", "Historical": True}


def test_inline(tmp_path: Path) -> None:
    assert list(inline.read(written(tmp_path, "f.inline", NOTES))) == [
        Document(
            "note-1",
            "Denies chest pain.\nFather had MI.",
            (
                Annotation(7, 17, "CONDITION", ((7, 17),), {"Negated": True}, ("HP:0100749",), "T7"),
                Annotation(
                    30,
                    32,
                    "CONDITION",
                    ((30, 32),),
                    {"Experiencer": "family", "Historical": True},
                    ("HP:1", "X:2"),
                    "T1",
                ),
                Annotation(30, 32, "OBSERVATION", ((30, 32),), {}, (), "T2"),
            ),
        ),
        Document("note 2", "\n\U0001d6fc a [b|c] \\ d\n=== e\n", (Annotation(1, 2, "X", ((1, 2),), id="T1"),)),
        Document("note-3", ""),
    ]


@pytest.mark.parametrize(
    ("id_", "content", "text"),
    [
        ("nothing", "", ""),
        ("all of it is text", "a\n\n", "a\n\n"),
        ("carriage returns", "a\r\n[b|X]\rc", "a\r\nb\rc"),
        ("equals signs in a line", "a === b\n==\n =", "a === b\n==\n ="),
        ("escaped where it need not be", "a\\=b", "a=b"),
        ("nested", "[left [knee|A] pain|C]", "left knee pain"),
    ],
)
def test_inline_without_document_line(tmp_path: Path, id_: str, content: str, text: str) -> None:
    (document,) = inline.read(written(tmp_path, "f.v1.txt", content))
    assert (document.doc_id, document.text) == ("f.v1", text)


@pytest.mark.parametrize(
    ("id_", "content", "documents"),
    [
        ("no last line break", "=== a\nx", [("a", "x")]),
        ("carriage returns", "=== a\r\nx\r\n\r\n=== b\r\ny\r\n", [("a", "x\r\n"), ("b", "y")]),
        ("a carriage return of the text", "=== a\nx\r\n", [("a", "x\r")]),
        ("blank lines before", "\n \n=== a\nx\n", [("a", "x")]),
        ("no text", "=== a\n=== b", [("a", ""), ("b", "")]),
    ],
)
def test_inline_documents(tmp_path: Path, id_: str, content: str, documents: list[tuple[str, str]]) -> None:
    assert [(d.doc_id, d.text) for d in inline.read(written(tmp_path, "f", content))] == documents


@pytest.mark.parametrize(
    ("tail", "label", "attributes", "concepts", "id_"),
    [
        ("X", "X", {}, (), "T1"),
        (" X ", "X", {}, (), "T1"),
        ("X a=b=c", "X", {"a": "b=c"}, (), "T1"),
        ("X a=", "X", {"a": ""}, (), "T1"),
        (r"X\ Y a\ b=c\ d #T\ 9", "X Y", {"a b": "c d"}, (), "T 9"),
        (r"\#X \#n \@m a\=b=\]\[\|\\", "#X", {"#n": True, "@m": True, "a=b": "][|\\"}, (), "T1"),
        ("X @b @a @b", "X", {}, ("b", "a", "b"), "T1"),
        ("X=Y", "X=Y", {}, (), "T1"),
    ],
)
def test_inline_tail(tmp_path: Path, tail: str, label: str, attributes: dict, concepts: tuple, id_: str) -> None:
    (document,) = inline.read(written(tmp_path, "f", f"[fever|{tail}]"))
    assert document.annotations == (Annotation(0, 5, label, ((0, 5),), attributes, concepts, id_),)


def test_inline_numbers_past_the_ids_given(tmp_path: Path) -> None:
    (document,) = inline.read(written(tmp_path, "f", "[a|X] [b|X #T1] [c|X] [d|X #T2]"))
    assert [a.id for a in document.annotations] == ["T3", "T1", "T4", "T2"]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("a\n[fever", 2),
        ("a\n[fever]", 2),
        ("[a\nfever]", 2),
        ("a\nfever]", 2),
        ("a\nfever|X]", 2),
        ("a\n[fever|]", 2),
        ("a\n[fever| ]", 2),
        ("a\n[fever|#T1 X]", 2),
        ("a\n[fever|X", 2),
        ("a\n[fever|X [b|Y]]", 2),
        ("a\n[fever|X|Y]", 2),
        ("[a [fever|X]\n", 1),
        ("a\n[|fever]", 2),
        ("a\n[fever|X =b]", 2),
        ("a\n[fever|X a a=b]", 2),
        ("a\n[fever|X @]", 2),
        ("a\n[fever|X #]", 2),
        ("a\n[fever|X #a #b]", 2),
        ("[a|X #T1]\n[fever|X #T1]", 2),
        ("a\nC:\\fever", 2),
        ("fever\\", 1),
        ("fever\n=== a\n", 1),
        ("=== a\n\n===\nfever", 3),
        ("=== a\n\n====== fever\n", 3),
        ("=== a\n[fever\n=== b\n|X]", 2),
    ],
)
def test_inline_malformed(tmp_path: Path, content: str, line: int) -> None:
    with pytest.raises(CorpusError) as caught:
        list(inline.read(written(tmp_path, "f", content)))
    assert caught.value.line == line and "fever" not in caught.value.reason


def test_inline_nests_deeply(tmp_path: Path) -> None:
    (document,) = inline.read(written(tmp_path, "f", "[" * 5000 + "a" + "|X]" * 5000))
    assert (document.text, len(document.annotations)) == ("a", 5000)


TRICKY = Document(
    "a: 1 =",
    "=== [\r\n=====\n==\\|]\u2028\r",
    (
        Annotation(0, 1, "a b", ((0, 1),), {"x=y": "\n=== #@", "#n": True, "": "v"}, ("@#",), "T 1"),
        Annotation(0, 8, "=", ((0, 8),), {"e": ""}, (), "T2"),
        Annotation(7, 8, "X", ((7, 8),), {"no": False}, (), "T3"),
        Annotation(8, 16, "X", ((8, 16),), {}, (), "T4"),
    ),
)


def test_inline_loses_nothing(tmp_path: Path) -> None:
    documents = [PLAIN, TRICKY, Document("empty", ""), Document("lines", "\n\n")]
    inline.write(documents, tmp_path / "f")
    back = list(inline.read(tmp_path / "f"))
    assert [document.text for document in back] == [document.text for document in documents]
    losses = [compare(before, after) for before, after in zip(documents, back, strict=True)]
    assert [[loss.detail for loss in some] for some in losses] == [[], [""], [], []]


def test_inline_losses(tmp_path: Path) -> None:
    inline.write([RICH], tmp_path / "f")
    (back,) = inline.read(tmp_path / "f")
    assert [(loss.what, loss.annotation) for loss in compare(RICH, back)] == [
        ("annotation", "T2"),
        ("relation", "T2 T3"),
    ]
    assert back.text == RICH.text


@pytest.mark.parametrize(
    ("id_", "spans", "ids", "expected"),
    [
        ("usual ids are left out", [(0, 1), (2, 3)], ["T1", "T2"], "[a|X] [b|X] c"),
        ("others are written", [(0, 1), (2, 3)], ["T2", "T1"], "[a|X #T2] [b|X #T1] c"),
        ("crossing", [(2, 5), (0, 3)], ["T1", "T2"], "[a b|X #T2] c"),
        ("same offsets", [(0, 1), (0, 1)], ["T1", "T2"], "[[a|X]|X] b c"),
        ("outer first", [(2, 3), (0, 3), (2, 5)], ["T1", "T2", "T3"], "[a [b|X #T1]|X #T2] c"),
        ("adjacent", [(1, 2), (0, 1)], ["T2", "T1"], "[a|X][ |X]b c"),
    ],
)
def test_inline_written(tmp_path: Path, id_: str, spans: list, ids: list[str], expected: str) -> None:
    annotations = tuple(Annotation(*span, "X", (span,), id=name) for span, name in zip(spans, ids, strict=True))
    inline.write([Document("d", "a b c", annotations)], tmp_path / "f")
    assert (tmp_path / "f").read_bytes().decode() == f"=== d\n{expected}\n"


@pytest.mark.parametrize("doc_id", ["", " ", "a ", "a\nb"])
def test_inline_refuses(tmp_path: Path, doc_id: str) -> None:
    document = Document(doc_id, "a")
    with pytest.raises(ValueError, match="document"):
        inline.write([document], tmp_path / "f")
    assert inline.problem(document) and not (tmp_path / "f").exists()
