from __future__ import annotations

import json
from pathlib import Path

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc

from clinspan.components.tokenizer import ClinicalTokenizer, cut_at, words_and_spaces

CASES = [json.loads(line) for line in (Path(__file__).parent / "cases/tokens.jsonl").read_text("utf-8").splitlines()]
NLP = spacy.blank("en")


def join(words: list[str], spaces: list[bool]) -> str:
    return "".join(word + (" " if space else "") for word, space in zip(words, spaces))


@pytest.mark.parametrize("case", CASES, ids=[c["id"] for c in CASES])
def test_tokens(case: dict) -> None:
    words, spaces = words_and_spaces(case["text"])
    assert [word for word in words if not word.isspace()] == case["tokens"]
    assert join(words, spaces) == case["text"]


@given(st.text(alphabet=st.characters(blacklist_categories=("Cs",)), max_size=80))
def test_offsets_reproduce_any_text(text: str) -> None:
    doc = ClinicalTokenizer(NLP.vocab)(text)
    assert doc.text == text
    assert all(text[t.idx : t.idx + len(t)] == t.text for t in doc)


@given(st.text(alphabet="ab1 .\n-/é", min_size=1, max_size=40), st.data())
def test_every_span_falls_on_tokens(text: str, data: st.DataObject) -> None:
    spans = []
    for _ in range(data.draw(st.integers(0, 4))):
        start = data.draw(st.integers(0, len(text) - 1))
        spans.append((start, data.draw(st.integers(start + 1, len(text)))))
    words, spaces = cut_at(*words_and_spaces(text), [s for s, _ in spans], [e for _, e in spans])
    doc = Doc(NLP.vocab, words=words, spaces=spaces)
    assert doc.text == text
    for start, end in spans:
        span = doc.char_span(start, end)
        assert span is not None and (span.start_char, span.end_char) == (start, end)


def test_very_long_token() -> None:
    words, spaces = words_and_spaces("x" * 100_000)
    assert words == ["x" * 100_000] and spaces == [False]


@pytest.mark.parametrize("piece", ["1.", "a+", "1_", "q.1-", "www.", "a@", "http://", "(", "e\u0301"])
def test_long_runs_take_linear_time(piece: str) -> None:
    # a quadratic pattern needs minutes for this
    words, spaces = words_and_spaces(piece * 100_000)
    assert join(words, spaces) == piece * 100_000
