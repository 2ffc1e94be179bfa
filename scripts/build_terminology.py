"""Build the bundled terminology index of a pipeline from our own vocabulary and open terminologies.

    python scripts/build_terminology.py --data $CLINSPAN_DATA --output models/en_clinspan/terms/terms.index

Reads ``resources/en/concepts.tsv`` (our own), and below ``--data`` ``terms/`` (ICD-10-CM, Disease Ontology, HPO, MeSH
disease names, Uberon, UNII) and the training parts of ``corpora/`` (names marked by annotators). The same inputs give
the same bytes. What was dropped, and why, is printed.
"""

from __future__ import annotations

import argparse
import csv
import json
import lzma
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from clinspan.components import resource_rows
from clinspan.components.terms import AMBIGUOUS, ANY, EXACT, MODES, MODIFIER, PART, WHOLES, Concept, Name, pack_names
from clinspan.components.tokenizer import words_and_spaces
from clinspan.corpora import load_spec, map_document, read_corpus
from clinspan.matching import TermIndex
from clinspan.matching.normal import SUFFIX_MARK, readings, symbols

#: Where the code of one of our own concepts is looked up by its name, in order.
CODED_BY = {"CONDITION": ("ICD10CM", "DOID", "HP"), "ANATOMY": ("UBERON",), "DRUG": ("UNII",)}
VOCABULARY = "clinspan"
DRUG_TYPES = {"cn", "bn", "of"}
_SHORT = 4


def read_xz(path: Path) -> Iterator[dict[str, str]]:
    """Rows of an xz-compressed TSV."""
    with lzma.open(path, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)


# --- our own vocabulary ---


def own_names() -> Iterator[tuple[Name, str, bool]]:
    """(name, public code, whether it is the preferred name) of our own concepts.

    A ``?`` form of a body site that no rule decides is its adjective.
    """
    decided = {row["form"].lower() for row in resource_rows("en/ambiguous.tsv")}
    for row in resource_rows("en/concepts.tsv"):
        concept = Concept(row["label"], VOCABULARY, row["id"], row["name"])
        for i, written in enumerate([row["name"], *filter(None, row["synonyms"].split("|"))]):
            mode = written[0] if i and written[0] in MODES else ANY
            if mode == AMBIGUOUS and row["label"] == "ANATOMY" and written[1:].islower() and written[1:] not in decided:
                mode = MODIFIER
            yield Name(concept, mode, written[1:] if mode else written), row["code"], not i


def stem_names(own: Iterable[tuple[Name, str, bool]]) -> Iterator[Name]:
    """The stems of generic drug names, each under its class."""
    classes = {name.written: name.concept for name, _, preferred in own if preferred and name.concept.label == "DRUG"}
    for row in resource_rows("en/drug_stems.tsv"):
        concept = classes.get(row["class"]) or Concept("DRUG", VOCABULARY, "", row["class"])
        yield Name(concept, ANY, SUFFIX_MARK + row["stem"].lstrip("-"))


# --- open terminologies ---

_UNSPECIFIC = re.compile(
    r"\b(?:unspecified|other|nec|nos|encounter|elsewhere|sequela|without|with|due to|not|following|classified|and/or"
    r"|initial|subsequent|type [ivx\d]+[a-z]?|site|episode|part|multiple|susceptibility|autosomal)\b",
    re.IGNORECASE,
)
_ODD = re.compile(r"[\[\]{}<>=;:%]|\d{3,}")
_PAREN = re.compile(r"\s*\([^()]*\)")


def clean(name: str, *, longest: int = 6) -> str | None:
    """A terminology's name as a note would write it, or None where none would."""
    name = _PAREN.sub("", name).strip()
    if name.count(",") == 1:
        head, tail = (part.strip() for part in name.split(","))
        if not tail or not head or len(tail.split()) > 3 or tail.split()[0].lower() in ("and", "or"):
            return None
        name = f"{tail} {head}"
    if "," in name or _ODD.search(name) or _UNSPECIFIC.search(name):
        return None
    words = name.split()
    if not 1 <= len(words) <= longest or len(name) <= 2:
        return None
    return name


# MeSH's branch of diseases and mental disorders also holds behaviour, persons and processes: a disease's name says so.
_DISEASE = re.compile(
    r"(?:disease|syndrome|disorder|cancer|carcinoma|infection|infestation|tumou?r|neoplasm|an(?:a)?emia|deficiency|failure"
    r"|injur(?:y|ie)|fracture|ha?emorrhage|malformation|abnormalit(?:y|ie)|defect|dysfunction|insufficiency|stenosis"
    r"|occlusion|thrombosis|embolism|ulcer|hernia|rupture|lesion|cyst|polyp|abscess|fever|palsy|paralysis|dystrophy"
    r"|atrophy|dysplasia|degeneration|poisoning|toxicity|intoxication|allergy|hypersensitivity|sclerosis|fibrosis"
    r"|hypertension|hypotension|arrhythmia|tachycardia|bradycardia|infarction|isch(?:a)?emia|block|aneurysm|dissection"
    r"|effusion|(?:o)?edema|obstruction|prolapse|reflux|seizure|epilepsy|migraine|headache|pain|neuropathy|ataxia"
    r"|itis|osis|emia|aemia|oma|pathy|algia|plegia|uria|rrhea|rrhoea|penia|philia|phobia|mania|opia|rrhage|megaly"
    r"|trophy|plasia|genesis|ectasis|ptosis|spasm|dynia|odynia|lepsy|lithiasis|cele|dactyly|cephaly|glossia|tonia"
    r"|kinesia|phagia|pnea|pnoea|thorax|leukemia|leukaemia|lymphoma|sarcoma|melanoma|glioma|diabetes|asthma|sepsis"
    r"|shock|coma|delirium|dementia|psychosis|depression|dependence|withdrawal|abuse|wound|burn|bite|sprain|dislocation"
    r"|pneumonia|influenza|malaria|measles|mumps|rubella|herpes|hepatitis|warts?|scabies|tuberculosis)(?:s|es)?$",
    re.IGNORECASE,
)


def terminology(data: Path) -> Iterator[tuple[str, str, str, str, str]]:
    """(label, vocabulary, concept id, preferred name, name) of the open terminologies, in order of trust."""
    terms = data / "terms"
    for file, label, vocabulary, longest in (
        ("icd10cm", "CONDITION", "ICD10CM", 6),
        ("doid_slims", "CONDITION", "DOID", 6),
        ("hpo", "CONDITION", "HP", 5),
        ("uberon_sub", "ANATOMY", "UBERON", 4),
    ):
        preferred: dict[str, str] = {}
        rows = list(read_xz(terms / f"{file}.tsv.xz"))
        for row in rows:
            if row["kind"] == "PREF":
                preferred.setdefault(row["concept_id"], row["term"])
        for row in rows:
            if row["kind"] in ("BROAD", "RELATED", "NARROW"):
                continue
            name = clean(row["term"], longest=longest)
            if name:
                concept_id = row["concept_id"]
                yield label, vocabulary, concept_id, preferred.get(row["concept_id"], row["term"]), name
    for row in read_xz(terms / "mesh_disease_names.tsv.xz"):
        name = clean(row["term"], longest=6)
        if name and "," not in row["term"] and _DISEASE.search(name):
            yield "CONDITION", "", "", name, name


def everyday_words(data: Path, *, least: int = 3) -> set[str]:
    """Lower-case words of the textbooks: a substance's name that is one of them is a word first."""
    counts: Counter[str] = Counter()
    with lzma.open(data / "text" / "openstax_health.txt.xz", "rt", encoding="utf-8") as file:
        for line in file:
            counts.update(re.findall(r"\b[a-z]{3,}\b", line))
    return {word for word, count in counts.items() if count >= least}


def unii(data: Path, clinical: set[tuple[str, ...]], everyday: set[str]) -> Iterator[tuple[str, str, str, str, str]]:
    """UNII names of substances in clinical use: one of their names is among ``clinical`` (normal forms)."""
    groups: dict[str, list[str]] = defaultdict(list)
    for row in read_xz(data / "terms" / "unii_plain.tsv.xz"):
        if row["kind"] in DRUG_TYPES:
            groups[row["concept_id"]].append(row["term"])
    for concept_id, names in groups.items():
        if any(symbols(name) in clinical for name in names):
            for name in names:
                if name.lower() in everyday and symbols(name) not in clinical:
                    continue
                if len(name) > _SHORT and "WHOLE" not in name and len(name.split()) <= 4 and not _ODD.search(name):
                    yield "DRUG", "UNII", concept_id, names[0], name


# --- annotated training corpora ---

_EDGE = {
    "the",
    "a",
    "an",
    "his",
    "her",
    "of",
    "and",
    "or",
    "any",
    "other",
    "with",
    "in",
    "no",
    "such",
    "this",
    "these",
    "all",
    "severe",
    "mild",
    "moderate",
    "acute",
    "left",
    "right",
    "bilateral",
    "his/her",
    "significant",
    "active",
    "to",
    "history",
    "known",
    "current",
    "new",
    "both",
    "marked",
    "normal",
    "slight",
    "multiple",
    "small",
    "large",
    "massive",
    "diffuse",
    "for",
    "use",
    "level",
    "levels",
    "patients",
    "patient",
    "their",
    "treatment",
    "therapy",
}


def corpus_names(data: Path, *, least: int, purity: float) -> Iterator[tuple[str, str, str, str, str]]:
    """Names marked in training parts often and consistently enough: (label, vocabulary, id, name, name)."""
    marked: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    surfaces: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    documents = []
    for corpus in ("maccrobat", "chia", "bc5cdr", "ncbi_disease"):
        spec = load_spec(corpus)
        for document in read_corpus(spec, data=data / "corpora" / corpus, split="train"):
            documents.append((map_document(document, spec), set(spec.marked)))
    for document, _ in documents:
        for annotation in document.annotations:
            if len(annotation.fragments) > 1:
                continue
            surface = document.text[annotation.start : annotation.end]
            form = symbols(surface)
            if not form or len(form) > 5 or "\n" in surface:
                continue
            marked[form][annotation.label] += 1
            surfaces[form][surface] += 1
    # how often each of those forms stands in the texts at all, by the labels that the text's corpus marks
    index = TermIndex.build_symbols((form, i) for i, form in enumerate(marked))
    forms = list(marked)
    read: dict[str, tuple[tuple[tuple[int, ...], ...], ...] | None] = {}
    seen: dict[tuple[tuple[str, ...], str], int] = Counter()
    for document, labels in documents:
        words = words_and_spaces(document.text)[0]
        for start in range(len(words)):
            nodes: tuple[int, ...] = (0,)
            for place in range(start, min(start + 8, len(words))):
                if words[place] not in read:
                    read[words[place]] = index.read(words[place])
                how = read[words[place]]
                if how is None:
                    if place == start:
                        break
                    continue
                after = index.step(nodes, how)
                if not after:
                    break
                nodes = after
                for number in index.ids_at(nodes):
                    for label in labels:
                        seen[forms[number], label] += 1
    for form, labels in sorted(marked.items()):
        label, count = labels.most_common(1)[0]
        surface = surfaces[form].most_common(1)[0][0]
        if count < least or count < purity * max(seen[form, label], sum(labels.values())):
            continue
        if (
            label in ("PROCEDURE", "MEASUREMENT")
            and surface.lower().endswith(("ed", "ly", "ing"))
            and " " not in surface
        ):
            continue  # a verb or an adverb, not a name
        if form[0] in _EDGE or form[-1] in _EDGE or len("".join(form)) <= 3 or not surface[0].isalpha():
            continue
        if any(symbol.isdigit() for symbol in form) or _ODD.search(surface):
            continue
        name = surface if surface.isupper() or not surface[1:].islower() else surface.lower()
        yield label, "", "", name, name


# --- put together ---


def build(data: Path | None, *, least: int = 2, purity: float = 0.6) -> tuple[list[Name], Counter[str]]:
    """The names of the index, in order of priority, and counts of what was dropped."""
    excluded = {symbols(row["name"]) for row in resource_rows("en/excluded_names.tsv")}
    names: dict[tuple[str, ...], list[Name]] = {}
    dropped: Counter[str] = Counter()
    own = list(own_names())
    forms_of: dict[str, tuple[str, ...]] = {}
    clinical: set[tuple[str, ...]] = set()
    for name, _, preferred in own:
        form = symbols(name.written)
        if preferred:
            forms_of[name.concept.concept_id] = form
        if name.concept.label == "DRUG":
            clinical.add(form)
    open_names: list[tuple[str, str, str, str, str]] = []
    codes: dict[tuple[str, tuple[str, ...]], tuple[str, str]] = {}
    by_code: dict[str, str] = {}
    if data:
        open_names += terminology(data)
        open_names += unii(data, clinical, everyday_words(data))
        for _, vocabulary, concept_id, preferred_name, written in open_names:
            if vocabulary:
                codes.setdefault((vocabulary, symbols(written)), (concept_id, preferred_name))
                by_code.setdefault(f"{vocabulary}:{concept_id}", preferred_name)
    # our own concepts, under a public code where the preferred name is that vocabulary's name for it
    recoded: dict[str, Concept] = {}
    for name, code, preferred in own:
        if not preferred:
            continue
        concept = name.concept
        if code and code in by_code:  # ICD10CM:R06.02
            vocabulary, concept_id = code.split(":", 1)
            recoded[concept.concept_id] = Concept(concept.label, vocabulary, concept_id, by_code[code])
            continue
        for vocabulary in CODED_BY.get(concept.label, ()):
            found = codes.get((vocabulary, forms_of[concept.concept_id]))
            if found:
                recoded[concept.concept_id] = Concept(concept.label, vocabulary, *found)
                break
    for name, _, _ in own:
        concept = (
            name.concept if name.mode in (AMBIGUOUS, MODIFIER) else recoded.get(name.concept.concept_id, name.concept)
        )
        if name.mode == PART and concept.label not in WHOLES:
            raise ValueError(f"{name.written}: a {concept.label} cannot be a word for a part")
        names.setdefault(symbols(name.written), []).append(Name(concept, name.mode, name.written))
    taken = set(names)
    if data:
        open_names += corpus_names(data, least=least, purity=purity)
    for name in stem_names(own):
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
            mode = EXACT if len(form) == 1 and len(form[0]) <= _SHORT and upper else ANY
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
    return [n for form in names for n in sorted(names[form], key=lambda n: n.mode != AMBIGUOUS)], dropped


def write(names: Iterable[Name], output: Path) -> TermIndex:
    """Write the index file."""
    pairs, payload = pack_names(list(names))
    index = TermIndex.build(pairs)
    output.parent.mkdir(parents=True, exist_ok=True)
    index.to_file(output, payload=payload)
    return index


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, help="folder with terms/ and corpora/; without it, our own vocabulary alone"
    )
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--least", type=int, default=2, help="fewest mentions of a corpus name")
    parser.add_argument("--purity", type=float, default=0.6, help="least share of a corpus name's occurrences marked")
    options = parser.parse_args()
    names, dropped = build(options.data, least=options.least, purity=options.purity)
    write(names, options.output)
    kinds = Counter((name.concept.label, name.concept.vocabulary or "names") for name in names)
    print(json.dumps({"names": len(names), "bytes": options.output.stat().st_size}, indent=None))
    for (label, vocabulary), count in sorted(kinds.items()):
        print(f"{count:8} {label} {vocabulary}")
    for reason, count in dropped.most_common():
        print(f"{count:8} dropped: {reason}")


if __name__ == "__main__":
    main()
