from __future__ import annotations

import json
import os
import pickle
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
    load_spec,
    map_document,
    negex,
    pubtator,
    read_corpus,
)
from clinspan.corpora import brat as brat_format

CORPORA = ("bc5cdr", "chia", "demo", "maccrobat", "ncbi_disease", "negex")
DATA = os.environ.get("CLINSPAN_DATA", "")
needs_data = pytest.mark.skipif(not Path(DATA, "corpora").is_dir() or not DATA, reason="CLINSPAN_DATA has no corpora/")

#: 0         1         2         3         4
#: 0123456789012345678901234567890123456789012345678
TEXT = "No fever or chills. Left and right knee pain now."


def read_brat(folder: Path, ann: str, text: str = TEXT) -> Document:
    (folder / "d.txt").write_bytes(text.encode())
    (folder / "d.ann").write_bytes(ann.encode())
    (document,) = brat_format.read(folder / "d.txt")
    return document


def written(folder: Path, name: str, content: str) -> Path:
    path = folder / name
    path.write_bytes(content.encode())
    return path


# BRAT


@pytest.mark.parametrize(
    ("id_", "ann", "expected"),
    [
        ("continuous", "T1\tSign 3 8\tfever\n", [("T1", "Sign", 3, 8, ((3, 8),))]),
        ("no last newline", "T1\tSign 3 8\tfever", [("T1", "Sign", 3, 8, ((3, 8),))]),
        ("crlf lines", "T1\tSign 3 8\tfever\r\n", [("T1", "Sign", 3, 8, ((3, 8),))]),
        ("blank lines", "\n\nT1\tSign 3 8\tfever\n \n", [("T1", "Sign", 3, 8, ((3, 8),))]),
        ("fragments", "T1\tSign 20 24;35 44\tLeft knee pain\n", [("T1", "Sign", 20, 44, ((20, 24), (35, 44)))]),
        ("reverse", "T1\tSign 35 44;20 24\tknee pain Left\n", [("T1", "Sign", 20, 44, ((20, 24), (35, 44)))]),
        ("overlapping fragments", "T1\tS 3 18;12 15\tx\n", [("T1", "S", 3, 18, ((3, 18), (12, 15)))]),
        (
            "equal offsets, two labels",
            "T1\tSign 3 8\tfever\nT2\tDisease 3 8\tfever\n",
            [("T1", "Sign", 3, 8, ((3, 8),)), ("T2", "Disease", 3, 8, ((3, 8),))],
        ),
        (
            "file order",
            "T7\tS 12 18\tchills\nT2\tS 3 8\tfever\n",
            [("T7", "S", 12, 18, ((12, 18),)), ("T2", "S", 3, 8, ((3, 8),))],
        ),
        ("empty file", "", []),
    ],
)
def test_brat_spans(tmp_path: Path, id_: str, ann: str, expected: list[tuple]) -> None:
    document = read_brat(tmp_path, ann)
    assert [(a.id, a.label, a.start, a.end, a.fragments) for a in document.annotations] == expected
    assert (document.doc_id, document.text) == ("d", TEXT)


T = "T1\tSign 3 8\tfever\nT2\tSign 12 18\tchills\n"


@pytest.mark.parametrize(
    ("id_", "ann", "first", "second"),
    [
        ("valued, on the event", T + "E1\tSign:T1 \nA1\tPOLARITY E1 NEG\n", {"POLARITY": "NEG"}, {}),
        ("valued, on the trigger", T + "E1\tSign:T1\nA1\tPOLARITY T1 NEG\n", {"POLARITY": "NEG"}, {}),
        ("event after its attribute", "A1\tPOLARITY E1 NEG\nE1\tSign:T2\n" + T, {}, {"POLARITY": "NEG"}),
        ("binary", T + "A1\tOptional T2\n", {}, {"Optional": True}),
        ("binary with trailing blank", T + "A1\tOptional T2 \n", {}, {"Optional": True}),
        ("modification", T + "M1\tNegation E1\nE1\tSign:T1\n", {"Negation": True}, {}),
        ("value with spaces", T + "A1\tWho T1 an aunt\n", {"Who": "an aunt"}, {}),
        ("two on one", T + "A1\tx T1\nA2\ty T1 z\n", {"x": True, "y": "z"}, {}),
        ("note", T + "#1\tAnnotatorNotes E1\tsee above\nE1\tSign:T1\n", {"#AnnotatorNotes": "see above"}, {}),
        ("two notes", T + "#1\tN T1\ta\n#2\tN T1\tb\n", {"#N": "a\nb"}, {}),
        ("note on a relation", T + "R1\tr Arg1:T1 Arg2:T2\n#1\tN R1\ta\n", {}, {}),
        ("attribute of a relation", T + "R1\tr Arg1:T1 Arg2:T2\nA1\tx R1\n", {}, {}),
    ],
)
def test_brat_attributes(tmp_path: Path, id_: str, ann: str, first: dict, second: dict) -> None:
    annotations = {a.id: a for a in read_brat(tmp_path, ann).annotations}
    assert (annotations["T1"].attributes, annotations["T2"].attributes) == (first, second)


@pytest.mark.parametrize(
    ("ann", "relations"),
    [
        ("R1\tMODIFY Arg1:T1 Arg2:T2\t\n", (("MODIFY", "T1", "T2"),)),
        ("E1\tSign:T2\nR1\tMODIFY Arg1:T1 Arg2:E1\n", (("MODIFY", "T1", "T2"),)),
        ("*\tOR T1 T2\n", (("OR", "T1", "T2"),)),
        ("*\tOR T1 T2 T1\n", (("OR", "T1", "T2"), ("OR", "T2", "T1"))),
        ("E1\tSign:T1 Theme:E2\nE2\tSign:T2\n", (("Theme", "T1", "T2"),)),
    ],
)
def test_brat_relations(tmp_path: Path, ann: str, relations: tuple) -> None:
    assert read_brat(tmp_path, T + ann).relations == relations


def test_brat_normalisations_become_concepts(tmp_path: Path) -> None:
    document = read_brat(tmp_path, T + "N1\tReference T1 HP:0001945\tFever\nN2\tReference T1 MESH:D005334\tFever\n")
    assert [a.concepts for a in document.annotations] == [("HP:0001945", "MESH:D005334"), ()]


@pytest.mark.parametrize(
    ("id_", "text", "ann", "surface", "mismatched"),
    [
        ("offsets count carriage returns", "a\r\nfever", "T1\tS 3 8\tfever\n", "fever", ()),
        ("code points, not bytes or UTF-16", "µ𝛼 fever", "T1\tS 3 8\tfever\n", "fever", ()),
        ("line break as a space", "knee\npain", "T1\tS 0 9\tknee pain\n", "knee\npain", ()),
        ("line break carried over", "knee\r\npain", "T1\tS 0 10\tknee\r\npain\r\n", "knee\r\npain", ()),
        ("blank line carried over", "knee\n\npain x", "T1\tS 0 10\tknee\n\npain\nT2\tS 11 12\tx\n", "knee\n\npain", ()),
        ("line left over", "knee pain", "T1\tS 0 4\tknee\n pain\nT2\tS 5 9\tpain\n", "knee", ("T1",)),
        ("another text", "knee pain", "T1\tS 0 4\tfoot\n", "knee", ("T1",)),
        ("line separators do not end lines", "a\u2028b", "T1\tS 0 3\ta\u2028b\n", "a\u2028b", ()),
    ],
)
def test_brat_text(tmp_path: Path, id_: str, text: str, ann: str, surface: str, mismatched: tuple) -> None:
    document = read_brat(tmp_path, ann, text)
    first = document.annotations[0]
    assert document.text[first.start : first.end] == surface
    assert document.mismatched == mismatched


@pytest.mark.parametrize(
    ("id_", "ann", "line"),
    [
        ("no text column", "T1\tSign 3 8\n", 1),
        ("no offsets", T + "T3\tSign\tfever\n", 3),
        ("one offset", T + "T3\tSign 3\tfever\n", 3),
        ("negative offset", "T1\tSign -3 8\tfever\n", 1),
        ("empty span", "T1\tSign 3 3\t\n", 1),
        ("backward span", "T1\tSign 8 3\tfever\n", 1),
        ("behind the text", "T1\tSign 3 50\tfever\n", 1),
        ("one fragment behind", "T1\tSign 3 8;40 50\tfever\n", 1),
        ("id twice", T + "T1\tSign 3 8\tfever\n", 3),
        ("event without trigger", T + "E1\tSign\n", 3),
        ("event id twice", T + "E1\tSign:T1\nE1\tSign:T2\n", 4),
        ("event of nothing", T + "E1\tSign:T9\n", 3),
        ("attribute of nothing", T + "\nA1\tPOLARITY E9 NEG\n", 4),
        ("attribute without target", T + "A1\tPOLARITY\n", 3),
        ("relation with one end", T + "R1\tr Arg1:T1\n", 3),
        ("relation to nothing", T + "R1\tr Arg1:T1 Arg2:T9\n", 3),
        ("equivalence of one", T + "*\tOR T1\n", 3),
        ("normalisation without code", T + "N1\tReference T1\tx\n", 3),
        ("no id", "fever\n", 1),
        ("no id, after a relation", T + "R1\tr Arg1:T1 Arg2:T2\nfever\n", 4),
        ("unknown id", T + "X1\tSign T1\n", 3),
        ("unknown line with a tab", T + "fever\tSign\n", 3),
        ("spaces for tabs, after an annotation", T + "T3 Sign 3 8 fever\n", 3),
        ("spaces for tabs", "T1 Sign 3 8 fever\n", 1),
    ],
)
def test_brat_malformed(tmp_path: Path, id_: str, ann: str, line: int) -> None:
    with pytest.raises(CorpusError) as caught:
        read_brat(tmp_path, ann)
    assert (caught.value.file, caught.value.line) == (tmp_path / "d.ann", line)
    assert caught.value.reason and "fever" not in str(caught.value)


def test_brat_without_annotation_file(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"d\.ann"):
        list(brat_format.read(written(tmp_path, "d.txt", TEXT)))


def test_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "d.txt").write_bytes(b"one\ntwo \xff\n")
    with pytest.raises(CorpusError) as caught:
        list(brat_format.read(tmp_path / "d.txt"))
    assert (caught.value.file.name, caught.value.line) == ("d.txt", 2)


def test_error_survives_a_process_boundary() -> None:
    error = pickle.loads(pickle.dumps(CorpusError("f.ann", 3, "malformed relation")))
    assert (str(error), error.line, error.reason) == ("f.ann:3: malformed relation", 3, "malformed relation")


def test_write_brat_reads_back(tmp_path: Path) -> None:
    document = Document(
        "note 1",
        "Father: MI.\r\nNo left\nknee pain µ𝛼 x",
        (
            Annotation(8, 10, "CONDITION", ((8, 10),), {"experiencer": "family", "historical": True}, ("HP:1",), "T4"),
            Annotation(16, 30, "CONDITION", ((16, 20), (26, 30)), {"negated": True, "#N": "a\nb"}, (), "T1"),
            Annotation(16, 25, "ANATOMY", ((16, 25),), {}, (), "T2"),
            Annotation(31, 33, "DRUG", ((31, 33),), {}, ("x:1", "y:2"), "T3"),
        ),
        (("of", "T1", "T2"),),
    )
    brat_format.write_brat(document, tmp_path / "out")
    assert list(brat_format.read(tmp_path / "out" / "note 1.txt")) == [document]


def test_write_brat_numbers_foreign_ids_and_leaves_out_false(tmp_path: Path) -> None:
    document = Document(
        "d",
        "ab",
        (
            Annotation(0, 1, "DRUG", ((0, 1),), {"negated": False}, (), "x"),
            Annotation(1, 2, "DRUG", ((1, 2),), {}, (), "y"),
        ),
        (("r", "y", "x"), ("CID", "D1", "D2")),
    )
    brat_format.write_brat(document, tmp_path)
    assert (tmp_path / "d.ann").read_text() == "T1\tDRUG 0 1\ta\nT2\tDRUG 1 2\tb\nR1\tr Arg1:T2 Arg2:T1\n"


@pytest.mark.parametrize(
    ("doc_id", "label", "attributes", "concepts"),
    [
        ("a/b", "X", {}, ()),
        ("..", "X", {}, ()),
        ("", "X", {}, ()),
        ("d", "X Y", {}, ()),
        ("d", "", {}, ()),
        ("d", "X", {"a b": True}, ()),
        ("d", "X", {"a": "b\nc"}, ()),
        ("d", "X", {}, ("a\tb",)),
    ],
)
def test_write_brat_refuses(tmp_path: Path, doc_id: str, label: str, attributes: dict, concepts: tuple) -> None:
    document = Document(doc_id, "ab", (Annotation(0, 1, label, ((0, 1),), attributes, concepts, "T1"),))
    with pytest.raises(ValueError):
        brat_format.write_brat(document, tmp_path)
    assert not list(tmp_path.iterdir())


# PubTator

PUBTATOR = (
    "1|t|Fever after naloxone.\n"
    "1|a|Visual or auditory toxicity | none.\n"
    "1\t0\t5\tFever\tDisease\tD005334\n"
    "1\t12\t20\tnaloxone\tChemical\t-1\n"
    "1\t22\t49\tVisual or auditory toxicity\tDisease\tD014786|D006311\tVisual toxicity|auditory toxicity\n"
    "1\tCID\tD009270\tD005334\n"
    "\n"
    "2|t|Title only.\n"
    "2|a|\n"
)


def test_pubtator(tmp_path: Path) -> None:
    first, second = pubtator.read(written(tmp_path, "f.txt", PUBTATOR))
    assert first.text == "Fever after naloxone. Visual or auditory toxicity | none."
    assert [(a.id, first.text[a.start : a.end], a.label, a.concepts) for a in first.annotations] == [
        ("T1", "Fever", "Disease", ("D005334",)),
        ("T2", "naloxone", "Chemical", ("-1",)),
        ("T3", "Visual or auditory toxicity", "Disease", ("D014786", "D006311")),
    ]
    assert first.annotations[2].attributes == {"individual_mentions": "Visual toxicity|auditory toxicity"}
    assert first.annotations[2].fragments == ((22, 49),)
    assert (first.relations, first.mismatched) == ((("CID", "D009270", "D005334"),), ())
    assert second == Document("2", "Title only. ")


def test_pubtator_reads_crlf_alike(tmp_path: Path) -> None:
    unix, dos = written(tmp_path, "u", PUBTATOR), written(tmp_path, "d", PUBTATOR.replace("\n", "\r\n"))
    assert list(pubtator.read(unix)) == list(pubtator.read(dos))


@pytest.mark.parametrize(
    ("identifiers", "concepts"),
    [
        ("D1", ("D1",)),
        ("D1|D2", ("D1", "D2")),
        ("D1;OMIM:2", ("D1", "OMIM:2")),
        ("D1, D2", ("D1", "D2")),
        ("D1+D2", ("D1+D2",)),
        ("-1", ("-1",)),
        ("", ()),
        ("c|SUB|G|35|A", ("c|SUB|G|35|A",)),
        ("p|Allele|R|9", ("p|Allele|R|9",)),
    ],
)
def test_pubtator_concepts(tmp_path: Path, identifiers: str, concepts: tuple) -> None:
    (document,) = pubtator.read(written(tmp_path, "f", f"1|t|Fever\n1\t0\t5\tFever\tX\t{identifiers}\n"))
    assert document.annotations[0].concepts == concepts


def test_pubtator_keeps_and_lists_mismatches(tmp_path: Path) -> None:
    (document,) = pubtator.read(written(tmp_path, "f", "1|t|Fever\n1\t0\t5\tFaver\tX\t-1\n1\t0\t4\tFeve\tX\n"))
    assert (len(document.annotations), document.mismatched) == (2, ("T1",))


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("1\t0\t5\tFever\tX\t-1\n", 1),
        ("1|t|Fever\n2\t0\t5\tFever\tX\t-1\n", 2),
        ("1|t|Fever\n1\t0\t9\tFever\tX\t-1\n", 2),
        ("1|t|Fever\n1\t5\t5\tFever\tX\t-1\n", 2),
        ("1|t|Fever\n1\t0\t5\tFever\n", 2),
        ("1|t|Fever\n1\tCID\tD1\n", 2),
        ("1|t|Fever\n2|t|Chills\n", 2),
        ("1|t|Fever\n1|t|Fever\n", 2),
        ("1|t|Fever\n1\t0\t5\tFever\tX\t-1\n1|a|Fever\n", 3),
    ],
)
def test_pubtator_malformed(tmp_path: Path, content: str, line: int) -> None:
    with pytest.raises(CorpusError) as caught:
        list(pubtator.read(written(tmp_path, "f", content)))
    assert caught.value.line == line and "Fever" not in str(caught.value)


# NegEx

HEADER = "row\tconcept\tsentence\tnegation\ttemporality\texperiencer\n"


@pytest.mark.parametrize(
    ("concept", "sentence", "expected"),
    [
        ("edema", "No cyanosis or EDEMA.", (15, 20)),
        ("edema", "edema before, EDEMA now", (14, 19)),
        ("edema", "LYMPHEDEMA and EDEMA", (15, 20)),
        ("edema", "LYMPHEDEMA only", (5, 10)),
        ("Edema", "no edema", (3, 8)),
        ("edema", "lymphedema, edema", (12, 17)),
        ("chest  pain", "No CHEST   \tPAIN", (3, 16)),
        ("s/p (MI)", "is S/P (MI).", (3, 11)),
        ("edema", "no rales", None),
        ("", "no rales", None),
    ],
)
def test_negex_find_concept(concept: str, sentence: str, expected: tuple[int, int] | None) -> None:
    assert negex.find_concept(concept, sentence) == expected


def test_negex(tmp_path: Path) -> None:
    rows = "7\tedema\tNo EDEMA.\tNegated\tRecent\tPatient\n9\trales\tClear.\tAffirmed\tHistorical\tOther\n"
    path = written(tmp_path, "dev.tsv", HEADER + rows)
    first, second = negex.read(path)
    attributes = {"negation": "Negated", "temporality": "Recent", "experiencer": "Patient"}
    assert first == Document("7", "No EDEMA.", (Annotation(3, 8, "CONCEPT", ((3, 8),), attributes, (), "T1"),))
    assert second == Document("9", "Clear.")
    assert negex.excluded(path) == ["9"]


@pytest.mark.parametrize(
    ("content", "line"),
    [("", 1), ("row\tconcept\n", 1), (HEADER + "1\tedema\tNo EDEMA.\tNegated\n", 2)],
)
def test_negex_malformed(tmp_path: Path, content: str, line: int) -> None:
    with pytest.raises(CorpusError) as caught:
        list(negex.read(written(tmp_path, "dev.tsv", content)))
    assert caught.value.line == line


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


def test_map_document_drops_relations_of_what_it_drops(tmp_path: Path) -> None:
    annotations = tuple(
        Annotation(0, 1, label, ((0, 1),), id=id_) for label, id_ in (("A", "T1"), ("B", "T2"), ("A", "T3"))
    )
    document = Document(
        "d", "ab", annotations, (("r", "T1", "T2"), ("r", "T1", "T3"), ("CID", "D1", "D2")), ("T2", "T3")
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
        brat_format.write_brat(Document(name, "text"), tmp_path / "train")
    assert [d.doc_id for d in read_corpus(spec, data=tmp_path, split="train")] == ["a", "b"]
    assert [d.doc_id for d in read_corpus(spec, split="train")] == ["a", "b"]
    for split in ("dev", "test"):
        with pytest.raises(CorpusError):
            read_corpus(spec, data=tmp_path, split=split)


def test_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "spec").mkdir()
    spec = spec_of(tmp_path / "spec")
    monkeypatch.delenv("CLINSPAN_DATA", raising=False)
    with pytest.raises(CorpusError, match="CLINSPAN_DATA"):
        data_folder(spec)
    monkeypatch.setenv("CLINSPAN_DATA", str(tmp_path))
    brat_format.write_brat(Document("a", "text"), tmp_path / "corpora" / "x")
    assert data_folder(spec) == tmp_path / "corpora" / "x"
    brat_format.write_brat(Document("a", "text"), spec.folder)
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
    kept = sum(count for label, count in counts.items() if spec.labels[label])
    assert sum(len(map_document(d, spec).annotations) for d in found) == kept


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
        brat_format.write_brat(document, tmp_path)
        (back,) = brat_format.read(tmp_path / f"{document.doc_id}.txt")
        assert (back.text, back.annotations) == (document.text, document.annotations)
