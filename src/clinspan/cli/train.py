"""``clinspan train``: train the pipeline's network further on a corpus of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clinspan.cli.common import Pipeline, fail, gold_of_corpus, load_pipeline, pairs


def train(
    corpus: Annotated[
        str, typer.Argument(help="A corpus with a spec: its name or folder. With --corpus-format: a file or folder.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the new pipeline.")],
    data: Annotated[
        Path | None, typer.Option(help="Folder of the corpus's files; default $CLINSPAN_DATA/corpora/CORPUS.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="The part to train on; default train, or the only one.")] = None,
    dev_split: Annotated[
        str | None,
        typer.Option(help="The part to choose the best epoch by; every tenth document of --split when left out."),
    ] = None,
    corpus_format: Annotated[
        str | None, typer.Option(help="Format of a corpus without spec: brat, jsonl, … (see convert).")
    ] = None,
    corpus_map: Annotated[
        list[str] | None,
        typer.Option(help="With --corpus-format, a label of the corpus: THEIRS=OURS; may be repeated."),
    ] = None,
    pipeline: Pipeline = "en_clinspan",
    name: Annotated[str, typer.Option(help="Name of the new pipeline, as written into the tables.")] = "custom",
    epochs: Annotated[int, typer.Option(min=1, help="Times over the corpus.")] = 8,
    rate: Annotated[float, typer.Option(min=1e-6, max=0.1, help="Learning rate at its highest.")] = 5e-4,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same weights on the same machine.")] = 1,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a pipeline in OUTPUT.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Train the bundled network further on an annotated corpus, and save a pipeline that uses it.

    Labels that the corpus does not mark stay as they are. The epoch that is best on documents held out is kept; where
    none is better than the weights begun with, these are.

    Examples:

        clinspan train gold/ --corpus-format brat --corpus-map Problem=CONDITION -o my_pipeline

        clinspan train maccrobat --dev-split dev --output my_pipeline

        clinspan extract notes/ --pipeline my_pipeline --output out
    """
    from dataclasses import replace

    from clinspan.corpora import CorpusError
    from clinspan.tagger.finetune import GENTLE, fine_tune

    if output.exists() and any(output.iterdir()) and not overwrite:
        fail(f"{output}: not empty; --overwrite replaces a pipeline there")
    names = pairs("--corpus-map", corpus_map)
    try:
        gold = gold_of_corpus(corpus, data, split, corpus_format, names, default="train")
        dev = gold_of_corpus(corpus, data, dev_split, corpus_format, names) if dev_split else None
    except (CorpusError, OSError) as error:
        fail(str(error))
    nlp = load_pipeline(pipeline, None, None, None)

    def say(epoch: int, loss: float, f1: float) -> None:
        if not quiet:
            typer.echo(f"epoch {epoch}: loss {loss:.4f}, held-out strict F1 {f1:.3f}", err=True)

    try:
        settings = replace(GENTLE, epochs=epochs, rate=rate, seed=seed)
        outcome = fine_tune(nlp, gold, dev=dev, settings=settings, progress=say)
    except ValueError as error:
        fail(str(error))
    nlp.meta["name"] = name
    nlp.meta.pop("sha256", None)
    try:
        nlp.to_disk(output)
    except OSError as error:
        fail(f"{output}: writing failed ({type(error).__name__})")
    typer.echo(
        f"{outcome.documents:,} documents, {outcome.entities:,} entities; held-out strict F1 "
        f"{outcome.before:.3f} before, {outcome.after:.3f} after"
        + (f" (epoch {outcome.epoch})" if outcome.epoch else " (no epoch was better: the weights are as before)")
    )
    typer.echo(f"pipeline saved in {output}")
