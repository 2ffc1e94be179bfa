"""Put a bundled pipeline together and save its folder.

python scripts/build_terminology.py --data $CLINSPAN_DATA --output build/terms.index
python scripts/build_pipeline.py --index build/terms.index --output models/en_clinspan
python scripts/build_pipeline.py --language pt --output models/pt_clinspan    # no dictionary: terms are the user's
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import clinspan
from clinspan.pipeline import blank, describe


def build(index: Path | None, output: Path, *, language: str = "en") -> dict[str, object]:
    """Save the pipeline, with the given index if any, into the folder ``output``; returns its description."""
    nlp = blank(language)
    if index is not None:
        nlp.get_pipe("terms").open_index(index)
        nlp.meta["index_sha256"] = hashlib.sha256(index.read_bytes()).hexdigest()
    nlp.meta.update(
        name="clinspan",
        version=clinspan.__version__,
        description=f"Clinical entities with assertion, by {'dictionary and ' if index else ''}rules",
        author="The clinspan authors",
        license="Apache-2.0; terminologies under the terms in CARD.md" if index else "Apache-2.0",
        spacy_version=">=3.8,<3.9",
    )
    nlp.to_disk(output)
    return describe(nlp)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--language", default="en", help="of the rules")
    parser.add_argument("--index", type=Path, help="the dictionary; none when left out")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    for key, value in build(options.index, options.output, language=options.language).items():
        print(f"{key}: {value}")


if __name__ == "__main__":
    main()
