"""Tokenizer for clinical text.

One pass cuts the text at white space; each piece is cut by one compiled pattern, once, and remembered. Offsets always
reproduce the text: ``doc.text == text``.

>>> words_and_spaces("500mg b.i.d. s/p MI")[0]
['500', 'mg', 'b.i.d.', 's/p', 'MI']
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import spacy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.vocab import Vocab

from clinspan.components import Stateless
from clinspan.components.memo import Lexicon, PerWord, Tokens, lexicon, remember

# Slashed abbreviations that are one word ("n/v", "f/c" are several findings and are cut).
_SLASHED = (
    "s/p w/o c/o r/o h/o y/o f/u d/c b/l a/w d/t w/u p/w b/c i/o a/p h/h n/a e/o m/o t/o v/o c/w c/b k/c/o 2/2".split()
)
# Abbreviations that keep their full stop before a word; those that may as well end a sentence do not.
_STOPPED = ["dr", "drs", "mr", "mrs", "ms", "prof", "jr", "sr", "vs", "approx", "fig", "figs", "dept", "etc", "st"]

# What is cut, with its hyphen, off the word before, which is then found: "cocaine-induced", "ultrasound-guided".
_RELATING = (
    "induced inducing associated related mediated treated pretreated based containing dependent exposed injected "
    "infected eluting attributed provoked triggered caused causing proven guided"
).split()
_MARK = "\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u20d0-\u20ff\ufe00-\ufe0f\u200d"
_LETTER = f"[^\\W\\d_][{_MARK}]*"
_ALNUM = f"(?:[^\\W_][{_MARK}]*)"
_WORD = f"{_LETTER}{_ALNUM}*"
_HYPHEN = "[-\u2010\u2011]"
_TAIL = f"{_HYPHEN}(?:{'|'.join(_RELATING)})(?![^\\W_]|{_HYPHEN}[^\\W_])"
_PATTERN = (
    r"""
      https?://\S+[^\s.,;:)\]] | www\.\S+[^\s.,;:)\]]
    | (?:(?<![\w/])(?:"""
    + "|".join(re.escape(s) for s in sorted(_SLASHED, key=len, reverse=True))
    + r""")(?![\w/]) | (?<!\w)w/(?=[A-Za-z]))
    | \d{1,4}([/.-])\d{1,2}\1\d{2,4}(?![\d/-])            # dates
    | \d{1,2}:\d{2}(?::\d{2})?(?!\d)                      # times
    | \d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\d) | \d+(?:st|nd|rd|th)(?![^\W\d_]) | \d*\.\d+(?!\d*\.\d) | \d+
    | q\.[\da-z.-]{0,8}[a-z]\.?(?![^\W_]) | (?:[A-Za-z]\.){2,}(?:[A-Za-z](?![A-Za-z]))? | [A-Z]\.(?=[a-z]{3})[a-z]+
    | (?:"""
    + "|".join(_STOPPED)
    + r""")\.(?=$|[\s,;:)])
    | [CTLS]\d{1,2}(?=[-/\u2013][CTLS]?\d)                # vertebral levels
    | """
    + f"{_WORD}(?:(?:['\u2019](?![sS](?![^\\W_]))|(?!{_TAIL}){_HYPHEN}){_ALNUM}+)* | {_TAIL}"
    + r"""
    | ['\u2019][sS](?![^\W_])
    | -+> | <-+ | => | [<>]= | \+/-+ | \.{2,} | -{2,} | \+{2,} | \*{2,} | _+ | ={2,} | \#{2,}
    | [^\w\s]["""
    + _MARK
    + r"""]*
    | \S
    """
)
_FLAGS = re.VERBOSE | re.IGNORECASE
_PIECE = re.compile(_PATTERN, _FLAGS)
# only for chunks with an @: elsewhere this branch would be tried, and scan ahead, at every token
_PIECE_WITH_EMAIL = re.compile(
    r"[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9-]{1,64}(?:\.[A-Za-z0-9-]{1,64})+ |" + _PATTERN, _FLAGS
)
_CHUNK = re.compile(r"\S+ ?|\s+")
_REMEMBERED = 40  # characters of a chunk whose cutting is remembered
_PLAIN = 20  # letters of a plain word


def _cut(chunk: str) -> tuple[list[str], list[bool]]:
    """Words and following-space flags of one chunk: a run of non-space with at most one space, or a run of space."""
    if chunk.isspace():
        return [chunk], [False]
    body = chunk[:-1] if chunk[-1] == " " else chunk
    if body.isalpha() and body.isascii():
        words = [body]
    else:
        pattern = _PIECE_WITH_EMAIL if "@" in body else _PIECE
        words = [m.group() for m in pattern.finditer(body)]
    spaces = [False] * len(words)
    spaces[-1] = body is not chunk
    return words, spaces


def words_and_spaces(text: str) -> tuple[list[str], list[bool]]:
    """The tokens of ``text`` and, for each, whether one space follows it; together they give ``text`` back."""
    tokens, spaces = _read(text)
    return tokens.words, spaces


def words_of(text: str) -> list[str]:
    """The tokens of a short text, without what makes long ones fast."""
    return [word for chunk in _CHUNK.findall(text) for word in _words_of_chunk(chunk)]


@lru_cache(maxsize=20_000)
def _words_of_chunk(chunk: str) -> list[str]:
    return _cut(chunk)[0]


def _read(text: str) -> tuple[Tokens, list[bool]]:
    """The tokens (their offsets left out), and whether one space follows each."""
    global _chunks
    chunks = _chunks
    known = lexicon()
    if len(chunks) > _Chunks.limit or chunks.lexicon is not known:
        chunks = _chunks = _Chunks(known)
    coded = np.frombuffer(b"".join(map(chunks.__getitem__, _CHUNK.findall(text))), dtype=np.int32)
    numbers = coded >> 1
    return Tokens(known.forms[numbers].tolist(), (), (known, numbers)), (coded & 1).astype(bool).tolist()


class _Chunks(dict[str, bytes]):
    """How each chunk met is cut: for each of its tokens twice its number in the lexicon, and 1 if a space follows."""

    limit = 100_000

    def __init__(self, lexicon: Lexicon) -> None:
        super().__init__()
        self.lexicon = lexicon

    def __missing__(self, chunk: str) -> bytes:
        words, spaces = _cut(chunk)
        coded = self.lexicon.numbers(words) * 2 + np.asarray(spaces, dtype=np.int32)
        code = coded.astype(np.int32).tobytes()
        if len(chunk) <= _REMEMBERED:
            self[chunk] = code
        return code


_chunks = _Chunks(lexicon())


def cut_at(
    words: list[str], spaces: list[bool], starts: Iterable[int], ends: Iterable[int]
) -> tuple[list[str], list[bool]]:
    """The same tokens, cut further so that spans with these ``starts`` and ``ends`` fall on tokens.

    A space behind a word becomes a token of its own where a span begins or ends with it.
    """
    starts, ends = set(starts), set(ends)
    wanted = sorted(starts | ends)
    out_words: list[str] = []
    out_spaces: list[bool] = []
    place, k = 0, 0
    for word, space in zip(words, spaces):
        end = place + len(word)
        while k < len(wanted) and wanted[k] <= place:
            k += 1
        while k < len(wanted) and wanted[k] < end:
            out_words.append(word[: wanted[k] - place])
            out_spaces.append(False)
            word, place = word[wanted[k] - place :], wanted[k]
            k += 1
        out_words.append(word)
        if space and (end in starts or end + 1 in ends):
            out_words.append(" ")
            out_spaces += (False, False)
        else:
            out_spaces.append(space)
        place = end + space
    return out_words, out_spaces


class ClinicalTokenizer(Stateless):
    """The spaCy tokenizer around :func:`words_and_spaces`."""

    def __init__(self, vocab: Vocab) -> None:
        self.vocab = vocab
        self._orths = PerWord(self._orth, np.uint64)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.vocab,)

    def __call__(self, text: str) -> Doc:
        """Tokenize. White space beyond the single space after a word is a token of its own."""
        tokens, spaces = _read(text)
        hashes = self._orths.of(tokens)
        given: list[Any] = hashes.tolist()
        for i in np.flatnonzero(hashes == 0).tolist():
            given[i] = tokens.words[i]
        try:
            doc = Doc(self.vocab, words=given, spaces=spaces)
        except KeyError:  # a hash whose string the vocabulary has dropped with a memory zone, or on loading another
            self._orths = PerWord(self._orth, np.uint64)
            doc = Doc(self.vocab, words=tokens.words, spaces=spaces)
        remember(doc, tokens)
        return doc

    def from_disk(self, path: str | Path, **kwargs: Any) -> ClinicalTokenizer:
        """No state; the vocabulary may have been read anew."""
        return self.from_bytes(b"")

    def from_bytes(self, data: bytes, **kwargs: Any) -> ClinicalTokenizer:
        """No state; the vocabulary may have been read anew."""
        self._orths = PerWord(self._orth, np.uint64)
        return self

    def _orth(self, word: str) -> int:
        """The hash of a word that the vocabulary keeps for good, memory zone or not; 0 for others.

        Hashes make a Doc in a sixth of the time that strings take. What is not a plain word, of which there is no end,
        is left to the memory zone.
        """
        plain = word.isascii() and (len(word) == 1 or (len(word) <= _PLAIN and word.isalpha()))
        return self.vocab.strings.add(word, allow_transient=False) if plain else 0

    def pipe(self, texts: Iterable[str], batch_size: int = 1000) -> Iterable[Doc]:
        """Tokenize a stream of texts."""
        for text in texts:
            yield self(text)


@spacy.registry.tokenizers("clinspan.tokenizer.v1")
def create_tokenizer() -> Callable[[Language], ClinicalTokenizer]:
    """The tokenizer, for ``[nlp.tokenizer]`` in a pipeline's config."""

    def make(nlp: Language) -> ClinicalTokenizer:
        return ClinicalTokenizer(nlp.vocab)

    return make


@spacy.registry.callbacks("clinspan.max_length.v1")
def create_max_length(characters: int = 100_000_000) -> Callable[[Language], Language]:
    """A callback that lifts spaCy's limit on text length, which its config cannot set."""

    def set_max_length(nlp: Language) -> Language:
        nlp.max_length = characters
        return nlp

    return set_max_length


def make_doc(vocab: Vocab, words: list[str], spaces: list[bool]) -> Doc:
    """A Doc of these tokens, its words at hand for the components that follow."""
    doc = Doc(vocab, words=words, spaces=spaces)
    remember(doc, Tokens(words, ()))
    return doc


def breaks_line(word: str) -> bool:
    """Whether a token is white space with a line end in it."""
    return word.isspace() and ("\n" in word or "\r" in word)
