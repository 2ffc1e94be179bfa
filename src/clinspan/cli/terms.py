"""``clinspan terms``: build an index of one's own terminologies, look a name up, say what a file holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clinspan.cli.common import Pipeline, fail

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clinspan.matching import ConceptLookup
    from clinspan.terminologies import Term
    from clinspan.terminologies.builder import Report

app = typer.Typer(
    help="Terminologies: build an index of yours, look a name up, say what an index holds.", no_args_is_help=True
)
_SHOWN = 12  # reasons printed


@app.command()
def build(
    sources: Annotated[
        list[Path],
        typer.Argument(
            help="Files or release folders: OBO, OBO Graphs, OWL, CSV or TSV, UMLS and RxNorm RRF, SNOMED CT RF2, "
            "LOINC, ICD-10-CM, MeSH, UNII; each also .gz, .xz or .bz2."
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The index file to write.")],
    format: Annotated[str | None, typer.Option("--format", "-f", help="Of the sources; told by the files.")] = None,
    label: Annotated[str, typer.Option(help="For concepts whose source does not say, such as CONDITION.")] = "",
    vocabulary: Annotated[str, typer.Option(help="Tables: the vocabulary of the codes.")] = "",
    name_column: Annotated[str | None, typer.Option(help="Tables: column of the names; guessed.")] = None,
    id_column: Annotated[str | None, typer.Option(help="Tables: column of the codes; guessed.")] = None,
    label_column: Annotated[str | None, typer.Option(help="Tables: column of the labels; guessed.")] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--source", help="UMLS, RxNorm: names of this source (SAB) only. May be repeated."),
    ] = None,
    source_codes: Annotated[bool, typer.Option(help="UMLS: the sources' codes instead of CUIs.")] = False,
    exclude: Annotated[
        list[Path] | None, typer.Option(help="Text file of names to leave out, one a line. May be repeated.")
    ] = None,
    longest: Annotated[int, typer.Option(min=1, help="Words of a name that is searched for, at most.")] = 8,
    everyday: Annotated[bool, typer.Option(help="Keep names that are one everyday word.")] = False,
    linking: Annotated[bool, typer.Option(help="Write what looking up by likeness needs.")] = True,
    dropped: Annotated[
        Path | None, typer.Option(help="TSV for the names that are not searched for, each with the reason.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no report.")] = False,
) -> None:
    """Build an index of terminologies, to find their names in notes and to give their codes.

    Prints what was left out and why. Use the file with --terms: `clinspan extract notes/ --terms my.index -o out`.

    Examples:

        clinspan terms build doid.obo hp.obo -o ontologies.index

        clinspan terms build 2025AA/META --source SNOMEDCT_US --source RXNORM -o umls.index

        clinspan terms build SnomedCT_Release/Snapshot -o snomed.index --dropped dropped.tsv

        clinspan terms build hospital.csv --name-column naam --id-column code --label CONDITION -o hospital.index
    """
    from clinspan.progress import counting
    from clinspan.terminologies import TermsFileError, builder

    options: dict[str, Any] = {
        "vocabulary": vocabulary or None,
        "name_column": name_column,
        "id_column": id_column,
        "label_column": label_column,
        "sources": set(only) if only else None,
        "use_source_codes": source_codes or None,
    }
    given = {name: value for name, value in options.items() if value is not None}
    written = [path.resolve() for path in (output, dropped) if path]
    if any(source.resolve() in written for source in (*sources, *(exclude or []))):
        fail("--output or --dropped is one of the files to be read")
    try:
        excluded = [line.strip() for path in exclude or [] for line in _lines(path)]
        formats = _formats(sources, format, given)
        if label:
            given["keep_unlabelled"] = True
        for path in filter(None, (output, dropped)):
            path.parent.mkdir(parents=True, exist_ok=True)
        with counting("names", quiet=quiet) as progress, _Dropped(dropped) as told:
            report = builder.build(
                _terms(sources, formats, given),
                output,
                label=label.upper(),
                excluded=[name for name in excluded if name],
                longest=longest,
                everyday=everyday,
                linking=linking,
                dropped=told.write,
                progress=progress,
            )
    except (TermsFileError, ValueError) as error:
        fail(str(error))
    except OSError as error:
        fail(f"{error.filename or output}: {error.strerror or type(error).__name__}")
    if not quiet:
        _print(report, output)


#: What the options of the readers are called here.
_FLAGS = {"sources": "--source", "use_source_codes": "--source-codes"}
_TABLES = (".csv", ".tsv", ".txt", ".psv")


def _formats(sources: list[Path], format: str | None, options: dict[str, Any]) -> list[str]:
    """The formats of the sources; refuses an option that none of them has."""
    from clinspan import terminologies

    named = any(name.endswith("_column") for name in options)
    formats = [
        format or ("columns" if named and source.suffix.lower() in _TABLES else terminologies.detect(source))
        for source in sources
    ]
    known = frozenset().union(*(terminologies.options_of(name) for name in formats))
    for option in options:
        if option not in known:
            flag = _FLAGS.get(option, "--" + option.replace("_", "-"))
            raise ValueError(f"{flag} is not for {', '.join(dict.fromkeys(formats))}")
    return formats


def _terms(sources: list[Path], formats: list[str], options: dict[str, Any]) -> Iterator[Term]:
    """The terms of the sources, with the options that the format of each one has."""
    from clinspan import terminologies

    for source, format in zip(sources, formats):
        known = terminologies.options_of(format)
        empty = True
        for term in terminologies.read(source, format, **{k: v for k, v in options.items() if k in known}):
            empty = False
            yield term
        if empty:
            raise terminologies.TermsFileError(
                f"{source}: no name in it, read as {format}; not read is what is obsolete, suppressed, of another "
                "language or --source, or of a class that means none of our labels"
            )


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not UTF-8") from None


class _Dropped:
    """The file of names left out."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._aside = path.with_name(f"{path.name}.part") if path else None

    def __enter__(self) -> _Dropped:
        self._file = self._aside.open("w", encoding="utf-8", newline="") if self._aside else None
        if self._file:
            self._file.write("vocabulary\tconcept_id\tname\tkind\treason\n")
        return self

    def __exit__(self, error: object, *_: object) -> None:
        if self._file and self._aside and self._path:
            self._file.close()
            if error is None:
                self._aside.replace(self._path)
            else:
                self._aside.unlink(missing_ok=True)

    def write(self, term: Term, reason: str) -> None:
        if self._file:
            fields = (term.vocabulary, term.concept_id, term.name, term.kind, reason)
            self._file.write("\t".join(" ".join(field.split()) for field in fields) + "\n")


def _print(report: Report, output: Path) -> None:
    size = output.stat().st_size / 1e6
    typer.echo(
        f"{report.read:,} names of {report.concepts:,} concepts; searched for in notes: {report.names:,} names "
        f"-> {output} ({size:,.1f} MB)",
        err=True,
    )
    for label, count in report.labels.most_common():
        typer.echo(f"{count:12,}  {label}", err=True)
    for reason, count in report.dropped.most_common(_SHOWN):
        typer.echo(f"{count:12,}  left out: {reason}", err=True)
    if not report.names:
        typer.echo("nothing will be found in notes: say what the concepts are with --label", err=True)


@app.command()
def lookup(
    text: Annotated[str, typer.Argument(help="A name, as a note may have it.")],
    index: Annotated[
        list[Path] | None, typer.Option(help="An index of yours, instead of the pipeline's. May be repeated.")
    ] = None,
    pipeline: Pipeline = "en_clinspan",
    label: Annotated[str, typer.Option(help="Concepts of this label or one close to it alone: CONDITION, …")] = "",
    vocabularies: Annotated[str | None, typer.Option(help="Of these alone, best first: icd10cm,mesh.")] = None,
    number: Annotated[int, typer.Option("-n", min=1, help="How many, at most.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Print the concepts that a name means, exactly or nearly, best first.

    Score 1 is an exact preferred name. Exit code 1: none found.

    Examples:

        clinspan terms lookup "heart attack"

        clinspan terms lookup "htn" --vocabularies icd10cm,mesh

        clinspan terms lookup "renal failure" --index umls.index -n 3
    """
    from clinspan.schema import LABELS

    if label and label.upper() not in LABELS:
        fail(f"--label is not one of {', '.join(LABELS)}")
    concepts = _opened(index, pipeline)
    concepts.keep = number
    try:
        concepts.choose(vocabularies.split(",") if vocabularies else ())
    except ValueError as error:
        fail(str(error))
    found = concepts.candidates(text, label.upper())
    rows = [candidate._asdict() for candidate in found]
    if as_json:
        for row in rows:
            typer.echo(json.dumps(row, ensure_ascii=False))
    else:
        widths = [max([len(str(row[key])) for row in rows], default=0) for key in ("vocabulary", "concept_id")]
        for row in rows:
            code = f"{row['vocabulary']:{widths[0]}}  {row['concept_id']:{widths[1]}}"
            typer.echo(f"{row['score']:.2f}  {code}  {row['name']}")
    if not rows:
        typer.echo("no concept found", err=True)
        raise typer.Exit(1)


def _opened(index: list[Path] | None, pipeline: str) -> ConceptLookup:
    from clinspan.components.linker import INDEX_FILE
    from clinspan.matching import ConceptLookup
    from clinspan.pipeline import find_model

    concepts = ConceptLookup()
    try:
        for path in index or [find_model(pipeline) / "linker" / INDEX_FILE]:
            concepts.add_index(path)
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except ValueError as error:
        fail(str(error))
    return concepts


@app.command()
def info(
    file: Annotated[Path, typer.Argument(help="An index file.")],
    verify: Annotated[bool, typer.Option("--verify", help="Check the digest of the whole file.")] = False,
) -> None:
    """Say what an index file holds.

    Example:

        clinspan terms info umls.index --verify
    """
    from collections import Counter

    from clinspan.matching.container import open_file

    try:
        held = open_file(file, verify=verify)
    except OSError as error:
        fail(f"{file}: {error.strerror}")
    except ValueError as error:
        fail(str(error))
    concepts = held.strings.get("concepts", ())
    typer.echo(f"{file}: {file.stat().st_size / 1e6:,.1f} MB{', digest right' if verify else ''}")
    if "names" in held.strings:
        typer.echo(f"{len(held.strings['names']):12,}  names to find in notes")
    if "bags.hashes" in held.arrays:
        typer.echo(f"{len(held.arrays['bags.hashes']):12,}  names to link entities by, as sets of words")
    typer.echo(f"{len(concepts):12,}  concepts")
    kinds = Counter(tuple(packed.split("\t", 2)[:2]) for packed in concepts)
    for (label, vocabulary), count in kinds.most_common():
        typer.echo(f"{count:12,}  {vocabulary or 'no vocabulary'} {label or 'no label'}")
