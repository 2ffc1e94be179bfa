"""How fast the pipeline is, as a ratio to the blank English tokenizer on the same notes in the same run.

    python scripts/benchmark_speed.py notes.csv
    python scripts/benchmark_speed.py notes.csv --lengths       # time against note length
    python scripts/benchmark_speed.py notes.csv --components    # share of each component
    python scripts/benchmark_speed.py notes.csv --peer en_core_web_sm    # against that model's tok2vec and ner
    python scripts/benchmark_speed.py notes.csv --floor         # the trained finder against what its arithmetic takes

CPU time of one process; medians of alternating repeats. Rows are written to Arrow tables, as a run does.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np
import spacy
from spacy.language import Language
from spacy.tokens import Doc
from threadpoolctl import ThreadpoolController

from clinspan.notes import Note, read_notes, sanitize
from clinspan.pipeline import TOGETHER, codes_only, load, pipeline_name, process_all, together
from clinspan.tables import EntityRows
from clinspan.tagger.corpus import before_the_tagger


def forget(nlp: Language) -> None:
    """Have the trained finder forget the sentences of an earlier pass."""
    for _, component in nlp.pipeline:
        if getattr(component, "tagger", None) is not None:
            component.tagger.forget()


def rows_of(nlp: Language, texts: Sequence[str]) -> int:
    """The whole pipeline, rows to Arrow included; returns the number of rows."""
    forget(nlp)
    rows = EntityRows(pipeline=pipeline_name(nlp))
    count = 0
    for several in together(map(sanitize, texts), len, most=TOGETHER):
        for text, doc in zip(several, process_all(nlp, several)):
            assert isinstance(doc, Doc)
            rows.add(doc, "", text)
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
    forget(nlp)
    rows = EntityRows(pipeline="")
    clock = time.process_time
    for several in together(texts, len, most=TOGETHER):
        before = clock()
        docs = [nlp.make_doc(text) for text in several]
        spent["tokenizer"] += clock() - before
        for name, component in nlp.pipeline:
            before = clock()
            if hasattr(component, "together"):
                component.together(docs)
            else:
                docs = [component(doc) for doc in docs]
            spent[name] += clock() - before
        before = clock()
        for text, doc in zip(several, docs):
            rows.add(doc, "", text)
        spent["rows"] += clock() - before
    spent["rows"] += cpu(rows.take)
    return spent


def against(nlp: Language, peer: str, texts: Sequence[str], repeats: int) -> None:
    """Print our whole pipeline's time against that of another model's tokenizer, tok2vec and ner, and the blank one."""
    other, blank = spacy.load(peer), spacy.blank("en")
    for name in other.pipe_names:
        if name not in ("tok2vec", "ner"):
            other.remove_pipe(name)
    other.max_length = blank.max_length = 10**9
    texts = [sanitize(text) for text in texts]

    def theirs() -> int:
        return sum(len(doc.ents) for doc in other.pipe(texts))

    rows_of(nlp, texts), theirs()  # both warm
    times = [
        (cpu(lambda: [blank.make_doc(text) for text in texts]), cpu(theirs), cpu(lambda: rows_of(nlp, texts)))
        for _ in range(repeats)
    ]
    for what, ratios in (
        (f"{peer} ({'+'.join(other.pipe_names)}) / ours", [b / c for _, b, c in times]),
        (f"{peer} / blank tokenizer", [b / a for a, b, _ in times]),
        ("ours / blank tokenizer", [c / a for a, _, c in times]),
    ):
        print(f"{what}: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


def floor(nlp: Language, texts: Sequence[str], repeats: int) -> None:
    """Print the multiply-adds a token of the trained finder, what they would take at the rate that this machine
    multiplies large matrices at, and what the finder takes."""
    ner = nlp.get_pipe("ner")
    values = ner.tagger.values
    with nlp.select_pipes(enable=before_the_tagger(nlp)):
        docs = [nlp(text) for text in texts]
    words = [token.text for doc in docs for token in doc if not token.is_space]
    batches = list(together(docs, len, most=12_000))
    distinct = sum(len({token.text for doc in several for token in doc}) for several in batches) / len(words)
    once = values["recurrent0"].size + values["output"].size
    each = values["input0"].size  # of each distinct word of a batch
    a, b = (np.random.default_rng(0).random((1024, 1024), np.float32) for _ in range(2))
    a @ b
    with ThreadpoolController().limit(limits=1, user_api="blas"):
        rate = 1024**3 / statistics.median(cpu(lambda: a @ b) for _ in range(20))

    def find() -> None:
        ner.tagger.forget()
        for several in batches:
            ner.find(several)

    taken = statistics.median(cpu(find) for _ in range(repeats))
    needed = once + each * distinct
    print(f"multiply-adds a token: {once:,} and {each:,} for {distinct:.2f} distinct words a token, {needed:,.0f}")
    print(f"rate {rate / 1e9:.1f} thousand million a second: floor {needed / rate * 1e6:.1f} us a token")
    print(f"taken {taken / len(words) * 1e6:.1f} us a token, {taken / len(words) * rate / needed:.1f} times the floor")


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
    parser.add_argument("--peer", help="a spaCy model, installed or a folder")
    parser.add_argument("--floor", action="store_true")
    options = parser.parse_args()
    texts = [note.text for note in read_notes([options.notes]) if isinstance(note, Note)][: options.limit]
    nlp = load(options.pipeline)
    codes_only(nlp)  # as `clinspan extract` does
    if options.lengths:
        by_length(nlp, texts, options.repeats)
    elif options.components:
        by_component(nlp, texts, options.repeats)
    elif options.peer:
        against(nlp, options.peer, texts, options.repeats)
    elif options.floor:
        floor(nlp, texts, options.repeats)
    else:
        compare(nlp, texts, options.repeats)


if __name__ == "__main__":
    main()
