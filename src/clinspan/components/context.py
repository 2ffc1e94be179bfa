"""Assertion: which entities are negated, uncertain, hypothetical, historical, an allergy, or someone else's.

Cues are rules as data (``context.tsv`` among a language's resources), found in one pass of the matching engine; then
each sentence is swept once forwards and once backwards, so the cost is linear in the note. Sections give defaults.
After NegEx (Chapman et al. 2001) and ConText (Harkema et al. 2009).

The rules' columns: :mod:`clinspan.rules`.

Of overlapping cues the leftmost, then the longest, counts (a pseudo-cue also against one further left); a cue does not
begin inside an entity nor reach into one. Of several in scope on one axis the nearest counts; a cue before the entity
wins over one after it, unless that clears the flag ("possible PE was ruled out"). Negation passes along a list of
entities of one label, and not to a measurement with a value.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from spacy.language import Language
from spacy.tokens import Doc, Span

from clinspan import schema
from clinspan.attributes import ENTITIES, KEY, user_data
from clinspan.components import resource_rows
from clinspan.components.clauses import Clauses, closes, is_item, last_ink, next_ink, same_line
from clinspan.components.cues import Cue, Cues, sided
from clinspan.components.judgements import SECTION_DEFAULTS, Judgement, SectionDefault, as_stored
from clinspan.components.memo import Tokens, sentence_starts, spans_of, tokens_of
from clinspan.components.sections import Places
from clinspan.rules import NOT_JUDGED, WORD_DIRECTIONS, Rule, read_rules

#: Axes whose scope a new clause ends: "no fever, the rash is gone".
_CLAUSAL = frozenset(["negated", "allergy", "uncertain"])


#: What separates a denial from a doubt of its own: "no fracture, possible sprain".
_CUTS = frozenset([",", ";", ":", ".", "(", "-"])


class _Active(NamedTuple):
    """A cue whose scope is open on one axis, and its rules for that axis."""

    cue: Cue
    rules: tuple[Rule, ...]


class Context:
    """The component; :meth:`judge` is the pure function inside."""

    def __init__(self, *, language: str = "en") -> None:
        self.rules: list[Rule] = []
        self._own_rows: list[dict[str, str]] = []
        rows = list(resource_rows(f"{language}/context.tsv"))
        self._sets = [row for row in rows if row["direction"] == "set"]
        self._clauses = Clauses.of({row["id"]: row["cues"].split("|") for row in self._sets})
        self._set_rules(read_rules(rows))

    def __len__(self) -> int:
        return len(self.rules)

    def add_rules(self, rows: Iterable[dict[str, str]]) -> None:
        """Add rules (table rows, see :mod:`clinspan.rules`); one with an id in use replaces that rule."""
        rows = list(rows)
        new = read_rules([*self._sets, *rows])
        replaced = {rule.id for rule in new}
        self._own_rows = [row for row in self._own_rows if row["id"] not in replaced]
        self._set_rules([rule for rule in self.rules if rule.id not in replaced] + new)
        self._own_rows += rows

    def _set_rules(self, rules: list[Rule]) -> None:
        self.rules = rules
        self._by_word: dict[str, dict[str, Rule]] = {direction: {} for direction in WORD_DIRECTIONS}
        for rule in rules:
            if rule.direction in WORD_DIRECTIONS:
                self._by_word[rule.direction].update(dict.fromkeys(rule.cues, rule))
        #: Signs that clear a flag: without one in a sentence, the others in it are no signs.
        self._clearing = frozenset(word for word, rule in self._by_word["sign"].items() if rule.value == "no")
        own = {*self._by_word["self"], *self._by_word["within"]}
        #: Words that judge the entity that begins with them, as they are written.
        self._own = frozenset(form for word in own for form in (word, word.capitalize(), word.title(), word.upper()))
        self._cues = Cues(rules)

    # --- judging ---

    def __call__(self, doc: Doc) -> Doc:
        entities = spans_of(doc, ENTITIES)
        if not len(entities):
            return doc
        tokens = tokens_of(doc)
        words, offsets = tokens.words, tokens.offsets
        bounds = sentence_starts(doc)
        spans = [(span.start, span.end, span.label_) for span in entities]
        known = spans
        if any(label not in schema.LABELS for label in {label for _, _, label in spans}):
            known = [(s, e, _known(label)) for s, e, label in spans]
        judged = self.judge(tokens, bounds, known)
        data = user_data(doc)
        where = Places(doc)
        low, high = 0, 0.0  # the tokens that the section looked up last holds
        section: tuple[str, Span] | None = None
        default: SectionDefault | None = None
        for (start, end, label), found in zip(spans, judged):
            if not low <= start < high:
                section, low, high = where.around(start)
                default = SECTION_DEFAULTS.get(section[0]) if section is not None else None
            key = (KEY, offsets[start], offsets[end - 1] + len(words[end - 1]), label)
            if found or default is not None:
                values = as_stored(found, words, offsets, section, default, _known(label))
                if values:
                    data.setdefault(key, {}).update(values)
            elif section is not None:  # most entities
                stored = data.get(key)
                if stored is None:
                    data[key] = {"section": section[0]}
                else:
                    stored["section"] = section[0]
        return doc

    def judge(
        self,
        tokens: Tokens,
        bounds: Sequence[int],
        entities: Sequence[tuple[int, int, str]],
    ) -> list[list[Judgement]]:
        """For each entity (first token, one past the last, label), what was found, at most one judgement an axis.

        ``bounds`` are the tokens that begin sentences.
        """
        words, offsets = tokens.words, tokens.offsets
        total = len(words)
        out: list[list[Judgement]] = [[] for _ in entities]
        taken = bytearray(total)  # of every token: whether an entity holds it
        attached, own = self._by_word["attached"], self._own
        order: list[int] = []  # the entities to be judged, as they stand in the text
        for k, (start, end, label) in enumerate(entities):
            taken[start] = 1
            if end > start + 1:
                taken[start:end] = b"\1" * (end - start)
            if words[start - 1] in attached:
                rule = self._attached_to(words, offsets, start)
                if rule and label in rule.labels:
                    _say(out[k], rule, start - 1, start)
            if words[start] in own:
                rule = self._by_word["self" if end == start + 1 else "within"].get(words[start].lower())
                if rule and label in rule.labels:
                    _say(out[k], rule, start, start + 1)
            if label not in NOT_JUDGED:
                order.append(k)
        order.sort(key=lambda k: entities[k][0])
        marks, places = self._cues.found_in(tokens)
        marks.append(total)
        m = e = 0
        upcoming = entities[order[0]][0] if order else total
        carried: dict[str, _Active] = {}
        asked: list[int] = []  # the entities of a question just before, or the one that a line ends in before its colon
        for begin, end in zip(bounds, [*bounds[1:], total]):
            last = end - 1
            mine: list[int] = []
            if upcoming < end:
                first_e = e
                while upcoming < end:
                    e += 1
                    upcoming = entities[order[e]][0] if e < len(order) else total
                mine = order[first_e:e]
            if words[last].isspace():
                last = last_ink(words, end) - 1
            if asked:
                self._reply(words, begin, asked, entities, out)
            asked = []
            if mine and words[last] == "?":
                asked = mine
            elif mine and words[last] == ":" and last_ink(words, last) == entities[mine[-1]][1]:
                asked = mine[-1:]  # "COMPLICATIONS:" over "None."
            if carried and not is_item(words, begin, end, entities[mine[0]][0] if mine else -1):
                carried = {}
            heads_list = words[last] == ":"
            if not mine and not heads_list:
                continue
            while marks[m] < begin:
                m += 1
            if marks[m] >= end and not carried:
                continue
            if not self._clearing.isdisjoint(words[begin:end]):
                self._signs(words, mine, entities, out)
            here = places[bisect_left(places, begin) : bisect_left(places, end)]
            cues = self._cues.of(words, begin, end, here, taken, carried=bool(carried))
            if not carried and not cues:
                continue
            if any(cue.effect.two_sided for cue in cues):
                cues = sided(words, cues, [entities[k] for k in mine])
            active = self._sweep(words, cues, mine, entities, out, carried)
            if mine:
                self._sweep_back(words, cues, mine, entities, out)
            if heads_list:
                # "Denies:" over a list
                carried = {axis: held for axis, held in active.items() if held.cue.end in (last, last + 1)}
        return out

    def _signs(
        self,
        words: Sequence[str],
        mine: Sequence[int],
        entities: Sequence[tuple[int, int, str]],
        out: list[list[Judgement]],
    ) -> None:
        """Signs on one side of the entities of a sentence that has both: "+ cough - fever", "neg cp pos sob"."""
        signs = self._by_word["sign"]
        if not mine:
            return
        sides: list[dict[int, int]] = [{}, {}]  # by entity: the token of the sign before it, and behind it
        for k in mine:
            start, end, _ = entities[k]
            before, behind = last_ink(words, start) - 1, next_ink(words, end)
            if before >= 0 and words[before].lower() in signs and same_line(words, before, start):
                sides[0][k] = before
            if behind < len(words) and words[behind].lower() in signs and same_line(words, end, behind):
                sides[1][k] = behind
        side = sides[0] if mine[0] in sides[0] else sides[1]
        found = {k: signs[words[token].lower()] for k, token in side.items()}
        if len({rule.value for rule in found.values()}) < 2:
            return
        for k, rule in found.items():
            if entities[k][2] in rule.labels:
                _say(out[k], rule, side[k], side[k] + 1)

    def _reply(
        self,
        words: Sequence[str],
        begin: int,
        asked: Sequence[int],
        entities: Sequence[tuple[int, int, str]],
        out: list[list[Judgement]],
    ) -> None:
        """ "Fever? No.": what the first word of a sentence says of the question before it."""
        place = next_ink(words, begin)
        rule = self._by_word["reply"].get(words[place].lower()) if place < len(words) else None
        if rule is None or not closes(words, place + 1):
            return
        for k in asked:
            if entities[k][2] in rule.labels:
                out[k] = [j for j in out[k] if j.axis != "uncertain" and j.axis not in rule.axes]
                _say(out[k], rule, place, place + 1)

    def _attached_to(self, words: Sequence[str], offsets: Sequence[int], start: int) -> Rule | None:
        """The rule of a sign written onto the token ``start``: "-fever"."""
        if not start:
            return None
        sign = words[start - 1]
        rule = self._by_word["attached"].get(sign)
        if rule is None or offsets[start] != offsets[start - 1] + len(sign):
            return None
        if start > 1:
            before = words[start - 2]
            if (
                offsets[start - 1] == offsets[start - 2] + len(before)
                and not before.isspace()
                and before not in "(,;/["
            ):
                return None
        return rule

    def _sweep(
        self,
        words: Sequence[str],
        cues: Sequence[Cue],
        mine: Sequence[int],
        entities: Sequence[tuple[int, int, str]],
        out: list[list[Judgement]],
        carried: dict[str, _Active],
    ) -> dict[str, _Active]:
        """Cues before entities, left to right. Returns what is in force at the end of the sentence."""
        active = dict(carried)
        listed: dict[str, tuple[Cue, str, int]] = {}  # by axis: the cue, the label and the end of its last entity
        c = 0
        last: tuple[int, int, str] = (-1, -1, "")  # the entity before
        for k in mine:
            start, end, label = entity = entities[k]
            previous, last = last, entity
            while c < len(cues) and cues[c].end <= start:
                _step(words, active, cues[c], cues[c].effect.before, forwards=True, past=previous[1])
                c += 1
            if not active:
                continue
            for axis, held in list(active.items()):
                if out[k] and any(j.axis == axis for j in out[k]):
                    continue
                cue, rules = held
                before = listed.get(axis)
                if before and before[0] is not cue:
                    before = None
                listed_on = before is not None and self._clauses.joined(words, before[2], start)
                if axis in _CLAUSAL and before and self._clauses.begins(words, before[2], start, end):
                    del active[axis]
                    continue
                if axis == "negated":
                    if label == "MEASUREMENT" and self._clauses.has_result(words, end):
                        continue
                    if before and before[1] != label and not listed_on:
                        continue
                for rule in rules:
                    # an item of the list whose item before the cue reached is reached too
                    if label in rule.labels and (
                        carried.get(axis) is held
                        or (listed_on and before and before[1] == label)
                        or (
                            _in_scope(words, cue.end, start, rule)
                            and (
                                rule.direction != "listed"
                                or before
                                or self._further_item(words, cue, entity, previous, rule)
                            )
                        )
                    ):
                        out[k].append(Judgement(axis, rule.value, rule.id, cue.start, cue.end))
                        listed[axis] = (cue, label, end)
                        break
        for cue in cues[c:]:
            _step(words, active, cue, cue.effect.before, forwards=True)
        return active

    def _sweep_back(
        self,
        words: Sequence[str],
        cues: Sequence[Cue],
        mine: Sequence[int],
        entities: Sequence[tuple[int, int, str]],
        out: list[list[Judgement]],
    ) -> None:
        """Cues after entities, right to left."""
        if not any(cue.effect.after for cue in cues):
            return
        active: dict[str, _Active] = {}
        flagged: dict[str, tuple[Cue, int]] = {}  # by axis: the cue and the start of the entity it was given to last
        c = len(cues) - 1
        for k in reversed(mine):
            start, end, label = entities[k]
            while c >= 0 and cues[c].start >= end:
                _step(words, active, cues[c], cues[c].effect.after, forwards=False)
                c -= 1
            for axis, (cue, rules) in active.items():
                said = next((j for j in out[k] if j.axis == axis), None) if out[k] else None
                if said and not any(rule.value == "no" for rule in rules):
                    continue
                last = flagged.get(axis)
                again = last is not None and last[0] is cue
                if last is not None and again and not self._clauses.joined(words, end, last[1]):
                    continue
                for rule in rules:
                    # an item of the list whose next item the cue reached is reached too
                    if label in rule.labels and (
                        (again and rule.direction != "beside") or _in_scope(words, end, cue.start, rule)
                    ):
                        flagged[axis] = (cue, start)
                        if said:
                            out[k].remove(said)
                        out[k].append(Judgement(axis, rule.value, rule.id, cue.start, cue.end))
                        break

    def _further_item(
        self, words: Sequence[str], cue: Cue, entity: tuple[int, int, str], previous: tuple[int, int, str], rule: Rule
    ) -> bool:
        """Whether an entity is a further item of the list behind the cue, and no entity that the rule may touch is one
        before it."""
        if previous[0] >= cue.end and previous[2] in rule.labels:
            return False
        place = last_ink(words, entity[0]) - 1
        return words[place].lower() in {",", *self._clauses.alternatives} and not self._clauses.begins(
            words, cue.end, entity[0], entity[1]
        )

    # --- explaining ---

    def cues(self, doc: Doc) -> list[tuple[int, int, list[Rule]]]:
        """All wordings of rules in a Doc, also those that set nothing: first token, one past the last, the rules."""
        words = tokens_of(doc).words
        bounds = sentence_starts(doc)
        found = []
        for begin, end in zip(bounds, [*bounds[1:], len(words)]):
            for start, stop, rules in self._cues.all(words[begin:end]):
                found.append((start + begin, stop + begin, rules))
        return found

    # --- saving ---

    def to_disk(self, path: str | Path, **kwargs: Any) -> None:
        """Write the rules added to the package's own, if any, as ``rules.jsonl`` in the folder ``path``."""
        file = Path(path) / _OWN_FILE
        file.unlink(missing_ok=True)  # of a pipeline saved there before
        if self._own_rows:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(self.to_bytes())

    def from_disk(self, path: str | Path, **kwargs: Any) -> Context:
        """Read what :meth:`to_disk` wrote."""
        file = Path(path) / _OWN_FILE
        return self.from_bytes(file.read_bytes() if file.exists() else b"")

    def to_bytes(self, **kwargs: Any) -> bytes:
        """The rules added to the package's own, as JSON lines."""
        return "".join(json.dumps(row) + "\n" for row in self._own_rows).encode()

    def from_bytes(self, data: bytes, **kwargs: Any) -> Context:
        """Read what :meth:`to_bytes` gave."""
        rows = [json.loads(line) for line in data.decode().split("\n") if line]
        if rows:
            self.add_rules(rows)
        return self


_OWN_FILE = "rules.jsonl"


def _say(found: list[Judgement], rule: Rule, start: int, end: int) -> None:
    """What a rule says of an entity, on the axes that nothing was said of before."""
    judged = {judgement.axis for judgement in found}
    found += [Judgement(axis, rule.value, rule.id, start, end) for axis in rule.axes if axis not in judged]


def _step(
    words: Sequence[str],
    active: dict[str, _Active],
    cue: Cue,
    begins: tuple[tuple[str, tuple[Rule, ...]], ...],
    *,
    forwards: bool,
    past: int = -1,
) -> None:
    """Take one cue into the scopes in force: a termination ends some, a cue begins its own; ``past`` is the end of the
    last entity."""
    if active:
        for axis in cue.effect.ends:
            held = active.get(axis)
            # "Denies: fever": a colon right behind the cue does not end it; nor does "had" right before "subsided"
            if held and (cue.end < held.cue.start if not forwards else not _opens_list(words, held.cue, cue)):
                del active[axis]
    for axis, rules in begins:
        if axis == "negated" and forwards and active:
            held = active.get("uncertain")
            if held and held.cue.end < cue.start and "uncertain" not in cue.effect.axes:
                del active["uncertain"]  # "suggestive of demyelination without mass effect"
        if axis == "uncertain" and forwards and "negated" in active and "negated" not in cue.effect.axes:
            denial = active["negated"].cue
            if past <= denial.end and not _CUTS.intersection(words[denial.end : cue.start]):
                continue  # "no suspicious nodules", "no evidence of apparent fracture"
        active[axis] = _Active(cue, rules)


def _opens_list(words: Sequence[str], held: Cue, cue: Cue) -> bool:
    return held.end == cue.start and words[cue.start] in (":", "-")


def _in_scope(words: Sequence[str], low: int, high: int, rule: Rule) -> bool:
    """Whether the tokens ``[low, high)`` between cue and entity leave the entity in the rule's scope."""
    distance = high - low
    if rule.scope and distance > rule.scope and distance - sum(map(str.isspace, words[low:high])) > rule.scope:
        return False
    if rule.stops:
        for word in words[low:high]:
            if word.lower() in rule.stops:
                return False
    return True


def _known(label: str) -> str:
    """The label whose rules apply: labels that are not ours are judged as conditions."""
    return label if label in schema.LABELS else "CONDITION"


@Language.factory(
    "clinspan_context",
    requires=["doc.spans", "token.is_sent_start"],
    assigns=["doc.spans"],
    default_config={"language": "en"},
)
def make_context(nlp: Language, name: str, language: str) -> Context:
    """The assertion component over the package's rules for a language; :meth:`Context.add_rules` takes the user's."""
    return Context(language=language)
