"""How often the code of an entity is right, given the entity: the bundled linker on gold spans with MeSH and OMIM ids.

    python scripts/benchmark_linking.py                     # the development parts below $CLINSPAN_DATA
    python scripts/benchmark_linking.py --without-training  # without the names that the training parts give
    python scripts/benchmark_linking.py --calibration       # how often the first candidate is right, by its score

All mentions count. A mention whose gold is several ids (a composite, or undecided) is right if the candidate is one of
them; one whose gold is -1 (no concept) is right only if there is no candidate. ``in the index``: the mentions one of
whose ids the index of concepts has. Intervals: percentiles of 1,000 bootstrap draws of documents.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

import clinspan
from clinspan.corpora import CorpusError, data_folder, load_spec, map_document, read_corpus
from clinspan.pipeline import annotate, component

CORPORA = (("bc5cdr", "CONDITION"), ("bc5cdr", "DRUG"), ("ncbi_disease", "CONDITION"))


def mentions(corpus: str, label: str) -> Iterator[tuple[str, list[tuple[int, int, str, tuple[str, ...]]]]]:
    """Texts of the development part, and their mentions of a label with their ids."""
    spec = load_spec(corpus)
    for document in read_corpus(spec, split="dev"):
        mapped = {a.id: a.label for a in map_document(document, spec).annotations}
        found = [
            (a.start, a.end, label, tuple(i.removeprefix("MESH:").removeprefix("OMIM:") for i in a.concepts))
            for a in document.annotations
            if mapped.get(a.id) == label
        ]
        yield document.text, found


def interval(right: np.ndarray, counted: np.ndarray, *, draws: int = 1000, seed: int = 0) -> str:
    """A share of sums over documents, with its interval."""
    picks = np.random.default_rng(seed).integers(0, len(right), (draws, len(right)))
    low, high = np.percentile(right[picks].sum(1) / np.maximum(counted[picks].sum(1), 1), [2.5, 97.5])
    return f"{right.sum() / max(counted.sum(), 1):.3f} [{low:.3f}, {high:.3f}]"


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--without-training", action="store_true")
    parser.add_argument("--calibration", action="store_true")
    parser.add_argument("--wrong", type=int, default=0, help="print so many of the commonest wrong ones, as ids")
    options = parser.parse_args(arguments)
    nlp = clinspan.load()
    linker = component(nlp, "linker")
    linker.vocabularies = ["mesh", "omim"]
    if options.without_training:
        linker.indexes[0].worth["annotated"] = 0
    print("| corpus | label | mentions | accuracy@1 | accuracy@5 | in the index | accuracy@1 of these |")
    print("|---|---|---:|---:|---:|---:|---:|")
    by_score: Counter[tuple[float, bool]] = Counter()
    wrong: Counter[tuple[object, ...]] = Counter()
    for corpus, label in CORPORA:
        try:
            data_folder(load_spec(corpus))
        except CorpusError:
            print(f"| {corpus} dev | {label} | the corpus is not there: set CLINSPAN_DATA |")
            continue
        rows = []
        for text, given in mentions(corpus, label):
            doc = annotate(nlp, text, [(start, end, label) for start, end, label, _ in given])
            row = np.zeros(5)  # mentions, right at 1, at 5, in the index, right at 1 of these
            for span, (_, _, _, gold) in zip(doc.spans["entities"], given):
                found = [candidate.concept_id for candidate in span._.candidates]
                wanted = set(gold)
                first = bool(found and found[0] in wanted) or (not found and wanted == {"-1"})
                within = bool(wanted & set(found[:5])) or (not found and wanted == {"-1"})
                known = any(
                    linker.indexes[0].number(name, code) is not None for code in wanted for name in linker.vocabularies
                )
                row += (1, first, within, known, first and known)
                if found:
                    by_score[round(span._.candidates[0].score - 0.025, 1 if found else 2), first] += 1
                if not first:
                    wrong[corpus, label, gold, tuple(found[:2])] += 1
            rows.append(row)
        table = np.array(rows)
        shares = (interval(table[:, i], table[:, j]) for i, j in ((1, 0), (2, 0), (3, 0), (4, 3)))
        print(f"| {corpus} dev | {label} | {int(table[:, 0].sum()):,} | " + " | ".join(shares) + " |")
    if options.calibration:
        print("\n| score | mentions | first candidate right |\n|---:|---:|---:|")
        for score in sorted({score for score, _ in by_score}):
            total = by_score[score, True] + by_score[score, False]
            print(f"| {score:.2f} | {total:,} | {by_score[score, True] / total:.3f} |")
    for key, count in wrong.most_common(options.wrong):
        print(count, *key)


if __name__ == "__main__":
    main()
