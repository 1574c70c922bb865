from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from finetune.retrieval_eval import evaluate_retrieval


class Fixed:
    """Finds the articles that the last query spells, so that each figure is known."""

    def rank_articles(self, queries: Sequence[str], k: int = 10) -> list[str]:
        return list(queries[-1].replace("?", "").split()[-1])[:k]


def test_figures_are_averages_over_rows():
    rows = [
        {"question": "where do I find abc?", "articles": ["a"]},
        {"question": "where do I find abc?", "articles": ["b", "x"]},
        {"question": "not answered anywhere at all", "articles": []},
    ]
    figures = evaluate_retrieval(rows, Fixed())
    assert figures["n"] == 2
    assert figures["recall@1"] == 0.5
    assert figures["recall@5"] == 0.75
    assert figures["mrr@10"] == 0.75
    second = (1 / math.log2(3)) / (1 + 1 / math.log2(3))
    assert figures["ndcg@10"] == pytest.approx((1 + second) / 2, abs=1e-4)


def test_a_row_without_a_question_is_named():
    with pytest.raises(ValueError, match="row 1"):
        evaluate_retrieval([{"articles": ["a"]}], Fixed())


def test_rows_without_any_article_cannot_be_measured():
    with pytest.raises(ValueError, match="nothing to measure"):
        evaluate_retrieval([{"question": "q", "articles": []}], Fixed())
