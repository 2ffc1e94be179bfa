"""BioC XML, through the library ``bioc``; :mod:`~clinspan.corpora._bioc` says what of BioC is read and written.

The library passes over elements and characters that it does not expect; here they are errors, except that the order of
elements is free, comments are dropped, and annotations may stand in a document too, as they do in BioC JSON.
XML knows one line end only: carriage returns in the text are written as character references.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from clinspan.corpora import _bioc
from clinspan.corpora._documents import fault, strings
from clinspan.corpora._files import library
from clinspan.corpora.model import CorpusError, Document, read_bytes

_NOTED = frozenset(("infon", "annotation", "relation"))
#: The elements of BioC and those that may stand in them.
_ELEMENTS: dict[str, frozenset[str]] = {
    "collection": frozenset(("source", "date", "key", "infon", "document")),
    "document": _NOTED | {"id", "passage"},
    "passage": _NOTED | {"offset", "text", "sentence"},
    "sentence": _NOTED | {"offset", "text"},
    "annotation": frozenset(("infon", "location", "text")),
    "relation": frozenset(("infon", "node")),
    **dict.fromkeys(("source", "date", "key", "id", "infon", "offset", "text", "location", "node"), frozenset()),
}
_WITH_CHARACTERS = frozenset(("source", "date", "key", "id", "infon", "offset", "text"))
_REQUIRED = {"location": ("offset", "length"), "node": ("refid",), "infon": ("key",)}
_NUMBER = re.compile(r"\s*\d+\s*", re.ASCII)
_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def read(path: Path) -> Iterator[Document]:
    """The documents of a BioC XML file.

    Raises:
        CorpusError: for a file that cannot be read or is not BioC XML, for what
            :func:`clinspan.corpora._bioc.documents` refuses, and when the library is not installed.
    """
    path = Path(path)
    yield from _bioc.documents(_decoded(path), path)


def write(documents: Iterable[Document], path: str | Path) -> None:
    """Write documents as one collection.

    Raises:
        ValueError: for a document with a :func:`problem`.
        CorpusError: when the library is not installed.
    """
    path = Path(path)
    biocxml = library("bioc.biocxml", path)
    path.write_bytes(biocxml.dumps(_bioc.collection(documents, path, problem)).encode())


def problem(document: Document) -> str:
    """Why BioC XML cannot hold the document: no id, annotations outside its text, or characters that XML has not. Empty
    when it can."""
    if not document.doc_id:
        return "it has no id"
    if any(map(_NOT_XML.search, strings(document))):
        return "it has control characters or others that XML has not"
    return fault(document)


def _decoded(path: Path) -> Iterator[Any]:
    biocxml = library("bioc.biocxml", path)
    yield from biocxml.BioCXMLDocumentReader(io.BytesIO(_checked(path)))


def _checked(path: Path) -> bytes:
    """The file's content, once its elements are those of BioC: its comments dropped, its entities resolved."""
    from lxml import etree

    parser = etree.XMLParser(resolve_entities="internal", no_network=True, remove_comments=True, remove_pis=True)
    try:
        root = etree.fromstring(read_bytes(path), parser)
    except etree.XMLSyntaxError as error:
        raise CorpusError(path, error.lineno or 0, "not XML") from None
    if root.tag != "collection":
        raise CorpusError(path, root.sourceline, "the root is not a BioC collection")
    for element in root.iter():
        if reason := _fault(element):
            raise CorpusError(path, element.sourceline, reason)
    content: bytes = etree.tostring(root, encoding="utf-8")
    return content


def _fault(element: Any) -> str:
    tag = element.tag
    if tag not in _ELEMENTS or any(child.tag not in _ELEMENTS[tag] for child in element):
        return "an element that BioC has not, or not here"
    if tag not in _WITH_CHARACTERS and any(s and s.strip() for s in (element.text, *(child.tail for child in element))):
        return f"characters in an element {tag}"
    if any(name not in element.attrib for name in _REQUIRED.get(tag, ())):
        return f"an element {tag} without its attributes"
    if tag in ("passage", "sentence") and element.find("offset") is None:
        return f"an element {tag} without offset"
    numbers = [element.text] if tag == "offset" else element.attrib.values() if tag == "location" else []
    if not all(_NUMBER.fullmatch(number or "") for number in numbers):
        return "an offset or length that is not a number"
    return ""
