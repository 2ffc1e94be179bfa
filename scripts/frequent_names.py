"""The names that a pipeline finds most often in notes, to be judged one by one; and how right they are, once judged.

    python scripts/frequent_names.py notes.csv --top 500 > names.csv      # then fill in the columns entity and code
    python scripts/frequent_names.py --verdicts models/en_clinspan/names_mtsamples.csv
    python scripts/frequent_names.py notes.csv --verdicts models/en_clinspan/names_mtsamples.csv    # counted anew

A name is what is written, in lower case, with its label and its concept. ``entity``: 1 if it is an entity of that label
in nearly all its occurrences (in four of five that were read); ``code``: 1 if the concept is its meaning. Precision is
the share of occurrences that are of a name judged right, all of a name counting alike.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from clinspan.notes import Note, read_notes
from clinspan.pipeline import load
from clinspan.tables import extract

KEY = ("name", "label", "vocabulary", "concept_id")
COLUMNS = (*KEY, "concept_name", "occurrences", "entity", "code", "note")


def counted(notes: Path, pipeline: str) -> Counter[tuple[str, ...]]:
    """How often each name occurs."""
    texts = (note for note in read_notes([str(notes)]) if isinstance(note, Note))
    frame = extract(texts, nlp=load(pipeline)).fillna("")
    names = frame["text"].str.lower().str.split().str.join(" ")
    columns = (frame[column] for column in ("label", "vocabulary", "concept_id", "concept_name"))
    return Counter(zip(names, *columns))


def precision(rows: Sequence[dict[str, str]]) -> Iterator[str]:
    """The shares of occurrences right, by verdict."""
    total = sum(int(row["occurrences"]) for row in rows)
    yield f"{len(rows):,} names, {total:,} occurrences"
    for verdict in ("entity", "code"):
        right = [row for row in rows if row[verdict] == "1"]
        share = sum(int(row["occurrences"]) for row in right) / max(total, 1)
        yield f"{verdict:7} {len(right):,} names right, {share:.3f} of the occurrences"


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notes", nargs="?", type=Path)
    parser.add_argument("--top", type=int, default=500)
    parser.add_argument("--pipeline", default="en_clinspan")
    parser.add_argument("--verdicts", type=Path)
    options = parser.parse_args(arguments)
    if options.notes is None and options.verdicts is None:
        parser.error("give notes, or a table of verdicts, or both")
    judged = []
    if options.verdicts:
        with options.verdicts.open(encoding="utf-8", newline="") as file:
            judged = list(csv.DictReader(file))
    if options.notes is None:
        print(*precision(judged), sep="\n")
        return
    counts = counted(options.notes, options.pipeline)
    top = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[: options.top]
    if options.verdicts:
        known = {tuple(row[column] for column in KEY): row for row in judged}
        rows = [{**known[name[:4]], "occurrences": str(n)} for name, n in top if name[:4] in known]
        print(*precision(rows), sep="\n")
        print(f"{len(top) - len(rows)} of the {len(top)} most frequent names have no verdict")
        return
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((*name, n, "", "", "") for name, n in top)


if __name__ == "__main__":
    main()
