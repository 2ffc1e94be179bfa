"""What components share of a Doc: always what the Doc holds now."""

from __future__ import annotations

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc, Span

import clinspan
from clinspan.components import memo, tokenizer
from clinspan.components.memo import Lexicon, PerWord, Tokens, sentence_starts, set_spans, spans_of, tokens_of
from clinspan.tables import extract

NLP = clinspan.load()
NOTE = "PMH: asthma.\n\nNo fever. Denies chest pain, cough.\n\nFather had MI."


def _doc() -> Doc:
    doc = NLP.make_doc("chest pain and fever")
    set_spans(doc, "entities", [Span(doc, 0, 2, "CONDITION"), Span(doc, 3, 4, "CONDITION")])
    return doc


def test_spans_are_those_written() -> None:
    doc = _doc()
    assert spans_of(doc, "entities") is spans_of(doc, "entities")
    assert [(s.start, s.end, s.label_) for s in spans_of(doc, "entities")] == [
        (0, 2, "CONDITION"),
        (3, 4, "CONDITION"),
    ]
    assert spans_of(doc, "none") == ()


@pytest.mark.parametrize("change", ["append", "replace", "relabel", "last", "empty"])
def test_spans_changed_by_others_are_read_anew(change: str) -> None:
    doc = _doc()
    group = doc.spans["entities"]
    if change == "append":
        group.append(Span(doc, 2, 3, "DRUG"))
    elif change == "replace":
        doc.spans["entities"] = [Span(doc, 0, 1, "DRUG"), Span(doc, 3, 4, "CONDITION")]
    elif change == "relabel":
        for span in group:
            span.label_ = "DRUG"
    elif change == "last":
        group[1] = Span(doc, 2, 4, "CONDITION")
    else:
        doc.spans["entities"] = []
    assert [(s.start, s.end, s.label_) for s in spans_of(doc, "entities")] == [
        (s.start, s.end, s.label_) for s in doc.spans["entities"]
    ]


def test_sentences_changed_by_others_are_read_anew() -> None:
    doc = NLP("No fever. Cough.")
    assert sentence_starts(doc) == [0, 3]
    doc[3].is_sent_start = False
    doc[1].is_sent_start = True
    assert sentence_starts(doc) == [0, 1]


def test_tokens_of_a_doc_made_elsewhere() -> None:
    doc = spacy.blank("en")("No fever, cough")
    tokens = tokens_of(doc)
    assert tokens.words == ["No", "fever", ",", "cough"]
    assert tokens.offsets == [0, 3, 8, 10]
    assert tokens.lexicon.forms[tokens.numbers].tolist() == tokens.words


def test_per_word_asks_once_a_form() -> None:
    asked: list[str] = []

    def length(word: str) -> int:
        asked.append(word)
        return len(word)

    per_word = PerWord(length)
    words = ["xqone", "xqthree", "xqone"]
    assert per_word.of(Tokens(words, ())).tolist() == [5, 7, 5]
    assert per_word.of(Tokens(words[:1], ())).tolist() == [5]
    assert len(asked) == len(set(asked))


def test_a_new_lexicon_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    notes = [NOTE, NOTE.replace("asthma", "gout"), "Denies nausea.", NOTE]
    expected = extract(notes, nlp=NLP)
    monkeypatch.setattr(Lexicon, "limit", 5)
    first = memo.lexicon()
    found = extract(notes, nlp=NLP)
    assert memo.lexicon() is not first
    assert found.equals(expected)


def test_forgotten_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = tokenizer.words_and_spaces(NOTE)
    monkeypatch.setattr(tokenizer._Chunks, "limit", 1)
    assert [tokenizer.words_and_spaces(NOTE) for _ in range(3)] == [expected] * 3


def test_words_outlive_a_memory_zone() -> None:
    nlp = clinspan.load()
    text = "zzunheardof fever, 12.345 and Zzneverseen-words"
    with nlp.memory_zone():
        inside = [token.text for token in nlp(text)]
    for _ in range(2):
        assert [token.text for token in nlp(text)] == inside == tokenizer.words_and_spaces(text)[0]


def test_a_vocabulary_that_has_dropped_a_word() -> None:
    nlp = clinspan.load()
    word = "qqforgotten"
    with nlp.memory_zone():
        nlp.vocab.strings.add(word)  # for the zone alone: the tokenizer's own adding comes second
        assert [token.text for token in nlp(word)] == [word]
    assert [token.text for token in nlp(f"{word} again")] == [word, "again"]


def test_numbers_of_words() -> None:
    known = Lexicon()
    assert known.numbers(["a", "b", "a"]).tolist() == [0, 1, 0]
    assert known.numbers([]).dtype == np.int32
    assert known.numbers(f"w{n}" for n in range(5000)).tolist() == list(range(2, 5002))
    assert known.forms[5001] == "w4999"
