"""The grounding check as the gate uses it, with the served head."""

from __future__ import annotations

import pytest

from chatbot.safety.gate import Candidate, Check
from chatbot.safety.grounding import GroundingCheck, GroundingChecker, load_grounding, verbatim
from chatbot.safety.grounding_claim import Claim
from chatbot.safety.grounding_units import read_passage
from chatbot.types import Passage, ReasonCode, SentenceKind
from knowledge_base.encoder import EncoderFiles, TransformerEncoder


def passage(article: str, title: str, text: str, heading: str = "") -> Passage:
    return Passage(article, "0" * 12, f"{article}#0", title, heading, "", text, 0.9)


RETURNS = passage(
    "returns",
    "How long you have to return something",
    "You can return unworn items within 60 days of delivery. After 60 days we cannot take items "
    "back, unless they are faulty.\n\n"
    "- Keep the original packaging.\n- Underwear and opened gas canisters cannot be returned.",
)
PRICES = passage(
    "prices",
    "Delivery prices",
    "| Delivery address | Standard | Free from | Express |\n|---|---|---|---|\n"
    "| UK mainland | £4.50 | £70 | £7.95 |\n| Germany | €4.95 | €80 | €11.95 |\n"
    "| Austria | €7.95 | €120 | not offered |",
    "Prices by country",
)
HOURS = passage(
    "hours",
    "When you can reach us",
    "Our team answers from Monday to Friday, 09:00 to 18:00. Call 0808 157 0142 or write to "
    "help@shop.example. The call is free from a UK landline.",
)
PASSAGES = (RETURNS, PRICES, HOURS)


@pytest.fixture(scope="module")
def checker() -> GroundingChecker:
    files = EncoderFiles()
    return load_grounding(TransformerEncoder(files), files, ["Larkmoor"])


@pytest.mark.parametrize(
    "claim",
    [
        "You can return unworn items within 60 days of delivery.",
        "You can send unworn items back within sixty days of delivery.",
        "Standard delivery to Germany costs €4.95.",
        "Express delivery to Germany costs €11.95.",
        "Our team answers from Monday to Friday, 9 am to 6 pm.",
        "You can write to help@shop.example.",
        "Opened gas canisters cannot be returned.",
        "Larkmoor customers can return unworn items within 60 days of delivery.",
    ],
)
def test_what_a_passage_says_is_supported(checker: GroundingChecker, claim: str) -> None:
    result = checker.check(claim, PASSAGES)
    assert result.supported, result
    assert result.score >= checker.threshold
    assert result.problems == ()


@pytest.mark.parametrize(
    "claim",
    [
        "You can return unworn items within 30 days of delivery.",
        "You can return unworn items within 60 weeks of delivery.",
        "You can return unworn items after 60 days of delivery.",
        "You cannot return unworn items within 60 days of delivery.",
        "Standard delivery to Germany costs £4.95.",
        "Standard delivery to Germany costs €7.95.",
        "Express delivery to Germany costs €4.95.",
        "Standard delivery to Spain costs €4.95.",
        "Our team answers from Monday to Saturday, 09:00 to 18:00.",
        "You can write to sales@shop.example.",
        "Call 0808 157 0143.",
        "Opened gas canisters can be returned.",
        "Our shops are open on every public holiday.",
    ],
)
def test_what_no_passage_says_is_not_supported(checker: GroundingChecker, claim: str) -> None:
    result = checker.check(claim, PASSAGES)
    assert not result.supported, result
    assert result.passages == ()
    assert result.problems


def test_a_number_of_another_row_is_named_beside_the_right_one(checker: GroundingChecker) -> None:
    result = checker.check("Standard delivery to Germany costs €7.95.", [PRICES])
    assert "€7.95" in result.problems[0]
    assert "€4.95" in result.problems[0]


def test_a_quotation_is_supported_word_for_word(checker: GroundingChecker) -> None:
    quotation = "The call is free from a UK landline."
    assert checker.check(quotation, PASSAGES).passages == (3,)
    assert checker.check(quotation, PASSAGES).score == 1.0


def test_what_one_row_of_a_table_says_is_not_true_of_another(checker: GroundingChecker) -> None:
    assert not checker.check("Express delivery is not offered to Germany.", [PRICES]).supported
    assert checker.check("Express delivery is not offered to Austria.", [PRICES]).supported


def test_a_row_that_says_no_supports_no_sentence_without_it(checker: GroundingChecker) -> None:
    rows = "| What happened | Covered by the guarantee? |\n|---|---|\n"
    rows += "| A tent pole snapped in a storm | No, accident |\n| A seam leaks | Yes |\n"
    wear = passage("wear", "Wear and tear", rows)
    said = "A tent pole snapped in a storm is covered by the guarantee."
    assert not checker.check(said, [wear]).supported
    assert checker.check("A seam that leaks is covered by the guarantee.", [wear]).supported


def test_northern_ireland_is_another_place_than_ireland(checker: GroundingChecker) -> None:
    north = passage(
        "ni", "Delivery", "Delivery to Northern Ireland costs £4.50 and takes 3 to 5 working days."
    )
    assert not checker.check("Delivery to Ireland costs £4.50.", [north]).supported
    assert checker.check("Delivery to Northern Ireland costs £4.50.", [north]).supported


def test_a_claim_that_combines_two_passages_is_supported_by_both(
    checker: GroundingChecker,
) -> None:
    claim = "You can return unworn items within 60 days, and you can call 0808 157 0142."
    result = checker.check(claim, PASSAGES, cited=(1, 3))
    assert result.supported, result
    assert result.passages == (1, 3)


def test_without_passages_nothing_is_supported(checker: GroundingChecker) -> None:
    result = checker.check("You can return items within 60 days.", [])
    assert not result.supported
    assert result.problems


def test_an_empty_passage_supports_nothing(checker: GroundingChecker) -> None:
    assert not checker.check("You have 60 days.", [passage("e", "", "")]).supported


@pytest.fixture(scope="module")
def check(checker: GroundingChecker) -> Check:
    return GroundingCheck(checker)


def claim(text: str, **values: object) -> Candidate:
    return Candidate(text, passages=PASSAGES, **values)  # type: ignore[arg-type]


def test_the_gate_learns_which_passage_supports_a_wrongly_cited_claim(check: Check) -> None:
    result = check.run(claim("Standard delivery to Germany costs €4.95.", cited=(1,)))
    assert result.reasons == ()
    assert result.supported_by == (2,)


def test_an_unsupported_claim_says_what_is_wrong(check: Check) -> None:
    result = check.run(claim("You can return unworn items within 90 days of delivery.", cited=(1,)))
    (reason,) = result.reasons
    assert reason.code is ReasonCode.UNSUPPORTED_CLAIM
    assert "90 days" in reason.detail
    assert reason.score is not None
    assert reason.threshold is not None
    assert reason.score < reason.threshold
    assert result.scores == {"grounding": reason.score}
    assert result.supported_by == ()


@pytest.mark.parametrize("cited", [(0,), (9,), (-1,)])
def test_a_citation_that_does_not_exist_changes_nothing(
    check: Check, cited: tuple[int, ...]
) -> None:
    result = check.run(claim("You can write to help@shop.example.", cited=cited))
    assert result.supported_by == (3,)


@pytest.mark.parametrize("kind", [SentenceKind.COURTESY, SentenceKind.QUESTION])
def test_only_claims_need_support(check: Check, kind: SentenceKind) -> None:
    assert check.run(claim("Do you have 90 days?", kind=kind)).reasons == ()


def test_a_person_may_say_what_no_passage_says(check: Check) -> None:
    assert check.run(claim("You have 90 days.", by_person=True)).reasons == ()


def test_a_claim_without_passages_is_unsupported(check: Check) -> None:
    (reason,) = check.run(Candidate("You have 60 days.")).reasons
    assert reason.code is ReasonCode.UNSUPPORTED_CLAIM


@pytest.mark.parametrize(
    ("quote", "same"),
    [
        ("Country Germany – Standard: €4.95; Express: €11.95.", True),
        ("Country Germany: Standard €4.95; Express €11.95", True),
        ("Country Germany – Express: €11.95.", True),
        ("Country Germany – Express: €6.95.", False),
        ("Country Spain – Express: €11.95.", False),
    ],
)
def test_a_quoted_row_is_its_row_however_its_cells_are_set_apart(quote, same):
    table = "| Country | Standard | Express |\n|---|---|---|\n| Germany | €4.95 | €11.95 |\n"
    table += "| Spain | €6.95 | not offered |\n"
    row = Passage("a", "0" * 12, "a#0", "Delivery", "", "", table, 0.9)
    assert verbatim(Claim.of(quote), read_passage(row)) is same


def test_an_item_under_the_heading_of_its_section_is_verbatim():
    text = "- It asks you to pay a fee.\n- You have won a tent."
    fake = Passage("a", "0" * 12, "a#0", "Messages", "A fake message", "", text, 0.9)
    read = read_passage(fake)
    assert verbatim(Claim.of("A fake message: It asks you to pay a fee."), read)
    assert not verbatim(Claim.of("A real message: It asks you to pay a fee."), read)
