from __future__ import annotations

import json
import os
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from clinspan.corpora import (
    FORMATS,
    Annotation,
    CorpusError,
    Document,
    Spec,
    data_folder,
    gold_of,
    gold_of_files,
    guess_format,
    load_spec,
    map_document,
    negex,
    pubtator,
    read_corpus,
    read_files,
)
from clinspan.corpora import brat as brat_format
from corpus_files import written

CORPORA = sorted(path.parent.name for path in Path(__file__).parents[1].glob("corpora/*/spec.json"))
DATA = os.environ.get("CLINSPAN_DATA", "")
needs_data = pytest.mark.skipif(not Path(DATA, "corpora").is_dir() or not DATA, reason="CLINSPAN_DATA has no corpora/")

# Specs


@pytest.mark.parametrize("name", CORPORA)
def test_specs_load(name: str) -> None:
    spec = load_spec(name)
    assert spec.name == name == spec.folder.name
    assert spec.format in FORMATS and spec.splits and spec.licence
    assert load_spec(spec.folder) == load_spec(spec.folder / "spec.json") == spec


GOOD = {
    "name": "x",
    "format": "brat",
    "splits": {"all": ["*.txt"]},
    "labels": {"A": "DRUG", "B": None},
    "marked": ["DRUG"],
    "attributes": {"P": {"NEG": {"negated": True}, "POS": {}}, "Q": {"true": {"historical": True}}},
    "axes": ["negated", "historical", "experiencer"],
    "licence": "",
    "url": "",
}


def spec_of(folder: Path, **changes: object) -> Spec:
    content = {key: value for key, value in {**GOOD, **changes}.items() if value is not ...}
    return load_spec(written(folder, "spec.json", json.dumps(content)))


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "xml"},
        {"licence": ...},
        {"lables": {}},
        {"labels": {"A": "MEDICINE"}},
        {"labels": []},
        {"marked": ["DRUG", "CONDITION"]},
        {"judged": ["CONDITION"]},
        {"layer": "words"},
        {"layer": "sections"},
        {"unit": "("},
        {"unit": "no group"},
        {"splits": {"all": "*.txt"}},
        {"splits": {"all": 1}},
        {"axes": ["negated"]},
        {"axes": ["negated", "historical", "polarity"]},
        {"attributes": {"P": {"NEG": {"negated": "yes"}}}},
        {"attributes": {"P": {"NEG": {"experiencer": "aunt"}}}},
        {"attributes": {"P": ["negated"]}},
    ],
)
def test_specs_that_are_wrong(tmp_path: Path, changes: dict) -> None:
    assert spec_of(tmp_path)  # the change is what is wrong
    with pytest.raises(CorpusError):
        spec_of(tmp_path, **changes)


def test_spec_that_is_not_there_or_not_json(tmp_path: Path) -> None:
    for name in ("no_such_corpus", tmp_path, written(tmp_path, "spec.json", "{"), written(tmp_path, "a.json", "[]")):
        with pytest.raises(CorpusError):
            load_spec(name)


@pytest.mark.parametrize(
    ("label", "attributes", "expected"),
    [
        ("A", {}, ("DRUG", {"negated": False, "historical": False, "experiencer": "patient"})),
        ("A", {"P": "NEG"}, ("DRUG", {"negated": True, "historical": False, "experiencer": "patient"})),
        ("A", {"P": "POS", "Q": True}, ("DRUG", {"negated": False, "historical": True, "experiencer": "patient"})),
        ("A", {"R": "x"}, ("DRUG", {"negated": False, "historical": False, "experiencer": "patient"})),
        ("B", {}, None),
        ("C", {}, None),
    ],
)
def test_map_document(tmp_path: Path, label: str, attributes: dict, expected: tuple | None) -> None:
    document = Document("d", "ab", (Annotation(0, 1, label, ((0, 1),), attributes, ("c",), "T1"),))
    mapped = map_document(document, spec_of(tmp_path))
    assert [(a.label, a.attributes) for a in mapped.annotations] == ([expected] if expected else [])
    assert document.annotations[0].label == label


def test_map_document_refuses_a_value_the_spec_does_not_have(tmp_path: Path) -> None:
    document = Document("d", "ab", (Annotation(0, 1, "A", ((0, 1),), {"P": "PERHAPS"}, (), "T1"),))
    with pytest.raises(CorpusError, match="document d, annotation T1"):
        map_document(document, spec_of(tmp_path))


def test_map_document_keeps_one_of_the_same(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, labels={"A": "DRUG", "C": "DRUG"})
    annotations = (
        Annotation(0, 1, "A", ((0, 1),), {}, ("x",), "T1"),
        Annotation(0, 1, "C", ((0, 1),), {"P": "NEG"}, ("x", "y"), "T2"),
        Annotation(1, 2, "C", ((1, 2),), {}, (), "T3"),
    )
    first, second = map_document(Document("d", "ab", annotations), spec).annotations
    assert (first.id, first.attributes["negated"], first.concepts) == ("T1", True, ("x", "y"))
    assert second.id == "T3"


def test_axes_of_labels_that_are_not_judged_are_unknown(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, labels={"A": "DRUG", "B": "CONDITION"}, judged=["CONDITION"])
    annotations = (Annotation(0, 1, "A", ((0, 1),), id="T1"), Annotation(0, 1, "B", ((0, 1),), id="T2"))
    drug, condition = map_document(Document("d", "ab", annotations), spec).annotations
    assert (drug.attributes, set(condition.attributes)) == ({}, set(spec.axes))


@pytest.mark.parametrize(
    ("vocabulary", "concepts", "expected"),
    [
        ("", ("D1", "-1"), ("D1", "-1")),
        ("MESH", ("D1", "OMIM:2"), ("MESH:D1", "OMIM:2")),
        ("MESH", ("-1",), ()),
        ("MESH", ("D1+D2",), ("MESH:D1", "MESH:D2")),
    ],
)
def test_map_document_names_vocabularies(tmp_path: Path, vocabulary: str, concepts: tuple, expected: tuple) -> None:
    document = Document("d", "ab", (Annotation(0, 1, "A", ((0, 1),), {}, concepts, "T1"),))
    assert map_document(document, spec_of(tmp_path, vocabulary=vocabulary)).annotations[0].concepts == expected


def test_map_document_drops_relations_of_what_it_drops(tmp_path: Path) -> None:
    annotations = tuple(Annotation(i, i + 1, label, ((i, i + 1),), id=f"T{i + 1}") for i, label in enumerate("ABA"))
    document = Document(
        "d", "abc", annotations, (("r", "T1", "T2"), ("r", "T1", "T3"), ("CID", "D1", "D2")), ("T2", "T3")
    )
    mapped = map_document(document, spec_of(tmp_path))
    assert mapped.relations == (("r", "T1", "T3"), ("CID", "D1", "D2"))
    assert mapped.mismatched == ("T3",)


@pytest.mark.parametrize(
    ("corpus", "attributes", "expected"),
    [
        ("maccrobat", {"POLARITY": "NEG"}, {"negated": True, "uncertain": False}),
        ("maccrobat", {"POLARITY": "MAYBE_NEG", "TREND": "INC"}, {"negated": True, "uncertain": True}),
        ("maccrobat", {"POLARITY": "MAYBE_POS"}, {"negated": False, "uncertain": True}),
        ("chia", {"Optional": True}, {}),
        (
            "negex",
            {"negation": "Negated", "temporality": "Historical", "experiencer": "Family member"},
            {"negated": True, "hypothetical": False, "historical": True, "experiencer": "family"},
        ),
        (
            "negex",
            {"negation": "Affirmed", "temporality": "Not particular", "experiencer": "Other"},
            {"negated": False, "hypothetical": True, "historical": False, "experiencer": "other"},
        ),
        (
            "demo",
            {"Allergy": True, "Experiencer": "patient"},
            {
                "negated": False,
                "uncertain": False,
                "hypothetical": False,
                "historical": False,
                "allergy": True,
                "experiencer": "patient",
            },
        ),
    ],
)
def test_attributes_of_the_corpora(corpus: str, attributes: dict, expected: dict) -> None:
    spec = load_spec(corpus)
    label = next(label for label, target in spec.labels.items() if target)
    document = Document("d", "ab", (Annotation(0, 1, label, ((0, 1),), attributes, (), "T1"),))
    assert map_document(document, spec).annotations[0].attributes == expected


def test_read_corpus(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, splits={"train": ["train/*.txt"], "dev": ["dev/*.txt"]})
    for name in ("b", "a"):
        brat_format.write([Document(name, "text")], tmp_path / "train")
    assert [d.doc_id for d in read_corpus(spec, data=tmp_path, split="train")] == ["a", "b"]
    assert [d.doc_id for d in read_corpus(spec, split="train")] == ["a", "b"]
    for split in ("dev", "test"):
        with pytest.raises(CorpusError):
            read_corpus(spec, data=tmp_path, split=split)


def test_gold_of_numbers_documents_with_the_same_id(tmp_path: Path) -> None:
    written(tmp_path, "a.PubTator.txt", "1|t|One\n\n1|t|Two\n\n2|t|Three\n")
    spec = spec_of(tmp_path, format="pubtator", splits={"all": ["*.PubTator.txt"]})
    assert [d.doc_id for d in gold_of(spec, split="all").documents] == ["1", "1#2", "2"]


def test_gold_of_files(tmp_path: Path) -> None:
    annotations = (
        Annotation(0, 1, "X", ((0, 1),), {"Negated": True, "Experiencer": "Family", "note": "y"}, (), "T1"),
        Annotation(1, 2, "Y", ((1, 2),), {}, (), "T2"),
    )
    brat_format.write([Document("d", "ab", annotations)], tmp_path / "c")
    gold = gold_of_files(tmp_path / "c", "brat", labels={"X": "CONDITION"})
    assert (gold.name, gold.labels, gold.axes) == ("c", ("CONDITION", "Y"), ("negated", "experiencer"))
    assert [a.attributes for a in gold.documents[0].annotations] == [{"negated": True, "experiencer": "family"}, {}]


def test_read_files(tmp_path: Path) -> None:
    for name in ("x/b", "x/a", "y/c"):
        brat_format.write([Document(Path(name).name, "text")], tmp_path / Path(name).parent)
    assert [d.doc_id for d in read_files(tmp_path, "brat")] == ["a", "b", "c"]
    assert [d.doc_id for d in read_files(tmp_path / "y" / "c.ann", "brat")] == ["c"]
    brat_format.write([Document("a", "text")], tmp_path / "y")
    with pytest.raises(CorpusError, match="document a comes twice"):
        list(read_files(tmp_path, "brat"))
    for path, name in ((tmp_path / "none", "brat"), (tmp_path, "docbin"), (tmp_path, "word")):
        with pytest.raises(CorpusError):
            list(read_files(path, name))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a.txt", "a.ann"], "brat"),
        (["a.txt", "a.con", "a.ast"], "i2b2"),
        (["dev.PubTator.txt"], "pubtator"),
        (["a.jsonl.gz"], "jsonl"),
        (["a.txt"], None),
        ([], None),
    ],
)
def test_guess_format(tmp_path: Path, names: list[str], expected: str | None) -> None:
    for name in names:
        written(tmp_path / "c", name, "")
    assert guess_format(tmp_path / "c") == expected
    if len(names) == 1:
        assert guess_format(tmp_path / "c" / names[0]) == expected


def test_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "spec").mkdir()
    spec = spec_of(tmp_path / "spec")
    monkeypatch.delenv("CLINSPAN_DATA", raising=False)
    with pytest.raises(CorpusError, match="CLINSPAN_DATA"):
        data_folder(spec)
    monkeypatch.setenv("CLINSPAN_DATA", str(tmp_path))
    brat_format.write([Document("a", "text")], tmp_path / "corpora" / "x")
    assert data_folder(spec) == tmp_path / "corpora" / "x"
    brat_format.write([Document("a", "text")], spec.folder)
    assert data_folder(spec) == spec.folder


# The corpora themselves: published counts, and every span reproduces its text


@needs_data
@pytest.mark.parametrize(
    ("corpus", "split", "documents", "labels", "mismatched"),
    [  # chia: lines left over after two mentions, and one mention that its file shortens
        ("bc5cdr", "train", 500, {"Chemical": 5203, "Disease": 4182}, 0),
        ("bc5cdr", "dev", 500, {"Chemical": 5347, "Disease": 4244}, 0),
        ("ncbi_disease", "train", 593, {"SpecificDisease": 2972, "Modifier": 1289}, 0),
        ("ncbi_disease", "dev", 100, {"SpecificDisease": 412, "Modifier": 214}, 0),
        ("maccrobat", "train", 124, {"Sign_symptom": 2042, "Disease_disorder": 878}, 0),
        ("maccrobat", "dev", 29, {"Sign_symptom": 518, "Disease_disorder": 199}, 0),
        ("chia", "train", 1566, {"Condition": 9709}, 3),
        ("chia", "dev", 168, {"Condition": 909}, 0),
        ("negex", "dev", 1221, {"CONCEPT": 1214}, 0),
        ("biored", "train", 301, {"ChemicalEntity": 1269, "DiseaseOrPhenotypicFeature": 2692}, 0),
        ("phee", "train", 2898, {"Drug": 3591, "Effect": 2803}, 0),
        ("phee", "dev", 961, {"Drug": 1207, "Effect": 918}, 0),
        ("neurotrialner", "train", 787, {}, 0),
        ("neurotrialner", "dev", 153, {}, 0),
        # 627 are published; two ids stand there without an abstract, and have one elsewhere
        ("med1250", "dev", 625, {"ABBREVIATION": 588}, 0),
        ("mts_dialog", "dev", 100, {"GENHX": 20}, 0),
        ("aci_bench", "dev", 20, {}, 0),
        ("primock57", "all", 57, {}, 0),
        ("mtsamples", "all", 2064, {}, 0),
    ],
)
def test_corpus_counts(corpus: str, split: str, documents: int, labels: dict[str, int], mismatched: int) -> None:
    spec = load_spec(corpus)
    found = list(read_corpus(spec, split=split))
    counts = Counter(a.label for d in found for a in d.annotations)
    assert len(found) == documents
    assert {label: counts[label] for label in labels} == labels
    assert counts.keys() <= spec.labels.keys()
    assert sum(len(d.mismatched) for d in found) == mismatched
    mapped = [(d, a.fragments, spec.labels[a.label]) for d in found for a in d.annotations]
    kept = {(id(d), fragments, label) for d, fragments, label in mapped if label}
    assert sum(len(map_document(d, spec).annotations) for d in found) == len(kept)


@needs_data
@pytest.mark.parametrize(("split", "negative"), [("train", 640), ("dev", 164)])
def test_maccrobat_polarity(split: str, negative: int) -> None:
    annotations = [a for d in read_corpus(load_spec("maccrobat"), split=split) for a in d.annotations]
    assert sum(a.attributes.get("POLARITY") == "NEG" for a in annotations) == negative


@needs_data
def test_negex_values() -> None:
    spec = load_spec("negex")
    judged = [a for d in read_corpus(spec, split="dev") for a in map_document(d, spec).annotations]
    counts = Counter(item for a in judged for item in a.attributes.items() if item[1] not in (False, "patient"))
    assert counts == {
        ("negated", True): 244,
        ("historical", True): 114,
        ("hypothetical", True): 23,
        ("experiencer", "family"): 2,
        ("experiencer", "other"): 2,
    }
    assert len(negex.excluded(data_folder(spec) / "dev.tsv")) == 7


@needs_data
def test_biored_reads() -> None:
    path = Path(DATA, "corpora", "biored", "train.PubTator.txt")
    documents = list(pubtator.read(path))
    counts = Counter(a.label for d in documents for a in d.annotations)
    assert (len(documents), counts["ChemicalEntity"], counts["DiseaseOrPhenotypicFeature"]) == (301, 1269, 2692)
    assert not any(d.mismatched for d in documents)


@needs_data
@pytest.mark.parametrize("corpus", ["maccrobat", "chia", "bc5cdr"])
def test_corpora_written_as_brat_read_back(tmp_path: Path, corpus: str) -> None:
    for document in islice(read_corpus(load_spec(corpus), split="train"), 50):
        brat_format.write([document], tmp_path)
        (back,) = brat_format.read(tmp_path / f"{document.doc_id}.txt")
        assert (back.text, back.annotations) == (document.text, document.annotations)
