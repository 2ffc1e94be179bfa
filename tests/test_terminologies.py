from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest

import terminology_files as files
from clinspan.components import resource_rows
from clinspan.schema import LABELS
from clinspan.terminologies import (
    FORMATS,
    KINDS,
    Term,
    TermsFileError,
    _codes,
    columns,
    detect,
    icd10cm,
    loinc,
    mesh,
    obo,
    obographs,
    owl,
    read,
    rxnorm,
    snomed,
    umls,
    unii,
)
from clinspan.terminologies.snomed import GB_ENGLISH


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def short(terms: list[Term]) -> list[tuple[str, str, str, str]]:
    return [(t.concept_id, t.name, t.kind, t.label) for t in terms]


# OBO, OBO Graphs, OWL


def test_obo(tmp_path: Path) -> None:
    terms = list(obo.read(written(tmp_path, "x.obo", files.OBO)))
    assert [term[:5] for term in terms] == files.OBO_TERMS
    assert terms[0].xrefs == (
        "MESH:D000001",
        "UMLS:C0000001",
        "SNOMEDCT:22253000",
        "ICD10CM:M70.4",
        "ICD9CM:726.6",
        "ORPHANET:77",
    )
    assert {term.xrefs for term in terms[1:]} == {()}


@pytest.mark.parametrize(
    ("module", "name", "content"), [(obo, "x.obo", files.OBO), (obographs, "x.json", files.OBOGRAPHS)]
)
def test_the_label_of_an_ontology_can_be_given(tmp_path: Path, module: object, name: str, content: str) -> None:
    terms = module.read(written(tmp_path, name, content), label="DEVICE")
    assert {term.label for term in terms} == {"DEVICE"}


def test_obographs(tmp_path: Path) -> None:
    assert list(obographs.read(written(tmp_path, "x.json", files.OBOGRAPHS))) == [
        Term(
            "HP",
            "HP:0000255",
            "Sore knee",
            "preferred",
            "CONDITION",
            (),
            ("SNOMEDCT:30989003", "MESH:D000002"),
        ),
        Term("HP", "HP:0000255", "Knee pain", "synonym", "CONDITION"),
        Term("HP", "HP:0000255", "Pain", "broad", "CONDITION"),
        Term("HP", "HP:0000255", "KP", "abbreviation", "CONDITION"),
        Term("HP", "HP:0000255", "Left knee pain", "narrow", "CONDITION"),
        Term("HP", "HP:0000255", "Ouch", "related", "CONDITION"),
        Term("EFO", "EFO:0000001", "assay", "preferred", ""),
    ]


def test_owl(tmp_path: Path) -> None:
    assert list(owl.read(written(tmp_path, "x.owl", files.OWL))) == [
        Term("MONDO", "MONDO:0000001", "tennis elbow", "preferred", "CONDITION", (), ("MESH:D000003",)),
        Term("MONDO", "MONDO:0000001", "sore elbow", "synonym", "CONDITION"),
        Term("MONDO", "MONDO:0000001", "SE", "abbreviation", "CONDITION"),
        Term("MONDO", "MONDO:0000001", "arm disease", "broad", "CONDITION"),
        Term("MONDO", "MONDO:0000001", "SE arm", "related", "CONDITION"),
        Term("MONDO", "MONDO:0000003", "golf elbow", "preferred", "CONDITION"),
    ]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("MSH:D1", "MESH:D1"),
        ("MeSH:D1", "MESH:D1"),
        ("UMLS_CUI:C1", "UMLS:C1"),
        ("SNOMEDCT_US_2021_09_01:7", "SNOMEDCT:7"),
        ("SNOMED_CT_US_2018_03_01:7", "SNOMEDCT:7"),
        ("SCTID:7", "SNOMEDCT:7"),
        ("ICD10CM:E11.9", "ICD10CM:E11.9"),
        ("NCI:C7", "NCIT:C7"),
        ("HPO:HP:0000001", "HP:0000001"),
        ("GARD:0007", "GARD:0007"),
        ("ICD-10:R51", "ICD10:R51"),
        ("http://purl.obolibrary.org/obo/HP_1", "HP:1"),
        ("https://example.org/HP_1", ""),
        ("url:http://example.org", ""),
        ("loose words", ""),
    ],
)
def test_cross_references(given: str, code: str) -> None:
    assert _codes.xref(given) == code


# UMLS and RxNorm


def test_umls(tmp_path: Path) -> None:
    terms = list(umls.read(files.umls_release(tmp_path)))
    assert short(terms) == [
        ("C0000001", "Headache", "preferred", "CONDITION"),
        ("C0000001", "Sore head", "synonym", "CONDITION"),
        ("C0000001", "HA", "abbreviation", "CONDITION"),
        ("C0000001", "Head ache", "synonym", "CONDITION"),
        ("C0000003", "Aspirin", "preferred", "DRUG"),
    ]
    assert {term.vocabulary for term in terms} == {"UMLS"}
    assert (terms[0].types, terms[4].types) == (("T033", "T184"), ("T109", "T121"))
    assert [term.xrefs for term in terms] == [
        ("MESH:D000001", "SNOMEDCT:22253", "LOINC:LP1"),
        (),
        (),
        (),
        ("HP:0000003",),
    ]


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"language": "SPA"}, ["cefalea"]),
        ({"suppress": ""}, ["Headache", "Sore head", "HA", "Head ache", "Old headache", "Aspirin"]),
        ({"sources": {"SNOMEDCT_US"}}, ["Sore head", "Headache"]),
        ({"sources": {"MSH"}, "keep_unlabelled": True}, ["Headache", "Somewhere"]),
    ],
)
def test_umls_options(tmp_path: Path, options: dict, names: list[str]) -> None:
    assert [term.name for term in umls.read(files.umls_release(tmp_path), **options)] == names


def test_umls_finds_the_semantic_types_beside_the_names(tmp_path: Path) -> None:
    release = files.umls_release(tmp_path)
    terms = list(umls.read(release / "META" / "MRCONSO.RRF"))
    assert terms and terms == list(umls.read(release))


def test_umls_with_the_codes_of_sources(tmp_path: Path) -> None:
    terms = list(umls.read(files.umls_release(tmp_path), use_source_codes=True))
    assert [(t.vocabulary, t.concept_id, t.name, t.kind, t.xrefs) for t in terms] == [
        ("SNOMEDCT", "22253", "Headache", "preferred", ("UMLS:C0000001",)),
        ("SNOMEDCT", "22253", "Sore head", "synonym", ()),
        ("MESH", "D000001", "Headache", "preferred", ("UMLS:C0000001",)),
        ("LOINC", "LP1", "HA", "abbreviation", ("UMLS:C0000001",)),
        ("HP", "HP:0000003", "Aspirin", "preferred", ("UMLS:C0000003",)),
    ]


def test_umls_without_semantic_types(tmp_path: Path) -> None:
    terms = list(umls.read(written(tmp_path, "MRCONSO.RRF", files.MRCONSO)))
    assert "Somewhere" in [term.name for term in terms]
    assert {(term.label, term.types) for term in terms} == {("", ())}


def test_rxnorm(tmp_path: Path) -> None:
    written(tmp_path, "RXNCONSO.RRF", files.RXNCONSO)
    terms = list(rxnorm.read(tmp_path))
    assert short(terms) == [
        ("1191", "aspirin", "preferred", "DRUG"),
        ("1191", "acetylsalicylate", "synonym", "DRUG"),
        ("1191", "aSPIRin", "synonym", "DRUG"),
        ("24", "aspirin 81 mg tablet", "preferred", "DRUG"),
        ("24", "aspirin 81 MG Oral Tablet", "synonym", "DRUG"),
        ("31", "Oral Tablet", "preferred", ""),
        ("31", "Tabs", "synonym", ""),
    ]
    assert [term.types for term in terms] == [("IN",)] * 3 + [("SCD",)] * 2 + [("DF",)] * 2
    assert {term.vocabulary for term in terms} == {"RXNORM"}
    assert short(list(rxnorm.read(tmp_path, sources={"DRUGBANK"}))) == [("1191", "Aspirinum", "synonym", "DRUG")]


# SNOMED CT


def test_snomed(tmp_path: Path) -> None:
    terms = list(snomed.read(files.snomed_release(tmp_path)))
    assert short(terms) == [
        ("101", "Tumor of bone", "preferred", "CONDITION"),
        ("101", "Tumour of bone", "synonym", "CONDITION"),
        ("101", "Neoplasm of bone", "synonym", "CONDITION"),
        ("102", '"Knee" excision', "synonym", "PROCEDURE"),
        ("102", "Excision (of knee)", "preferred", "PROCEDURE"),
        ("104", "Untagged", "preferred", ""),
    ]
    assert [term.types for term in terms[2:5]] == [("disorder",), ("procedure",), ("procedure",)]
    assert terms[5].types == () and {term.vocabulary for term in terms} == {"SNOMEDCT"}


def test_snomed_preferences_of_another_language(tmp_path: Path) -> None:
    terms = snomed.read(files.snomed_release(tmp_path), language_refset=GB_ENGLISH)
    assert next(term.name for term in terms if term.kind == "preferred") == "Tumour of bone"


def test_snomed_descriptions_alone(tmp_path: Path) -> None:
    path = written(tmp_path, "sct2_Description_Snapshot-en_INT_20250101.txt", files.SNOMED_DESCRIPTIONS)
    terms = short(list(snomed.read(path)))
    assert [name for _, name, kind, _ in terms if kind == "preferred"] == [
        "Neoplasm of bone",
        "Excision (of knee)",
        "Dead concept",
        "Untagged",
    ]


# LOINC, ICD-10-CM, UNII


def test_loinc(tmp_path: Path) -> None:
    path = written(tmp_path, "Loinc.csv", files.LOINC)
    terms = list(loinc.read(path))
    assert [(term.name, term.kind) for term in terms] == [
        ("Sugar [Mass/volume] in Serum", "preferred"),
        ("Sugar Ser", "synonym"),
        ("Sugar, blood", "synonym"),
        ("Sugar", "broad"),
        ("Glu", "related"),
        ('"Sweet"', "related"),
    ]
    assert {(t.vocabulary, t.concept_id, t.label, t.types) for t in terms} == {
        ("LOINC", "1-8", "MEASUREMENT", ("CHEM",))
    }
    assert [term.name for term in loinc.read(tmp_path, statuses={"DEPRECATED"})] == [
        "Salt in Serum",
        "Salt Ser",
        "Salt",
    ]


def test_icd10cm_order_file(tmp_path: Path) -> None:
    assert short(list(icd10cm.read(written(tmp_path, "icd10cm-order-2026.txt", files.ORDER)))) == [
        ("A00", "Cholera", "preferred", "CONDITION"),
        ("A00.0", "Cholera due to vibrio 01", "preferred", "CONDITION"),
        ("A00.0", "Cholera d/t vibrio 01", "synonym", "CONDITION"),
        ("S72.00XA", "Fracture of femur, initial encounter", "preferred", "CONDITION"),
        ("S72.00XA", "Fx femur, init", "synonym", "CONDITION"),
        ("Z00.0", "Examination without complaint", "preferred", ""),
        ("Z00.0", "Exam w/o complaint", "synonym", ""),
        ("QA0.0101", "Odd code", "preferred", "CONDITION"),
        ("W01", "Fall on same level", "preferred", ""),
        ("W01", "Fall", "synonym", ""),
    ]


def test_icd10cm_tabular_list(tmp_path: Path) -> None:
    terms = list(icd10cm.read(written(tmp_path, "icd10cm-tabular-2026.xml", files.TABULAR)))
    assert short(terms) == [
        ("A00", "Cholera", "preferred", "CONDITION"),
        ("A00.0", "Cholera due to vibrio", "preferred", "CONDITION"),
        ("A00.0", "Classical cholera", "synonym", "CONDITION"),
        ("A00.0", "True\ncholera", "synonym", "CONDITION"),
        ("QA0.0101", "Odd code", "preferred", "CONDITION"),
        ("W01", "Fall on same level", "preferred", ""),
    ]
    assert {term.vocabulary for term in terms} == {"ICD10CM"}


def test_unii(tmp_path: Path) -> None:
    assert list(unii.read(written(tmp_path, "UNII_Names.txt", files.UNII))) == [
        Term("UNII", "R16CO5Y76E", "ASPIRIN", "preferred", "DRUG", ()),
        Term("UNII", "R16CO5Y76E", "ACETYLSALICYLIC ACID", "synonym", "DRUG", ("cn",)),
        Term("UNII", "R16CO5Y76E", 'BUFFER "X"', "synonym", "DRUG", ("bn",)),
    ]


def test_unii_with_codes(tmp_path: Path) -> None:
    terms = unii.read(written(tmp_path, "UNII_Names.txt", files.UNII), types={"of", "cd"})
    assert [(term.name, term.types) for term in terms] == [("ASPIRIN", ("of",)), ("NSC-27223", ("cd",))]


def test_unii_without_display_names(tmp_path: Path) -> None:
    table = "concept_id\tterm\tkind\nR16CO5Y76E\tA\tcn\nR16CO5Y76E\tB\tof\nR16CO5Y76E\tC\tof\nR16CO5Y76E\tD\tcd\n"
    terms = unii.read(written(tmp_path, "u.tsv", table))
    assert [(term.name, term.kind) for term in terms] == [("A", "synonym"), ("B", "preferred"), ("C", "synonym")]


# MeSH


def test_mesh_descriptors(tmp_path: Path) -> None:
    path = written(tmp_path, "desc2026.xml", files.MESH_DESC)
    terms = list(mesh.read(path))
    assert short(terms) == [
        ("D000001", "Sleep Apnea", "preferred", "CONDITION"),
        ("D000001", "Apnea, Sleep", "synonym", "CONDITION"),
        ("D000001", "SA", "abbreviation", "CONDITION"),
        ("D000001", "Central Apnea", "narrow", "CONDITION"),
        ("D000001", "Apnea", "broad", "CONDITION"),
        ("D000001", "Snoring", "related", "CONDITION"),
        ("D000002", "Abattoirs", "preferred", ""),
    ]
    assert terms[0].types == ("E01.370", "C08.618")
    assert [term.xrefs for term in terms] == [("UNII:R16CO5Y76E",), *[()] * 6]
    assert {term.vocabulary for term in terms} == {"MESH"}
    assert "Apnea, Sleep" not in [term.name for term in mesh.read(path, permuted=False)]
    assert mesh.labels(path) == {"D000001": "CONDITION"}


def test_mesh_tables(tmp_path: Path) -> None:
    assert list(mesh.read(written(tmp_path, "mesh_id_label_mappings.tsv", files.MESH_TSV))) == [
        Term("MESH", "D000001", "Sleep Apnea", "preferred", "CONDITION", ("E01.370", "C08.618")),
        Term("MESH", "D000001", "Apnea, Sleep", "synonym", "CONDITION", ("E01.370", "C08.618")),
        Term("MESH", "D000001", "SA", "synonym", "CONDITION", ("E01.370", "C08.618")),
        Term("MESH", "D000002", "Abattoirs", "preferred", "", ("J01.576",)),
    ]


@pytest.mark.parametrize(
    ("name", "content"),
    [("supp2026.xml", files.MESH_SUPP), ("mesh_supp_id_label_mappings.tsv", files.MESH_SUPP_TSV)],
)
@pytest.mark.parametrize(("headings", "label"), [({"D000001": "CONDITION"}, "CONDITION"), (None, "")])
def test_mesh_supplementary_records(
    tmp_path: Path, name: str, content: str, headings: dict[str, str] | None, label: str
) -> None:
    assert short(list(mesh.read(written(tmp_path, name, content), headings=headings))) == [
        ("C000001", "Rare apnea", "preferred", label),
        ("C000001", "Apnea rara", "synonym", label),
    ]


@pytest.mark.parametrize(
    ("numbers", "label"),
    [
        ("C23.888", "CONDITION"),
        ("F03.600", "CONDITION"),
        ("F01.145", ""),
        ("A07.541", "ANATOMY"),
        ("A11.118", ""),
        ("D02.455", "DRUG"),
        ("E01.370", "MEASUREMENT"),
        ("E02.319", "PROCEDURE"),
        ("E04.100", "PROCEDURE"),
        ("E05.200", ""),
        ("E07.305", "DEVICE"),
        ("A01.111|E04.222", "PROCEDURE"),
        ("E07.1|A01.1", "DEVICE"),
        ("", ""),
    ],
)
def test_mesh_labels(tmp_path: Path, numbers: str, label: str) -> None:
    (term,) = mesh.read(written(tmp_path, "mesh.tsv", f"D1\tx\t\t{numbers}\n"))
    assert term.label == label


# Tables


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
def test_columns(tmp_path: Path, delimiter: str) -> None:
    rows = ["Code,TERM,label,tty", 'X1,"sore ""knee""",condition,PT', "X1,SK,DISEASE,Acronym", "X1,,,", "DOID:2,a,,odd"]
    path = written(tmp_path, "t.csv", "\ufeff" + "\r\n".join(rows).replace(",", delimiter) + "\r\n")
    assert list(columns.read(path)) == [
        Term("", "X1", 'sore "knee"', "preferred", "CONDITION"),
        Term("", "X1", "SK", "abbreviation", "", ("DISEASE",)),
        Term("DOID", "DOID:2", "a", "synonym"),
    ]


def test_columns_of_names_alone(tmp_path: Path) -> None:
    path = written(tmp_path, "t.csv", 'term\napnea, sleep\n5" tube\n')
    assert list(columns.read(path, vocabulary="MINE", label="DEVICE")) == [
        Term("MINE", "", "apnea, sleep", "preferred", "DEVICE"),
        Term("MINE", "", '5" tube', "preferred", "DEVICE"),
    ]


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("PREF", "preferred"),
        ("Preferred", "preferred"),
        ("EXACT", "synonym"),
        ("hasExactSynonym", "synonym"),
        ("INCL", "synonym"),
        ("LONG", "synonym"),
        ("abbreviation", "abbreviation"),
        ("BROAD", "broad"),
        ("hasNarrowSynonym", "narrow"),
        ("hasBroadSynonym", "broad"),
        ("hasRelatedSynonym", "related"),
    ],
)
def test_kinds_in_columns(tmp_path: Path, value: str, kind: str) -> None:
    (term,) = columns.read(written(tmp_path, "t.csv", f"term,kind\nx,{value}\n"))
    assert term.kind == kind


def test_columns_by_name(tmp_path: Path) -> None:
    path = written(tmp_path, "t.tsv", "a\tb\tc\td\te\nK\tX1\tknee\tDISEASE\tnarrow\n")
    chosen = dict(zip(("vocabulary", "id", "name", "label", "kind"), "abcde"))
    options = {f"{what}_column": name for what, name in chosen.items()}
    assert list(columns.read(path, labels={"DISEASE": "CONDITION"}, **options)) == [
        Term("K", "X1", "knee", "narrow", "CONDITION")
    ]


def test_quotes_in_a_tab_separated_table_are_part_of_the_name(tmp_path: Path) -> None:
    path = written(tmp_path, "t.tsv", 'name\tcode\n"C" virus\t1\n"a" and "b"\t2\n"all"\t3\n')
    assert [term.name for term in columns.read(path)] == ['"C" virus', '"a" and "b"', "all"]


def test_missing_columns_are_told_with_those_there_are(tmp_path: Path) -> None:
    path = written(tmp_path, "t.csv", "word,code\nx,1\n")
    for options in ({}, {"name_column": "term"}):
        with pytest.raises(TermsFileError, match=r"t\.csv:1: .*term.* the columns are word, code"):
            list(columns.read(path, **options))


# All formats

FILES: list[tuple[str, str, str, int]] = [
    ("obo", "x.obo", files.OBO, 12),
    ("obographs", "x.json", files.OBOGRAPHS, 7),
    ("owl", "x.owl", files.OWL, 6),
    ("owl", "x.xml", files.OWL, 6),
    ("umls", "MRCONSO.RRF", files.MRCONSO, 6),
    ("rxnorm", "RXNCONSO.RRF", files.RXNCONSO, 7),
    ("snomed", "sct2_Description_Snapshot-en_US_20250101.txt", files.SNOMED_DESCRIPTIONS, 7),
    ("loinc", "Loinc.csv", files.LOINC, 6),
    ("loinc", "renamed.csv", files.LOINC, 6),
    ("icd10cm", "icd10cm-order-2026.txt", files.ORDER, 10),
    ("icd10cm", "icd10cm-tabular-April-2026.xml", files.TABULAR, 6),
    ("unii", "UNII_Names_1Jan2026.txt", files.UNII, 3),
    ("mesh", "desc2026.xml", files.MESH_DESC, 7),
    ("mesh", "supp2026.xml", files.MESH_SUPP, 2),
    ("mesh", "mesh_id_label_mappings.tsv", files.MESH_TSV, 4),
    ("mesh", "mesh_supp_id_label_mappings.tsv", files.MESH_SUPP_TSV, 2),
    ("columns", "mine.csv", "code,term\n1,x\n", 1),
    ("columns", "mine.txt", "term\nx\n", 1),
    ("columns", "mine.tsv", "term\tkind\nx\tPT\n", 1),
]
COMPRESSIONS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("", bytes),
    (".gz", gzip.compress),
    (".xz", lzma.compress),
    (".bz2", bz2.compress),
]


def test_every_format_is_tried() -> None:
    assert {row[0] for row in FILES} == set(FORMATS)


@pytest.mark.parametrize(("suffix", "compress"), COMPRESSIONS)
@pytest.mark.parametrize(("name", "file", "content", "count"), FILES)
def test_formats_are_detected_and_read(
    tmp_path: Path, name: str, file: str, content: str, count: int, suffix: str, compress: Callable[[bytes], bytes]
) -> None:
    path = written(tmp_path, file + suffix, compress(content.encode()))
    assert detect(path) == name
    terms = list(read(path))
    assert len(terms) == count
    for term in terms:
        assert term.name and term.kind in KINDS and term.label in ("", *LABELS)


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize(
    ("name", "file", "content"),
    [
        ("umls", "MRCONSO.RRF", files.MRCONSO),
        ("rxnorm", "RXNCONSO.RRF", files.RXNCONSO),
        ("snomed", "sct2_Description_Snapshot-en_US_20250101.txt", files.SNOMED_DESCRIPTIONS),
        ("loinc", "Loinc.csv", files.LOINC),
    ],
)
def test_folders_are_detected_and_read(tmp_path: Path, name: str, file: str, content: str, suffix: str) -> None:
    deep = tmp_path / "release" / "deep"
    deep.mkdir(parents=True)
    written(deep, file + suffix, gzip.compress(content.encode()) if suffix else content)
    assert detect(tmp_path) == name
    assert list(read(tmp_path)) == list(read(written(tmp_path, file, content)))


@pytest.mark.parametrize(
    ("file", "content"),
    [("a.doc", "term\nx\n"), ("a.csv", "word\nx\n"), ("a.xml", "<x/>"), ("a.json", "{}"), ("a.txt", "")],
)
def test_unknown_files_are_refused_with_the_formats(tmp_path: Path, file: str, content: str) -> None:
    with pytest.raises(TermsFileError, match=f"{file}: .*obo, obographs, owl, umls"):
        detect(written(tmp_path, file, content))


def test_a_folder_of_no_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TermsFileError, match="of no format"):
        detect(tmp_path)


def test_read_refuses_what_it_does_not_know(tmp_path: Path) -> None:
    path = written(tmp_path, "x.obo", files.OBO)
    with pytest.raises(TermsFileError, match="nonsense is not a format: these are obo"):
        read(path, "nonsense")
    with pytest.raises(TermsFileError, match="no such file"):
        read(tmp_path / "absent.obo")
    with pytest.raises(TypeError):
        read(path, nonsense=True)


GARBLED: list[tuple[str, str, str, int]] = [
    ("obo", "a.obo", "[Term]\nid: A:1\nname\n", 3),
    ("obo", "b.obo", 'x: y\n[Term]\nid: A:1\nsynonym: "cut sho', 4),
    ("obo", "c.obo", "\n\n[Term]\nname: x\n\n[Term]\nid: A:1\n", 3),
    ("obographs", "a.json", files.OBOGRAPHS[: files.OBOGRAPHS.index('"Ouch"')], 5),
    ("owl", "a.owl", files.OWL[: files.OWL.index("golf")], 26),
    ("owl", "b.owl", "<x>\n</x>", 1),
    ("umls", "MRCONSO.RRF", files.MRCONSO[: files.MRCONSO.index("|Somewhere")], 8),
    ("umls", "b.RRF", files.RXNCONSO, 1),
    ("rxnorm", "RXNCONSO.RRF", files.RXNCONSO[: files.RXNCONSO.index("|aSPIRin")], 3),
    ("rxnorm", "b.RRF", files.MRCONSO, 1),
    ("snomed", "sct2_Description_a.txt", files.SNOMED_DESCRIPTIONS[:-10], 11),
    ("snomed", "sct2_Description_b.txt", "id\tactive\n1\t1\n", 1),
    ("loinc", "Loinc.csv", files.LOINC[: files.LOINC.index(',"DEPRECATED"')], 3),
    ("loinc", "b.csv", files.LOINC[:-4], 3),
    ("loinc", "c.csv", '"LOINC_NUM","COMPONENT"\n', 1),
    ("icd10cm", "icd10cm-order.txt", files.ORDER + "00007 A0", 7),
    ("icd10cm", "b.txt", files.ORDER.replace("A000", "0A00"), 2),
    ("icd10cm", "a.xml", files.TABULAR[: files.TABULAR.index("True")], 7),
    ("icd10cm", "b.xml", files.TABULAR.replace("<desc>Fall on same level</desc>", ""), 11),
    ("unii", "a.txt", files.UNII + "CUT\tcn\n", 7),
    ("unii", "c.txt", files.UNII + "\tcn\tX\tY\n", 7),
    ("unii", "d.txt", files.UNII + "X\tcn\t\tY\n", 7),
    ("unii", "b.txt", "Name\tUNII\nx\ty\n", 1),
    ("mesh", "a.xml", files.MESH_DESC[: files.MESH_DESC.index("Abattoirs")], 25),
    ("mesh", "b.xml", "<x/>", 1),
    ("mesh", "c.xml", files.MESH_SUPP.replace("SupplementalRecordUI", "SupplementalRecordID"), 9),
    ("mesh", "a.tsv", files.MESH_TSV + "D000003\tcut", 3),
    ("mesh", "b.tsv", files.MESH_TSV + "D000003\t\t\t\n", 3),
    ("mesh", "c.tsv", "X000003\tx\t\t\n", 1),
    ("columns", "a.csv", "term,code\nx,1\ny\n", 3),
    ("columns", "b.csv", 'term,code\nx,1\ny,"2\n', 3),
    ("columns", "c.csv", "", 1),
]


@pytest.mark.parametrize(("name", "file", "content", "line"), GARBLED)
def test_a_garbled_file_is_refused_with_its_line(tmp_path: Path, name: str, file: str, content: str, line: int) -> None:
    with pytest.raises(TermsFileError) as refused:
        list(read(written(tmp_path, file, content), name))
    assert str(refused.value).startswith(f"{tmp_path / file}:{line}: ")


def test_every_format_has_a_garbled_file() -> None:
    assert {row[0] for row in GARBLED} == set(FORMATS)


@pytest.mark.parametrize("content", ["[]", '{"graphs": 1}', '{"graphs": [{"nodes": [{"type": "CLASS"}]}]}'])
def test_json_that_is_not_obo_graphs_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(TermsFileError, match="not OBO Graphs"):
        list(obographs.read(written(tmp_path, "a.json", content)))


def test_what_is_not_utf_8_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(TermsFileError, match=r"t\.csv:3: not UTF-8"):
        list(columns.read(written(tmp_path, "t.csv", "term,code\nx,1\nM\xe9ni\xe8re,2\n".encode("latin-1"))))


@pytest.mark.parametrize(("suffix", "compress"), COMPRESSIONS[1:])
def test_a_compressed_file_cut_short_is_refused(
    tmp_path: Path, suffix: str, compress: Callable[[bytes], bytes]
) -> None:
    whole = compress(files.OBO.encode())
    for broken in (whole[:-20], b"not compressed"):
        with pytest.raises(TermsFileError, match="cannot be read"):
            list(obo.read(written(tmp_path, f"x.obo{suffix}", broken)))


@pytest.mark.parametrize(
    ("name", "content"), [("mesh", files.MESH_SUPP), ("icd10cm", files.TABULAR), ("owl", files.OWL)]
)
def test_xml_that_declares_entities_is_refused(tmp_path: Path, name: str, content: str) -> None:
    first, rest = content.split("\n", 1)
    assert list(read(written(tmp_path, "ok.xml", f"{first}\n<!DOCTYPE x>\n{rest}"), name))
    path = written(tmp_path, "a.xml", f'{first}\n<!DOCTYPE x [\n<!ENTITY a "b">\n]>\n{rest}')
    with pytest.raises(TermsFileError, match=r"a\.xml:3: declares an entity"):
        list(read(path, name))
    with pytest.raises(TermsFileError, match=r"a\.xml:1: "):
        list(read(written(tmp_path, "a.xml", path.read_text().replace("utf-8", "utf-16").encode("utf-16")), name))


def test_carriage_returns_and_blank_lines_are_no_part_of_names(tmp_path: Path) -> None:
    for _, file, content, _ in FILES:
        plain = list(read(written(tmp_path, file, content)))
        assert list(read(written(tmp_path, file, content.replace("\n", "\r\n")))) == plain, file


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("columns", " term ,code\n  sore knee , X1\n"),
        ("unii", "Name \tTYPE\tUNII\tDisplay Name\nsore knee \tof \t X1\t sore knee\n"),
        ("obo", '[Term]\n  id: X1  \nname:  sore knee {a="b"}  \n'),
        ("obo", "[Term]\nid: X1\nname: sore\\Wknee\n"),
        ("owl", files.OWL.replace("MONDO_0000003", "X1").replace("golf elbow", "\n sore knee ")),
        ("icd10cm", "\n" + files.order_line(1, "X01", 1, " sore knee", " sore knee ") + "   \n"),
    ],
)
def test_padding_is_no_part_of_names(tmp_path: Path, name: str, content: str) -> None:
    assert list(read(written(tmp_path, "x", content), name))[-1].name == "sore knee"


def test_files_are_not_read_whole(tmp_path: Path) -> None:
    stanza = "[Term]\nid: X:1\nname: x\n\n"
    terms = obo.read(written(tmp_path, "x.obo", stanza * 3 + "garbled"))
    assert [next(terms).name for _ in range(2)] == ["x", "x"]
    with pytest.raises(TermsFileError):
        list(terms)


# The table of semantic types


def test_semantic_types_are_well_formed() -> None:
    rows = list(resource_rows("semantic_types.tsv"))
    assert len({(row["scheme"], row["type"]) for row in rows}) == len(rows)
    assert {row["label"] for row in rows} <= {"", *LABELS}
    assert {row["scheme"] for row in rows} == {"umls", "snomed", "rxnorm", "mesh", "icd10cm", "obo"}
    assert all(None not in row and None not in row.values() and row["type"] for row in rows)


@pytest.mark.parametrize(
    ("scheme", "type_", "label"),
    [
        ("umls", "T047", "CONDITION"),
        ("umls", "T033", "CONDITION"),
        ("umls", "T121", "DRUG"),
        ("umls", "T109", ""),
        ("umls", "T060", "MEASUREMENT"),
        ("umls", "T061", "PROCEDURE"),
        ("umls", "T023", "ANATOMY"),
        ("umls", "T074", "DEVICE"),
        ("umls", "T055", "OBSERVATION"),
        ("snomed", "regime/therapy", "PROCEDURE"),
        ("snomed", "observable entity", "MEASUREMENT"),
        ("snomed", "situation", ""),
        ("rxnorm", "DF", ""),
        ("icd10cm", "T", "CONDITION"),
        ("icd10cm", "Y", ""),
    ],
)
def test_semantic_types(scheme: str, type_: str, label: str) -> None:
    assert [
        row["label"] for row in resource_rows("semantic_types.tsv") if (row["scheme"], row["type"]) == (scheme, type_)
    ] == [label]
