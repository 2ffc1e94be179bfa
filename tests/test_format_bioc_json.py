from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from clinspan.corpora import Annotation, CorpusError, Document
from clinspan.corpora import bioc_json as bioc_format
from clinspan.corpora.conversion import compare
from corpus_files import PLAIN, RICH, written


def read_json(folder: Path, content: Any) -> list[Document]:
    text = content if isinstance(content, str) else json.dumps(content)
    return list(bioc_format.read(written(folder, "d.json", text)))


def annotation(**changes: Any) -> dict[str, Any]:
    return {
        "id": "0",
        "infons": {"type": "Disease", "identifier": "MESH:D010146"},
        "text": "pain",
        "locations": [{"offset": 13, "length": 4}],
    } | changes


def document(*annotations: Any, **changes: Any) -> dict[str, Any]:
    """In the form of NLM-Chem, BioRED and PubTator's exports."""
    passages = [
        {
            "infons": {"type": "title"},
            "offset": 0,
            "text": "Knee \U0001d6fc.",
            "sentences": [],
            "annotations": [],
            "relations": [],
        },
        {
            "infons": {"type": "abstract"},
            "offset": 8,
            "text": "Left pain \u00b5.",
            "sentences": [],
            "annotations": list(annotations),
            "relations": [],
        },
    ]
    return {"id": "101", "infons": {}, "passages": passages, "annotations": [], "relations": []} | changes


def collection(*documents: Any) -> dict[str, Any]:
    return {"source": "PubTator", "date": "", "key": "BioC.key", "infons": {}, "documents": list(documents)}


MENTION = Annotation(13, 17, "Disease", ((13, 17),), {}, ("MESH:D010146",), "0")


@pytest.mark.parametrize(
    "content",
    [
        collection(document(annotation())),
        [collection(document(annotation()))],
        [document(annotation())],
        document(annotation()),
        {"PubTator3": [document(annotation())]},
        "\ufeff" + json.dumps(document(annotation())),
    ],
)
def test_forms_of_a_file(tmp_path: Path, content: Any) -> None:
    assert read_json(tmp_path, content) == [Document("101", "Knee \U0001d6fc.\nLeft pain \u00b5.", (MENTION,))]


def test_values_that_are_not_strings(tmp_path: Path) -> None:
    infons = {
        "type": "Disease",
        "identifier": None,
        "valid": True,
        "seen": False,
        "score": 0,
        "normalized": ["D010146"],
        "name": "",
    }
    relations = [
        {
            "id": "R1",
            "infons": {
                "role1": {"identifier": "MESH:D1", "type": "Disease"},
                "role2": {"identifier": 7},
                "type": "cause",
            },
            "nodes": [{"refid": "0", "role": "0,1"}],
        },
        {"id": "R2", "infons": {"entity1": "D1", "entity2": "D2", "type": "Bind", "novel": "No"}, "nodes": []},
        {"id": "R3", "infons": {"type": "of"}, "nodes": [{"refid": 0, "role": ""}, {"refid": "0", "role": ""}]},
    ]
    (found,) = read_json(tmp_path, document(annotation(id=0, infons=infons), id=101, relations=relations))
    (mention,) = found.annotations
    assert (found.doc_id, mention.id, mention.concepts) == ("101", "0", ())
    assert mention.attributes == {"valid": True, "score": "0", "normalized": '["D010146"]'}
    assert found.relations == (("cause", "MESH:D1", "7"), ("Bind", "D1", "D2"), ("of", "0", "0"))


@pytest.mark.parametrize(
    ("published", "mismatched"), [("pain", ()), (" pain\n", ()), ("pains", ("0",)), ("", ()), (None, ())]
)
def test_published_text_is_compared(tmp_path: Path, published: str | None, mismatched: tuple) -> None:
    (found,) = read_json(tmp_path, document(annotation(text=published)))
    assert (found.mismatched, found.annotations) == (mismatched, (MENTION,))


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("", 1),
        ('{\n"id": "pain', 2),
        ('{"pain": \nNaN}', 1),
        ("[" * 100_000, 1),
        ('{"passages": [], "id": "\\ud83d"}', 1),
        ('"pain"', 0),
        ({"pain": []}, 0),
        ([[1]], 0),
        ({"documents": {"pain": 1}}, 0),
        (document(id=""), 0),
        (document(passages="pain"), 0),
        (document(passages=[{"text": "pain"}]), 0),
        (document(relations=None), 0),
        (document("pain"), 0),
        (document(annotation(text=["pain"])), 0),
        (document(annotation(infons=["pain"])), 0),
        (document(annotation(locations=[{"offset": 13}])), 0),
        (document(annotation(locations=[{"offset": "13", "length": 4}])), 0),
        (document(annotation(locations=[{"offset": 13.0, "length": 4}])), 0),
        (document(annotation(locations=[{"offset": 13, "length": 4.0}])), 0),
        (document(annotation(locations=[{"offset": True, "length": 4}])), 0),
        (document(annotation(locations=[{"offset": -1, "length": 4}])), 0),
        (document(annotation(locations=[{"offset": 13, "length": 9}])), 0),
    ],
)
def test_malformed(tmp_path: Path, content: Any, line: int) -> None:
    with pytest.raises(CorpusError) as caught:
        read_json(tmp_path, content)
    assert (caught.value.file, caught.value.line) == (tmp_path / "d.json", line)
    assert caught.value.reason and "pain" not in caught.value.reason


def test_documents_before_a_malformed_one_are_read(tmp_path: Path) -> None:
    documents = bioc_format.read(written(tmp_path, "d.json", json.dumps([document(), document(id="")])))
    assert next(documents).doc_id == "101"
    with pytest.raises(CorpusError):
        next(documents)


@pytest.mark.parametrize(
    "before",
    [
        PLAIN,
        RICH,
        Document("empty", ""),
        Document("d\n", "\r\n\u2028\x00\U0001d6fc"),
        Document("d", "a", (), (("r", "x", "y"),)),
    ],
)
def test_round_trip(tmp_path: Path, before: Document) -> None:
    bioc_format.write([before], tmp_path / "d.json")
    first = (tmp_path / "d.json").read_bytes()
    (after,) = bioc_format.read(tmp_path / "d.json")
    assert (after, compare(before, after)) == (before, [])
    bioc_format.write([after], tmp_path / "d.json")
    assert (tmp_path / "d.json").read_bytes() == first


@pytest.mark.parametrize("refused", [Document("", "pain"), Document("d", "pain \ud83d"), Document("d", "", (MENTION,))])
def test_refused(tmp_path: Path, refused: Document) -> None:
    assert bioc_format.problem(refused)
    with pytest.raises(ValueError, match="document '") as caught:
        bioc_format.write([refused], tmp_path / "d.json")
    assert "pain" not in str(caught.value)


def test_without_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bioc.biocjson", None)
    with pytest.raises(CorpusError, match=r"clinspan\[formats\]"):
        read_json(tmp_path, "")
    with pytest.raises(CorpusError, match=r"clinspan\[formats\]"):
        bioc_format.write([PLAIN], tmp_path / "d.json")
