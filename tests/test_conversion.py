from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from clinspan.corpora import (
    FORMATS,
    LOSSES,
    Annotation,
    CorpusError,
    Document,
    Loss,
    compare,
    convert,
    jsonl,
    read_files,
    write_losses,
)
from clinspan.corpora.formats import WRITABLE, module_of
from corpus_files import PLAIN, RICH, written

T1, T2, T3, T4, T5 = RICH.annotations


def spans(*mentions: tuple[int, int, str, str]) -> tuple[Annotation, ...]:
    return tuple(Annotation(start, end, label, ((start, end),), id=name) for start, end, label, name in mentions)


def changed(**values: object) -> Document:
    """RICH, and its first annotation with other values."""
    return replace(RICH, annotations=(replace(T1, **values), T2, T3, T4, T5))


@pytest.mark.parametrize(
    ("after", "losses"),
    [
        (RICH, []),
        (replace(RICH, annotations=RICH.annotations[::-1]), []),
        (replace(RICH, doc_id="x", mismatched=("T1",)), []),
        (replace(RICH, text=RICH.text.replace("fever", "cough")), [("text", "", "")]),
        (replace(RICH, annotations=(T1, T2, T3, T4)), [("annotation", "T5", "OBSERVATION 53 55")]),
        (
            replace(RICH, annotations=(*RICH.annotations, *spans((0, 6, "X", "T6")))),
            [("added", "T6", "X 0 6")],
        ),
        (changed(start=6, fragments=((6, 12),)), [("span", "T1", "7 12 -> 6 12")]),
        (changed(label="DRUG"), [("label", "T1", "CONDITION -> DRUG")]),
        (changed(attributes={}), [("attributes", "T1", "Negated")]),
        (changed(attributes={"Negated": "true", "x": "y"}), [("attributes", "T1", "Negated, x")]),
        (changed(concepts=("HP:0001945", "HP:1")), [("concepts", "T1", "1 -> 2")]),
        (changed(id="T9"), [("id", "T1", "T9")]),
        (
            replace(RICH, annotations=(T1, replace(T2, fragments=((16, 40),)), T3, T4, T5)),
            [("fragments", "T2", "16 40 -> 16 40")],
        ),
        (replace(RICH, relations=()), [("relation", "T2 T3", "located")]),
        (
            replace(RICH, relations=(("of", "T2", "T3"), ("located", "T3", "T2"))),
            [("relation", "T2 T3", "located"), ("added", "T2 T3", "of"), ("added", "T3 T2", "located")],
        ),
        (replace(RICH, relations=RICH.relations * 3), [("added", "T2 T3", "located")] * 2),
        (
            replace(RICH, annotations=(T1, T3, T4, T5), relations=()),
            [("annotation", "T2", "CONDITION 16 40"), ("relation", "T2 T3", "located")],
        ),
    ],
)
def test_compare(after: Document, losses: list[tuple[str, str, str]]) -> None:
    found = compare(RICH, after)
    assert [(loss.what, loss.annotation, loss.detail) for loss in found] == losses
    assert all(loss.doc_id == RICH.doc_id and loss.what in LOSSES for loss in found)


@pytest.mark.parametrize(
    ("id_", "before", "after", "losses"),
    [
        ("widened and renumbered", [(3, 5, "X", "a")], [(2, 6, "X", "T1")], [("span", "a"), ("id", "a")]),
        ("another label too", [(3, 5, "X", "a")], [(2, 6, "Y", "T1")], [("annotation", "a"), ("added", "T1")]),
        ("it only touches", [(3, 5, "X", "a")], [(5, 6, "X", "T1")], [("annotation", "a"), ("added", "T1")]),
        (
            "the one that overlaps most",
            [(2, 4, "X", "a"), (3, 9, "X", "b")],
            [(1, 9, "X", "T1")],
            [("span", "b"), ("id", "b"), ("annotation", "a")],
        ),
        (
            "each once",
            [(1, 4, "X", "a"), (2, 9, "X", "b")],
            [(0, 4, "X", "T1"), (2, 10, "X", "T2")],
            [("span", "b"), ("id", "b"), ("span", "a"), ("id", "a")],
        ),
        (
            "same offsets twice, one gone",
            [(1, 4, "X", "a"), (1, 4, "X", "b")],
            [(1, 4, "X", "b")],
            [("annotation", "a")],
        ),
        (
            "same offsets, labels in turn",
            [(1, 4, "X", "a"), (1, 4, "Y", "b")],
            [(1, 4, "Y", "b"), (1, 4, "X", "a")],
            [],
        ),
        ("the same id elsewhere", [(1, 2, "X", "a")], [(7, 9, "X", "a")], [("span", "a")]),
    ],
)
def test_compare_finds_the_same_mention(id_: str, before: list, after: list, losses: list[tuple[str, str]]) -> None:
    documents = [Document("d", "0123456789", spans(*mentions)) for mentions in (before, after)]
    assert [(loss.what, loss.annotation) for loss in compare(*documents)] == losses


@pytest.mark.parametrize(
    ("text", "span", "losses"),
    [
        ("No fever\nor", (3, 8), ["white space"]),
        ("No\r\n  fever or ", (6, 11), ["white space"]),
        ("No\r\n  fever or ", (4, 12), ["white space"]),  # white space at the ends of the mention
        ("No\r\n  fever or ", (6, 10), ["white space", "span"]),
        ("No  fevers or", (4, 9), ["text"]),
    ],
)
def test_compare_without_white_space(text: str, span: tuple[int, int], losses: list[str]) -> None:
    before = Document("d", "No fever or", spans((3, 8, "X", "T1")))
    assert [loss.what for loss in compare(before, Document("d", text, spans((*span, "X", "T1"))))] == losses


def test_relations_follow_new_ids() -> None:
    mentions = [(0, 1, "X", "a"), (2, 3, "X", "b")]
    before = Document("d", "a b", spans(*mentions), (("r", "a", "b"), ("r", "a", "b"), ("CID", "D1", "D2")))
    relations = (("r", "b", "a"), ("CID", "D1", "D2"), ("r", "a", "b"))
    after = Document("d", "a b", spans((0, 1, "X", "b"), (2, 3, "X", "a")), relations)
    assert [(loss.what, loss.annotation) for loss in compare(before, after)] == [
        ("id", "a"),
        ("id", "b"),
        ("relation", "a b"),
        ("added", "a b"),
    ]


def test_compare_finds_many_mentions_without_a_search_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    before = Document("d", "x" * 900, spans(*((i, i + 2, "X", f"T{i}") for i in range(0, 900, 3))))
    wider = spans(*((i, i + 3, "X", f"E{i}") for i in range(0, 900, 3)))
    compared: list[object] = []
    monkeypatch.setattr(Annotation, "__eq__", lambda one, other: compared.append(other) or one is other)
    losses = compare(before, replace(before, annotations=wider[::-1]))
    assert Counter(loss.what for loss in losses) == {"span": 300, "id": 300}
    assert all(loss.detail == f"E{loss.annotation[1:]}" for loss in losses if loss.what == "id")
    assert not compared


def test_convert_without_loss(tmp_path: Path) -> None:
    jsonl.write([RICH, PLAIN], tmp_path / "in.jsonl")
    seen: list[str] = []
    target = tmp_path / "new" / "out"
    result = convert(tmp_path / "in.jsonl", target, source_format="jsonl", target_format="brat", progress=seen.append)
    assert (result, seen) == ((2, []), ["note-1", "note-2"])
    assert list(read_files(target, "brat")) == [RICH, PLAIN]


def test_convert_with_losses(tmp_path: Path) -> None:
    jsonl.write([RICH, PLAIN], tmp_path / "in.jsonl")
    written, losses = convert(
        tmp_path / "in.jsonl", tmp_path / "out.conll", source_format="jsonl", target_format="conll"
    )
    assert written == 2
    assert [(loss.doc_id, loss.what, loss.annotation) for loss in losses] == [
        ("note-1", "white space", ""),
        ("note-1", "attributes", "T1"),
        ("note-1", "concepts", "T1"),
        ("note-1", "concepts", "T3"),
        ("note-1", "id", "T3"),
        ("note-1", "attributes", "T4"),
        ("note-1", "id", "T4"),
        ("note-1", "annotation", "T2"),
        ("note-1", "annotation", "T5"),
        ("note-1", "relation", "T2 T3"),
    ]
    write_losses(losses, tmp_path / "losses.csv")
    with (tmp_path / "losses.csv").open(encoding="utf-8", newline="") as file:
        assert [Loss(**row) for row in csv.DictReader(file)] == losses


def test_convert_leaves_out_what_cannot_be_written(tmp_path: Path) -> None:
    prediction = Document("note-3", "", spans((3, 8, "CONDITION", "T1")))  # without its text
    jsonl.write([Document("a/b", "fever"), PLAIN, prediction], tmp_path / "in.jsonl")
    written, losses = convert(tmp_path / "in.jsonl", tmp_path / "out", source_format="jsonl", target_format="brat")
    assert (written, list(read_files(tmp_path / "out", "brat"))) == (1, [PLAIN])
    assert losses == [
        Loss("a/b", "document", detail="its id is not a file name"),
        Loss("note-3", "document", detail="an annotation is not in its text"),
    ]


@pytest.mark.parametrize(
    ("name", "documents", "losses"),
    [
        ("brat", [Document("a/b", "fever")], [Loss("a/b", "document", detail="its id is not a file name")]),
        ("brat", [], []),
        ("conll", [], []),
    ],
)
def test_convert_of_nothing_writes_nothing(
    tmp_path: Path, name: str, documents: list[Document], losses: list[Loss]
) -> None:
    jsonl.write(documents, tmp_path / "in.jsonl")
    found = convert(tmp_path / "in.jsonl", tmp_path / "new" / "out", source_format="jsonl", target_format=name)
    assert found == (0, losses)
    assert [file.name for file in tmp_path.iterdir()] == ["in.jsonl"]


@pytest.mark.parametrize(
    ("name", "occupied", "reason"),
    [
        ("brat", "out/.hidden", "the folder is not empty"),
        ("brat", "out", "a file; the format is written to a folder"),
        ("conll", "out/any", "a folder; the format is written to a file"),
    ],
)
def test_convert_looks_at_the_target_first(tmp_path: Path, name: str, occupied: str, reason: str) -> None:
    file = written(tmp_path, occupied, "mine")
    before = list(tmp_path.rglob("*"))
    with pytest.raises(CorpusError) as caught:
        convert(tmp_path / "there is none", tmp_path / "out", source_format="jsonl", target_format=name)
    assert (caught.value.file, caught.value.reason) == (tmp_path / "out", reason)
    assert file.read_text() == "mine" and list(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", ["brat", "jsonl"])
@pytest.mark.parametrize("linked", [False, True])
def test_convert_replaces(tmp_path: Path, name: str, linked: bool) -> None:
    """An empty folder, or a file, itself or by a link; nothing else is left there."""
    jsonl.write([PLAIN], tmp_path / "in.jsonl")
    there = tmp_path / "out"
    if FORMATS[name].folder:
        there.mkdir()
    else:
        there.write_text("mine")
    target = tmp_path / "link" if linked else there
    if linked:
        target.symlink_to(there)
    before = sorted(tmp_path.iterdir())
    assert convert(tmp_path / "in.jsonl", target, source_format="jsonl", target_format=name) == (1, [])
    assert list(read_files(there, name)) == [PLAIN]
    assert sorted(tmp_path.iterdir()) == before and target.is_symlink() == linked


def test_convert_in_place(tmp_path: Path) -> None:
    path = written(tmp_path, "in.jsonl", '{"id": "d", "text": "No fever", "spans": [[3, 8, "X"]]}\n')
    assert convert(path, path, source_format="jsonl", target_format="jsonl") == (1, [])
    assert '"doc_id": "d"' in path.read_text()


def test_convert_to_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jsonl.write([PLAIN], tmp_path / "in.jsonl")
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path / "out")
    assert convert(tmp_path / "in.jsonl", ".", source_format="jsonl", target_format="brat") == (1, [])
    assert list(read_files(tmp_path / "out", "brat")) == [PLAIN]


@pytest.mark.parametrize("name", ["brat", "conll"])
@pytest.mark.parametrize("fails", ["write", "read"])
@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt(), CorpusError("n.ann", 3, "bad")])
def test_convert_that_fails_leaves_the_target_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, fails: str, error: BaseException
) -> None:
    def fail(*_: object) -> None:
        raise error

    jsonl.write([PLAIN], tmp_path / "in.jsonl")
    target = tmp_path / "out"
    if not FORMATS[name].folder:
        target.write_text("mine")
    before = list(tmp_path.rglob("*"))
    monkeypatch.setattr(module_of(name), fails, fail)
    with pytest.raises(type(error)) as caught:
        convert(tmp_path / "in.jsonl", target, source_format="jsonl", target_format=name)
    assert str(caught.value) == str(error)
    assert list(tmp_path.rglob("*")) == before
    assert not target.exists() or target.read_text() == "mine"


@pytest.mark.parametrize(("name", "file"), [("brat", "note-2.ann"), ("conll", "")])
def test_convert_names_the_target_in_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, file: str
) -> None:
    def fail(path: Path) -> None:
        raise CorpusError(path, 2, "bad")

    jsonl.write([PLAIN], tmp_path / "in.jsonl")
    monkeypatch.setattr(module_of(name), "read", fail)
    with pytest.raises(CorpusError) as caught:
        convert(tmp_path / "in.jsonl", tmp_path / "out", source_format="jsonl", target_format=name)
    assert (caught.value.file, caught.value.line) == (tmp_path / "out" / file, 2)


def test_writable() -> None:
    assert {name for name in FORMATS if hasattr(module_of(name), "write")} == set(WRITABLE)


@pytest.mark.parametrize(("source", "target"), [("jsonl", "phee"), ("jsonl", "word"), ("word", "jsonl")])
def test_convert_refuses(tmp_path: Path, source: str, target: str) -> None:
    jsonl.write([PLAIN], tmp_path / "in.jsonl")
    with pytest.raises(CorpusError):
        convert(tmp_path / "in.jsonl", tmp_path / "out", source_format=source, target_format=target)
    assert not (tmp_path / "out").exists()


ONE = Document("d", "No fever", spans((3, 8, "X", "T1")))


@pytest.mark.parametrize("name", WRITABLE)
@pytest.mark.parametrize(
    ("id_", "spoil"),
    [
        ("behind the text", lambda mention: replace(mention, end=9, fragments=((3, 9),))),
        ("before the text", lambda mention: replace(mention, start=-5, fragments=((-5, 8),))),
        ("empty", lambda mention: replace(mention, end=3, fragments=((3, 3),))),
        ("one fragment outside", lambda mention: replace(mention, fragments=((3, 8), (8, 12)))),
        ("not Unicode", lambda mention: replace(mention, attributes={"negation": "\ud83d"})),
    ],
)
def test_no_format_takes_a_broken_document(
    tmp_path: Path, name: str, id_: str, spoil: Callable[[Annotation], Annotation]
) -> None:
    module = module_of(name)
    assert not module.problem(ONE)
    broken = replace(ONE, annotations=(spoil(ONE.annotations[0]),))
    assert module.problem(broken)
    with pytest.raises(ValueError, match="document 'd': ") as caught:
        module.write([broken], tmp_path / "out")
    assert "fever" not in str(caught.value)


@pytest.mark.parametrize("name", [name for name in WRITABLE if name != "jsonl"])
def test_predictions_without_their_text_are_for_json_lines(name: str) -> None:
    prediction = replace(ONE, text="")
    assert (module_of("jsonl").problem(prediction), bool(module_of(name).problem(prediction))) == ("", True)
