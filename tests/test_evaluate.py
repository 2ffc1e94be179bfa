from __future__ import annotations

import json
from dataclasses import replace

import pytest

from clinspan.corpora import AXES, Annotation, Document
from clinspan.evaluate import Evaluation, compare, digest, run, score, summarize
from clinspan.predictions import Predictions
from clinspan.scoring import Counts
from evaluations import GOLD, TEXT, A, C, D, doc, marks, system


def one(gold: tuple, predicted: tuple, **options: object) -> Evaluation:
    return score([doc(*gold)], [doc(*predicted)], labels=(C, D), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("id_", "gold", "predicted", "expected"),
    [
        ("right", [("fever", C)], [("fever", C)], []),
        ("missed", [("fever", C)], [], [("missed", "fever", "", C, "", "", "", "")]),
        ("spurious", [], [("fever", C)], [("spurious", "", "fever", "", C, "", "", "")]),
        ("boundary", [("chest pain", C)], [("pain", C)], [("boundary", "chest pain", "pain", C, C, "", "", "")]),
        ("label", [("Aspirin", D)], [("Aspirin", C)], [("label", "Aspirin", "Aspirin", D, C, "", "", "")]),
        ("unmarked labels", [("fever", A)], [("asthma", A)], []),
        (
            "assertion",
            [("fever", C, {"negated": True})],
            [("fever", C, {"negated": False})],
            [("assertion", "fever", "fever", C, C, "negated", "true", "false")],
        ),
        (
            "boundary and assertion",
            [("chest pain", C, {"negated": True})],
            [("pain", C)],
            [
                ("boundary", "chest pain", "pain", C, C, "", "", ""),
                ("assertion", "chest pain", "pain", C, C, "negated", "true", "false"),
            ],
        ),
        ("another label is not judged", [("Aspirin", D, {"negated": True})], [("Aspirin", C)], ["label"]),
    ],
)
def test_errors(id_: str, gold: list, predicted: list, expected: list) -> None:
    errors = one(tuple(gold), tuple(predicted), axes=["negated"]).errors
    if expected and isinstance(expected[0], str):
        assert [e.kind for e in errors] == expected
        return
    assert [
        (
            e.kind,
            e.gold_text,
            e.predicted_text,
            e.gold_label,
            e.predicted_label,
            e.axis,
            e.gold_value,
            e.predicted_value,
        )
        for e in errors
    ] == expected
    for e in errors:
        sides = [x for x in (e.gold_start, e.predicted_start) if x is not None]
        assert e.start == min(sides) and e.note_id == "a"


def test_errors_are_in_the_order_of_the_text() -> None:
    evaluation = one((("chest pain", C), ("fever", C)), (("asthma", C),))
    assert [e.kind for e in evaluation.errors] == ["missed", "spurious", "missed"]


def test_discontinuous_mentions_stand_by_their_envelope() -> None:
    mention = Annotation(3, 28, C, ((3, 8), (21, 27)), {}, (), "T1")
    (error,) = score([Document("a", TEXT, (mention,))], [], labels=[C]).errors
    assert (error.start, error.end, error.gold_text) == (3, 28, "fever … asthma")


def test_assertion_is_scored_on_pairs_with_the_same_label() -> None:
    evaluation = one(
        (("fever", C, {"negated": True}), ("asthma", C, {"experiencer": "family"}), ("chest pain", C), ("Aspirin", D)),
        (("fever", C, {"negated": True}), ("asthma", C, {"negated": True}), ("pain", C), ("Aspirin", C)),
        axes=["negated", "experiencer"],
    )
    assert evaluation.judged == 3
    assert evaluation.axes == ("negated", "experiencer")
    assert evaluation.assertion["negated"].scores() == {"true": Counts(1, 1, 1, 2)}
    experiencer = evaluation.assertion["experiencer"].scores()
    assert experiencer["family"] == Counts(0, 0, 1, 0)
    assert experiencer["patient"] == Counts(2, 2, 2, 3)
    assert evaluation.confusion["negated"] == {("true", "true"): 1, ("false", "true"): 1, ("false", "false"): 1}
    assert evaluation.labels_confused == {(C, C): 3, (D, C): 1}
    assert evaluation.matched == {("a", 0), ("a", 1), ("a", 2)}


def test_the_word_for_all_axes_is_scored_when_all_are_marked() -> None:
    evaluation = one((("fever", C, {"negated": True}),), (("fever", C, {"uncertain": True}),), axes=AXES)
    assert evaluation.confusion["assertion"] == {("absent", "possible"): 1}
    assert [e.axis for e in evaluation.errors] == ["negated", "uncertain"]
    assert "assertion" not in one((), (), axes=["negated"]).assertion


def test_anatomy_is_not_judged() -> None:
    both = [doc(("chest", A, {"negated": True}))]
    assert score(both, both, labels=[A], axes=["negated"]).judged == 0


def test_given_spans() -> None:
    gold = doc(("fever", C, {"negated": True}), ("fever", C), ("asthma", C))
    predicted = doc(("fever", C, {"negated": True}), ("fever", C, {"negated": True}), ("asthma", C))
    evaluation = score([gold], [predicted], labels=[C], axes=["negated"], given=True)
    assert (evaluation.entities, evaluation.judged) == ({}, 3)
    assert evaluation.assertion["negated"].scores() == {"true": Counts(1, 1, 1, 2)}
    assert not evaluation.labels_confused
    with pytest.raises(ValueError, match=r"gold T1 .*no prediction of this span"):
        score([gold], [doc(("asthma", C))], labels=[C], axes=["negated"], given=True)


CODES = ("MESH:1", "MESH:2", "MESH:3", "MESH:4", "MESH:5", "MESH:6")


@pytest.mark.parametrize(
    ("gold", "predicted", "expected"),
    [
        (("MESH:1",), ("MESH:1",), (1, 1)),
        (("MESH:1", "MESH:9"), ("MESH:9",), (1, 1)),
        (("MESH:5",), CODES, (0, 1)),
        (("MESH:6",), CODES, (0, 0)),
        (("MESH:1",), ("MESH:7",), (0, 0)),
        (("D1",), ("D2",), (0, 0)),
    ],
)
def test_linking(gold: tuple, predicted: tuple, expected: tuple) -> None:
    tally = one((("fever", C, {}, gold), ("asthma", C)), (("fever", C, {}, predicted), ("asthma", C))).linking
    assert tally is not None
    scores = tally.scores()
    assert tuple(scores[f"accuracy@{k}"].recall for k in (1, 5)) == expected
    assert scores["accuracy@1"].gold == 1


@pytest.mark.parametrize(
    ("gold", "predicted"), [((), CODES), (CODES, ()), (("MESH:1",), ("DOID:1",)), (("1",), ("DOID:1",))]
)
def test_linking_needs_codes_of_one_vocabulary(gold: tuple, predicted: tuple) -> None:
    assert one((("fever", C, {}, gold),), (("fever", C, {}, predicted),)).linking is None


def far(text: str = "", surface: str = "", end: int = 5) -> Document:
    return Document("a", text, (Annotation(0, end, C, ((0, end),), {}, (), "T7"),), surfaces=(surface,))


@pytest.mark.parametrize(
    ("predicted", "message"),
    [
        ([doc(), doc()], "comes twice"),
        ([doc(doc_id="b")], "no predicted document is in gold"),
        ([far("another text")], "document 'a': predictions are of another text"),
        ([far(end=500)], "document 'a', prediction T7: offsets 0 500"),
        ([far(surface="No f")], "document 'a', prediction T7: its text is not what stands at 0 5"),
    ],
)
def test_score_refuses(predicted: list[Document], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        score([doc()], predicted, labels=[C])
    assert "No f" not in str(caught.value) and "another text'" not in str(caught.value)


def test_predictions_on_other_white_space_are_moved() -> None:
    text = "Denies\r\n\tfever\r\nand left  knee pain."
    gold = Document("a", text, (Annotation(9, 14, C, ((9, 14),), {}, (), "T1"),))
    mention = Annotation(17, 31, C, ((17, 21), (27, 31)), {}, (), "T2")
    predicted = Document("a", "Denies fever and left knee pain .", (Annotation(7, 12, C, ((7, 12),), id="T1"), mention))
    (error,) = score([gold], [replace(predicted, text=predicted.text.replace(" .", "."))], labels=[C]).errors
    assert (error.kind, error.predicted_text) == ("spurious", "left … pain")


def test_surplus_documents_are_passed_over() -> None:
    both = [doc(("fever", C)), doc(("fever", C), doc_id="b")]
    assert score(both[:1], both, labels=[C]).entities["strict"].scores()[C] == Counts(1, 1, 1, 1)


def test_predictions_without_text_and_documents_without_predictions() -> None:
    gold = [doc(("fever", C)), doc(("fever", C), doc_id="b")]
    predicted = [replace(doc(("fever", C)), text="")]
    assert score(gold, predicted, labels=[C]).entities["strict"].scores()[C] == Counts(1, 1, 2, 1)


def test_run() -> None:
    report, evaluation = run(
        GOLD, system("good", 19), against=system("bad", 3), draws=200, rounds=500, command="clinspan evaluate corpus"
    )
    assert json.loads(json.dumps(report)) == report  # plain values
    assert report["schema"] == "clinspan.scores/1"
    assert report["corpus"] | {"digest": ""} == {
        "name": "corpus",
        "split": "dev",
        "layer": "entities",
        "documents": 20,
        "units": 10,
        "annotations": 60,
        "discontinuous": 0,
        "mismatched": [],
        "labels": [C, D],
        "axes": ["negated"],
        "digest": "",
    }
    strict = report["scores"]["entities"]["strict"]
    assert list(strict) == [C, D, "micro", "macro"]
    assert (strict[C]["gold"], strict[C]["predicted"], strict[C]["true_positives"]) == (40, 40, 39)
    assert strict["micro"]["recall"]["value"] == pytest.approx(58 / 60)
    assert strict[D]["f1"]["low"] < strict[D]["f1"]["value"] <= strict[D]["f1"]["high"]
    assert report["scores"]["assertion"]["axes"]["negated"]["true"]["recall"]["value"] == 19 / 20
    assert report["scores"]["errors"] == {"missed": 1, "spurious": 0, "boundary": 1, "label": 0, "assertion": 1}
    difference = report["against"]["differences"]
    assert difference["entities"]["strict"]["micro"]["recall"]["value"] == pytest.approx(58 / 60 - 26 / 60)
    assert difference["entities"]["strict"]["micro"]["f1"]["p"] < 0.05
    assert difference["assertion"]["negated"]["true"]["f1"]["low"] > 0
    assert len(evaluation.errors) == 3


def test_run_is_reproducible() -> None:
    options = {"draws": 50, "rounds": 50, "seed": 7}
    assert run(GOLD, system("a", 10), **options)[0] == run(GOLD, system("a", 10), **options)[0]


def test_run_on_some_labels_and_axes() -> None:
    report, _ = run(GOLD, replace(system("x", 20), axes=()), labels=[D], draws=0)
    assert list(report["scores"]["entities"]["strict"]) == [D]
    assert report["scores"]["assertion"]["axes"] == {}
    for gold, options, message in (
        (GOLD, {"labels": ["DEVICE"]}, "does not mark DEVICE, only CONDITION, DRUG"),
        (replace(GOLD, labels=()), {}, "marks nothing"),
        (replace(GOLD, documents=(doc(("fever", C)),), axes=()), {"given": True}, "says nothing of its spans"),
    ):
        with pytest.raises(ValueError, match=message):
            run(gold, system("x", 20), draws=0, **options)
    with pytest.raises(ValueError, match="nothing to judge: axes of corpus: negated; of x: none"):
        run(replace(GOLD, labels=()), replace(system("x", 20), axes=(), documents=[]), given=True, draws=0)


def test_a_comparison_of_assertion_is_on_what_both_found() -> None:
    """One finds only the mention that is easy to judge; the other finds both and judges the same one right."""
    gold = replace(GOLD, labels=(C,))
    easy = [replace(d, annotations=d.annotations[:1]) for d in GOLD.documents]
    wrong = [
        replace(d, annotations=(d.annotations[0], replace(d.annotations[2], attributes={"negated": True})))
        for d in GOLD.documents
    ]
    report, _ = run(
        gold,
        Predictions("easy", easy, ("negated",)),
        against=Predictions("all", wrong, ("negated",)),
        draws=20,
        rounds=20,
    )
    assert report["scores"]["assertion"]["axes"]["negated"]["true"]["f1"]["value"] == 1
    assert report["against"]["scores"]["assertion"]["axes"]["negated"]["true"]["f1"]["value"] < 1
    assert report["against"]["differences"]["assertion"]["negated"]["true"]["f1"]["value"] == 0


def test_linking_is_compared() -> None:
    right = Predictions("right", GOLD.documents, ())
    coded = marks(("chest pain", C, {}, ("HP:2",)))
    wrong = Predictions("wrong", [replace(d, annotations=coded) for d in GOLD.documents], ())
    report, _ = run(GOLD, right, against=wrong, draws=0, rounds=200)
    row = report["against"]["differences"]["linking"]["accuracy@1"]
    assert (row["value"], row["low"]) == (1.0, None) and row["p"] < 0.05


def test_run_on_given_spans_judges_labels_that_are_not_marked() -> None:
    report, _ = run(replace(GOLD, labels=()), system("x", 20), given=True, draws=0)
    assert report["scores"]["entities"] == {}
    assert (report["scores"]["assertion"]["spans"], report["scores"]["assertion"]["entities"]) == ("gold", 60)


def test_compare_needs_the_same_documents() -> None:
    first = score(GOLD.documents, GOLD.documents, labels=GOLD.labels)
    second = score(GOLD.documents[1:], GOLD.documents[1:], labels=GOLD.labels)
    with pytest.raises(ValueError):
        compare(first, second, draws=5, rounds=5)


def test_digest_tells_a_changed_gold() -> None:
    changed = doc(("fever", C, {"negated": False}))
    assert digest([doc(("fever", C))]) != digest([changed]) != digest([doc(("fever", D))])
    assert digest([doc(("fever", C))]) == digest([doc(("fever", C))])


def test_summary_of_nothing() -> None:
    scores = summarize(score([], [], labels=[C], axes=["negated"]), draws=10)
    assert scores["entities"]["strict"][C]["f1"] == {"value": None, "low": None, "high": None}
