"""What rules and sections say of an entity, and what of it is stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from spacy.tokens import Span

from clinspan.rules import JUDGED


class Judgement(NamedTuple):
    """What set an axis of an entity: value, rule, and the tokens of the cue."""

    axis: str
    value: str
    rule_id: str
    start: int
    end: int


class SectionDefault(NamedTuple):
    """What a section says of the entities in it, unless a cue says otherwise."""

    axis: str
    value: str
    labels: frozenset[str]


_EVENTS = frozenset(["CONDITION", "PROCEDURE", "MEASUREMENT", "DEVICE"])
SECTION_DEFAULTS: dict[str, SectionDefault] = {
    "past_medical_history": SectionDefault("historical", "past", _EVENTS),
    "past_surgical_history": SectionDefault("historical", "past", _EVENTS),
    "past_history": SectionDefault("historical", "past", _EVENTS),
    "psychiatric_history": SectionDefault("historical", "past", _EVENTS),
    "obstetric_history": SectionDefault("historical", "past", _EVENTS),
    "gynecologic_history": SectionDefault("historical", "past", _EVENTS),
    "family_history": SectionDefault("experiencer", "family", JUDGED),
    "allergies": SectionDefault("allergy", "true", frozenset(["DRUG", "CONDITION", "DEVICE"])),
    "comparison": SectionDefault("historical", "past", frozenset(["MEASUREMENT"])),
    "instructions": SectionDefault("hypothetical", "instruction", frozenset(["CONDITION"])),
}


#: Sections that tell what was done in this visit: "the bronchoscope was removed" is no past there.
_DONE_HERE = frozenset(["procedures", "technique", "anesthesia"])


def as_stored(
    found: Sequence[Judgement],
    words: Sequence[str],
    offsets: Sequence[int],
    section: tuple[str, Span] | None,
    default: SectionDefault | None,
    label: str,
) -> dict[str, Any]:
    """What is stored for an entity: its section, the flags set, and what set each."""
    group, title = section if section is not None else (None, None)
    values: dict[str, Any] = {} if group is None else {"section": group}
    cues: list[list[Any]] = []
    for axis, value, rule_id, first, last in found:
        if value in ("patient", "no") or (value == "stopped" and group in _DONE_HERE):
            continue
        values[axis] = value if axis == "experiencer" else True
        cues.append([axis, value, rule_id, offsets[first], offsets[last - 1] + len(words[last - 1])])
    if default is not None and title is not None and label in default.labels:
        axis, value = default.axis, default.value
        if not any(judgement.axis == axis for judgement in found):
            values[axis] = value if axis == "experiencer" else True
            cues.append([axis, value, f"section:{group}", title.start_char, title.end_char])
    if values.get("negated") and values.get("allergy"):
        del values["allergy"]  # "no known drug allergies"
        cues = [cue for cue in cues if cue[0] != "allergy"]
    if cues:
        values["cues"] = cues
    return values
