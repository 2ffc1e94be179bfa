"""One partition: notes through a pipeline into rows. What a batch run's workers do, and Spark's.

The rows depend on the notes and the pipeline alone: not on who runs them, nor on what ran before.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from clinspan import schema
from clinspan.notes import Note, ReadFailure, changed_characters, sanitize
from clinspan.pipeline import TOGETHER, forget, pipeline_name, process_all, together
from clinspan.schema import Column
from clinspan.tables import EntityRows, Rows, add_sections

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

#: Most notes, and characters, of a partition.
NOTES, CHARACTERS = 1_000, 4_000_000
_ZONE = 500  # notes after which the strings they brought are forgotten

Item = Note | ReadFailure


@dataclass
class Summary:
    """What a partition, or a run, did."""

    notes: int = 0
    failed: int = 0
    repeated_ids: int = 0
    entities: int = 0
    characters: int = 0
    seconds: float = 0.0
    by_label: dict[str, int] = field(default_factory=dict)
    by_assertion: dict[str, int] = field(default_factory=dict)

    def add(self, other: Summary) -> None:
        """Count what another did as well."""
        for name, value in asdict(other).items():
            mine = getattr(self, name)
            if isinstance(value, dict):
                for key, count in value.items():
                    mine[key] = mine.get(key, 0) + count
            else:
                setattr(self, name, mine + value)


@dataclass(frozen=True)
class Options:
    """What rows hold beside what every run's do.

    Attributes:
        keep: names in ``Note.extra`` that become columns of ``notes``, as text.
        snippet: characters of context each side in the entities table; 0 for none.
    """

    keep: tuple[str, ...] = ()
    snippet: int = 0

    def columns(self) -> dict[str, tuple[Column, ...]]:
        """The columns of every table."""
        kept = tuple(Column(name, "string", True, "kept from the input") for name in self.keep)
        entities = (*schema.ENTITIES, schema.SNIPPET) if self.snippet else schema.ENTITIES
        return {**schema.TABLES, "entities": entities, "notes": (*schema.NOTES[:1], *kept, *schema.NOTES[1:])}


@dataclass(frozen=True)
class Partition:
    """Notes that are run, written and, where it comes to that, run again together.

    Attributes:
        number: its place in the input, from 0.
        notes: the notes, and what could not be read.
        failed: by place among the notes, why one is not run.
        alone: places of the notes that are run one by one rather than together with others.
    """

    number: int
    notes: Sequence[Item] = field(repr=False)
    failed: Mapping[int, str] = field(default_factory=dict)
    alone: Collection[int] = ()

    def groups(self) -> list[range]:
        """The places of the notes that go through the pipeline together."""
        out, begin = [], 0
        for several in together(self.notes, length, most=TOGETHER):
            out.append(range(begin, begin + len(several)))
            begin += len(several)
        return out

    def digest(self) -> str:
        """A digest of all that the rows are made of."""
        found = hashlib.sha256()
        for note in self.notes:
            if isinstance(note, ReadFailure):
                parts: list[Any] = ["failure", note.note_id, note.stage, note.error]
            else:
                parts = ["note", note.note_id, note.text, note.encoding, note.note_date, sorted(note.extra.items())]
            for part in parts:
                data = (part if isinstance(part, str) else repr(part)).encode("utf-8", "surrogatepass")
                found.update(b"%d:" % len(data) + data)
        return found.hexdigest()


def partitions(notes: Iterable[Item], *, most: int = 0) -> Iterator[Partition]:
    """The notes in partitions, each of at most ``most`` notes and so many characters (or one longer note); one empty
    partition where there are no notes at all."""
    most = most or NOTES
    number, size = 0, 0
    held: list[Item] = []
    for note in notes:
        long = length(note)
        if held and (len(held) >= most or size + long > CHARACTERS):
            yield Partition(number, held)
            number, size, held = number + 1, 0, []
        held.append(note)
        size += long
    if held or not number:
        yield Partition(number, held)


def length(note: Item) -> int:
    """Characters of a note; 0 of one that could not be read."""
    return 0 if isinstance(note, ReadFailure) else len(note.text)


def process_partition(
    nlp: Language,
    partition: Partition,
    options: Options,
    *,
    begun: Callable[[int], None] | None = None,
    done: Callable[[int], None] | None = None,
) -> tuple[dict[str, pa.Table], Summary]:
    """The rows of a partition, by table, and what was done.

    Args:
        begun: called before notes are run, with the place of the first of those that are run together.
        done: called after each note with its length.
    """
    forget(nlp)  # what is remembered of other partitions must not change this one's last decimals
    columns = options.columns()
    rows = _Rows(
        EntityRows(pipeline=pipeline_name(nlp), snippet=options.snippet),
        Rows(columns["notes"]),
        Rows(columns["sections"]),
        Rows(columns["errors"]),
        options.keep,
    )
    groups = []
    for group in partition.groups():
        groups += [range(i, i + 1) for i in group] if not set(group).isdisjoint(partition.alone) else [group]
    at = 0
    while at < len(groups):
        zone = groups[at].start + _ZONE
        # what the vocabulary learns from the notes of a zone is forgotten with it: memory stays flat
        with nlp.memory_zone():
            while at < len(groups) and groups[at].start < zone:
                if begun:
                    begun(groups[at].start)
                for chars in rows.process(partition, groups[at], nlp):
                    if done:
                        done(chars)
                at += 1
    return rows.take()


class _Rows:
    """The rows of a partition."""

    def __init__(self, entities: EntityRows, notes: Rows, sections: Rows, errors: Rows, keep: Sequence[str]) -> None:
        self.entities, self.notes, self.sections, self.errors = entities, notes, sections, errors
        self.keep = keep
        self.total = Summary()

    def take(self) -> tuple[dict[str, pa.Table], Summary]:
        tables = {name: getattr(self, name).take() for name in schema.TABLES}
        for column, counts in (("label", self.total.by_label), ("assertion", self.total.by_assertion)):
            for pair in tables["entities"].column(column).value_counts().to_pylist():
                counts[pair["values"]] = pair["counts"]
        return tables, self.total

    def process(self, partition: Partition, places: range, nlp: Language) -> Iterator[int]:
        """Notes into the rows, whatever happens to them. Yields the length of each."""
        run = [i for i in places if i not in partition.failed and isinstance(partition.notes[i], Note)]
        texts = [sanitize(partition.notes[i].text) for i in run]  # type: ignore[union-attr]
        clock = time.perf_counter()
        docs = dict(zip(run, zip(texts, process_all(nlp, texts))))
        # the time that they took together, by their lengths
        pace = (time.perf_counter() - clock) / max(1, sum(map(len, texts)))
        for i in places:
            note = partition.notes[i]
            self.total.notes += 1
            if isinstance(note, ReadFailure):
                self._fail(note.note_id, note.stage, note.error)
                self.notes.append(
                    note_id=note.note_id, characters=0, changed_characters=0, entities=0, seconds=0.0, status="failed"
                )
            elif i in docs:
                self._add(note, *docs[i], pace)
            else:
                self._fail(note.note_id, "worker", partition.failed[i])
                self._note(note, 0, 0.0, "failed")
            yield length(note)

    def _add(self, note: Note, text: str, doc: Doc | Exception, pace: float) -> None:
        """The rows of one note; ``pace``: seconds that a character took."""
        clock = time.perf_counter()
        status, count, stage = "done", 0, "pipeline"
        try:
            if isinstance(doc, Exception):
                raise doc
            stage = "rows"
            add_sections(self.sections, doc, note.note_id, text)
            count = self.entities.add(doc, note.note_id, text)
        except Exception as error:
            # the class alone: an exception's message may quote the text
            cause = f" from {type(error.__cause__).__name__}" if error.__cause__ else ""
            self._fail(note.note_id, stage, type(error).__name__ + cause)
            status = "failed"
        self.total.entities += count
        self._note(note, count, pace * len(text) + time.perf_counter() - clock, status)

    def _fail(self, note_id: str, stage: str, error: str) -> None:
        self.total.failed += 1
        self.errors.append(note_id=note_id, stage=stage, error=error)

    def _note(self, note: Note, entities: int, seconds: float, status: str) -> None:
        self.total.repeated_ids += "duplicate_of" in note.extra
        self.total.characters += len(note.text)
        self.notes.append(
            note_id=note.note_id,
            characters=len(note.text),
            changed_characters=changed_characters(note.text),
            encoding=note.encoding,
            entities=entities,
            seconds=round(seconds, 6),
            status=status,
            **{name: None if note.extra.get(name) is None else str(note.extra[name]) for name in self.keep},
        )
