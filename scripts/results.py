"""The README's tables of scores: the bundled pipeline on the corpora that are there, with intervals, as Markdown.

python scripts/results.py                 # those below $CLINSPAN_DATA, and demo
python scripts/results.py demo negex      # these only
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import clinspan
from clinspan.corpora import CorpusError, Gold, data_folder, gold_of, load_spec
from clinspan.evaluate import run
from clinspan.predictions import Finder, judge, predict
from clinspan.report import to_text

ENTITIES = ("maccrobat", "chia", "bc5cdr", "ncbi_disease", "phee", "neurotrialner", "demo")
LAYERS = ("med1250", "aci_bench", "mts_dialog")
ASSERTION = ("negex", "maccrobat", "demo")


def gold_of_dev(name: str) -> Gold | None:
    """The development part, or the only one; ``None`` where the data is not there."""
    spec = load_spec(name)
    try:
        data_folder(spec)
    except CorpusError:
        return None
    return gold_of(spec, split="dev" if "dev" in spec.splits else next(iter(spec.splits)))


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(headings) + " |"
    yield "|" + "|".join("---" if h in ("corpus", "label", "axis") else "---:" for h in headings) + "|"
    for row in rows:
        yield "| " + " | ".join(row) + " |"
    yield ""


def entity_rows(gold: Gold, scores: Mapping[str, Any]) -> Iterator[list[str]]:
    modes = scores["scores"]["entities"]
    labels = [label for label in modes["strict"] if label != "macro"]
    if gold.layer == "sections":
        labels = ["micro"]  # one row for all groups
    for label in labels:
        counts = modes["strict"][label]
        f1 = (to_text(modes[mode][label]["f1"]) for mode in ("relaxed", "strict"))
        yield [f"{gold.name} {gold.split}", label, f"{counts['gold']:,}", *f1]


def assertion_rows(gold: Gold, scores: Mapping[str, Any]) -> Iterator[list[str]]:
    for axis, values in scores["scores"]["assertion"]["axes"].items():
        for value, row in values.items():
            if axis == "assertion" or value in ("patient", "micro", "macro") or row["gold"] < 10:
                continue
            name = axis if value == "true" else f"{axis} {value}"
            metrics = (to_text(row[metric]) for metric in ("precision", "recall", "f1"))
            yield [f"{gold.name} {gold.split}", name, f"{row['gold']:,}", *metrics]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", nargs="*", help="all when left out")
    parser.add_argument("--draws", type=int, default=1000)
    options = parser.parse_args(arguments)
    if unknown := set(options.corpora) - {*ENTITIES, *LAYERS, *ASSERTION}:
        parser.error(f"no table has {', '.join(sorted(unknown))}")
    nlp = clinspan.load()

    def corpora(names: Sequence[str]) -> Iterator[Gold]:
        wanted = (name for name in names if not options.corpora or name in options.corpora)
        return (gold for gold in map(gold_of_dev, wanted) if gold)

    rows = []
    for gold in corpora((*ENTITIES, *LAYERS)):
        found = predict(nlp, gold.documents, finder=Finder(layer=gold.layer))
        rows += list(entity_rows(gold, run(gold, found, draws=options.draws)[0]))
    print(*table(("corpus", "label", "gold", "relaxed F1", "strict F1"), rows), sep="\n")
    rows = []
    for gold in corpora(ASSERTION):
        found = judge(nlp, gold.documents)
        rows += list(assertion_rows(gold, run(gold, found, given=True, draws=options.draws)[0]))
    print(*table(("corpus", "axis", "gold", "precision", "recall", "F1"), rows), sep="\n")


if __name__ == "__main__":
    main()
