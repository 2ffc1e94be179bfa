"""One name for each vocabulary, whatever a source calls it."""

from __future__ import annotations

import re
from collections.abc import Iterable

_ALIASES = {
    "MSH": "MESH",
    "UMLS_CUI": "UMLS",
    "SCTID": "SNOMEDCT",
    "SNOMED": "SNOMEDCT",
    "SNOMED_CT": "SNOMEDCT",
    "LNC": "LOINC",
    "NCI": "NCIT",
    "MDR": "MEDDRA",
    "HPO": "HP",
    "MIM": "OMIM",
    "ORPHA": "ORPHANET",
    "ORDO": "ORPHANET",
    "ICD10WHO": "ICD10",
    "ICD-10": "ICD10",
    "ICD-10-CM": "ICD10CM",
    "ICD-9": "ICD9",
    "ICD-O": "ICDO",
}
_UPPER = {"MESH", "LOINC", "MEDDRA", "ORPHANET", "RXNORM", "SNOMEDCT", "UMLS", "OMIM", "ICD10CM", "ICD9CM", "NCIT"}
_RELEASED = re.compile(r"(SNOMED_?CT)_US.*|(ICD9CM|ICD10CM|UMLS|MESH)_\d[\d_]*")
_CURIE = re.compile(r"([A-Za-z][\w.-]*):(\S.*)")
_OBO = "http://purl.obolibrary.org/obo/"
_LOCAL = re.compile(r"([A-Za-z][A-Za-z0-9]*)_(\w+)")


def vocabulary(name: str) -> str:
    """The vocabulary's name among ours: ``MSH`` → ``MESH``, ``SNOMEDCT_US_2023_03_01`` → ``SNOMEDCT``.

    A name that is not known stays as it is.
    """
    known = name.upper()
    if match := _RELEASED.fullmatch(known):
        known = match[1] or match[2]
    known = _ALIASES.get(known, known)
    return known if known in _UPPER or known in _ALIASES.values() else name


def code(name: str, identifier: str) -> str:
    """A code with its vocabulary, as "VOCABULARY:code"; a code that brings the vocabulary along keeps it once."""
    known = vocabulary(name)
    return identifier if identifier.startswith(f"{known}:") else f"{known}:{identifier}"


def xref(text: str) -> str:
    """A cross-reference as "VOCABULARY:code"; "" for a web address and for what has no vocabulary."""
    text = text.strip()
    match = _CURIE.fullmatch(curie(text) if text.startswith(_OBO) else text)
    if not match or match[1].lower() in ("url", "http", "https"):
        return ""
    return code(match[1], match[2])


def xrefs(texts: Iterable[str]) -> tuple[str, ...]:
    """Cross-references as "VOCABULARY:code", each once."""
    return tuple(dict.fromkeys(filter(None, map(xref, texts))))


def curie(iri: str) -> str:
    """An IRI of the OBO kind as a CURIE (``http://purl.obolibrary.org/obo/DOID_255`` → ``DOID:255``).

    Other text stays as it is.
    """
    if not iri.startswith(("http://", "https://")):
        return iri
    match = _LOCAL.fullmatch(re.split(r"[/#]", iri)[-1])
    return f"{match[1]}:{match[2]}" if match else iri


def prefix(identifier: str) -> str:
    """What stands before a CURIE's colon; "" for what is not a CURIE."""
    match = _CURIE.fullmatch(identifier)
    return match[1] if match and not match[2].startswith("//") else ""
