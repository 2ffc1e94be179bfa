"""A run's rows as FHIR R4: a Bundle for every note.

What the note says of the patient becomes Condition, MedicationStatement, Procedure, Observation and
AllergyIntolerance; what it says of relatives, FamilyMemberHistory (HL7 FHIR R4, https://hl7.org/fhir/R4/). Where each
stands in the note, and as what it was judged, is an extension of each resource (:data:`EVIDENCE`); a Provenance names
the pipeline and the note. Nothing of the note's text is in a Bundle but the entities' and their cues'.

A resource says what is or was so, or with a status of its own that it was not. What has no such status is left out and
counted: body sites, devices, what is said of others, what might be the case later, diseases that relatives do not have.
"""

from __future__ import annotations

import json
import os
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clinspan.notes import Note, ReadFailure
from clinspan.runs import NoteRows, finished, parts
from clinspan.tables import aside

Resource = dict[str, Any]

#: The extension that holds an entity's place and judgement: ``note``, ``start`` and ``end`` (characters, the end one
#: past the last), ``assertion``, ``section`` and, for each cue, ``cue``.
EVIDENCE = "urn:clinspan:fhir:evidence"
FOLDER = "bundle"
#: Code systems by our names of vocabularies (HL7 Terminology, https://terminology.hl7.org); others get a URN of ours.
SYSTEMS = {
    "ICD10CM": "http://hl7.org/fhir/sid/icd-10-cm",
    "SNOMEDCT_US": "http://snomed.info/sct",
    "SNOMED": "http://snomed.info/sct",
    "RXNORM": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "LNC": "http://loinc.org",
    "LOINC": "http://loinc.org",
    "UNII": "http://fdasis.nlm.nih.gov",
    "MESH": "http://terminology.hl7.org/CodeSystem/MSH",
    "HP": "http://human-phenotype-ontology.org",
    "MONDO": "http://purl.obolibrary.org/obo/mondo.owl",
    "DOID": "http://purl.obolibrary.org/obo/doid.owl",
    "UBERON": "http://purl.obolibrary.org/obo/uberon.owl",
}
_NAMES = uuid.uuid5(uuid.NAMESPACE_URL, EVIDENCE)
_ID = re.compile(r"[A-Za-z0-9.-]{1,64}").fullmatch
_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem/"
#: A finding in an allergy statement that names the allergy itself, not what it does.
_ALLERGIC = re.compile(r"allerg|intoleran|sensitiv|adverse|anaphyla", re.IGNORECASE).search


@dataclass
class Summary:
    """What was converted.

    Attributes:
        resources: by type, without Provenance.
        left_out: entities that are no resource, by why.
        persons_unknown: notes without a person's id: their Bundles name no Patient.
        texts_missing: notes that could not be read; they have no Bundle.
    """

    notes: int = 0
    resources: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    persons_unknown: int = 0
    texts_missing: int = 0


def convert(run: str | os.PathLike[str], notes: Iterable[Note | ReadFailure], output: Path) -> Summary:
    """Write ``OUTPUT/bundle/part-00000.ndjson``, a Bundle a line for every note of a run into files.

    The same run and notes give the same bytes. Each file is there whole or not at all.

    Args:
        run: the folder of a finished run into files.
        notes: the notes that the run read, in the same order.

    Raises:
        FileNotFoundError: the run has no tables.
        NotesError: the notes are not those of the run.
        OSError: writing failed.
    """
    when = finished(run).isoformat(timespec="seconds")
    total = Summary()
    (output / FOLDER).mkdir(parents=True, exist_ok=True)
    for part, listed in parts(run, notes):
        with aside(output / FOLDER / f"part-{part:05d}.ndjson") as file:
            for found in listed:
                if isinstance(found, ReadFailure):
                    total.texts_missing += 1
                    continue
                line = json.dumps(bundle(found, when, total), ensure_ascii=False, separators=(",", ":"))
                file.write(line.encode("utf-8") + b"\n")
    return total


def bundle(found: NoteRows, when: str, total: Summary | None = None) -> Resource:
    """The Bundle (of type ``collection``) of one note.

    Args:
        found: the note and its entities.
        when: when they were found, with the time zone.
        total: counts what is done.
    """
    total = total if total is not None else Summary()
    note = found.note
    total.notes += 1
    total.persons_unknown += note.person_id is None
    source = {"identifier": {"system": "urn:clinspan:note", "value": note.note_id}}
    entries: list[Resource] = []
    for entity in found.entities:
        made = resource(entity, note)
        if isinstance(made, str):
            total.left_out[made] = total.left_out.get(made, 0) + 1
            continue
        kind = made["resourceType"]
        total.resources[kind] = total.resources.get(kind, 0) + 1
        entries.append({"fullUrl": _urn(kind, entity["entity_id"]), "resource": made})
    if entries:
        pipeline = found.entities[0]["pipeline"]
        provenance = {
            "resourceType": "Provenance",
            "target": [{"reference": entry["fullUrl"]} for entry in entries],
            "recorded": when,
            "agent": [
                {
                    "type": _code("provenance-participant-type", "assembler", "Assembler"),
                    "who": {"display": f"clinspan {pipeline}"},
                }
            ],
            "entity": [{"role": "source", "what": source}],
        }
        entries.append({"fullUrl": _urn("Provenance", note.note_id), "resource": provenance})
    made = {
        "resourceType": "Bundle",
        "identifier": source["identifier"],
        "type": "collection",
        "timestamp": when,
    }
    return {**made, "entry": entries} if entries else made


def resource(entity: Mapping[str, Any], note: Note) -> Resource | str:
    """The resource of a row of the entities table, or why there is none."""
    label = entity["label"]
    if label in ("ANATOMY", "DEVICE") and not entity["allergy"]:
        return "body site" if label == "ANATOMY" else "device"
    if entity["experiencer"] == "other":
        return "said of someone else"
    concept = _concept(entity)
    common = {"extension": [_evidence(entity, note)]}
    if entity["experiencer"] == "family":
        if label != "CONDITION":
            return "of a relative, and no disease"
        if entity["negated"] or entity["uncertain"] or entity["hypothetical"]:
            return "disease that a relative does not have, or may have"
        return {
            "resourceType": "FamilyMemberHistory",
            **common,
            "status": "partial",
            "patient": _subject(note),
            **_dated(note, "date"),
            "relationship": _code("v3-RoleCode", "FAMMEMB", "family member"),
            "condition": [{"code": concept}],
        }
    if entity["allergy"]:
        return _allergy(entity, note, concept, common)
    if label == "DRUG":
        return {
            "resourceType": "MedicationStatement",
            **common,
            "status": _medication_status(entity),
            "medicationCodeableConcept": concept,
            "subject": _subject(note),
            **_dated(note, "dateAsserted"),
        }
    if label == "PROCEDURE":
        return {
            "resourceType": "Procedure",
            **common,
            "status": _status(entity, "not-done", "preparation", "unknown", "completed"),
            "code": concept,
            "subject": _subject(note),
        }
    if entity["hypothetical"]:
        return "conditional, planned, or a risk"
    if label == "CONDITION":
        made: Resource = {"resourceType": "Condition", **common}
        status = _status(entity, "refuted", "", "provisional", "confirmed")
        if status != "refuted" and not entity["historical"]:
            made["clinicalStatus"] = _code("condition-clinical", "active", "Active")
        made["verificationStatus"] = _code("condition-ver-status", status, status.title())
        return {**made, "code": concept, "subject": _subject(note), **_dated(note, "recordedDate")}
    made = {
        "resourceType": "Observation",
        **common,
        "status": _status(entity, "cancelled" if label == "MEASUREMENT" else "final", "", "preliminary", "final"),
        "code": concept,
        "subject": _subject(note),
        **_dated(note, "effectiveDateTime"),
    }
    if label == "OBSERVATION" and not entity["uncertain"]:
        return {**made, "valueBoolean": not entity["negated"]}
    return {**made, "dataAbsentReason": _code("data-absent-reason", "unknown", "Unknown")}


def _allergy(entity: Mapping[str, Any], note: Note, concept: Resource, common: Resource) -> Resource | str:
    if entity["hypothetical"]:
        return "conditional, planned, or a risk"
    status = _status(entity, "refuted", "", "unconfirmed", "confirmed")
    made: Resource = {"resourceType": "AllergyIntolerance", **common}
    clinical = "inactive" if status == "refuted" else "active"  # which there must be (invariant ait-1)
    made["clinicalStatus"] = _code("allergyintolerance-clinical", clinical, clinical.title())
    made["verificationStatus"] = _code("allergyintolerance-verification", status, status.title())
    if entity["label"] == "DRUG":
        made["category"] = ["medication"]
    reaction = entity["label"] == "CONDITION" and not _ALLERGIC(entity["text"])
    if not reaction:
        made["code"] = concept
    made |= {"patient": _subject(note), **_dated(note, "recordedDate")}
    if reaction:
        made["reaction"] = [{"manifestation": [concept]}]
    return made


def _status(entity: Mapping[str, Any], negated: str, hypothetical: str, uncertain: str, else_: str) -> str:
    if entity["hypothetical"] and hypothetical:
        return hypothetical
    if entity["negated"]:
        return negated
    return uncertain if entity["uncertain"] else else_


def _medication_status(entity: Mapping[str, Any]) -> str:
    status = _status(entity, "not-taken", "intended", "unknown", "active")
    if status == "active" and entity["historical"]:
        stopped = any(cue["axis"] == "historical" and cue["value"] == "stopped" for cue in entity["cues"])
        return "stopped" if stopped else "completed"
    return status


def _concept(entity: Mapping[str, Any]) -> Resource:
    made: Resource = {"text": entity["text"]}
    if entity["concept_id"]:
        name = entity["vocabulary"]
        system = SYSTEMS.get(name.upper(), f"urn:clinspan:vocabulary:{name}")
        coding = {"system": system, "code": entity["concept_id"]}
        if entity["concept_name"]:
            coding["display"] = entity["concept_name"]
        made = {"coding": [coding], **made}
    return made


def _evidence(entity: Mapping[str, Any], note: Note) -> Resource:
    parts: list[Resource] = [
        {"url": "note", "valueString": note.note_id},
        {"url": "start", "valueInteger": entity["start"]},
        {"url": "end", "valueInteger": entity["end"]},
        {"url": "assertion", "valueCode": entity["assertion"]},
    ]
    if entity["section"]:
        parts.append({"url": "section", "valueString": entity["section"]})
    parts += [{"url": "cue", "valueString": cue["text"]} for cue in entity["cues"] if cue["text"].strip()]
    return {"url": EVIDENCE, "extension": parts}


def _subject(note: Note) -> Resource:
    person = note.person_id
    if person is None:
        return {"display": f"the patient of note {note.note_id}"}
    if _ID(person):
        return {"reference": f"Patient/{person}"}
    return {"identifier": {"value": person}}


def _code(system: str, code: str, display: str) -> Resource:
    return {"coding": [{"system": _TERMINOLOGY + system, "code": code, "display": display}]}


def _dated(note: Note, name: str) -> dict[str, str]:
    return {name: note.note_date.isoformat()} if note.note_date else {}


def _urn(kind: str, identifier: str) -> str:
    return f"urn:uuid:{uuid.uuid5(_NAMES, f'{kind}|{identifier}')}"
