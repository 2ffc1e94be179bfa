from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinspan.corpora import Annotation
from clinspan.scoring import (
    MODES,
    Counts,
    Mention,
    Tally,
    align,
    kappa,
    macro_f1,
    mentions,
    score_assertion,
    score_entities,
    tally_entities,
)

C, D = "CONDITION", "DRUG"


def spans(*values: tuple) -> list[Mention]:
    """(start, end, label) or ((fragments), label)."""
    return [Mention(*v) if len(v) == 2 else Mention.span(*v) for v in values]


def ratios(counts: Counts) -> tuple[float, float, float]:
    return counts.precision, counts.recall, counts.f1


@pytest.mark.parametrize(
    ("id_", "gold", "predicted", "strict", "relaxed"),
    [
        # Counts are (tp_gold, tp_predicted, gold, predicted) of CONDITION
        ("same", [(0, 5, C)], [(0, 5, C)], (1, 1, 1, 1), (1, 1, 1, 1)),
        ("nothing", [], [], (0, 0, 0, 0), (0, 0, 0, 0)),
        ("missed", [(0, 5, C)], [], (0, 0, 1, 0), (0, 0, 1, 0)),
        ("invented", [], [(0, 5, C)], (0, 0, 0, 1), (0, 0, 0, 1)),
        ("longer", [(0, 5, C)], [(0, 6, C)], (0, 0, 1, 1), (1, 1, 1, 1)),
        ("one character shared", [(0, 5, C)], [(4, 9, C)], (0, 0, 1, 1), (1, 1, 1, 1)),
        ("touching", [(0, 5, C)], [(5, 9, C)], (0, 0, 1, 1), (0, 0, 1, 1)),
        ("other label", [(0, 5, C)], [(0, 5, D)], (0, 0, 1, 0), (0, 0, 1, 0)),
        ("two gold in one", [(0, 5, C), (6, 9, C)], [(0, 9, C)], (0, 0, 2, 1), (2, 1, 2, 1)),
        ("one gold in two", [(0, 9, C)], [(0, 5, C), (6, 9, C)], (0, 0, 1, 2), (1, 2, 1, 2)),
        ("gold twice", [(0, 5, C), (0, 5, C)], [(0, 5, C)], (1, 1, 2, 1), (2, 1, 2, 1)),
        ("predicted twice", [(0, 5, C)], [(0, 5, C), (0, 5, C)], (1, 1, 1, 2), (1, 2, 1, 2)),
        ("nested", [(0, 20, C), (5, 8, C)], [(5, 8, C)], (1, 1, 2, 1), (2, 1, 2, 1)),
        ("long before short", [(0, 20, C), (2, 4, C)], [(10, 12, C)], (0, 0, 2, 1), (1, 1, 2, 1)),
        ("fragments", [(((0, 4), (9, 12)), C)], [(((0, 4), (9, 12)), C)], (1, 1, 1, 1), (1, 1, 1, 1)),
        ("envelope of fragments", [(((0, 4), (9, 12)), C)], [(0, 12, C)], (0, 0, 1, 1), (1, 1, 1, 1)),
        ("second fragment", [(((0, 4), (9, 12)), C)], [(9, 12, C)], (0, 0, 1, 1), (1, 1, 1, 1)),
        ("between fragments", [(((0, 4), (9, 12)), C)], [(4, 9, C)], (0, 0, 1, 1), (0, 0, 1, 1)),
        ("empty span", [(0, 5, C)], [(3, 3, C)], (0, 0, 1, 1), (0, 0, 1, 1)),
    ],
)
def test_score_entities(id_: str, gold: list, predicted: list, strict: tuple, relaxed: tuple) -> None:
    for mode, expected in (("strict", strict), ("relaxed", relaxed)):
        scores = score_entities({"d": spans(*gold)}, {"d": spans(*predicted)}, labels=[C], mode=mode)
        assert scores[C] == Counts(*expected)
        assert scores["micro"] == scores[C]


def test_scores_by_hand() -> None:
    gold = {"a": spans((0, 5, C), (10, 14, C), (20, 24, D)), "b": spans((0, 3, C), (8, 9, "DEVICE")), "c": []}
    predicted = {"a": spans((0, 5, C), (11, 14, C), (20, 24, D)), "c": spans((0, 2, C))}
    strict = score_entities(gold, predicted, labels=[D, C, "ANATOMY"], mode="strict")
    assert list(strict) == [D, C, "ANATOMY", "micro"]
    assert strict[C] == Counts(1, 1, 3, 3)
    assert ratios(strict[C]) == pytest.approx((1 / 3, 1 / 3, 1 / 3))
    assert strict["ANATOMY"] == Counts()
    assert strict["micro"] == Counts(2, 2, 4, 4)
    assert macro_f1(strict) == pytest.approx((1 / 3 + 1) / 2)
    relaxed = score_entities(gold, predicted, labels=[D, C, "ANATOMY"], mode="relaxed")
    assert relaxed[C] == Counts(2, 2, 3, 3)
    assert ratios(relaxed["micro"]) == pytest.approx((0.75, 0.75, 0.75))


def test_unmarked_labels_count_on_neither_side() -> None:
    gold, predicted = {"d": spans((0, 5, C), (0, 5, D))}, {"d": spans((0, 5, C), (7, 9, D))}
    assert score_entities(gold, predicted, labels=[C], mode="strict") == {
        C: Counts(1, 1, 1, 1),
        "micro": Counts(1, 1, 1, 1),
    }


def test_documents_do_not_mix() -> None:
    scores = score_entities(
        {"a": spans((0, 5, C)), "b": []}, {"a": [], "b": spans((0, 5, C))}, labels=[C], mode="relaxed"
    )
    assert scores[C] == Counts(0, 0, 1, 1)


@pytest.mark.parametrize(
    ("gold", "predicted", "labels", "mode"),
    [({}, {"d": []}, [C], "strict"), ({}, {}, [C], "lenient"), ({}, {}, ["micro"], "strict")],
)
def test_score_entities_refuses(gold: dict, predicted: dict, labels: list, mode: str) -> None:
    with pytest.raises(ValueError):
        score_entities(gold, predicted, labels=labels, mode=mode)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        (Counts(), (0.0, 0.0, 0.0)),
        (Counts(gold=3), (0.0, 0.0, 0.0)),
        (Counts(predicted=3), (0.0, 0.0, 0.0)),
        (Counts(0, 0, 2, 2), (0.0, 0.0, 0.0)),
        (Counts(3, 3, 4, 6), (0.5, 0.75, 0.6)),
        (Counts(2, 1, 2, 4), (0.25, 1.0, 0.4)),
    ],
)
def test_counts(counts: Counts, expected: tuple) -> None:
    assert ratios(counts) == pytest.approx(expected)


def test_counts_add_up() -> None:
    assert sum([Counts(1, 2, 3, 4), Counts(10, 20, 30, 40)], Counts()) == Counts(11, 22, 33, 44)


def test_macro_f1_of_nothing() -> None:
    assert macro_f1({C: Counts(), "micro": Counts(1, 1, 1, 1)}) == 0.0


def test_mentions_of_annotations() -> None:
    annotation = Annotation(0, 9, C, ((5, 9), (0, 3)))
    (mention,) = mentions([annotation])
    assert mention == Mention(((0, 3), (5, 9)), C)
    assert mention.envelope == Mention.span(0, 9, C)


MENTIONS = st.lists(
    st.builds(
        lambda starts, length, label: Mention(tuple((s, s + length) for s in sorted(starts)), label),
        st.sets(st.integers(0, 12), min_size=1, max_size=2),
        st.integers(1, 4),
        st.sampled_from([C, D]),
    ),
    max_size=8,
)


def brute_strict(gold: list[Mention], predicted: list[Mention]) -> tuple[int, int]:
    left = list(gold)
    for mention in predicted:
        if mention in left:
            left.remove(mention)
    return len(gold) - len(left), len(gold) - len(left)


def brute_relaxed(gold: list[Mention], predicted: list[Mention]) -> tuple[int, int]:
    def characters(mention: Mention) -> set[int]:
        return {i for start, end in mention.fragments for i in range(start, end)}

    def overlap(mention: Mention, others: list[Mention]) -> bool:
        return any(characters(mention) & characters(other) for other in others)

    return sum(overlap(m, predicted) for m in gold), sum(overlap(m, gold) for m in predicted)


@pytest.mark.parametrize(("mode", "brute"), [("strict", brute_strict), ("relaxed", brute_relaxed)])
@given(data=st.data())
def test_score_entities_against_brute_force(mode: str, brute, data: st.DataObject) -> None:
    gold, predicted = data.draw(MENTIONS), data.draw(MENTIONS)
    scores = score_entities({"d": gold}, {"d": predicted}, labels=[C, D], mode=mode)
    for label in (C, D):
        ours, theirs = [m for m in gold if m.label == label], [m for m in predicted if m.label == label]
        assert scores[label] == Counts(*brute(ours, theirs), len(ours), len(theirs))


@given(data=st.data())
def test_partial_is_between_strict_and_one_to_one(data: st.DataObject) -> None:
    gold, predicted = data.draw(MENTIONS), data.draw(MENTIONS)
    scores = {mode: score_entities({"d": gold}, {"d": predicted}, labels=[C, D], mode=mode) for mode in MODES}
    for label in (C, D):
        strict, partial = scores["strict"][label], scores["partial"][label]
        pairs = [p for p in align(gold, predicted) if p.same_label and gold[p.gold].label == label]
        assert partial.tp_gold == partial.tp_predicted == strict.tp_gold + (len(pairs) - strict.tp_gold) / 2
        assert len(pairs) <= min(scores["relaxed"][label].tp_gold, scores["relaxed"][label].tp_predicted)


@pytest.mark.parametrize(
    ("gold", "predicted", "credit"),
    [
        ([(0, 5, C)], [(0, 5, C)], 1),
        ([(0, 5, C)], [(3, 9, C)], 0.5),
        ([(0, 5, C)], [(5, 9, C)], 0),
        ([(0, 9, C)], [(0, 5, C), (6, 9, C)], 0.5),
        ([(0, 5, C), (6, 9, C)], [(0, 9, C)], 0.5),
        ([(0, 5, C), (4, 9, C)], [(4, 9, C), (0, 9, C)], 1.5),
        ([(0, 5, C)], [(0, 5, D)], 0),
        # the most shared characters would leave the others alone
        ([(0, 4, C), (4, 10, C)], [(2, 9, C), (9, 12, C)], 1),
        ([(0, 4, C), (4, 10, C), (10, 14, C)], [(2, 9, C), (9, 11, C), (13, 20, C)], 1.5),
    ],
)
def test_partial(gold: list, predicted: list, credit: float) -> None:
    scores = score_entities({"d": spans(*gold)}, {"d": spans(*predicted)}, labels=[C], mode="partial")
    assert (scores[C].tp_gold, scores[C].tp_predicted) == (credit, credit)


def test_tally_keeps_documents_apart() -> None:
    gold = {"a": spans((0, 5, C), (7, 9, D)), "b": []}
    tally = tally_entities(gold, {"a": spans((0, 4, C)), "b": spans((0, 2, D))}, labels=[C, D], mode="relaxed")
    assert (tally.doc_ids, tally.keys) == (("a", "b"), (C, D))
    assert tally.counts.tolist() == [[[1, 1, 1, 1], [0, 0, 1, 0]], [[0, 0, 0, 0], [0, 0, 0, 1]]]
    assert tally.scores() == {C: Counts(1, 1, 1, 1), D: Counts(0, 0, 1, 1)}


def test_tally_of_nothing() -> None:
    assert Tally.of([C], {}).scores() == {C: Counts()}


@pytest.mark.parametrize(
    ("id_", "gold", "predicted", "pairs"),
    [
        ("nothing", [], [], []),
        ("same", [(0, 5, C)], [(0, 5, C)], [(0, 0, True, True)]),
        ("missed and spurious", [(0, 5, C)], [(5, 9, C)], [(0, None, False, False), (None, 0, False, False)]),
        ("boundary", [(0, 5, C)], [(0, 6, C)], [(0, 0, False, True)]),
        ("label", [(0, 5, C)], [(0, 5, D)], [(0, 0, True, False)]),
        ("label and boundary", [(0, 5, C)], [(4, 9, D)], [(0, 0, False, False)]),
        ("the right label first", [(0, 5, C)], [(0, 5, D), (0, 9, C)], [(0, 1, False, True), (None, 0, False, False)]),
        ("the same span first", [(0, 5, C)], [(0, 9, C), (0, 5, C)], [(0, 1, True, True), (None, 0, False, False)]),
        ("more shared first", [(0, 9, C)], [(0, 2, C), (3, 9, C)], [(0, 1, False, True), (None, 0, False, False)]),
        (
            "one to one",
            [(0, 4, C), (5, 9, C)],
            [(0, 9, C)],
            [(0, 0, False, True), (1, None, False, False)],
        ),
        ("long one around", [(0, 50, C), (60, 62, C)], [(40, 42, C)], [(0, 0, False, True), (1, None, False, False)]),
        ("fragments", [(((0, 4), (9, 12)), C)], [(((0, 4), (9, 12)), C)], [(0, 0, True, True)]),
        (
            "between fragments",
            [(((0, 4), (9, 12)), C)],
            [(5, 8, C)],
            [(0, None, False, False), (None, 0, False, False)],
        ),
        (
            "same offsets twice",
            [(0, 5, C), (0, 5, D)],
            [(0, 5, D), (0, 5, C)],
            [(0, 1, True, True), (1, 0, True, True)],
        ),
    ],
)
def test_align(id_: str, gold: list, predicted: list, pairs: list) -> None:
    assert align(spans(*gold), spans(*predicted)) == pairs


@given(data=st.data())
def test_align_finds_as_many_pairs_as_there_can_be(data: st.DataObject) -> None:
    gold = [m for m in data.draw(MENTIONS) if m.label == C][:5]
    predicted = [m for m in data.draw(MENTIONS) if m.label == C][:5]
    pairs = [p for p in align(gold, predicted) if p.same_label]
    free = [a for a in range(len(gold)) if not any(p.gold == a and p.same_span for p in pairs)]
    others = [b for b in range(len(predicted)) if not any(p.predicted == b and p.same_span for p in pairs)]

    def most(rest: list[int], left: tuple[int, ...]) -> int:
        if not rest:
            return 0
        taking = (
            1 + most(rest[1:], tuple(x for x in left if x != b))
            for b in left
            if brute_relaxed([gold[rest[0]]], [predicted[b]])[0]
        )
        return max([most(rest[1:], left), *taking])

    assert sum(not p.same_span for p in pairs) == most(free, tuple(others))


@given(data=st.data())
def test_align_pairs_each_once_and_leaves_no_overlap_alone(data: st.DataObject) -> None:
    gold, predicted = data.draw(MENTIONS), data.draw(MENTIONS)
    pairs = align(gold, predicted)
    assert sorted(p.gold for p in pairs if p.gold is not None) == list(range(len(gold)))
    assert sorted(p.predicted for p in pairs if p.predicted is not None) == list(range(len(predicted)))
    alone = [gold[p.gold] for p in pairs if p.predicted is None]
    others = [predicted[p.predicted] for p in pairs if p.gold is None]
    assert not any(brute_relaxed([a], [b])[0] for a in alone for b in others)


@pytest.mark.parametrize(
    ("confusion", "expected"),
    [
        ({}, None),
        ({("a", "a"): 5}, None),
        ({("a", "a"): 5, ("b", "b"): 5}, 1.0),
        ({("a", "b"): 5, ("b", "a"): 5}, -1.0),
        # Cohen 1960, worked by hand: observed .70, by chance .50
        ({("y", "y"): 20, ("y", "n"): 5, ("n", "y"): 10, ("n", "n"): 15}, 0.4),
    ],
)
def test_kappa(confusion: dict, expected: float | None) -> None:
    assert kappa(confusion) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("axis", "gold", "predicted", "expected"),
    [
        (
            "negated",
            [True, True, False, False, False],
            [True, False, True, False, False],
            {True: Counts(1, 1, 2, 2), False: Counts(2, 2, 3, 3)},
        ),
        ("historical", [], [], {True: Counts(), False: Counts()}),
        (
            "experiencer",
            ["patient", "family", "other"],
            ["patient", "family", "family"],
            {"patient": Counts(1, 1, 1, 1), "family": Counts(1, 1, 1, 2), "other": Counts(0, 0, 1, 0)},
        ),
    ],
)
def test_score_assertion(axis: str, gold: list, predicted: list, expected: dict) -> None:
    assert score_assertion(gold, predicted, axis=axis) == expected


def test_score_assertion_of_the_derived_value() -> None:
    scores = score_assertion(["absent", "present"], ["absent", "possible"], axis="assertion")
    assert scores["absent"] == Counts(1, 1, 1, 1)
    assert scores["present"] == Counts(0, 0, 1, 0)
    assert scores["possible"] == Counts(0, 0, 0, 1)
    assert len(scores) == 8


@pytest.mark.parametrize(
    ("axis", "gold", "predicted"),
    [
        ("polarity", [True], [True]),
        ("negated", [True], []),
        ("negated", ["yes"], [True]),
        ("experiencer", ["patient"], ["aunt"]),
        ("experiencer", [None], ["patient"]),
    ],
)
def test_score_assertion_refuses(axis: str, gold: list, predicted: list) -> None:
    with pytest.raises(ValueError):
        score_assertion(gold, predicted, axis=axis)
