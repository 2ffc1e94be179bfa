"""The names of FDA's substance register (UNII), a tab-separated table: Name, TYPE, UNII, Display Name.

Types of names are ``of`` (official), ``cn`` (common), ``bn`` (brand), ``sys`` (systematic), ``cd`` (code). A table
with the columns term, kind and concept_id, and no display name, is read alike; there the first official name that
comes is preferred. The codes met are kept in memory.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from clinspan.notes import column_names
from clinspan.terminologies._files import fail, headed, tab_rows
from clinspan.terminologies.model import PREFERRED, SYNONYM, Term

_COLUMNS = (("name", "term"), ("type", "kind"), ("unii", "concept_id"))
_DISPLAY = ("display name", "pt")


def read(path: Path, *, types: Collection[str] = ("of", "cn", "bn")) -> Iterator[Term]:
    """The terms of a table of UNII names.

    Args:
        path: the file.
        types: of the names that are read.

    Raises:
        TermsFileError: for missing columns, a row with another number of fields, and one without a name or a code.
    """
    path = Path(path)
    names, rows = headed(path, tab_rows(path))
    places = {name.lower(): i for i, name in enumerate(names)}
    wanted = [next((places[name] for name in choice if name in places), -1) for choice in _COLUMNS]
    if -1 in wanted:
        raise fail(path, 1, f"no column {_COLUMNS[wanted.index(-1)][0]}, {column_names(names)}")
    display = next((places[name] for name in _DISPLAY if name in places), -1)
    seen: set[str] = set()
    for number, fields in rows:
        name, kind, code = (fields[place].strip() for place in wanted)
        if not name or not code:
            raise fail(path, number, "no name or no code")
        if kind not in types:
            continue
        first = fields[display].strip() if display >= 0 else name if kind == "of" else ""
        if first and code not in seen:
            seen.add(code)
            yield Term("UNII", code, first, PREFERRED, "DRUG", (kind,) if name == first else ())
            if name == first:
                continue
        elif display >= 0 and name == first:
            continue
        yield Term("UNII", code, name, SYNONYM, "DRUG", (kind,))
