"""How many gold mentions the bundled dictionary has a name for: those whose surface, in normal form, is in the index.

    python scripts/coverage.py                    # the development parts below $CLINSPAN_DATA, and demo
    python scripts/coverage.py --index my.index   # another index of names to find

``with its label``: some name under that form has the gold label. A name in another label, or one that must be written
otherwise, or that its context must call for, counts as covered in the first column alone.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from clinspan.corpora import CorpusError, data_folder, gold_of, load_spec
from clinspan.matching import TermIndex
from clinspan.pipeline import find_model

CORPORA = ("maccrobat", "chia", "bc5cdr", "ncbi_disease", "demo")


def labels_under(index: TermIndex, surface: str) -> set[str]:
    """The labels of the names filed under a surface's normal form."""
    names, concepts = index.payload["names"], index.payload["concepts"]
    return {concepts[int(names[i].split("\t", 1)[0])].split("\t", 1)[0] for i in index.lookup(surface)}


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", nargs="*", default=CORPORA, metavar="CORPUS")
    parser.add_argument("--index", type=Path, default=find_model() / "terms" / "terms.index")
    options = parser.parse_args(arguments)
    index = TermIndex.open(options.index)
    print("| corpus | label | mentions | in the index | with its label |\n|---|---|---:|---:|---:|")
    for name in options.corpora:
        spec = load_spec(name)
        try:
            data_folder(spec)
        except CorpusError:
            continue
        gold = gold_of(spec, split="dev" if "dev" in spec.splits else next(iter(spec.splits)))
        counts: Counter[tuple[str, str]] = Counter()
        for document in gold.documents:
            for mention in document.annotations:
                surface = " ".join(document.text[start:end] for start, end in mention.fragments)
                found = labels_under(index, surface)
                for label in (mention.label, "all"):
                    counts[label, "mentions"] += 1
                    counts[label, "in"] += bool(found)
                    counts[label, "label"] += mention.label in found
        for label in dict.fromkeys(label for label, _ in counts):
            total = counts[label, "mentions"]
            shares = " | ".join(f"{counts[label, key] / total:.3f}" for key in ("in", "label"))
            print(f"| {gold.name} {gold.split} | {label} | {total:,} | {shares} |")


if __name__ == "__main__":
    main()
