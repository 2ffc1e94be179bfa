"""What the commands share: options, a pipeline loaded as they say, and an end with a message."""

from __future__ import annotations

import contextlib
import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from spacy.language import Language

    from clinspan.corpora import Gold
    from clinspan.pipeline import Recipe

Pipeline = Annotated[str, typer.Option(help="A bundled pipeline's name, a pipeline folder, or an installed package.")]
Exclude = Annotated[list[str] | None, typer.Option(help="Component to leave out; may be repeated.")]
Terms = Annotated[
    list[Path] | None,
    typer.Option(
        help="CSV or TSV of your own terms (term, label, code), which win over everything; or an index that "
        "`clinspan terms build` wrote. May be repeated."
    ),
]
Vocabularies = Annotated[
    str | None,
    typer.Option(help="Codes of these vocabularies alone, best first: icd10cm,mesh,doid,hp,uberon,unii,clinspan."),
]
Rules = Annotated[
    list[Path] | None, typer.Option(help="TSV of your own context rules; one with a known id replaces that rule.")
]

NerModel = Annotated[
    str | None,
    typer.Option(
        "--ner",
        help="A spaCy or scispaCy model, installed or a folder, in place of the trained finder: en_ner_bc5cdr_md.",
    ),
]
NerLabels = Annotated[
    list[str] | None,
    typer.Option("--ner-label", help="With --ner, what a label of the model is here: THEIRS=OURS; may be repeated."),
]

FinishedRun = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a finished run into files.")]
ItsNotes = Annotated[list[str], typer.Argument(help="The notes that it read, named as they were for extract.")]
TextAsBefore = Annotated[str | None, typer.Option("--text-column", help="As for extract.")]
IdAsBefore = Annotated[str | None, typer.Option("--id-column", help="As for extract.")]
EncodingAsBefore = Annotated[str | None, typer.Option("--encoding", help="As for extract.")]
Person = Annotated[str | None, typer.Option("--person-column", help="Column with person ids; guessed when left out.")]
Date = Annotated[str | None, typer.Option("--date-column", help="Column with the dates; guessed when left out.")]


def fail(message: str, code: int = 2) -> NoReturn:
    """End with the message on stderr and an exit code."""
    typer.echo(f"clinspan: {message}", err=True)
    raise typer.Exit(code)


def log_to(path: Path) -> Callable[[dict[str, Any]], None]:
    """A function that adds a record to a file, as a JSON line."""

    def log(record: dict[str, Any]) -> None:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    return log


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """A request to end (SIGTERM) ends work as an interruption from the keyboard does."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def recipe_of(
    pipeline: str,
    exclude: list[str] | None,
    terms: list[Path] | None,
    rules: list[Path] | None,
    vocabularies: str | None = None,
    ner: str | None = None,
    ner_labels: list[str] | None = None,
) -> Recipe:
    """The pipeline, and what the user adds to it."""
    from clinspan.pipeline import Recipe

    names = pairs("--ner-label", ner_labels)
    if names and ner is None:
        fail("--ner-label is for the model of --ner")
    return Recipe(
        pipeline,
        tuple(exclude or ()),
        tuple(map(str, terms or ())),
        tuple(map(str, rules or ())),
        tuple(vocabularies.split(",")) if vocabularies else (),
        ner,
        tuple(names.items()),
    )


def load_recipe(recipe: Recipe) -> Language:
    """The pipeline; ends with a message where it cannot be had."""
    try:
        return recipe.load()
    except (OSError, ValueError) as error:
        fail(str(error))


def load_pipeline(
    pipeline: str, exclude: list[str] | None, terms: list[Path] | None, rules: list[Path] | None
) -> Language:
    """The pipeline, with what the user adds; ends with a message where that cannot be."""
    return load_recipe(recipe_of(pipeline, exclude, terms, rules))


def pairs(option: str, given: list[str] | None) -> dict[str, str]:
    """What an option given as THEIRS=OURS, several times, maps."""
    out = {}
    for pair in given or []:
        theirs, equals, ours = pair.rpartition("=")
        if not equals or not theirs or not ours:
            fail(f"{option} {pair}: not of the form THEIRS=OURS")
        out[theirs] = ours
    return out


def gold_of_corpus(
    corpus: str,
    data: Path | None,
    split: str | None,
    corpus_format: str | None,
    labels: dict[str, str],
    *,
    default: str = "dev",
) -> Gold:
    """A corpus as the options say; of one with a spec and without ``--split`` the only part, or the ``default``.

    Raises:
        CorpusError: what the corpus has wrong.
    """
    from clinspan.corpora import gold_of, gold_of_files, load_spec

    if corpus_format is not None:
        if split is not None or data is not None:
            fail("--split and --data are for a corpus with a spec, not for --corpus-format")
        return gold_of_files(corpus, corpus_format, labels=labels)
    if labels:
        fail("--corpus-map is for --corpus-format; a spec maps its labels itself")
    spec = load_spec(corpus)
    only = next(iter(spec.splits)) if len(spec.splits) == 1 else default
    return gold_of(spec, data=data, split=split or only)


def print_verdicts(path: Path, columns: list[str]) -> None:
    """Precision of a filled sample, with Wilson's intervals."""
    from clinspan.sampling import precision

    try:
        rows = precision(path, by=columns)
    except (OSError, ValueError) as error:
        fail(str(error))
    for key, p in rows.items():
        typer.echo(
            f"{' '.join(key) or 'all':28} {p.right:5} of {p.judged:5}  {p.precision:.3f}  [{p.low:.3f}, {p.high:.3f}]"
        )
