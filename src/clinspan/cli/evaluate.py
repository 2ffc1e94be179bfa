"""``clinspan evaluate``: score a pipeline, or predictions, on an annotated corpus."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clinspan.cli.common import (
    Exclude,
    Rules,
    Terms,
    fail,
    gold_of_corpus,
    load_pipeline,
    pairs,
    print_verdicts,
)

if TYPE_CHECKING:
    from clinspan.corpora import Gold
    from clinspan.predictions import Predictions


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
    exclude: Exclude = None,
    terms: Terms = None,
    rules: Rules = None,
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
            fail("give a corpus or --verdicts, not both")
        print_verdicts(verdicts, ["label"])
        return
    if corpus is None:
        fail("give a corpus, or --verdicts with a filled sample")
    if output is not None and not overwrite and any((output / name).exists() for name in report.FILES):
        fail(f"{output}: holds an evaluation already; --overwrite replaces it")
    if gold_entities and spans is not None:
        fail("--spans says where the pipeline's entities are; with --gold-entities there are none")
    names = pairs("--label-map", label_map)
    wanted = [label.strip() for label in labels.split(",") if label.strip()] if labels else []
    try:
        gold = gold_of_corpus(corpus, data, split, corpus_format, pairs("--corpus-map", corpus_map))
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
                attributes=pairs("--attribute", attribute) if own else {},
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
        fail(str(error))
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
            fail(f"{output}: cannot be written to ({type(error).__name__})")
        if not quiet:
            typer.echo(f"-> {output / 'report.html'}", err=True)


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
            fail(f"{name}: predictions; --exclude, --terms, --rules, --spans and --attribute are for pipelines")
        return read_predictions(name, format_name=format_name, labels=labels)
    nlp = load_pipeline(name, *additions)
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
