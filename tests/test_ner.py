"""The components that bring a trained model's entities: ours, and other packages'."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import DocBin
from spacy.training import Example
from typer.testing import CliRunner

import clinspan
import tagging
from clinspan.cli import app
from clinspan.components.ner import MODEL_FILE
from clinspan.pipeline import add_terms_file, blank, use_ner
from clinspan.tables import read_table

TEXT = "She has zorbax and takes minfen ."
FOUND = [("zorbax", "CONDITION"), ("minfen", "DRUG")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline with a small trained network."""
    nlp = blank()
    nlp.add_pipe("clinspan_ner", name="ner", before="entities").use(tagging.tagger())
    path = tmp_path_factory.mktemp("ner") / "pipeline"
    nlp.to_disk(path)
    return path


def entities(doc) -> list[tuple[str, str]]:
    return [(e.text, e.label_) for e in doc.spans["entities"]]


def test_entities_with_scores(folder):
    doc = clinspan.load(folder)("She has zorbax and takes minfen .\n\nFAMILY HISTORY:\nShe has zorbax .")
    assert entities(doc) == [*FOUND, FOUND[0]]
    first, _, last = doc.spans["entities"]
    assert first._.source == "ner" and 0.5 < first._.score <= 1
    assert last._.experiencer == "family"


def test_empty_and_blank_notes(folder):
    nlp = clinspan.load(folder)
    for text in ("", " ", "\n\n", ".", "\ufffd" * 3):
        assert entities(nlp(text)) == []


def test_without_weights_it_finds_nothing(tmp_path: Path):
    nlp = blank()
    nlp.add_pipe("clinspan_ner", name="ner", before="entities")
    assert entities(nlp(TEXT)) == [] and nlp.get_pipe("ner").labels == ()
    nlp.to_disk(tmp_path / "p")
    assert entities(clinspan.load(tmp_path / "p")(TEXT)) == []


def test_thresholds(folder):
    nlp = spacy.load(folder, config={"components.ner.thresholds": {"CONDITION": 1.1}})
    assert entities(nlp(TEXT)) == FOUND[1:]


def test_saving_copying_pickling(folder, tmp_path: Path):
    nlp = clinspan.load(folder)
    nlp.to_disk(tmp_path / "copy")
    assert (tmp_path / "copy/ner" / MODEL_FILE).read_bytes() == (folder / "ner" / MODEL_FILE).read_bytes()
    assert entities(spacy.load(tmp_path / "copy")(TEXT)) == FOUND
    nlp.to_disk(folder)  # over itself
    assert entities(clinspan.load(folder)(TEXT)) == FOUND
    ner = pickle.loads(pickle.dumps(nlp.get_pipe("ner")))
    assert ner.labels == tagging.LABELS
    again = blank()
    again.add_pipe("clinspan_ner", name="ner", before="entities").from_bytes(nlp.get_pipe("ner").to_bytes())
    assert entities(again(TEXT)) == FOUND
    ner.use(ner.tagger)
    with pytest.raises(ValueError, match="save the pipeline first"):
        ner.to_bytes()


def test_two_processes_and_docbin(folder):
    nlp = clinspan.load(folder)
    docs = list(nlp.pipe([TEXT] * 4, n_process=2, batch_size=2))
    assert [entities(doc) for doc in docs] == [FOUND] * 4
    packed = DocBin(docs=docs, store_user_data=True).to_bytes()
    read = next(DocBin().from_bytes(packed).get_docs(nlp.vocab))
    assert read.spans["entities"][0]._.source == "ner" and read.spans["entities"][0]._.score > 0.5


def test_the_users_terms_win(folder, tmp_path: Path):
    (tmp_path / "t.csv").write_text("term,label,code\nminfen,CONDITION,X1\n")
    nlp = clinspan.load(folder)
    add_terms_file(nlp, tmp_path / "t.csv")
    doc = nlp(TEXT)
    assert entities(doc) == [("zorbax", "CONDITION"), ("minfen", "CONDITION")]
    assert doc.spans["entities"][1]._.concept_id == "X1" and doc.spans["entities"][1]._.score is None


def test_given_spans_take_its_place(folder):
    doc = clinspan.annotate(clinspan.load(folder), TEXT, [(0, 3, "CONDITION")])
    assert entities(doc) == [("She", "CONDITION")]


# --- other packages' models ---


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A spaCy model that calls zorbax a DISEASE, minfen a CHEMICAL, and Rome a GPE."""
    nlp = spacy.blank("en")
    ner = nlp.add_pipe("ner")
    data = []
    for text, spans in [
        ("has zorbax now", [(4, 10, "DISEASE")]),
        ("takes minfen now", [(6, 12, "CHEMICAL")]),
        ("went to Rome now", [(8, 12, "GPE")]),
        ("She has zorbax and takes minfen .", [(8, 14, "DISEASE"), (25, 31, "CHEMICAL")]),
        ("nothing to see", []),
    ]:
        data.append(Example.from_dict(nlp.make_doc(text), {"entities": spans}))
    nlp.initialize(lambda: data)
    spacy.util.fix_random_seed(0)
    for _ in range(40):
        nlp.update(data)
    assert ner.labels == ("CHEMICAL", "DISEASE", "GPE")
    path = tmp_path_factory.mktemp("other") / "model"
    nlp.to_disk(path)
    return path


def external(model: Path, labels: dict[str, str] | None = None) -> Language:
    nlp = blank()
    use_ner(nlp, str(model), labels=labels)
    return nlp


def test_another_model_is_the_finder(other, tmp_path: Path):
    nlp = external(other)
    doc = nlp(TEXT)
    assert entities(doc) == FOUND
    assert {e._.source for e in doc.spans["entities"]} == {str(other)} and doc.spans["entities"][0]._.score is None
    assert entities(nlp("went to Rome now")) == []
    nlp.to_disk(tmp_path / "p")
    assert entities(clinspan.load(tmp_path / "p")(TEXT)) == FOUND
    assert pickle.loads(pickle.dumps(nlp.get_pipe("ner"))).model == str(other)


def test_another_models_labels(other):
    assert entities(external(other, {"GPE": "OBSERVATION"})("went to Rome now")) == [("Rome", "OBSERVATION")]
    with pytest.raises(ValueError, match="not labels of clinspan: PLACE"):
        external(other, {"GPE": "PLACE"})
    with pytest.raises(OSError, match="no_such_model"):
        external(Path("no_such_model"))


def test_a_model_without_any_label_of_ours(tmp_path: Path):
    nlp = spacy.blank("en")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "GPE", "pattern": "Rome"}])
    nlp.to_disk(tmp_path / "ruler")
    with pytest.raises(ValueError, match="it has GPE"):
        external(tmp_path / "ruler")
    assert entities(external(tmp_path / "ruler", {"GPE": "DEVICE"})("in Rome")) == [("Rome", "DEVICE")]


def test_use_ner_replaces_the_trained_finder(folder, other):
    nlp = clinspan.load(folder)
    use_ner(nlp, str(other))
    assert nlp.pipe_names == clinspan.load(folder).pipe_names
    assert nlp.get_pipe_meta("ner").factory == "clinspan_external_ner"
    with pytest.raises(ValueError, match="no component 'entities'"):
        use_ner(spacy.blank("en"), str(other))


def test_extract_with_another_model(other, tmp_path: Path):
    (tmp_path / "n.csv").write_text(f"note_id,text\n1,{TEXT}\n2,went to Rome now\n")
    arguments = ["extract", str(tmp_path / "n.csv"), "--ner", str(other), "-q", "--exclude", "terms", "-o"]
    result = CliRunner().invoke(app, [*arguments, str(tmp_path / "out"), "--ner-label", "GPE=OBSERVATION"])
    assert result.exit_code == 0, result.output
    rows = read_table(tmp_path / "out", "entities").to_pylist()
    assert [(r["text"], r["label"]) for r in rows] == [*FOUND, ("Rome", "OBSERVATION")]
    for more, message in (
        (["--ner-label", "GPE"], "not of the form THEIRS=OURS"),
        (["--ner-label", "GPE=PLACE"], "not labels of clinspan"),
        (["--ner", "no_such_model"], "no_such_model"),
    ):
        result = CliRunner().invoke(app, [*arguments, str(tmp_path / "none"), *more])
        assert result.exit_code == 2 and message in result.output
    result = CliRunner().invoke(
        app, ["extract", str(tmp_path / "n.csv"), "--ner-label", "A=DRUG", "-o", str(tmp_path / "none")]
    )
    assert result.exit_code == 2 and "--ner" in result.output


# --- clinspan train ---


def test_train_command(folder, tmp_path: Path):
    lines = []
    for i, s in enumerate(tagging.sentences(60, seed=8)):
        text = " ".join("reports" if w == "has" else w for w in s.words)
        spans = [
            f'{{"start": {text.index(w)}, "end": {text.index(w) + len(w)}, "label": "Problem"}}'
            for w, tag in zip(s.words, s.tags[:, 0])
            if tag
        ]
        lines.append(f'{{"id": "{i}", "text": "{text}", "entities": [{", ".join(spans)}]}}')
    (tmp_path / "gold.jsonl").write_text("\n".join(lines))
    arguments = ["train", str(tmp_path / "gold.jsonl"), "--corpus-format", "jsonl", "--corpus-map", "Problem=CONDITION"]
    arguments += ["--pipeline", str(folder), "--epochs", "2", "--rate", "0.01", "-o", str(tmp_path / "mine")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "54 documents" in result.output and "epoch 2: loss" in result.output and "before" in result.output
    assert clinspan.load(tmp_path / "mine").meta["name"] == "custom"
    assert CliRunner().invoke(app, arguments).exit_code == 2  # the folder is not empty
    assert CliRunner().invoke(app, [*arguments, "--overwrite", "-q"]).exit_code == 0
    result = CliRunner().invoke(app, ["train", "no_such_corpus", "-o", str(tmp_path / "other")])
    assert result.exit_code == 2 and "no_such_corpus" in result.output
