from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chatbot.errors import BadInput, SetupError
from chatbot.routing.model import DEFAULT_WEIGHTS, RouterModel
from finetune.router import evaluate_router, train_router
from finetune.router_checks import check_training
from finetune.router_config import RouterConfig, load_config
from finetune.router_data import read_rows
from finetune.router_default import OWN
from finetune.router_frozen import spoken
from finetune.router_recalibrate import recalibrate_router

ROWS: list[dict[str, Any]] = [
    *({"text": f"where is my parcel {n}", "intent": "order_status"} for n in range(6)),
    *({"text": f"can I send back the shoes {n}", "intent": "return_start"} for n in range(6)),
    *({"text": f"thank you so much {n}", "intent": "thanks"} for n in range(6)),
]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    return path


def recipe(tmp_path: Path, train: list[dict[str, Any]], **options: Any) -> RouterConfig:
    path = write(tmp_path / "train.jsonl", train)
    settings: dict[str, Any] = {"epochs": 2, "min_steps": 0, "few_shot_rows": 0} | options
    return RouterConfig(train=path, out=tmp_path / "out" / "router", **settings)


def entity(start: int, end: int, label: str = "order_id", **more: Any) -> dict[str, Any]:
    return {"text": "order LM-77 now", "intent": "order_status"} | {
        "entities": [{"start": start, "end": end, "label": label, **more}]
    }


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"intent": "a"}, "'text' is missing"),
        ({"text": "a"}, "'intent' is missing"),
        ({"text": "  ", "intent": "a"}, "text is empty"),
        ({"text": "x" * 1_000_000, "intent": "a"}, "1000000 characters"),
        ({"text": "a", "intent": " a"}, "must be a name"),
        ({"text": "a", "intent": "a", "borrowed": "yes"}, "borrowed is 'yes'"),
        ({"text": "a", "intent": ["a", "out_of_scope"]}, "must stand alone"),
        (entity(5, 11), "off by one"),
        (entity(6, 12), "off by one"),
        (entity(7, 11), "cuts a word"),
        (entity(6, 99), "outside 0-15"),
        (entity(8, 8), "outside 0-15"),
        (entity(6, 11, text="LM-78"), "not 'LM-78'"),
        (
            {
                "text": "order LM-77 now",
                "intent": "order_status",
                "entities": [
                    {"start": 6, "end": 11, "label": "order_id"},
                    {"start": 9, "end": 15, "label": "date"},
                ],
            },
            "overlap",
        ),
    ],
)
def test_a_bad_row_is_named_with_its_number_and_reason(
    tmp_path: Path, row: dict[str, Any], message: str
) -> None:
    path = write(tmp_path / "rows.jsonl", [*ROWS, row])
    with pytest.raises(BadInput) as caught:
        read_rows(path)
    assert f"row {len(ROWS) + 1}:" in caught.value.detail
    assert message in caught.value.detail
    kept = read_rows(path, skip_bad_rows=True)
    assert len(kept.rows) == len(ROWS)
    assert message in kept.skipped[0]


def test_all_bad_rows_are_reported_at_once(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "a", "intent": "b"}\nnot json\n[1]\n\n{"text": ""}\n')
    with pytest.raises(BadInput, match=r"(?s)3 rows.*row 2: not JSON.*row 3.*row 5"):
        read_rows(path)


def test_a_value_glued_to_its_neighbour_is_kept_when_it_stands_whole_elsewhere(
    tmp_path: Path,
) -> None:
    glued = {
        "text": "orderPro now",
        "intent": "a",
        "entities": [{"start": 5, "end": 8, "label": "plan"}],
    }
    whole = {"text": "a Pro", "intent": "a", "entities": [{"start": 2, "end": 5, "label": "plan"}]}
    assert len(read_rows(write(tmp_path / "rows.jsonl", [glued, whole])).rows) == 2
    with pytest.raises(BadInput, match="cuts a word"):
        read_rows(write(tmp_path / "rows.jsonl", [glued]))


def test_two_spellings_of_a_label_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", [*ROWS, {"text": "ta", "intent": "Thanks"}])
    with pytest.raises(BadInput, match=r"row 19: intent 'Thanks' is 'thanks' in row 13"):
        read_rows(path)


def test_an_intent_with_one_example_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", [*ROWS, {"text": "hi", "intent": "greeting"}])
    with pytest.raises(BadInput, match=r"row 19: intent 'greeting' has this one example"):
        check_training(path, read_rows(path))


def test_one_intent_is_enough_only_where_entities_are_to_be_learnt(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", ROWS[:6])
    with pytest.raises(BadInput, match="1 intents besides out_of_scope; 2 are needed"):
        check_training(path, read_rows(path))
    path = write(tmp_path / "rows.jsonl", [*ROWS[:6], entity(6, 11)])
    check_training(path, read_rows(path))


def test_a_few_bad_rows_of_a_large_file_are_left_out_and_listed(tmp_path: Path) -> None:
    many = [{"text": f"{r['text']} {n}", "intent": r["intent"]} for n in range(30) for r in ROWS]
    data = read_rows(write(tmp_path / "rows.jsonl", [*many, entity(5, 11)]))
    assert len(data.rows) == len(many)
    assert data.skipped[0].startswith("row 541: entity order_id 5-11")
    with pytest.raises(BadInput, match="7 rows cannot be used"):
        read_rows(write(tmp_path / "rows.jsonl", [*many, *[entity(5, 11)] * 7]))


def test_a_file_that_is_only_measured_against_may_have_overlapping_spans(tmp_path: Path) -> None:
    spans = [{"start": 0, "end": 11, "label": "a"}, {"start": 6, "end": 11, "label": "b"}]
    row = {"text": "order LM-77 now", "intent": "order_status", "entities": spans}
    path = write(tmp_path / "rows.jsonl", [row])
    assert len(read_rows(path, judge_spans=False).rows[0].entities) == 2
    with pytest.raises(BadInput, match="overlap"):
        read_rows(path)


def test_rows_without_any_intent_train_a_router_of_entities(tmp_path: Path) -> None:
    rows = [
        {
            "text": f"a table at {n} pm please",
            "intent": [],
            "entities": [{"start": 11, "end": 15, "label": "time"}],
        }
        for n in range(1, 10)
    ]
    config = recipe(tmp_path, rows, epochs=12)
    train_router(config, lambda line: None)
    figures = evaluate_router(config.out, config.train)
    assert figures["entity_f1"] is not None
    assert figures["entity_f1"] > 0.5


@pytest.mark.parametrize("text", ["🙂🎉", "Где мой заказ"])
def test_a_row_in_another_script_is_trained_with_or_named(tmp_path: Path, text: str) -> None:
    seen: list[str] = []
    config = recipe(tmp_path, [*ROWS, {"text": text, "intent": "thanks"}], epochs=1)
    train_router(config, seen.append)
    named = any("row 19: nothing in it" in line for line in seen)
    assert named == (text == "🙂🎉")
    assert (config.out / "report.html").read_text().startswith("<!doctype html>")


def test_csv_reads_lists_from_json_columns(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(
        'text,intent,entities\n"hi, LM-77","[""greeting"", ""order""]",'
        '"[{""start"": 4, ""end"": 9, ""label"": ""order_id""}]"\nbye,bye,\n'
    )
    data = read_rows(path)
    assert data.multi_label
    assert data.rows[0].intents == ("greeting", "order")
    assert data.rows[0].entities[0].label == "order_id"
    assert data.rows[1].number == 3


def test_a_missing_csv_column_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("text,label\nhi,greeting\n")
    with pytest.raises(BadInput, match="column intent missing in row 1; found text, label"):
        read_rows(path)


def test_unknown_labels_in_the_eval_file_stop_before_anything_is_written(tmp_path: Path) -> None:
    other = write(tmp_path / "eval.jsonl", [{"text": "x", "intent": "weather"}])
    with pytest.raises(BadInput, match="row 1: unknown intent 'weather'"):
        train_router(recipe(tmp_path, ROWS, eval=other))
    assert not (tmp_path / "out").exists()


def test_a_wrong_recipe_names_the_value(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text("epochs = 0\n")
    with pytest.raises(SetupError, match="epochs"):
        load_config(path, train=path, out=tmp_path)


def test_a_few_rows_train_a_router_that_serves_and_is_measured(tmp_path: Path) -> None:
    order = [
        {
            "text": f"cancel order LM-1{n}",
            "intent": "order_cancel",
            "entities": [{"start": 13, "end": 18, "label": "order_id"}],
        }
        for n in range(10, 16)
    ]
    outside = [{"text": f"recipe for soup {n}", "intent": "out_of_scope"} for n in range(4)]
    rows = [*ROWS, *order, *outside]
    dev = write(tmp_path / "eval.jsonl", rows[::2])
    config = recipe(tmp_path, rows, eval=dev, epochs=4)
    seen: list[str] = []
    metrics = train_router(config, seen.append)
    assert metrics["dev"]["intent_accuracy_no_rejection"] == 1.0
    assert any("epoch 1/" in line for line in seen)
    figures = evaluate_router(config.out, dev)
    assert set(figures) >= {
        "intent_accuracy",
        "intent_accuracy_no_rejection",
        "macro_f1",
        "oos_auroc",
        "oos_recall",
        "ece",
        "entity_f1",
        "n",
    }
    assert figures["n"] == 14
    model = RouterModel.load(config.out)
    assert model.predict(["where is my parcel"])[0].intent == "order_status"
    assert str(tmp_path) not in (config.out / "card.md").read_text()
    assert [p.name for p in config.out.parent.iterdir()] == ["router"]


def test_rows_with_lists_train_a_multi_label_router(tmp_path: Path) -> None:
    rows = [
        *({"text": f"cancel it {n}", "intent": ["cancel"]} for n in range(6)),
        *({"text": f"my booking {n}", "intent": ["booking"]} for n in range(6)),
        *({"text": f"cancel my booking {n}", "intent": ["cancel", "booking"]} for n in range(6)),
        *({"text": f"good morning {n}", "intent": []} for n in range(4)),
    ]
    config = recipe(tmp_path, rows, epochs=6, eval=write(tmp_path / "dev.jsonl", rows[::2]))
    train_router(config, lambda line: None)
    chances = dict(RouterModel.load(config.out).predict(["cancel my booking"])[0].intents)
    assert min(chances.values()) > 0.5


def test_with_few_rows_an_intent_the_encoder_stays_as_it_is(tmp_path: Path) -> None:
    config = recipe(tmp_path, ROWS, few_shot_rows=40)
    metrics = train_router(config, lambda line: None)
    assert not (config.out / "adapter.safetensors").exists()
    assert metrics["dev_rows"] == metrics["train_rows"] == len(ROWS)
    assert metrics["dev"]["intent_accuracy_no_rejection"] == 1.0
    assert RouterModel.load(config.out).predict(["where is my parcel"])[0].intent == "order_status"
    recalibrate_router(config.out, config.train, 0.03)
    assert evaluate_router(config.out, config.train)["intent_accuracy_no_rejection"] == 1.0


@pytest.mark.parametrize("few_shot_rows", [0, 40])
def test_a_borrowed_row_is_learnt_from_and_its_words_are_kept_nowhere(
    tmp_path: Path, few_shot_rows: int
) -> None:
    odd = "purple elephants dance"  # said of both intents, so that both rows are doubted
    borrowed = [
        {"text": odd, "intent": name, "borrowed": True} for name in ("order_status", "thanks")
    ]
    config = recipe(tmp_path, [*ROWS, *borrowed], few_shot_rows=few_shot_rows)
    metrics = train_router(config, lambda line: None)
    assert metrics["train_rows"] + metrics["dev_rows"] * (not few_shot_rows) >= len(ROWS) + 2
    written = [p for p in config.out.iterdir() if p.suffix != ".safetensors"]
    assert len(written) >= 4
    assert not [p.name for p in written if odd in p.read_text(encoding="utf-8")]
    nearest = RouterModel.load(config.out).nearest(odd, 2)
    assert [n.text for n in nearest] == ["", ""]
    assert nearest[0].similarity > 0.99


def test_the_default_router_keeps_no_words_but_the_projects_own() -> None:
    own = {r.text for name in ("train", "dev") for r in read_rows(OWN / f"{name}.jsonl").rows}
    examples = json.loads((DEFAULT_WEIGHTS / "index.json").read_text(encoding="utf-8"))
    metrics = json.loads((DEFAULT_WEIGHTS / "metrics.json").read_text(encoding="utf-8"))
    kept = [text for text, _ in examples] + [d["text"] for d in metrics["look_mislabelled"]]
    assert [text for text in kept if text and text not in own] == []
    assert sum(text != "" for text, _ in examples) > 1_000


def test_the_name_of_an_intent_is_an_example_of_it_and_a_code_is_none(tmp_path: Path) -> None:
    said = ("please help me", "it happened again", "one more thing", "can you look into this")

    def chance(first: str, second: str) -> float:
        rows = [{"text": f"{text} {n}", "intent": n} for n in (first, second) for text in said]
        config = recipe(tmp_path / first, rows, few_shot_rows=40)
        train_router(config, lambda line: None)
        [found] = RouterModel.load(config.out).predict(["my suitcase did not arrive"])
        return dict(found.intents).get(first, 0.0)

    for folder in ("lostLuggage", "A-17"):
        (tmp_path / folder).mkdir()
    assert chance("lostLuggage", "seat_choice") > chance("A-17", "B-2") + 0.05
    assert [spoken(name) for name in ("lostLuggage", "card_not_working", "A-17", "")] == [
        "lost luggage", "card not working", "", "",
    ]  # fmt: skip


def test_a_row_is_not_its_own_evidence_where_nothing_is_held_out(tmp_path: Path) -> None:
    odd = [
        {"text": "purple elephants dance", "intent": name} for name in ("order_status", "thanks")
    ]
    metrics = train_router(recipe(tmp_path, [*ROWS, *odd], few_shot_rows=40), lambda line: None)
    assert metrics["dev"]["intent_accuracy_no_rejection"] <= (len(ROWS) + 1) / (len(ROWS) + 2)


def test_an_interrupted_training_goes_on_where_it_was(tmp_path: Path) -> None:
    class Interrupted(Exception):
        pass

    config = recipe(tmp_path, ROWS, epochs=3)

    def stop(line: str) -> None:
        if "epoch 2/" in line:
            raise Interrupted

    with pytest.raises(Interrupted):
        train_router(config, stop)
    assert not config.out.exists()
    seen: list[str] = []
    train_router(config.model_copy(update={"resume": True}), seen.append)
    assert "resuming after epoch 1" in seen
    assert config.out.exists()


def test_a_router_is_calibrated_again_without_being_trained(tmp_path: Path) -> None:
    config = recipe(tmp_path, ROWS, epochs=1)
    train_router(config, lambda line: None)
    heads = (config.out / "heads.safetensors").read_bytes()
    metrics = recalibrate_router(config.out, config.train, 0.03)
    assert metrics["dev_rows"] == len(ROWS)
    assert f"Figures on the {len(ROWS)} dev rows" in (config.out / "card.md").read_text()
    assert (config.out / "heads.safetensors").read_bytes() == heads
    other = write(tmp_path / "other.jsonl", [{"text": "x", "intent": "weather"}])
    with pytest.raises(BadInput, match="unknown intent 'weather'"):
        recalibrate_router(config.out, other, 0.03)
