"""A pipeline, or predictions, against an annotated corpus: scores, intervals, errors, and which of two is better.

Gold and predicted are :class:`~clinspan.corpora.Document` of the same texts with the same labels and axes, wherever
they come from; :mod:`clinspan.predictions` makes the predicted ones. :func:`score` counts, :func:`summarize` adds
intervals, :func:`compare` tests two systems; all are pure.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

from clinspan.corpora import AXES, Annotation, Document, Gold
from clinspan.predictions import Predictions
from clinspan.resampling import by_unit, differences, intervals, number_of_units
from clinspan.schema import assertion
from clinspan.scoring import MACRO, MICRO, MODES, VALUES, Mention, Mode, Pair, Tally, align, kappa, tally_entities

SCHEMA = "clinspan.scores/1"
#: What the error table says of a pair of mentions, or of one that stands alone.
KINDS: tuple[str, ...] = ("missed", "spurious", "boundary", "label", "assertion")
#: In confusion matrices: nothing on this side.
NONE = "none"
#: Ranks at which linking is scored.
RANKS: tuple[int, ...] = (1, 5)
#: Labels whose entities are not judged.
NOT_JUDGED: tuple[str, ...] = ("ANATOMY",)


@dataclass(frozen=True)
class Error:
    """One disagreement. Offsets are envelopes; a side that is not there has ``None`` and ``""``.

    Attributes:
        kind: ``missed`` (gold, nothing predicted), ``spurious`` (predicted, no gold), ``boundary`` (same label, other
            offsets), ``label`` (another label on the same or overlapping offsets), ``assertion`` (paired with the same
            label, another value of ``axis``).
        start, end: from the first character of either side to the last of either.
    """

    note_id: str
    kind: str
    start: int
    end: int
    gold_start: int | None = None
    gold_end: int | None = None
    gold_label: str = ""
    gold_text: str = ""
    predicted_start: int | None = None
    predicted_end: int | None = None
    predicted_label: str = ""
    predicted_text: str = ""
    axis: str = ""
    gold_value: str = ""
    predicted_value: str = ""


@dataclass(frozen=True)
class Evaluation:
    """The counts of one system on one corpus.

    Attributes:
        labels: the labels scored.
        axes: the axes scored; ``assertion``, the one word that sums up all of them, is among them when all are.
        given: whether the spans were gold, so that only what is said of them is scored.
        documents: how many there are.
        entities: by mode; empty when the spans were given.
        judged: how many entities were judged on both sides.
        assertion: by axis; the keys are values, of a flag only ``"true"``.
        linking: keys ``accuracy@1`` and ``accuracy@5``, the gold column counting paired mentions that have gold codes;
            ``None`` where there are no codes to compare.
        confusion: by axis, and of labels under ``"label"``: how often gold had the first value and the prediction the
            second, ``"none"`` for no counterpart.
        errors: by document, then offset.
    """

    labels: tuple[str, ...]
    axes: tuple[str, ...]
    given: bool
    documents: int
    entities: Mapping[Mode, Tally]
    judged: int
    assertion: Mapping[str, Tally]
    linking: Tally | None
    confusion: Mapping[str, Counter[tuple[str, str]]]
    errors: tuple[Error, ...] = field(repr=False)


def score(
    gold: Sequence[Document],
    predicted: Sequence[Document],
    *,
    labels: Sequence[str],
    axes: Sequence[str] = (),
    judged: Sequence[str] = (),
    given: bool = False,
) -> Evaluation:
    """Count what of gold was predicted.

    Args:
        gold: the documents, with labels and axes as those of the predictions; an axis that an annotation does not have
            is ``False`` or ``"patient"``.
        predicted: the same documents, in any order; one that is missing has no predictions.
        labels: the labels to score; others count on neither side.
        axes: the axes to score, of :data:`~clinspan.corpora.AXES`, on entities that are paired with the same label.
            ANATOMY is not judged.
        judged: the labels of the entities to score the axes on; all when empty.
        given: the predictions are of the gold spans: score only axes and codes.

    Raises:
        ValueError: for predictions of documents that gold does not have or whose text is another, and for a document
            that comes twice.
    """
    sides = _side_by_side(gold, predicted)
    tallies = {} if given else _entities(sides, labels)
    judged_axes = (*axes, "assertion") if set(axes) == set(AXES) else tuple(axes)
    confusion: dict[str, Counter[tuple[str, str]]] = {name: Counter() for name in ("label", *judged_axes)}
    rows: dict[str, dict[str, dict[str, list[float]]]] = {axis: {} for axis in judged_axes}
    links: dict[str, dict[str, list[float]]] = {}
    errors: list[Error] = []
    number_judged = 0
    wanted = frozenset(labels)
    vocabularies = {code.partition(":")[0] for d in gold for a in d.annotations for code in a.concepts}
    linkable = any(
        code.partition(":")[0] in vocabularies for d in predicted for a in d.annotations for code in a.concepts
    )
    for document, other in sides:
        ours = [a for a in document.annotations if a.label in wanted]
        theirs = [a for a in other.annotations if a.label in wanted]
        for axis in judged_axes:
            rows[axis][document.doc_id] = {}
        links[document.doc_id] = {f"accuracy@{rank}": [0, 0, 0, 0] for rank in RANKS}
        found: list[Error] = []
        for pair in _pairs(ours, theirs, given=given):
            a = None if pair.gold is None else ours[pair.gold]
            b = None if pair.predicted is None else theirs[pair.predicted]
            confusion["label"][a.label if a else NONE, b.label if b else NONE] += 1
            if kind := _kind(pair):
                found.append(_error(document, kind, a, b))
            if a is None or b is None or a.label != b.label:
                continue
            if a.concepts and linkable:
                _count_link(links[document.doc_id], a, b)
            if not judged_axes or a.label in NOT_JUDGED or (judged and a.label not in judged):
                continue
            number_judged += 1
            for axis in judged_axes:
                values = _value(a, axis), _value(b, axis)
                confusion[axis][values] += 1
                _count_value(rows[axis][document.doc_id], *values)
                if values[0] != values[1] and axis in axes:
                    found.append(_error(document, "assertion", a, b, axis, *values))
        errors += sorted(found, key=lambda e: (e.start, e.end))
    if given:
        del confusion["label"]
    return Evaluation(
        labels=tuple(labels),
        axes=judged_axes,
        given=given,
        documents=len(sides),
        entities=tallies,
        judged=number_judged,
        assertion={axis: Tally.of(_keys(axis), _only(rows[axis], _keys(axis))) for axis in judged_axes},
        linking=Tally.of([f"accuracy@{rank}" for rank in RANKS], links) if linkable else None,
        confusion=confusion,
        errors=tuple(errors),
    )


def summarize(
    evaluation: Evaluation, *, unit: str = "", draws: int = 1000, seed: int = 0, confidence: float = 0.95
) -> dict[str, Any]:
    """The scores with their intervals, as plain values for JSON; see :mod:`clinspan.resampling`.

    Args:
        unit: which documents are resampled together, see :func:`~clinspan.resampling.by_unit`.
        draws: bootstrap draws; 0 for no intervals.
    """

    def table(tally: Tally) -> dict[str, dict[str, Any]]:
        counts = by_unit(tally, unit)
        rows = intervals(counts, draws=draws, seed=seed, confidence=confidence)
        totals: dict[str, Any] = {**tally.scores()}
        if len(tally.keys) > 1:
            totals[MICRO] = sum(totals.values(), type(next(iter(totals.values())))())
            totals[MACRO] = None
        return {
            key: {**_counts(total), **{metric: interval._asdict() for metric, interval in row.items()}}
            for (key, total), row in zip(totals.items(), rows, strict=False)
        }

    out: dict[str, Any] = {"entities": {mode: table(tally) for mode, tally in evaluation.entities.items()}}
    out["assertion"] = {
        "spans": "gold" if evaluation.given else "matched",
        "entities": evaluation.judged,
        "axes": {axis: table(tally) for axis, tally in evaluation.assertion.items()},
        "kappa": {axis: kappa(evaluation.confusion[axis]) for axis in evaluation.assertion},
    }
    out["linking"] = _linking(evaluation.linking, unit, draws, seed, confidence)
    out["confusion"] = {
        name: [[a, b, n] for (a, b), n in sorted(counts.items())] for name, counts in evaluation.confusion.items()
    }
    out["errors"] = {kind: sum(e.kind == kind for e in evaluation.errors) for kind in KINDS}
    return out


def compare(
    first: Evaluation,
    second: Evaluation,
    *,
    unit: str = "",
    draws: int = 1000,
    rounds: int = 10_000,
    seed: int = 0,
    confidence: float = 0.95,
) -> dict[str, Any]:
    """First less second on the same corpus: differences with intervals and p-values, as plain values for JSON.

    Axes that only one of them was scored on are left out.

    Raises:
        ValueError: when the two are not of the same documents and labels.
    """

    def table(one: Tally, other: Tally) -> dict[str, dict[str, Any]]:
        if one.doc_ids != other.doc_ids or one.keys != other.keys:
            raise ValueError("the two were not scored on the same documents and labels")
        rows = differences(
            by_unit(one, unit), by_unit(other, unit), draws=draws, rounds=rounds, seed=seed, confidence=confidence
        )
        keys = (*one.keys, MICRO, MACRO) if len(one.keys) > 1 else one.keys
        return {key: {m: d._asdict() for m, d in row.items()} for key, row in zip(keys, rows, strict=False)}

    return {
        "rounds": rounds,
        "entities": {mode: table(t, second.entities[mode]) for mode, t in first.entities.items()},
        "assertion": {
            axis: table(t, second.assertion[axis]) for axis, t in first.assertion.items() if axis in second.assertion
        },
    }


def run(
    gold: Gold,
    system: Predictions,
    *,
    against: Predictions | None = None,
    labels: Sequence[str] = (),
    given: bool = False,
    draws: int = 1000,
    rounds: int = 10_000,
    seed: int = 0,
    confidence: float = 0.95,
    command: str = "",
) -> tuple[dict[str, Any], Evaluation]:
    """Score a system, and another to compare it with, on a corpus.

    Args:
        labels: of the labels that gold marks, those to score; all when empty.
        given: the predictions are of the gold spans.
        command: the command line, for the record.

    Returns:
        The report as plain values for JSON, and the evaluation of the first system. The report's schema,
        ``clinspan.scores/1``, is stable: keys may be added, none changes its meaning.

    Raises:
        ValueError: for labels that gold does not mark, and as :func:`score`.
    """
    if unknown := set(labels) - set(gold.labels):
        raise ValueError(f"{gold.name} does not mark {', '.join(sorted(unknown))}, only {', '.join(gold.labels)}")
    # on given spans the label is not in question, and corpora that mark no label throughout are judged as well
    found = dict.fromkeys(a.label for d in gold.documents for a in d.annotations)
    wanted = tuple(labels) or (tuple(found) if given else gold.labels)

    def count(predictions: Predictions) -> Evaluation:
        axes = [axis for axis in gold.axes if axis in predictions.axes]
        return score(gold.documents, predictions.documents, labels=wanted, axes=axes, judged=gold.judged, given=given)

    def numbers(evaluation: Evaluation) -> dict[str, Any]:
        return summarize(evaluation, unit=gold.unit, draws=draws, seed=seed, confidence=confidence)

    first = count(system)
    other = None
    if against is not None:
        second = count(against)
        options = {"draws": draws, "rounds": rounds, "seed": seed, "confidence": confidence}
        difference = compare(first, second, unit=gold.unit, **options)  # type: ignore[arg-type]
        other = {"pipeline": against.name, "scores": numbers(second), "differences": difference}
    annotations = [a for d in gold.documents for a in d.annotations if a.label in wanted]
    report = {
        "schema": SCHEMA,
        "versions": {
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in ("clinspan", "spacy", "numpy")},
        },
        "command": command,
        "corpus": {
            "name": gold.name,
            "split": gold.split,
            "layer": gold.layer,
            "documents": len(gold.documents),
            "units": number_of_units([d.doc_id for d in gold.documents], gold.unit),
            "annotations": len(annotations),
            "discontinuous": sum(len(a.fragments) > 1 for a in annotations),
            "labels": list(wanted),
            "axes": list(gold.axes),
            "digest": digest(gold.documents),
        },
        "pipeline": system.name,
        "without_predictions": len({d.doc_id for d in gold.documents} - {d.doc_id for d in system.documents}),
        "settings": {"gold_entities": given, "draws": draws, "seed": seed, "confidence": confidence},
        "scores": numbers(first),
        "against": other,
    }
    return report, first


def digest(documents: Iterable[Document]) -> str:
    """SHA-256 of ids, texts and annotations: the same for the same gold."""
    sha = hashlib.sha256()
    for d in documents:
        marks = [[a.fragments, a.label, sorted(a.attributes.items()), a.concepts] for a in d.annotations]
        sha.update(json.dumps([d.doc_id, d.text, marks], ensure_ascii=True).encode())
    return sha.hexdigest()


# --- counting ---


def _side_by_side(gold: Sequence[Document], predicted: Sequence[Document]) -> list[tuple[Document, Document]]:
    known = {document.doc_id: document for document in predicted}
    ids = {document.doc_id for document in gold}
    if len(ids) < len(gold) or len(known) < len(predicted):
        raise ValueError("a document comes twice")
    if unknown := known.keys() - ids:
        raise ValueError(f"{len(unknown)} predicted documents are not in gold, such as {min(unknown)!r}")
    sides = []
    for document in gold:
        other = known.get(document.doc_id, Document(document.doc_id, ""))
        if other.text and other.text != document.text:
            raise ValueError(f"document {document.doc_id!r}: predictions are of another text")
        sides.append((document, other))
    return sides


def _entities(sides: Sequence[tuple[Document, Document]], labels: Sequence[str]) -> dict[Mode, Tally]:
    gold = {d.doc_id: _mentions(d.annotations) for d, _ in sides}
    predicted = {d.doc_id: _mentions(d.annotations) for _, d in sides}
    return {mode: tally_entities(gold, predicted, labels=labels, mode=mode) for mode in MODES}


def _mentions(annotations: Iterable[Annotation]) -> list[Mention]:
    return [Mention(a.fragments, a.label) for a in annotations]


def _pairs(ours: Sequence[Annotation], theirs: Sequence[Annotation], *, given: bool) -> list[Pair]:
    if not given:
        return align(_mentions(ours), _mentions(theirs))
    # several may share their offsets and label: the same id goes first
    places: dict[tuple[object, ...], list[int]] = {}
    for j, b in enumerate(theirs):
        places.setdefault((b.fragments, b.label), []).append(j)
    pairs = []
    for i, a in enumerate(ours):
        if found := places.get((a.fragments, a.label)):
            j = next((j for j in found if theirs[j].id == a.id), found[0])
            found.remove(j)
            pairs.append(Pair(i, j, True, True))
    return pairs


def _kind(pair: Pair) -> str:
    if pair.predicted is None:
        return "missed"
    if pair.gold is None:
        return "spurious"
    if not pair.same_label:
        return "label"
    return "" if pair.same_span else "boundary"


def _error(
    document: Document, kind: str, a: Annotation | None, b: Annotation | None, axis: str = "", *values: str
) -> Error:
    sides = [side for side in (a, b) if side]
    gold_value, predicted_value = values or ("", "")
    return Error(
        note_id=document.doc_id,
        kind=kind,
        start=min(side.start for side in sides),
        end=max(side.end for side in sides),
        gold_start=a.start if a else None,
        gold_end=a.end if a else None,
        gold_label=a.label if a else "",
        gold_text=_surface(document, a),
        predicted_start=b.start if b else None,
        predicted_end=b.end if b else None,
        predicted_label=b.label if b else "",
        predicted_text=_surface(document, b),
        axis=axis,
        gold_value=gold_value,
        predicted_value=predicted_value,
    )


def _surface(document: Document, annotation: Annotation | None) -> str:
    return " … ".join(document.text[start:end] for start, end in annotation.fragments) if annotation else ""


def _value(annotation: Annotation, axis: str) -> str:
    """The value of an axis, as written in the scores."""
    values = annotation.attributes
    if axis == "assertion":
        return assertion(**{name: values[name] for name in AXES if name in values})  # type: ignore[arg-type]
    return str(values.get(axis, "patient" if axis == "experiencer" else False)).lower()


def _keys(axis: str) -> list[str]:
    return ["true"] if True in VALUES[axis] else [str(value) for value in VALUES[axis]]


def _count_value(row: dict[str, list[float]], gold: str, predicted: str) -> None:
    for value in {gold, predicted}:
        counts = row.setdefault(value, [0, 0, 0, 0])
        agreed = gold == predicted
        for i, one in enumerate((agreed, agreed, value == gold, value == predicted)):
            counts[i] += one


def _only(rows: Mapping[str, Mapping[str, Sequence[float]]], keys: Sequence[str]) -> dict[str, dict[str, Any]]:
    return {doc_id: {key: row[key] for key in keys if key in row} for doc_id, row in rows.items()}


def _count_link(row: dict[str, list[float]], gold: Annotation, predicted: Annotation) -> None:
    right = set(gold.concepts)
    for rank in RANKS:
        hit = any(code in right for code in predicted.concepts[:rank])
        counts = row[f"accuracy@{rank}"]
        for i, one in enumerate((hit, hit, True, bool(predicted.concepts))):
            counts[i] += one


def _linking(tally: Tally | None, unit: str, draws: int, seed: int, confidence: float) -> dict[str, Any] | None:
    if tally is None:
        return None
    rows = intervals(by_unit(tally, unit), draws=draws, seed=seed, confidence=confidence)
    counts = tally.scores()[tally.keys[0]]
    return {
        "entities": counts.gold,
        "with_code": counts.predicted,
        **{key: row["recall"]._asdict() for key, row in zip(tally.keys, rows, strict=False)},
    }


def _counts(total: Any) -> dict[str, Any]:
    if total is None:
        return {}
    return {
        "gold": total.gold,
        "predicted": total.predicted,
        "true_positives": total.tp_gold,
        "true_positives_predicted": total.tp_predicted,
    }


__all__ = [
    "KINDS",
    "Error",
    "Evaluation",
    "compare",
    "digest",
    "run",
    "score",
    "summarize",
]
