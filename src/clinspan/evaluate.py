"""Scores of predicted against gold: entities by span and label, assertion by value.

The scores are pure functions over plain values; at the end, two functions run a pipeline over a corpus and score it.
Offsets are Unicode code points, half-open.

Two matches of entities:

- ``strict``: the same label and exactly the same fragments, each mention used once.
- ``relaxed``: the same label and at least one character shared. Precision is the share of predicted mentions that
  overlap some gold mention, recall the share of gold mentions that some predicted mention overlaps; one long mention
  may thus satisfy several on the other side. This is the lenient score of the i2b2 and n2c2 shared tasks.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from clinspan.corpora import Spec, map_document, read_corpus
from clinspan.notes import sanitize
from clinspan.schema import ASSERTIONS, EXPERIENCERS, FLAGS

if TYPE_CHECKING:
    from spacy.language import Language

Fragments = tuple[tuple[int, int], ...]
Mode = Literal["strict", "relaxed"]

#: The key of the scores over all labels together.
MICRO = "micro"

_VALUES: dict[str, tuple[Hashable, ...]] = {
    **dict.fromkeys((*FLAGS, "exists"), (True, False)),
    "experiencer": EXPERIENCERS,
    "assertion": ASSERTIONS,
}


class HasFragments(Protocol):
    """What :func:`mentions` reads: annotations of :mod:`clinspan.corpora` are such."""

    @property
    def fragments(self) -> Fragments: ...

    @property
    def label(self) -> str: ...


@dataclass(frozen=True)
class Mention:
    """An entity to be scored: its fragments, sorted by offset, and its label.

    A continuous one has one fragment: :meth:`Mention.span`. To score discontinuous gold by its envelope against a
    system that finds continuous spans only, use :attr:`envelope`.
    """

    fragments: Fragments
    label: str

    @classmethod
    def span(cls, start: int, end: int, label: str) -> Mention:
        """A continuous mention."""
        return cls(((start, end),), label)

    @property
    def envelope(self) -> Mention:
        """The continuous mention from the first character to the last."""
        return Mention.span(min(s for s, _ in self.fragments), max(e for _, e in self.fragments), self.label)


@dataclass(frozen=True)
class Counts:
    """What was found of what there is. Counts add up: ``sum(counts, Counts())``.

    Attributes:
        tp_gold: gold mentions that were found.
        tp_predicted: predicted mentions that are right; equal to ``tp_gold`` in a strict score.
        gold: gold mentions.
        predicted: predicted mentions.
    """

    tp_gold: int = 0
    tp_predicted: int = 0
    gold: int = 0
    predicted: int = 0

    @property
    def precision(self) -> float:
        """Right among predicted; 0.0 when nothing was predicted."""
        return self.tp_predicted / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """Found among gold; 0.0 when there is no gold."""
        return self.tp_gold / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 0.0 when both are."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.tp_gold + other.tp_gold,
            self.tp_predicted + other.tp_predicted,
            self.gold + other.gold,
            self.predicted + other.predicted,
        )


def mentions(annotations: Iterable[HasFragments]) -> list[Mention]:
    """Annotations as mentions, fragments sorted."""
    return [Mention(tuple(sorted(annotation.fragments)), annotation.label) for annotation in annotations]


def score_entities(
    gold: Mapping[str, Sequence[Mention]],
    predicted: Mapping[str, Sequence[Mention]],
    *,
    labels: Collection[str],
    mode: Mode,
) -> dict[str, Counts]:
    """Scores by label, in the order of ``labels``, and over all of them under ``"micro"``.

    Arguments:
        gold: the mentions of each document, by its id. A document without any must be there with none.
        predicted: likewise; a document that is missing has no predictions.
        labels: the labels to score, those that the corpus marks. Mentions with others count on neither side.
        mode: ``"strict"`` or ``"relaxed"``, see the module.

    Raises:
        ValueError: for another mode, and for predictions in a document that gold does not have.
    """
    if mode not in ("strict", "relaxed"):
        raise ValueError(f"mode is not strict or relaxed: {mode!r}")
    if MICRO in labels:
        raise ValueError(f"{MICRO!r} cannot be a label")
    if unknown := predicted.keys() - gold.keys():
        raise ValueError(f"{len(unknown)} predicted documents are not in gold, such as {min(unknown)!r}")
    match = _strict if mode == "strict" else _relaxed
    totals = {label: [0, 0, 0, 0] for label in labels}
    for doc_id, gold_mentions in gold.items():
        gold_by_label = _by_label(gold_mentions, totals)
        predicted_by_label = _by_label(predicted.get(doc_id, ()), totals)
        for label in gold_by_label.keys() | predicted_by_label.keys():
            ours, theirs = gold_by_label.get(label, []), predicted_by_label.get(label, [])
            found, right = match(ours, theirs)
            total = totals[label]
            total[0] += found
            total[1] += right
            total[2] += len(ours)
            total[3] += len(theirs)
    scores = {label: Counts(*total) for label, total in totals.items()}
    return {**scores, MICRO: sum(scores.values(), Counts())}


def macro_f1(scores: Mapping[str, Counts]) -> float:
    """The unweighted mean of the labels' F1, ``"micro"`` aside.

    Labels with neither gold nor predicted mentions are left out; 0.0 when none is left.
    """
    values = [counts.f1 for label, counts in scores.items() if label != MICRO and (counts.gold or counts.predicted)]
    return sum(values) / len(values) if values else 0.0


def score_assertion(gold: Sequence[Hashable], predicted: Sequence[Hashable], *, axis: str) -> dict[Hashable, Counts]:
    """Scores by value of one axis, over entities whose spans are given: the i-th values are of the same entity.

    The score of a flag is that of ``True``. Every value the axis may have is a key, in its usual order.

    Arguments:
        gold: the values of the gold entities.
        predicted: the values predicted for them.
        axis: ``negated``, …, ``allergy`` or ``exists`` (booleans), ``experiencer`` or ``assertion`` (strings).

    Raises:
        ValueError: for an unknown axis, sequences of unequal length, or a value the axis cannot have.
    """
    if axis not in _VALUES:
        raise ValueError(f"not an axis: {axis!r}")
    if len(gold) != len(predicted):
        raise ValueError(f"{len(gold)} gold values, {len(predicted)} predicted")
    values = _VALUES[axis]
    golds, predictions = Counter(gold), Counter(predicted)
    if unknown := (golds.keys() | predictions.keys()) - set(values):
        raise ValueError(f"{axis} cannot be {sorted(map(repr, unknown))[0]}")
    agreed = Counter(a for a, b in zip(gold, predicted, strict=True) if a == b)
    return {value: Counts(agreed[value], agreed[value], golds[value], predictions[value]) for value in values}


def _by_label(mentions: Iterable[Mention], labels: Collection[str]) -> dict[str, list[Fragments]]:
    groups: dict[str, list[Fragments]] = {}
    for mention in mentions:
        if mention.label in labels:
            groups.setdefault(mention.label, []).append(mention.fragments)
    return groups


def _strict(gold: list[Fragments], predicted: list[Fragments]) -> tuple[int, int]:
    right = sum((Counter(gold) & Counter(predicted)).values())
    return right, right


def _relaxed(gold: list[Fragments], predicted: list[Fragments]) -> tuple[int, int]:
    return _overlapping(gold, _union(predicted)), _overlapping(predicted, _union(gold))


def _union(mentions: list[Fragments]) -> tuple[list[int], list[int]]:
    """The characters covered, as starts and ends of disjoint intervals in order."""
    starts: list[int] = []
    ends: list[int] = []
    for start, end in sorted(fragment for fragments in mentions for fragment in fragments):
        if start >= end:
            continue
        if ends and start <= ends[-1]:
            ends[-1] = max(ends[-1], end)
        else:
            starts.append(start)
            ends.append(end)
    return starts, ends


def _overlapping(mentions: list[Fragments], covered: tuple[list[int], list[int]]) -> int:
    """How many mentions share a character with what is covered."""
    starts, ends = covered
    count = 0
    for fragments in mentions:
        for start, end in fragments:
            # The last interval that starts before the fragment ends is the only one that can reach furthest into it.
            index = bisect_left(starts, end) - 1
            if start < end and index >= 0 and ends[index] > start:
                count += 1
                break
    return count


# --- running a pipeline over a corpus ---


def evaluate_entities(
    nlp: Language, spec: Spec, *, data: str | Path | None = None, split: str = "dev"
) -> dict[Mode, dict[str, Counts]]:
    """Strict and relaxed scores of a pipeline's entities on a split, for the labels that the corpus marks.

    Raises:
        CorpusError: as :func:`clinspan.corpora.read_corpus`.
    """
    gold: dict[str, list[Mention]] = {}
    predicted: dict[str, list[Mention]] = {}
    for document in read_corpus(spec, data=data, split=split):
        gold[document.doc_id] = mentions(map_document(document, spec).annotations)
        doc = nlp(sanitize(document.text))
        spans = doc.spans.get("entities", ())
        predicted[document.doc_id] = [Mention.span(s.start_char, s.end_char, s.label_) for s in spans]
    modes: tuple[Mode, ...] = ("relaxed", "strict")
    return {mode: score_entities(gold, predicted, labels=spec.marked, mode=mode) for mode in modes}


def evaluate_assertion(
    nlp: Language, spec: Spec, *, data: str | Path | None = None, split: str = "dev", labels: Collection[str] = ()
) -> dict[tuple[str, str], Counts]:
    """Scores of the assertion axes that the corpus marks, on its gold spans; ANATOMY is not judged.

    Arguments:
        labels: the labels of the entities to judge; all but ANATOMY when empty.

    Raises:
        CorpusError: as :func:`clinspan.corpora.read_corpus`.
    """
    from clinspan.pipeline import annotate

    gold: dict[str, list[Hashable]] = {axis: [] for axis in spec.axes}
    predicted: dict[str, list[Hashable]] = {axis: [] for axis in spec.axes}
    for document in read_corpus(spec, data=data, split=split):
        kept = [
            a
            for a in map_document(document, spec).annotations
            if (a.label in labels if labels else a.label != "ANATOMY")
        ]
        doc = annotate(nlp, document.text, [(a.fragments, a.label) for a in kept])
        for annotation, span in zip(kept, doc.spans["entities"], strict=True):
            for axis in spec.axes:
                gold[axis].append(annotation.attributes[axis])
                predicted[axis].append(getattr(span._, axis))
    out: dict[tuple[str, str], Counts] = {}
    for axis in spec.axes:
        for value, counts in score_assertion(gold[axis], predicted[axis], axis=axis).items():
            if value not in (False, "patient"):
                out[axis, str(value).lower()] = counts
    return out
