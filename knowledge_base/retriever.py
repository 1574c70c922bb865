"""Search: dense and lexical candidates, fused, filtered, folded, with a relevance floor.

With a reranker, the first candidates are judged once more, each together with the question.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Sequence
from datetime import date
from itertools import chain
from threading import Lock

from knowledge_base.article import PUBLIC, Article
from knowledge_base.curated import CuratedAnswer
from knowledge_base.curated_match import match_curated
from knowledge_base.encoder import TextEncoder
from knowledge_base.errors import EncoderMismatch
from knowledge_base.interleaving import best_of, interleaved, leading
from knowledge_base.passage import Passage
from knowledge_base.query import joined_pair, parts
from knowledge_base.ranking import Ranked, distinct, passage_of, rank, reranked
from knowledge_base.reranker import Reranker
from knowledge_base.snapshot import Snapshot
from knowledge_base.spelling import Speller
from knowledge_base.store import SnapshotStore

ANOTHER_MATTER = 0.7
"""Log odds, see decision 0165: MRR of follow-ups, of questions that begin another matter, and of
those about one of many hotels 0.87, 0.74 and 0.94; by the question's words 0.88, 0.70 and 0.82."""
REMEMBERED = 128  # rankings: a turn asks twice where nothing is above the floor, customers alike


class Retriever:
    """Thread-safe and synchronous; call it in a thread from async code."""

    def __init__(
        self,
        store: SnapshotStore,
        encoder: TextEncoder,
        snapshot: str | None = None,
        reranker: Reranker | None = None,
        today: Callable[[], date] = date.today,
    ) -> None:
        """``snapshot`` pins one by name; the default follows the pointer. ``today`` is the day on
        which articles are judged that no other day is given for.

        With ``reranker``, order, scores and floor are its own (``reranked``).
        """
        self._pinned = store.load(snapshot) if snapshot else None
        self.store = store
        self.encoder = encoder
        self.reranker = reranker
        self.today = today
        self._speller: tuple[str, Speller] | None = None
        self._ranked: OrderedDict[Hashable, Ranked] = OrderedDict()
        self._lock, self._spelling_lock = Lock(), Lock()

    def search(
        self,
        query: str,
        k: int = 4,
        *,
        audiences: Collection[str] = (PUBLIC,),
        on: date | None = None,
        floor: bool = True,
        locale: str | None = None,
    ) -> list[Passage]:
        """The ``k`` most relevant passages, best first; fewer or none when ``floor`` says so.

        Internal (unless asked for), not yet valid, expired and superseded articles are left
        out, judged on the day ``on`` (default: today). Near-duplicates are folded. ``locale``
        prefers articles of that language (``knowledge_base.locales``).
        Raises NoSnapshot, SnapshotDamaged, EncoderMismatch, ValueError for k < 1.
        """
        if k < 1:
            raise ValueError(f"k is {k}; at least 1 passage must be asked for")
        return self._found(self.snapshot(), query, k, audiences, on, floor, locale)

    def _found(
        self,
        snapshot: Snapshot,
        query: str,
        k: int,
        audiences: Collection[str],
        on: date | None,
        floor: bool,
        locale: str | None,
    ) -> list[Passage]:
        if not query.strip():
            return []
        ranked = self.rank(snapshot, query, audiences=audiences, on=on, locale=locale)
        least = self.reranker.floor if self.reranker else snapshot.calibration.floor
        passages: list[Passage] = []
        for place in distinct(snapshot, ranked):
            score = float(ranked.relevance[place])
            if floor and score < least:
                continue
            row = int(ranked.rows[place])
            passages.append(passage_of(snapshot, row, score, ranked.units.get(row, ())))
            if len(passages) == k:
                break
        return passages

    def search_all(
        self,
        queries: Sequence[str],
        k: int = 4,
        *,
        audiences: Collection[str] = (PUBLIC,),
        on: date | None = None,
        floor: bool = True,
        locale: str | None = None,
    ) -> list[Passage]:
        """``search`` for each of ``query.search_queries``, interleaved, each passage once, with
        the best score that any of the queries gives it and its units. Where the queries are a
        message and the questions in it, what answers each of these best is marked (``leads``)."""
        if k < 1:
            raise ValueError(f"k is {k}; at least 1 passage must be asked for")
        snapshot = self.snapshot()  # one for all: the next may cut its chunks otherwise
        if len(queries) > 1:
            self._read_together(snapshot, queries)
        ordered = self._in_order(snapshot, queries, audiences, on, locale)
        found = [self._found(snapshot, query, k, audiences, on, floor, locale) for query in ordered]
        kept = interleaved(found, k, key=lambda passage: passage.chunk)
        if len(found) == 1:
            return kept
        same: dict[str, list[Passage]] = {}
        for passage in chain.from_iterable(found):
            same.setdefault(passage.chunk, []).append(passage)
        best = [best_of(same[passage.chunk]) for passage in kept]
        several = tuple(queries[1:]) == parts(queries[0])
        return leading(best, found[1:]) if several else best

    def curated(
        self,
        query: str,
        *,
        audiences: Collection[str] = (PUBLIC,),
        on: date | None = None,
        locale: str | None = None,
    ) -> tuple[CuratedAnswer, Passage | None] | None:
        """The answer that staff wrote for this very question, with the first passage of the
        article that it names; None where no curated question is surely meant."""
        snapshot = self.snapshot()
        if not snapshot.curated.answers or not query.strip():
            return None
        match = match_curated(
            snapshot,
            query,
            self.encoder.embed([query])[0],
            audiences=audiences,
            on=on or self.today(),
            locale=locale,
        )
        if match is None:
            return None
        places = (n for n, one in enumerate(snapshot.chunks) if one.article == match.answer.article)
        first = next(places, None)
        cited = None if first is None else passage_of(snapshot, first, match.score, ())
        return match.answer, cited

    def rank_articles(
        self,
        queries: Sequence[str],
        k: int = 10,
        *,
        audiences: Collection[str] = (PUBLIC,),
        on: date | None = None,
    ) -> list[str]:
        """Ids of the ``k`` best articles by their best passage, without floor or folding; of
        several queries interleaved."""
        snapshot = self.snapshot()
        found = []
        for query in self._in_order(snapshot, queries, audiences, on, None):
            ranked = self.rank(snapshot, query, audiences=audiences, on=on)
            ids = dict.fromkeys(snapshot.chunks[row].article for row in ranked.rows.tolist())
            found.append(list(ids)[:k])
        return interleaved(found, k, key=str)

    def in_order(
        self,
        queries: Sequence[str],
        *,
        audiences: Collection[str] = (PUBLIC,),
        on: date | None = None,
        locale: str | None = None,
    ) -> Sequence[str]:
        """A question joined with the turn before it goes before the question as it stands, unless
        that one finds an article that stands out clearly more: then it begins another matter.

        Where help articles differ in what the turn before named (one answer for each hotel), the
        question alone fits many of them alike.
        """
        return self._in_order(self.snapshot(), queries, audiences, on, locale)

    def _in_order(
        self,
        snapshot: Snapshot,
        queries: Sequence[str],
        audiences: Collection[str],
        on: date | None,
        locale: str | None,
    ) -> Sequence[str]:
        pair = joined_pair(queries)
        if pair is None:
            return queries
        joined, alone = (
            self.rank(snapshot, queries[place], audiences=audiences, on=on, locale=locale)
            for place in pair
        )
        leaning = joined.stands_out > alone.stands_out - ANOTHER_MATTER
        ordered = list(queries)
        for place, wanted in zip(sorted(pair), pair if leaning else reversed(pair), strict=True):
            ordered[place] = queries[wanted]
        return ordered

    def snapshot(self) -> Snapshot:
        """The serving snapshot. Raises EncoderMismatch when another encoder built it."""
        snapshot = self._pinned or self.store.current()
        if snapshot.encoder != self.encoder.name:
            raise EncoderMismatch(
                f"snapshot {snapshot.name} was built with encoder {snapshot.encoder!r}, but "
                f"{self.encoder.name!r} is set; run sync again or set CHATBOT_ENCODER back"
            )
        return snapshot

    def rank(
        self,
        snapshot: Snapshot,
        query: str,
        *,
        audiences: Collection[str] = (PUBLIC,),
        on: date | None = None,
        locale: str | None = None,
    ) -> Ranked:
        """All candidates, best first, with the evidence for each.

        Remembered: a snapshot never changes, and its name and the day are part of the key.
        """
        on = on or self.today()
        key = (snapshot.name, query, frozenset(audiences), on, locale)
        with self._lock:
            if key in self._ranked:
                self._ranked.move_to_end(key)
                return self._ranked[key]
        speller = self._spelling(snapshot)
        completed = speller.completed(query)
        allowed = snapshot.allowed(audiences, on, locale)
        ranked = rank(snapshot, completed, self.encoder.embed([completed])[0], allowed)
        if self.reranker is not None:
            ranked = reranked(snapshot, speller.corrected(query), ranked, self.reranker)
        with self._lock:
            self._ranked[key] = ranked
            if len(self._ranked) > REMEMBERED:
                self._ranked.popitem(last=False)
        return ranked

    def _read_together(self, snapshot: Snapshot, queries: Sequence[str]) -> None:
        """One pass of each network for all of them: short texts cost hardly more than one."""
        speller = self._spelling(snapshot)
        self.encoder.embed([speller.completed(query) for query in queries])
        if self.reranker is not None:
            self.reranker.read([speller.corrected(query) for query in queries])

    def ready(self) -> Snapshot:
        """The serving snapshot, loaded with all that its first search would wait for."""
        snapshot = self.snapshot()
        self._spelling(snapshot)
        return snapshot

    def _spelling(self, snapshot: Snapshot) -> Speller:
        known = self._speller
        if known is not None and known[0] == snapshot.name:
            return known[1]
        with self._spelling_lock:  # once, however many customers come first after a swap
            known = self._speller
            if known is not None and known[0] == snapshot.name:
                return known[1]
            titles = [article.title for article in snapshot.articles.values()]
            texts = [f"{chunk.heading} {chunk.text}" for chunk in snapshot.chunks]
            words = getattr(self.encoder, "vocabulary", ())  # other encoders may have none
            known = self._speller = (snapshot.name, Speller([*titles, *texts], words))
        return known[1]

    def article(self, identity: str, version: str) -> Article | None:
        """An article version that serves or ever served, or None."""
        current = self.store.current().articles.get(identity)
        if current is not None and current.version == version:
            return current
        return self.store.version(identity, version)
