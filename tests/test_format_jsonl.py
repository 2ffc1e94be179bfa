from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from clinspan.corpora import Annotation, CorpusError, Document
from clinspan.corpora import jsonl as jsonl_format
from clinspan.corpora.conversion import compare
from corpus_files import PLAIN, RICH, written

#: 0123456789012345678
TEXT = "No fever or chills."


def read_jsonl(folder: Path, content: str) -> list[Document]:
    return list(jsonl_format.read(written(folder, "d.jsonl", content)))


def line(**values: object) -> str:
    return json.dumps({"doc_id": "d", "text": TEXT, **values}) + "\n"


def test_own_form(tmp_path: Path) -> None:
    content = (
        '{"doc_id": "n1", "text": "No fever\\r\\nor chills.", "annotations": ['
        '{"id": "T4", "start": 3, "end": 19, "label": "CONDITION", "fragments": [[3, 8], [13, 19]]}, '
        '{"start": 3, "end": 8, "label": "SIGN", "attributes": {"negated": true, "x": "y"}, "concepts": ["HP:1"]}], '
        '"relations": [["of", "T4", "T1"]], "mismatched": ["T1"]}\n\n'
        '{"doc_id": "n2"}'
    )
    assert read_jsonl(tmp_path, content) == [
        Document(
            "n1",
            "No fever\r\nor chills.",
            (
                Annotation(3, 19, "CONDITION", ((3, 8), (13, 19)), {}, (), "T4"),
                Annotation(3, 8, "SIGN", ((3, 8),), {"negated": True, "x": "y"}, ("HP:1",), "T1"),
            ),
            (("of", "T4", "T1"),),
            ("T1",),
        ),
        Document("n2", ""),
    ]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"note_id": "a", "id": "b"}, "a"),
        ({"id": 7}, "7"),
        ({"id": 7.5}, "7.5"),
        ({"doc_key": "k", "meta": {"id": "m"}}, "k"),
        ({"meta": {"id": 3}}, "3"),
        ({"meta": {"source": "x"}}, "d:2"),
        ({"meta": "x"}, "d:2"),
        ({}, "d:2"),
    ],
)
def test_document_ids_of_others(tmp_path: Path, given: dict, expected: str) -> None:
    (document,) = read_jsonl(tmp_path, "\n" + json.dumps(given))
    assert document.doc_id == expected


@pytest.mark.parametrize(
    ("key", "mention", "expected"),
    [
        ("annotations", {"start": 3, "end": 8, "label": "S"}, ((3, 8), "S", {}, (), "T1")),
        ("entities", [3, 8, "S"], ((3, 8), "S", {}, (), "T1")),
        ("spans", {"start_char": 3, "end_char": 8, "label_": "S"}, ((3, 8), "S", {}, (), "T1")),
        ("labels", {"start_offset": 3, "end_offset": 8, "type": "S", "id": 4}, ((3, 8), "S", {}, (), "4")),
        (
            "entities",
            {"start": 3, "end": 8, "label": "S", "negated": True, "allergy": False, "experiencer": "family"},
            ((3, 8), "S", {"negated": True, "experiencer": "family"}, (), "T1"),
        ),
        (
            "entities",
            {"start": 3, "end": 8, "label": "S", "negated": None, "attributes": {"negated": "maybe", "x": False}},
            ((3, 8), "S", {"negated": "maybe"}, (), "T1"),
        ),
        (
            "entities",
            {"start": 3, "end": 8, "label": "S", "concept_id": "R50.9", "vocabulary": "ICD10CM"},
            ((3, 8), "S", {}, ("ICD10CM:R50.9",), "T1"),
        ),
        (
            "entities",
            {"start": 3, "end": 8, "label": "S", "concept_id": "HP:1", "vocabulary": "HP", "concepts": ["a"]},
            ((3, 8), "S", {}, ("a", "HP:1"), "T1"),
        ),
        ("entities", {"start": 3, "end": 8, "label": "S", "concept_id": 5}, ((3, 8), "S", {}, ("5",), "T1")),
        ("entities", {"start": 3, "end": 8, "label": "S", "concept_id": None}, ((3, 8), "S", {}, (), "T1")),
    ],
)
def test_mentions_of_others(tmp_path: Path, key: str, mention: object, expected: tuple) -> None:
    (document,) = read_jsonl(tmp_path, line(**{key: [mention]}))
    (a,) = document.annotations
    assert ((a.start, a.end), a.label, a.attributes, a.concepts, a.id) == expected
    assert a.fragments == ((a.start, a.end),)


def test_numbers_do_not_take_ids_that_are_there(tmp_path: Path) -> None:
    mentions = [[3, 8, "S"], {"id": "T1", "start": 3, "end": 8, "label": "S"}, [12, 18, "S"]]
    (document,) = read_jsonl(tmp_path, line(annotations=mentions))
    assert [a.id for a in document.annotations] == ["T2", "T1", "T3"]


@pytest.mark.parametrize(
    ("mention", "mismatched"),
    [
        ({"start": 3, "end": 8, "text": "fever"}, ()),
        ({"start": 3, "end": 8, "text": " fever\n"}, ()),
        ({"start": 3, "end": 8, "text": "cough"}, ("T1",)),
        ({"start": 3, "end": 18, "fragments": [[12, 18], [3, 8]], "text": "fever chills"}, ()),
        ({"start": 3, "end": 18, "fragments": [[3, 8], [12, 18]], "text": "fever or chills"}, ("T1",)),
    ],
)
def test_published_text_is_compared(tmp_path: Path, mention: dict, mismatched: tuple) -> None:
    (document,) = read_jsonl(tmp_path, line(spans=[{"label": "S", **mention}]))
    assert document.mismatched == mismatched


def test_predictions_need_no_text(tmp_path: Path) -> None:
    (document,) = read_jsonl(tmp_path, '{"doc_id": "n", "annotations": [{"start": 30, "end": 35, "label": "S"}]}')
    assert (document.text, document.annotations[0].start) == ("", 30)
    jsonl_format.write([document], tmp_path / "out.jsonl")
    assert list(jsonl_format.read(tmp_path / "out.jsonl")) == [document]


def mention(**values: object) -> str:
    return line(annotations=[{"start": 3, "end": 8, "label": "S", **values}])


@pytest.mark.parametrize(
    ("content", "number"),
    [
        (line() + '{"doc_id": "e", "text": "fever', 2),
        (line() + "\n" + "fever\n", 3),
        ('["fever"]\n', 1),
        (line() + '{"text": "fever", "score": NaN}\n', 2),
        ('{"text": "fever \\ud83d"}\n', 1),
        ("[" * 100_000 + "\n", 1),
        (line(text=None), 1),
        (line(text=["fever"]), 1),
        (line(doc_id=None), 1),
        (line(doc_id=True), 1),
        (line(annotations={"fever": 1}), 1),
        (line(annotations=["fever"]), 1),
        (line(annotations=[[3, "fever"]]), 1),
        (line(annotations=[], spans=[]), 1),
        (mention(start=-3), 1),
        (mention(end=3), 1),
        (mention(end=20), 1),
        (mention(end=8.0), 1),
        (mention(start=True), 1),
        (mention(end="8"), 1),
        (mention(label=None), 1),
        (mention(label=["fever"]), 1),
        (line(annotations=[{"start": 3, "end": 8, "value": "fever"}]), 1),
        (line(annotations=[{"start": 3, "label": "fever"}]), 1),
        (mention(fragments=[]), 1),
        (mention(fragments=[[3, 4, 8]]), 1),
        (mention(fragments=[[3, 4], [12, 18]]), 1),
        (mention(fragments=[[3, 8], [5, 5]]), 1),
        (mention(attributes=["fever"]), 1),
        (mention(attributes={"fever": 1}), 1),
        (mention(negated=1), 1),
        (mention(concepts="fever"), 1),
        (mention(concepts=[1]), 1),
        (mention(concept_id=["fever"]), 1),
        (mention(concept_id="1", vocabulary=2), 1),
        (mention(id=["fever"]), 1),
        (line(annotations=[{"id": "fever", "start": 3, "end": 8, "label": "S"}] * 2), 1),
        (line(relations=[["of", "fever"]]), 1),
        (line(relations=[["of", "fever", 2]]), 1),
        (line(relations="fever"), 1),
        (line(mismatched=["fever"]), 1),
    ],
)
def test_malformed(tmp_path: Path, content: str, number: int) -> None:
    with pytest.raises(CorpusError) as caught:
        read_jsonl(tmp_path, content)
    assert (caught.value.file, caught.value.line) == (tmp_path / "d.jsonl", number)
    assert caught.value.reason and "fever" not in caught.value.reason


@pytest.mark.parametrize(
    ("name", "content", "number"),
    [
        ("d.jsonl", line().encode() + b'{"text": "fever \xff"}\n', 2),
        ("d.jsonl.gz", line().encode(), 0),
        ("d.jsonl.gz", gzip.compress(line().encode() * 9)[:-12], 0),
        ("none.jsonl", None, 0),
    ],
)
def test_unreadable(tmp_path: Path, name: str, content: bytes | None, number: int) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(CorpusError) as caught:
        list(jsonl_format.read(tmp_path / name))
    assert (caught.value.line, "fever" in caught.value.reason) == (number, False)


@pytest.mark.parametrize("name", ["out.jsonl", "out.jsonl.gz"])
def test_everything_comes_back(tmp_path: Path, name: str) -> None:
    odd = Document(
        "\u2028 \U0001d6fc", "a\r\n\u2028\x00\U0001d6fc\t", (Annotation(5, 6, "", ((5, 6),), id="x"),), (), ("x",)
    )
    documents = [RICH, PLAIN, odd, Document("empty", "")]
    jsonl_format.write(documents, tmp_path / name)
    first = (tmp_path / name).read_bytes()
    back = list(jsonl_format.read(tmp_path / name))
    assert back == documents
    assert [compare(a, b) for a, b in zip(documents, back, strict=True)] == [[], [], [], []]
    jsonl_format.write(back, tmp_path / name)
    assert (tmp_path / name).read_bytes() == first


def test_as_written(tmp_path: Path) -> None:
    annotation = Annotation(3, 8, "S", ((3, 8),), {"negated": False, "x": True}, (), "T1")
    jsonl_format.write([Document("\u00b5", TEXT, (annotation,))], tmp_path / "d.jsonl")
    assert (tmp_path / "d.jsonl").read_bytes().decode() == (
        '{"doc_id": "\u00b5", "text": "No fever or chills.", "annotations": '
        '[{"id": "T1", "start": 3, "end": 8, "label": "S", "attributes": {"x": true}}]}\n'
    )


def test_byte_order_mark_and_crlf(tmp_path: Path) -> None:
    documents = read_jsonl(tmp_path, '\ufeff{"doc_id": "a"}\r\n{"doc_id": "b"}\r\n')
    assert [document.doc_id for document in documents] == ["a", "b"]


@pytest.mark.parametrize(
    "document",
    [
        Document("d", TEXT, (Annotation(3, 8, "S", ((3, 8),), id="x"), Annotation(12, 18, "S", ((12, 18),), id="x"))),
        Document("d", "fever \ud83d"),
    ],
)
def test_refused(tmp_path: Path, document: Document) -> None:
    assert jsonl_format.problem(document)
    with pytest.raises(ValueError, match="'d'") as caught:
        jsonl_format.write([document], tmp_path / "d.jsonl")
    assert "fever" not in str(caught.value)
