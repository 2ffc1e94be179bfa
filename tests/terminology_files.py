"""Small invented files in the formats of terminologies, and what is in them."""

from __future__ import annotations

from pathlib import Path

OBO = r"""format-version: 1.4
synonymtypedef: short "an abbreviation of the name" EXACT
synonymtypedef: layperson "layperson term"
ontology: doid

[Term]
id: DOID:0001 ! knee
name: housemaid\: knee ! a comment
namespace: disease_ontology
def: "Knees! {a=b}" [url:http\://example.org]
synonym: "the \"maid's\" knee" EXACT [MSH:D1] {source="x"}
synonym: "HK" EXACT short []
synonym: "MK" EXACT ABBREVIATION [] ! trailing
synonym: "JD" BROAD ABBREVIATION []
synonym: "joint disease" BROAD []
synonym: "left knee, bad" NARROW layperson []
synonym: "knee trouble" RELATED []
synonym: "no scope" []
synonym: "discarded" EXACT obsolete_synonym []
synonym: "housemaid: knee" EXACT []
exact_synonym: "old style" []
xref: MSH:D000001 {source="MONDO:equivalentTo"}
xref: UMLS_CUI:C0000001 ! named
xref: SNOMEDCT_US_2023_03_01:22253000 "a description"
xref: ICD10CM:M70.4
xref: ICD9CM_2006:726.6
xref: Orphanet:77
xref: https\://example.org/DOID_7
xref: UMLS:C0000001

[Term]
id: UBERON:0000002
name: knee {comment="x"}
is_obsolete: false

[Term]
id: DOID:0003
name: obsolete knee
is_obsolete: true

[Typedef]
id: part_of
name: part of

[Term]
id: X_1
name: back\\slash
"""

OBO_TERMS = [
    ("DOID", "DOID:0001", "housemaid: knee", "preferred", "CONDITION"),
    ("DOID", "DOID:0001", 'the "maid\'s" knee', "synonym", "CONDITION"),
    ("DOID", "DOID:0001", "HK", "abbreviation", "CONDITION"),
    ("DOID", "DOID:0001", "MK", "abbreviation", "CONDITION"),
    ("DOID", "DOID:0001", "JD", "broad", "CONDITION"),
    ("DOID", "DOID:0001", "joint disease", "broad", "CONDITION"),
    ("DOID", "DOID:0001", "left knee, bad", "narrow", "CONDITION"),
    ("DOID", "DOID:0001", "knee trouble", "related", "CONDITION"),
    ("DOID", "DOID:0001", "no scope", "related", "CONDITION"),
    ("DOID", "DOID:0001", "old style", "synonym", "CONDITION"),
    ("UBERON", "UBERON:0000002", "knee", "preferred", "ANATOMY"),
    ("", "X_1", "back\\slash", "preferred", ""),
]

OBOGRAPHS = """{"graphs": [{"id": "x", "nodes": [
 {"id": "http://purl.obolibrary.org/obo/HP_0000255", "lbl": "Sore knee", "type": "CLASS", "meta": {
  "synonyms": [{"pred": "hasExactSynonym", "val": "Knee pain"}, {"pred": "hasBroadSynonym", "val": "Pain"},
   {"pred": "hasExactSynonym", "val": "KP", "synonymType": "http://purl.obolibrary.org/obo/OMO_0003000"},
   {"pred": "hasNarrowSynonym", "val": "Left knee pain"}, {"pred": "hasRelatedSynonym", "val": "Ouch"}],
  "xrefs": [{"val": "SNOMEDCT_US:30989003"}, {"val": "MSH:D000002"}]}},
 {"id": "http://purl.obolibrary.org/obo/HP_0000256", "lbl": "Gone", "type": "CLASS", "meta": {"deprecated": true}},
 {"id": "http://purl.obolibrary.org/obo/RO_0000001", "lbl": "part of", "type": "PROPERTY"},
 {"id": "http://purl.obolibrary.org/obo/HP_0000257"},
 {"id": "http://www.example.org/efo/EFO_0000001", "lbl": "assay", "type": "CLASS"}
]}]}
"""

OWL = """<?xml version="1.0"?>
<rdf:RDF xmlns="http://purl.obolibrary.org/obo/x.owl#" xmlns:owl="http://www.w3.org/2002/07/owl#"
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:rdfs="http://www.w3.org/2000/01/rdf-schema#"
 xmlns:oboInOwl="http://www.geneontology.org/formats/oboInOwl#">
 <owl:Ontology rdf:about="http://purl.obolibrary.org/obo/x.owl"/>
 <owl:Class rdf:about="http://purl.obolibrary.org/obo/MONDO_0000001">
  <owl:equivalentClass><owl:Class><owl:unionOf/></owl:Class></owl:equivalentClass>
  <oboInOwl:hasDbXref>MESH:D000003</oboInOwl:hasDbXref>
  <oboInOwl:hasExactSynonym>sore elbow</oboInOwl:hasExactSynonym>
  <oboInOwl:hasExactSynonym>SE</oboInOwl:hasExactSynonym>
  <oboInOwl:hasBroadSynonym>arm disease</oboInOwl:hasBroadSynonym>
  <oboInOwl:hasRelatedSynonym>SE arm</oboInOwl:hasRelatedSynonym>
  <rdfs:label xml:lang="fr">coude douloureux</rdfs:label>
  <rdfs:label xml:lang="en">tennis elbow</rdfs:label>
 </owl:Class>
 <owl:Axiom>
  <owl:annotatedSource rdf:resource="http://purl.obolibrary.org/obo/MONDO_0000001"/>
  <owl:annotatedProperty rdf:resource="http://www.geneontology.org/formats/oboInOwl#hasExactSynonym"/>
  <owl:annotatedTarget>SE</owl:annotatedTarget>
  <oboInOwl:hasSynonymType rdf:resource="http://purl.obolibrary.org/obo/mondo#ABBREVIATION"/>
 </owl:Axiom>
 <owl:Class rdf:about="http://purl.obolibrary.org/obo/MONDO_0000002">
  <owl:deprecated rdf:datatype="http://www.w3.org/2001/XMLSchema#boolean">true</owl:deprecated>
  <rdfs:label>obsolete elbow</rdfs:label>
 </owl:Class>
 <owl:Class rdf:about="http://purl.obolibrary.org/obo/MONDO_0000003"><rdfs:label>golf elbow</rdfs:label>
  <owl:deprecated>false</owl:deprecated></owl:Class>
</rdf:RDF>
"""

MRCONSO = """C0000001|ENG|S|L1|VO|S1|Y|A1||||SNOMEDCT_US|SY|22253|Sore head|0|N||
C0000001|ENG|P|L2|PF|S2|Y|A2||||MSH|MH|D000001|Headache|0|N|256|
C0000001|ENG|P|L2|PF|S2|N|A3||||SNOMEDCT_US|PT|22253|Headache|0|N||
C0000001|ENG|S|L3|PF|S3|Y|A4||||LNC|AB|LP1|HA|0|N||
C0000001|ENG|S|L4|PF|S4|Y|A5||||MTH|SY|NOCODE|Head ache|0|N||
C0000001|ENG|S|L5|PF|S5|Y|A6||||ICD10CM|PT|R51|Old headache|0|O||
C0000001|SPA|P|L6|PF|S6|Y|A7||||MSHSPA|MH|D000001|cefalea|3|N||
C0000002|ENG|P|L7|PF|S7|Y|A8||||MSH|MH|D000002|Somewhere|0|N||
C0000003|ENG|P|L8|PF|S8|Y|A9||||HPO|PT|HP:0000003|Aspirin|0|N||
"""
MRSTY = """C0000001|T033|A2.2|Finding|AT1|256|
C0000001|T184|A2.2.2|Sign or Symptom|AT2||
C0000002|T083|A2.1.5.4|Geographic Area|AT3||
C0000003|T109|A1.4.1.2.1|Organic Chemical|AT4||
C0000003|T121|A1.4.1.1.1|Pharmacologic Substance|AT5||
"""

RXNCONSO = """1191|ENG||||||1||1191||RXNORM|SY|1191|acetylsalicylate||N|4096|
1191|ENG||||||2||1191||RXNORM|IN|1191|aspirin||N|4096|
1191|ENG||||||3||1191||RXNORM|TMSY|1191|aSPIRin||N||
1191|ENG||||||4||R1||DRUGBANK|IN|DB1|Aspirinum||N||
1191|ENG||||||5||1191||RXNORM|SY|1191|old aspirin||O||
24|ENG||||||6||24||RXNORM|SCD|24|aspirin 81 MG Oral Tablet||N||
24|ENG||||||7||24||RXNORM|PSN|24|aspirin 81 mg tablet||N||
31|ENG||||||8||31||RXNORM|DF|31|Oral Tablet||N||
31|ENG||||||9||31||RXNORM|ET|31|Tabs||N||
"""

LOINC = (
    '"LOINC_NUM","COMPONENT","PROPERTY","TIME_ASPCT","SYSTEM","SCALE_TYP","METHOD_TYP","CLASS","CLASSTYPE","STATUS",'
    '"CONSUMER_NAME","RELATEDNAMES2","SHORTNAME","LONG_COMMON_NAME"\n'
    '"1-8","Sugar","MCnc","Pt","Ser","Qn","","CHEM","1","ACTIVE","Sugar, blood","Glu; ""Sweet"";Sugar","Sugar Ser",'
    '"Sugar [Mass/volume] in Serum"\n'
    '"2-6","Salt","MCnc","Pt","Ser","Qn","","CHEM","1","DEPRECATED","","","Salt Ser","Salt in Serum"\n'
)


def order_line(number: int, code: str, flag: int, short: str, long: str) -> str:
    """A line of CMS's order file."""
    return f"{number:05d} {code:<7} {flag} {short:<60} {long}\n"


ORDER = (
    order_line(1, "A00", 0, "Cholera", "Cholera")
    + order_line(2, "A000", 1, "Cholera d/t vibrio 01", "Cholera due to vibrio 01")
    + order_line(3, "S7200XA", 1, "Fx femur, init", "Fracture of femur, initial encounter")
    + order_line(4, "Z000", 0, "Exam w/o complaint", "Examination without complaint")
    + order_line(5, "QA00101", 1, "Odd code", "Odd code")
    + order_line(6, "W01", 0, "Fall", "Fall on same level")
)

TABULAR = """<?xml version="1.0" encoding="utf-8"?>
<ICD10CM.tabular><version>2026</version><chapter><name>1</name><desc>Infections (A00-B99)</desc>
<sectionIndex><sectionRef first="A00" last="A09" id="A00-A09">Gut</sectionRef></sectionIndex>
<section id="A00-A09"><desc>Gut infections (A00-A09)</desc>
<diag><name>A00</name><desc>Cholera</desc><excludes1><note>not this</note></excludes1>
<diag><name>A00.0</name><desc>Cholera due to vibrio</desc><inclusionTerm><note>Classical cholera</note>
<note>True
cholera </note></inclusionTerm></diag></diag></section></chapter>
<chapter><name>20</name><desc>External</desc><section id="W00-W19"><desc>Falls</desc>
<diag><name>QA0.0101</name><desc> Odd code</desc></diag>
<diag><name>W01</name><desc>Fall on same level</desc></diag></section></chapter></ICD10CM.tabular>
"""

UNII = (
    "Name\tTYPE\tUNII\tDisplay Name\n"
    "ACETYLSALICYLIC ACID\tcn\tR16CO5Y76E\tASPIRIN\n"
    "ASPIRIN\tof\tR16CO5Y76E\tASPIRIN\n"
    "2-(ACETYLOXY)BENZOIC ACID\tsys\tR16CO5Y76E\tASPIRIN\n"
    "NSC-27223\tcd\tR16CO5Y76E\tASPIRIN\n"
    'BUFFER "X"\tbn\tR16CO5Y76E\tASPIRIN\n'
)

MESH_DESC = """<?xml version="1.0"?>
<!DOCTYPE DescriptorRecordSet SYSTEM "nlmdescriptorrecordset.dtd">
<DescriptorRecordSet LanguageCode="eng">
<DescriptorRecord DescriptorClass="1"><DescriptorUI>D000001</DescriptorUI>
<DescriptorName><String>Sleep Apnea</String></DescriptorName>
<TreeNumberList><TreeNumber>E01.370</TreeNumber><TreeNumber>C08.618</TreeNumber></TreeNumberList>
<ConceptList>
<Concept PreferredConceptYN="N"><ConceptUI>M2</ConceptUI><TermList>
<Term IsPermutedTermYN="N" LexicalTag="NON"><String>Central Apnea</String></Term></TermList></Concept>
<Concept PreferredConceptYN="N"><ConceptUI>M3</ConceptUI><TermList>
<Term IsPermutedTermYN="N" LexicalTag="NON"><String>Apnea</String></Term></TermList></Concept>
<Concept PreferredConceptYN="N"><ConceptUI>M4</ConceptUI><TermList>
<Term IsPermutedTermYN="N" LexicalTag="ABB"><String>Snoring</String></Term></TermList></Concept>
<Concept PreferredConceptYN="Y"><ConceptUI>M1</ConceptUI>
<RegistryNumberList><RegistryNumber>R16CO5Y76E</RegistryNumber><RegistryNumber>50-78-2</RegistryNumber></RegistryNumberList>
<ConceptRelationList>
<ConceptRelation RelationName="NRW"><Concept1UI>M1</Concept1UI><Concept2UI>M2</Concept2UI></ConceptRelation>
<ConceptRelation RelationName="NRW"><Concept1UI>M3</Concept1UI><Concept2UI>M1</Concept2UI></ConceptRelation>
</ConceptRelationList><TermList>
<Term IsPermutedTermYN="N" LexicalTag="NON"><String>Sleep Apnea</String></Term>
<Term IsPermutedTermYN="Y" LexicalTag="NON"><String>Apnea, Sleep</String></Term>
<Term IsPermutedTermYN="N" LexicalTag="ABB"><String>SA</String></Term></TermList></Concept>
</ConceptList></DescriptorRecord>
<DescriptorRecord DescriptorClass="1"><DescriptorUI>D000002</DescriptorUI>
<DescriptorName><String>Abattoirs</String></DescriptorName>
<TreeNumberList><TreeNumber>J01.576</TreeNumber></TreeNumberList></DescriptorRecord>
</DescriptorRecordSet>
"""

MESH_SUPP = """<?xml version="1.0"?>
<SupplementalRecordSet LanguageCode="eng">
<SupplementalRecord SCRClass="3"><SupplementalRecordUI>C000001</SupplementalRecordUI>
<SupplementalRecordName><String>Rare apnea</String></SupplementalRecordName>
<HeadingMappedToList><HeadingMappedTo><DescriptorReferredTo><DescriptorUI>*D000001</DescriptorUI>
</DescriptorReferredTo></HeadingMappedTo></HeadingMappedToList>
<ConceptList><Concept PreferredConceptYN="Y"><ConceptUI>M9</ConceptUI><TermList>
<Term><String>Rare apnea</String></Term><Term><String>Apnea rara</String></Term></TermList></Concept></ConceptList>
</SupplementalRecord></SupplementalRecordSet>
"""

MESH_TSV = "D000001\tSleep Apnea\tApnea, Sleep|Sleep Apnea|SA\tE01.370|C08.618\t\nD000002\tAbattoirs\t\tJ01.576\t\n"
MESH_SUPP_TSV = "C000001\tRare apnea\tApnea rara\tD000002,D000001\n"

_FSN, _SYN, _DEF = "900000000000003001", "900000000000013009", "900000000000550004"
_US, _GB = "900000000000509007", "900000000000508004"
_PREFERRED, _ACCEPTABLE = "900000000000548007", "900000000000549004"


def _rf2(header: str, *rows: str) -> str:
    return "".join("\t".join(line.split("|")) + "\n" for line in (header, *rows))


SNOMED_DESCRIPTIONS = _rf2(
    "id|effectiveTime|active|moduleId|conceptId|languageCode|typeId|term|caseSignificanceId",
    f"11|20250101|1|m|101|en|{_SYN}|Tumor of bone|c",
    f"12|20250101|1|m|101|en|{_SYN}|Tumour of bone|c",
    f"13|20250101|1|m|101|en|{_SYN}|Neoplasm of bone|c",
    f"14|20250101|1|m|101|en|{_FSN}|Neoplasm of bone (disorder)|c",
    f"15|20250101|0|m|101|en|{_SYN}|Retired name|c",
    f"16|20250101|1|m|101|en|{_DEF}|A long text.|c",
    f"21|20250101|1|m|102|en|{_FSN}|Excision (of knee) (procedure)|c",
    f'22|20250101|1|m|102|en|{_SYN}|"Knee" excision|c',
    f"31|20250101|1|m|103|en|{_FSN}|Dead concept (finding)|c",
    f"41|20250101|1|m|104|en|{_FSN}|Untagged|c",
)
SNOMED_CONCEPTS = _rf2(
    "id|effectiveTime|active|moduleId|definitionStatusId",
    "101|20250101|1|m|d",
    "102|20250101|1|m|d",
    "103|20250101|0|m|d",
    "104|20250101|1|m|d",
)
SNOMED_LANGUAGE = _rf2(
    "id|effectiveTime|active|moduleId|refsetId|referencedComponentId|acceptabilityId",
    f"a|20250101|1|m|{_US}|11|{_PREFERRED}",
    f"b|20250101|1|m|{_GB}|12|{_PREFERRED}",
    f"c|20250101|1|m|{_US}|13|{_ACCEPTABLE}",
    f"d|20250101|0|m|{_US}|13|{_PREFERRED}",
)


def snomed_release(folder: Path) -> Path:
    """A release's folder."""
    base = folder / "SnomedCT_Release" / "Snapshot"
    for place, name, content in (
        ("Terminology", "sct2_Description_Snapshot-en_INT_20250101.txt", SNOMED_DESCRIPTIONS),
        ("Terminology", "sct2_Description_Snapshot-es_INT_20250101.txt", "not read\n"),
        ("Terminology", "sct2_Concept_Snapshot_INT_20250101.txt", SNOMED_CONCEPTS),
        ("Refset/Language", "der2_cRefset_LanguageSnapshot-en_INT_20250101.txt", SNOMED_LANGUAGE),
    ):
        (base / place).mkdir(parents=True, exist_ok=True)
        (base / place / name).write_bytes(content.encode())
    return folder / "SnomedCT_Release"


def umls_release(folder: Path) -> Path:
    """A release's folder."""
    meta = folder / "2025AA" / "META"
    meta.mkdir(parents=True)
    (meta / "MRCONSO.RRF").write_bytes(MRCONSO.encode())
    (meta / "MRSTY.RRF").write_bytes(MRSTY.encode())
    return folder / "2025AA"
