from __future__ import annotations

import json
from pathlib import Path

import pytest

from clinspan.pipeline import blank

CASES = [json.loads(line) for line in (Path(__file__).parent / "cases/sentences.jsonl").read_text("utf-8").splitlines()]
#: Rows the rules do not get right, with the reason.
KNOWN_FAILURES: dict[str, str] = {}
NLP = blank()


def known(case_id: str) -> list[pytest.MarkDecorator]:
    return [pytest.mark.xfail(reason=KNOWN_FAILURES[case_id])] if case_id in KNOWN_FAILURES else []


def spans(text: str) -> list[list[int]]:
    out = []
    for sentence in NLP.get_pipe("sentences")(NLP.make_doc(text)).sents:
        start = sentence.start_char + len(sentence.text) - len(sentence.text.lstrip())
        end = sentence.start_char + len(sentence.text.rstrip())
        if start < end:
            out.append([start, end])
    return out


@pytest.mark.parametrize(
    "case",
    [pytest.param(c, id=c["id"], marks=known(c["id"])) for c in CASES],
)
def test_sentences(case: dict) -> None:
    text = case["text"]
    assert [text[s:e] for s, e in spans(text)] == [text[s:e] for s, e in case["sentences"]]
