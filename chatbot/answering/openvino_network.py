"""What the decoding process loads: the merged model as OpenVINO's own files, made once.

    data_dir/models/merged/
        BASE-ADAPTER-fN-VERSION/openvino_model.xml, .bin, manifest.json (SHA-256 of each)

OpenVINO GenAI reads a GGUF file directly, but then unpacks its weights to float32 and keeps them
beside the packed ones: 900 MB for 135 million parameters. Written once with the weights marked as
compressed, they stay in the mapped file, and 390 MB do; loading takes half the time.

``python -m chatbot.answering.openvino_network GGUF FILE`` converts in a process of its own, which
gives its memory back.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from chatbot.answering.base_model import base_digest
from chatbot.answering.gguf_file import write_gguf
from chatbot.answering.merged import FORMAT, forget_old, merged_root, prepare_merged
from chatbot.answering.served import check_adapter
from chatbot.errors import SetupError
from knowledge_base.compiled_cache import find, publish
from knowledge_base.quiet import import_openvino

logger = logging.getLogger(__name__)

NETWORK = "openvino_model.xml"  # the name that OpenVINO GenAI looks for
CONVERT_S = 600.0
"""A conversion takes 6 s on two idle cores; one that takes so long hangs."""


def prepare_network(base: Path, adapter: Path | None, data_dir: Path) -> Path:
    """The folder to serve from. Seconds the first time, then only its hashes are checked; where
    it cannot be made, the GGUF file, which needs more memory. Safe for several processes.

    Raises NotMergeable and SetupError as ``prepare_merged`` does.
    """
    digest = check_adapter(adapter, base).digest if adapter is not None else "none"
    try:
        version = import_openvino().__version__.split("-")[0]
        with merged_root(data_dir) as root:
            target = root / f"{base_digest(base)}-{digest}-f{FORMAT}-{version}"
            if not find(target, NETWORK):
                publish(target, lambda path: _convert_apart(base, adapter, path), model=NETWORK)
            os.utime(target)  # used last
            forget_old(root)
        return target
    except (ImportError, subprocess.SubprocessError) as error:
        detail = getattr(error, "stderr", None) or str(error)
        logger.warning("the answer model is served from GGUF, with more memory: %s", detail[-500:])
        return prepare_merged(base, adapter, data_dir)


def _convert_apart(base: Path, adapter: Path | None, path: Path) -> None:
    with tempfile.TemporaryDirectory(dir=path.parents[1], prefix=".convert-") as folder:
        gguf = Path(folder) / "model.gguf"
        write_gguf(base, adapter, gguf, "f16")
        subprocess.run(  # noqa: S603  our own module, our own paths
            [sys.executable, "-m", "chatbot.answering.openvino_network", str(gguf), str(path)],
            cwd=Path(__file__).parents[2],
            check=True,
            capture_output=True,
            text=True,
            timeout=CONVERT_S,
        )


def convert(gguf: Path, path: Path) -> None:
    """Writes the network of ``gguf`` at ``path`` (and its ``.bin``); leaves files beside ``gguf``.

    Raises SetupError if OpenVINO GenAI does not write it out or holds it otherwise than expected.
    """
    openvino = import_openvino()
    import openvino_genai as genai

    scheduler = genai.SchedulerConfig()
    scheduler.num_kv_blocks = 1
    # OpenVINO GenAI writes the network that it has built from a GGUF file beside that file.
    genai.ContinuousBatchingPipeline(str(gguf), scheduler, "CPU", {"enable_save_ov_model": True})
    written = gguf.parent / NETWORK
    if not written.exists():
        raise SetupError(f"openvino-genai wrote no {NETWORK} for {gguf.name}")
    model = openvino.Core().read_model(written)
    if not unpack_weights(model):
        raise SetupError(f"the network of {gguf.name} holds no float16 weights")
    openvino.save_model(model, path, compress_to_fp16=True)


def unpack_weights(model: Any) -> int:
    """Puts float32 constants in the place of float16 ones and their conversions, which
    ``save_model`` then compresses again and marks so that the CPU plugin leaves them as they are.
    No value changes. How many there were."""
    from openvino import opset13

    count = 0
    for conversion in [op for op in model.get_ops() if op.get_type_name() == "Convert"]:
        packed = conversion.input_value(0).get_node()
        if packed.get_type_name() != "Constant":
            continue
        if packed.get_element_type().get_type_name() != "f16":
            continue
        weights = opset13.constant(packed.data.astype(np.float32))
        weights.set_friendly_name(packed.get_friendly_name())
        for target in list(conversion.output(0).get_target_inputs()):
            target.replace_source_output(weights.output(0))
        count += 1
    model.validate_nodes_and_infer_types()
    return count


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
