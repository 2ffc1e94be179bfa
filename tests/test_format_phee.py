from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from clinspan.corpora import Annotation, CorpusError, Document, load_spec, phee, read_corpus
from corpus_files import written

DATA = os.environ.get("CLINSPAN_DATA", "")
needs_data = pytest.mark.skipif(not Path(DATA, "corpora").is_dir() or not DATA, reason="CLINSPAN_DATA has no corpora/")

TEXT = "Severe rash of arms and legs was not seen after aspirin with \U0001d6fc-interferon for gout."


def mention(*mentions: tuple[str, list[str]], text: str = TEXT) -> dict[str, Any]:
    """An argument as PHEE writes it: for each mention its id and its pieces, found in the text."""
    return {
        "text": [pieces for _, pieces in mentions],
        "start": [[text.index(piece) for piece in pieces] for _, pieces in mentions],
        "entity_id": [identifier for identifier, _ in mentions],
    }


def sentence(*events: Mapping[str, Any], text: object = TEXT) -> str:
    annotations = [{"events": list(events)}]
    return json.dumps({"id": "1_2", "context": text, "is_mult_event": False, "annotations": annotations}) + "\n"


TRIGGER = mention(("T1", ["after"]))
DRUG = mention(("T4", ["aspirin"]))
EVENT = {
    "event_id": "E1",
    "event_type": "Adverse_event",
    "Negated": {**mention(("T9", ["not"])), "value": True},
    "Severity": {**mention(("T10", ["Severe"])), "value": "High"},
    "Trigger": TRIGGER,
    "Effect": mention(("T2", ["legs", "rash of"])),
    "Treatment": {
        **mention(("T3", ["aspirin with \U0001d6fc-interferon"])),
        "Drug": mention(("T4", ["aspirin"]), ("T5", ["\U0001d6fc-interferon"])),
        "Disorder": mention(("T6", ["gout"])),
        "Combination": [
            {
                "event_id": "E2",
                "event_type": "Combination",
                "Trigger": mention(("T7", ["with"])),
                "Drug": mention(("T4", ["aspirin"]), ("T5", ["\U0001d6fc-interferon"])),
            }
        ],
    },
}


def test_phee(tmp_path: Path) -> None:
    (document,) = phee.read(written(tmp_path, "dev.json", sentence(EVENT)))
    said = {"Negated": True, "Severity": "High"}
    assert document == Document(
        "1_2",
        TEXT,
        (
            Annotation(42, 47, "Trigger", ((42, 47),), {"event_type": "Adverse_event", **said}, (), "T1"),
            Annotation(33, 36, "Negated", ((33, 36),), {}, (), "T9"),
            Annotation(0, 6, "Severity", ((0, 6),), {}, (), "T10"),
            Annotation(7, 28, "Effect", ((7, 14), (24, 28)), said, (), "T2"),
            Annotation(48, 73, "Treatment", ((48, 73),), {}, (), "T3"),
            Annotation(48, 55, "Drug", ((48, 55),), {}, (), "T4"),
            Annotation(61, 73, "Drug", ((61, 73),), {}, (), "T5"),
            Annotation(78, 82, "Disorder", ((78, 82),), {}, (), "T6"),
            Annotation(56, 60, "Combination", ((56, 60),), {"event_type": "Combination"}, (), "T7"),
        ),
        (
            ("Negated", "T1", "T9"),
            ("Severity", "T1", "T10"),
            ("Effect", "T1", "T2"),
            ("Treatment", "T1", "T3"),
            ("Drug", "T1", "T4"),
            ("Drug", "T1", "T5"),
            ("Disorder", "T1", "T6"),
            ("Drug", "T7", "T4"),
            ("Drug", "T7", "T5"),
        ),
    )


def test_phee_one_annotation_for_a_mention_of_two_events(tmp_path: Path) -> None:
    speculated = {**mention(("T29", ["seen"])), "value": True}
    other = {
        "event_type": "Adverse_event",
        "Speculated": speculated,
        "Severity": {**mention(("T28", ["Severe"])), "value": "Low"},
        "Trigger": mention(("T21", ["after"])),
        "Effect": mention(("T22", ["legs", "rash of"]), ("T23", ["rash"])),
        "Treatment": {"Drug": mention(("T24", ["\U0001d6fc-interferon"]))},
    }
    (document,) = phee.read(written(tmp_path, "dev.json", sentence(EVENT, other)))
    found = {a.id: a for a in document.annotations}
    assert Counter(a.label for a in found.values())["Effect"] == 2
    assert found["T2"].attributes == {"Negated": True, "Severity": "High", "Speculated": True}
    assert found["T23"].attributes == {"Severity": "Low", "Speculated": True}
    assert ("Drug", "T1", "T5") in document.relations and "T24" not in found
    assert len(set(document.relations)) == len(document.relations)


def test_phee_odd_cases(tmp_path: Path) -> None:
    surface = {**EVENT, "Effect": {"text": [["rasch"], ["rash  of"]], "start": [[7], [7]], "entity_id": ["T2", "T8"]}}
    unsaid = {"event_type": "x", "Negated": {"value": False}, "Trigger": mention(("T1", ["after"]))}
    content = sentence(surface).rstrip() + "\r\n\r\n" + sentence(unsaid) + sentence() + sentence(text="")
    documents = list(phee.read(written(tmp_path, "dev.json", content)))
    assert [document.mismatched for document in documents] == [("T2",), (), (), ()]  # white space aside
    assert [(a.label, a.attributes) for a in documents[1].annotations] == [("Trigger", {"event_type": "x"})]
    assert [document.text for document in documents] == [TEXT, TEXT, TEXT, ""]


@pytest.mark.parametrize(
    "line",
    [
        "rash",
        "[]",
        '{"id": "1", "annotations": []}',
        '{"context": "rash", "annotations": []}',
        '{"id": "1", "context": "rash"}',
        '{"id": "1", "context": "rash", "annotations": ["rash"]}',
        '{"id": "1", "context": "rash", "annotations": [{"events": ["rash"]}]}',
        sentence({"event_type": "x"}),
        sentence({"Trigger": TRIGGER}),
        sentence({"event_type": "x", "Trigger": {**TRIGGER, "start": [[99]]}}),
        sentence({"event_type": "x", "Trigger": {**TRIGGER, "start": [[-1]]}}),
        sentence({"event_type": "x", "Trigger": {**TRIGGER, "start": [["rash"]]}}),
        sentence({"event_type": "x", "Trigger": {**TRIGGER, "start": [[]]}}),
        sentence({"event_type": "x", "Trigger": {**TRIGGER, "start": []}}),
        sentence({"event_type": "x", "Trigger": {**TRIGGER, "text": [[""]]}}),
        sentence({"event_type": "x", "Trigger": {**TRIGGER, "text": [[]], "start": [[]]}}),
        sentence({"event_type": "x", "Trigger": {**TRIGGER, "entity_id": [3]}}),
        sentence({"event_type": "x", "Trigger": TRIGGER, "Effect": mention(("T1", ["rash"]))}),
        sentence({"event_type": "x", "Trigger": TRIGGER, "Negated": {"value": 1}}),
        sentence({"event_type": "x", "Trigger": TRIGGER, "Negated": True}),
        sentence({"event_type": "x", "Trigger": TRIGGER, "Treatment": {"Combination": {"Drug": DRUG}}}),
        sentence({"event_type": "x", "Trigger": TRIGGER, "Treatment": {"Combination": ["rash"]}}),
    ],
)
def test_phee_malformed(tmp_path: Path, line: str) -> None:
    with pytest.raises(CorpusError) as caught:
        list(phee.read(written(tmp_path, "dev.json", sentence(EVENT) + line)))
    assert caught.value.line == 2
    assert caught.value.reason and "rash" not in caught.value.reason


@needs_data
@pytest.mark.parametrize(
    ("split", "documents", "labels", "said"),
    [
        (
            "train",
            2898,
            {"Drug": 3591, "Effect": 2803, "Disorder": 1222, "Trigger": 2991},
            {"Negated": 30, "Speculated": 351},
        ),
        (
            "dev",
            961,
            {"Drug": 1207, "Effect": 918, "Disorder": 405, "Trigger": 998},
            {"Negated": 15, "Speculated": 140},
        ),
    ],
)
def test_phee_corpus(split: str, documents: int, labels: dict[str, int], said: dict[str, int]) -> None:
    found = list(read_corpus(load_spec("phee"), split=split))
    counts = Counter(a.label for d in found for a in d.annotations)
    effects = Counter(name for d in found for a in d.annotations if a.label == "Effect" for name in a.attributes)
    assert len(found) == documents
    assert {label: counts[label] for label in labels} == labels
    assert {name: effects[name] for name in said} == said
    assert not any(d.mismatched for d in found)
