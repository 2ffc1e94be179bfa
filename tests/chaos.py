"""Notes that misbehave, and a small pipeline that lets them; also a script that runs them, to be killed.

python tests/chaos.py OUTPUT NOTES WORKERS    # NOTES notes in partitions of ten
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from spacy.language import Language

from clinspan import batch, partition
from clinspan.notes import Note
from clinspan.pipeline import Recipe, blank
from clinspan.tables import read_table

SEGFAULT, HANG, ONCE = "SEGFAULT", "HANG", "ONCE:"
PER_PARTITION = 10


class Misbehave:
    """A component that does what the note says."""

    def __call__(self, doc: Any) -> Any:
        text = doc.text
        if SEGFAULT in text:
            os.kill(os.getpid(), signal.SIGSEGV)
        if HANG in text:
            time.sleep(3600)
        if ONCE in text:  # the first to come to it dies, and no other
            marker = Path(text.partition(ONCE)[2].split()[0])
            if not marker.exists():
                marker.touch()
                os.kill(os.getpid(), signal.SIGKILL)
        return doc


class Small(Recipe):
    """A pipeline of a few terms, loaded in no time."""

    def load(self) -> Language:
        nlp = blank()
        nlp.get_pipe("terms").add_terms([{"term": t, "label": "CONDITION"} for t in ("fever", "cough", "rash")])
        Language.factory("test_misbehave", func=lambda nlp, name: Misbehave())
        nlp.add_pipe("test_misbehave", name="misbehave", last=True)
        return nlp


def notes(count: int, special: dict[int, str] | None = None) -> list[Note]:
    texts = ("No fever. Cough for days.", "Possible rash\nand fever", "History of cough.")
    return [Note(f"n{i}", (special or {}).get(i, "") + texts[i % 3]) for i in range(count)]


def tables(folder: Path) -> dict[str, list[dict]]:
    """All rows but the seconds."""
    found = {}
    for name in ("entities", "notes", "sections", "errors"):
        rows = read_table(folder, name).to_pylist()
        found[name] = [{k: v for k, v in row.items() if k != "seconds"} for row in rows]
    return found


def run(output: Path, items: Any, **options: Any) -> partition.Summary:
    partition.NOTES = PER_PARTITION
    return batch.run(items, recipe=Small(), output=batch.prepare_output(output, resume=True), resume=True, **options)


if __name__ == "__main__":

    def slowly(count: int) -> Any:
        for note in notes(count):
            time.sleep(0.002)
            yield note

    run(Path(sys.argv[1]), slowly(int(sys.argv[2])), workers=int(sys.argv[3]))
