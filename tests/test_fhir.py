"""FHIR Bundles: what they say of a note, and that they are FHIR."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from clinspan import fhir
from clinspan.notes import Note, NotesError, read_notes
from clinspan.tables import read_table
from command import run

NOTES = (
    "note_id,person_id,date,text\n"
    '7,101,2020-03-01,"CHIEF COMPLAINT: No fever. Possible pneumonia. Has asthma.\n\n'
    "ALLERGIES: Penicillin causes rash. Latex allergy.\n\n"
    "FAMILY HISTORY: Mother had diabetes. No family history of stroke.\n\n"
    "PLAN: Stopped lisinopril. Takes metformin, denies taking aspirin. Will start warfarin. Return if chest pain.\n\n"
    "PAST SURGICAL HISTORY: Appendectomy. No colectomy.\n\n"
    'SOCIAL HISTORY: Denies tobacco use. Smoker. Hemoglobin was drawn. Abdomen soft."\n'
    'b,a b/c,,"Cough."\n'
    'c,,,"The patient was seen."\n'
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fhir")
    (folder / "n.csv").write_text(NOTES)
    assert run("extract", folder / "n.csv", "-o", folder / "out", "--workers", 0)[0] == 0
    code, _, err = run("fhir", folder / "out", folder / "n.csv", "-o", folder / "fhir")
    assert code == 0, err
    assert "3 Bundles" in err and "1 left out: body site" in err and "1 notes without a person's id" in err
    return folder


def bundles(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "fhir" / fhir.FOLDER / "part-00000.ndjson").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def resources(bundle: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """By type and the entity's text."""
    found = {}
    for entry in bundle.get("entry", []):
        it = entry["resource"]
        if it["resourceType"] == "FamilyMemberHistory":
            concept = it["condition"][0]["code"]
        elif "reaction" in it:
            concept = it["reaction"][0]["manifestation"][0]
        else:
            concept = it.get("code") or it.get("medicationCodeableConcept") or {"text": ""}
        found[it["resourceType"], concept["text"]] = it
    return found


def code(concept: dict[str, Any]) -> str:
    return concept["coding"][0]["code"]


def test_statuses(made: Path) -> None:
    found = resources(bundles(made)[0])
    verified = {text: code(it["verificationStatus"]) for (kind, text), it in found.items() if kind == "Condition"}
    assert verified == {"fever": "refuted", "pneumonia": "provisional", "asthma": "confirmed"}
    assert "clinicalStatus" not in found["Condition", "fever"]
    assert code(found["Condition", "asthma"]["clinicalStatus"]) == "active"
    drugs = {text: it["status"] for (kind, text), it in found.items() if kind == "MedicationStatement"}
    assert drugs == {"lisinopril": "stopped", "metformin": "active", "aspirin": "not-taken", "warfarin": "intended"}
    done = {text: it["status"] for (kind, text), it in found.items() if kind == "Procedure"}
    assert done == {"Appendectomy": "completed", "colectomy": "not-done"}
    assert found["Observation", "tobacco use"]["valueBoolean"] is False
    assert found["Observation", "Smoker"]["valueBoolean"] is True
    assert code(found["Observation", "Hemoglobin"]["dataAbsentReason"]) == "unknown"


def test_allergies_and_relatives(made: Path) -> None:
    found = resources(bundles(made)[0])
    allergies = {text: it for (kind, text), it in found.items() if kind == "AllergyIntolerance"}
    assert set(allergies) == {"Penicillin", "rash", "Latex allergy"}
    assert allergies["Penicillin"]["category"] == ["medication"] and "code" not in allergies["rash"]
    assert all(code(it["verificationStatus"]) == "confirmed" for it in allergies.values())
    row = {"note_id": "1", "start": 0, "end": 5, "text": "latex", "label": "DRUG", "section": None, "cues": []}
    row |= {"concept_id": None, "assertion": "allergy", "experiencer": "patient", "allergy": True, "negated": True}
    refuted = fhir.resource({**row, "uncertain": False, "hypothetical": False}, Note("1", "latex"))
    assert isinstance(refuted, dict) and code(refuted["verificationStatus"]) == "refuted"
    assert code(refuted["clinicalStatus"]) == "inactive"
    relatives = [text for kind, text in found if kind == "FamilyMemberHistory"]
    assert relatives == ["diabetes"]  # a stroke that no relative had is none


def test_what_is_no_statement_of_the_patient_is_left_out(made: Path) -> None:
    [first, _, _] = bundles(made)
    texts = {text for _, text in resources(first)}
    assert not texts & {"chest pain", "stroke", "Abdomen"}


def test_evidence_is_where_the_run_says(made: Path) -> None:
    notes = {note.note_id: note for note in read_notes([made / "n.csv"])}
    rows = {(r["note_id"], r["start"], r["end"]): r for r in read_table(made / "out", "entities").to_pylist()}
    seen = 0
    for bundle in bundles(made):
        for (kind, text), it in resources(bundle).items():
            if kind == "Provenance":
                continue
            [extension] = it["extension"]
            parts = {p["url"]: next(v for k, v in p.items() if k != "url") for p in extension["extension"]}
            row = rows[parts["note"], parts["start"], parts["end"]]
            assert notes[parts["note"]].text[parts["start"] : parts["end"]] == text == row["text"]
            assert parts["assertion"] == row["assertion"] and parts.get("section") == row["section"]
            seen += 1
    assert seen >= 15


def test_people_dates_and_provenance(made: Path) -> None:
    first, second, third = bundles(made)
    found = resources(first)
    assert found["Condition", "asthma"]["subject"] == {"reference": "Patient/101"}
    assert found["Condition", "asthma"]["recordedDate"] == "2020-03-01"
    cough = resources(second)["Condition", "Cough"]
    assert cough["subject"] == {"identifier": {"value": "a b/c"}} and "recordedDate" not in cough
    assert "entry" not in third and third["identifier"]["value"] == "c"
    provenance = first["entry"][-1]["resource"]
    assert provenance["resourceType"] == "Provenance"
    urls = [entry["fullUrl"] for entry in first["entry"]]
    assert [t["reference"] for t in provenance["target"]] == urls[:-1] and len(set(urls)) == len(urls)
    assert "en_clinspan" in provenance["agent"][0]["who"]["display"]


def test_the_same_run_gives_the_same_bytes(made: Path, tmp_path: Path) -> None:
    first = (made / "fhir" / fhir.FOLDER / "part-00000.ndjson").read_bytes()
    total = fhir.convert(made / "out", read_notes([made / "n.csv"]), tmp_path)
    assert (tmp_path / fhir.FOLDER / "part-00000.ndjson").read_bytes() == first
    rows = read_table(made / "out", "entities").num_rows
    assert sum(total.resources.values()) + sum(total.left_out.values()) == rows


def test_other_notes_are_refused_and_leave_no_file(made: Path, tmp_path: Path) -> None:
    (tmp_path / "n.csv").write_text(NOTES.replace("asthma", "angina"))
    with pytest.raises(NotesError, match="note 7 is not the one"):
        fhir.convert(made / "out", read_notes([tmp_path / "n.csv"]), tmp_path / "fhir")
    assert not list((tmp_path / "fhir").rglob("part-*"))
    code_, _, err = run("fhir", tmp_path / "nothing", tmp_path / "n.csv", "-o", tmp_path / "x")
    assert code_ == 2 and "nothing" in err


def test_they_are_fhir(made: Path, tmp_path: Path) -> None:
    """Against fhir.resources' R4B, in which the resources used are those of R4; the demo notes as well."""
    pytest.importorskip("fhir.resources", reason="fhir.resources is not installed")
    from fhir.resources.R4B.bundle import Bundle

    demo = Path(__file__).parents[1] / "corpora/demo/notes"
    assert run("extract", demo, "-o", tmp_path / "out", "--workers", 0)[0] == 0
    assert run("fhir", tmp_path / "out", demo, "-o", tmp_path / "fhir")[0] == 0
    kinds: Counter[str] = Counter()
    for bundle in [*bundles(made), *bundles(tmp_path)]:
        checked = Bundle.model_validate(bundle)
        kinds.update(entry.resource.get_resource_type() for entry in checked.entry or [])
        for entry in checked.entry or []:
            assert type(entry.resource).__module__.startswith("fhir.resources.R4B")
    assert set(kinds) == {
        "Condition", "MedicationStatement", "Procedure", "Observation", "FamilyMemberHistory", "AllergyIntolerance",
        "Provenance",
    }  # fmt: skip
    broken = bundles(made)[0]
    del broken["entry"][0]["resource"]["subject"]
    with pytest.raises(ValueError, match="subject"):
        Bundle.model_validate(broken)
