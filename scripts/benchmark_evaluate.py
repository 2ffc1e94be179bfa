"""How long scoring takes, without the pipeline: documents with ready predictions, counted, resampled and compared.

python scripts/benchmark_evaluate.py --documents 1000 --mentions 60 --draws 1000
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Sequence

from clinspan.corpora import AXES, Annotation, Document, Gold
from clinspan.evaluate import run
from clinspan.predictions import Predictions
from clinspan.schema import LABELS

TEXT = "x" * 6000


def document(rng: random.Random, number: int, mentions: int) -> Document:
    """Mentions at random places, some overlapping, each with values on all axes."""
    annotations = []
    for k in range(mentions):
        start = rng.randrange(len(TEXT) - 20)
        end = start + rng.randrange(3, 20)
        axes: dict[str, str | bool] = {axis: rng.random() < 0.1 for axis in AXES[:-1]}
        axes["experiencer"] = "patient"
        annotations.append(Annotation(start, end, rng.choice(LABELS), ((start, end),), axes, (), f"T{k}"))
    return Document(f"d{number}", TEXT, tuple(annotations))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=1000)
    parser.add_argument("--mentions", type=int, default=60, help="a document, on each side")
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=10_000, help="of the randomization test")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args(arguments)
    rng = random.Random(0)
    gold = Gold(
        "random",
        "",
        tuple(document(rng, i, options.mentions) for i in range(options.documents)),
        LABELS,
        AXES,
    )
    systems = [
        Predictions(name, [document(rng, i, options.mentions) for i in range(options.documents)], AXES)
        for name in ("one", "other")
    ]
    for what, against in (("scores and intervals", None), ("with a comparison", systems[1])):
        times = []
        for _ in range(options.repeats):
            started = time.process_time()
            run(gold, systems[0], against=against, draws=options.draws, rounds=options.rounds)
            times.append(time.process_time() - started)
        print(f"{what:22} {statistics.median(times):6.1f} s CPU (median of {options.repeats})")


if __name__ == "__main__":
    main()
