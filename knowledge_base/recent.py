"""Results of the texts that were asked for last.

Only for what depends on nothing but the text, such as a network's answer: it can never be stale
while the weights that computed it are the ones in memory.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from threading import Event, Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class Recent(Generic[T]):
    """``compute`` gives one result a text; it is called for those that are not remembered.

    Safe for several threads: a text that one of them computes is not computed by another, who
    waits for it. ``size`` is how many texts are remembered.
    """

    def __init__(self, size: int, compute: Callable[[Sequence[str]], Sequence[T]]) -> None:
        self._size, self._compute = size, compute
        self._known: OrderedDict[str, T] = OrderedDict()
        self._begun: dict[str, Event] = {}
        self._lock = Lock()

    def of(self, texts: Sequence[str]) -> list[T]:
        """In the order of ``texts``; raises what ``compute`` raises, and then keeps nothing."""
        found: dict[str, T] = {}
        wanted = list(dict.fromkeys(texts))
        while wanted:
            finished = Event()
            with self._lock:
                found.update((text, self._known[text]) for text in wanted if text in self._known)
                missing = [text for text in wanted if text not in found]
                others = [self._begun[text] for text in missing if text in self._begun]
                own = [text for text in missing if text not in self._begun]
                self._begun.update(dict.fromkeys(own, finished))
            if own:
                found.update(self._computed(own, finished))
            for other in others:
                other.wait()
            # What another thread failed to compute, or has pushed out since, is computed here.
            wanted = [text for text in wanted if text not in found]
        with self._lock:
            self._keep({text: found[text] for text in texts})
        return [found[text] for text in texts]

    def _computed(self, texts: Sequence[str], finished: Event) -> dict[str, T]:
        try:
            results = dict(zip(texts, self._compute(texts), strict=True))
            with self._lock:
                self._keep(results)
            return results
        finally:
            with self._lock:
                for text in texts:
                    del self._begun[text]
            finished.set()

    def _keep(self, results: Mapping[str, T]) -> None:
        for text, result in results.items():
            self._known[text] = result
            self._known.move_to_end(text)
        while len(self._known) > self._size:
            self._known.popitem(last=False)

    def known(self, texts: Sequence[str]) -> dict[str, T]:
        """Those of ``texts`` that are remembered, with their results."""
        with self._lock:
            return {text: self._known[text] for text in texts if text in self._known}

    def remember(self, results: Mapping[str, T]) -> None:
        """Results that were computed elsewhere take the place of what is remembered."""
        with self._lock:
            self._keep(results)
