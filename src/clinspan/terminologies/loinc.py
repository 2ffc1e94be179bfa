"""LOINC's table of terms, Loinc.csv.

The long common name is preferred; the component alone ("Glucose") is wider than the test; the related names are a
search aid of all kinds and come as related.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from clinspan.terminologies._files import csv_rows, fail, headed, one_of
from clinspan.terminologies.model import BROAD, PREFERRED, RELATED, SYNONYM, Term

_NEEDED = ("LOINC_NUM", "COMPONENT", "CLASS", "STATUS", "LONG_COMMON_NAME")
_NAMES = (
    ("LONG_COMMON_NAME", PREFERRED),
    ("SHORTNAME", SYNONYM),
    ("CONSUMER_NAME", SYNONYM),
    ("DISPLAYNAME", SYNONYM),
    ("COMPONENT", BROAD),
    ("RELATEDNAMES2", RELATED),
)


def read(path: Path, *, statuses: Collection[str] = ("ACTIVE",)) -> Iterator[Term]:
    """The terms of LOINC.

    Args:
        path: Loinc.csv, or a folder with it in or below it.
        statuses: of the tests that are read: ACTIVE, TRIAL, DISCOURAGED, DEPRECATED.

    Raises:
        TermsFileError: for a folder without Loinc.csv, missing columns, and a row with another number of fields.
    """
    path = Path(path)
    file = one_of(path, "Loinc.csv", "loinc.csv") if path.is_dir() else path
    if file is None:
        raise fail(path, 0, "no Loinc.csv in it")
    names, rows = headed(file, csv_rows(file))
    places = {name.upper(): i for i, name in enumerate(names)}
    if missing := [name for name in _NEEDED if name not in places]:
        raise fail(file, 1, f"no column {', '.join(missing)}")
    columns = [(places[name], kind) for name, kind in _NAMES if name in places]
    for number, fields in rows:
        code = fields[places["LOINC_NUM"]]
        if not code:
            raise fail(file, number, "no LOINC number")
        if fields[places["STATUS"]] not in statuses:
            continue
        types = tuple(filter(None, (fields[places["CLASS"]],)))
        seen: set[str] = set()
        for place, kind in columns:
            for name in fields[place].split(";") if kind == RELATED else [fields[place]]:
                if (name := name.strip()) and name not in seen:
                    seen.add(name)
                    yield Term("LOINC", code, name, kind, "MEASUREMENT", types)
