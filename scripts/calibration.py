"""Whether the trained finder's scores are probabilities: scores against the share that is right, on development parts.

python scripts/calibration.py                 # those below $CLINSPAN_DATA
python scripts/calibration.py ncbi_disease    # these only

Right is what the corpus marks with the same label and offsets; entities of labels that it does not mark are left out.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from spacy.language import Language

import clinspan
from clinspan.corpora import CorpusError, Gold, data_folder, gold_of, load_spec
from clinspan.notes import sanitize
from clinspan.tagger.calibration import expected_error, reliability
from clinspan.tagger.corpus import before_the_tagger

CORPORA = ("maccrobat", "chia", "bc5cdr", "ncbi_disease", "phee", "neurotrialner")


def answers(nlp: Language, gold: Gold) -> tuple[list[float], list[bool]]:
    """The score of each entity that the finder proposes, and whether it is right."""
    scores, right = [], []
    ner = nlp.get_pipe("ner")
    with nlp.select_pipes(enable=before_the_tagger(nlp)):
        for document in gold.documents:
            marked = {(a.start, a.end, a.label) for a in document.annotations}
            doc = nlp(sanitize(document.text))
            for start, end, label, score in ner.find([doc])[0][1]:
                if label in gold.labels:
                    span = doc[start:end]
                    scores.append(score)
                    right.append((span.start_char, span.end_char, label) in marked)
    return scores, right


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", nargs="*", help="all when left out")
    options = parser.parse_args(arguments)
    nlp = clinspan.load()
    all_scores: list[float] = []
    all_right: list[bool] = []
    for name in options.corpora or CORPORA:
        spec = load_spec(name)
        try:
            data_folder(spec)
        except CorpusError:
            continue
        scores, right = answers(nlp, gold_of(spec, split="dev" if "dev" in spec.splits else next(iter(spec.splits))))
        all_scores, all_right = all_scores + scores, all_right + right
        print(f"{name:14} {len(scores):6} entities, expected calibration error {expected_error(scores, right):.3f}")
    if all_scores:
        print(f"{'all':14} {len(all_scores):6} entities, {expected_error(all_scores, all_right):.3f}")
        for count, mean, share in reliability(all_scores, all_right, 10):
            print(f"  {count:6} with mean score {mean:.2f}: {share:.2f} right")


if __name__ == "__main__":
    main()
