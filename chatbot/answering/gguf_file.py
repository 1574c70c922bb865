"""A base and its adapter as one GGUF file, which OpenVINO, llama.cpp and Ollama read.

The merged matrices are quantised by the ``gguf`` package and go to disk one by one, so writing
needs the memory of one matrix. Norms and biases stay in float32.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from chatbot.answering.gguf_metadata import Described, add_metadata, describe
from chatbot.answering.merging import Matrix, NotMergeable, merged_weights, weight_shapes

Precision = Literal["f32", "f16", "q8_0", "q4_1"]

_FILE_TYPES = {"f32": "ALL_F32", "f16": "MOSTLY_F16", "q8_0": "MOSTLY_Q8_0", "q4_1": "MOSTLY_Q4_1"}


def write_gguf(base: Path, adapter: Path | None, target: Path, precision: Precision) -> None:
    """Writes ``target``, whole or not at all. ``base`` is a transformers folder.

    Raises NotMergeable if base or adapter is of a kind that is not written, OSError on a full
    disk.
    """
    import gguf

    model = describe(base)
    shapes = weight_shapes(base)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    os.close(handle)
    temporary = Path(name)
    writer = gguf.GGUFWriter(None, model.architecture)
    try:
        add_metadata(writer, model, base.name)
        writer.add_file_type(gguf.LlamaFileType[_FILE_TYPES[precision]])
        writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
        labels = _labels(model, shapes)
        for label, source in labels.items():
            _announce(writer, label, shapes[source], tensor_kind(label, shapes[source], precision))
        writer.write_header_to_file(temporary)
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        sources = {source: label for label, source in labels.items()}
        for source, matrix in merged_weights(base, adapter):
            if source in sources:
                label = sources[source]
                kind = tensor_kind(label, shapes[source], precision)
                writer.write_tensor_data(gguf.quantize(_laid_out(model, label, matrix), kind))
        writer.close()
        temporary.chmod(0o644)
        temporary.replace(target)
    finally:
        writer.close()
        temporary.unlink(missing_ok=True)


def _labels(model: Described, shapes: dict[str, tuple[int, ...]]) -> dict[str, str]:
    """GGUF's name of each tensor -> transformers' name, in the order of ``merged_weights``."""
    import gguf

    architecture = next(a for a, n in gguf.MODEL_ARCH_NAMES.items() if n == model.architecture)
    names = gguf.get_tensor_name_map(architecture, model.layers)
    labels = {}
    for source in sorted(shapes):
        if source == "lm_head.weight" and model.config.get("tie_word_embeddings"):
            continue  # the embedding again; readers take that one
        label = names.get_name(source, try_suffixes=(".weight", ".bias"))
        if label is None:
            raise NotMergeable(f"{model.folder.name}: GGUF has no place for {source}")
        labels[label] = source
    return labels


def tensor_kind(label: str, shape: tuple[int, ...], precision: Precision) -> Any:
    """As what (gguf's GGMLQuantizationType) GGUF's tensor ``label`` is stored."""
    import gguf

    if len(shape) == 1:
        return gguf.GGMLQuantizationType.F32
    block, _ = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType.Q8_0]
    if precision.startswith("q") and shape[-1] % block:
        return gguf.GGMLQuantizationType.F16
    if precision == "q4_1" and label.startswith(("token_embd", "output.")):
        return gguf.GGMLQuantizationType.Q8_0  # 4 bits cost most here: it writes every word
    return gguf.GGMLQuantizationType[precision.upper()]


def _announce(writer: Any, label: str, shape: tuple[int, ...], kind: Any) -> None:
    import gguf

    block, size = gguf.GGML_QUANT_SIZES[kind]
    stored = (*shape[:-1], shape[-1] // block * size) if block > 1 else shape
    types = {"F32": np.float32, "F16": np.float16}
    dtype = np.dtype(types.get(kind.name, np.uint8))
    total = int(np.prod(stored)) * dtype.itemsize
    writer.add_tensor_info(label, stored, dtype, total, kind)


def _laid_out(model: Described, label: str, matrix: Matrix) -> NDArray[Any]:
    """Query and key rows of llama models go from half-and-half to interleaved rotation."""
    rotated = {"attn_q": model.heads, "attn_k": model.key_heads}
    heads = rotated.get(label.split(".")[-2]) if model.architecture == "llama" else None
    if heads is None:
        return matrix
    parts = matrix.reshape(heads, 2, matrix.shape[0] // heads // 2, *matrix.shape[1:])
    return parts.swapaxes(1, 2).reshape(matrix.shape)
