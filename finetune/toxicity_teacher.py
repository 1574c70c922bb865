"""The opinion of a larger encoder, which the served model is taught by and never needs.

Small networks on the frozen states of all-mpnet-base-v2 know far better than a fine-tuned MiniLM
who is insulted, quoted or meant (measured on dev in docs/decisions/0181), and less well what
strangers call profane; the mean of both logits is better than either. A row's opinion comes from a
network that has not learnt it (cross-fitting), so that it tells more than the row's own label.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chatbot.safety.toxicity_weights import CLASSES
from finetune.toxicity_augment import COPY
from finetune.toxicity_data import Row, matrix
from finetune.toxicity_figures import Floats
from finetune.toxicity_model import Encoded
from knowledge_base.encoder import EncoderFiles
from knowledge_base.split_package import PREFIX, SplitEncoder

MADE = (COPY, "attitude_", "support_", "article")
"""Rows it is not asked about: made from others, or plainly harmless. Their labels are enough."""
TOKENS = 64  # what follows hardly moves the mean of the states, and costs most of the time
BATCH_TOKENS = 2048
PAGE = 600  # rows between two writes of the cache
FOLDS = 4
HIDDEN = 256
EPOCHS = 10
STEP_ROWS = 256
LEARNING_RATE = 2e-3
SPREAD = 10.0  # norm of a standardised input; with that, the learning rate suits any width
HEAVIEST = 6.0  # of a row; a few rows of a high weight would else decide a step


def teacher_files(setting: str) -> EncoderFiles:
    """Tokenizer and model of ``parts:NAME`` or of any other encoder setting."""
    return SplitEncoder(setting) if setting.startswith(PREFIX) else EncoderFiles(setting)


def opinions(path: Path, setting: str, rows: Sequence[Row], seed: int) -> Floats:
    """Logits (rows, 6) of the teacher; ``path`` caches the encoder's states by text.

    Raises EncoderNotFound, with the command that installs it, where the encoder is missing.
    """
    return cross_fit(states(path, teacher_files(setting), [row.text for row in rows]), rows, seed)


def states(path: Path, files: EncoderFiles, texts: Sequence[str]) -> NDArray[np.float16]:
    """Mean token states (texts, 3 * width) of layers at 2/3, 5/6 and the end of the depth.

    Words are read by the layers in the middle, sentences by the last; each alone is worse.
    """
    known = _cached(path)
    todo = [text for text in dict.fromkeys(texts) if _key(text) not in known]
    if todo:
        import torch
        from tqdm import tqdm  # type: ignore[import-untyped]

        model: Any = files.model()
        model.to(torch.bfloat16)
        tokenizer = files.tokenizer()
        depth = int(model.config.num_hidden_layers)
        layers = (depth * 2 // 3, depth * 5 // 6, depth)
        with tqdm(total=len(todo), desc="teacher", unit="row") as bar:
            for start in range(0, len(todo), PAGE):
                page = todo[start : start + PAGE]
                known |= zip(map(_key, page), _page(model, tokenizer, layers, page), strict=True)
                _write(path, known)
                bar.update(len(page))
    return np.stack([known[_key(text)] for text in texts])


def cross_fit(inputs: NDArray[np.float16], rows: Sequence[Row], seed: int) -> Floats:
    """Logits (rows, 6): of a training row by the network that has not seen it, else the mean."""
    train = np.array([row.split == "train" for row in rows])
    fold = np.array([int(_key(row.text)[:4], 16) % FOLDS for row in rows])
    scale = inputs[train].std(0, dtype=np.float32) + 1e-6
    centred = (inputs - inputs[train].mean(0, dtype=np.float32)) / scale
    centred = (centred * SPREAD / np.sqrt(inputs.shape[1])).astype(np.float32)
    made = np.zeros((len(rows), len(CLASSES)), dtype=np.float32)
    for left_out in range(FOLDS):
        logits = _fit(centred, rows, train & (fold != left_out), seed + left_out)
        made[~train] += logits[~train] / FOLDS
        mine = train & (fold == left_out)
        made[mine] = logits[mine]
    return made


def _fit(inputs: Floats, rows: Sequence[Row], learn: NDArray[np.bool_], seed: int) -> Floats:
    """Logits of all rows by a network with one hidden layer, taught by the rows to ``learn``."""
    import torch

    torch.manual_seed(seed)
    values, weights = matrix(rows)
    matters = ~np.isnan(values) * np.minimum(weights, HEAVIEST)[:, None]
    matters = matters / np.maximum(matters[learn].mean(0), 1e-6)
    wanted, importance = torch.tensor(np.nan_to_num(values)), torch.tensor(matters).float()
    states_ = torch.tensor(inputs)
    network = torch.nn.Sequential(
        torch.nn.Dropout(0.15),
        torch.nn.Linear(inputs.shape[1], HIDDEN),
        torch.nn.GELU(),
        torch.nn.Dropout(0.3),
        torch.nn.Linear(HIDDEN, len(CLASSES)),
    )
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=1e-3)
    places = np.flatnonzero(learn)
    steps = EPOCHS * -(-len(places) // STEP_ROWS)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: max(0.02, 1 - s / steps))
    order = np.random.default_rng(seed)
    for _ in range(EPOCHS):
        shuffled = order.permutation(places)
        for start in range(0, len(shuffled), STEP_ROWS):
            batch = torch.tensor(shuffled[start : start + STEP_ROWS])
            losses = torch.nn.functional.binary_cross_entropy_with_logits(
                network(states_[batch]), wanted[batch], reduction="none"
            )
            optimizer.zero_grad()
            (losses * importance[batch]).mean().backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    network.eval()
    with torch.inference_mode():
        logits: Floats = network(states_).numpy()
    return logits


def _page(
    model: Any, tokenizer: Any, layers: Sequence[int], texts: Sequence[str]
) -> NDArray[np.float16]:
    import torch

    encoded = Encoded(tokenizer, texts, TOKENS)
    out = np.zeros((len(texts), len(layers) * model.config.hidden_size), dtype=np.float16)
    with torch.inference_mode():
        for batch in encoded.batches(BATCH_TOKENS):
            ids, mask = encoded.tensors(batch)
            found = model(input_ids=ids, attention_mask=mask, output_hidden_states=True)
            keep = mask[:, :, None].float()
            means = [(found.hidden_states[i].float() * keep).sum(1) / keep.sum(1) for i in layers]
            out[batch] = torch.cat(means, 1).numpy()
    return out


def _key(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:24]


def _cached(path: Path) -> dict[str, NDArray[np.float16]]:
    if not path.exists():
        return {}
    with np.load(path) as file:
        return dict(zip(map(str, file["keys"]), file["states"], strict=True))


def _write(path: Path, known: dict[str, NDArray[np.float16]]) -> None:
    partial = path.with_name(f"{path.stem}.partial.npz")
    np.savez(partial, keys=np.array(list(known)), states=np.stack(list(known.values())))
    partial.replace(path)
