"""The wordings of context rules in a sentence: found, conflicts settled, and what each does worked out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from clinspan.components.clauses import closes, last_ink, next_ink
from clinspan.components.memo import PerWord, Tokens
from clinspan.matching import Matcher, TermIndex
from clinspan.matching.normal import NUMBER, YEAR, symbols
from clinspan.rules import WORD_DIRECTIONS, Rule

_OPENING = ("before", "listed", "after", "answer", "both", "beside")
_THROUGH = 2  # in the first column: a form that is looked through
#: What is known of a written form: whether a cue may begin with it; whether it alone may be one that begins a scope;
#: what has to stand before it, or behind it, for that; what it begins and ends with.
_COLUMNS = ("begins", "alone", "before", "behind", "first", "last")
_FREQUENT = frozenset(
    """
    the was of to in with and a an is were then for , : - ( ) / . as be there this that had has have he she his her
    by at on from we i it been are will no
    """.split()
)
_FORWARDS = ("before", "listed", "both", "beside")
_BACKWARDS = ("after", "answer", "both", "beside")
#: Axes on which a cue that may stand on either side of an entity says something of one side only.
_SIDED = frozenset(["negated", "uncertain"])


class Effect(NamedTuple):
    """What a cue's rules do, worked out once: the axes they end, and those they begin a scope on."""

    pseudo: bool  # whether one of the rules says that it is no cue
    axes: frozenset[str]  # of all rules; of a pseudo-cue those that it is none of
    opens: bool  # whether it begins a scope
    two_sided: bool  # whether it may stand on either side of an entity, and says something of one side only
    ends: tuple[str, ...]
    before: tuple[tuple[str, tuple[Rule, ...]], ...]
    after: tuple[tuple[str, tuple[Rule, ...]], ...]
    unclosed: Effect | None = None  # of a cue that may be an answer: what it does where it does not end its clause

    def without(self, axes: frozenset[str]) -> Effect:
        """What it does on other axes."""
        before, after = (tuple(item for item in side if item[0] not in axes) for side in (self.before, self.after))
        ends = tuple(axis for axis in self.ends if axis not in axes)
        return self._replace(
            axes=self.axes - axes, opens=bool(before or after), ends=ends, before=before, after=after, unclosed=None
        )


class Cue(NamedTuple):
    """A cue that counts: tokens ``[start, end)`` of the Doc, and what it does."""

    start: int
    end: int
    effect: Effect


class Found(NamedTuple):
    """Where the cues of a text may be, in tokens."""

    marks: list[int]  # where one may be that begins a scope, or a sign; a sentence without has neither
    places: list[int]  # where one may begin


class Cues:
    """Finds the cues of rules in a sentence; :meth:`of` settles their conflicts."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules
        numbered = ((number, rule) for number, rule in enumerate(rules) if rule.direction not in WORD_DIRECTIONS)
        forms = {cue: symbols(cue) for rule in rules if rule.direction not in WORD_DIRECTIONS for cue in rule.cues}
        named = [(forms[cue], number) for number, rule in numbered for cue in rule.cues]
        self.matcher = Matcher(TermIndex.build_symbols(named))
        self._effects: dict[tuple[int, ...], Effect] = {}
        self._signs = {cue for rule in rules if rule.direction == "sign" for cue in rule.cues}
        self._bits: dict[int, int] = {}  # by symbol that is beside the rarest one of a wording
        self._alone, self._beside = self._anchors(
            {forms[cue] for rule in rules if rule.direction in _OPENING for cue in rule.cues}
        )
        self._table = PerWord(self._row, np.uint64, len(_COLUMNS))

    def _anchors(self, forms: Iterable[tuple[str, ...]]) -> tuple[set[int], dict[int, tuple[int, int]]]:
        """Single symbols that begin scopes; and the rarest symbol of each longer wording, with its neighbour.

        Neighbours are sets as bits: those before the symbol, and those behind it. Some symbols share a bit, so a test
        may say yes where no is right.
        """
        number, bits = lru_cache(maxsize=None)(self.matcher.index.number), self._bits
        for symbol in (NUMBER, YEAR, *sorted(_FREQUENT)):  # a bit each
            bits[number(symbol)] = 1 << len(bits)
        alone: set[int] = set()
        beside: dict[int, tuple[int, int]] = {}
        for form in sorted(forms):
            if len(form) == 1:
                alone.add(number(form[0]))
                continue
            rarest = max(range(len(form)), key=[_weight(symbol) for symbol in form].__getitem__)
            before, behind = beside.get(number(form[rarest]), (0, 0))
            if rarest + 1 < len(form):
                behind |= bits.setdefault(number(form[rarest + 1]), _shared(len(bits)))
            else:
                before |= bits.setdefault(number(form[rarest - 1]), _shared(len(bits)))
            beside[number(form[rarest])] = (before, behind)
        return alone, beside

    def found_in(self, tokens: Tokens) -> Found:
        """Where the cues of a text may be."""
        rows = self._table.of(tokens)
        ink = np.flatnonzero(rows[:, 0] != _THROUGH)
        begins, alone, before, behind, first, last = rows[ink].T
        marked = alone  # of a copy
        marked[:-1] |= behind[:-1] & first[1:]
        marked[1:] |= before[1:] & last[:-1]
        return Found(ink[marked != 0].tolist(), ink[begins != 0].tolist())

    def all(self, line: Sequence[str]) -> Iterator[tuple[int, int, list[Rule]]]:
        """Every wording in a sentence, also overlapping ones: first token, one past the last, the rules."""
        for start, stop, ids in self.matcher.all(line):
            yield start, stop, [self._rules[i] for i in ids]

    def of(
        self,
        words: Sequence[str],
        begin: int,
        end: int,
        places: Sequence[int],
        taken: Sequence[int],
        *,
        carried: bool,
    ) -> list[Cue]:
        """The cues of the sentence ``[begin, end)``, in order.

        ``places`` are the tokens there that cues may begin at; ``taken`` says of every token whether an entity holds
        it. No cue overlaps another or an entity's beginning. A pseudo-cue rules out the cues of its axes that end
        within it ("there is [no change in]", "[mother denies] any history of"). Cues that only end scopes are left out
        where none can be open.
        """
        effects = self._effects
        matches = []
        pseudo: dict[int, list[tuple[int, int, frozenset[str]]]] = {}  # by token: those over it
        opens = carried
        for start, stop, ids in self.matcher.all(words, places, end):
            if taken[start] or taken[stop - 1]:
                continue
            effect = effects.get(ids) or self._effect(ids)
            opens = opens or effect.opens
            if effect.pseudo:
                for token in range(start, stop):
                    pseudo.setdefault(token, []).append((start, stop, effect.axes))
            matches.append((start, stop, effect))
        if not opens:
            return []
        found: list[Cue] = []
        last = covered = 0  # ends of the last cue that begins a scope, and of the last that only ends some
        for start, stop, effect in matches:
            if start < last or stop <= covered:
                continue
            if effect.pseudo:
                if not effect.opens:
                    continue
            elif stop - 1 in pseudo:
                for first, past, axes in pseudo[stop - 1]:
                    if first < start or past > stop:  # not one within the cue's own words
                        effect = effect.without(axes)
                if not effect.axes:
                    continue
            if effect.unclosed is not None and stop < end and not closes(words, stop):
                effect = effect.unclosed
                if not effect.axes:
                    continue
            found.append(Cue(start, stop, effect))
            if effect.opens:
                last = stop
            else:
                covered = stop
        return found

    def _row(self, word: str) -> tuple[int, ...]:
        """What :data:`_COLUMNS` say of a written form."""
        readings = self.matcher.read(word)
        if readings is None:  # looked through
            return (_THROUGH, 0, 0, 0, 0, 0)
        alone = word.lower() in self._signs
        before = behind = first = last = 0
        for reading in readings:
            for number in (n for numbers in reading for n in numbers):
                alone = alone or number in self._alone or (number in self._beside and len(reading) > 1)
                asked = self._beside.get(number, (0, 0))
                before, behind = before | asked[0], behind | asked[1]
            for number in reading[0]:
                first |= self._bits.get(number, 0)
            for number in reading[-1]:
                last |= self._bits.get(number, 0)
        return (self.matcher.begins(word), alone, before, behind, first, last)

    def _effect(self, ids: tuple[int, ...]) -> Effect:
        rules = [self._rules[i] for i in ids]
        effect = _effect_of(rules)
        if any(rule.direction == "answer" for rule in rules):
            effect = effect._replace(unclosed=_effect_of([rule for rule in rules if rule.direction != "answer"]))
        self._effects[ids] = effect
        return effect


def _shared(count: int) -> int:
    """A bit for one more symbol, of those that the frequent ones leave."""
    return 1 << 63 - count % (62 - len(_FREQUENT))


def _weight(symbol: str) -> int:
    """How rare a symbol may be: long words are; words of every sentence, and classes of words, are not."""
    return -1 if symbol in _FREQUENT or symbol[0] in "<*" else len(symbol)


def _effect_of(rules: Sequence[Rule]) -> Effect:
    ends = dict.fromkeys(axis for rule in rules if rule.direction == "termination" for axis in rule.axes)
    begins: list[dict[str, list[Rule]]] = [{}, {}]
    for rule in rules:
        for side, directions in enumerate((_FORWARDS, _BACKWARDS)):
            if rule.direction in directions:
                for axis in rule.axes:
                    begins[side].setdefault(axis, []).append(rule)
    before, after = (tuple((axis, tuple(group)) for axis, group in side.items()) for side in begins)
    return Effect(
        pseudo=any(rule.direction in ("pseudo", "listed") for rule in rules),
        axes=frozenset(axis for rule in rules for axis in rule.axes),
        opens=bool(before or after),
        two_sided=_two_sided(rules),
        ends=tuple(ends),
        before=before,
        after=after,
    )


def sided(words: Sequence[str], cues: list[Cue], entities: Sequence[tuple[int, int, str]]) -> list[Cue]:
    """The cues, those of negation and doubt that may stand on either side of an entity taken for one side.

    "less likely pneumonia" says nothing of what comes before it. Between two entities ("fever neg cough pos") the side
    is that of the first such cue of the sentence.
    """
    starts = {start for start, _, _ in entities}
    ends = {end for _, end, _ in entities}
    first = min(starts, default=0)
    prefixed = any(cue.end <= first and cue.effect.two_sided for cue in cues)
    out = []
    for cue in cues:
        effect = cue.effect
        if effect.two_sided:
            ahead = next_ink(words, cue.end) in starts
            behind = last_ink(words, cue.start) in ends
            if ahead and (not behind or prefixed):
                effect = effect._replace(after=())
            elif behind and ahead:
                effect = effect._replace(before=())
        out.append(cue._replace(effect=effect))
    return out


def _two_sided(rules: Sequence[Rule]) -> bool:
    judging = {rule.direction for rule in rules if not _SIDED.isdisjoint(rule.axes)}
    return "before" in judging and not judging.isdisjoint(("after", "answer")) and "beside" not in judging
