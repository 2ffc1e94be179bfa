"""Put the bundled pipeline together and save its folder.

python scripts/build_terminology.py --data $CLINSPAN_DATA --output build/terms.index
python scripts/build_pipeline.py --index build/terms.index --output models/en_clinspan
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import clinspan
from clinspan.pipeline import blank, describe


def build(index: Path, output: Path) -> dict[str, object]:
    """Save the pipeline with the given index into the folder ``output``; returns its description."""
    nlp = blank()
    nlp.get_pipe("terms").open_index(index)
    nlp.meta.update(
        name="clinspan",
        version=clinspan.__version__,
        description="Clinical entities with assertion, by dictionary and rules",
        author="The clinspan authors",
        license="Apache-2.0; terminologies under the terms in CARD.md",
        spacy_version=">=3.8,<3.9",
        index_sha256=hashlib.sha256(index.read_bytes()).hexdigest(),
    )
    nlp.to_disk(output)
    return describe(nlp)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--index", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    for key, value in build(options.index, options.output).items():
        print(f"{key}: {value}")


if __name__ == "__main__":
    main()
