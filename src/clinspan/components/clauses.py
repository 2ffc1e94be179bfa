"""What stands between and around entities, read from the words alone: lists, clauses, values, the ends of lines."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

_BULLETS = frozenset(["-", "*", "\u2022", "\u00b7", "\u2013", "+"])
_NEAR = 12  # tokens before an entity that tell whether it begins a clause
_ITEM = 6  # words of a line that is an item of the list above it


def is_item(words: Sequence[str], begin: int, end: int, first: int) -> bool:
    """Whether the line ``[begin, end)``, whose first entity is at ``first``, is an item of the list that a line headed.

    It has a bullet or a number, or it begins with the entity, has few words and follows without a blank line.
    """
    if words[begin] in _BULLETS or words[begin].isdigit():
        return True
    if first != begin or (begin and words[begin - 1].count("\n") > 1):
        return False
    ink = [word for word in words[begin:end] if not word.isspace()]
    return len(ink) <= _ITEM and ":" not in ink


def next_ink(words: Sequence[str], place: int) -> int:
    """The first token from ``place`` on that is not white space."""
    while place < len(words) and words[place].isspace():
        place += 1
    return place


def last_ink(words: Sequence[str], place: int) -> int:
    """One past the last token before ``place`` that is not white space."""
    while place and words[place - 1].isspace():
        place -= 1
    return place


class Clauses(NamedTuple):
    """Words of a language that tell how entities hang together: the sets of these names in its table of rules."""

    separators: frozenset[str]  # between the items of a list
    alternatives: frozenset[str]  # of these, the ones that go on with what was denied: "or", "such as"
    coordinating: frozenset[str]  # between clauses
    affirming: frozenset[str]  # "No tobacco use, occasional alcohol": what begins so is not denied by the "no"
    results: frozenset[str]  # behind a measurement
    verbs: frozenset[str]  # behind an entity that begins a clause
    looked_for: frozenset[str]  # verbs that say of a whole list that it was looked for: "no murmurs, rubs were heard"
    done: frozenset[str]  # behind a measurement's verb: "no lactate was drawn"

    @classmethod
    def of(cls, sets: Mapping[str, Collection[str]]) -> Clauses:
        """The words among a table's sets; those that it lacks are empty."""
        return cls(*(frozenset(sets.get(name, ())) for name in cls._fields))

    def begins(self, words: Sequence[str], low: int, start: int, end: int) -> bool:
        """Whether an entity after another one of a list is none of its items.

        "no edema, mild cough", "no fever or vomiting, abdominal pain is worse", "no hydronephrosis and the cyst is
        stable"; not "no fever, rash or mild cough", "no fever, rash, pain is noted".
        """
        between = [word.lower() for word in words[max(low, start - _NEAR) : start] if not word.isspace()]
        comma = max((place for place, word in enumerate(between) if word == ","), default=-1)
        if not self.alternatives.isdisjoint(between[comma + 1 :]):
            return False
        if not self.affirming.isdisjoint(between) or words[start].lower() in self.affirming:
            return True
        if self.coordinating.isdisjoint(between):
            return False
        place = next_ink(words, end)
        if place >= len(words) or words[place].lower() not in self.verbs:
            return False
        after = [word.lower() for word in words[place + 1 : place + 5]]
        return self.looked_for.isdisjoint(after)

    def joined(self, words: Sequence[str], low: int, high: int) -> bool:
        """Whether nothing but separators stands between two entities: they are items of one list."""
        return all(word.lower() in self.separators or word.isspace() for word in words[low:high])

    def has_result(self, words: Sequence[str], end: int) -> bool:
        """Whether a value or a result follows a measurement: it was done."""
        for place, word in enumerate(words[end : end + 3], end):
            low = word.lower()
            if word[:1].isdigit() or low in self.results:
                return low not in self.verbs or self.done.isdisjoint(words[place + 1 : place + 3])
            if word not in (":", "=", "of", "de", "<", ">", "(") and not word.isspace():
                return False
        return False


def closes(words: Sequence[str], end: int) -> bool:
    """Whether a clause ends at token ``end``: punctuation, a line's end, or the text's."""
    if end >= len(words):
        return True
    word = words[end]
    return word in (",", ";", ".", ")", "]", "|", "/") or "\n" in word or (word.isspace() and len(word) > 1)


def same_line(words: Sequence[str], low: int, high: int) -> bool:
    """Whether no line ends among the tokens ``[low, high)``."""
    return not any("\n" in word for word in words[low:high])
