from __future__ import annotations

import json
from pathlib import Path

import pytest

from clinspan.corpora import Annotation, CorpusError, Document
from clinspan.corpora import prodigy as prodigy_format
from clinspan.corpora.conversion import compare
from corpus_files import PLAIN, RICH, written

#: Three tasks as ``prodigy db-out`` writes them, from ner.manual and rel.manual.
EXPORT = """\
{"text":"No fever or chills .","meta":{"id":"note-2"},"_input_hash":-41,"_task_hash":7,"tokens":[{"text":"No",\
"start":0,"end":2,"id":0,"ws":true}],"spans":[{"start":3,"end":8,"token_start":1,"token_end":1,"label":"CONDITION"},{"start":12,\
"end":18,"token_start":3,"token_end":3,"label":"CONDITION"}],"_view_id":"ner_manual","answer":"accept","_timestamp":1}
{"text":"skipped","spans":[],"answer":"ignore"}
{"text":"wrong","spans":[{"start":0,"end":5,"label":"X"}],"answer":"reject"}

{"text":"knee pain","spans":[{"start":0,"end":4,"token_start":0,"token_end":0,"label":"ANATOMY"},\
{"start":5,"end":9,"token_start":1,"token_end":1,"label":"CONDITION"}],"relations":[{"head":1,"child":0,\
"head_span":{"start":5,"end":9,"token_start":1,"token_end":1,"label":"CONDITION"},\
"child_span":{"start":0,"end":4,"token_start":0,"token_end":0,"label":"ANATOMY"},"color":"#c5bdf4","label":"located"},\
{"head":1,"child":1,"head_span":{"start":5,"end":9,"label":null},"child_span":{"start":0,"end":9,"label":null},\
"label":"between tokens"}]}
"""


def read_tasks(folder: Path, content: str) -> list[Document]:
    return list(prodigy_format.read(written(folder, "tasks.jsonl", content)))


def test_prodigy_export(tmp_path: Path) -> None:
    assert read_tasks(tmp_path, EXPORT) == [
        PLAIN,
        Document(
            "tasks:5",
            "knee pain",
            (
                Annotation(0, 4, "ANATOMY", ((0, 4),), {}, (), "T1"),
                Annotation(5, 9, "CONDITION", ((5, 9),), {}, (), "T2"),
            ),
            (("located", "T2", "T1"),),
        ),
    ]


@pytest.mark.parametrize("document", [RICH, PLAIN, Document("empty", ""), Document("crlf", "a\r\nb\x0cc \u2028d")])
def test_prodigy_round_trip_loses_nothing(tmp_path: Path, document: Document) -> None:
    prodigy_format.write([document], tmp_path / "out.jsonl")
    assert list(prodigy_format.read(tmp_path / "out.jsonl")) == [document]
    assert compare(document, document) == []


def test_prodigy_spans_lie_on_written_tokens(tmp_path: Path) -> None:
    prodigy_format.write([RICH], tmp_path / "out.jsonl")
    task = json.loads((tmp_path / "out.jsonl").read_text(encoding="utf-8"))
    assert "".join(t["text"] + " " * t["ws"] for t in task["tokens"]) == RICH.text
    assert [t["id"] for t in task["tokens"]] == list(range(len(task["tokens"])))
    for span in [*task["spans"], task["relations"][0]["head_span"], task["relations"][0]["child_span"]]:
        first, last = task["tokens"][span["token_start"]], task["tokens"][span["token_end"]]
        assert (first["start"], last["end"]) == (span["start"], span["end"])


@pytest.mark.parametrize(
    ("id_", "task", "doc_id", "ids", "mismatched"),
    [
        ("number as id", '"meta":{"id":7},"text":"fever"', "7", [], ()),
        ("no spans", '"text":"fever","spans":null', "tasks:1", [], ()),
        ("own text", '"text":"a  b","spans":[{"start":0,"end":4,"label":"X","text":"a b"}]', "tasks:1", ["T1"], ()),
        (
            "other text",
            '"text":"ab","spans":[{"start":0,"end":2,"label":"X","text":"ba"}]',
            "tasks:1",
            ["T1"],
            ("T1",),
        ),
        (
            "same offsets twice, one new beside one of ours",
            '"text":"ab","spans":[{"start":0,"end":2,"label":"X"},'
            '{"start":0,"end":2,"label":"Y","clinspan":{"id":"T1"}}]',
            "tasks:1",
            ["T2", "T1"],
            (),
        ),
    ],
)
def test_prodigy_odd_tasks(
    tmp_path: Path, id_: str, task: str, doc_id: str, ids: list[str], mismatched: tuple[str, ...]
) -> None:
    (document,) = read_tasks(tmp_path, f"\ufeff{{{task}}}\r\n")
    assert (document.doc_id, [a.id for a in document.annotations], document.mismatched) == (doc_id, ids, mismatched)


def test_prodigy_offsets_are_code_points(tmp_path: Path) -> None:
    (document,) = read_tasks(tmp_path, '{"text":"\U0001d6fc fever","spans":[{"start":2,"end":7,"label":"X"}]}')
    (annotation,) = document.annotations
    assert document.text[annotation.start : annotation.end] == "fever"


OK = '{"text":"fever"}\n'


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (OK + "{", 2),
        (OK + "fever\n", 2),
        ('["fever"]\n', 1),
        ('{"text":"fever","score":NaN}', 1),
        ('{"text":"fever \\ud83d"}', 1),
        ('{"text":"fever","deep":' + "[" * 100_000 + "}", 1),
        (OK + '{"html":"fever"}', 2),
        (OK + '{"text":["fever"]}', 2),
        ('{"text":"fever","answer":"fever"}', 1),
        ('{"text":"fever","spans":{"start":0}}', 1),
        ('{"text":"fever","spans":["fever"]}', 1),
        ('{"text":"fever","spans":[{"start":0,"label":"X"}]}', 1),
        ('{"text":"fever","spans":[{"start":0,"end":5}]}', 1),
        ('{"text":"fever","spans":[{"start":"0","end":5,"label":"X"}]}', 1),
        ('{"text":"fever","spans":[{"start":0,"end":true,"label":"X"}]}', 1),
        ('{"text":"fever","spans":[{"start":0,"end":6,"label":"X"}]}', 1),
        ('{"text":"fever","spans":[{"start":-1,"end":4,"label":"X"}]}', 1),
        ('{"text":"fever","spans":[{"start":3,"end":3,"label":"X"}]}', 1),
        ('{"text":"fever","spans":[{"start":0,"end":5,"label":"X","clinspan":{"fragments":[[0,1],[2,4]]}}]}', 1),
        ('{"text":"fever","spans":[{"start":0,"end":5,"label":"X","clinspan":{"fragments":[[0]]}}]}', 1),
        ('{"text":"fever","spans":[{"start":0,"end":5,"label":"X","clinspan":{"attributes":{"a":1}}}]}', 1),
        ('{"text":"fever","spans":[{"start":0,"end":5,"label":"X","clinspan":{"concepts":[1]}}]}', 1),
        ('{"text":"fever","relations":[{"label":"r","head":0,"child":0}]}', 1),
    ],
)
def test_prodigy_malformed(tmp_path: Path, content: str, line: int) -> None:
    with pytest.raises(CorpusError) as caught:
        read_tasks(tmp_path, content)
    assert (caught.value.file.name, caught.value.line) == ("tasks.jsonl", line)
    assert caught.value.reason and "fever" not in caught.value.reason


def test_prodigy_refuses_to_write_an_id_twice(tmp_path: Path) -> None:
    mention = Annotation(0, 1, "X", ((0, 1),), {}, (), "T1")
    with pytest.raises(ValueError, match="same id"):
        prodigy_format.write([Document("d", "ab", (mention, mention))], tmp_path / "out.jsonl")
