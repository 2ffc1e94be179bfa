"""Training the bundled network further, on a corpus of one's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from spacy.language import Language

from clinspan.corpora import Gold
from clinspan.pipeline import component
from clinspan.tagger import calibration
from clinspan.tagger.corpus import examples, fill_unknown, micro_f1, spans_of_tags
from clinspan.tagger.examples import UNKNOWN, Sentence
from clinspan.tagger.model import Tagger
from clinspan.tagger.training import Settings, WordTable, train

#: Gentler than training from the start: the weights are good already.
GENTLE = Settings(epochs=8, rate=5e-4, dropout=0.4)
_HELD_OUT = 10  # one in so many documents, where no development part is given


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    Attributes:
        documents, entities: trained on.
        before, after: strict F1 (by tokens, all labels of the corpus) on what was not trained on.
        epoch: the one whose weights were kept, from 1; 0 where none was better than the weights begun with.
    """

    documents: int
    entities: int
    before: float
    after: float
    epoch: int


def fine_tune(
    nlp: Language,
    gold: Gold,
    *,
    dev: Gold | None = None,
    settings: Settings = GENTLE,
    progress: Callable[[int, float, float], None] | None = None,
) -> Outcome:
    """Train the pipeline's network further on a corpus; the pipeline uses what came of it.

    The weights kept are those of the epoch that is best on ``dev``. What the corpus does not annotate is filled in by
    the network as it was, where it is sure, so that its other labels stay as they are.

    Args:
        nlp: a pipeline with the component ``ner``.
        gold: documents in clinspan's labels.
        dev: documents to choose the epoch by, and to calibrate scores on; every tenth of ``gold`` when left out.
        progress: called after each epoch with its number, mean loss and strict F1.

    Raises:
        ValueError: the pipeline has no trained network, or the corpus none of its labels, or too few documents.
    """
    ner = component(nlp, "ner")
    old: Tagger | None = ner.tagger
    if old is None:
        raise ValueError("the pipeline's component ner has no weights to train further")
    if not set(gold.labels) & set(old.labels):
        raise ValueError(f"the corpus has none of the labels {', '.join(old.labels)}")
    documents = list(examples(nlp, gold, old.labels))
    if dev is not None:
        held_out = [s for document in examples(nlp, dev, old.labels) for s in document if s.words]
    else:
        held_out = [s for document in documents[::_HELD_OUT] for s in document if s.words]
        documents = [document for i, document in enumerate(documents) if i % _HELD_OUT]
    trained = [s for document in documents for s in document if s.words]
    if not trained or not held_out:
        raise ValueError("too few documents to train on and to hold some out")
    entities = sum(_entities(s) for s in trained)
    fill_unknown(old, trained)
    best = [micro_f1(old, held_out), 0]
    before = best[0]
    kept = old.values

    def judge(epoch: int, loss: float, averaged: dict[str, np.ndarray]) -> None:
        nonlocal kept
        now = micro_f1(Tagger(old.labels, averaged, old.vectors), held_out)
        if now > best[0]:
            best[:] = [now, epoch + 1]
            kept = {name: value.copy() for name, value in averaged.items()}
        if progress:
            progress(epoch + 1, loss, now)

    values = {name: value.copy() for name, value in old.values.items()}
    train(values, trained, WordTable(old.vectors), settings, each_epoch=judge)
    new = Tagger(old.labels, kept, old.vectors, old.meta)
    if best[1]:
        fits = calibrate(new, held_out)
        new.meta["calibration"] = {**old.meta.get("calibration", {}), **fits}
    ner.use(new)
    return Outcome(len(documents), entities, before, best[0], int(best[1]))


def calibrate(tagger: Tagger, sentences: list[Sentence]) -> dict[str, tuple[float, float]]:
    """Slope and offset of each label that the sentences say enough of."""
    answers: dict[int, tuple[list[float], list[bool]]] = {i: ([], []) for i in range(len(tagger.labels))}
    for found, sentence in zip(tagger.find(sentences), sentences):
        assert sentence.tags is not None
        for label, (probabilities, right) in answers.items():
            if (sentence.tags[:, label] == UNKNOWN).all():
                continue
            wanted = set(spans_of_tags(sentence.tags[:, label]))
            for span in found:
                if span.label == label and (sentence.tags[span.start : span.end, label] != UNKNOWN).all():
                    probabilities.append(span.probability)
                    right.append((span.start, span.end) in wanted)
    fits = {tagger.labels[label]: calibration.fit(*pair) for label, pair in answers.items()}
    return {label: fit for label, fit in fits.items() if fit != (1.0, 0.0)}


def _entities(sentence: Sentence) -> int:
    assert sentence.tags is not None
    return sum(len(spans_of_tags(sentence.tags[:, i])) for i in range(sentence.tags.shape[1]))
