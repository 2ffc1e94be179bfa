"""Tables of terms with a row that names the columns: CSV, or separated by tabs, semicolons or bars.

Where the caller does not name the columns, these names are taken, in any case: of the name ``term``, ``name``, ``str``;
of the code ``code``, ``id``, ``concept_id``, ``cui``; of the label ``label``; of the vocabulary ``vocabulary``,
``sab``; of the kind ``kind``, ``tty``. Only the name is needed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from clinspan.notes import column_names
from clinspan.schema import LABELS
from clinspan.terminologies._codes import prefix
from clinspan.terminologies._files import csv_rows, fail, head, headed, lines, tab_rows
from clinspan.terminologies.model import ABBREVIATION, BROAD, KINDS, NARROW, PREFERRED, RELATED, SYNONYM, Term

_DEFAULTS: dict[str, tuple[str, ...]] = {
    "name": ("term", "name", "str"),
    "id": ("code", "id", "concept_id", "cui"),
    "label": ("label",),
    "vocabulary": ("vocabulary", "sab"),
    "kind": ("kind", "tty"),
}
_KINDS = {
    **{kind.upper(): kind for kind in KINDS},
    **dict.fromkeys(("PREF", "PT", "PN"), PREFERRED),
    **dict.fromkeys(("ABBR", "AB", "ACRONYM", "ACR"), ABBREVIATION),
    "HASBROADSYNONYM": BROAD,
    "HASNARROWSYNONYM": NARROW,
    "HASRELATEDSYNONYM": RELATED,
}
_QUOTED = re.compile(r'"((?:[^"]|"")*)"')


def read(
    path: Path,
    *,
    name_column: str | None = None,
    id_column: str | None = None,
    label_column: str | None = None,
    vocabulary_column: str | None = None,
    kind_column: str | None = None,
    vocabulary: str = "",
    label: str = "",
    labels: Mapping[str, str] | None = None,
) -> Iterator[Term]:
    """The terms of a table. A row without a name is passed over.

    Args:
        path: the file.
        name_column: the column of the names; likewise the other columns.
        id_column: of the codes.
        label_column: of the labels.
        vocabulary_column: of the vocabularies.
        kind_column: of the kinds (preferred, synonym, abbreviation, broad, narrow, related, and the words of some
            terminologies for them; a synonym by any other word). Without such a column every name is preferred.
        vocabulary: where the row has none; without it, the one that a code like "DOID:1612" begins with.
        label: where the row has none of :data:`clinspan.schema.LABELS`; what it has instead becomes its type.
        labels: labels for the values of the column that are not.

    Raises:
        TermsFileError: for a missing column, and a row with another number of fields than the first.
    """
    path = Path(path)
    names, rows = headed(path, _rows(path))
    given = {
        "name": name_column,
        "id": id_column,
        "label": label_column,
        "vocabulary": vocabulary_column,
        "kind": kind_column,
    }
    places = {what: _place(path, names, what, column) for what, column in given.items()}
    if places["name"] is None:
        raise fail(path, 1, f"no column {' or '.join(_DEFAULTS['name'])}, {column_names(names)}")
    known = {**{each: each for each in LABELS}, **(labels or {})}
    for _, fields in rows:
        row = {what: "" if place is None else fields[place].strip() for what, place in places.items()}
        if not row["name"]:
            continue
        said = known.get(row["label"]) or known.get(row["label"].upper(), "")
        yield Term(
            row["vocabulary"] or vocabulary or prefix(row["id"]),
            row["id"],
            row["name"],
            _KINDS.get(row["kind"].upper(), SYNONYM) if places["kind"] is not None else PREFERRED,
            said or label,
            () if said or not row["label"] else (row["label"],),
        )


def has_names(header: str) -> bool:
    """Whether the first line of a file names a column that is taken for that of the names."""
    fields = re.split(r"[\t,;|]", header.strip())
    return any(field.strip().strip('"').lower() in _DEFAULTS["name"] for field in fields)


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    header = head(path).partition("\n")[0]
    delimiter = max("\t,;|", key=header.count)
    if delimiter in header and delimiter != "\t":
        return csv_rows(path, delimiter)
    if delimiter in header:
        return ((number, [_unquoted(field) for field in fields]) for number, fields in tab_rows(path))
    return ((number, [_unquoted(line)]) for number, line in lines(path) if line)


def _unquoted(field: str) -> str:
    """A field as CSV would have it if all of it is quoted; other quotes are part of it (``5" tube``)."""
    match = _QUOTED.fullmatch(field)
    return match[1].replace('""', '"') if match else field


def _place(path: Path, names: list[str], what: str, column: str | None) -> int | None:
    if column is not None:
        if column not in names:
            raise fail(path, 1, f"no column {column}, {column_names(names)}")
        return names.index(column)
    lowered = [name.lower() for name in names]
    return next((lowered.index(name) for name in _DEFAULTS[what] if name in lowered), None)
