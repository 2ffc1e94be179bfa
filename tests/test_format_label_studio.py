from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clinspan.corpora import Annotation, CorpusError, Document
from clinspan.corpora import label_studio as label_studio_format
from clinspan.corpora.conversion import compare
from corpus_files import PLAIN, RICH, written

TEXT = "No fever,\nknee pain"


def region(name: str, start: int, end: int, labels: list[str], **value: Any) -> dict[str, Any]:
    value = {"start": start, "end": end, "labels": labels, **value}
    return {"id": name, "from_name": "label", "to_name": "text", "type": "labels", "value": value, "origin": "manual"}


def control(name: str, from_name: str, kind: str, values: Any) -> dict[str, Any]:
    value = {"start": 3, "end": 8, "text" if kind == "textarea" else kind: values}
    return {"id": name, "from_name": from_name, "to_name": "text", "type": kind, "value": value}


def relation(first: str, second: str, **more: Any) -> dict[str, Any]:
    return {"type": "relation", "from_id": first, "to_id": second, "direction": "right", **more}


def task(*result: dict[str, Any], text: str = TEXT, **more: Any) -> dict[str, Any]:
    annotation = {"id": 1001, "result": list(result), "was_cancelled": False, "ground_truth": False, "lead_time": 4.2}
    return {"id": 5, "data": {"text": text}, "annotations": [annotation], "predictions": [], "project": 1, **more}


def read_tasks(folder: Path, tasks: object) -> list[Document]:
    return list(label_studio_format.read(written(folder, "export.json", json.dumps(tasks))))


def test_label_studio_export(tmp_path: Path) -> None:
    exported = task(
        control("a1", "negated", "choices", ["negated"]),
        region("a1", 3, 8, ["CONDITION"], text="fever"),
        control("a1", "certainty", "choices", ["low", "middle"]),
        control("a1", "kind", "taxonomy", [["Sign", "Vital"], ["Sign"]]),
        control("a1", "grade", "rating", 3),
        control("a1", "note", "textarea", ["one", "two"]),
        control("a1", "concepts", "textarea", ["HP:0001945"]),
        control("whole-task", "quality", "choices", ["good"]),
        region("b2", 8, 14, ["ANATOMY", "OTHER"], text=",\\nknee"),
        relation("a1", "b2", labels=["near", "before"]),
        relation("a1", "b2", direction="left"),
    )
    attributes = {
        "negated": True,
        "certainty": "low|middle",
        "kind": "Sign/Vital|Sign",
        "grade": "3",
        "note": "one|two",
    }
    assert read_tasks(tmp_path, [exported]) == [
        Document(
            "5",
            TEXT,
            (
                Annotation(3, 8, "CONDITION", ((3, 8),), attributes, ("HP:0001945",), "a1"),
                Annotation(8, 14, "ANATOMY", ((8, 14),), {}, (), "b2"),
                Annotation(8, 14, "OTHER", ((8, 14),), {}, (), "b2.2"),
            ),
            (("near", "a1", "b2"), ("before", "a1", "b2"), ("relation", "b2", "a1")),
        )
    ]


@pytest.mark.parametrize(
    ("annotations", "label"),
    [
        ([], None),
        ([{"was_cancelled": True}], None),
        ([{"was_cancelled": True}, {}], "1"),
        ([{}, {}], "0"),
        ([{}, {"ground_truth": True}], "1"),
        ([{"ground_truth": True, "was_cancelled": True}, {}], "1"),
    ],
)
def test_label_studio_takes_one_annotation(tmp_path: Path, annotations: list[dict], label: str | None) -> None:
    several = [{"result": [region("r", 3, 8, [str(n)])], **more} for n, more in enumerate(annotations)]
    found = [a.label for d in read_tasks(tmp_path, [task(annotations=several)]) for a in d.annotations]
    assert found == ([] if label is None else [label])


@pytest.mark.parametrize(
    ("data", "number", "doc_id"),
    [
        ({"text": "x", "other": "y", "doc_id": "n"}, 5, "n"),
        ({"note": "x", "doc_id": "n"}, 5, "n"),
        ({"note": "x", "age": 7}, 5, "5"),
        ({"note": "x"}, None, "export:1"),
    ],
)
def test_label_studio_text_and_id(tmp_path: Path, data: dict, number: int | None, doc_id: str) -> None:
    (document,) = read_tasks(tmp_path, [task(data=data, id=number)])
    assert (document.text, document.doc_id) == ("x", doc_id)


@pytest.mark.parametrize(
    ("id_", "start", "end", "surface", "expected", "mismatched"),
    [
        ("code points", 2, 7, "fever", (2, 7), ()),
        ("code points, no surface", 2, 7, None, (2, 7), ()),
        ("UTF-16 units", 3, 8, "fever", (2, 7), ()),
        ("UTF-16 units behind the text", 9, 13, "pain", (8, 12), ()),
        ("neither", 2, 7, "cough", (2, 7), ("r",)),
        ("half a character", 1, 6, "fever", (1, 6), ("r",)),
    ],
)
def test_label_studio_offsets(
    tmp_path: Path, id_: str, start: int, end: int, surface: str | None, expected: tuple, mismatched: tuple
) -> None:
    more = {} if surface is None else {"text": surface}
    (document,) = read_tasks(tmp_path, [task(region("r", start, end, ["X"], **more), text="\U0001d6fc fever pain")])
    (annotation,) = document.annotations
    assert (annotation.start, annotation.end, document.mismatched) == (*expected, mismatched)


@pytest.mark.parametrize(
    ("document", "losses"),
    [
        (PLAIN, []),
        (RICH, [("fragments", "T2")]),
        (Document("empty", ""), []),
        (Document("line ends", "a\r\nb\x0c\u2028"), []),
    ],
)
def test_label_studio_round_trip(tmp_path: Path, document: Document, losses: list[tuple[str, str]]) -> None:
    label_studio_format.write([document], tmp_path / "out.json")
    (back,) = label_studio_format.read(tmp_path / "out.json")
    assert [(loss.what, loss.annotation) for loss in compare(document, back)] == losses
    assert (back.doc_id, back.mismatched) == (document.doc_id, ())


R = region("r", 3, 8, ["X"])


@pytest.mark.parametrize(
    ("id_", "bad"),
    [
        ("not a task", TEXT),
        ("JSON-MIN", {"text": TEXT, "id": 1, "label": []}),
        ("no data", {"annotations": [{"result": []}]}),
        ("no text", task(data={"a": TEXT, "b": TEXT})),
        ("text of another type", task(data={"text": [TEXT]})),
        ("annotation without result", task(annotations=[{"was_cancelled": True}])),
        ("result without type", task({"id": "r"})),
        ("HTML", task({**R, "type": "hypertextlabels"})),
        ("no id", task({**R, "id": None})),
        ("no value", task({**R, "value": None})),
        ("no labels", task(region("r", 3, 8, []))),
        ("labels that are not strings", task(region("r", 3, 8, [1]))),  # type: ignore[list-item]
        ("offset of another type", task(region("r", "3", 8, ["X"]))),  # type: ignore[arg-type]
        ("behind the text", task(region("r", 3, 99, ["X"]))),
        ("behind the text, with its text", task(region("r", 3, 99, ["X"], text=TEXT))),
        ("before the text", task(region("r", -3, 8, ["X"], text="fever"))),
        ("choices that are not strings", task(R, control("r", "c", "choices", [1]))),
        ("choices without any", task(R, control("r", "c", "choices", None))),
        ("taxonomy that is no path", task(R, control("r", "c", "taxonomy", ["fever"]))),
        ("relation to nothing", task(R, relation("r", "fever"))),
        ("the id of a second label", task(region("r", 3, 8, ["X", "Y"]), region("r.2", 3, 8, ["X"]))),
    ],
)
def test_label_studio_malformed_task(tmp_path: Path, id_: str, bad: object) -> None:
    with pytest.raises(CorpusError, match="task 2: ") as caught:
        read_tasks(tmp_path, [task(R, {**control("r", "c", "choices", ["x"]), "id": ["r"]}), bad])
    assert caught.value.line == 0
    assert caught.value.reason and "fever" not in caught.value.reason


@pytest.mark.parametrize(
    ("content", "line"), [("", 1), ('[\n{"fever"}]', 2), ('{"id": "fever"}', 0), ("[NaN]", 1), ('["\\ud83d"]', 1)]
)
def test_label_studio_malformed_file(tmp_path: Path, content: str, line: int) -> None:
    with pytest.raises(CorpusError) as caught:
        list(label_studio_format.read(written(tmp_path, "export.json", content)))
    assert caught.value.line == line
    assert caught.value.reason and "fever" not in caught.value.reason
