"""The parts of a desk that object to texts, without engine, articles and database.

For commands that ask "what would happen to this text": ``policy test`` and ``evaluate gate``.
Grounding is not among them, since it needs passages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Self

from chatbot.safety.checks import LeakCheck, RulesCheck, ToxicityCheck
from chatbot.safety.gate import Candidate, Check
from chatbot.safety.policy import Policy
from chatbot.safety.screen import Screen
from chatbot.types import Prediction, Reason, Side

if TYPE_CHECKING:
    from chatbot.settings import Settings

UNROUTED: Final = Prediction((("general", 1.0),), False, 0.0)


class Judges:
    """Reads a customer's text as the screen does, the bot's as the gate's checks do."""

    def __init__(self, screen: Screen, checks: Sequence[Check]) -> None:
        self.screen = screen
        self.checks = tuple(checks)

    @classmethod
    def load(cls, settings: Settings, policy: Policy | None = None) -> Self:
        """With the company's own policy unless another is given. Raises SetupError naming the
        file that is missing."""
        from chatbot.answering.prompt import instructions
        from chatbot.company import load_company
        from chatbot.routing.language import detect_language
        from chatbot.safety.moderation import load_moderator
        from chatbot.safety.pii_tagger import PersonalTagger
        from chatbot.safety.screen_encoder import ScreenEncoder
        from knowledge_base.encoder import EncoderFiles, TransformerEncoder

        company = load_company(settings.company)
        policy = policy or Policy.load(settings.company / "policy.toml")
        files = EncoderFiles(settings.encoder, settings.compiled_dir)
        encoder = TransformerEncoder(files)
        moderator = load_moderator(settings)
        public = (company.contact, *company.texts.values())
        return cls(
            Screen(
                ScreenEncoder(encoder),
                moderator.scorer,
                moderator,
                policy,
                detect_language,
                tagger=PersonalTagger.load(files, own_names=(company.name, company.bot_name)),
            ),
            (
                ToxicityCheck(moderator, policy),
                LeakCheck(instructions(company.name), policy, public),
                RulesCheck(policy, company.allowed_domains),
            ),
        )

    def reasons(self, text: str, side: Side, intent: str = "") -> tuple[Reason, ...]:
        """Every objection to the text; none means that it may pass."""
        if side is Side.CUSTOMER:
            return self.screen.screen(text, UNROUTED, {}).reasons
        candidate = Candidate(text, intent=intent)
        return tuple(reason for check in self.checks for reason in check.run(candidate).reasons)
