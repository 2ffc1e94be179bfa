"""What the commands share: options, a pipeline loaded as they say, and an end with a message."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from spacy.language import Language

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


def fail(message: str) -> NoReturn:
    """End with the message on stderr and exit code 2."""
    typer.echo(f"clinspan: {message}", err=True)
    raise typer.Exit(2)


def load_pipeline(
    pipeline: str,
    exclude: list[str] | None,
    terms: list[Path] | None,
    rules: list[Path] | None,
    vocabularies: str | None = None,
) -> Language:
    """The pipeline, with what the user adds; ends with a message where that cannot be."""
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
        fail(str(error))
    return nlp


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
