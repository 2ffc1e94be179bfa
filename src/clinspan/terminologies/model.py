"""What every reader of a terminology gives: one :class:`Term` a name, as the source writes it."""

from __future__ import annotations

from typing import NamedTuple

PREFERRED, SYNONYM, ABBREVIATION, BROAD, NARROW, RELATED = (
    "preferred",
    "synonym",
    "abbreviation",
    "broad",
    "narrow",
    "related",
)
#: How a name stands to its concept. The last three do not mean the same as the concept.
KINDS: tuple[str, ...] = (PREFERRED, SYNONYM, ABBREVIATION, BROAD, NARROW, RELATED)


class TermsFileError(ValueError):
    """A terminology file that cannot be read as what it should be. The message names the file and the line."""


class Term(NamedTuple):
    """One name of one concept.

    ``name`` is verbatim. ``types`` are the source's own classes of the concept (UMLS semantic types "T047", SNOMED CT
    semantic tags, MeSH tree numbers, LOINC classes), ``label`` is what they mean to us: one of
    :data:`clinspan.schema.LABELS`, or "" where the source does not say. ``xrefs`` are codes of the same concept in
    other vocabularies, as "VOCABULARY:code"; given once a concept, with its first name.
    """

    vocabulary: str
    concept_id: str
    name: str
    kind: str = PREFERRED
    label: str = ""
    types: tuple[str, ...] = ()
    xrefs: tuple[str, ...] = ()
