"""OWL ontologies in RDF/XML (W3C), with the annotations that OBO ontologies use (oboInOwl).

Read are the classes with an IRI of their own that are not deprecated: ``rdfs:label``, ``oboInOwl:has…Synonym``,
``oboInOwl:hasDbXref``. The type of a synonym stands in an ``owl:Axiom`` that follows its class. Labels and synonyms in
a language other than English are passed over. Files with entities in their document type are refused: save them
again without (ROBOT and the OWL API do).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from clinspan.terminologies._codes import curie
from clinspan.terminologies._files import fail, xml_elements
from clinspan.terminologies._ontology import PROPERTIES, Synonym, class_terms, is_short, kind_of
from clinspan.terminologies.model import Term

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_OWL = "{http://www.w3.org/2002/07/owl#}"
_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_RDFS = "{http://www.w3.org/2000/01/rdf-schema#}"
_OBO = "{http://www.geneontology.org/formats/oboInOwl#}"
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"


def read(path: Path, *, label: str | None = None) -> Iterator[Term]:
    """The terms of an OWL file.

    Args:
        path: the file.
        label: the label of all; by default that of the ontology, where it has one.

    Raises:
        TermsFileError: for a file that is not XML, is not RDF, or declares entities.
    """
    path = Path(path)
    last: _Class | None = None
    seen = False
    for _, element in xml_elements(path, f"{_OWL}Class", f"{_OWL}Axiom", f"{_RDF}RDF"):
        seen = seen or element.tag == f"{_RDF}RDF"
        if element.tag == f"{_OWL}Axiom":
            if last:
                last.annotate(element)
        elif iri := element.get(f"{_RDF}about"):
            if last:
                yield from last.terms(label)
            last = _Class(iri, element)
    if last:
        yield from last.terms(label)
    if not seen:
        raise fail(path, 1, "not RDF/XML")


class _Class:
    def __init__(self, iri: str, element: Element) -> None:
        self.iri = iri
        self.name = next((text for tag, text in _texts(element) if tag == f"{_RDFS}label"), "")
        self.synonyms = [
            (PROPERTIES[tag.removeprefix(_OBO)], text)
            for tag, text in _texts(element)
            if tag.removeprefix(_OBO) in PROPERTIES
        ]
        self.xrefs = [text for tag, text in _texts(element) if tag == f"{_OBO}hasDbXref"]
        self.deprecated = any(tag == f"{_OWL}deprecated" and text.lower() == "true" for tag, text in _texts(element))
        self.short: set[tuple[str, str]] = set()

    def annotate(self, axiom: Element) -> None:
        """Take up the type of one of the synonyms."""
        source, kind = axiom.find(f"{_OWL}annotatedSource"), axiom.find(f"{_OBO}hasSynonymType")
        property_, target = axiom.find(f"{_OWL}annotatedProperty"), axiom.findtext(f"{_OWL}annotatedTarget")
        if source is None or kind is None or property_ is None or source.get(f"{_RDF}resource") != self.iri:
            return
        if is_short(kind.get(f"{_RDF}resource", "") or kind.text or ""):
            name = property_.get(f"{_RDF}resource", "").rpartition("#")[2]
            self.short.add((PROPERTIES.get(name, ""), (target or "").strip()))

    def terms(self, label: str | None) -> Iterator[Term]:
        if not self.deprecated:
            synonyms = [Synonym(text, kind_of(kind, (kind, text) in self.short)) for kind, text in self.synonyms]
            yield from class_terms(curie(self.iri), self.name, synonyms, self.xrefs, label)


def _texts(element: Element) -> Iterator[tuple[str, str]]:
    """The tags and texts of an element's children, without those in other languages."""
    for child in element:
        if child.get(_LANGUAGE, "en").lower().startswith("en"):
            yield child.tag, (child.text or "").strip()
