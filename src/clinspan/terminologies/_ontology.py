"""What the three notations of an OBO ontology share: the terms of one class."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from clinspan.terminologies._codes import prefix, xrefs
from clinspan.terminologies._labels import labels_of
from clinspan.terminologies.model import ABBREVIATION, BROAD, NARROW, PREFERRED, RELATED, SYNONYM, Term

#: The kinds of the scopes of synonyms.
SCOPES = {"EXACT": SYNONYM, "BROAD": BROAD, "NARROW": NARROW, "RELATED": RELATED}

#: The kinds of the properties that scopes are in OWL.
PROPERTIES = {
    "hasExactSynonym": SYNONYM,
    "hasBroadSynonym": BROAD,
    "hasNarrowSynonym": NARROW,
    "hasRelatedSynonym": RELATED,
}

# abbreviation and acronym in the OBO Metadata Ontology
_SHORT = ("abbreviation", "acronym", "OMO:0003000", "OMO_0003000", "OMO:0003012", "OMO_0003012")


class Synonym(NamedTuple):
    """A name besides the first, with its kind by its scope."""

    name: str
    kind: str


def is_short(synonym_type: str) -> bool:
    """Whether a type of synonyms, by its id or its description, is that of abbreviations."""
    lowered = synonym_type.lower()
    return any(word.lower() in lowered for word in _SHORT)


def kind_of(kind: str, short: bool) -> str:
    """The kind of a synonym. An abbreviation of something wider, narrower or merely related stays that: "abbreviation"
    says that it means the same."""
    return ABBREVIATION if short and kind == SYNONYM else kind


def class_terms(
    identifier: str, name: str, synonyms: Iterable[Synonym], references: Iterable[str], label: str | None
) -> Iterator[Term]:
    """The terms of a class, the name first, without names that come a second time.

    Without a ``label`` it is the one of the ontology that the id's prefix stands for.
    """
    source = prefix(identifier)
    label = labels_of("obo").get(source, "") if label is None else label
    codes = xrefs(references)
    seen: set[str] = set()
    for text, kind in [Synonym(name, PREFERRED), *synonyms]:
        if text and text not in seen:
            yield Term(source, identifier, text, kind, label, (), () if seen else codes)
            seen.add(text)
