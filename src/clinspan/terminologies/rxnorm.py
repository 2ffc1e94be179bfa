"""RxNorm in NLM's Rich Release Format: RXNCONSO.RRF.

The rows of a concept stand together, as NLM releases them, and are taken together. A concept's preferred name is its
prescribable name where it has one, else RxNorm's own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import groupby
from pathlib import Path

from clinspan.terminologies._files import fail, one_of, rrf_rows
from clinspan.terminologies._labels import labels_of
from clinspan.terminologies.model import PREFERRED, SYNONYM, Term

_OWN = "RXNORM"
# Term types that name a concept a second time; the others say what it is.
_AGAIN = frozenset({"PSN", "SY", "TMSY", "ET"})
_NEVER_FIRST = _AGAIN - {"PSN"}


def read(path: Path, *, sources: Collection[str] = (_OWN,), suppress: Collection[str] = "OEY") -> Iterator[Term]:
    """The terms of an RxNorm release.

    Args:
        path: a folder with RXNCONSO.RRF in or below it, or that file.
        sources: of the names, as in the column SAB.
        suppress: the values of SUPPRESS of names left out.

    Raises:
        TermsFileError: for a folder without RXNCONSO, and a row that is not one of it.
    """
    path = Path(path)
    file = one_of(path, "RXNCONSO.RRF") if path.is_dir() else path
    if file is None:
        raise fail(path, 0, "no RXNCONSO.RRF in it")
    labels = labels_of("rxnorm")
    for identifier, group in groupby(_rows(file), key=lambda row: row[0]):
        rows = list(group)
        own = {row[12]: "" for row in rows if row[11] == _OWN}
        label = "DRUG" if own and all(labels.get(kind) for kind in own) else ""
        types = tuple(kind for kind in own if kind not in _AGAIN)
        named = [row for row in rows if row[11] in sources and row[16] not in suppress]
        named.sort(key=_rank)
        seen: set[str] = set()
        for i, row in enumerate(named):
            if row[14] and row[14] not in seen:
                kind = PREFERRED if i == 0 and _rank(row) < 2 else SYNONYM
                yield Term(_OWN, identifier, row[14], kind, label, types)
                seen.add(row[14])


def _rows(path: Path) -> Iterator[list[str]]:
    for number, row in rrf_rows(path, 18):
        if not row[0].isdecimal():
            raise fail(path, number, "does not begin with an RXCUI")
        yield row


def _rank(row: list[str]) -> int:
    if row[11] != _OWN or row[12] in _NEVER_FIRST:
        return 2
    return 0 if row[12] == "PSN" else 1
