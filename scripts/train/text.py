"""Open text, tokenized, one paragraph a line: what word vectors are trained on.

python scripts/train/text.py --data $CLINSPAN_DATA --output build/text.txt

Paragraphs that share a run of twelve words with a development document of any corpus are left out, and counted.
"""

from __future__ import annotations

import argparse
import lzma
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from clinspan.components.tokenizer import words_of
from clinspan.corpora import Document, Spec, load_spec, read_corpus

#: Corpora whose development parts must not be in any text, and whose training parts are added to it.
CORPORA = ("bc5cdr", "ncbi_disease", "maccrobat", "chia", "phee", "neurotrialner", "biored")
#: One in so many paragraphs of a file that would otherwise outweigh the rest with text of one kind.
THINNED = {"vaers_1990_2006": 3}
RUN = 12


def tokenized(paragraph: str) -> list[str]:
    """The paragraph's words."""
    return [word for word in words_of(paragraph) if not word.isspace()]


def runs(words: Sequence[str]) -> set[int]:
    """A number for every run of :data:`RUN` words, the same in every text of a process."""
    if len(words) < RUN:
        return set()
    hashes = np.fromiter((hash(word.lower()) for word in words), dtype=np.int64, count=len(words)).astype(np.uint64)
    total = np.zeros(len(words) - RUN + 1, dtype=np.uint64)
    for i in range(RUN):
        total = total * np.uint64(1_000_003) + hashes[i : i + len(total)]
    return set(total.tolist())


def spec_of(name: str, data: Path) -> Spec:
    """The spec that lies with the data, else the bundled one."""
    folder = data / "corpora" / name
    return load_spec(folder if (folder / "spec.json").exists() else name)


def documents(data: Path, corpora: Iterable[str], split: str) -> Iterator[Document]:
    """The documents of a part of the corpora that have it."""
    for name in corpora:
        spec = spec_of(name, data)
        if split in spec.splits:
            yield from read_corpus(spec, data=data / "corpora" / name, split=split)


def held_out(data: Path, corpora: Iterable[str]) -> set[int]:
    """The runs of every development document."""
    found: set[int] = set()
    for document in documents(data, corpora, "dev"):
        found |= runs(tokenized(document.text))
    return found


def open_text(data: Path, corpora: Iterable[str]) -> Iterator[tuple[str, Iterable[str]]]:
    """The name of each text, and its paragraphs."""
    for path in sorted((data / "text").glob("*.txt.xz")):
        name = path.name.removesuffix(".txt.xz")
        with lzma.open(path, "rt", encoding="utf-8") as lines:
            yield name, (line for i, line in enumerate(lines) if i % THINNED.get(name, 1) == 0)
    trained = documents(data, corpora, "train")
    yield "training parts", (line for document in trained for line in document.text.splitlines())


def write(data: Path, output: Path, corpora: Sequence[str] = CORPORA) -> Iterator[str]:
    """Write the paragraphs; yields a line a text about what came of it."""
    kept_out = held_out(data, corpora)
    with output.open("w", encoding="utf-8") as out:
        for name, paragraphs in open_text(data, corpora):
            kept = tokens = left_out = 0
            for paragraph in paragraphs:
                words = tokenized(paragraph)
                if kept_out.isdisjoint(runs(words)):
                    out.write(" ".join(words) + "\n")
                    kept, tokens = kept + 1, tokens + len(words)
                else:
                    left_out += 1
            yield f"{name}: {kept:,} paragraphs, {tokens:,} words; {left_out:,} left out"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder with text/ and corpora/")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    options.output.parent.mkdir(parents=True, exist_ok=True)
    for line in write(options.data, options.output):
        print(line, flush=True)


if __name__ == "__main__":
    main()
