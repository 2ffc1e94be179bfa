"""Tables of clinical notes or sections whose headers are known: ACI-Bench and MTS-Dialog, CSV with a header row.

ACI-Bench (Yim et al. 2023; columns ``encounter_id`` and ``note``): a row is a document, its text the whole note. A line
in capitals at the beginning of a paragraph is a header: an annotation over its words, without the colon, labelled with
them, runs of white space as one space. A line of capitals further down a paragraph is content ("HIV") or a heading
within a section ("MSK:").

MTS-Dialog (Ben Abacha et al. 2023; columns ``ID``, ``section_header`` and ``section_text``): a row is one section. Its
text has no header, only a class, so the document's text is composed: the name that the dataset gives the class
(:data:`TITLES`) on a line of its own, then the section. The annotation is over that name, labelled with the class. The
ids begin anew in each file, so a document's is ``<file stem>-<ID>``. Such a document can tell whether a title is known
and whether anything inside the section is taken for another header; not how headers are written in notes.

The columns tell which of the two a file is; others are passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from clinspan.corpora._files import csv_rows
from clinspan.corpora.model import Annotation, CorpusError, Document

#: The classes of MTS-Dialog as its authors write them out.
TITLES: dict[str, str] = {
    "ALLERGY": "ALLERGY",
    "ASSESSMENT": "ASSESSMENT",
    "CC": "CHIEF COMPLAINT",
    "DIAGNOSIS": "DIAGNOSIS",
    "DISPOSITION": "DISPOSITION",
    "EDCOURSE": "EMERGENCY DEPARTMENT COURSE",
    "EXAM": "EXAM",
    "FAM/SOCHX": "FAMILY HISTORY/SOCIAL HISTORY",
    "GENHX": "HISTORY OF PRESENT ILLNESS",
    "GYNHX": "GYNECOLOGIC HISTORY",
    "IMAGING": "IMAGING",
    "IMMUNIZATIONS": "IMMUNIZATIONS",
    "LABS": "LABS",
    "MEDICATIONS": "MEDICATIONS",
    "OTHER_HISTORY": "OTHER HISTORY",
    "PASTMEDICALHX": "PAST MEDICAL HISTORY",
    "PASTSURGICAL": "PAST SURGICAL HISTORY",
    "PLAN": "PLAN",
    "PROCEDURES": "PROCEDURES",
    "ROS": "REVIEW OF SYSTEMS",
}

_NOTE = ("encounter_id", "note")
_SECTION = ("ID", "section_header", "section_text")
_HEADER = re.compile(r"(?:\A|\n[^\S\n]*\n)[^\S\n]*([A-Z][A-Z /&()-]*[A-Z)])[^\S\n]*(?::[^\S\n]*)?(?=\n|\Z)")


def read(path: Path) -> Iterator[Document]:
    """The rows of the file as documents.

    Raises:
        CorpusError: for a table that has the columns of neither, one that is not a table, and a class that is not in
            :data:`TITLES`.
    """
    path = Path(path)
    for line, row in csv_rows(path, _NOTE, _SECTION):
        if "note" in row:
            yield _note(row)
        elif row["section_header"] in TITLES:
            yield _section(row, path.stem)
        else:
            raise CorpusError(path, line, "not a class of section")


def _note(row: Mapping[str, str]) -> Document:
    text = row["note"]
    return Document(
        row["encounter_id"],
        text,
        tuple(
            _annotation(f"T{number}", *match.span(1), " ".join(match[1].split()))
            for number, match in enumerate(_HEADER.finditer(text), start=1)
        ),
    )


def _section(row: Mapping[str, str], stem: str) -> Document:
    label = row["section_header"]
    title = TITLES[label]
    return Document(
        f"{stem}-{row['ID']}", f"{title}\n{row['section_text']}", (_annotation("T1", 0, len(title), label),)
    )


def _annotation(identifier: str, start: int, end: int, label: str) -> Annotation:
    return Annotation(start=start, end=end, label=label, fragments=((start, end),), id=identifier)
