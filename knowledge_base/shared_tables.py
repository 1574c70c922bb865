"""One table of word vectors in memory for all networks that have the same.

Adapters leave an encoder's word embeddings as they are, so each network's file holds the same
table, and each mapped it for itself: about 13 MB of its 23 MB were resident in each of six
networks. A network that comes later is given the first one's.
"""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from knowledge_base.mapped import forget_pages

TABLE_BYTES = 4_000_000
"""Smaller constants are not worth a look; MiniLM's layers have none of this size."""

_tables: list[tuple[Any, Path]] = []
"""Constants whose memory is shared, with the files that they are mapped from and hold open."""
_lock = Lock()


def share_tables(model: Any, file: Path) -> int:
    """Puts known tables in the place of equal ones of an ``openvino.Model`` that is not compiled
    yet; ``file`` holds its weights. How many; no value changes. Safe for several threads."""
    shared = 0
    with _lock:
        for constant in [op for op in model.get_ops() if _is_table(op)]:
            known = next((table for table, _ in _tables if _equal(table, constant)), None)
            if known is None:
                _tables.append((constant, file))
                continue
            twin = _sharing(known)
            twin.set_friendly_name(constant.get_friendly_name())
            for target in list(constant.output(0).get_target_inputs()):
                target.replace_source_output(twin.output(0))
            shared += 1
        if shared:
            model.validate_nodes_and_infer_types()
            for _, compared in _tables:
                forget_pages(compared)
    return shared


def _sharing(constant: Any) -> Any:
    from openvino import op

    return op.Constant(constant.get_tensor_view())


def _is_table(node: Any) -> bool:
    """Two-dimensional, float16, large, and only looked up: other weights are packed anyway."""
    if node.get_type_name() != "Constant" or len(node.get_output_shape(0)) != 2:
        return False
    if node.get_element_type().get_type_name() != "f16" or node.get_byte_size() < TABLE_BYTES:
        return False
    return all(_looked_up(target.get_node()) for target in node.output(0).get_target_inputs())


def _looked_up(node: Any) -> bool:
    if node.get_type_name() == "Convert":
        return all(_looked_up(target.get_node()) for target in node.output(0).get_target_inputs())
    return bool(node.get_type_name() == "Gather")


def _equal(one: Any, other: Any) -> bool:
    if list(one.get_output_shape(0)) != list(other.get_output_shape(0)):
        return False
    return np.array_equal(one.data.view(np.uint16), other.data.view(np.uint16))
