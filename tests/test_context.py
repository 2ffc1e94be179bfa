from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.language import Language

import clinspan
from clinspan import schema
from clinspan.components import resource_rows
from clinspan.components.context import Context
from clinspan.components.cues import Cues, Found
from clinspan.components.memo import Tokens
from clinspan.rules import read_rules
from marked import parse


def cases(name: str) -> list[dict]:
    lines = (Path(__file__).parent / "cases" / name).read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


#: Rows written together with the rules, with the one word for all axes.
ASSERTION = cases("assertion.jsonl")
#: Rows written from the definitions by people who had not seen the rules, with every flag (cases/README.md).
FLAGS = cases("context.jsonl")
CASES = ASSERTION + FLAGS
#: Rows the rules do not get right, with the reason.
KNOWN_FAILURES: dict[str, str] = {
    "hist-remote-telemetry": "the words that tell stand inside the entity",
    "all-reaction-to": "a reaction is an allergy by what follows it",
    "fam-lives-with": "the relative stands inside the entity before",
    "fam-baby-postpartum": "whose note it is decides who the baby is",
}


def params(rows: list[dict]) -> list[pytest.param]:
    marks = {name: [pytest.mark.xfail(reason=reason)] for name, reason in KNOWN_FAILURES.items()}
    return [pytest.param(row, id=row["id"], marks=marks.get(row["id"], [])) for row in rows]


@pytest.mark.parametrize("case", params(ASSERTION))
def test_assertion(nlp: Language, case: dict) -> None:
    text, spans, expected = parse(case["text"])
    doc = clinspan.annotate(nlp, text, spans)
    assert [span._.assertion for span in doc.spans["entities"]] == expected


@pytest.mark.parametrize("case", params(FLAGS))
def test_flags(nlp: Language, case: dict) -> None:
    text, spans, expected = parse(case["text"])
    doc = clinspan.annotate(nlp, text, spans)
    found = []
    for span in doc.spans["entities"]:
        flags = [flag for flag in schema.FLAGS if getattr(span._, flag)]
        found.append([*flags, *({span._.experiencer} - {"patient"})])
    assert found == [[] if value == "none" else value.split("+") for value in expected]


def wrong(nlp: Language, rows: list[dict]) -> tuple[int, int]:
    """How many entities have a wrong flag, and of how many."""
    count = entities = 0
    for row in rows:
        text, spans, expected = parse(row["text"])
        doc = clinspan.annotate(nlp, text, spans)
        for span, value in zip(doc.spans["entities"], expected, strict=True):
            found = {flag for flag in schema.FLAGS if getattr(span._, flag)} | ({span._.experiencer} - {"patient"})
            entities += 1
            count += found != (set() if value == "none" else set(value.split("+")))
    return count, entities


def test_held_out_rows_stay_as_right_as_they_were(nlp: Language) -> None:
    """Rows that no rule was written for: their failures are not read, so they are counted, not listed."""
    count, entities = wrong(nlp, cases("heldout.jsonl"))
    assert entities == 581 and count <= 25


def test_portuguese() -> None:
    """Rows by an annotator who had not seen the rules, rules by an author who had not seen the rows."""
    count, entities = wrong(clinspan.load("pt_clinspan"), cases("context_pt.jsonl"))
    assert entities == 619 and count <= 25


def test_known_failures_are_rows() -> None:
    assert set(KNOWN_FAILURES) <= {row["id"] for row in CASES}
    for rows in (ASSERTION, FLAGS):
        assert len({row["id"] for row in rows}) == len(rows)


def test_every_set_flag_has_its_cue(nlp: Language) -> None:
    for case in CASES:
        text, spans, _ = parse(case["text"])
        doc = clinspan.annotate(nlp, text, spans)
        for entity in doc.spans["entities"]:
            axes = {cue["axis"] for cue in entity._.cues}
            for flag in ("negated", "uncertain", "hypothetical", "historical", "allergy"):
                assert (flag in axes) == getattr(entity._, flag), case["id"]
            assert ("experiencer" in axes) == (entity._.experiencer != "patient"), case["id"]
            for cue in entity._.cues:
                assert text[cue["start"] : cue["end"]] == cue["text"], case["id"]


Spans = list[tuple[int, int, str]]


def flags(nlp: Language, text: str, spans: Spans) -> list[tuple]:
    doc = clinspan.annotate(nlp, text, spans)
    return [(*(getattr(s._, flag) for flag in schema.FLAGS), s._.experiencer) for s in doc.spans["entities"]]


def moved(spans: Spans, by: int) -> Spans:
    return [(start + by, end + by, label) for start, end, label in spans]


def widened(text: str, spans: Spans) -> tuple[str, Spans]:
    """Every space twice."""
    place = [i + text.count(" ", 0, i) for i in range(len(text) + 1)]
    return text.replace(" ", "  "), [(place[s], place[e - 1] + 1, label) for s, e, label in spans]


ASIDE = "The weather is fine."


def test_what_stands_elsewhere_and_white_space_change_nothing(nlp: Language) -> None:
    changed = []
    for case in CASES:
        text, spans, _ = parse(case["text"])
        alone = flags(nlp, text, spans)
        for how, (other, places) in {
            "wide": widened(text, spans),
            "after": (f"{ASIDE}\n\n{text}", moved(spans, len(ASIDE) + 2)),
            "before": (f"{text}\n\n{ASIDE}", spans),
        }.items():
            if flags(nlp, other, places) != alone:
                changed.append((case["id"], how))
    assert changed == []


WORDS = st.sampled_from(
    "no not denies without fever cough , . ; : ? + - ( ) [ ] \n \n\n \t mother h/o r/o if prn or and but nil neg".split(
        " "
    )
)


@settings(deadline=None, max_examples=300)
@given(words=st.lists(WORDS, max_size=25), data=st.data())
def test_no_text_breaks_it(nlp: Language, words: list[str], data: st.DataObject) -> None:
    text = " ".join(words)
    places = st.integers(0, len(text) - 1) if text else st.nothing()
    spans = []
    if text:
        for start, length in data.draw(st.lists(st.tuples(places, st.integers(1, 8)), max_size=5)):
            spans.append((start, min(len(text), start + length), data.draw(st.sampled_from(schema.LABELS))))
    doc = clinspan.annotate(nlp, text, spans)
    assert [(s.start_char, s.end_char, s.label_) for s in doc.spans["entities"]] == spans
    for span in doc.spans["entities"]:
        axes = [cue["axis"] for cue in span._.cues]
        assert len(set(axes)) == len(axes)
        for cue in span._.cues:
            assert text[cue["start"] : cue["end"]] == cue["text"] != ""


CUES = sorted({cue for rule in read_rules(resource_rows("en/context.tsv")) for cue in rule.cues})


@settings(deadline=None, max_examples=300)
@given(parts=st.lists(st.one_of(WORDS, st.sampled_from(CUES), st.just("[rash=x]")), max_size=12))
def test_sentences_left_alone_have_no_cue(nlp: Language, parts: list[str]) -> None:
    """Only sentences with a mark are searched for cues; marks everywhere give the same flags."""
    text, spans, _ = parse(" ".join(parts))
    found_in = Cues.found_in

    def everywhere(cues: Cues, tokens: Tokens) -> Found:
        return found_in(cues, tokens)._replace(marks=list(range(len(tokens.words))))

    expected = flags(nlp, text, spans)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Cues, "found_in", everywhere)
        assert flags(nlp, text, spans) == expected


def test_a_long_list_is_denied_throughout(nlp: Language) -> None:
    context = nlp.get_pipe("context")
    assert isinstance(context, Context)
    text = "no fever, chills, cough, rash and pain, " * 500
    spans = [(i, i + 5, "CONDITION") for i in range(len(text)) if text.startswith("fever", i)]
    doc = clinspan.annotate(nlp, text, spans)
    assert all(e._.negated for e in doc.spans["entities"])


HEADER = "id\taxis\tvalue\tdirection\tscope\tstops\tlabels\tcues"


def row(line: str) -> dict[str, str]:
    return dict(zip(HEADER.split("\t"), line.split("\t")))


@pytest.mark.parametrize(
    "line, message",
    [
        ("Z1\tnegatd\t\tbefore\t\t\t\tno", "Z1.*axis"),
        ("Z1\tnegated\t\tsideways\t\t\t\tno", "Z1.*direction"),
        ("Z1\tnegated\t\tbefore\t\t\tFINDING\tno", "Z1.*labels"),
        ("Z1\tnegated\t\tbefore\t\t\t\t@nobody says", "Z1.*nobody"),
    ],
)
def test_bad_rules_are_named(line: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_rules([row(line)])


def judged(nlp: Language) -> tuple[str, str]:
    doc = clinspan.annotate(nlp, "whispers of a fever", [(14, 19, "CONDITION")])
    (entity,) = doc.spans["entities"]
    return entity._.assertion, entity._.cues[0]["rule_id"]


def test_own_rules_and_their_round_trip(tmp_path: Path) -> None:
    nlp = clinspan.load()
    context = nlp.get_pipe("context")
    context.add_rules([row("Z1\tuncertain\tpossible\tbefore\t4\t\t\tsmells like|{hints,whispers} of")])
    assert judged(nlp) == ("possible", "Z1")
    nlp.to_disk(tmp_path / "pipe")
    assert judged(clinspan.load(tmp_path / "pipe")) == ("possible", "Z1")
    restored = Context().from_bytes(context.to_bytes())
    assert len(restored) == len(context)
    # the same id replaces the rule
    context.add_rules([row("Z1\tnegated\t\tbefore\t4\t\t\twhispers of")])
    assert judged(nlp) == ("absent", "Z1")
