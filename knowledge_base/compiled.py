"""Encoder networks compiled with OpenVINO, or run with PyTorch where that cannot be had.

A network is described by a ``Recipe``. The first start builds it in PyTorch, converts it,
compares both, and keeps the result in the data directory; later starts read it from there
without loading torch. bfloat16 is used where the processor has it.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from knowledge_base.batching import Floats, Forward, Ids
from knowledge_base.compiled_cache import MODEL, find, publish, texts_of
from knowledge_base.mapped import forget_pages
from knowledge_base.quiet import import_openvino, quiet_libraries, torch_lock
from knowledge_base.shared_tables import share_tables

if TYPE_CHECKING:
    from torch import nn

log = logging.getLogger(__name__)

FORMAT = 1  # of what is converted; a change makes old files unused
TOLERANCE = 0.05  # of an output's largest value; bfloat16 stays below 0.02, a lost mask does not
SHAPES_KEPT = "300"  # kernels per network, 0.4 MB per shape; without a limit memory grows
WARM_WIDTHS = (16, 32)  # the first pass of a shape takes 2 ms more, the very first 20 ms


class NotConverted(RuntimeError):
    """The converted network does not answer like the one that it was made from."""


@dataclass(frozen=True)
class Recipe:
    """What makes a network."""

    name: str
    """Shown in /readyz and the log: 'embeddings', 'router', …"""
    inputs: Mapping[str, str]
    """Digests of all weights that go in, and every setting that changes the result."""
    build: Callable[[], nn.Module]
    """Called only where nothing is cached. Its errors are the caller's: weights are damaged."""
    extras: Callable[[], Mapping[str, str]] = dict
    """Called after ``build``: texts by file name that are kept with the network."""

    def key(self, version: str) -> str:
        content = {"format": FORMAT, "openvino": version, "name": self.name, **self.inputs}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Status:
    """How a network runs in this process."""

    engine: str
    """'openvino bf16', 'openvino f32' or 'torch f32'."""
    problem: str | None = None
    """Why it is not compiled although it was to be."""
    version: str = ""
    """OpenVINO's, where it runs the network."""


_statuses: dict[str, Status] = {}
_core_lock = Lock()
_core: list[Any] = []


def encoder_status() -> dict[str, Status]:
    """By name, of every network that this process has loaded."""
    return dict(_statuses)


def readiness() -> dict[str, Any]:
    """The encoder's part of /readyz: slower with PyTorch, but never unready."""
    problems = {name: status.problem for name, status in _statuses.items() if status.problem}
    return {
        "ok": True,
        "networks": {name: status.engine for name, status in _statuses.items()},
        "problem": "; ".join(f"{name}: {problem}" for name, problem in problems.items()) or None,
    }


@dataclass(frozen=True)
class Network:
    """What ``load`` gives: how to run it, and its recipe's extras."""

    forward: Forward
    extras: Mapping[str, str]


def load(recipe: Recipe, cache: Path | None) -> Network:
    """The network, compiled where ``cache`` is a folder, else with PyTorch.

    A missing or failing OpenVINO is logged and shown by ``encoder_status``; PyTorch then runs.
    """
    if cache is None:
        _statuses[recipe.name] = Status("torch f32")
        return _torch(recipe)
    try:
        openvino = import_openvino()
    except ImportError as error:
        problem = f"openvino cannot be imported ({error}); run: pip install openvino"
        return _fallback(recipe, problem)
    folder = cache / f"{recipe.name}-{recipe.key(openvino.__version__)}"
    module: nn.Module | None = None
    if not find(folder):
        with torch_lock:
            module = recipe.build()  # outside of what is caught: damaged weights must be told
    try:
        if module is not None:
            _convert(openvino, module, folder, recipe.extras())
        forward = compiled_forward(openvino, folder / MODEL)
        forget_pages((folder / MODEL).with_suffix(".bin"))
    except (RuntimeError, OSError, ValueError, TypeError) as error:
        what = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        return _fallback(recipe, f"OpenVINO failed ({what})", module)
    engine = f"openvino {forward.precision}"
    _statuses[recipe.name] = Status(engine, version=openvino.__version__)
    return Network(forward, texts_of(folder))


class CompiledForward:
    """A network as OpenVINO runs it. ``precision`` is 'bf16' or 'f32'."""

    def __init__(self, openvino: Any, path: Path, precision: str) -> None:
        core = _shared_core(openvino)
        self.precision = precision
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": self.precision,
            # The answer model's threads want the same cores.
            "ENABLE_CPU_PINNING": False,
            "CPU_RUNTIME_CACHE_CAPACITY": SHAPES_KEPT,
        }
        model = core.read_model(path)
        share_tables(model, path.with_suffix(".bin"))
        compiled = core.compile_model(model, "CPU", settings)
        self._request = compiled.create_infer_request()
        self._names = {name for port in compiled.inputs for name in port.names}

    def run(self, ids: Ids, mask: Ids, types: Ids) -> list[Floats]:
        given = {"ids": ids, "mask": mask, "types": types}
        feed = {name: array for name, array in given.items() if name in self._names}
        outputs = self._request.infer(feed, share_inputs=True)
        return [np.asarray(value) for value in outputs.values()]

    def warm(self) -> None:
        for width in WARM_WIDTHS:
            ones = np.ones((1, width), dtype=np.int64)
            self.run(ones, ones, np.zeros_like(ones))


def compiled_forward(openvino: Any, path: Path) -> CompiledForward:
    """A network that has run once, in bf16 where the processor has it. Where that does not work
    (a virtual machine may promise what it hides from the kernels) in f32. Raises RuntimeError."""
    if "BF16" in _shared_core(openvino).get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        try:
            forward = CompiledForward(openvino, path, "bf16")
            forward.warm()
        except RuntimeError as error:
            what = str(error).strip().splitlines()[:1]
            log.warning("%s computes in float32, which is slower: %s", path.parent.name, what)
        else:
            return forward
    forward = CompiledForward(openvino, path, "f32")
    forward.warm()
    return forward


def _shared_core(openvino: Any) -> Any:
    with _core_lock:
        if not _core:
            _core.append(openvino.Core())
        return _core[0]


def _torch(recipe: Recipe, module: nn.Module | None = None) -> Network:
    with torch_lock:
        from knowledge_base.torch_forward import TorchForward

        return Network(TorchForward(module or recipe.build()), recipe.extras())


def _fallback(recipe: Recipe, problem: str, module: nn.Module | None = None) -> Network:
    log.warning("%s runs with PyTorch, which is slower: %s", recipe.name, problem)
    _statuses[recipe.name] = Status("torch f32", problem)
    return _torch(recipe, module)


def _convert(openvino: Any, module: nn.Module, folder: Path, extras: Mapping[str, str]) -> None:
    """Writes the converted network after it has answered like ``module``."""
    import warnings

    import torch
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    from knowledge_base.torch_forward import TorchForward, example

    quiet_libraries()
    names = ("ids", "mask", "types")
    inputs = {
        name: torch.from_numpy(array) for name, array in zip(names, example(7, 4), strict=True)
    }
    # Not openvino.convert_model: it reports to a statistics service.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing warns of each Python condition in transformers
        decoder = TorchScriptPythonDecoder(module.eval(), example_input=inputs)
        frontend = FrontEndManager().load_by_framework("pytorch")
        model = frontend.convert(frontend.load(decoder))

    def write(path: Path) -> None:
        openvino.save_model(model, path, compress_to_fp16=True)
        # Other rows than those that were traced, of unequal length: a shape, a value or a mask
        # that became a constant shows.
        rows = example(5, 12, 9)
        _compare(TorchForward(module).run(*rows), compiled_forward(openvino, path).run(*rows))

    publish(folder, write, extras)


def _compare(reference: Sequence[Floats], compiled: Sequence[Floats]) -> None:
    if len(reference) != len(compiled):
        raise NotConverted(f"{len(compiled)} outputs instead of {len(reference)}")
    for wanted, found in zip(reference, compiled, strict=True):
        off = float(np.abs(wanted - found).max()) if wanted.shape == found.shape else np.inf
        if not off <= TOLERANCE * float(np.abs(wanted).max()):
            raise NotConverted(
                f"an output of shape {wanted.shape} differs by {off:.3g} from PyTorch's"
            )
