"""Texts with entities marked inline: ``Denies [chest pain=absent].`` or ``[MRI|MEASUREMENT=hypothetical+negated]``."""

from __future__ import annotations

import re

_MARK = re.compile(r"\[([^\[\]|=]+?)(?:\|([A-Z]+))?(?:=([a-z+]+))?\]")


def parse(marked: str, *, label: str = "CONDITION") -> tuple[str, list[tuple[int, int, str]], list[str]]:
    """The bare text, the spans (start, end, label), and what stands behind each ``=``."""
    text, spans, expected, place = "", [], [], 0
    for match in _MARK.finditer(marked):
        if match[2] is None and match[3] is None:
            continue
        text += marked[place : match.start()]
        spans.append((len(text), len(text) + len(match[1]), match[2] or label))
        expected.append(match[3] or "")
        text += match[1]
        place = match.end()
    return text + marked[place:], spans, expected
