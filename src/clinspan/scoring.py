"""Counts of what was found of what there is: pure functions over plain values.

Offsets are Unicode code points, half-open. Three ways to match entities, all within one label:

- ``strict``: exactly the same fragments, each mention used once.
- ``relaxed``: at least one character shared. Precision is the share of predicted mentions that overlap some gold
  mention, recall the share of gold mentions that some predicted mention overlaps; one long mention may thus satisfy
  several on the other side. This is the lenient score of the i2b2 and n2c2 shared tasks.
- ``partial``: mentions are paired one to one (:func:`align`); a pair with the same fragments counts 1, one that only
  overlaps 1/2, as in MUC-5 (Chinchor and Sundheim 1993).

Counts are kept by document (:class:`Tally`), for intervals and tests resample documents
(:mod:`clinspan.resampling`).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from clinspan.schema import ASSERTIONS, EXPERIENCERS, FLAGS

Fragments = tuple[tuple[int, int], ...]
Mode = Literal["strict", "relaxed", "partial"]
MODES: tuple[Mode, ...] = ("strict", "relaxed", "partial")

#: The key of the scores over all labels together, and of the mean over labels.
MICRO = "micro"
MACRO = "macro"

#: The values an axis may have, in their usual order.
VALUES: dict[str, tuple[Hashable, ...]] = {
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


class Mention(NamedTuple):
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
        tp_predicted: predicted mentions that are right; equal to ``tp_gold`` in a strict or partial score.
        gold: gold mentions.
        predicted: predicted mentions.
    """

    tp_gold: float = 0
    tp_predicted: float = 0
    gold: float = 0
    predicted: float = 0

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


@dataclass(frozen=True)
class Tally:
    """Counts by document and key (a label, a value of an axis).

    Attributes:
        doc_ids: the documents.
        keys: the keys.
        counts: float64 of shape (documents, keys, 4), the last axis as the fields of :class:`Counts`.
    """

    doc_ids: tuple[str, ...]
    keys: tuple[str, ...]
    counts: NDArray[np.float64]

    @classmethod
    def of(cls, keys: Sequence[str], rows: Mapping[str, Mapping[str, Sequence[float]]]) -> Tally:
        """From the counts of each document by key; a key that is missing has none."""
        counts = np.zeros((len(rows), len(keys), 4))
        place = {key: i for i, key in enumerate(keys)}
        for number, row in enumerate(rows.values()):
            for key, values in row.items():
                counts[number, place[key]] = values
        return cls(tuple(rows), tuple(keys), counts)

    def scores(self) -> dict[str, Counts]:
        """The counts over all documents, by key."""
        totals = self.counts.sum(axis=0).tolist()
        return {key: Counts(*map(_whole, total)) for key, total in zip(self.keys, totals, strict=True)}


def mentions(annotations: Iterable[HasFragments]) -> list[Mention]:
    """Annotations as mentions, fragments sorted."""
    return [Mention(tuple(sorted(annotation.fragments)), annotation.label) for annotation in annotations]


def tally_entities(
    gold: Mapping[str, Sequence[Mention]],
    predicted: Mapping[str, Sequence[Mention]],
    *,
    labels: Collection[str],
    mode: Mode,
) -> Tally:
    """Counts of entities by document and label.

    Arguments:
        gold: the mentions of each document, by its id. A document without any must be there with none.
        predicted: likewise; a document that is missing has no predictions.
        labels: the labels to score, those that the corpus marks. Mentions with others count on neither side.
        mode: ``"strict"``, ``"relaxed"`` or ``"partial"``, see the module.

    Raises:
        ValueError: for another mode, a label called micro or macro, and predictions in a document that gold does not
            have.
    """
    if mode not in _MATCH:
        raise ValueError(f"mode is not one of {', '.join(MODES)}: {mode!r}")
    if reserved := {MICRO, MACRO}.intersection(labels):
        raise ValueError(f"{min(reserved)!r} cannot be a label")
    if unknown := predicted.keys() - gold.keys():
        raise ValueError(f"{len(unknown)} predicted documents are not in gold, such as {min(unknown)!r}")
    match = _MATCH[mode]
    wanted = frozenset(labels)
    rows: dict[str, dict[str, tuple[float, ...]]] = {}
    for doc_id, gold_mentions in gold.items():
        ours, theirs = _by_label(gold_mentions, wanted), _by_label(predicted.get(doc_id, ()), wanted)
        row = rows[doc_id] = {}
        for label in ours.keys() | theirs.keys():
            a, b = ours.get(label, []), theirs.get(label, [])
            row[label] = (*match(a, b), len(a), len(b))
    return Tally.of(tuple(labels), rows)


def score_entities(
    gold: Mapping[str, Sequence[Mention]],
    predicted: Mapping[str, Sequence[Mention]],
    *,
    labels: Collection[str],
    mode: Mode,
) -> dict[str, Counts]:
    """Scores by label, in the order of ``labels``, and over all of them under ``"micro"``.

    Arguments and errors are those of :func:`tally_entities`.
    """
    scores = tally_entities(gold, predicted, labels=labels, mode=mode).scores()
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
    if axis not in VALUES:
        raise ValueError(f"not an axis: {axis!r}")
    if len(gold) != len(predicted):
        raise ValueError(f"{len(gold)} gold values, {len(predicted)} predicted")
    values = VALUES[axis]
    golds, predictions = Counter(gold), Counter(predicted)
    if unknown := (golds.keys() | predictions.keys()) - set(values):
        raise ValueError(f"{axis} cannot be {sorted(map(repr, unknown))[0]}")
    agreed = Counter(a for a, b in zip(gold, predicted, strict=True) if a == b)
    return {value: Counts(agreed[value], agreed[value], golds[value], predictions[value]) for value in values}


def kappa(confusion: Mapping[tuple[str, str], int]) -> float | None:
    """Cohen's kappa (1960) of two judges, from how often each pair of values was given to one thing.

    ``None`` where chance alone makes them agree: nothing judged, or one value only.
    """
    total = sum(confusion.values())
    first: Counter[str] = Counter()
    second: Counter[str] = Counter()
    for (a, b), n in confusion.items():
        first[a] += n
        second[b] += n
    chance = sum(n * second[value] for value, n in first.items())
    if chance == total * total:
        return None
    agreed = sum(n for (a, b), n in confusion.items() if a == b)
    return (agreed * total - chance) / (total * total - chance)


# --- pairing mentions of two sides ---


class Pair(NamedTuple):
    """A gold mention and the predicted one that stands for it, by their places; ``None`` where there is none."""

    gold: int | None
    predicted: int | None
    same_span: bool = False
    same_label: bool = False


def align(gold: Sequence[Mention], predicted: Sequence[Mention]) -> list[Pair]:
    """Pair the mentions of a document one to one.

    Mentions with the same label and fragments first; then as many as can be of those with the same label that
    overlap, preferring more shared characters; then the same with other labels. Mentions that overlap nothing left to
    pair with stand alone. Pairs are in the order of gold, then of what is only predicted.
    """
    rounds: list[dict[int, list[tuple[int, int]]]] = [{}, {}, {}, {}]
    for i, j, shared in _overlaps([m.fragments for m in gold], [m.fragments for m in predicted]):
        other_label = gold[i].label != predicted[j].label
        other_span = gold[i].fragments != predicted[j].fragments
        rounds[2 * other_label + other_span].setdefault(i, []).append((-shared, j))
    partner: dict[int, int] = {}
    taken: set[int] = set()
    for candidates in rounds:
        free = {
            i: [j for _, j in sorted(options) if j not in taken]
            for i, options in candidates.items()
            if i not in partner
        }
        matched = _matching(free)
        partner.update(matched)
        taken.update(matched.values())
    pairs = []
    for i, one in enumerate(gold):
        if i in partner:
            other = predicted[partner[i]]
            pairs.append(Pair(i, partner[i], one.fragments == other.fragments, one.label == other.label))
        else:
            pairs.append(Pair(i, None))
    return pairs + [Pair(None, j) for j in range(len(predicted)) if j not in taken]


def _matching(candidates: Mapping[int, Sequence[int]]) -> dict[int, int]:
    """A largest one-to-one choice among each one's candidates: Kuhn's augmenting paths (1955), without recursion."""
    holder: dict[int, int] = {}  # by candidate
    choice: dict[int, int] = {}
    for first in candidates:
        asked_by: dict[int, int] = {}
        asking = [first]
        free = None
        for one in asking:
            for candidate in candidates[one]:
                if candidate not in asked_by:
                    asked_by[candidate] = one
                    if candidate not in holder:
                        free = candidate
                        break
                    asking.append(holder[candidate])
            if free is not None:
                break
        while free is not None:  # everyone on the path takes what they asked for
            one = asked_by[free]
            before = choice.get(one)
            holder[free], choice[one] = one, free
            free = before
    return choice


def _overlaps(gold: Sequence[Fragments], predicted: Sequence[Fragments]) -> Iterator[tuple[int, int, int]]:
    """All (gold, predicted, characters shared) that share some."""
    order = sorted((fragments[0][0], j) for j, fragments in enumerate(predicted))
    starts = [start for start, _ in order]
    reach: list[int] = []  # the furthest end among the first ones, to know how far back to look
    for _, j in order:
        end = max(e for _, e in predicted[j])
        reach.append(max(end, reach[-1]) if reach else end)
    for i, fragments in enumerate(gold):
        first, last = fragments[0][0], max(end for _, end in fragments)
        for place in range(bisect_right(reach, first), bisect_left(starts, last)):
            j = order[place][1]
            if shared := _shared(fragments, predicted[j]):
                yield i, j, shared


def _shared(one: Fragments, other: Fragments) -> int:
    return sum(max(0, min(e, f) - max(s, t)) for s, e in one for t, f in other)


def _by_label(mentions: Iterable[Mention], labels: Collection[str]) -> dict[str, list[Fragments]]:
    groups: dict[str, list[Fragments]] = {}
    for fragments, label in mentions:
        if label in labels:
            groups.setdefault(label, []).append(fragments)
    return groups


def _strict(gold: list[Fragments], predicted: list[Fragments]) -> tuple[float, float]:
    if len(gold) == 1 == len(predicted):
        right = int(gold == predicted)
    else:
        right = sum((Counter(gold) & Counter(predicted)).values())
    return right, right


def _partial(gold: list[Fragments], predicted: list[Fragments]) -> tuple[float, float]:
    pairs = align([Mention(f, "") for f in gold], [Mention(f, "") for f in predicted])
    credit = sum(1.0 if p.same_span else 0.5 for p in pairs if p.gold is not None and p.predicted is not None)
    return credit, credit


def _relaxed(gold: list[Fragments], predicted: list[Fragments]) -> tuple[float, float]:
    return _overlapping(gold, _union(predicted)), _overlapping(predicted, _union(gold))


_MATCH: dict[str, Callable[[list[Fragments], list[Fragments]], tuple[float, float]]] = {
    "strict": _strict,
    "relaxed": _relaxed,
    "partial": _partial,
}


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


def _whole(value: float) -> float:
    return int(value) if value == int(value) else value
