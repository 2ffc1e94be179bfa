"""``clinspan omop``: a run's rows as OMOP tables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clinspan.cli.common import (
    Date,
    EncodingAsBefore,
    FinishedRun,
    IdAsBefore,
    ItsNotes,
    Person,
    TextAsBefore,
    fail,
)


def omop(
    run: FinishedRun,
    notes: ItsNotes,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the tables note and note_nlp.")],
    concepts: Annotated[
        Path | None, typer.Option(help="Your CONCEPT.csv, for concept ids; 0 stands for what it does not know.")
    ] = None,
    relationships: Annotated[
        Path | None, typer.Option(help="Your CONCEPT_RELATIONSHIP.csv: standard concepts of those that are not.")
    ] = None,
    format: Annotated[str, typer.Option("--format", "-f", help="parquet, csv or jsonl.")] = "parquet",
    text_column: TextAsBefore = None,
    id_column: IdAsBefore = None,
    person_column: Person = None,
    date_column: Date = None,
    visit_column: Annotated[str | None, typer.Option(help="Column with visit ids; guessed when left out.")] = None,
    encoding: EncodingAsBefore = None,
    ddl: Annotated[bool, typer.Option("--ddl", help="Also write OUTPUT/ddl.sql, which makes both tables.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No summary.")] = False,
) -> None:
    """Write a run's rows as NOTE and NOTE_NLP of the OMOP Common Data Model v5.4.

    Notes are numbered from 1 in their order; the run's ids stand in note_source_value. Exit code 0: written; 2: not.

    Examples:

        clinspan extract notes.csv -o out && clinspan omop out notes.csv -o cdm --ddl

        clinspan omop out notes.csv -o cdm --concepts vocabulary/CONCEPT.csv \\
            --relationships vocabulary/CONCEPT_RELATIONSHIP.csv --format csv
    """
    from clinspan.batch import OutputError, prepare_output
    from clinspan.notes import NotesError, read_notes
    from clinspan.omop import Codes, convert
    from clinspan.omop import ddl as ddl_of
    from clinspan.tables import FORMATS

    if format not in FORMATS:
        fail(f"--format is not one of {', '.join(FORMATS)}")
    if relationships is not None and concepts is None:
        fail("--relationships is for --concepts")
    try:
        codes = Codes.read(concepts, relationships) if concepts else None
        stream = read_notes(
            notes,
            text_column=text_column,
            id_column=id_column,
            person_column=person_column,
            date_column=date_column,
            encounter_column=visit_column,
            encoding=encoding,
        )
        folder = prepare_output(output)
        summary = convert(run, stream, folder, codes=codes, format=format)
        if ddl:
            (folder / "ddl.sql").write_text(ddl_of(), encoding="utf-8")
    except (NotesError, OutputError, OSError, ValueError) as error:
        fail(str(error))
    if not quiet:
        typer.echo(f"{summary.notes:,} notes, {summary.entities:,} rows of note_nlp -> {folder}", err=True)
        for count, what in (
            (summary.persons_unknown, "notes without a person's number: person_id 0"),
            (summary.dates_unknown, "notes without a date: 1970-01-01"),
            (summary.texts_missing, "notes could not be read: no row"),
            (summary.coded - summary.mapped, "rows with a code but no standard concept: note_nlp_concept_id 0"),
        ):
            if count:
                typer.echo(f"{count:>9,} {what}", err=True)
