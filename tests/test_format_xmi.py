from __future__ import annotations

import sys
from pathlib import Path

import pytest

from clinspan.corpora import Annotation, CorpusError, Document, read_files
from clinspan.corpora import xmi as xmi_format
from clinspan.corpora.conversion import compare
from corpus_files import PLAIN, RICH, written

pytest.importorskip("cassis")

DKPRO = "de.tudarmstadt.ukp.dkpro.core.api"
CTAKES = "org.apache.ctakes.typesystem.type"


def type_system(*types: tuple[str, str, dict[str, str]]) -> str:
    """A type system description: names, supertypes and the ranges of features."""
    descriptions = ""
    for name, supertype, features in types:
        inner = "".join(
            f"<featureDescription><name>{feature}</name><description/>"
            f"<rangeTypeName>uima.{kind}</rangeTypeName></featureDescription>"
            for feature, kind in features.items()
        )
        descriptions += (
            f"<typeDescription><name>{name}</name><description/><supertypeName>{supertype}</supertypeName>"
            f"<features>{inner}</features></typeDescription>"
        )
    head = (
        '<?xml version="1.0" encoding="UTF-8"?><typeSystemDescription xmlns="http://uima.apache.org/resourceSpecifier">'
    )
    return f"{head}<types>{descriptions}</types></typeSystemDescription>"


ANNOTATION = "uima.tcas.Annotation"
STRING, BOOLEAN, INTEGER, ANY = "cas.String", "cas.Boolean", "cas.Integer", "tcas.Annotation"
TYPES = type_system(
    (f"{DKPRO}.metadata.type.DocumentMetaData", "uima.tcas.DocumentAnnotation", {"documentTitle": STRING}),
    (f"{DKPRO}.segmentation.type.Token", ANNOTATION, {"order": INTEGER}),
    (f"{DKPRO}.ner.type.NamedEntity", ANNOTATION, {"value": STRING, "identifier": STRING}),
    (f"{DKPRO}.ner.type.Person", f"{DKPRO}.ner.type.NamedEntity", {}),
    ("webanno.custom.Sign", ANNOTATION, {"label": STRING, "negated": BOOLEAN, "value": STRING, "grade": INTEGER}),
    ("webanno.custom.Link", ANNOTATION, {"Governor": ANY, "Dependent": ANY, "label": STRING}),
    (f"{CTAKES}.refsem.UmlsConcept", "uima.cas.TOP", {"codingScheme": STRING, "code": STRING, "cui": STRING}),
    (
        f"{CTAKES}.textsem.DiseaseDisorderMention",
        ANNOTATION,
        {
            "ontologyConceptArr": "cas.FSArray",
            "polarity": INTEGER,
            "uncertainty": INTEGER,
            "historyOf": INTEGER,
            "conditional": BOOLEAN,
            "generic": BOOLEAN,
            "subject": STRING,
        },
    ),
)

#: In UTF-16, which counts the first character twice, "fever" is 3-8, "MI" 13-15; in code points 2-7 and 12-14.
TEXT = "\U0001d6fc fever, no MI"


def xmi(*elements: str, text: str = TEXT) -> str:
    """A CAS of one view as UIMA serializes it."""
    spaces = {
        "cas": "uima/cas",
        "tcas": "uima/tcas",
        "ner": "de/tudarmstadt/ukp/dkpro/core/api/ner/type",
        "meta": "de/tudarmstadt/ukp/dkpro/core/api/metadata/type",
        "seg": "de/tudarmstadt/ukp/dkpro/core/api/segmentation/type",
        "custom": "webanno/custom",
        "textsem": "org/apache/ctakes/typesystem/type/textsem",
        "refsem": "org/apache/ctakes/typesystem/type/refsem",
    }
    names = " ".join(f'xmlns:{prefix}="http:///{path}.ecore"' for prefix, path in spaces.items())
    body = "\n".join(f"<{element.replace('ID=', 'xmi:id=', 1)}/>" for element in elements)
    members = " ".join(e.split('ID="')[1].split('"')[0] for e in elements if 'sofa="' in e)
    sofa = f'<cas:Sofa xmi:id="1" sofaNum="1" sofaID="_InitialView" mimeType="text" sofaString="{text}"/>'
    view = f'<cas:View sofa="1" members="{members}"/>'
    return (
        f'<xmi:XMI xmlns:xmi="http://www.omg.org/XMI" {names} xmi:version="2.0">\n'
        f'<cas:NULL xmi:id="0"/>\n{body}\n{sofa}\n{view}\n</xmi:XMI>'
    )


def read_xmi(folder: Path, content: str, types: str = TYPES) -> Document:
    written(folder, "TypeSystem.xml", types)
    (document,) = xmi_format.read(written(folder, "note.xmi", content))
    return document


def test_xmi_inception_export(tmp_path: Path) -> None:
    content = xmi(
        'meta:DocumentMetaData ID="9" sofa="1" begin="0" end="15" language="x" documentTitle="note 1.txt"',
        'seg:Token ID="12" sofa="1" begin="3" end="8" order="0"',
        'ner:NamedEntity ID="21" sofa="1" begin="13" end="15" value="DIS" identifier="http://kb/1 http://kb/2"',
        'ner:Person ID="20" sofa="1" begin="3" end="8"',
        'custom:Sign ID="30" sofa="1" begin="3" end="8" label="SIGN" negated="true" value="false" grade="2"',
        'custom:Sign ID="31" sofa="1" begin="0" end="2" negated="false"',
        'custom:Link ID="40" sofa="1" begin="3" end="8" Governor="21" Dependent="30" label="with"',
        'custom:Link ID="41" sofa="1" begin="3" end="8" Governor="21" Dependent="12"',
        'custom:Link ID="42" sofa="1" begin="3" end="8" Governor="21"',
    )
    assert read_xmi(tmp_path, content) == Document(
        "note 1.txt",
        TEXT,
        (
            Annotation(2, 7, "Person", ((2, 7),), {}, (), "T1"),
            Annotation(12, 14, "DIS", ((12, 14),), {}, ("http://kb/1", "http://kb/2"), "T2"),
            Annotation(2, 7, "SIGN", ((2, 7),), {"negated": True, "grade": "2"}, (), "T3"),
            Annotation(0, 1, "Sign", ((0, 1),), {}, (), "T4"),
        ),
        (("with", "T2", "T3"),),
    )


def test_xmi_ctakes_output(tmp_path: Path) -> None:
    codes = 'codingScheme="SNOMEDCT_US" code="22298006" cui="C0027051"'
    mention = 'textsem:DiseaseDisorderMention ID="{}" sofa="1" begin="{}" end="{}" subject="patient" '
    content = xmi(
        mention.format(5, 13, 15)
        + 'ontologyConceptArr="7 8" polarity="-1" uncertainty="0" historyOf="1" generic="true"',
        mention.format(6, 3, 8) + 'polarity="1" uncertainty="0" historyOf="0" conditional="false" generic="false"',
        f'refsem:UmlsConcept ID="7" {codes}',
        'refsem:UmlsConcept ID="8" codingScheme="ICD10" code="I21" cui="C0027051"',
    )
    attributes = {"polarity": "-1", "historyOf": "1", "generic": True, "subject": "patient"}
    concepts = ("SNOMEDCT_US:22298006", "ICD10:I21", "UMLS:C0027051")
    assert read_xmi(tmp_path, content) == Document(
        "note",
        TEXT,
        (
            Annotation(12, 14, "DiseaseDisorderMention", ((12, 14),), attributes, concepts, "T1"),
            Annotation(2, 7, "DiseaseDisorderMention", ((2, 7),), {"subject": "patient"}, (), "T2"),
        ),
    )


@pytest.mark.parametrize(
    "documents", [[RICH, PLAIN], [Document("empty", "")], [Document("crlf", "a\r\nb\tc \u2028&<")]]
)
def test_xmi_round_trip_loses_nothing(tmp_path: Path, documents: list[Document]) -> None:
    xmi_format.write(documents, tmp_path)
    back = list(read_files(tmp_path, "xmi"))
    assert [compare(before, after) for before, after in zip(documents, back, strict=True)] == [[]] * len(documents)
    assert [(d.doc_id, d.text) for d in back] == [(d.doc_id, d.text) for d in documents]


@pytest.mark.parametrize(
    ("id_", "attributes", "concepts", "losses"),
    [
        ("names that are not features", {"a b": "x", "#n": "x", "class": "x", "value": "x"}, (), ["attributes"]),
        ("names that cassis has", {"get": "x", "type": "x", "self": "x", "xmiID": "x"}, (), ["attributes"]),
        ("false is not set", {"negated": False}, (), []),
        ("a label of its own", {"label": "x"}, (), []),
        ("white space in a concept", {}, ("a b",), ["concepts"]),
    ],
)
def test_xmi_losses(tmp_path: Path, id_: str, attributes: dict, concepts: tuple, losses: list[str]) -> None:
    document = Document("d", "ab\x0ccd", (Annotation(0, 2, "X", ((0, 2),), attributes, concepts, "m-1"),))
    xmi_format.write([document], tmp_path)
    (back,) = read_files(tmp_path, "xmi")
    assert [loss.what for loss in compare(document, back)] == ["white space", *losses]


@pytest.mark.parametrize(
    ("doc_id", "text", "label"), [("a/b", "ab", "X"), ("", "ab", "X"), ("d", "a\0b", "X"), ("d", "ab", "X\x0c")]
)
def test_xmi_refuses(tmp_path: Path, doc_id: str, text: str, label: str) -> None:
    document = Document(doc_id, text, (Annotation(0, 1, label, ((0, 1),), {}, (), "T1"),))
    with pytest.raises(ValueError, match="document"):
        xmi_format.write([document], tmp_path)
    assert not list(tmp_path.iterdir())


ENTITY = 'ner:NamedEntity ID="{}" sofa="1" begin="{}" end="{}"'


@pytest.mark.parametrize(
    ("id_", "content", "line"),
    [
        ("not XML", "fever", 1),
        ("cut off", xmi()[:-5], 6),
        ("empty", "", 0),
        ("other XML", "<fever/>", 0),
        ("unknown type", xmi('custom:Fever ID="5" sofa="1" begin="3" end="8"'), 0),
        ("unknown feature", xmi(ENTITY.format(5, 3, 8) + ' fever="1"'), 0),
        ("no text", xmi().replace("sofaString=", "other="), 0),
        ("words for offsets", xmi(ENTITY.format(5, "fever", 8)), 0),
        ("behind the text", xmi(ENTITY.format(5, 3, 16)), 0),
        ("half a character", xmi(ENTITY.format(5, 1, 8)), 0),
        ("empty span", xmi(ENTITY.format(5, 3, 3)), 0),
        ("no end", xmi('ner:NamedEntity ID="5" sofa="1" begin="3"'), 0),
        ("no id", xmi(ENTITY.format(5, 3, 8)).replace('xmi:id="5"', ""), 0),
        ("member that is not there", xmi().replace('members=""', 'members="77"'), 0),
    ],
)
def test_xmi_malformed(tmp_path: Path, id_: str, content: str, line: int) -> None:
    with pytest.raises(CorpusError) as caught:
        read_xmi(tmp_path, content)
    assert (caught.value.file.name, caught.value.line) == ("note.xmi", line)
    assert caught.value.reason and "fever" not in caught.value.reason


def test_xmi_malformed_type_system(tmp_path: Path) -> None:
    with pytest.raises(CorpusError) as caught:
        read_xmi(tmp_path, xmi(), "\nfever")
    assert (caught.value.file.name, caught.value.line, caught.value.reason) == (
        "TypeSystem.xml",
        2,
        "not a type system",
    )


def test_xmi_id_twice(tmp_path: Path) -> None:
    xmi_format.write([RICH], tmp_path)
    path = tmp_path / "note-1.xmi"
    path.write_text(path.read_text(encoding="utf-8").replace('mention="T5"', 'mention="T1"'), encoding="utf-8")
    with pytest.raises(CorpusError, match="used twice"):
        list(xmi_format.read(path))


def test_xmi_new_mentions_beside_ours_get_a_free_id(tmp_path: Path) -> None:
    xmi_format.write([PLAIN], tmp_path)
    path = tmp_path / "note-2.xmi"
    path.write_text(path.read_text(encoding="utf-8").replace(' mention="T1"', ""), encoding="utf-8")
    (document,) = xmi_format.read(path)
    assert [a.id for a in document.annotations] == ["T1", "T2"]


def test_xmi_without_cassis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cassis", None)
    with pytest.raises(CorpusError, match=r"pip install 'clinspan\[formats\]'"):
        read_xmi(tmp_path, xmi())
