from __future__ import annotations

import sys
from pathlib import Path

import pytest

from clinspan.corpora import Annotation, CorpusError, Document
from clinspan.corpora import bioc_xml as bioc_format
from clinspan.corpora.conversion import compare
from corpus_files import PLAIN, RICH, written

#: In the form of PubTator's exports: a title, an abstract behind one character, ids counted through the document.
PUBTATOR = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE collection SYSTEM "BioC.dtd">
<collection><source>PubTator</source><date/><key>BioC.key</key>
<document><id>101</id>
  <infon key="tt_version">0</infon>
  <passage><infon key="type">title</infon><offset>0</offset><text>Knee pain after statins.</text>
    <annotation id="0"><infon key="identifier">MESH:D010146;MESH:D007719</infon><infon key="type">Disease</infon>
      <location offset="0" length="9"/><text>Knee pain</text></annotation>
  </passage>
  <passage><infon key="type">abstract</infon><offset>25</offset><text>\u00b5g of \U0001d6fc-statin: c.35G&gt;A.</text>
    <annotation id="1"><infon key="type">Chemical</infon><infon key="identifier">-</infon>
      <location offset="31" length="8"/><text>\U0001d6fc-statin</text></annotation>
    <annotation id="2"><infon key="type">Mutation</infon><infon key="identifier">c|SUB|G|35|A</infon>
      <location offset="41" length="7"/><text>c.35 G&gt;A</text></annotation>
  </passage>
  <relation id="R1"><infon key="role1">MESH:D010146</infon><infon key="role2">-</infon>
    <infon key="type">cause</infon><node refid="0" role="0,1"/></relation>
</document>
</collection>
"""


def read_xml(folder: Path, content: str) -> list[Document]:
    return list(bioc_format.read(written(folder, "d.xml", content)))


def test_as_pubtator_writes_it(tmp_path: Path) -> None:
    assert read_xml(tmp_path, PUBTATOR) == [
        Document(
            "101",
            "Knee pain after statins.\n\u00b5g of \U0001d6fc-statin: c.35G>A.",
            (
                Annotation(0, 9, "Disease", ((0, 9),), {}, ("MESH:D010146", "MESH:D007719"), "0"),
                Annotation(31, 39, "Chemical", ((31, 39),), {}, ("-",), "1"),
                Annotation(41, 48, "Mutation", ((41, 48),), {}, ("c|SUB|G|35|A",), "2"),
            ),
            (("cause", "MESH:D010146", "-"),),
            ("2",),
        )
    ]


#: 0         1         2
#: 012345678901234567890123456
TEXT = "Left and right knee pain."


def document(inner: str, text: str = TEXT) -> str:
    passage = f"<passage><offset>0</offset><text>{text}</text>\n{inner}</passage>"
    return f"<collection><document><id>d</id>\n{passage}</document></collection>"


def annotation(identifier: str, infons: str = "", at: tuple = ((20, 4),), text: str = "pain") -> str:
    places = "".join(f'<location offset="{offset}" length="{length}"/>' for offset, length in at)
    name = f' id="{identifier}"' if identifier else ""
    return f'<annotation{name}><infon key="type">S</infon>{infons}{places}<text>{text}</text></annotation>\n'


def relation(*refs: str, infons: str = '<infon key="type">r</infon>') -> str:
    nodes = "".join(f'<node refid="{ref}" role="x"/>' for ref in refs)
    return f'<relation id="R1">{infons}{nodes}</relation>\n'


@pytest.mark.parametrize(
    ("passages", "text"),
    [
        ("", ""),
        ("<passage><offset>0</offset></passage>", ""),
        ("<passage><offset>0</offset><text/></passage><passage><offset>0</offset><text>ab</text></passage>", "ab"),
        ("<passage><offset>3</offset><text>ab</text></passage>", "  \nab"),
        (
            "<passage><offset>2</offset><text>cd</text></passage><passage><offset>0</offset><text>ab</text></passage>",
            "abcd",
        ),
        (
            "<passage><offset>0</offset><sentence><offset>0</offset><text>a b.</text></sentence>"
            "<sentence><offset>5</offset><text>c.</text></sentence></passage>"
            "<passage><offset>9</offset><text>d</text></passage>",
            "a b.\nc. \nd",
        ),
        (
            "<passage><offset>1</offset><text>a. b.</text>"
            "<sentence><offset>4</offset><text>b.</text></sentence></passage>",
            "\na. b.",
        ),
        ("<passage><offset>0</offset><text>a<!-- x -->b&#13;\n&#x1d6fc;</text></passage>", "ab\r\n\U0001d6fc"),
    ],
)
def test_text(tmp_path: Path, passages: str, text: str) -> None:
    (found,) = read_xml(tmp_path, f"<collection><document><id>d</id>{passages}</document></collection>")
    assert found == Document("d", text)


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        (annotation("a", '<infon key="MESH">D1|D2</infon>'), ("a", ((20, 24),), {}, ("D1", "D2"))),
        (
            annotation("", '<infon key="x">true</infon><infon key="y">no</infon><infon key="z"/>'),
            ("T1", ((20, 24),), {"x": True, "y": "no"}, ()),
        ),
        (
            annotation("a", '<infon key="CUI">C1, C2</infon><infon key="identifier">C1</infon>'),
            ("a", ((20, 24),), {}, ("C1", "C2")),
        ),
        (annotation("a", at=((15, 9), (0, 4)), text="Left knee pain"), ("a", ((0, 4), (15, 24)), {}, ())),
        (annotation("a", at=((15, 9), (0, 4)), text=TEXT[:-1]), ("a", ((0, 4), (15, 24)), {}, ())),
    ],
)
def test_annotations(tmp_path: Path, inner: str, expected: tuple) -> None:
    (found,) = read_xml(tmp_path, document(inner))
    (a,) = found.annotations
    assert (a.id, a.fragments, a.attributes, a.concepts) == expected
    assert (a.start, a.end, a.label, found.mismatched) == (a.fragments[0][0], 24, "S", ())


def test_annotations_of_every_level_and_ids_that_begin_anew(tmp_path: Path) -> None:
    sentences = "".join(
        f"<sentence><offset>{offset}</offset><text>{text}</text>"
        + annotation("a", at=((offset, 2),), text="no")
        + annotation("b", at=((offset, 4),), text=text)
        + relation("a", "b")
        + "</sentence>"
        for offset, text in ((0, "no x"), (5, "no y"))
    )
    passage = f"<passage><offset>0</offset>{sentences}{annotation('T1', at=((3, 1),), text='x')}</passage>"
    whole = annotation("w", at=((0, 9),), text="no x no y") + relation("w", "T1")
    (found,) = read_xml(tmp_path, f"<collection><document><id>d</id>{passage}{whole}</document></collection>")
    assert [(a.id, a.start, a.end) for a in found.annotations] == [
        ("a", 0, 2),
        ("b", 0, 4),
        ("T2", 5, 7),
        ("T3", 5, 9),
        ("T1", 3, 4),
        ("w", 0, 9),
    ]
    assert found.relations == (("r", "a", "b"), ("r", "T2", "T3"), ("r", "w", "T1"))


TWO = annotation("a") + annotation("b") + annotation("nowhere", at=())
CDR = '<infon key="relation">CID</infon><infon key="Chemical">D1</infon><infon key="Disease">D2</infon>'


@pytest.mark.parametrize(
    ("inner", "relations"),
    [
        (relation("b", "a"), (("r", "b", "a"),)),
        (relation("b", "a", "b"), (("r", "b", "a"), ("r", "b", "b"))),
        (relation("a", "b", infons=""), (("", "a", "b"),)),
        (relation(infons=CDR), (("CID", "D1", "D2"),)),
        (relation("a"), ()),
        (relation(), ()),
        (relation("a", "nowhere"), ()),
        (relation("a", "R1"), ()),
    ],
)
def test_relations(tmp_path: Path, inner: str, relations: tuple) -> None:
    assert read_xml(tmp_path, document(TWO + inner))[0].relations == relations


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("", 1),
        ("pain", 1),
        ("<collection>\n<document>", 2),
        ("<corpus/>", 1),
        ('<!DOCTYPE c [<!ENTITY e SYSTEM "/etc/hostname">]>\n' + document("", "&e;"), 3),
        ("<collection>\n<doc>pain</doc></collection>", 1),
        (document("<pain/>"), 2),
        (document("pain"), 2),
        (document(annotation("a") + "pain"), 2),
        (document(annotation("a", text="<b>pain</b>")), 3),
        (document(annotation("a", at=(("x", 2),))), 3),
        (document(annotation("a", at=((-1, 2),))), 3),
        (document(annotation("a").replace(' length="4"', "")), 3),
        (document(annotation("a").replace(' key="type"', "")), 3),
        (document("<relation>\n<node/></relation>"), 4),
        (document("\n<sentence><text>pain</text></sentence>"), 4),
        (document("").replace(">0<", ">pain<"), 2),
        (document("").replace("<id>d</id>", ""), 0),
        (document(annotation("a", at=((20, 6),))), 0),
        (document(annotation("a", at=((20, 0),))), 0),
        (document("<sentence><offset>21</offset><text>pain</text></sentence>"), 0),
        (document("</passage><passage><offset>9</offset><text>pain</text>"), 0),
        (document(TWO + relation("a", "pain")), 0),
        (document(TWO + annotation("a") + relation("a", "b")), 0),
    ],
)
def test_malformed(tmp_path: Path, content: str, line: int) -> None:
    with pytest.raises(CorpusError) as caught:
        read_xml(tmp_path, content)
    assert (caught.value.file, caught.value.line) == (tmp_path / "d.xml", line)
    assert caught.value.reason and "pain" not in caught.value.reason


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="cannot be read"):
        list(bioc_format.read(tmp_path / "none.xml"))


@pytest.mark.parametrize(
    ("before", "losses"),
    [
        (PLAIN, []),
        (RICH, []),
        (Document("empty", ""), []),
        (Document("d\t", " \r\n\u2028\U0001d6fc\r"), []),
        (Document("d", "ab", (), (("CID", "D1", "D2"),)), []),
        (
            Document("d", "ab", (Annotation(0, 1, "", ((0, 1),), {"x": "true", "y": False}, ("a,b",), "T1"),)),
            [("attributes", "T1"), ("concepts", "T1")],
        ),
        (
            Document("d", "ab", (Annotation(0, 1, "S", ((0, 1),), {"type": "x", "MESH": "y"}, (), "T1"),)),
            [("attributes", "T1")],
        ),
    ],
)
def test_round_trip(tmp_path: Path, before: Document, losses: list) -> None:
    bioc_format.write([before], tmp_path / "d.xml")
    first = (tmp_path / "d.xml").read_bytes()
    (after,) = bioc_format.read(tmp_path / "d.xml")
    assert [(loss.what, loss.annotation) for loss in compare(before, after)] == losses
    assert (after.doc_id, after.mismatched) == (before.doc_id, ())
    bioc_format.write([after], tmp_path / "d.xml")
    assert losses or (tmp_path / "d.xml").read_bytes() == first


@pytest.mark.parametrize(
    "refused",
    [
        Document("", "pain"),
        Document("d", "pain\x00"),
        Document("d", "pain \ud83d"),
        Document("d", "pain", (Annotation(0, 1, "S", ((0, 1),), {"x": "\x0b"}, (), "T1"),)),
        Document("d", "pain", (Annotation(0, 5, "S", ((0, 5),), {}, (), "T1"),)),
    ],
)
def test_refused(tmp_path: Path, refused: Document) -> None:
    assert bioc_format.problem(refused)
    with pytest.raises(ValueError, match="document '") as caught:
        bioc_format.write([refused], tmp_path / "d.xml")
    assert "pain" not in str(caught.value)


def test_without_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bioc.biocxml", None)
    with pytest.raises(CorpusError, match=r"clinspan\[formats\]"):
        read_xml(tmp_path, "")
    with pytest.raises(CorpusError, match=r"clinspan\[formats\]"):
        bioc_format.write([PLAIN], tmp_path / "d.xml")
