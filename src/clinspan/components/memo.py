"""What the components read of the same Doc in turn, read once: words and their numbers, offsets, sentences, spans.

Every written form has a number, the same in all Docs, so what a component wants to know of each token is one look-up
in an array (:class:`PerWord`). Reading a span group makes every Span anew, which costs more than judging it. The
memory is of the last few Docs, as many as a component that works on several at once is given.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
from spacy.attrs import IDX, SENT_START
from spacy.tokens import Doc, Span, SpanGroup

T = TypeVar("T")
_growing = threading.RLock()


class Lexicon(dict[str, int]):
    """Numbers of written forms, given as they are met."""

    limit = 200_000  # written forms before a new lexicon is begun

    def __init__(self) -> None:
        super().__init__()
        self.forms = np.empty(1024, dtype=object)  # by number; more than there are

    def __missing__(self, word: str) -> int:
        with _growing:
            number = self.get(word)
            if number is None:
                number = len(self)
                self.forms = _room(self.forms, number)
                self.forms[number] = word
                self[word] = number
        return number

    def numbers(self, words: Iterable[str]) -> np.ndarray:
        """The numbers of words."""
        return np.fromiter(map(self.__getitem__, words), dtype=np.int32)


def _room(values: np.ndarray, number: int) -> np.ndarray:
    """The array with room for an item of that number: twice as long, if need be."""
    if number < len(values):
        return values
    wider = np.zeros((max(2 * len(values), number + 1), *values.shape[1:]), dtype=values.dtype)
    wider[: len(values)] = values
    return wider


_lexicon = Lexicon()


def lexicon() -> Lexicon:
    """The lexicon for the next text."""
    global _lexicon
    if len(_lexicon) > Lexicon.limit:
        _lexicon = Lexicon()
    return _lexicon


class _Known(NamedTuple):
    """What is known of a lexicon's forms, by number, with room for more: whether anything is, and the values."""

    lexicon: Lexicon | None
    known: np.ndarray
    values: np.ndarray


class PerWord:
    """What a function says of a written form, an integer or a row of them, worked out once a form that is met."""

    def __init__(self, function: Callable[[str], Any], dtype: Any = np.uint8, columns: int = 0) -> None:
        self._function = function
        self._state = _Known(None, np.zeros(0, dtype=bool), np.zeros((0, columns) if columns else 0, dtype=dtype))

    def __reduce__(self) -> tuple[Any, ...]:
        values = self._state.values
        return type(self), (self._function, values.dtype, *values.shape[1:])  # what was worked out stays behind

    def of(self, tokens: Tokens) -> np.ndarray:
        """The values of the tokens."""
        state = self._state
        if (
            state.lexicon is not tokens.lexicon
            or len(state.known) < len(tokens.lexicon)
            or not state.known[tokens.numbers].all()
        ):
            state = self._learn(tokens)
        return state.values[tokens.numbers]

    def _learn(self, tokens: Tokens) -> _Known:
        with _growing:
            lexicon, known, values = self._state
            if lexicon is not tokens.lexicon:
                lexicon, known, values = tokens.lexicon, known[:0], values[:0]
            known, values = (_room(array, len(lexicon)) for array in (known, values))
            for number in np.unique(tokens.numbers[~known[tokens.numbers]]).tolist():
                values[number] = self._function(lexicon.forms[number])
                known[number] = True
            self._state = _Known(lexicon, known, values)
            return self._state

    def places(self, tokens: Tokens) -> list[int]:
        """The tokens whose value is not 0."""
        places: list[int] = np.flatnonzero(self.of(tokens)).tolist()
        return places


class Tokens:
    """The tokens of a text: written forms, character offsets, and the forms' numbers in the lexicon."""

    __slots__ = ("lexicon", "numbers", "offsets", "words")

    def __init__(
        self,
        words: list[str],
        offsets: Sequence[int],
        numbered: tuple[Lexicon, np.ndarray] | None = None,
    ) -> None:
        self.words = words
        self.offsets = offsets
        if numbered is None:
            known = lexicon()
            numbered = (known, known.numbers(words))
        self.lexicon, self.numbers = numbered


class _Memo:
    """What is known of the last Doc."""

    __slots__ = ("doc", "groups", "sent_start", "starts", "tokens")

    def __init__(self, doc: Doc, tokens: Tokens) -> None:
        self.doc = weakref.ref(doc)
        self.tokens = tokens
        self.sent_start: np.ndarray | None = None  # as last read from the Doc
        self.starts: list[int] = []
        self.groups: dict[str, tuple[SpanGroup, list[Span]]] = {}


#: Docs of which something is kept: at most so many, and of at most so many tokens together beside the last.
KEPT_DOCS, KEPT_TOKENS = 32, 50_000
_recent: dict[int, _Memo] = {}  # by the Doc's id, the last one last


def remember(doc: Doc, tokens: Tokens) -> _Memo:
    """Keep the tokenizer's own strings for the components that follow; their offsets are read from the Doc."""
    tokens.offsets = doc.to_array([IDX]).tolist() if len(doc) else []
    memo = _Memo(doc, tokens)
    with _growing:
        _recent.pop(id(doc), None)
        size = sum(len(known.tokens.words) for known in _recent.values())
        while _recent and (len(_recent) >= KEPT_DOCS or size + len(doc) > KEPT_TOKENS):
            size -= len(_recent.pop(next(iter(_recent))).tokens.words)
        _recent[id(doc)] = memo
    return memo


def _memo(doc: Doc) -> _Memo:
    memo = _recent.get(id(doc))
    if memo is None or memo.doc() is not doc or len(memo.tokens.words) != len(doc):
        memo = remember(doc, Tokens([token.text for token in doc], ()))
    return memo


def tokens_of(doc: Doc) -> Tokens:
    """The tokens of a Doc; not to be changed."""
    return _memo(doc).tokens


def sentence_starts(doc: Doc) -> list[int]:
    """Numbers of the tokens that begin a sentence, the first token among them; not to be changed."""
    if not len(doc):
        return []
    memo = _memo(doc)
    flags = doc.to_array([SENT_START])
    if memo.sent_start is None or not np.array_equal(flags, memo.sent_start):
        starts = np.flatnonzero(flags == 1).tolist()
        memo.starts = starts if starts and not starts[0] else [0, *starts]
        memo.sent_start = flags
    return memo.starts


def set_spans(doc: Doc, name: str, spans: list[Span]) -> None:
    """Write a span group; :func:`spans_of` gives these very Spans back."""
    group = SpanGroup(doc, name=name, spans=spans)
    doc.spans[name] = group
    _memo(doc).groups[name] = (group, spans)


def spans_of(doc: Doc, name: str) -> Sequence[Span]:
    """The spans of a group, none where there is no such group; not to be changed.

    The Spans last written are given only while the group is the same object with as many spans and the same first and
    last one: a component of someone else's may have changed it.
    """
    group = doc.spans.get(name, None)
    if group is None or not len(group):
        return ()
    memo = _memo(doc)
    known = memo.groups.get(name)
    if known is not None:
        spans = known[1]
        if known[0] is group and len(spans) == len(group) and spans[0] == group[0] and spans[-1] == group[-1]:
            return spans
    spans = list(group)
    memo.groups[name] = (group, spans)
    return spans


def together(items: Iterable[T], size: Callable[[T], int], *, most: int) -> Iterator[list[T]]:
    """The items in batches: as many as something is kept of, whose sizes sum up to ``most``; a larger one alone."""
    batch: list[T] = []
    total = 0
    for item in items:
        if batch and (len(batch) >= KEPT_DOCS - 2 or total + size(item) > most):
            yield batch
            batch, total = [], 0
        batch.append(item)
        total += size(item)
    if batch:
        yield batch
