"""The reference engine: transformers with a merged LoRA adapter, one worker thread.

Measured on 2 cores (AVX512-BF16), 749-token prompt: bfloat16 prefill 0.60 s and 26 tokens/s,
float32 1.2 s and 25 tokens/s; with prompt lookup 32 tokens/s where little can be copied.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from chatbot.answering.base_model import prepare_base_model
from chatbot.answering.decoding import LOOKUP, Decoder
from chatbot.answering.engine import EngineFailed
from chatbot.answering.prompt import check_tokenizer, encode
from chatbot.answering.served import check_adapter, model_version, resolve_adapter
from chatbot.answering.tokens import abstention_token
from chatbot.answering.worker import IncrementalText, Job, ThreadedEngine
from chatbot.errors import SetupError
from chatbot.settings import Settings

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

logger = logging.getLogger(__name__)

Precision = Literal["auto", "float32", "bfloat16"]


class TransformersEngine(ThreadedEngine):
    """Greedy by default; answers one request at a time, in order of arrival."""

    name = "transformers"

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        model_version: str,
        max_waiting: int = 32,
        lookup: int = LOOKUP,
    ) -> None:
        self._tokenizer = tokenizer
        self._decoder: Decoder | None = Decoder(model, _stop_ids(model, tokenizer), lookup)
        self._abstention = abstention_token(tokenizer)
        super().__init__(model_version, max_waiting)

    @classmethod
    def from_settings(cls, settings: Settings) -> TransformersEngine:
        """Prepares the base model if needed, loads it, merges the adapter. Raises SetupError."""
        folder = prepare_base_model(settings)
        adapter = resolve_adapter(settings)
        model, tokenizer = load_model(folder, adapter, threads=settings.model_threads)
        return cls(model, tokenizer, model_version(folder, adapter), settings.engine_queue)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            failed: Exception | None = None
            try:
                if self._closed:
                    failed = EngineFailed("the answer engine was closed")
                elif not job.over:
                    self._answer(job)
            except Exception as error:  # a thread that ends would leave all that follow waiting
                logger.exception("the answer model failed")
                failed = error
            finally:
                self._finish(job, failed)
        self._decoder = None

    def _answer(self, job: Job) -> None:
        assert self._decoder is not None  # noqa: S101  set until the thread has ended
        request = job.request
        prompt = encode(self._tokenizer, request.segments, request.prefix)
        if job.weighs:
            job.doubt = self._decoder.next_share(prompt, self._abstention)
            return
        text = IncrementalText(self._tokenizer)
        tokens = self._decoder.tokens(
            prompt,
            request.max_new_tokens,
            request.temperature,
            request.seed,
            but=self._abstention if request.answers else None,
        )
        for token in tokens:
            if job.over:
                return
            if piece := text.add(token):
                job.put(piece)


def load_model(
    folder: Path, adapter: Path | None, *, precision: Precision = "auto", threads: int = 0
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Base model in eval mode with the adapter merged in, and its tokenizer.

    'auto' is bfloat16 where the machine computes in it, else float32; the merge itself is
    done in float32. Raises SetupError naming the folder and the remedy.
    """
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer

    if threads:
        torch.set_num_threads(threads)
    if adapter is not None:
        check_adapter(adapter, folder)
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
        model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        if adapter is not None:
            from peft import PeftModel

            model = PeftModel.from_pretrained(model, str(adapter)).merge_and_unload()
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise SetupError(
            f"the answer model in {folder} cannot be loaded"
            f"{f' with the adapter {adapter}' if adapter else ''}: {error}"
        ) from error
    check_tokenizer(tokenizer)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if precision == "auto":
        precision = "bfloat16" if device == "cuda" or _computes_bfloat16() else "float32"
    model = model.to(device=device, dtype=getattr(torch, precision)).eval()
    return model, tokenizer


def _computes_bfloat16() -> bool:
    import torch

    # Without these instructions oneDNN emulates bfloat16, which is slower than float32.
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def _stop_ids(model: Any, tokenizer: Any) -> tuple[int, ...]:
    configured = model.generation_config.eos_token_id
    stops = set(configured if isinstance(configured, list) else [configured])
    stops.add(tokenizer.eos_token_id)
    return tuple(sorted(token for token in stops if token is not None))
