"""A pipeline, or predictions, against an annotated corpus: scores, intervals, errors, and which of two is better.

Gold and predicted are :class:`~clinspan.corpora.Document` of the same texts with the same labels and axes, wherever
they come from; :mod:`clinspan.predictions` makes the predicted ones. :func:`score` counts, :func:`summarize` adds
intervals, :func:`compare` tests two systems; all are pure.
"""

from __future__ import annotations

import hashlib
import json
import platform
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
        gold_fragments, predicted_fragments: of a discontinuous mention, its fragments as ``16 20;31 40``.
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
    gold_fragments: str = ""
    predicted_fragments: str = ""


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
        confusion: by axis, how often gold had the first value and the prediction the second.
        labels_confused: the same of labels, ``None`` for no counterpart; empty when the spans were given.
        matched: the gold mentions that were judged, as document and place in it.
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
    labels_confused: Mapping[tuple[str | None, str | None], int]
    matched: frozenset[tuple[str, int]] = field(repr=False)
    errors: tuple[Error, ...] = field(repr=False)


def score(
    gold: Sequence[Document],
    predicted: Sequence[Document],
    *,
    labels: Sequence[str],
    axes: Sequence[str] = (),
    judged: Sequence[str] = (),
    given: bool = False,
    only: Collection[tuple[str, int]] | None = None,
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
        only: of the gold mentions, those to score axes on, as :attr:`Evaluation.matched` has them; all when ``None``.

    Raises:
        ValueError: for a document that comes twice, for predictions of which no document is in gold (others that are
            not are passed over), on another text (white space aside), outside the text or not of the text they say,
            and, with gold spans given, for one without prediction.
    """
    sides = _side_by_side(gold, predicted)
    tallies = {} if given else _entities(sides, labels)
    judged_axes = (*axes, "assertion") if set(axes) == set(AXES) else tuple(axes)
    confusion: dict[str, Counter[tuple[str, str]]] = {axis: Counter() for axis in judged_axes}
    labels_confused: Counter[tuple[str | None, str | None]] = Counter()
    rows: dict[str, dict[str, dict[str, list[float]]]] = {axis: {} for axis in judged_axes}
    links: dict[str, dict[str, list[float]]] = {}
    errors: list[Error] = []
    matched: list[tuple[str, int]] = []
    wanted = frozenset(labels)
    vocabularies = {_vocabulary(code) for d in gold for a in d.annotations for code in a.concepts}
    linkable = any(_vocabulary(code) in vocabularies for d in predicted for a in d.annotations for code in a.concepts)
    for document, other in sides:
        ours = [a for a in document.annotations if a.label in wanted]
        theirs = [a for a in other.annotations if a.label in wanted]
        for axis in judged_axes:
            rows[axis][document.doc_id] = {}
        links[document.doc_id] = {f"accuracy@{rank}": [0, 0, 0, 0] for rank in RANKS}
        found: list[Error] = []
        pairs = _given_pairs(document.doc_id, ours, theirs) if given else align(_mentions(ours), _mentions(theirs))
        for pair in pairs:
            a = None if pair.gold is None else ours[pair.gold]
            b = None if pair.predicted is None else theirs[pair.predicted]
            labels_confused[a.label if a else None, b.label if b else None] += 1
            if kind := _kind(pair):
                found.append(_error(document, kind, a, b))
            if a is None or b is None or a.label != b.label:
                continue
            if a.concepts and linkable:
                _count_link(links[document.doc_id], a, b)
            if not judged_axes or a.label in NOT_JUDGED or (judged and a.label not in judged):
                continue
            place = document.doc_id, pair.gold or 0
            if only is not None and place not in only:
                continue
            matched.append(place)
            for axis in judged_axes:
                values = _value(a, axis), _value(b, axis)
                confusion[axis][values] += 1
                _count_value(rows[axis][document.doc_id], *values)
                if values[0] != values[1] and axis in axes:
                    found.append(_error(document, "assertion", a, b, axis, *values))
        errors += sorted(found, key=lambda e: (e.start, e.end))
    return Evaluation(
        labels=tuple(labels),
        axes=judged_axes,
        given=given,
        documents=len(sides),
        entities=tallies,
        judged=len(matched),
        assertion={axis: Tally.of(_keys(axis), _only(rows[axis], _keys(axis))) for axis in judged_axes},
        linking=Tally.of([f"accuracy@{rank}" for rank in RANKS], links) if linkable else None,
        confusion=confusion,
        labels_confused={} if given else labels_confused,
        matched=frozenset(matched),
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
    labels = sorted(evaluation.labels_confused.items(), key=lambda item: [str(v or "") for v in item[0]])
    out["confusion"] = {
        "label": [[a, b, n] for (a, b), n in labels],
        **{axis: [[a, b, n] for (a, b), n in sorted(c.items())] for axis, c in evaluation.confusion.items()},
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

    Axes that only one of them was scored on are left out. Both should have been scored on the same mentions
    (``score(..., only=...)``): a system that finds only the easy ones is not the better judge.

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

    both = first.linking is not None and second.linking is not None
    return {
        "rounds": rounds,
        "entities": {mode: table(t, second.entities[mode]) for mode, t in first.entities.items()},
        "assertion": {
            axis: table(t, second.assertion[axis]) for axis, t in first.assertion.items() if axis in second.assertion
        },
        "linking": _accuracies(table(first.linking, second.linking)) if both else {},  # type: ignore[arg-type]
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
        ``clinspan.scores/1``, is stable: keys may be added, none changes its meaning. Its keys: ``schema``;
        ``versions``; ``command``; ``corpus`` (``name``, ``split``, ``layer``, ``documents``, ``units``,
        ``annotations``, ``discontinuous``, ``mismatched`` (document and id of those whose text as published is not the
        text at their offsets), ``labels``, ``axes``, ``digest``); ``pipeline``; ``without_predictions``
        (documents that the system says nothing of, not even that it found nothing); ``settings``; ``scores``
        (see :func:`summarize`); ``against``, null or with ``pipeline``, ``without_predictions``, ``scores`` and
        ``differences`` (see :func:`compare`).

    Raises:
        ValueError: as :func:`check` and :func:`score`, and where gold spans are given and nothing is said of them.
    """
    wanted = check(gold, labels=labels, given=given)
    options: dict[str, Any] = {"unit": gold.unit, "draws": draws, "seed": seed, "confidence": confidence}

    def count(predictions: Predictions, only: Collection[tuple[str, int]] | None = None) -> Evaluation:
        axes = [axis for axis in gold.axes if axis in predictions.axes]
        if given and not axes and not any(a.concepts for d in predictions.documents for a in d.annotations):
            ours, theirs = (", ".join(names) or "none" for names in (gold.axes, predictions.axes))
            raise ValueError(f"nothing to judge: axes of {gold.name}: {ours}; of {predictions.name}: {theirs}")
        return score(
            gold.documents,
            predictions.documents,
            labels=wanted,
            axes=axes,
            judged=gold.judged,
            given=given,
            only=only,
        )

    def described(predictions: Predictions, evaluation: Evaluation) -> dict[str, Any]:
        silent = {d.doc_id for d in gold.documents} - {d.doc_id for d in predictions.documents}
        return {
            "pipeline": predictions.name,
            "without_predictions": len(silent),
            "scores": summarize(evaluation, **options),
        }

    first = count(system)
    other = None
    if against is not None:
        second = count(against)
        sides = first, second
        if not given:
            common = first.matched & second.matched
            sides = count(system, common), count(against, common)
        other = {**described(against, second), "differences": compare(*sides, rounds=rounds, **options)}
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
            "mismatched": [f"{d.doc_id} {i}" for d in gold.documents for i in d.mismatched],
            "labels": list(wanted),
            "axes": list(gold.axes),
            "digest": digest(gold.documents),
        },
        **described(system, first),
        "settings": {"gold_entities": given, "rounds": rounds, **options},
        "against": other,
    }
    return report, first


def check(gold: Gold, *, labels: Sequence[str] = (), given: bool = False) -> tuple[str, ...]:
    """The labels to score: those asked for, else all that gold marks, or, with gold spans given, all it has.

    Raises:
        ValueError: for labels that gold does not mark, and where it has nothing to score.
    """
    known = gold.labels
    if given:
        # the label is not in question, and corpora that mark no label throughout are judged as well
        known = tuple(dict.fromkeys(a.label for d in gold.documents for a in d.annotations))
        if not gold.axes and not any(a.concepts for d in gold.documents for a in d.annotations):
            raise ValueError(f"{gold.name} says nothing of its spans that could be judged")
    if not known:
        raise ValueError(f"{gold.name} marks nothing that could be scored")
    if unknown := set(labels) - set(known):
        raise ValueError(f"{gold.name} does not mark {', '.join(sorted(unknown))}, only {', '.join(known)}")
    return tuple(labels) or known


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
    if gold and known and not known.keys() & ids:
        raise ValueError(f"no predicted document is in gold; predicted is {min(known)!r}, gold has {min(ids)!r}")
    return [(document, _placed(document, known.get(document.doc_id))) for document in gold]


def _placed(gold: Document, predicted: Document | None) -> Document:
    """The predictions of a document, with offsets in gold's text."""
    if predicted is None:
        return Document(gold.doc_id, "")
    if predicted.text and predicted.text != gold.text:
        predicted = _moved(predicted, gold)
    where = f"document {gold.doc_id!r}, prediction"
    for annotation in predicted.annotations:
        if annotation.start < 0 or annotation.end > len(gold.text):
            raise ValueError(
                f"{where} {annotation.id}: offsets {annotation.start} {annotation.end} are not in the text"
            )
    for annotation, surface in zip(predicted.annotations, predicted.surfaces):
        if surface and surface.split() != gold.text[annotation.start : annotation.end].split():
            offsets = f"{annotation.start} {annotation.end}"
            raise ValueError(f"{where} {annotation.id}: its text is not what stands at {offsets} of the gold text")
    return predicted


def _moved(predicted: Document, gold: Document) -> Document:
    """Predictions on a text that differs in white space, as CoNLL and PubTator files have it."""
    ours, theirs = ([i for i, c in enumerate(d.text) if not c.isspace()] for d in (gold, predicted))
    if [gold.text[i] for i in ours] != [predicted.text[i] for i in theirs]:
        raise ValueError(f"document {gold.doc_id!r}: predictions are of another text")

    def move(start: int, end: int) -> tuple[int, int]:
        first, last = bisect_left(theirs, start), bisect_left(theirs, end)
        if first >= last:  # nothing but white space
            return ours[first - 1] + 1 if first else 0, ours[first] if first < len(ours) else len(gold.text)
        return ours[first], ours[last - 1] + 1

    annotations = []
    for annotation in predicted.annotations:
        fragments = tuple(move(*fragment) for fragment in annotation.fragments)
        start, end = fragments[0][0], max(end for _, end in fragments)
        annotations.append(replace(annotation, start=start, end=end, fragments=fragments))
    return replace(predicted, text=gold.text, annotations=tuple(annotations))


def _entities(sides: Sequence[tuple[Document, Document]], labels: Sequence[str]) -> dict[Mode, Tally]:
    gold = {d.doc_id: _mentions(d.annotations) for d, _ in sides}
    predicted = {d.doc_id: _mentions(d.annotations) for _, d in sides}
    return {mode: tally_entities(gold, predicted, labels=labels, mode=mode) for mode in MODES}


def _mentions(annotations: Iterable[Annotation]) -> list[Mention]:
    return [Mention(a.fragments, a.label) for a in annotations]


def _given_pairs(doc_id: str, ours: Sequence[Annotation], theirs: Sequence[Annotation]) -> list[Pair]:
    """Each gold span and the prediction of the same span and label, the same id first where there are several."""
    places: dict[tuple[object, ...], list[int]] = {}
    for j, b in enumerate(theirs):
        places.setdefault((b.fragments, b.label), []).append(j)
    pairs = []
    for i, a in enumerate(ours):
        found = places.get((a.fragments, a.label))
        if not found:
            where = f"document {doc_id!r}, gold {a.id} ({a.label} {a.start} {a.end})"
            raise ValueError(f"{where}: no prediction of this span; with gold spans given, all must be judged")
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
        gold_fragments=_fragments(a),
        predicted_fragments=_fragments(b),
    )


def _fragments(annotation: Annotation | None) -> str:
    if annotation is None or len(annotation.fragments) == 1:
        return ""
    return ";".join(f"{start} {end}" for start, end in annotation.fragments)


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


def _vocabulary(code: str) -> str:
    """What stands before the colon of a code; ``""`` for a bare one."""
    return code.partition(":")[0] if ":" in code else ""


def _count_link(row: dict[str, list[float]], gold: Annotation, predicted: Annotation) -> None:
    right = set(gold.concepts)
    for rank in RANKS:
        hit = any(code in right for code in predicted.concepts[:rank])
        counts = row[f"accuracy@{rank}"]
        for i, one in enumerate((hit, hit, True, bool(predicted.concepts))):
            counts[i] += one


def _accuracies(table: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Of linking's table, the accuracies: the recall of each rank."""
    return {rank: row["recall"] for rank, row in table.items() if rank.startswith("accuracy")}


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
