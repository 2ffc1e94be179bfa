"""``clinspan fhir``: a run's rows as FHIR Bundles."""

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


def fhir(
    run: FinishedRun,
    notes: ItsNotes,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for bundle/part-00000.ndjson and so on.")],
    text_column: TextAsBefore = None,
    id_column: IdAsBefore = None,
    person_column: Person = None,
    date_column: Date = None,
    encoding: EncodingAsBefore = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No summary.")] = False,
) -> None:
    """Write a run's rows as FHIR R4, a Bundle a line for every note.

    Condition, MedicationStatement, Procedure, Observation, AllergyIntolerance and FamilyMemberHistory, each with its
    place in the note as an extension, and a Provenance. Exit code 0: written; 2: not.

    Examples:

        clinspan extract notes.csv -o out && clinspan fhir out notes.csv -o fhir

        clinspan fhir out notes.csv -o fhir --person-column mrn
    """
    from clinspan.batch import OutputError, prepare_output
    from clinspan.fhir import convert
    from clinspan.notes import NotesError, read_notes

    try:
        stream = read_notes(
            notes,
            text_column=text_column,
            id_column=id_column,
            person_column=person_column,
            date_column=date_column,
            encoding=encoding,
        )
        summary = convert(run, stream, prepare_output(output))
    except (NotesError, OutputError, OSError, ValueError) as error:
        fail(str(error))
    if not quiet:
        typer.echo(f"{summary.notes:,} Bundles -> {output}", err=True)
        for kind, count in sorted(summary.resources.items()):
            typer.echo(f"{count:>9,} {kind}", err=True)
        for why, count in sorted(summary.left_out.items()):
            typer.echo(f"{count:>9,} left out: {why}", err=True)
        for count, what in (
            (summary.persons_unknown, "notes without a person's id: no Patient is named"),
            (summary.texts_missing, "notes could not be read: no Bundle"),
        ):
            if count:
                typer.echo(f"{count:>9,} {what}", err=True)
