"""Anafora XML: a text file and, beside it, ``<text file>.<schema>.<annotator>.<status>.xml``.

Definition: the manual of https://github.com/weitechen/anafora, and the tools of https://github.com/bethard/anaforatools.
The text of an XML file is the file of its folder whose name, or whose name less ``.txt``, is the longest part of the
XML file's name that ends before a dot; that name is the document's id. A text with several XML files (several schemas
or annotators) is read once for each: choose the files with a pattern.

Read: ``entity`` with its ``span`` ("12,17;20,24": code points, the fragments of one mention). Properties that hold the
id of an entity are relations (property, entity, target); ``associatedCode`` holds concepts; the others are attributes:
empty ones and those that are ``false`` are not set, ``true`` is ``True``, several values of one are joined by ``|``.
Of a ``relation`` the first entity is related to each of the others that its properties name, in their order; the
relation's type is followed by the property ``Type`` where there is one (``TLINK:CONTAINS``). Relations with fewer than
two entities, as left by unfinished annotation or between relations, are left out.

Written: ``<doc_id>/<doc_id>`` and ``<doc_id>/<doc_id>.Clinspan.gold.completed.xml``. Ids are Anafora's
(``7@e@<doc_id>@clinspan``, read back as ``T7``). Attributes whose name or value XML cannot hold are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from xml.etree.ElementTree import Element, ElementTree, SubElement, TreeBuilder, indent
from xml.parsers import expat

from clinspan.corpora._documents import envelope, fault_or_same_ids, is_file_name, numbers, writable
from clinspan.corpora.model import Annotation, CorpusError, Document, read_bytes, read_text

_ANNOTATOR = "clinspan"
_SUFFIX = ".Clinspan.gold.completed.xml"
_CODE = "associatedCode"
_SUBTYPE = "Type"
_SPAN = re.compile(r"\d{1,9},\d{1,9}(?:;\d{1,9},\d{1,9})*", re.ASCII)
_ID = re.compile(r"\d+@[er]@.*", re.ASCII | re.DOTALL)
_OWN_ID = re.compile(rf"(\d+)@e@.*@{_ANNOTATOR}", re.ASCII | re.DOTALL)
_NAME = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\r\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def read(path: Path) -> Iterator[Document]:
    """The one document of an XML file and the text beside it.

    Raises:
        CorpusError: when there is no text beside it, when it is not Anafora's XML, and for offsets outside the text,
            an id used twice, or a reference to an id that the file does not define.
    """
    path = Path(path)
    text_file, doc_id = _text_file(path)
    yield _Parser(path, doc_id, read_text(text_file)).parse()


def write(documents: Iterable[Document], path: str | Path) -> None:
    """Write documents into a folder, each in a folder of its own, as Anafora wants them.

    Raises:
        ValueError: for a document with a :func:`problem`.
    """
    Path(path).mkdir(parents=True, exist_ok=True)
    for document in writable(documents, problem):
        folder = Path(path, document.doc_id)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / document.doc_id).write_bytes(document.text.encode())
        tree = ElementTree(_data(document))
        indent(tree)
        tree.write(folder / f"{document.doc_id}{_SUFFIX}", encoding="UTF-8", xml_declaration=True)


def problem(document: Document) -> str:
    """Why Anafora cannot hold the document: a doc_id that is not a file name, a label or relation type that XML cannot
    hold, two annotations with one id, one outside the text, or text that is not Unicode. Empty when it can."""
    if not is_file_name(document.doc_id) or _NOT_XML.search(document.doc_id):
        return "its id is not a file name"
    names = [annotation.label for annotation in document.annotations]
    names += [kind.partition(":")[0] for kind, _, _ in document.relations]
    if any(not name.strip() or _NOT_XML.search(name) for name in names):
        return "a label or relation type is empty, or has a character that XML cannot hold"
    return fault_or_same_ids(document)


def _text_file(path: Path) -> tuple[Path, str]:
    name = path.name
    while "." in name:
        name = name.rpartition(".")[0]
        for candidate in (name, f"{name}.txt"):
            if name and path.with_name(candidate).is_file():
                return path.with_name(candidate), name
    raise CorpusError(path, 0, "no text file beside it")


class _Parser:
    def __init__(self, file: Path, doc_id: str, text: str) -> None:
        self.file = file
        self.doc_id = doc_id
        self.text = text
        self.lines: dict[Element, int] = {}
        self.ids: dict[str, str] = {}
        self.related: set[str] = set()
        self.entities: dict[str, Annotation] = {}
        self.relations: list[tuple[str, str, str]] = []

    def parse(self) -> Document:
        root = self._tree()
        if root.tag != "data":
            raise CorpusError(self.file, self.lines[root], "not Anafora's: the first element is not data")
        elements = [element for part in root.findall("annotations") for element in part]
        for element in elements:  # all ids first: annotations may refer to later ones
            self._define(element)
        for element in elements:
            self._entity(element) if element.tag == "entity" else self._relation(element)
        return Document(self.doc_id, self.text, tuple(self.entities.values()), tuple(self.relations))

    def _tree(self) -> Element:
        """The root element; the lines of all elements, which ElementTree does not keep, go to ``self.lines``."""
        builder = TreeBuilder()
        parser = expat.ParserCreate()

        def start(tag: str, attributes: dict[str, str]) -> None:
            self.lines[builder.start(tag, attributes)] = parser.CurrentLineNumber

        def refuse(*_: object) -> None:  # a document type may define entities that grow without bound
            raise CorpusError(self.file, parser.CurrentLineNumber, "a document type is not allowed")

        parser.StartElementHandler = start
        parser.EndElementHandler = builder.end
        parser.CharacterDataHandler = builder.data
        parser.StartDoctypeDeclHandler = refuse
        try:
            parser.Parse(read_bytes(self.file), True)
        except expat.ExpatError as error:
            raise CorpusError(self.file, error.lineno, "not XML") from None
        except LookupError:
            raise CorpusError(self.file, 1, "an unknown encoding") from None
        return builder.close()

    def _define(self, element: Element) -> None:
        if element.tag not in ("entity", "relation"):
            raise self._error(element, "neither an entity nor a relation")
        identifier = self._field(element, "id")
        if identifier in self.ids:
            raise self._error(element, "its id is used twice")
        own = _OWN_ID.fullmatch(identifier)
        self.ids[identifier] = f"T{own[1]}" if own else identifier
        if element.tag == "relation":
            self.related.add(identifier)

    def _entity(self, element: Element) -> None:
        identifier = self.ids[self._field(element, "id")]
        fragments = self._fragments(element)
        if identifier in self.entities:
            raise self._error(element, "its id is used twice")
        properties: dict[str, list[str]] = {}
        for name, value, is_reference in self._properties(element):
            if is_reference:
                self.relations.append((name, identifier, value))
            else:
                properties.setdefault(name, []).append(value)
        concepts = properties.pop(_CODE, [])
        attributes = {name: "|".join(values) for name, values in properties.items()}
        self.entities[identifier] = Annotation(
            *envelope(fragments),
            label=self._field(element, "type"),
            fragments=fragments,
            attributes={name: value == "true" or value for name, value in attributes.items() if value != "false"},
            concepts=tuple(concepts),
            id=identifier,
        )

    def _relation(self, element: Element) -> None:
        kind = self._field(element, "type")
        ends = []
        for name, value, is_reference in self._properties(element):
            if is_reference:
                ends.append(value)
            elif name == _SUBTYPE:
                kind = f"{kind}:{value}"
        self.relations += [(kind, ends[0], other) for other in ends[1:]]

    def _properties(self, element: Element) -> Iterator[tuple[str, str, bool]]:
        """Name and value of the properties that have one; the id of an entity, when the value refers to one."""
        for holder in element.findall("properties"):
            for child in holder:
                value = child.text or ""
                target = value.strip()
                if target in self.ids:
                    if target not in self.related:
                        yield child.tag, self.ids[target], True
                elif _ID.fullmatch(target):
                    raise self._error(child, "refers to an id that the file does not define")
                elif target:
                    yield child.tag, value, False

    def _fragments(self, element: Element) -> tuple[tuple[int, int], ...]:
        span = self._field(element, "span")
        if not _SPAN.fullmatch(span):
            raise self._error(element, "a span that is not pairs of offsets")
        fragments = []
        for pair in span.split(";"):
            start, end = map(int, pair.split(","))
            if not start < end <= len(self.text):
                raise self._error(element, f"offsets {start} {end} are not in the text")
            fragments.append((start, end))
        return tuple(sorted(fragments))

    def _field(self, element: Element, name: str) -> str:
        value = (element.findtext(name) or "").strip()
        if not value:
            raise self._error(element, f"{element.tag} without {name}")
        return value

    def _error(self, element: Element, reason: str) -> CorpusError:
        return CorpusError(self.file, self.lines[element], reason)


def _data(document: Document) -> Element:
    ids = {name: f"{number}@e@{document.doc_id}@{_ANNOTATOR}" for name, number in numbers(document).items()}
    data = Element("data")
    annotations = SubElement(data, "annotations")
    for annotation in document.annotations:
        spans = ";".join(f"{start},{end}" for start, end in annotation.fragments)
        properties = _element(annotations, "entity", ids[annotation.id], annotation.label, spans)
        for name, value in annotation.attributes.items():
            if value is not False:
                _add(properties, name, "true" if value is True else str(value))
        for concept in annotation.concepts:
            _add(properties, _CODE, concept)
    for number, (kind, first, second) in enumerate(document.relations, start=1):
        if first in ids and second in ids:
            kind, _, subtype = kind.partition(":")
            properties = _element(annotations, "relation", f"{number}@r@{document.doc_id}@{_ANNOTATOR}", kind)
            SubElement(properties, "Source").text = ids[first]
            _add(properties, _SUBTYPE, subtype)
            SubElement(properties, "Target").text = ids[second]
    return data


def _element(annotations: Element, tag: str, identifier: str, kind: str, span: str = "") -> Element:
    """Add an annotation in the order of Anafora's elements; its element for properties."""
    element = SubElement(annotations, tag)
    SubElement(element, "id").text = identifier
    if span:
        SubElement(element, "span").text = span
    SubElement(element, "type").text = kind
    SubElement(element, "parentsType")
    return SubElement(element, "properties")


def _add(properties: Element, name: str, value: str) -> None:
    if _NAME.fullmatch(name) and value.strip() and not _NOT_XML.search(value) and not _ID.fullmatch(value.strip()):
        SubElement(properties, name).text = value
