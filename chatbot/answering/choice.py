"""Which engine serves, and why: the reason goes to the log, ``/readyz`` and the metrics."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from chatbot.answering.base_model import prepare_base_model
from chatbot.answering.engine import Engine
from chatbot.answering.merging import NotMergeable
from chatbot.answering.openvino_network import prepare_network
from chatbot.answering.served import resolve_adapter
from chatbot.errors import SetupError
from chatbot.settings import Settings
from knowledge_base.quiet import torch_lock

logger = logging.getLogger(__name__)

INSTALL = 'pip install -c constraints.txt "openvino-genai"'


@dataclass(frozen=True)
class Chosen:
    """``fallback``: 'auto' wanted openvino and could not have it."""

    engine: Engine
    reason: str
    fallback: bool = False


def choose_engine(settings: Settings) -> Chosen:
    """Loads the engine that the settings ask for; 'auto' is transformers on a GPU, else openvino
    where it works, else transformers. Seconds to a minute. Raises SetupError."""
    if settings.engine != "auto":
        return Chosen(_load(settings, settings.engine), "CHATBOT_ENGINE asks for it")
    if _has_gpu():
        return Chosen(_load(settings, "transformers"), "this machine has a GPU")
    try:
        return Chosen(_load(settings, "openvino"), "the fastest on a CPU")
    except SetupError as error:
        reason = error.detail
    engine = _load(settings, "transformers")
    logger.warning("transformers writes the answers, several times slower: %s", reason)
    return Chosen(engine, f"openvino cannot be used: {reason}", fallback=True)


def load_engine(settings: Settings) -> Engine:
    """The engine of ``choose_engine``, without the reason. Call it in a thread."""
    return choose_engine(settings).engine


def prepare_engine(settings: Settings) -> None:
    """What the first start does before any worker loads: the base model's files and, where
    openvino will serve, the merged one. Raises SetupError."""
    if settings.engine == "openai":
        return
    base = prepare_base_model(settings)
    if settings.engine == "transformers":
        return
    if settings.engine == "auto" and (_why_not_openvino() or _has_gpu()):
        return
    try:
        prepare_network(base, resolve_adapter(settings), settings.data_dir)
    except NotMergeable:
        if settings.engine != "auto":
            raise  # with 'auto', choose_engine takes transformers and says why


def _load(settings: Settings, name: str) -> Engine:
    if name == "openai":
        from chatbot.answering.openai_engine import OpenAIEngine

        return OpenAIEngine.from_settings(settings)
    if name == "openvino":
        if why_not := _why_not_openvino():
            raise SetupError(why_not)
        from chatbot.answering.openvino_engine import OpenVINOEngine

        return OpenVINOEngine.from_settings(settings)
    with torch_lock:
        from chatbot.answering.transformers_engine import TransformersEngine

        return TransformersEngine.from_settings(settings)


def _why_not_openvino() -> str | None:
    if find_spec("openvino_genai") is None:
        return (
            f"the package openvino-genai is not installed; run: {INSTALL} (some machines have no "
            "wheel of it), or set CHATBOT_ENGINE=transformers"
        )
    return None


def _has_gpu() -> bool:
    try:
        if version("torch").endswith("+cpu"):
            return False  # known without the seconds that importing torch takes
    except PackageNotFoundError:
        return False
    import torch

    return bool(torch.cuda.is_available())
