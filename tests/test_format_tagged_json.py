from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import pytest

from clinspan.corpora import Annotation, CorpusError, Document, load_spec, read_corpus, tagged_json
from corpus_files import PLAIN, written

DATA = os.environ.get("CLINSPAN_DATA", "")
needs_data = pytest.mark.skipif(not Path(DATA, "corpora").is_dir() or not DATA, reason="CLINSPAN_DATA has no corpora/")

LINE = (
    '{"tokens": ["No", "chest", "pain", "or", "fever", "."], "ner_tags": ["O", "B-COND", "I-COND", "O", "B-COND", "O"]'
)


def row(tokens: list[str], tags: list[str], **others: object) -> str:
    return json.dumps({"tokens": tokens, "ner_tags": tags, **others}) + "\n"


def spans(document: Document) -> list[tuple[str, str, str]]:
    return [(a.id, a.label, document.text[a.start : a.end]) for a in document.annotations]


def test_tagged_json(tmp_path: Path) -> None:
    path = written(tmp_path, "ct.json", LINE + ', "nct_id": "NCT1"}\n\n' + LINE + "}")
    first, second = tagged_json.read(path)
    assert first == Document(
        "NCT1",
        "No chest pain or fever .",
        (
            Annotation(3, 13, "COND", ((3, 13),), id="T1"),
            Annotation(17, 22, "COND", ((17, 22),), id="T2"),
        ),
    )
    assert (second.doc_id, second.text) == ("ct:3", first.text)


def test_tagged_json_gives_plain(tmp_path: Path) -> None:
    tags = ["O", "B-CONDITION", "O", "B-CONDITION", "O"]
    path = written(tmp_path, "a.jsonl", row(PLAIN.text.split(" "), tags, id=PLAIN.doc_id))
    assert list(tagged_json.read(path)) == [PLAIN]


@pytest.mark.parametrize(
    ("tokens", "tags", "expected"),
    [
        (["a", "b"], ["B-X", "B-X"], [("T1", "X", "a"), ("T2", "X", "b")]),
        (["a", "b"], ["I-X", "I-X"], [("T1", "X", "a b")]),
        (["a", "b"], ["B-X", "I-Y"], [("T1", "X", "a"), ("T2", "Y", "b")]),
        (["a", "b", "c"], ["B-X", "O", "I-X"], [("T1", "X", "a"), ("T2", "X", "c")]),
        (["\U0001d6fc", "b", "c"], ["O", "B-X-Y", "I-X-Y"], [("T1", "X-Y", "b c")]),
        (["a", "\n\n", "b"], ["O", "O", "B-X"], [("T1", "X", "b")]),
        ([], [], []),
    ],
)
def test_tagged_json_tags(tmp_path: Path, tokens: list[str], tags: list[str], expected: list[tuple]) -> None:
    (document,) = tagged_json.read(written(tmp_path, "a.json", row(tokens, tags)))
    assert document.text == " ".join(tokens)
    assert spans(document) == expected


def test_tagged_json_other_keys_and_line_ends(tmp_path: Path) -> None:
    content = '\ufeff{"tokens": ["a"], "tags": ["B-X"], "id": 7}\r\n{"tokens": [], "ner_tags": []}\r\n'
    documents = list(tagged_json.read(written(tmp_path, "a.json", content)))
    assert [(d.doc_id, d.text, len(d.annotations)) for d in documents] == [("7", "a", 1), ("a:2", "", 0)]


GOOD = row(["fever"], ["B-X"])


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (GOOD + "fever", 2),
        (GOOD + '["fever"]', 2),
        ("[" * 100_000, 1),
        ('{"tokens": ["fever \\ud800"], "ner_tags": ["O"]}', 1),
        ('{"tokens": ["fever"]}', 1),
        ('{"ner_tags": ["O"]}', 1),
        ('{"tokens": "fever", "ner_tags": ["O"]}', 1),
        (GOOD + row(["fever"], []), 2),
        (row(["fever"], ["B-"]), 1),
        (row(["fever"], ["X"]), 1),
        ('{"tokens": ["fever"], "ner_tags": [3]}', 1),
        ('{"tokens": ["fever", 3], "ner_tags": ["O", "O"]}', 1),
        (row(["fever", ""], ["O", "B-X"]), 1),
        (row(["fever"], ["O"], id=["fever"]), 1),
    ],
)
def test_tagged_json_malformed(tmp_path: Path, content: str, line: int) -> None:
    with pytest.raises(CorpusError) as caught:
        list(tagged_json.read(written(tmp_path, "a.json", content)))
    assert (caught.value.file.name, caught.value.line) == ("a.json", line)
    assert caught.value.reason and "fever" not in caught.value.reason


@needs_data
@pytest.mark.parametrize(
    ("split", "documents", "conditions", "drugs"), [("train", 787, 3548, 1197), ("dev", 153, 729, 214)]
)
def test_neurotrialner(split: str, documents: int, conditions: int, drugs: int) -> None:
    found = list(read_corpus(load_spec("neurotrialner"), split=split))
    counts = Counter(a.label for d in found for a in d.annotations)
    assert (len(found), counts["COND"], counts["DRUG"]) == (documents, conditions, drugs)
    assert len({d.doc_id for d in found}) == documents
