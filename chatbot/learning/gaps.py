"""Frequent questions without an article: what was abstained from, in groups with examples.

Questions are grouped by the encoder's vectors (average linkage on cosine distance), so that
different words for one wish count together. PII is replaced before anything is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import and_, select

from chatbot.conversations.office import Office
from chatbot.conversations.repository import Conversations
from chatbot.learning.examples import Replacer
from chatbot.settings import Settings
from chatbot.storage.moments import iso
from chatbot.storage.tables import Conversation, Message, ReviewItem, Turn

Embed = Callable[[list[str]], NDArray[np.float32]]
"""Texts -> unit vectors, one row each."""

MAX_QUESTIONS = 2000  # the newest; linkage needs all pairs of them
SAME_WISH = 0.54
"""Largest mean cosine distance within a group: best F0.5 of "same article" pairs on the sample
company's training questions (0.24; 0.40 on dev). An article answers several wishes, so many such
pairs are rightly apart."""
EXAMPLES = 5
ABSTAINED = "abstain"  # id of the text that says so
NO_ARTICLE = "nothing_retrieved"


async def find_gaps(
    office: Office, embed: Embed, days: float = 30.0, limit: int = 20
) -> dict[str, Any]:
    """``{"questions": n, "gaps": [{size, title, examples, first_at, last_at}]}``, biggest first."""
    asked = await _unanswered(office, days)
    texts = [text for text, _ in asked]
    groups = group(texts, embed) if texts else []
    gaps = []
    for members, middle in groups[:limit]:
        times = [asked[n][1] for n in members]
        shown = dict.fromkeys([texts[middle], *(texts[n] for n in members)])
        gaps.append(
            {
                "size": len(members),
                "title": texts[middle],
                "examples": list(shown)[:EXAMPLES],
                "first_at": iso(min(times)),
                "last_at": iso(max(times)),
            }
        )
    return {"questions": len(texts), "gaps": gaps}


def group(texts: Sequence[str], embed: Embed) -> list[tuple[list[int], int]]:
    """(members, the most typical one) of each group, biggest first."""
    vectors = embed(list(texts))
    if len(texts) == 1:
        return [([0], 0)]
    from sklearn.cluster import AgglomerativeClustering

    labels = AgglomerativeClustering(
        n_clusters=None, metric="cosine", linkage="average", distance_threshold=SAME_WISH
    ).fit_predict(vectors)
    found = []
    for label in dict.fromkeys(labels.tolist()):
        members = np.flatnonzero(labels == label)
        likeness = vectors[members] @ vectors[members].mean(axis=0)
        found.append((members.tolist(), int(members[int(likeness.argmax())])))
    return sorted(found, key=lambda entry: (-len(entry[0]), entry[0][0]))


async def _unanswered(office: Office, days: float) -> list[tuple[str, float]]:
    """(question, when): turns that ended in an abstention, and held ones without a passage."""
    async with office.read() as rows:
        since = rows.now - days * 86_400
        abstained = await rows.session.execute(
            select(Turn, Conversation)
            .join(Conversation, Conversation.id == Turn.conversation_id)
            .join(Message, and_(Message.turn_id == Turn.id, Message.author_kind == "bot"))
            .where(
                Message.created_at >= since,
                Message.erased_at.is_(None),
                Message.provenance["id"].as_string() == ABSTAINED,
            )
            .order_by(Turn.created_at.desc())
            .limit(MAX_QUESTIONS)
        )
        found = []
        for turn, conversation in abstained.all():
            question = await _question(rows, turn, conversation)
            if question:
                found.append((question, turn.created_at))
        return found + await _without_article(rows, since)


async def _question(rows: Conversations, turn: Turn, conversation: Conversation) -> str:
    clean = Replacer(rows.placeholders(conversation))
    end = turn.finished_at or turn.created_at
    asked = [
        rows.text(message)
        for message in await rows.messages(conversation.id)
        if message.author_kind == "customer"
        and (message.position or 0) >= turn.first_position
        and message.created_at <= end
    ]
    return clean("\n".join(asked)).strip()


async def _without_article(rows: Conversations, since: float) -> list[tuple[str, float]]:
    items = await rows.session.execute(
        select(ReviewItem, Conversation)
        .join(Conversation, Conversation.id == ReviewItem.conversation_id)
        .where(ReviewItem.created_at >= since, Conversation.erased_at.is_(None))
        .order_by(ReviewItem.created_at.desc())
        .limit(MAX_QUESTIONS)
    )
    found = []
    for item, conversation in items.all():
        if NO_ARTICLE in item.codes and item.summary_sealed is not None:
            clean = Replacer(rows.placeholders(conversation))
            summary = rows.vault.open_json(item.summary_sealed, item.id)
            found.append((clean(summary["question"]), item.created_at))
    return found


def load_embed(settings: Settings) -> Embed:
    """The product's encoder, for a command line."""
    from knowledge_base.encoder import EncoderFiles, TransformerEncoder
    from knowledge_base.quiet import quiet_libraries

    quiet_libraries()
    return TransformerEncoder(EncoderFiles(settings.encoder)).embed


def render(report: dict[str, Any]) -> str:
    lines = [f"{report['questions']} questions without an answer"]
    for gap in report["gaps"]:
        lines += ["", f"{gap['size']:4}  {gap['title']}"]
        lines += [f"      {example}" for example in gap["examples"] if example != gap["title"]]
    return "\n".join(lines)
