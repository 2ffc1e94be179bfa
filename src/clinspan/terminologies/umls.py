"""UMLS Metathesaurus in NLM's Rich Release Format: MRCONSO.RRF and, for the semantic types, MRSTY.RRF.

The rows of a concept stand together in MRCONSO, as NLM releases it, and are taken together: each name of a concept
comes once, the preferred one first. Of MRSTY a dictionary of the concepts with a label is kept in memory.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import groupby
from pathlib import Path

from clinspan.terminologies._codes import code, vocabulary
from clinspan.terminologies._files import fail, one_of, plain_name, rrf_rows
from clinspan.terminologies._labels import best, labels_of
from clinspan.terminologies.model import ABBREVIATION, PREFERRED, SYNONYM, Term

# Term types, from the table of abbreviations in NLM's documentation of the release.
_SHORT = frozenset({"AB", "AA", "ACR", "OAB", "DAB"})
_FIRST = frozenset({"PT", "PN", "MH", "NM", "IN", "HT", "LN", "LO", "LPN", "PSN", "RPT", "MTH_PT"})
# Vocabularies and codes that are NLM's own bookkeeping.
_NO_CODE = frozenset({"NOCODE", ""})
_NO_SOURCE = frozenset({"MTH", "SRC"})


def read(
    path: Path,
    *,
    language: str = "ENG",
    sources: Collection[str] | None = None,
    suppress: Collection[str] = "OEY",
    use_source_codes: bool = False,
    keep_unlabelled: bool = False,
) -> Iterator[Term]:
    """The terms of a UMLS release.

    Args:
        path: a folder with MRCONSO.RRF and MRSTY.RRF in or below it, or MRCONSO.RRF, beside which MRSTY.RRF may be.
            Without MRSTY no concept has a label, and all are kept.
        language: of the names, as in the column LAT.
        sources: of the names, as in the column SAB; all without.
        suppress: the values of SUPPRESS of names left out.
        use_source_codes: give each name the code in its source, with the CUI as a cross-reference, instead of the CUI
            with the codes in the sources as cross-references.
        keep_unlabelled: keep concepts of which no semantic type has a label.

    Raises:
        TermsFileError: for a folder without MRCONSO, and a row that is not one of it.
    """
    names, kinds = _files(Path(path))
    types = None if kinds is None else _types(kinds, keep_unlabelled)
    labels = labels_of("umls")
    for cui, rows in groupby(_rows(names), key=lambda row: row[0]):
        own = () if types is None else types.get(cui)
        if own is None:
            if not keep_unlabelled:
                continue
            own = ()
        # a source that was not asked for gives no codes either
        atoms = [
            row
            for row in rows
            if row[1] == language and row[16] not in suppress and (sources is None or row[11] in sources)
        ]
        label = best(labels.get(kind, "") for kind in own)
        yield from _source_terms(atoms, label, own) if use_source_codes else _terms(atoms, label, own)


def _files(path: Path) -> tuple[Path, Path | None]:
    if not path.is_dir():
        return path, one_of(path.parent, "MRSTY.RRF") if plain_name(path) == "mrconso.rrf" else None
    names = one_of(path, "MRCONSO.RRF")
    if names is None:
        raise fail(path, 0, "no MRCONSO.RRF in it")
    return names, one_of(path, "MRSTY.RRF")


def _rows(path: Path) -> Iterator[list[str]]:
    for number, row in rrf_rows(path, 18):
        if row[0][:1] != "C" or not row[0][1:].isdecimal():
            raise fail(path, number, "does not begin with a CUI")
        yield row


def _types(path: Path, keep_unlabelled: bool) -> Mapping[str, tuple[str, ...]]:
    """The semantic types of the concepts, those without a label only if asked for."""
    labels = labels_of("umls")
    shared: dict[tuple[str, ...], tuple[str, ...]] = {}
    types: dict[str, tuple[str, ...]] = {}
    for cui, rows in groupby(rrf_rows(path, 6), key=lambda row: row[1][0]):
        own = (*types.get(cui, ()), *(fields[1] for _, fields in rows))
        if keep_unlabelled or any(labels.get(kind) for kind in own):
            types[cui] = shared.setdefault(own, own)
    return types


def _terms(atoms: list[list[str]], label: str, types: tuple[str, ...]) -> Iterator[Term]:
    """The names of a concept under its CUI."""
    first = next((i for i, row in enumerate(atoms) if (row[2], row[4], row[6]) == ("P", "PF", "Y")), None)
    if first is not None:
        atoms = [atoms[first], *atoms[:first], *atoms[first + 1 :]]
    codes = tuple(dict.fromkeys(code(row[11], row[13]) for row in atoms if _has_code(row)))
    seen: set[str] = set()
    for i, row in enumerate(atoms):
        if row[14] and row[14] not in seen:
            kind = PREFERRED if i == 0 and first is not None else ABBREVIATION if row[12] in _SHORT else SYNONYM
            yield Term("UMLS", row[0], row[14], kind, label, types, () if seen else codes)
            seen.add(row[14])


def _source_terms(atoms: list[list[str]], label: str, types: tuple[str, ...]) -> Iterator[Term]:
    """The names of a concept under the codes of their sources, each code's preferred one first."""
    by_code: dict[tuple[str, str], list[list[str]]] = {}
    for row in atoms:
        if _has_code(row):
            by_code.setdefault((row[11], row[13]), []).append(row)
    for (source, identifier), rows in by_code.items():
        rows.sort(key=lambda row: row[12] not in _FIRST)
        seen: set[str] = set()
        for i, row in enumerate(rows):
            if row[14] and row[14] not in seen:
                kind = ABBREVIATION if row[12] in _SHORT else SYNONYM
                kind = PREFERRED if i == 0 and row[12] in _FIRST else kind
                xrefs = () if seen else (f"UMLS:{row[0]}",)
                yield Term(vocabulary(source), identifier, row[14], kind, label, types, xrefs)
                seen.add(row[14])


def _has_code(row: list[str]) -> bool:
    return row[13] not in _NO_CODE and row[11] not in _NO_SOURCE
