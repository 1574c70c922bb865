"""The reference engine: transformers with a merged LoRA adapter, one worker thread.

Measured on 2 cores (AVX512-BF16), 749-token prompt: bfloat16 prefill 0.60 s and 26 tokens/s,
float32 1.2 s and 25 tokens/s; with prompt lookup 32 tokens/s where little can be copied.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from chatbot.answering.base_model import base_digest, prepare_base_model
from chatbot.answering.decoding import Decoder, NotFinite
from chatbot.answering.engine import EngineBusy, EngineFailed, GenerationRequest
from chatbot.answering.prompt import encode
from chatbot.answering.served import check_adapter, resolve_adapter
from chatbot.errors import SetupError
from chatbot.settings import Settings

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

logger = logging.getLogger(__name__)

Precision = Literal["auto", "float32", "bfloat16"]

SECONDS_PER_ANSWER = 2.0
"""A typical answer on two cores; only used for Retry-After."""


@dataclass
class _Job:
    request: GenerationRequest
    deadline: float
    loop: asyncio.AbstractEventLoop
    pieces: asyncio.Queue[str | BaseException | None] = field(default_factory=asyncio.Queue)
    cancelled: threading.Event = field(default_factory=threading.Event)

    def put(self, item: str | BaseException | None) -> None:
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.pieces.put_nowait, item)


class TransformersEngine:
    """Greedy by default; answers one request at a time, in order of arrival.

    ``max_waiting``: requests that may wait or run before ``stream`` raises EngineBusy.
    """

    name = "transformers"

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        model_version: str,
        max_waiting: int = 32,
    ) -> None:
        if max_waiting < 1:
            raise ValueError(f"max_waiting must be at least 1, got {max_waiting}")
        self.model_version = model_version
        self.max_waiting = max_waiting
        self._tokenizer = tokenizer
        self._stop_ids = _stop_ids(model, tokenizer)
        self._decoder: Decoder | None = Decoder(model, self._stop_ids)
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._waiting = 0
        self._lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="answer-engine", daemon=True)
        self._thread.start()

    @classmethod
    def from_settings(cls, settings: Settings) -> TransformersEngine:
        """Prepares the base model if needed, loads it, merges the adapter. Raises SetupError."""
        folder = prepare_base_model(settings)
        adapter = resolve_adapter(settings)
        model, tokenizer = load_model(folder, adapter, threads=settings.model_threads)
        version = f"{folder.name}@{base_digest(folder)}"
        if adapter is not None:
            version += f"+{adapter.name}@{check_adapter(adapter, folder).digest}"
        return cls(model, tokenizer, version, settings.engine_queue)

    def ensure_room(self) -> None:
        if self._closed or self._decoder is None:
            raise EngineFailed("the answer engine is closed")
        if self._waiting >= self.max_waiting:
            wait = max(1, round(self._waiting * SECONDS_PER_ANSWER))
            raise EngineBusy(
                f"{self._waiting} answers are waiting already; try again in {wait} s",
                retry_after_s=wait,
            )

    def stream(self, request: GenerationRequest) -> AsyncGenerator[str, None]:
        if not request.accepted or self._closed:
            self.ensure_room()
        job = _Job(request, time.monotonic() + request.deadline_s, asyncio.get_running_loop())
        with self._lock:
            self._waiting += 1
        self._jobs.put(job)
        return self._pieces(job)

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._jobs.put(None)
            await asyncio.to_thread(self._thread.join)
            self._decoder = None

    async def _pieces(self, job: _Job) -> AsyncGenerator[str, None]:
        try:
            while True:
                left = job.deadline - time.monotonic()
                try:
                    item = await asyncio.wait_for(job.pieces.get(), max(left, 0.001))
                except TimeoutError:
                    raise EngineFailed(
                        f"no complete answer within {job.request.deadline_s:g} s"
                    ) from None
                if item is None:
                    return
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            job.cancelled.set()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                if not self._closed and not job.cancelled.is_set():
                    self._answer(job)
                    job.put(None)
                else:
                    job.put(EngineFailed("the answer engine was closed"))
            except (NotFinite, RuntimeError, ValueError, MemoryError, IndexError) as error:
                logger.exception("the answer model failed")
                failed = EngineFailed(f"the answer model failed ({type(error).__name__})")
                failed.__cause__ = error
                job.put(failed)
            finally:
                with self._lock:
                    self._waiting -= 1

    def _answer(self, job: _Job) -> None:
        assert self._decoder is not None  # noqa: S101  set until the thread has ended
        request = job.request
        ids = encode(self._tokenizer, request.segments, request.prefix)
        written: list[int] = []
        sent = ""
        tokens = self._decoder.tokens(
            ids, request.max_new_tokens, request.temperature, request.seed
        )
        for token in tokens:
            if job.cancelled.is_set() or time.monotonic() > job.deadline:
                return
            written.append(token)
            text = self._text(written)
            # A character of several bytes may span tokens: U+FFFD stands for an unfinished one.
            if not text.endswith("\ufffd") and len(text) > len(sent):
                job.put(text[len(sent) :])
                sent = text

    def _text(self, ids: list[int]) -> str:
        return str(
            self._tokenizer.decode(
                ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
        )


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
