"""What stands between and around entities, read from the words alone: lists, clauses, values, the ends of lines."""

from __future__ import annotations

from collections.abc import Sequence

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


_SEPARATORS = frozenset(", / and or nor & and/or any a the ( )".split())
#: "No tobacco use, occasional alcohol": an item that begins so is not denied by the word before the list.
_AFFIRMING = frozenset(
    """
    a an occasional occasionally social rare rarely mild mildly minimal moderate moderately heavy former some severe
    trace slight slightly chronic stable multiple several numerous marked diffuse elevated increased decreased positive
    """.split()
)
_RESULTS = frozenset(
    "neg negative pos positive nl normal wnl elevated high low unremarkable pending was were is".split()
)


_VERBS = frozenset("is are was were has have had began started worsened improved remains since".split())
#: Verbs that say of a whole list that it was looked for: "no murmurs, rubs, gallops were heard".
_LOOKED_FOR = frozenset(
    """
    heard noted seen appreciated present identified reported found observed detected demonstrated evident elicited
    palpated felt visualized visualised auscultated described mentioned been
    """.split()
)


def begins_clause(words: Sequence[str], low: int, start: int, end: int) -> bool:
    """Whether an entity after another one of a list is none of its items.

    "no edema, mild cough", "no fever or vomiting, abdominal pain is worse", "no hydronephrosis and the cyst is
    stable"; not "no fever, rash or mild cough", "no fever, rash, pain is noted".
    """
    between = [word.lower() for word in words[max(low, start - _NEAR) : start] if not word.isspace()]
    if "or" in between or "nor" in between:
        return False
    if _AFFIRMING.intersection(between) or words[start].lower() in _AFFIRMING:
        return True
    if not {",", "and", ";"}.intersection(between):
        return False
    place = next_ink(words, end)
    if place >= len(words) or words[place].lower() not in _VERBS:
        return False
    after = [word.lower() for word in words[place + 1 : place + 5]]
    return not _LOOKED_FOR.intersection(after)


def joined(words: Sequence[str], low: int, high: int) -> bool:
    """Whether nothing but separators stands between two entities: they are items of one list."""
    return all(word.lower() in _SEPARATORS or word.isspace() for word in words[low:high])


#: "No lactate was drawn": what follows a measurement that was not done.
_DONE = frozenset("drawn obtained done performed sent taken ordered checked given available needed indicated".split())


def has_result(words: Sequence[str], end: int) -> bool:
    """Whether a value or a result follows a measurement: it was done."""
    for place, word in enumerate(words[end : end + 3], end):
        if word[:1].isdigit() or word.lower() in _RESULTS:
            return word.lower() not in ("was", "were", "is") or not _DONE.intersection(words[place + 1 : place + 3])
        if word not in (":", "=", "of", "<", ">", "(") and not word.isspace():
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
