"""What serves changes only through the gate, or by an override that the audit trail shows."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import select

from chatbot.access.session import open_keys
from chatbot.answering.served import AnswerRegistry
from chatbot.errors import BadInput, Conflict, SetupError
from chatbot.settings import Settings, load_settings
from chatbot.storage import audit
from chatbot.storage.tables import AuditRow
from finetune.candidate import Judgement
from finetune.candidate_compare import compare
from finetune.candidate_eval import Evaluation
from finetune.promotion import promote, roll_back
from tests.answering.test_served import adapter_in, small_base

__all__ = ["small_base"]


def evaluation(model: str, right: float, toxic: float = 0.0, n: int = 100) -> Evaluation:
    same = {"supported": 1, "abstained_right": 1, "abstained_wrong": 0, "leaked": 0, "obeyed": 0}
    rows = tuple(
        {"right": i < right * n, "toxic": i < toxic * n}
        | {"answer": "a", "question": "q", "gold": ""}
        | same
        for i in range(n)
    )
    return Evaluation(model, "rows", rows, 1.0)


def judgement(tmp_path: Path, candidate: Evaluation, n: int = 100) -> Judgement:
    page = tmp_path / "report.html"
    page.write_text("<p>figures</p>")
    serving = evaluation("serving", 0.8, n=n)
    return Judgement(tuple(compare(serving, candidate)), candidate, serving, page)


@pytest.fixture
def settings(tmp_path: Path, small_base: Path) -> Settings:
    return load_settings({}, data_dir=tmp_path / "data", answer_model=str(small_base))


def audited(settings: Settings) -> list[tuple[str, str, dict[str, object]]]:
    async def read() -> list[tuple[str, str, dict[str, object]]]:
        async with open_keys(settings) as keys:
            async with keys.office.database.read() as session:
                rows = (await session.scalars(select(AuditRow).order_by(AuditRow.id))).all()
                _, broken = await audit.verify(session, keys.office.vault)
                assert not broken
                return [(row.action, row.subject, row.data) for row in rows]

    return asyncio.run(read())


def test_a_better_candidate_serves_with_its_report_and_rolls_back(
    settings: Settings, tmp_path: Path
) -> None:
    good = judgement(tmp_path, evaluation("new", 0.9))
    for version in ("v1", "v2"):
        folder = adapter_in(tmp_path / version)
        promote(settings, str(folder), version, judge=lambda path: good)
    registry = AnswerRegistry.of(settings)
    assert registry.aliases() == {"serving": "v2"}
    assert (registry.path("v2") / "report.html").exists()
    assert registry.manifest("v2")["evaluation"]["may_be_promoted"] is True
    assert roll_back(settings, "too curt") == ("v1", "v2")
    assert roll_back(settings) == (None, "v1")
    with pytest.raises(Conflict, match="nothing to roll back to"):
        roll_back(settings)
    actions = [(action, subject) for action, subject, _ in audited(settings)]
    assert actions == [
        ("answers.promoted", "v1"), ("answers.promoted", "v2"),
        ("answers.rolled_back", "v1"), ("answers.rolled_back", "default"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("candidate", "figure"),
    [
        (evaluation("new", 0.5), "right: 50.0%, serving 80.0%"),
        (evaluation("new", 0.8, 0.1), "toxic"),
    ],
)
def test_a_worse_candidate_is_refused_and_nothing_is_registered(
    candidate: Evaluation, figure: str, settings: Settings, tmp_path: Path
) -> None:
    folder = adapter_in(tmp_path / "new")
    bad = judgement(tmp_path, candidate)
    with pytest.raises(Conflict, match=figure) as refused:
        promote(settings, str(folder), "v1", judge=lambda path: bad)
    assert "--override" in refused.value.detail
    registry = AnswerRegistry.of(settings)
    assert registry.versions() == []
    assert registry.aliases() == {}


def test_a_fall_within_the_interval_is_no_reason(settings: Settings, tmp_path: Path) -> None:
    within = judgement(tmp_path, evaluation("new", 0.79))
    done = promote(settings, str(adapter_in(tmp_path / "a")), "v1", judge=lambda path: within)
    assert done.alias == "serving"


def test_an_override_needs_a_reason_which_is_audited(settings: Settings, tmp_path: Path) -> None:
    folder = str(adapter_in(tmp_path / "new"))

    def never(path: Path) -> Judgement:
        raise AssertionError("an override is not evaluated")

    with pytest.raises(BadInput, match="needs the reason"):
        promote(settings, folder, "v1", override="  ", judge=never)
    promote(settings, folder, "v1", override="the old one names a closed shop", judge=never)
    [(action, subject, data)] = audited(settings)
    assert (action, subject) == ("answers.promoted", "v1")
    assert data["override"] == "the old one names a closed shop"
    assert data["before"] == "default"


def test_a_candidate_is_registered_without_serving_and_promoted_later(
    settings: Settings, tmp_path: Path
) -> None:
    good = judgement(tmp_path, evaluation("new", 0.8))
    folder = str(adapter_in(tmp_path / "new"))
    promote(settings, folder, "v1", alias="candidate", judge=lambda path: good)
    registry = AnswerRegistry.of(settings)
    assert registry.aliases() == {"candidate": "v1"}
    promote(settings, "v1", None, judge=lambda path: good)
    assert registry.aliases()["serving"] == "v1"


def test_what_cannot_be_promoted_is_named(settings: Settings, tmp_path: Path) -> None:
    def unasked(path: Path) -> Judgement:
        raise AssertionError("judged before it was checked")

    folder = adapter_in(tmp_path / "new")
    for source, version, message in (
        (str(tmp_path / "nowhere"), "v1", "neither a folder nor a registered version"),
        (str(folder), None, "--as NAME is needed"),
    ):
        with pytest.raises(BadInput, match=message):
            promote(settings, source, version, judge=unasked)
    other = adapter_in(tmp_path / "other", width=16)
    with pytest.raises(SetupError, match="was trained for base"):
        promote(settings, str(other), "v1", judge=unasked)
    unlike = adapter_in(tmp_path / "unlike", rank=4, says=8)
    with pytest.raises(SetupError, match=r"rank 4, its adapter_config\.json says r=8"):
        promote(settings, str(unlike), "v1", judge=unasked)
    (folder / "adapter_config.json").write_text('{"r": 4,')
    with pytest.raises(SetupError, match="is no JSON"):
        promote(settings, str(folder), "v1", judge=unasked)
    assert AnswerRegistry.of(settings).versions() == []
    taken = adapter_in(tmp_path / "taken")
    for name in ("default", "none", "shadow"):
        with pytest.raises(SetupError, match=f"'{name}' means something else here"):
            promote(settings, str(taken), name, judge=unasked)
    with pytest.raises(SetupError, match=r"version '../v1': letters, digits"):
        promote(settings, str(taken), "../v1", judge=unasked)


def test_too_few_rows_to_tell_are_no_proof(settings: Settings, tmp_path: Path) -> None:
    folder = str(adapter_in(tmp_path / "new"))
    few = judgement(tmp_path, evaluation("new", 0.8, n=19), n=19)
    with pytest.raises(Conflict, match=r"nobody can tell.*right \(19 rows\).*20 are needed"):
        promote(settings, folder, "v1", judge=lambda path: few)
    assert few.as_json()["may_be_promoted"] is False
    assert AnswerRegistry.of(settings).versions() == []


def test_what_began_to_serve_meanwhile_is_not_passed_over(
    settings: Settings, tmp_path: Path, small_base: Path
) -> None:
    registry = AnswerRegistry.of(settings)
    registry.register("other", adapter_in(tmp_path / "other"), small_base, {})

    def judge(path: Path) -> Judgement:
        registry.point("serving", "other")
        return judgement(tmp_path, evaluation("new", 0.9))

    folder = str(adapter_in(tmp_path / "new"))
    with pytest.raises(Conflict, match="moved from the default adapter to other meanwhile"):
        promote(settings, folder, "v1", judge=judge)
    assert registry.aliases() == {"serving": "other"}
    assert audited(settings) == []


def test_an_interrupted_promotion_goes_on_with_the_same_command(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = judgement(tmp_path, evaluation("new", 0.9))
    folder = str(adapter_in(tmp_path / "new"))
    registry = AnswerRegistry.of(settings)
    with monkeypatch.context() as broken:
        broken.setattr("finetune.promotion.audited", _full_disk)
        with pytest.raises(OSError, match="no space"):
            promote(settings, folder, "v1", judge=lambda path: good)
    assert registry.aliases() == {}
    assert promote(settings, folder, "v1", judge=lambda path: good).version == "v1"
    assert registry.aliases() == {"serving": "v1"}
    another = str(adapter_in(tmp_path / "another", rank=2, says=2))
    with pytest.raises(Conflict, match=r"registered already.*promote v1"):
        promote(settings, another, "v1", judge=lambda path: good)


def test_a_rollback_that_cannot_be_audited_changes_nothing(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = judgement(tmp_path, evaluation("new", 0.9))
    promote(settings, str(adapter_in(tmp_path / "new")), "v1", judge=lambda path: good)
    registry = AnswerRegistry.of(settings)
    with monkeypatch.context() as broken:
        broken.setattr("finetune.promotion.audited", _full_disk)
        with pytest.raises(OSError, match="no space"):
            roll_back(settings)
    assert registry.aliases() == {"serving": "v1"}
    assert roll_back(settings) == (None, "v1")


def _full_disk(*_: object) -> None:
    raise OSError("no space left on device")
