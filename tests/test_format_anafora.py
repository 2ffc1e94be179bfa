from __future__ import annotations

from pathlib import Path

import pytest

from clinspan.corpora import Annotation, CorpusError, Document, read_files
from clinspan.corpora import anafora as anafora_format
from clinspan.corpora.conversion import compare
from corpus_files import PLAIN, RICH, written

#: 0         1         2         3         4
#: 0123456789012345678901234567890123456789012345678
TEXT = "No fever or chills. Left and right knee pain now."

#: As Anafora saves it, with the properties of the schemas of SHARPn and THYME.
EXPORT = """\
<?xml version="1.0" encoding="UTF-8"?>

<data>
<info>
  <savetime>12:05:38 07-11-2013</savetime>
  <progress>completed</progress>
</info>

<schema path="./" protocol="file">temporal.schema.xml</schema>

<annotations>

    <entity>
        <id>7@e@ID001_clinic_001@gold</id>
        <span>35,44;20,24</span>
        <type>Disease_Disorder</type>
        <parentsType>UMLSEntities</parentsType>
        <properties>
            <negation_indicator></negation_indicator>
            <associatedCode>C0231749</associatedCode>
            <associatedCode>C0030193</associatedCode>
            <subject>patient</subject>
            <modifier>left</modifier>
            <modifier>right</modifier>
            <historical>true</historical>
            <generic>false</generic>
            <body_location>8@e@ID001_clinic_001@gold</body_location>
        </properties>
    </entity>
    <entity>
        <id>8@e@ID001_clinic_001@gold</id>
        <span>35,39</span>
        <type>Anatomical_site</type>
        <parentsType/>
        <properties/>
    </entity>
    <relation>
        <id>1@r@ID001_clinic_001@gold</id>
        <type>TLINK</type>
        <parentsType>TemporalRelations</parentsType>
        <properties>
            <Source>7@e@ID001_clinic_001@gold</Source>
            <Type>CONTAINS</Type>
            <Target>8@e@ID001_clinic_001@gold</Target>
            <Target>7@e@ID001_clinic_001@gold</Target>
        </properties>
    </relation>
    <relation>
        <id>2@r@ID001_clinic_001@gold</id>
        <type>ALINK</type>
        <parentsType/>
        <properties>
            <Source>1@r@ID001_clinic_001@gold</Source>
            <Target>8@e@ID001_clinic_001@gold</Target>
        </properties>
    </relation>

</annotations>
</data>
"""
XML_NAME = "ID001_clinic_001.Temporal-Relation.gold.completed.xml"


def read_anafora(folder: Path, xml: str, text: str = TEXT) -> Document:
    written(folder, "ID001_clinic_001", text)
    (document,) = anafora_format.read(written(folder, XML_NAME, xml))
    return document


def entity(span: str = "3,8", number: int = 1, properties: str = "") -> str:
    body = f"<type>Sign</type>\n<parentsType/><properties>{properties}</properties>"
    return f"<entity>\n<id>{number}@e@d@gold</id>\n<span>{span}</span>\n{body}</entity>"


def data(*annotations: str) -> str:
    return "<data>\n<annotations>" + "\n".join(annotations) + "</annotations></data>"


def test_anafora_export(tmp_path: Path) -> None:
    first, second = "7@e@ID001_clinic_001@gold", "8@e@ID001_clinic_001@gold"
    attributes = {"subject": "patient", "modifier": "left|right", "historical": True}
    assert read_anafora(tmp_path, EXPORT) == Document(
        "ID001_clinic_001",
        TEXT,
        (
            Annotation(20, 44, "Disease_Disorder", ((20, 24), (35, 44)), attributes, ("C0231749", "C0030193"), first),
            Annotation(35, 39, "Anatomical_site", ((35, 39),), {}, (), second),
        ),
        (
            ("body_location", first, second),
            ("TLINK:CONTAINS", first, second),
            ("TLINK:CONTAINS", first, first),
        ),
    )


@pytest.mark.parametrize(
    ("text_name", "xml_name", "doc_id"),
    [
        ("note", "note.Temporal.gold.completed.xml", "note"),
        ("note.txt", "note.Temporal.gold.completed.xml", "note"),
        ("note.txt", "note.txt.Temporal.gold.completed.xml", "note.txt"),
        ("a.b", "a.b.Temporal.gold.completed.xml", "a.b"),
        ("note.txt", "note.xml", "note"),
    ],
)
def test_anafora_finds_the_text(tmp_path: Path, text_name: str, xml_name: str, doc_id: str) -> None:
    written(tmp_path, text_name, TEXT)
    (document,) = anafora_format.read(written(tmp_path, xml_name, data(entity())))
    assert (document.doc_id, document.text) == (doc_id, TEXT)


def test_anafora_without_text(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no text file"):
        list(anafora_format.read(written(tmp_path, "note.xml", data())))


@pytest.mark.parametrize(
    ("id_", "text", "xml", "surfaces"),
    [
        ("no annotations", TEXT, "<data/>", []),
        ("none yet", TEXT, data(), []),
        ("empty text", "", data(), []),
        ("code points", "\U0001d6fc fever", data(entity("2,7")), ["fever"]),
        ("offsets count carriage returns", "a\r\nfever", data(entity("3,8")).replace("\n", "\r\n"), ["fever"]),
        ("same offsets twice", TEXT, data(entity(number=2), entity(number=1)), ["fever", "fever"]),
        ("declared encoding", TEXT, '<?xml version="1.0" encoding="ISO-8859-1"?>' + data(entity()), ["fever"]),
        (
            "refers to a later one",
            TEXT,
            data(entity(properties="<x> 2@e@d@gold </x>"), entity(number=2)),
            ["fever"] * 2,
        ),
    ],
)
def test_anafora_odd_files(tmp_path: Path, id_: str, text: str, xml: str, surfaces: list[str]) -> None:
    document = read_anafora(tmp_path, xml, text)
    assert [document.text[a.start : a.end] for a in document.annotations] == surfaces
    assert document.text == text


@pytest.mark.parametrize("document", [RICH, PLAIN, Document("empty", ""), Document("crlf.txt", "a\r\nb\x0c\u2028")])
def test_anafora_round_trip_loses_nothing(tmp_path: Path, document: Document) -> None:
    anafora_format.write([document], tmp_path)
    assert list(read_files(tmp_path, "anafora")) == [document]
    assert compare(document, document) == []


def test_anafora_leaves_out_what_xml_cannot_hold(tmp_path: Path) -> None:
    attributes = {"a b": "x", "#n": True, "nul": "\0", "blank": " ", "id": "1@e@d@gold", "no": False, "kept": "<&> x "}
    mentions = (
        Annotation(3, 8, "A&B", ((3, 8),), attributes, ("HP:1",), "x"),
        Annotation(12, 18, "B", ((12, 18),), {}, (), "T7"),
    )
    anafora_format.write([Document("d", TEXT, mentions, (("r:s", "x", "T7"), ("r", "D1", "D2")))], tmp_path)
    assert list(read_files(tmp_path, "anafora")) == [
        Document(
            "d",
            TEXT,
            (
                Annotation(3, 8, "A&B", ((3, 8),), {"kept": "<&> x "}, ("HP:1",), "T1"),
                Annotation(12, 18, "B", ((12, 18),), {}, (), "T2"),
            ),
            (("r:s", "T1", "T2"),),
        )
    ]


@pytest.mark.parametrize(
    ("doc_id", "label", "kind"),
    [("a/b", "X", "r"), ("..", "X", "r"), ("", "X", "r"), ("d", "", "r"), ("d", "\x07", "r"), ("d", "X", ":s")],
)
def test_anafora_refuses(tmp_path: Path, doc_id: str, label: str, kind: str) -> None:
    mention = Annotation(3, 8, label, ((3, 8),), {}, (), "T1")
    with pytest.raises(ValueError, match="document"):
        anafora_format.write([Document(doc_id, TEXT, (mention,), ((kind, "T1", "T1"),))], tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize(
    ("id_", "xml", "line"),
    [
        ("not XML", "fever", 1),
        ("cut off", data(entity())[:-9], 6),
        ("empty", "", 1),
        ("unknown encoding", '<?xml version="1.0" encoding="fever"?>' + data(), 1),
        ("document type", '\n<!DOCTYPE data [<!ENTITY x "fever">]>' + data(entity(properties="<p>&x;</p>")), 2),
        ("a schema", "\n<schema>fever</schema>", 2),
        ("neither entity nor relation", data("<fever/>"), 2),
        ("no id", data("\n<entity><span>3,8</span><type>X</type></entity>"), 3),
        ("no type", data("\n<entity><id>1@e@d@g</id><span>3,8</span></entity>"), 3),
        ("no span", data("\n<entity><id>1@e@d@g</id><type>X</type></entity>"), 3),
        ("id twice", data(entity(), entity()), 7),
        (
            "ours and another alike",
            data(entity(), entity()).replace("gold", "clinspan", 1).replace("1@e@d@gold", "T1"),
            7,
        ),
        ("words for offsets", data(entity("fever")), 2),
        ("one offset", data(entity("3")), 2),
        ("negative offset", data(entity("-3,8")), 2),
        ("empty span", data(entity("3,3")), 2),
        ("behind the text", data(entity(), entity("3,50", 2)), 7),
        ("one fragment behind", data(entity("3,8;40,50")), 2),
        ("an offset of 5000 digits", data(entity(f"3,{'8' * 5000}")), 2),
        ("refers to nothing", data(entity(properties="\n<x>9@e@d@gold</x>")), 7),
    ],
)
def test_anafora_malformed(tmp_path: Path, id_: str, xml: str, line: int) -> None:
    with pytest.raises(CorpusError) as caught:
        read_anafora(tmp_path, xml)
    assert (caught.value.file.name, caught.value.line) == (XML_NAME, line)
    assert caught.value.reason and "fever" not in caught.value.reason
