from __future__ import annotations

import json
from pathlib import Path

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st

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


@given(st.text(alphabet="ab1 .\n-/é", max_size=40), st.lists(st.integers(0, 40), max_size=6))
def test_cuts_fall_on_tokens(text: str, cuts: list[int]) -> None:
    cuts = [c for c in cuts if 0 < c < len(text)]
    words, spaces = cut_at(*words_and_spaces(text), cuts)
    assert join(words, spaces) == text
    starts, place = set(), 0
    for word, space in zip(words, spaces):
        starts.add(place)
        place += len(word) + space
    # a cut before a space that follows a word may fall on the word's end: the space is its own token then
    assert set(cuts) <= starts


def test_very_long_token() -> None:
    words, spaces = words_and_spaces("x" * 100_000)
    assert words == ["x" * 100_000] and spaces == [False]
