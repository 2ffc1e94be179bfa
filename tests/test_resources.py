"""The package's own tables: what a slip of the pen would break."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from clinspan import schema
from clinspan.components import resource_rows
from clinspan.components.clauses import Clauses
from clinspan.components.judgements import SECTION_DEFAULTS
from clinspan.components.terms import ANY, EXACT, MODES, PART, WHOLES
from clinspan.matching.normal import symbols
from clinspan.rules import read_rules

CONCEPTS = list(resource_rows("en/concepts.tsv"))
#: A public code; "-" for a concept that a vocabulary's name for it does not mean.
CODE = r"(ICD10CM:[A-Z][0-9A-Z]{2}(\.[0-9A-Z]{1,4})?|(HP|DOID|UBERON):\d+|UNII:[0-9A-Z]{10}|MESH:[CD]\d+|-)?"
LETTERS = dict(zip("CRPMADO", ("CONDITION", "DRUG", "PROCEDURE", "MEASUREMENT", "ANATOMY", "DEVICE", "OBSERVATION")))


@pytest.mark.parametrize("table", ["en/concepts", "en/context", "en/sections", "pt/context", "pt/sections"])
def test_ids_are_unique(table: str) -> None:
    counts = Counter(row["id"] for row in resource_rows(f"{table}.tsv"))
    assert [key for key, count in counts.items() if count > 1] == []


def test_concepts_are_well_formed() -> None:
    for row in CONCEPTS:
        assert re.fullmatch(r"[CRPMADO]\d{5}", row["id"]) and LETTERS[row["id"][0]] == row["label"], row["id"]
        assert row["name"] == row["name"].strip() != "" and row["name"][0] not in MODES, row["id"]
        assert re.fullmatch(CODE, row["code"]), row["id"]
        for synonym in filter(None, row["synonyms"].split("|")):
            assert synonym == synonym.strip() and symbols(synonym.lstrip("".join(MODES))), (row["id"], synonym)
            assert synonym[0] != PART or row["label"] in WHOLES, (row["id"], synonym)


def test_a_plain_name_has_one_concept() -> None:
    owners: dict[tuple[str, ...], set[str]] = {}
    for row in CONCEPTS:
        for i, name in enumerate([row["name"], *filter(None, row["synonyms"].split("|"))]):
            if not i or name[0] not in MODES:
                owners.setdefault(symbols(name), set()).add(row["id"])
    assert {form: ids for form, ids in owners.items() if len(ids) > 1} == {}


def test_ambiguous_forms_name_concepts_that_list_them() -> None:
    listed = {
        (row["id"], synonym[1:].lower())
        for row in CONCEPTS
        for synonym in row["synonyms"].split("|")
        if synonym.startswith("?")
    }
    for row in resource_rows("en/ambiguous.tsv"):
        assert row["concept_id"] == "-" or (row["concept_id"], row["form"].lower()) in listed, row


@pytest.mark.parametrize("language", ["en", "pt"])
def test_rules_read_and_say_why(language: str) -> None:
    rules = read_rules(resource_rows(f"{language}/context.tsv"))
    assert all(rule.axes or rule.direction == "pseudo" for rule in rules)
    assert all(rule.cues for rule in rules)
    assert [rule.id for rule in rules if not rule.why or not rule.examples] == []


@pytest.mark.parametrize("language", ["en", "pt"])
def test_words_of_clauses_are_there(language: str) -> None:
    sets = {row["id"] for row in resource_rows(f"{language}/context.tsv") if row["direction"] == "set"}
    assert set(Clauses._fields) <= sets


def test_sections_of_other_languages_have_our_groups() -> None:
    groups = {row["group"] for row in resource_rows("en/sections.tsv")}
    assert {row["group"] for row in resource_rows("pt/sections.tsv")} <= groups


def test_sections_are_known_to_the_defaults() -> None:
    groups = {row["group"] for row in resource_rows("en/sections.tsv")}
    assert set(SECTION_DEFAULTS) <= groups
    assert all(re.fullmatch(r"[a-z_]+", group) for group in groups)
    assert all(default.labels <= set(schema.LABELS) for default in SECTION_DEFAULTS.values())


def test_excluded_names_have_a_reason() -> None:
    rows = list(resource_rows("en/excluded_names.tsv"))
    assert rows and all(row["name"] and row["reason"] for row in rows)


def test_modes_are_distinct() -> None:
    assert len({ANY, EXACT, *MODES}) == len(MODES) + 1
