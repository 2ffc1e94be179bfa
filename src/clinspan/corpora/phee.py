"""PHEE: sentences on drug safety with their events, JSON lines (Sun et al., EMNLP 2022).

A line is a sentence (``id``, ``context``) and its events::

    {"id": "1_2", "context": "Rash after aspirin.", "annotations": [{"events": [
      {"event_id": "E1", "event_type": "Adverse_event", "Negated": {…, "value": true},
       "Trigger": {"text": [["after"]], "start": [[5]], "entity_id": ["T1"]}, "Effect": {…},
       "Treatment": {…, "Drug": {…}, "Combination": [{"event_type": "Combination", "Trigger": {…}, "Drug": {…}}]}}]}]}

``text`` and ``start`` list the mentions, and of each mention its pieces; ends are not given, they come from the text.
Each mention is an annotation, labelled by its role: ``Trigger``, ``Effect``, ``Treatment``, ``Subject``, the cues
``Negated``, ``Speculated`` and ``Severity``, and of their parts ``Drug``, ``Disorder``, ``Age``, ….
``Combination`` is the word that joins drugs.

What is said of an event stands on its triggers and effects: ``Negated`` and ``Speculated`` as ``True``, ``Severity``
as its value; on a trigger ``event_type`` too. It is said of the event, not of the mention: "rash has not been reported
with aspirin" negates neither the rash nor the aspirin. Every other mention of an event is related to the event's
trigger by its role.

The same words in the same role in two events, or in an event and its combination, are one annotation: its id is that
of the first, its attributes those of both, the first where they differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clinspan.corpora._documents import envelope
from clinspan.corpora._files import Malformed, documents_of_lines, member, typed
from clinspan.corpora.model import Annotation, Document

_TRIGGER = "Trigger"
_COMBINATION = "Combination"
_SAID = ("Negated", "Speculated", "Severity")

_Fragments = tuple[tuple[int, int], ...]
_Attributes = dict[str, "str | bool"]


def read(path: Path) -> Iterator[Document]:
    """The sentences of the file as documents.

    Raises:
        CorpusError: for a line that is not a JSON object of this form, offsets outside the text, or an id that two
            mentions share.
    """
    return documents_of_lines(path, lambda row, _: _document(row))


@dataclass
class _Sentence:
    text: str
    attributes: dict[tuple[str, _Fragments], _Attributes] = field(default_factory=dict)
    ids: dict[tuple[str, _Fragments], str] = field(default_factory=dict)
    relations: dict[tuple[str, str, str], None] = field(default_factory=dict)
    mismatched: list[str] = field(default_factory=list)

    def add_event(self, event: Mapping[str, Any], role: str = _TRIGGER) -> None:
        said: _Attributes = {name: _value(member(event, name, dict)) for name in _SAID if name in event}
        said = {name: value for name, value in said.items() if value is not False}
        kind = member(event, "event_type", str)
        triggers = self._add(role, member(event, _TRIGGER, dict), {"event_type": kind, **said})
        for name, argument in event.items():
            if name != _TRIGGER and isinstance(argument, dict):
                self._add_argument(name, argument, triggers, said)

    def _add_argument(self, role: str, argument: Mapping[str, Any], triggers: list[str], said: _Attributes) -> None:
        for identifier in self._add(role, argument, said if role == "Effect" else {}):
            for trigger in triggers:
                self.relations[role, trigger, identifier] = None
        for name, part in argument.items():
            if name == _COMBINATION:
                for event in member(argument, name, list):
                    self.add_event(typed(event, dict, name), _COMBINATION)
            elif isinstance(part, dict):
                self._add_argument(name, part, triggers, {})

    def _add(self, role: str, argument: Mapping[str, Any], attributes: _Attributes) -> list[str]:
        """The ids of an argument's mentions; none where it only holds its parts."""
        if "text" not in argument:
            return []
        columns = [member(argument, key, list) for key in ("text", "start", "entity_id")]
        if len({len(column) for column in columns}) > 1:
            raise Malformed(f"{role}: not as many texts as starts and ids")
        found = []
        for texts, starts, identifier in zip(*columns, strict=True):
            pieces = self._pieces(role, texts, starts)
            key = role, tuple(sorted((start, start + len(text)) for start, text in pieces))
            if key not in self.ids:
                if typed(identifier, str, "entity_id") in self.ids.values():
                    raise Malformed(f"id {identifier} is used twice")
                self.ids[key] = identifier
                if any(self.text[start : start + len(text)].split() != text.split() for start, text in pieces):
                    self.mismatched.append(identifier)
            self.attributes[key] = attributes | self.attributes.get(key, {})
            found.append(self.ids[key])
        return found

    def _pieces(self, role: str, texts: Any, starts: Any) -> list[tuple[int, str]]:
        if len(typed(texts, list, "text")) != len(typed(starts, list, "start")) or not texts:
            raise Malformed(f"{role}: not as many pieces of text as starts")
        pieces = [(typed(s, int, "start"), typed(t, str, "text")) for s, t in zip(starts, texts, strict=True)]
        for start, text in pieces:
            if not text or not 0 <= start <= len(self.text) - len(text):
                raise Malformed(f"{role}: offsets {start} {start + len(text)} are not in the text")
        return pieces


def _document(row: Mapping[str, Any]) -> Document:
    sentence = _Sentence(member(row, "context", str))
    for annotation in member(row, "annotations", list):
        for event in member(typed(annotation, dict, "annotations"), "events", list):
            sentence.add_event(typed(event, dict, "events"))
    return Document(
        doc_id=member(row, "id", str),
        text=sentence.text,
        annotations=tuple(
            Annotation(
                *envelope(fragments),
                label=label,
                fragments=fragments,
                attributes=sentence.attributes[label, fragments],
                id=identifier,
            )
            for (label, fragments), identifier in sentence.ids.items()
        ),
        relations=tuple(sentence.relations),
        mismatched=tuple(sentence.mismatched),
    )


def _value(argument: Mapping[str, Any]) -> str | bool:
    value = argument.get("value")
    if not isinstance(value, (str, bool)):
        raise Malformed("a value is neither a string nor a boolean")
    return value
