"""(d) The program that one would write first: chain, vector search, then Detoxify on the answer.

A LangChain chain of a prompt and a transformers pipeline (as HuggingFacePipeline wraps it), FAISS
over the articles' paragraphs, and ``Detoxify.predict`` on the whole answer before anything is
shown. Same weights, questions and articles as the product; one after another behind a lock,
because a pipeline cannot be shared.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import faiss
from detoxify import Detoxify
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda
from transformers import pipeline

from chatbot.answering.base_model import prepare_base_model
from chatbot.answering.served import resolve_adapter
from chatbot.answering.transformers_engine import load_model
from chatbot.safety.checkpoint import prepare_toxicity
from chatbot.settings import Settings
from knowledge_base.encoder import EncoderFiles, TransformerEncoder
from tests.bench.figures import spread

PROMPT = ChatPromptTemplate.from_messages(
    [
        ("system", "Answer the customer of {company} from these help passages.\n\n{passages}"),
        ("user", "{question}"),
    ]
)


class PlainProgram:
    """``new_tokens``: an answer's length, 64 being what people take, or the product's own."""

    def __init__(self, settings: Settings, new_tokens: int, passages: int = 4) -> None:
        base = prepare_base_model(settings)
        model, tokenizer = load_model(base, resolve_adapter(settings), precision="float32")
        self._write = pipeline("text-generation", model=model, tokenizer=tokenizer)
        self._detoxify = Detoxify(checkpoint=str(prepare_toxicity(settings)))
        self._encoder = TransformerEncoder(EncoderFiles(settings.encoder))
        self._texts = [
            paragraph
            for path in sorted((settings.company / "articles").glob("*.md"))
            for paragraph in path.read_text(encoding="utf-8").split("\n\n")
            if len(paragraph) > 60
        ]
        vectors = self._encoder.embed(self._texts)
        self._index = faiss.IndexFlatIP(vectors.shape[1])
        self._index.add(vectors)
        self._new_tokens, self._passages = new_tokens, passages
        self._lock = threading.Lock()
        self._chain = PROMPT | RunnableLambda(self._generate)

    def answer(self, question: str) -> str:
        """Nothing may be shown before the check, so this is the first text too."""
        with self._lock:
            vector = self._encoder.embed([question])
            _, (found,) = self._index.search(vector, self._passages)
            text = self._chain.invoke(
                {
                    "company": "Larkmoor",
                    "passages": "\n\n".join(self._texts[number] for number in found),
                    "question": question,
                }
            )
            scores = self._detoxify.predict(text or ".")
        return "" if scores["toxicity"] > 0.5 else str(text)

    def _generate(self, prompt: Any) -> str:
        roles = {"system": "system", "human": "user"}
        messages = [{"role": roles[m.type], "content": m.text} for m in prompt.to_messages()]
        (made,) = self._write(
            messages,
            max_new_tokens=self._new_tokens,
            min_new_tokens=self._new_tokens,
            do_sample=False,
            return_full_text=False,
        )
        return str(made["generated_text"])


def measure(
    settings: Settings, asked: list[str], customers: list[int], new_tokens: int
) -> dict[str, Any]:
    """Each customer waits for the answer before the next question."""
    program = PlainProgram(settings, new_tokens)
    program.answer(asked[0])
    found: dict[str, Any] = {"new_tokens": new_tokens}
    for count in customers:
        seconds: list[float] = []

        def turn(question: str, seconds: list[float] = seconds) -> None:
            started = time.perf_counter()
            program.answer(question)
            seconds.append(time.perf_counter() - started)

        started = time.perf_counter()
        with ThreadPoolExecutor(count) as pool:
            list(pool.map(turn, asked))
        found[f"customers_{count}"] = {
            "turns_per_s": round(len(asked) / (time.perf_counter() - started), 3),
            "first_text_s": spread(seconds),
        }
    return found
