"""Context rules as data: reading and checking their tables.

The columns of ``resources/en/context.tsv``, and of a user's own table:

- ``id``; ``axis``: one or several of the flags joined by ``+``, or ``experiencer``; for a termination the axes it ends;
- ``value``: the sub-value shown in ``cues`` (``past``, ``planned``, …), or the experiencer; ``no`` clears a flag that
  the section would set, and, after the entity, one that a cue before it would;
- ``direction``: ``before`` (the cue stands before the entity), ``listed`` (before a list, of its further items, where
  what it begins with is no entity: "no change in appetite, fever or cough"; of the first it says nothing), ``after``,
  ``answer`` (after it and last in its clause: "fever: no,"), ``both``, ``beside`` (both, but not along a list: "cyst
  versus abscess"), ``attached`` (a sign written onto the entity), ``self`` (the entity itself, a single word),
  ``within`` (the first of the entity's words), ``sign`` (a word right before the entities of a sentence, or right
  behind them, where others have the opposite one: "+ cough - fever"), ``reply`` (a sentence's first word, of the
  question before it: "Fever? No."), ``pseudo`` (looks like a cue of its axes and is none), ``termination`` (ends the
  scopes of its axes), ``set`` (no rule: a list of words that cues name as ``@id``);
- ``scope``: most tokens between cue and entity, empty for the whole sentence; ``stops``: tokens that end the scope;
- ``labels``: the labels it may touch, empty for all but ANATOMY;
- ``cues``: wordings separated by ``|``; ``{a,b}`` and ``@set`` stand for each of several words;
- ``why`` and ``examples``, which a table may leave out: what the rule is for, and sentences separated by ``|`` with the
  entities that it judges in brackets ("No [fever]."), or, for a pseudo-cue or a termination, those that it saves from
  being judged. ``clinspan check`` runs them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import product
from typing import NamedTuple

from clinspan import schema

#: Columns that a table of rules must have.
COLUMNS = ("id", "axis", "value", "direction", "scope", "stops", "labels", "cues")
#: Directions whose cues are single words beside or in the entity, not searched for in the text.
WORD_DIRECTIONS = ("attached", "self", "within", "sign", "reply")
DIRECTIONS = ("before", "listed", "after", "answer", "both", "beside", *WORD_DIRECTIONS, "pseudo", "termination")
AXES = (*schema.FLAGS, "experiencer")
#: Labels that no rule touches unless it names them, and the others.
NOT_JUDGED = frozenset(["ANATOMY"])
JUDGED = frozenset(schema.LABELS) - NOT_JUDGED


class Rule(NamedTuple):
    """One context rule; see the module."""

    id: str
    axes: tuple[str, ...]
    value: str
    direction: str
    scope: int
    stops: frozenset[str]
    labels: frozenset[str]
    cues: tuple[str, ...]
    why: str = ""
    examples: tuple[str, ...] = ()


def read_rules(rows: Iterable[dict[str, str]]) -> list[Rule]:
    """Rules from table rows, sets and braces written out.

    Raises:
        ValueError: an unknown axis, direction or label, or a set that is not defined; the message gives the rule's id.
    """
    sets: dict[str, list[str]] = {}
    rules = []
    for row in rows:
        cues = [cue.strip() for cue in row["cues"].split("|") if cue.strip()]
        if row["direction"] == "set":
            sets[row["id"]] = cues
            continue
        axes = tuple(row["axis"].split("+")) if row["axis"] else ()
        labels = frozenset(row["labels"].split("|")) if row["labels"] else JUDGED
        if row["direction"] not in DIRECTIONS:
            raise ValueError(f"rule {row['id']}: direction is not one of {', '.join(DIRECTIONS)}")
        if not set(axes) <= {*AXES, "all"} or (not axes and row["direction"] != "pseudo"):
            raise ValueError(f"rule {row['id']}: axis is not one of {', '.join(AXES)}")
        if not labels <= set(schema.LABELS):
            raise ValueError(f"rule {row['id']}: labels are not among {', '.join(schema.LABELS)}")
        try:
            written = tuple(w for cue in cues for w in _write_out(cue, sets))
        except KeyError as error:
            raise ValueError(f"rule {row['id']}: no set {error}") from None
        if axes == ("all",) or not axes:
            axes = AXES
        value = row["value"] or "true"
        if (
            "experiencer" in axes
            and row["direction"] not in ("termination", "pseudo")
            and value not in schema.EXPERIENCERS
        ):
            raise ValueError(f"rule {row['id']}: value is not one of {', '.join(schema.EXPERIENCERS)}")
        if row["scope"] and not row["scope"].isdigit():
            raise ValueError(f"rule {row['id']}: scope is not a number of tokens")
        scope = int(row["scope"]) if row["scope"] else 0
        stops = frozenset(row["stops"].split("|")) if row["stops"] else frozenset()
        why = row.get("why") or ""
        examples = tuple(e.strip() for e in (row.get("examples") or "").split("|") if e.strip())
        rules.append(Rule(row["id"], axes, value, row["direction"], scope, stops, labels, written, why, examples))
    return rules


_GROUP = re.compile(r"\{([^{}]*)\}|@(\w+)")


def _write_out(cue: str, sets: dict[str, list[str]]) -> Iterator[str]:
    parts: list[list[str]] = []
    place = 0
    for match in _GROUP.finditer(cue):
        parts.append([cue[place : match.start()]])
        parts.append(match[1].split(",") if match[1] is not None else sets[match[2]])
        place = match.end()
    parts.append([cue[place:]])
    for choice in product(*parts):
        yield " ".join("".join(choice).split())
