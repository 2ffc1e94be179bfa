"""A run's rows as tables of the OMOP Common Data Model v5.4: NOTE and NOTE_NLP.

Columns, types, lengths and what may be null are those of the specification (OHDSI, CDM v5.4,
https://ohdsi.github.io/CommonDataModel/cdm54.html). ``term_exists`` is ``Y`` where ``exists`` is true;
``term_temporal`` is ``past`` where the entity is historical, else ``present``; ``term_modifiers`` holds every axis that
is set and the source code. Concepts come from the user's OMOP vocabulary (CONCEPT.csv), and are 0, "no matching
concept", without.
"""

from __future__ import annotations

import contextlib
import csv
import datetime
import gzip
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from clinspan import schema
from clinspan.notes import Note, ReadFailure
from clinspan.runs import finished, parts
from clinspan.sinks import FileSink

#: Concepts of the standard vocabularies: "EHR note" (Type Concept), UTF-8, English.
EHR_NOTE, UTF8, ENGLISH = 32831, 32678, 4180186
NO_CONCEPT = 0
#: Where nothing else is known.
UNKNOWN_DATE = datetime.date(1970, 1, 1)
_LARGEST = 2**31 - 1


class Field(NamedTuple):
    """A column of the CDM: name, SQL type, whether it may be null."""

    name: str
    type: str
    nullable: bool = True


NOTE: tuple[Field, ...] = (
    Field("note_id", "integer", False),
    Field("person_id", "integer", False),
    Field("note_date", "date", False),
    Field("note_datetime", "timestamp"),
    Field("note_type_concept_id", "integer", False),
    Field("note_class_concept_id", "integer", False),
    Field("note_title", "varchar(250)"),
    Field("note_text", "text", False),
    Field("encoding_concept_id", "integer", False),
    Field("language_concept_id", "integer", False),
    Field("provider_id", "integer"),
    Field("visit_occurrence_id", "integer"),
    Field("visit_detail_id", "integer"),
    Field("note_source_value", "varchar(50)"),
    Field("note_event_id", "integer"),
    Field("note_event_field_concept_id", "integer"),
)
NOTE_NLP: tuple[Field, ...] = (
    Field("note_nlp_id", "integer", False),
    Field("note_id", "integer", False),
    Field("section_concept_id", "integer"),
    Field("snippet", "varchar(250)"),
    Field("offset", "varchar(50)"),
    Field("lexical_variant", "varchar(250)", False),
    Field("note_nlp_concept_id", "integer"),
    Field("note_nlp_source_concept_id", "integer"),
    Field("nlp_system", "varchar(250)"),
    Field("nlp_date", "date", False),
    Field("nlp_datetime", "timestamp"),
    Field("term_exists", "varchar(1)"),
    Field("term_temporal", "varchar(50)"),
    Field("term_modifiers", "varchar(2000)"),
)
TABLES: dict[str, tuple[Field, ...]] = {"note": NOTE, "note_nlp": NOTE_NLP}
_ARROW = {"integer": pa.int32(), "date": pa.date32(), "timestamp": pa.timestamp("us")}
#: Our names of vocabularies to OMOP's, where they are not the same but for case.
_VOCABULARIES = {"SNOMEDCT_US": "SNOMED", "LNC": "LOINC", "MSH": "MESH", "HP": "HPO"}


def ddl() -> str:
    """``CREATE TABLE`` statements of both tables, in SQL that PostgreSQL and DuckDB read."""
    out = []
    for table, fields in TABLES.items():
        lines = [f'  "{f.name}" {f.type}{"" if f.nullable else " NOT NULL"}' for f in fields]
        lines.append(f"  PRIMARY KEY ({table}_id)")
        if table != "note":
            lines.append("  FOREIGN KEY (note_id) REFERENCES note (note_id)")
        out.append(f"CREATE TABLE {table} (\n" + ",\n".join(lines) + "\n);")
    return "\n".join(out) + "\n"


class Codes:
    """OMOP's concepts by vocabulary and code."""

    def __init__(self) -> None:
        self._concepts: dict[tuple[str, str], tuple[int, bool]] = {}
        self._maps_to: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._concepts)

    @classmethod
    def read(cls, path: str | os.PathLike[str], relationships: str | os.PathLike[str] | None = None) -> Codes:
        """Read CONCEPT.csv and, for the standard concepts that others stand for, CONCEPT_RELATIONSHIP.csv (as Athena
        delivers them: tab-separated, or with commas; also .gz).

        Raises:
            OSError: a file cannot be read.
            ValueError: a column is missing, or an id is no number; the message names the file and line.
        """
        codes = cls()
        for row in _rows(path, ("concept_id", "vocabulary_id", "standard_concept", "concept_code")):
            key = (row["vocabulary_id"].casefold(), row["concept_code"])
            codes._concepts[key] = (int(row["concept_id"]), row["standard_concept"] == "S")
        if relationships is not None:
            for row in _rows(relationships, ("concept_id_1", "concept_id_2", "relationship_id")):
                if row["relationship_id"] == "Maps to":
                    codes._maps_to.setdefault(int(row["concept_id_1"]), int(row["concept_id_2"]))
        return codes

    def find(self, vocabulary: str | None, code: str | None) -> tuple[int, int]:
        """The standard concept of a code and its own; 0 for what the vocabulary does not know."""
        if not vocabulary or not code:
            return NO_CONCEPT, NO_CONCEPT
        name = _VOCABULARIES.get(vocabulary.upper(), vocabulary).casefold()
        own, standard = self._concepts.get((name, code), (NO_CONCEPT, False))
        return own if standard else self._maps_to.get(own, NO_CONCEPT), own


def _rows(path: str | os.PathLike[str], wanted: tuple[str, ...]) -> Iterator[dict[str, str]]:
    file = Path(path)
    opener = gzip.open if file.suffix == ".gz" else open
    with opener(file, "rt", encoding="utf-8") as lines:
        head = next(lines, "").rstrip("\r\n").lstrip("\ufeff")
        delimiter = "\t" if "\t" in head else ","
        names = [name.strip().strip('"').lower() for name in head.split(delimiter)]
        missing = [name for name in wanted if name not in names]
        if missing:
            raise ValueError(f"{file}: no column {', '.join(missing)}")
        places = [names.index(name) for name in wanted]
        numbers = [name for name in wanted if "concept_id" in name]
        quoting = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
        for line, row in enumerate(csv.reader(lines, delimiter=delimiter, quoting=quoting), 2):
            if not row:
                continue
            if len(row) != len(names):
                raise ValueError(f"{file}: line {line}: {len(row)} fields, {len(names)} expected")
            found = {name: row[place] for name, place in zip(wanted, places)}
            if not all(found[name].isdecimal() for name in numbers):
                raise ValueError(f"{file}: line {line}: an id is not a number")
            yield found


@dataclass
class Summary:
    """What was converted.

    Attributes:
        persons_unknown: notes without a person's id, or with one that is no number: 0 stands for it.
        dates_unknown: notes without a date: 1970-01-01 stands for it.
        texts_missing: notes of the run that could not be read, then or now; they have no row.
        coded: entities with a code; ``mapped``: those of them with a standard concept.
    """

    notes: int = 0
    entities: int = 0
    persons_unknown: int = 0
    dates_unknown: int = 0
    texts_missing: int = 0
    coded: int = 0
    mapped: int = 0


def convert(
    run: str | os.PathLike[str],
    notes: Iterable[Note | ReadFailure],
    output: Path,
    *,
    codes: Codes | None = None,
    format: str = "parquet",
    first_note: int = 1,
    first_row: int = 1,
    progress: Callable[[int], None] | None = None,
) -> Summary:
    """Write ``OUTPUT/note`` and ``OUTPUT/note_nlp`` for a finished run, a part for each of the run's.

    Notes are numbered in their order, from ``first_note``; an id of the run's stands in ``note_source_value`` (its
    first 50 characters). The same run gives the same numbers.

    Args:
        run: the folder of a run into files.
        notes: the notes that the run read, in the same order.
        codes: of the user's vocabulary.
        progress: called after each part with the notes written so far.

    Raises:
        FileNotFoundError: the run has no tables.
        NotesError: the notes are not those of the run.
        OSError: writing failed.
    """
    when = finished(run).replace(tzinfo=None)
    codes = codes or Codes()
    total = Summary()
    note_numbers, row_numbers = itertools.count(first_note), itertools.count(first_row)
    with contextlib.closing(FileSink(output, format)) as sink:
        for part, listed in parts(run, notes):
            rows: dict[str, list[dict[str, Any]]] = {table: [] for table in TABLES}
            for found in listed:
                if isinstance(found, ReadFailure):
                    total.texts_missing += 1
                    continue
                number = next(note_numbers)
                rows["note"].append(_note(found.note, found.text, number, total))
                rows["note_nlp"] += (
                    _note_nlp(entity, found.text, number, next(row_numbers), when, codes, total)
                    for entity in found.entities
                )
            sink.write(part, {table: to_arrow(table, made) for table, made in rows.items()})
            if progress:
                progress(total.notes)
    return total


def _note(note: Note, text: str, number: int, total: Summary) -> dict[str, Any]:
    person = _number(note.person_id)
    total.notes += 1
    total.persons_unknown += person is None
    total.dates_unknown += note.note_date is None
    return {
        "note_id": number,
        "person_id": person or 0,
        "note_date": note.note_date or UNKNOWN_DATE,
        "note_type_concept_id": EHR_NOTE,
        "note_class_concept_id": NO_CONCEPT,
        "note_title": _cut(note.note_type, 250),
        "note_text": text,
        "encoding_concept_id": UTF8,
        "language_concept_id": ENGLISH,
        "visit_occurrence_id": _number(note.encounter_id),
        "note_source_value": _cut(note.note_id, 50),
    }


def _note_nlp(
    entity: Mapping[str, Any],
    text: str,
    note: int,
    number: int,
    when: datetime.datetime,
    codes: Codes,
    total: Summary,
) -> dict[str, Any]:
    concept, source = codes.find(entity["vocabulary"], entity["concept_id"])
    total.entities += 1
    total.coded += entity["concept_id"] is not None
    total.mapped += concept != NO_CONCEPT
    return {
        "note_nlp_id": number,
        "note_id": note,
        "section_concept_id": NO_CONCEPT,
        "snippet": snippet(text, entity["start"], entity["end"]),
        "offset": str(entity["start"]),
        "lexical_variant": _cut(entity["text"], 250),
        "note_nlp_concept_id": concept,
        "note_nlp_source_concept_id": source,
        "nlp_system": _cut(f"clinspan {entity['pipeline']}", 250),
        "nlp_date": when.date(),
        "nlp_datetime": when,
        "term_exists": "Y" if entity["exists"] else "N",
        "term_temporal": "past" if entity["historical"] else "present",
        "term_modifiers": modifiers(entity),
    }


def snippet(text: str, start: int, end: int, most: int = 250) -> str:
    """The text around an entity, of at most so many characters, the entity in its middle."""
    around = max(0, most - (end - start))
    begin = max(0, start - around // 2)
    return text[begin : begin + most]


def modifiers(entity: Mapping[str, Any]) -> str:
    """What is said of an entity, and its code: ``negated=true;subject=family;source=ICD10CM:I10``."""
    listed = [f"label={entity['label']}", f"assertion={entity['assertion']}"]
    listed += [f"{flag}=true" for flag in schema.FLAGS if entity[flag]]
    if entity["experiencer"] != "patient":
        listed.append(f"subject={entity['experiencer']}")
    if entity["section"]:
        listed.append(f"section={entity['section']}")
    if entity["concept_id"]:
        listed.append(f"source={entity['vocabulary']}:{entity['concept_id']}")
    return ";".join(listed)[:2000]


def to_arrow(table: str, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows as Arrow, with the types of the specification; what a row does not give is null."""
    fields = [pa.field(f.name, _ARROW.get(f.type, pa.string()), nullable=f.nullable) for f in TABLES[table]]
    return pa.Table.from_pylist([dict(row) for row in rows], schema=pa.schema(fields))


def _number(value: str | None) -> int | None:
    return int(value) if value and value.isdecimal() and int(value) <= _LARGEST else None


def _cut(value: str | None, most: int) -> str | None:
    return None if value is None else value[:most]
