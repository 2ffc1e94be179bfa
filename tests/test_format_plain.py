from __future__ import annotations

import os
from pathlib import Path

import pytest

from clinspan.corpora import CorpusError, Document, load_spec, plain, read_corpus
from corpus_files import written

DATA = os.environ.get("CLINSPAN_DATA", "")
needs_data = pytest.mark.skipif(not Path(DATA, "corpora").is_dir() or not DATA, reason="CLINSPAN_DATA has no corpora/")


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        (
            "day1.json",
            '{"day": 1, "note": "3/7 hx\\n\\u00b5 \\ud835\\udefc"}\n',
            [("day1", "3/7 hx\n\u00b5 \U0001d6fc")],
        ),
        ("n.csv", 'note_id,specialty,text\r\nmt2,x,"A, b.\r\nC"\r\nmt3,,\r\n', [("mt2", "A, b.\r\nC"), ("mt3", "")]),
        ("n.txt", "A.\r\n\U0001d6fc\r", [("n", "A.\r\n\U0001d6fc\r")]),
        ("n.txt", "", [("n", "")]),
    ],
)
def test_plain(tmp_path: Path, name: str, content: str, expected: list[tuple[str, str]]) -> None:
    assert list(plain.read(written(tmp_path, name, content))) == [Document(*fields) for fields in expected]


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("a.json", "fever", 0),
        ("a.json", '["fever"]', 0),
        ("a.json", '{"text": "fever"}', 0),
        ("a.json", '{"note": ["fever"]}', 0),
        ("a.json", '{"note": "fever \\udc00"}', 0),
        ("a.csv", "id,text\n1,fever\n", 1),
        ("a.csv", "note_id,text\n1,fever\n2\n", 3),
    ],
)
def test_plain_malformed(tmp_path: Path, name: str, content: str, line: int) -> None:
    with pytest.raises(CorpusError) as caught:
        list(plain.read(written(tmp_path, name, content)))
    assert (caught.value.file.name, caught.value.line) == (name, line)
    assert caught.value.reason and "fever" not in caught.value.reason


@needs_data
@pytest.mark.parametrize(("corpus", "documents", "longest"), [("primock57", 57, 2_102), ("mtsamples", 2064, 18_416)])
def test_plain_corpora(corpus: str, documents: int, longest: int) -> None:
    found = list(read_corpus(load_spec(corpus), split="all"))
    assert (len(found), len({d.doc_id for d in found})) == (documents, documents)
    assert max(len(d.text) for d in found) == longest
    assert all(d.text and not d.annotations for d in found)
