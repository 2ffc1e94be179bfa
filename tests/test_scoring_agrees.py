"""Our scores beside those of independent code, on the same random predictions."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from scispacy.per_class_scorer import PerClassScorer
from spacy.scorer import Scorer
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.vocab import Vocab

from clinspan.scoring import MICRO, Counts, Mention, macro_f1, score_entities

LABELS = ("CONDITION", "DRUG", "PROCEDURE")
LENGTH = 60
Side = dict[str, list[Mention]]


def random_side(rng: random.Random, documents: int) -> Side:
    """Mentions that do not overlap, as tags and ``doc.ents`` need them."""
    out: Side = {}
    for number in range(documents):
        out[str(number)], place = [], rng.randrange(4)
        while place < LENGTH:
            end = min(place + rng.randrange(1, 6), LENGTH)
            out[str(number)].append(Mention.span(place, end, rng.choice(LABELS)))
            place = end + rng.randrange(1, 8)
    return out


def disturbed(rng: random.Random, gold: Side) -> Side:
    """Most of gold, some of it longer, shorter or with another label, and some more."""
    out: Side = {}
    for doc_id, mentions in gold.items():
        out[doc_id], free = [], 0
        for ((start, end),), label in mentions:
            chance = rng.random()
            if chance < 0.15:
                continue
            start = max(free, start - (chance > 0.7))
            end = max(start + 1, end - (chance > 0.8))
            out[doc_id].append(Mention.span(start, end, label if chance < 0.9 else rng.choice(LABELS)))
            free = end
    return out


@pytest.fixture(scope="module", params=range(5))
def sides(request: pytest.FixtureRequest) -> tuple[Side, Side]:
    rng = random.Random(request.param)
    gold = random_side(rng, 20)
    return gold, disturbed(rng, gold)


def ratios(counts: Counts) -> list[float]:
    return [counts.precision, counts.recall, counts.f1]


def tags(mentions: list[Mention]) -> list[str]:
    out = ["O"] * LENGTH
    for ((start, end),), label in mentions:
        out[start:end] = [f"B-{label}"] + [f"I-{label}"] * (end - start - 1)
    return out


def test_seqeval(sides: tuple[Side, Side]) -> None:
    report = pytest.importorskip("seqeval.metrics").classification_report
    gold, predicted = sides
    theirs = report(
        [tags(m) for m in gold.values()], [tags(predicted[i]) for i in gold], output_dict=True, zero_division=0
    )
    ours = score_entities(gold, predicted, labels=LABELS, mode="strict")
    for key in (*LABELS, MICRO):
        row = theirs["micro avg" if key == MICRO else key]
        assert ratios(ours[key]) == pytest.approx([row["precision"], row["recall"], row["f1-score"]])
        assert ours[key].gold == row["support"]
    assert macro_f1(ours) == pytest.approx(theirs["macro avg"]["f1-score"])


def test_spacy_scorer(sides: tuple[Side, Side]) -> None:
    gold, predicted = sides
    vocab = Vocab()

    def doc(mentions: list[Mention]) -> Doc:
        made = Doc(vocab, words=["x"] * LENGTH)
        made.ents = [Span(made, start, end, label=label) for ((start, end),), label in mentions]
        return made

    examples = [Example(doc(predicted[i]), doc(gold[i])) for i in gold]
    theirs = Scorer.score_spans(examples, "ents")
    ours = score_entities(gold, predicted, labels=LABELS, mode="strict")
    assert ratios(ours[MICRO]) == pytest.approx([theirs[f"ents_{x}"] for x in "prf"])
    for label in LABELS:
        assert ratios(ours[label]) == pytest.approx([theirs["ents_per_type"][label][x] for x in "prf"])


def test_scispacy_scorer(sides: tuple[Side, Side]) -> None:
    """By label; its ``overall`` adds up a set of counts, so that labels with equal counts are added once."""
    gold, predicted = sides
    scorer = PerClassScorer()
    for doc_id, mentions in gold.items():
        scorer(*([(*m.fragments[0], m.label) for m in side] for side in (predicted[doc_id], mentions)))
    theirs = scorer.get_metric()
    ours = score_entities(gold, predicted, labels=LABELS, mode="strict")
    for label in LABELS:
        expected = [theirs[f"{name}-{label}"] for name in ("precision", "recall", "f1-measure")]
        assert ratios(ours[label]) == pytest.approx(expected)


def nervaluate_results(gold: Side, predicted: Side) -> Iterator[tuple[str, dict]]:
    """Its results for each label given alone, since its partial match asks for no label."""
    evaluator = pytest.importorskip("nervaluate", reason="needs Python 3.11").Evaluator
    for label in LABELS:
        docs = [
            [
                [
                    {"label": label, "start": m.fragments[0][0], "end": m.fragments[0][1] - 1}
                    for m in side
                    if m.label == label
                ]
                for side in (gold[i], predicted[i])
            ]
            for i in gold
        ]
        results = evaluator([d[0] for d in docs], [d[1] for d in docs], tags=[label], loader="dict").evaluate()
        yield label, results["overall"]


def test_nervaluate(sides: tuple[Side, Side]) -> None:
    ours = {mode: score_entities(*sides, labels=LABELS, mode=mode) for mode in ("strict", "partial")}
    for label, theirs in nervaluate_results(*sides):
        for mode in ("strict", "partial"):
            row = theirs[mode]
            assert ratios(ours[mode][label]) == pytest.approx([row.precision, row.recall, row.f1])
            assert (ours[mode][label].gold, ours[mode][label].predicted) == (row.possible, row.actual)
