"""The command line: parses and prints, calls plain functions. Heavy imports wait until a command needs them."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

import clinspan

if TYPE_CHECKING:
    from spacy.language import Language

    from clinspan.corpora import Gold
    from clinspan.predictions import Predictions

app = typer.Typer(
    name="clinspan",
    help="Clinical notes in, structured tables out. Everything runs on this machine; nothing is sent anywhere.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,  # a traceback with local variables would show note text
)

_Pipeline = Annotated[str, typer.Option(help="A bundled pipeline's name, a pipeline folder, or an installed package.")]
_Exclude = Annotated[list[str] | None, typer.Option(help="Component to leave out; may be repeated.")]
_Terms = Annotated[
    list[Path] | None,
    typer.Option(
        help="CSV or TSV of your own terms (term, label, code), which win over everything; or an index that "
        "`clinspan terms build` wrote. May be repeated."
    ),
]
_Vocabularies = Annotated[
    str | None,
    typer.Option(help="Codes of these vocabularies alone, best first: icd10cm,mesh,doid,hp,uberon,unii,clinspan."),
]
_Rules = Annotated[
    list[Path] | None, typer.Option(help="TSV of your own context rules; one with a known id replaces that rule.")
]


def _fail(message: str) -> NoReturn:
    typer.echo(f"clinspan: {message}", err=True)
    raise typer.Exit(2)


def _load(
    pipeline: str,
    exclude: list[str] | None,
    terms: list[Path] | None,
    rules: list[Path] | None,
    vocabularies: str | None = None,
) -> Language:
    from clinspan.pipeline import add_rules_file, add_terms_file, choose_vocabularies, load

    try:
        nlp = load(pipeline, exclude=exclude or [])
        for path in terms or []:
            add_terms_file(nlp, path)
        for path in rules or []:
            add_rules_file(nlp, path)
        if vocabularies is not None:
            choose_vocabularies(nlp, vocabularies.split(","))
    except (OSError, ValueError) as error:
        _fail(str(error))
    return nlp


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
        typer.Argument(help="Files, folders or quoted globs: .txt, .csv, .tsv, .jsonl (each also .gz), .parquet."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the tables.")],
    format: Annotated[str, typer.Option("--format", "-f", help="parquet, csv or jsonl.")] = "parquet",
    pipeline: _Pipeline = "en_clinspan",
    exclude: _Exclude = None,
    terms: _Terms = None,
    rules: _Rules = None,
    vocabularies: _Vocabularies = None,
    text_column: Annotated[str | None, typer.Option(help="Column with the text; guessed when left out.")] = None,
    id_column: Annotated[str | None, typer.Option(help="Column with the note ids; guessed when left out.")] = None,
    keep: Annotated[
        list[str] | None, typer.Option(help="Column to copy into the notes table; may be repeated.")
    ] = None,
    encoding: Annotated[str | None, typer.Option(help="Encoding to try after UTF-8, such as cp1252.")] = None,
    snippet: Annotated[int, typer.Option(min=0, help="Add the text around, this many characters each side.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the tables of an earlier run.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no summary.")] = False,
) -> None:
    """Find the entities of notes and write them as tables.

    Writes OUTPUT/entities, notes, sections and errors, and OUTPUT/run.json. Exit code 0: all notes done;
    1: some failed (they are in errors); 2: wrong usage.

    Examples:

        clinspan extract notes/ --output out

        clinspan extract notes.csv --id-column hadm_id --keep specialty --format csv -o out

        clinspan extract notes.csv --terms my_terms.csv --snippet 60 -o out

        clinspan extract notes.csv --vocabularies icd10cm,mesh -o out
    """
    from clinspan.batch import OutputError, kept_columns, prepare_output, run
    from clinspan.notes import NotesError, find_files, read_notes
    from clinspan.pipeline import codes_only
    from clinspan.progress import Progress, print_summary
    from clinspan.tables import FORMATS

    if format not in FORMATS:
        _fail(f"--format is not one of {', '.join(FORMATS)}")
    try:
        files = find_files(notes)
        stream = read_notes(notes, text_column=text_column, id_column=id_column, keep=keep or (), encoding=encoding)
        kept = kept_columns(keep or ())
    except ValueError as error:
        _fail(str(error))
    nlp = _load(pipeline, exclude, terms, rules, vocabularies)
    codes_only(nlp)
    if any(output.resolve() in file.path.resolve().parents for file in files):
        _fail(f"{output}: holds the notes to be read; choose another folder")
    try:
        folder = prepare_output(output, overwrite=overwrite)
    except OutputError as error:
        _fail(str(error))
    settings = {
        "notes": [str(n) for n in notes],
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
        "snippet": snippet,
    }
    with Progress([file.path for file in files], quiet=quiet) as progress:
        try:
            summary = run(
                stream,
                nlp=nlp,
                output=folder,
                format=format,
                keep=kept,
                snippet=snippet,
                settings=settings,
                progress=progress.advance,
            )
        except NotesError as error:
            _fail(str(error))
        except OSError as error:
            _fail(f"{folder}: writing failed ({type(error).__name__})")
    if not quiet:
        print_summary(summary, folder)
    raise typer.Exit(1 if summary.failed else 0)


@app.command()
def show(
    note: Annotated[str, typer.Argument(help="A text file, or - for standard input.")],
    html: Annotated[Path | None, typer.Option(help="Write a self-contained page instead.")] = None,
    note_id: Annotated[str | None, typer.Option("--id", help="Which note, when the file is a table of notes.")] = None,
    pipeline: _Pipeline = "en_clinspan",
    exclude: _Exclude = None,
    terms: _Terms = None,
    rules: _Rules = None,
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
            _fail(str(error))
    if found is None:
        _fail(f"{note}: no note with id {note_id!r}")
    if isinstance(found, ReadFailure):
        _fail(f"{found.note_id}: {found.error}")
    nlp = _load(pipeline, exclude, terms, rules)
    from clinspan.pipeline import process

    doc = process(nlp, found.text)
    if html is not None:
        from clinspan.display import to_page

        try:
            html.write_text(to_page(doc, title=f"{found.note_id} \u00b7 clinspan"), encoding="utf-8")
        except OSError as error:
            _fail(f"{html}: cannot be written to ({type(error).__name__})")
        return
    from rich.console import Console

    from clinspan.display import to_terminal

    Console(highlight=False).print(to_terminal(doc), soft_wrap=True)


@app.command()
def explain(
    text: Annotated[str, typer.Argument(help="A text, or - for standard input.")],
    pipeline: _Pipeline = "en_clinspan",
    exclude: _Exclude = None,
    terms: _Terms = None,
    rules: _Rules = None,
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
    nlp = _load(pipeline, exclude, terms, rules)
    try:
        context = component(nlp, "context")
    except ValueError as error:
        _fail(str(error))
    console = Console(highlight=False)
    for part in explanation(process(nlp, text), context):
        console.print(part, soft_wrap=False)
        console.print()


@app.command()
def check(
    rules: Annotated[
        list[Path] | None, typer.Argument(help="Tables of your own context rules; the package's are checked without.")
    ] = None,
    pipeline: _Pipeline = "en_clinspan",
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

    nlp = _load(pipeline, None, None, None)
    try:
        context = component(nlp, "context")
        before = {rule.id: rule for rule in context.rules}
        for path in rules or []:
            add_rules_file(nlp, path)
    except (OSError, ValueError) as error:
        _fail(str(error))
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
def info(pipeline: _Pipeline = "en_clinspan") -> None:
    """Versions, the pipeline's components, labels, rules and terms, and where the models lie."""
    from importlib.metadata import version

    from clinspan.pipeline import describe, model_folders

    nlp = _load(pipeline, None, None, None)
    lines: dict[str, Any] = {"clinspan": clinspan.__version__, "python": sys.version.split()[0]}
    lines.update({name: version(name) for name in ("spacy", "scispacy", "pandas", "pyarrow")})
    lines.update(describe(nlp))
    lines["models"] = [str(folder) for folder in model_folders() if folder.is_dir()]
    width = max(map(len, lines))
    for key, value in lines.items():
        typer.echo(f"{key:{width}}  {', '.join(value) if isinstance(value, list) else value}")


@app.command()
def evaluate(
    corpus: Annotated[
        str | None,
        typer.Argument(help="A corpus with a spec: its name or folder. With --corpus-format: a file or folder of it."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Folder of the corpus's files; default $CLINSPAN_DATA/corpora/CORPUS.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="Which part; default dev, or the only one there is.")] = None,
    corpus_format: Annotated[
        str | None, typer.Option(help="Format of a corpus without spec: brat, jsonl, … (see convert).")
    ] = None,
    corpus_map: Annotated[
        list[str] | None,
        typer.Option(help="With --corpus-format, a label of the corpus: THEIRS=OURS; may be repeated."),
    ] = None,
    pipeline: Annotated[
        str,
        typer.Option(
            help="A bundled pipeline's name, a pipeline folder, an installed package; or predictions: a file or "
            "folder in a corpus format, or the output of extract."
        ),
    ] = "en_clinspan",
    against: Annotated[
        str | None, typer.Option(help="A second pipeline, or its predictions, to compare the first with.")
    ] = None,
    gold_entities: Annotated[
        bool, typer.Option("--gold-entities", help="Give the gold spans; score what is said of them.")
    ] = False,
    labels: Annotated[str | None, typer.Option(help="Score only these labels, separated by commas.")] = None,
    label_map: Annotated[
        list[str] | None, typer.Option(help="A label of --pipeline and --against: THEIRS=OURS; may be repeated.")
    ] = None,
    spans: Annotated[
        str | None, typer.Option(help="Span group of the entities of --pipeline, or ents for doc.ents.")
    ] = None,
    attribute: Annotated[
        list[str] | None,
        typer.Option(help="Attribute of --pipeline's spans that says an axis: negex=negated; may be repeated."),
    ] = None,
    predictions_format: Annotated[
        str | None, typer.Option(help="Format of predictions, where the file names do not tell.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for scores.json, errors.csv and report.html.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an evaluation in OUTPUT.")] = False,
    draws: Annotated[int, typer.Option(min=0, help="Bootstrap draws for the intervals; 0 for none.")] = 1000,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of the test of --against.")] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed draws the same documents.")] = 0,
    exclude: _Exclude = None,
    terms: _Terms = None,
    rules: _Rules = None,
    verdicts: Annotated[
        Path | None, typer.Option(help="Instead of a corpus: a sample filled by hand (see sample).")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no tables.")] = False,
) -> None:
    """Score a pipeline on an annotated corpus, with intervals; say which of two is better.

    Intervals are of bootstrap draws over documents; --against adds an approximate randomization test. Labels that the
    corpus does not mark are not counted. Agreement of two annotators: --pipeline is the other's folder.

    Examples:

        clinspan evaluate demo

        clinspan evaluate maccrobat --data corpora/maccrobat --split dev -o scores

        clinspan evaluate negex --gold-entities

        clinspan evaluate demo --terms my_terms.csv --against en_clinspan

        clinspan evaluate gold/ --corpus-format brat --pipeline predictions.jsonl

        clinspan evaluate bc5cdr --pipeline en_ner_bc5cdr_md --label-map DISEASE=CONDITION --label-map CHEMICAL=DRUG
    """
    from rich.console import Console

    from clinspan import evaluate as scores
    from clinspan import report
    from clinspan.corpora import CorpusError

    if verdicts is not None:
        if corpus is not None:
            _fail("give a corpus or --verdicts, not both")
        _print_verdicts(verdicts, ["label"])
        return
    if corpus is None:
        _fail("give a corpus, or --verdicts with a filled sample")
    if output is not None and not overwrite and any((output / name).exists() for name in report.FILES):
        _fail(f"{output}: holds an evaluation already; --overwrite replaces it")
    if gold_entities and spans is not None:
        _fail("--spans says where the pipeline's entities are; with --gold-entities there are none")
    names = _pairs("--label-map", label_map)
    wanted = [label.strip() for label in labels.split(",") if label.strip()] if labels else []
    try:
        gold = _gold(corpus, data, split, corpus_format, _pairs("--corpus-map", corpus_map))
        if not gold.labels and gold.axes and not gold_entities:
            gold_entities = True
            if not quiet:
                typer.echo(f"clinspan: {gold.name} marks no label throughout: judging its gold spans", err=True)
        scores.check(gold, labels=wanted, given=gold_entities)
        if gold.ignored and not quiet:
            typer.echo(f"clinspan: attributes of {gold.name} that are no axes: {', '.join(gold.ignored)}", err=True)
        systems = [
            _predictions(
                name,
                gold,
                given=gold_entities,
                spans=spans if own else None,
                attributes=_pairs("--attribute", attribute) if own else {},
                labels=names,
                format_name=predictions_format,
                additions=(exclude, terms, rules) if own else (None, None, None),
                quiet=quiet,
            )
            for name, own in ((pipeline, True), (against, False))
            if name is not None
        ]
        result, evaluation = scores.run(
            gold,
            systems[0],
            against=systems[1] if len(systems) > 1 else None,
            labels=wanted,
            given=gold_entities,
            draws=draws,
            rounds=rounds,
            seed=seed,
            command=shlex.join(["clinspan", *sys.argv[1:]]),
        )
    except (CorpusError, ValueError) as error:
        _fail(str(error))
    if not quiet:
        console = Console(highlight=False)
        for part in report.to_terminal(result):
            if isinstance(part, str):
                console.print(part, markup=False, soft_wrap=True)
            else:
                console.print(part)
        found = {a.label for d in systems[0].documents for a in d.annotations}
        if found and not found & set(result["corpus"]["labels"]):
            typer.echo(
                f"clinspan: no label in common; --label-map maps those predicted: {', '.join(sorted(found))}", err=True
            )
    if output is not None:
        try:
            report.write(result, evaluation.errors, gold.documents, output, overwrite=overwrite)
        except OSError as error:
            _fail(f"{output}: cannot be written to ({type(error).__name__})")
        if not quiet:
            typer.echo(f"-> {output / 'report.html'}", err=True)


def _pairs(option: str, pairs: list[str] | None) -> dict[str, str]:
    out = {}
    for pair in pairs or []:
        theirs, equals, ours = pair.rpartition("=")
        if not equals or not theirs or not ours:
            _fail(f"{option} {pair}: not of the form THEIRS=OURS")
        out[theirs] = ours
    return out


def _gold(corpus: str, data: Path | None, split: str | None, corpus_format: str | None, labels: dict[str, str]) -> Gold:
    from clinspan.corpora import gold_of, gold_of_files, load_spec

    if corpus_format is not None:
        if split is not None or data is not None:
            _fail("--split and --data are for a corpus with a spec, not for --corpus-format")
        return gold_of_files(corpus, corpus_format, labels=labels)
    if labels:
        _fail("--corpus-map is for --corpus-format; a spec maps its labels itself")
    spec = load_spec(corpus)
    only = next(iter(spec.splits)) if len(spec.splits) == 1 else "dev"
    return gold_of(spec, data=data, split=split or only)


def _predictions(
    name: str,
    gold: Gold,
    *,
    given: bool,
    spans: str | None,
    attributes: dict[str, str],
    labels: dict[str, str],
    format_name: str | None,
    additions: tuple[list[str] | None, list[Path] | None, list[Path] | None],
    quiet: bool,
) -> Predictions:
    """What a pipeline, or the files of predictions, of this name say of a corpus."""
    from dataclasses import replace

    from rich.console import Console
    from rich.progress import Progress
    from rich.text import Text

    from clinspan.pipeline import link_to
    from clinspan.predictions import Finder, is_predictions, judge, predict, read_predictions

    if is_predictions(name):
        if any(additions) or spans is not None or attributes:
            _fail(f"{name}: predictions; --exclude, --terms, --rules, --spans and --attribute are for pipelines")
        return read_predictions(name, format_name=format_name, labels=labels)
    nlp = _load(name, *additions)
    link_to(nlp, {code.partition(":")[0] for d in gold.documents for a in d.annotations for code in a.concepts})
    finder = Finder(layer=gold.layer, spans=spans, labels=labels, attributes=attributes or None)
    bar = Progress(console=Console(stderr=True), disable=quiet, transient=True)
    with bar:
        task = bar.add_task(Text(name).plain.replace("[", "\\["), total=len(gold.documents))
        found = (judge if given else predict)(nlp, gold.documents, finder=finder, progress=lambda: bar.advance(task))
    exclude, terms, rules = additions
    changes = [f"without {part}" for part in exclude or []] + [
        f"with {path.name}" for path in (terms or []) + (rules or [])
    ]
    return replace(found, name=", ".join([found.name, *changes]))


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
        _fail(f"{path}: its name does not tell the format; say it with {option}: {', '.join(known)}")
    if target.is_file() and not overwrite:
        _fail(f"{target}: is there already; --overwrite replaces it")
    if losses is not None and not losses.parent.is_dir():
        _fail(f"{losses}: no such folder")
    try:
        written, lost = convert_corpus(source, target, source_format=source_format, target_format=target_format)
        if losses is not None:
            write_losses(lost, losses)
    except CorpusError as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"{error.filename or target}: cannot be written to ({type(error).__name__})")
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
        _print_verdicts(verdicts, columns)
        return
    try:
        if run is None:
            _fail("give the folder of a run, or --verdicts with a filled sample")
        rows = sample_rows(run, n=n, by=columns, seed=seed)
        write_sample(rows, output, overwrite=overwrite)
    except FileExistsError:
        _fail(f"{output}: is there already, perhaps with verdicts; --overwrite replaces it")
    except (OSError, ValueError) as error:
        _fail(str(error))
    typer.echo(f"{len(rows)} rows to judge -> {output}", err=True)


def _print_verdicts(path: Path, columns: list[str]) -> None:
    """Precision of a filled sample, with Wilson's intervals."""
    from clinspan.sampling import precision

    try:
        rows = precision(path, by=columns)
    except (OSError, ValueError) as error:
        _fail(str(error))
    for key, p in rows.items():
        typer.echo(
            f"{' '.join(key) or 'all':28} {p.right:5} of {p.judged:5}  {p.precision:.3f}  [{p.low:.3f}, {p.high:.3f}]"
        )


def _add_groups() -> None:
    from clinspan.cli.terms import app as terms

    app.add_typer(terms, name="terms")


_add_groups()


def main() -> None:
    """Entry point of the ``clinspan`` command."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal that lacks a character shows ? for it
            stream.reconfigure(errors="replace")
    app()


if __name__ == "__main__":
    main()
