"""Results of the texts that were asked for last.

Only for what depends on nothing but the text, such as a network's answer: it can never be stale
while the weights that computed it are the ones in memory.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class Recent(Generic[T]):
    """``compute`` gives one result a text; it is called for those that are not remembered.

    Safe for several threads. ``size`` is how many texts are remembered.
    """

    def __init__(self, size: int, compute: Callable[[Sequence[str]], Sequence[T]]) -> None:
        self._size, self._compute = size, compute
        self._known: OrderedDict[str, T] = OrderedDict()
        self._lock = Lock()

    def of(self, texts: Sequence[str]) -> list[T]:
        """In the order of ``texts``; raises what ``compute`` raises, and then keeps nothing."""
        with self._lock:
            found = {text: self._known[text] for text in texts if text in self._known}
        missing = [text for text in dict.fromkeys(texts) if text not in found]
        if missing:
            found.update(zip(missing, self._compute(missing), strict=True))
        with self._lock:
            for text in texts:
                self._known[text] = found[text]
                self._known.move_to_end(text)
            while len(self._known) > self._size:
                self._known.popitem(last=False)
        return [found[text] for text in texts]
