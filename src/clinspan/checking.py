"""Context rules checked before they are used: duplicates, contradictions, cues that can never do anything."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from clinspan.components.context import Context
from clinspan.components.memo import Tokens
from clinspan.components.sentences import Sentences
from clinspan.components.tokenizer import cut_at, words_and_spaces
from clinspan.matching.normal import symbols
from clinspan.rules import Rule

#: What may be wrong with a cue, and what that means.
KINDS: dict[str, str] = {
    "duplicate": "the same cue, direction, axes and value in two rules",
    "contradiction": "the same cue and direction with another value of the same axis, for a common label",
    "example": "an example's entity is not judged by the rule, or, of a pseudo-cue or termination, is judged",
    "silent": "alone beside an entity the cue sets nothing: a pseudo-cue or a longer cue takes its words",
}
_BEFORE = ("before", "both")
_AFTER = ("after", "answer", "beside")
_ENTITY = "zzz"


class Problem(NamedTuple):
    """Something wrong with a cue of a rule; ``other`` is the rule it is at odds with, if any."""

    kind: str
    rule_id: str
    cue: str
    other: str = ""


def check(context: Context, *, only: Collection[str] | None = None) -> list[Problem]:
    """What is wrong with a component's rules, in their order.

    Args:
        context: the component; its rules are those of the package and the user's.
        only: ids of the rules to report on; all when ``None``.
    """
    problems = list(dict.fromkeys([*_pairs(context.rules), *_examples(context), *_silent(context)]))
    order = {rule.id: number for number, rule in enumerate(context.rules)}
    problems.sort(key=lambda problem: (order[problem.rule_id], problem.cue))
    return [p for p in problems if only is None or p.rule_id in only or p.other in only]


def _pairs(rules: Sequence[Rule]) -> Iterator[Problem]:
    by_cue: dict[tuple[tuple[str, ...], str], list[tuple[Rule, str]]] = defaultdict(list)
    for rule in rules:
        for cue in rule.cues:
            by_cue[tuple(symbols(cue)), rule.direction].append((rule, cue))
    for (form, _), group in by_cue.items():
        for number, (rule, cue) in enumerate(group):
            for earlier, written in group[:number]:
                if not form and cue != written:
                    continue  # signs have no normal form
                if rule is earlier or not set(rule.axes) & set(earlier.axes) or not rule.labels & earlier.labels:
                    continue
                if rule.value == earlier.value or rule.direction in ("pseudo", "termination"):
                    if rule.axes == earlier.axes:
                        yield Problem("duplicate", rule.id, cue, earlier.id)
                else:
                    yield Problem("contradiction", rule.id, cue, earlier.id)


def _examples(context: Context) -> Iterator[Problem]:
    for rule in context.rules:
        for example in rule.examples:
            if not _holds(context, rule, example):
                yield Problem("example", rule.id, example)


def _holds(context: Context, rule: Rule, example: str) -> bool:
    """Whether an entity in brackets is judged by the rule; or, where the rule judges none, not judged on its axes."""
    pieces = re.split(r"[\[\]]", example)
    if len(pieces) < 3 or len(pieces) % 2 == 0:
        return False
    marks = list(accumulate(map(len, pieces)))
    starts, ends = marks[0:-1:2], marks[1::2]
    words, spaces = cut_at(*words_and_spaces("".join(pieces)), starts, ends)
    offsets = list(accumulate((len(word) + space for word, space in zip(words, spaces)), initial=0))
    label = "CONDITION" if "CONDITION" in rule.labels else min(rule.labels)
    tokens = Tokens(words, offsets[:-1])
    entities = [
        (offsets.index(s), offsets.index(e) if e in offsets else offsets.index(e + 1), label)
        for s, e in zip(starts, ends)
    ]
    found = context.judge(tokens, Sentences().starts(tokens), entities)
    if rule.direction in ("pseudo", "termination"):
        return not any(judgement.axis in rule.axes for judgements in found for judgement in judgements)
    return any(judgement.rule_id == rule.id for judgements in found for judgement in judgements)


def _silent(context: Context) -> Iterator[Problem]:
    for rule in context.rules:
        for cue in rule.cues:
            spoken = _spoken(cue)
            if rule.direction == "listed":
                texts, place = [f"{spoken} this , {_ENTITY} ."], -2
            elif rule.direction in _BEFORE:
                texts, place = [f"{spoken} {_ENTITY} ."], -2
            elif rule.direction in _AFTER:
                texts, place = [f"{_ENTITY} {spoken} .", f"{_ENTITY} {spoken} by"], 0
            else:
                continue
            if not any(_fires(context, rule, text, place) for text in texts):
                yield Problem("silent", rule.id, cue)


def _spoken(cue: str) -> str:
    """A cue with examples for its classes of tokens."""
    return cue.replace("<num>", "3").replace("<year>", "1998").removeprefix("=")


def _fires(context: Context, rule: Rule, text: str, place: int) -> bool:
    words, spaces = words_and_spaces(text)
    at = place % len(words)
    offsets = []
    offset = 0
    for word, space in zip(words, spaces):
        offsets.append(offset)
        offset += len(word) + space
    entities = [(at, at + 1, label) for label in sorted(rule.labels)]
    for entity in entities:
        (found,) = context.judge(Tokens(words, offsets), [0], [entity])
        if any(judgement.rule_id == rule.id for judgement in found):
            return True
    return False


def summary(problems: Iterable[Problem]) -> Iterator[str]:
    """A line for each problem."""
    for problem in problems:
        beside = f" (also {problem.other})" if problem.other and problem.other != problem.rule_id else ""
        yield f"{problem.rule_id} {problem.kind}: {problem.cue!r}{beside}"
