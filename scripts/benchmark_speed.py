"""How fast the pipeline is, as a ratio to the blank English tokenizer on the same notes in the same run.

    python scripts/benchmark_speed.py notes.csv
    python scripts/benchmark_speed.py notes.csv --lengths       # time against note length
    python scripts/benchmark_speed.py notes.csv --components    # share of each component

CPU time of one process; medians of alternating repeats. Rows are written to Arrow tables, as a run does.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence

import spacy
from spacy.language import Language

from clinspan.notes import Note, read_notes, sanitize
from clinspan.pipeline import codes_only, load, pipeline_name
from clinspan.tables import EntityRows


def rows_of(nlp: Language, texts: Sequence[str]) -> int:
    """The whole pipeline, rows to Arrow included; returns the number of rows."""
    rows = EntityRows(pipeline=pipeline_name(nlp))
    count = 0
    for number, text in enumerate(texts):
        text = sanitize(text)
        rows.add(nlp(text), str(number), text)
        if len(rows) > 20_000:
            count += rows.take().num_rows
    return count + rows.take().num_rows


def cpu(work: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def compare(nlp: Language, texts: Sequence[str], repeats: int) -> None:
    """Print the ratio of the pipeline to the blank tokenizer."""
    blank = spacy.blank("en")
    blank.max_length = 10**9

    def tokenize() -> int:
        return sum(len(blank.make_doc(text)) for text in texts)

    tokens = tokenize()
    rows = rows_of(nlp, texts)  # both warm
    ours, theirs = [], []
    for _ in range(repeats):
        theirs.append(cpu(tokenize))
        ours.append(cpu(lambda: rows_of(nlp, texts)))
    ratios = [a / b for a, b in zip(ours, theirs)]
    base = statistics.median(theirs)
    print(f"{len(texts)} notes, {tokens} tokens, {rows} rows")
    print(f"us a token: blank tokenizer {base / tokens * 1e6:.2f}, ours {statistics.median(ours) / tokens * 1e6:.2f}")
    print(f"ratio {statistics.median(ratios):.2f} (median of {repeats}; {min(ratios):.2f} to {max(ratios):.2f})")


def by_length(nlp: Language, texts: Sequence[str], repeats: int) -> None:
    """Print the time a character for notes of growing length, made by concatenation."""
    whole = "\n\n".join(texts)
    for length in (10_000, 20_000, 80_000, 160_000):
        note = whole[:length]
        rows_of(nlp, [note])
        seconds = statistics.median(cpu(lambda note=note: rows_of(nlp, [note])) for _ in range(repeats))
        print(f"{length:8} characters: {seconds * 1e3:8.1f} ms, {seconds / length * 1e9:6.0f} ns a character")


def _one_pass(nlp: Language, texts: Sequence[str]) -> dict[str, float]:
    """CPU seconds of each component over all texts, note by note as a run goes."""
    spent = dict.fromkeys(["tokenizer", *nlp.pipe_names, "rows"], 0.0)
    rows = EntityRows(pipeline="")
    clock = time.process_time
    for text in texts:
        before = clock()
        doc = nlp.make_doc(text)
        spent["tokenizer"] += clock() - before
        for name, component in nlp.pipeline:
            before = clock()
            doc = component(doc)
            spent[name] += clock() - before
        before = clock()
        rows.add(doc, "", text)
        spent["rows"] += clock() - before
    spent["rows"] += cpu(rows.take)
    return spent


def by_component(nlp: Language, texts: Sequence[str], repeats: int) -> None:
    """Print each component's time as a ratio to the blank tokenizer."""
    blank = spacy.blank("en")
    rows_of(nlp, texts)
    spent: dict[str, list[float]] = {}
    for _ in range(repeats):
        base = cpu(lambda: [blank.make_doc(text) for text in texts])
        for name, seconds in _one_pass(nlp, texts).items():
            spent.setdefault(name, []).append(seconds / base)
    for name, ratios in spent.items():
        print(f"{name:14} {statistics.median(ratios):.3f}")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notes")
    parser.add_argument("--pipeline", default="en_clinspan")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--limit", type=int, default=500, help="at most so many notes")
    parser.add_argument("--lengths", action="store_true")
    parser.add_argument("--components", action="store_true")
    options = parser.parse_args()
    texts = [note.text for note in read_notes([options.notes]) if isinstance(note, Note)][: options.limit]
    nlp = load(options.pipeline)
    codes_only(nlp)  # as `clinspan extract` does
    if options.lengths:
        by_length(nlp, texts, options.repeats)
    elif options.components:
        by_component(nlp, texts, options.repeats)
    else:
        compare(nlp, texts, options.repeats)


if __name__ == "__main__":
    main()
