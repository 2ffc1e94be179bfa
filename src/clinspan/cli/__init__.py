"""The command line: parses and prints, calls plain functions. Heavy imports wait until a command needs them."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

import clinspan
from clinspan.cli.common import (
    Exclude,
    NerLabels,
    NerModel,
    Pipeline,
    Rules,
    Terms,
    Vocabularies,
    fail,
    interruptible,
    load_pipeline,
    load_recipe,
    log_to,
    print_verdicts,
    recipe_of,
)
from clinspan.cli.evaluate import evaluate
from clinspan.cli.fhir import fhir
from clinspan.cli.omop import omop
from clinspan.cli.terms import app as terms_app
from clinspan.cli.train import train

app = typer.Typer(
    name="clinspan",
    help="Clinical notes in, structured tables out. Everything runs on this machine; nothing is sent anywhere.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,  # a traceback with local variables would show note text
)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"clinspan {clinspan.__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command()
def extract(
    notes: Annotated[
        list[str],
        typer.Argument(
            help="Files, folders or quoted globs: .txt, .csv, .tsv, .jsonl (each also .gz), .parquet, .tar of texts; "
            "- for JSON lines on standard input; with --sql, a database's address."
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the tables.")],
    format: Annotated[str, typer.Option("--format", "-f", help="parquet, csv or jsonl.")] = "parquet",
    pipeline: Pipeline = "en_clinspan",
    exclude: Exclude = None,
    terms: Terms = None,
    rules: Rules = None,
    vocabularies: Vocabularies = None,
    ner: NerModel = None,
    ner_label: NerLabels = None,
    text_column: Annotated[str | None, typer.Option(help="Column with the text; guessed when left out.")] = None,
    id_column: Annotated[str | None, typer.Option(help="Column with the note ids; guessed when left out.")] = None,
    keep: Annotated[
        list[str] | None, typer.Option(help="Column to copy into the notes table; may be repeated.")
    ] = None,
    sql: Annotated[
        str | None, typer.Option(help="A query, a row a note, run by the database that NOTES is the address of.")
    ] = None,
    encoding: Annotated[str | None, typer.Option(help="Encoding to try after UTF-8, such as cp1252.")] = None,
    snippet: Annotated[int, typer.Option(min=0, help="Add the text around, this many characters each side.")] = 0,
    into: Annotated[
        str | None,
        typer.Option(
            help="A database for the tables, instead of files: sqlite:///FILE, duckdb:///FILE, "
            "postgresql://USER@HOST/NAME. A note's rows of an earlier run are replaced."
        ),
    ] = None,
    workers: Annotated[
        str, typer.Option(help="Worker processes, or auto: as many as there are cores. 0: none, all in this process.")
    ] = "auto",
    engine: Annotated[
        str, typer.Option(help="What the workers are: processes of this machine, or spark for Spark's tasks.")
    ] = "processes",
    time_limit: Annotated[
        float, typer.Option(min=1, help="Seconds that a note may take before it is set aside as failed.")
    ] = 300.0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the tables of an earlier run.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted run; what it wrote of the same notes stays.")
    ] = False,
    log_json: Annotated[
        Path | None, typer.Option(help="File to add a JSON line to for each partition: counts, rates, ids, never text.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no summary.")] = False,
) -> None:
    """Find the entities of notes and write them as tables.

    Writes OUTPUT/entities, notes, sections and errors, OUTPUT/manifest.jsonl (what is safely written, for --resume)
    and OUTPUT/run.json. Exit code 0: all notes done; 1: some failed (they are in errors); 2: wrong usage;
    3: broken off (a full disk, say), and 130: interrupted; --resume goes on with either.

    Examples:

        clinspan extract notes/ --output out

        clinspan extract notes.csv --id-column hadm_id --keep specialty --format csv -o out

        clinspan extract notes.csv --terms my_terms.csv --snippet 60 -o out

        clinspan extract notes.csv --vocabularies icd10cm,mesh -o out

        clinspan extract notes.csv --ner en_ner_bc5cdr_md -o out

        clinspan extract notes/ --workers 8 -o out --resume

        clinspan extract postgresql+psycopg://me@host/ehr --sql "SELECT note_id, text FROM note ORDER BY 1" -o out

        clinspan extract notes.parquet --into duckdb:///notes.duckdb -o out

        clinspan extract notes.parquet --engine spark --workers 4 -o out
    """
    from clinspan.batch import ENGINES, ManifestError, OutputError, kept_columns, prepare_output, run
    from clinspan.notes import NotesError, find_files, read_notes, read_query
    from clinspan.partition import Options
    from clinspan.pipeline import codes_only
    from clinspan.progress import Progress, print_summary
    from clinspan.sinks import DatabaseError, database_sink, without_password
    from clinspan.tables import FORMATS
    from clinspan.workers import WorkerError, available_cores

    if overwrite and resume:
        fail("--overwrite begins anew, --resume goes on: which?")
    if workers != "auto" and not workers.isdecimal():
        fail(f"--workers is a number or auto, not {workers!r}")
    if engine not in ENGINES:
        fail(f"--engine is not one of {', '.join(ENGINES)}")
    if engine == "spark" and find_spec("pyspark") is None:
        fail("--engine spark needs pyspark: pip install 'clinspan[spark]'")
    count = available_cores() if workers == "auto" else int(workers)
    if format not in FORMATS:
        fail(f"--format is not one of {', '.join(FORMATS)}")
    try:
        columns: dict[str, Any] = {"text_column": text_column, "id_column": id_column, "keep": keep or ()}
        if sql is not None:
            if len(notes) != 1:
                fail("--sql is for one database")
            files = []
            stream = read_query(notes[0], sql, **columns)
        else:
            files = find_files(notes)
            stream = read_notes(files, encoding=encoding, **columns)
        kept = kept_columns(keep or ())
    except ValueError as error:
        fail(str(error))
    recipe = recipe_of(pipeline, exclude, terms, rules, vocabularies, ner, ner_label)
    nlp = load_recipe(recipe)  # what is wrong with it is said before anything is written
    codes_only(nlp)
    holding = {os.path.dirname(file.name) for file in files}
    if any(output.resolve() in (Path(name).resolve(), *Path(name).resolve().parents) for name in holding):
        fail(f"{output}: holds the notes to be read; choose another folder")
    try:
        folder = prepare_output(output, overwrite=overwrite, resume=resume)
        sink = database_sink(into, folder, Options(kept, snippet)) if into else None
    except (OutputError, OSError, ValueError) as error:
        fail(str(error))
    settings = {
        "notes": [without_password(n) for n in notes],
        "sql": sql,
        "format": format,
        "pipeline": pipeline,
        "encoding": encoding,
        "text_column": text_column,
        "id_column": id_column,
        "keep": keep or [],
        "exclude": exclude or [],
        "terms": [str(p) for p in terms or []],
        "rules": [str(p) for p in rules or []],
        "vocabularies": vocabularies,
        "ner": ner,
        "ner_label": ner_label or [],
        "snippet": snippet,
        "workers": count,
        "engine": engine,
        "into": sink.name if sink else None,
    }
    which: dict[str, Any] = {"nlp": nlp}
    if count or engine != "processes":
        which = {"recipe": recipe, "workers": count, "engine": engine}
    del nlp
    with Progress([file.name for file in files], quiet=quiet) as progress:
        try:
            with interruptible():
                summary = run(
                    stream,
                    **which,
                    output=folder,
                    format=format,
                    sink=sink,
                    keep=kept,
                    snippet=snippet,
                    settings=settings,
                    resume=resume,
                    time_limit=time_limit,
                    progress=progress.advance,
                    report=None if quiet else progress.say,
                    log=log_to(log_json) if log_json else None,
                )
        except (NotesError, ManifestError) as error:
            fail(str(error))
        except (WorkerError, DatabaseError) as error:
            fail(f"{error}; --resume goes on", 3)
        except OSError as error:
            fail(f"{folder}: writing failed ({os.strerror(error.errno or 0)}); --resume goes on", 3)
        except KeyboardInterrupt:
            fail("interrupted; --resume goes on", 130)
    if not quiet:
        print_summary(summary, folder)
    raise typer.Exit(1 if summary.failed else 0)


@app.command()
def show(
    note: Annotated[str, typer.Argument(help="A text file, or - for standard input.")],
    html: Annotated[Path | None, typer.Option(help="Write a self-contained page instead.")] = None,
    note_id: Annotated[str | None, typer.Option("--id", help="Which note, when the file is a table of notes.")] = None,
    pipeline: Pipeline = "en_clinspan",
    exclude: Exclude = None,
    terms: Terms = None,
    rules: Rules = None,
) -> None:
    """Print a note with its entities coloured and tagged by assertion.

    Examples:

        clinspan show note.txt

        clinspan show notes.csv --id 17 --html note.html

        echo "Denies chest pain." | clinspan show -
    """
    from clinspan.notes import Note, NotesError, ReadFailure, decode, read_notes

    if note == "-":
        text, encoding = decode(sys.stdin.buffer.read())
        found: Note | ReadFailure | None = Note("stdin", text, encoding=encoding)
    else:
        try:
            found = next((n for n in read_notes([note]) if note_id is None or n.note_id == note_id), None)
        except NotesError as error:
            fail(str(error))
    if found is None:
        fail(f"{note}: no note with id {note_id!r}")
    if isinstance(found, ReadFailure):
        fail(f"{found.note_id}: {found.error}")
    nlp = load_pipeline(pipeline, exclude, terms, rules)
    from clinspan.pipeline import process

    doc = process(nlp, found.text)
    if html is not None:
        from clinspan.display import to_page

        try:
            html.write_text(to_page(doc, title=f"{found.note_id} \u00b7 clinspan"), encoding="utf-8")
        except OSError as error:
            fail(f"{html}: cannot be written to ({type(error).__name__})")
        return
    from rich.console import Console

    from clinspan.display import to_terminal

    Console(highlight=False).print(to_terminal(doc), soft_wrap=True)


@app.command()
def explain(
    text: Annotated[str, typer.Argument(help="A text, or - for standard input.")],
    pipeline: Pipeline = "en_clinspan",
    exclude: Exclude = None,
    terms: Terms = None,
    rules: Rules = None,
) -> None:
    """Print how each entity of a text was judged: its cues, their rules and scopes, and what set nothing.

    Examples:

        clinspan explain "No fever, chills or cough but reports dyspnea."

        clinspan explain "Father had MI." --rules my_rules.tsv
    """
    from rich.console import Console

    from clinspan.display import explanation
    from clinspan.notes import decode
    from clinspan.pipeline import component, process

    if text == "-":
        text, _ = decode(sys.stdin.buffer.read())
    nlp = load_pipeline(pipeline, exclude, terms, rules)
    try:
        context = component(nlp, "context")
    except ValueError as error:
        fail(str(error))
    console = Console(highlight=False)
    for part in explanation(process(nlp, text), context):
        console.print(part, soft_wrap=False)
        console.print()


@app.command()
def check(
    rules: Annotated[
        list[Path] | None, typer.Argument(help="Tables of your own context rules; the package's are checked without.")
    ] = None,
    pipeline: Pipeline = "en_clinspan",
) -> None:
    """Check context rules: duplicates, contradictions, and cues that can never set anything.

    Exit code 0: none; 1: some, printed one a line; 2: a table that cannot be read.

    Examples:

        clinspan check

        clinspan check my_rules.tsv
    """
    from clinspan.checking import KINDS, summary
    from clinspan.checking import check as check_rules
    from clinspan.pipeline import add_rules_file, component

    nlp = load_pipeline(pipeline, None, None, None)
    try:
        context = component(nlp, "context")
        before = {rule.id: rule for rule in context.rules}
        for path in rules or []:
            add_rules_file(nlp, path)
    except (OSError, ValueError) as error:
        fail(str(error))
    changed = {rule.id for rule in context.rules if before.get(rule.id) != rule}
    problems = check_rules(context, only=changed if rules else None)
    for line in summary(problems):
        typer.echo(line)
    for kind in dict.fromkeys(problem.kind for problem in problems):
        typer.echo(f"{kind}: {KINDS[kind]}", err=True)
    if not problems:
        typer.echo(f"{len(changed) if rules else len(context.rules)} rules, nothing wrong", err=True)
    raise typer.Exit(1 if problems else 0)


@app.command()
def info(pipeline: Pipeline = "en_clinspan") -> None:
    """Versions, the pipeline's components, labels, rules and terms, and where the models lie."""
    from importlib.metadata import version

    from clinspan.pipeline import describe, model_folders

    nlp = load_pipeline(pipeline, None, None, None)
    lines: dict[str, Any] = {"clinspan": clinspan.__version__, "python": sys.version.split()[0]}
    lines.update({name: version(name) for name in ("spacy", "scispacy", "pandas", "pyarrow")})
    lines.update(describe(nlp))
    lines["models"] = [str(folder) for folder in model_folders() if folder.is_dir()]
    width = max(map(len, lines))
    for key, value in lines.items():
        typer.echo(f"{key:{width}}  {', '.join(value) if isinstance(value, list) else value}")


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(help="A file, or a folder with files of the format at any depth.")],
    target: Annotated[Path, typer.Argument(help="The file to write; a folder for brat, i2b2, anafora and xmi.")],
    from_: Annotated[str | None, typer.Option("--from", help="Format of SOURCE; guessed from the file names.")] = None,
    to: Annotated[str | None, typer.Option("--to", help="Format of TARGET; guessed from its name.")] = None,
    losses: Annotated[Path | None, typer.Option(help="CSV for all that was lost, one row each.")] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the file TARGET; a folder must be empty.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No summary.")] = False,
) -> None:
    """Take an annotated corpus from one format to another, and say what did not come along.

    What was written is read back and compared with the source. Exit code 0: all of it came along; 1: written, and some
    was lost; 2: nothing was written.

    Formats: brat, pubtator, bioc_xml, bioc_json, conll, i2b2, docbin, jsonl, negex, inline, anafora, xmi, prodigy,
    doccano, label_studio.

    Examples:

        clinspan convert corpora/demo/notes demo.jsonl

        clinspan convert demo.jsonl demo.spacy

        clinspan convert train.PubTator.txt train.xml --to bioc_xml --losses lost.csv
    """
    from clinspan.corpora import FORMATS, LOSSES, WRITABLE, CorpusError, guess_format, write_losses
    from clinspan.corpora import convert as convert_corpus

    source_format, target_format = from_ or guess_format(source), to or guess_format(target)
    if source_format is None or target_format is None:
        path, option = (source, "--from") if source_format is None else (target, "--to")
        known = FORMATS if option == "--from" else WRITABLE
        fail(f"{path}: its name does not tell the format; say it with {option}: {', '.join(known)}")
    if target.is_file() and not overwrite:
        fail(f"{target}: is there already; --overwrite replaces it")
    if losses is not None and not losses.parent.is_dir():
        fail(f"{losses}: no such folder")
    try:
        written, lost = convert_corpus(source, target, source_format=source_format, target_format=target_format)
        if losses is not None:
            write_losses(lost, losses)
    except CorpusError as error:
        fail(str(error))
    except OSError as error:
        fail(f"{error.filename or target}: cannot be written to ({type(error).__name__})")
    if not quiet:
        typer.echo(f"{written:,} documents -> {target}", err=True)
        for what, meaning in LOSSES.items():
            of_kind = [loss for loss in lost if loss.what == what]
            if of_kind:
                first = of_kind[0]
                where = " ".join(part for part in (first.doc_id, first.annotation, first.detail) if part)
                typer.echo(f"{len(of_kind):>7,} {what}: {meaning} (first: {where})", err=True)
    raise typer.Exit(2 if not written else 1 if lost else 0)


@app.command()
def sample(
    run: Annotated[
        Path | None, typer.Argument(help="Folder of a run (made with --snippet, to see the context).")
    ] = None,
    n: Annotated[int, typer.Option("--n", min=1, help="About how many rows.")] = 200,
    by: Annotated[str, typer.Option(help="Columns to draw evenly from, separated by commas.")] = "label",
    seed: Annotated[int, typer.Option(help="The same seed draws the same rows.")] = 0,
    output: Annotated[Path, typer.Option("--output", "-o", help="CSV to write.")] = Path("sample.csv"),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUTPUT, and the verdicts in it.")] = False,
    verdicts: Annotated[Path | None, typer.Option(help="A filled sample: print its precision instead.")] = None,
) -> None:
    """Draw rows to judge by eye, and read precision with its interval from the filled CSV.

    Fill the empty verdict column with 1 (right) or 0 (wrong).

    Examples:

        clinspan sample out --n 350 --by label,assertion -o sample.csv

        clinspan sample --verdicts sample.csv
    """
    from clinspan.sampling import sample_rows, write_sample

    columns = [name.strip() for name in by.split(",") if name.strip()]
    if verdicts is not None:
        print_verdicts(verdicts, columns)
        return
    try:
        if run is None:
            fail("give the folder of a run, or --verdicts with a filled sample")
        rows = sample_rows(run, n=n, by=columns, seed=seed)
        write_sample(rows, output, overwrite=overwrite)
    except FileExistsError:
        fail(f"{output}: is there already, perhaps with verdicts; --overwrite replaces it")
    except (OSError, ValueError) as error:
        fail(str(error))
    typer.echo(f"{len(rows)} rows to judge -> {output}", err=True)


app.command()(evaluate)
app.command()(train)
app.command()(omop)
app.command()(fhir)
app.add_typer(terms_app, name="terms")


def main() -> None:
    """Entry point of the ``clinspan`` command."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal that lacks a character shows ? for it
            stream.reconfigure(errors="replace")
    app()


if __name__ == "__main__":
    main()
