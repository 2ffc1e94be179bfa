"""The wordings of context rules in a sentence: found, conflicts settled, and what each does worked out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from clinspan.components.clauses import closes, last_ink, next_ink
from clinspan.matching import Matcher, TermIndex
from clinspan.rules import WORD_DIRECTIONS, Rule

_FORWARDS = ("before", "both", "beside")
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


class Cues:
    """Finds the cues of rules in a sentence; :meth:`of` settles their conflicts."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules
        numbered = ((number, rule) for number, rule in enumerate(rules) if rule.direction not in WORD_DIRECTIONS)
        self.matcher = Matcher(TermIndex.build([(cue, number) for number, rule in numbered for cue in rule.cues]))
        self._effects: dict[tuple[int, ...], Effect] = {}

    def all(self, line: Sequence[str]) -> Iterator[tuple[int, int, list[Rule]]]:
        """Every wording in a sentence, also overlapping ones: first token, one past the last, the rules."""
        for start, stop, ids in self.matcher.all(line):
            yield start, stop, [self._rules[i] for i in ids]

    def of(
        self,
        line: Sequence[str],
        begin: int,
        entities: Sequence[tuple[int, int, str]],
        *,
        carried: bool,
    ) -> list[Cue]:
        """The cues of the sentence ``line``, whose first token is ``begin``, in order.

        None overlaps another or an entity's beginning. A pseudo-cue rules out the cues of its axes that end within it
        ("there is [no change in]", "[mother denies] any history of"). Cues that only end scopes are left out where none
        can be open.
        """
        taken = {token - begin for first, past, _ in entities for token in range(first, past)}
        matches = [
            (start + begin, stop + begin, self._effects.get(ids) or self._effect(ids))
            for start, stop, ids in self.matcher.all(line)
            if start not in taken and (stop - start == 1 or stop - 1 not in taken)
        ]
        if not carried and not any(effect.opens for _, _, effect in matches):
            return []
        pseudo: dict[int, list[tuple[int, int, frozenset[str]]]] = {}  # by token: those over it
        for start, stop, effect in matches:
            if effect.pseudo:
                for token in range(start, stop):
                    pseudo.setdefault(token, []).append((start, stop, effect.axes))
        found: list[Cue] = []
        last = 0
        for start, stop, effect in matches:
            if start < last:
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
            if effect.unclosed is not None and not closes(line, stop - begin):
                effect = effect.unclosed
                if not effect.axes:
                    continue
            found.append(Cue(start, stop, effect))
            last = stop
        return found

    def _effect(self, ids: tuple[int, ...]) -> Effect:
        rules = [self._rules[i] for i in ids]
        effect = _effect_of(rules)
        if any(rule.direction == "answer" for rule in rules):
            effect = effect._replace(unclosed=_effect_of([rule for rule in rules if rule.direction != "answer"]))
        self._effects[ids] = effect
        return effect


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
        pseudo=any(rule.direction == "pseudo" for rule in rules),
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
