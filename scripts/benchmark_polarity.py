"""Negation and doubt on MACCROBAT's conditions, against its POLARITY as annotated, with intervals by document.

    python scripts/benchmark_polarity.py                                   # needs $CLINSPAN_DATA
    python scripts/benchmark_polarity.py --sample mentions.csv             # 100 mentions found uncertain, to be judged
    python scripts/benchmark_polarity.py --verdicts models/en_clinspan/verdicts_maccrobat_uncertain.csv

The training part and the development part together, with gold spans. POLARITY is NEG, UNCERTAIN, or one of MAYBE_NEG
and MAYBE_POS, which the annotators gave to partial relief and the like as well: the third row counts them as doubt. A
sample holds ids and offsets, no text.
"""

from __future__ import annotations

import argparse
import csv
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

import clinspan
from clinspan.corpora import load_spec, map_document, read_corpus
from clinspan.resampling import intervals
from clinspan.sampling import precision

SPLITS = ("train", "dev")
ROWS = ("NEG", "UNCERTAIN", "UNCERTAIN + MAYBE")


class Mention(NamedTuple):
    """A gold condition: its polarity, and what the pipeline says of it."""

    doc_id: str
    start: int
    end: int
    polarity: str
    negated: bool
    uncertain: bool


def documents() -> Iterator[list[Mention]]:
    """The conditions of each document."""
    nlp, spec = clinspan.load(), load_spec("maccrobat")
    for split in SPLITS:
        for raw in read_corpus(spec, split=split):
            polarity = {annotation.id: annotation.attributes.get("POLARITY", "") for annotation in raw.annotations}
            document = map_document(raw, spec)
            gold = [annotation for annotation in document.annotations if annotation.label == "CONDITION"]
            doc = clinspan.annotate(nlp, document.text, [(a.fragments, a.label) for a in gold])
            yield [
                Mention(raw.doc_id, s.start_char, s.end_char, polarity.get(a.id, ""), s._.negated, s._.uncertain)
                for a, s in zip(gold, doc.spans["entities"], strict=True)
            ]


def counts(mentions: Sequence[Mention]) -> list[list[int]]:
    """For each of ``ROWS``: found of gold, right of found, gold, found."""
    out = []
    for name in ROWS:
        gold = [m.polarity == "NEG" if name == "NEG" else m.polarity == "UNCERTAIN" for m in mentions]
        if "MAYBE" in name:
            gold = [known or m.polarity.startswith("MAYBE") for known, m in zip(gold, mentions)]
        found = [m.negated if name == "NEG" else m.uncertain for m in mentions]
        both = sum(g and f for g, f in zip(gold, found))
        out.append([both, both, sum(gold), sum(found)])
    return out


def write_sample(mentions: Sequence[Mention], path: Path, number: int, seed: int) -> None:
    """Ids and offsets of some mentions found uncertain, with an empty column for verdicts."""
    flagged = [m for m in mentions if m.uncertain]
    chosen = sorted(random.Random(seed).sample(flagged, min(number, len(flagged))))
    with path.open("x", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["doc_id", "start", "end", "label", "verdict"])
        writer.writerows([m.doc_id, m.start, m.end, "CONDITION", ""] for m in chosen)
    print(f"{path}: {len(chosen)} of {len(flagged)} mentions found uncertain")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--sample", type=Path, help="write mentions found uncertain to this new file, to be judged")
    parser.add_argument("--number", type=int, default=100, help="how many of them")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--verdicts", type=Path, help="print the precision of a judged sample instead")
    options = parser.parse_args(arguments)
    if options.verdicts:
        judged = precision(options.verdicts)[()]
        print(f"{judged.right} of {judged.judged} right: {judged.precision:.2f} [{judged.low:.2f}, {judged.high:.2f}]")
        return
    found = list(documents())
    if options.sample:
        write_sample([m for mentions in found for m in mentions], options.sample, options.number, options.seed)
        return
    print("| POLARITY | gold | precision | recall | F1 |\n|---|---:|---:|---:|---:|")
    table = np.array([counts(mentions) for mentions in found], dtype=float)
    for name, gold, row in zip(ROWS, table.sum(axis=0)[:, 2], intervals(table, draws=options.draws, seed=options.seed)):
        cells = (f"{row[m].value:.3f} [{row[m].low:.3f}, {row[m].high:.3f}]" for m in ("precision", "recall", "f1"))
        print(f"| {name} | {gold:,.0f} |", " | ".join(cells), "|")


if __name__ == "__main__":
    main()
