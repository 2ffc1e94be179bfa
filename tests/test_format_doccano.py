from __future__ import annotations

import json
from pathlib import Path

import pytest

from clinspan.corpora import Annotation, CorpusError, Document
from clinspan.corpora import doccano as doccano_format
from clinspan.corpora.conversion import compare
from corpus_files import PLAIN, RICH, written

#: As Doccano 1.8 exports: a project without relations, one with, one for slot filling; and as Doccano 1.4 did.
EXPORT = """\
{"id": 1, "text": "No fever", "label": [[3, 8, "CONDITION"]], "Comments": ["sure?"]}
{"id": 2, "text": "knee pain", "source": "a column", "entities": [{"id": 1662, "label": "ANATOMY", "start_offset": 0, \
"end_offset": 4}, {"id": 1663, "label": "CONDITION", "start_offset": 0, "end_offset": 9}], \
"relations": [{"id": 273, "from_id": 1663, "to_id": 1662, "type": "located"}], "Comments": []}
{"id": 3, "text": "No fever", "cats": ["intent"], "entities": [[3, 8, "CONDITION"]], "Comments": []}
{"text": "nothing", "labels": []}
"""


def read_examples(folder: Path, content: str) -> list[Document]:
    return list(doccano_format.read(written(folder, "all.jsonl", content)))


def test_doccano_export(tmp_path: Path) -> None:
    fever = Annotation(3, 8, "CONDITION", ((3, 8),), {}, (), "T1")
    assert read_examples(tmp_path, EXPORT) == [
        Document("1", "No fever", (fever,)),
        Document(
            "2",
            "knee pain",
            (
                Annotation(0, 4, "ANATOMY", ((0, 4),), {}, (), "T1662"),
                Annotation(0, 9, "CONDITION", ((0, 9),), {}, (), "T1663"),
            ),
            (("located", "T1663", "T1662"),),
        ),
        Document("3", "No fever", (fever,)),
        Document("all:4", "nothing"),
    ]


@pytest.mark.parametrize(
    ("document", "losses"),
    [
        (PLAIN, []),
        (
            RICH,
            [
                ("attributes", "T1"),
                ("concepts", "T1"),
                ("concepts", "T3"),
                ("attributes", "T4"),
                ("fragments", "T2"),
            ],
        ),
        (Document("empty", ""), []),
        (Document("line ends", "a\r\nb\x0cc\u2028d"), []),
    ],
)
def test_doccano_round_trip(tmp_path: Path, document: Document, losses: list[tuple[str, str]]) -> None:
    doccano_format.write([document], tmp_path / "out.jsonl")
    (back,) = doccano_format.read(tmp_path / "out.jsonl")
    assert [(loss.what, loss.annotation) for loss in compare(document, back)] == losses
    assert (back.doc_id, back.text, back.relations) == (document.doc_id, document.text, document.relations)


@pytest.mark.parametrize(("ids", "expected"), [(("T9", "T2"), [9, 2]), (("T9", "x"), [1, 2]), (("T01", "T1"), [1, 2])])
def test_doccano_numbers(tmp_path: Path, ids: tuple[str, str], expected: list[int]) -> None:
    mentions = tuple(Annotation(0, 1, "X", ((0, 1),), {}, (), name) for name in ids)
    doccano_format.write([Document("d", "ab", mentions, (("r", ids[1], ids[0]),))], tmp_path / "out.jsonl")
    example = json.loads((tmp_path / "out.jsonl").read_text())
    assert [entity["id"] for entity in example["entities"]] == expected
    assert [(r["from_id"], r["to_id"]) for r in example["relations"]] == [(expected[1], expected[0])]


def test_doccano_offsets_are_code_points(tmp_path: Path) -> None:
    (document,) = read_examples(tmp_path, '{"text":"\U0001d6fc fever","label":[[2,7,"X"]]}\r\n')
    (annotation,) = document.annotations
    assert document.text[annotation.start : annotation.end] == "fever"


OK = '{"text":"fever","label":[]}\n'
ENTITY = '{"id":1,"label":"X","start_offset":0,"end_offset":5}'


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (OK + "{", 2),
        (OK + '"fever"', 2),
        (OK + '{"label":[]}', 2),
        (OK + '{"text":"fever"}', 2),
        ('{"text":"fever","label":"fever"}', 1),
        ('{"text":"fever","label":["fever"]}', 1),
        ('{"text":"fever","label":[[0,5]]}', 1),
        ('{"text":"fever","label":[[0,5,1]]}', 1),
        ('{"text":"fever","label":[[0,5.0,"X"]]}', 1),
        ('{"text":"fever","label":[[0,6,"X"]]}', 1),
        ('{"text":"fever","label":[[2,2,"X"]]}', 1),
        ('{"text":"fever","entities":[{"id":"1","label":"X","start_offset":0,"end_offset":5}]}', 1),
        (f'{{"text":"fever","entities":[{ENTITY},{ENTITY}]}}', 1),
        (f'{{"text":"fever","entities":[{ENTITY}],"relations":[{{"from_id":1,"to_id":2,"type":"r"}}]}}', 1),
        (f'{{"text":"fever","entities":[{ENTITY}],"relations":[{{"from_id":1,"to_id":1}}]}}', 1),
        (f'{{"text":"fever","entities":[{ENTITY}],"relations":[{{"from_id":1,"type":"r"}}]}}', 1),
    ],
)
def test_doccano_malformed(tmp_path: Path, content: str, line: int) -> None:
    with pytest.raises(CorpusError) as caught:
        read_examples(tmp_path, content)
    assert (caught.value.file.name, caught.value.line) == ("all.jsonl", line)
    assert caught.value.reason and "fever" not in caught.value.reason
