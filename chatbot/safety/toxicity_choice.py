"""Which toxicity model judges."""

from __future__ import annotations

from chatbot.safety.checkpoint import NAMED_MODELS, prepare_toxicity
from chatbot.safety.toxicity import DetoxifyScorer, WindowedScorer
from chatbot.safety.toxicity_compiled import CompiledScorer
from chatbot.settings import Settings


def load_scorer(settings: Settings) -> WindowedScorer:
    """The scorer that ``settings.toxicity_model`` asks for.

    Raises SetupError naming file or name and remedy.
    """
    if settings.toxicity_model in NAMED_MODELS:
        return DetoxifyScorer(model=settings.toxicity_model)
    return CompiledScorer(prepare_toxicity(settings), settings.compiled_dir)
