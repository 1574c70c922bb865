"""Follow-ups that name another thing, with the real encoder."""

from __future__ import annotations

import pytest

from knowledge_base.ellipsis import asked_of_another
from knowledge_base.encoder import EncoderFiles, TransformerEncoder
from knowledge_base.query import search_queries


@pytest.fixture(scope="module")
def encoder():
    return TransformerEncoder(EncoderFiles())


@pytest.mark.parametrize(
    ("before", "question", "meant"),
    [
        ("How much is delivery to the UK?", "and Ireland?", "How much is delivery to Ireland?"),
        ("Are you open on 24 December?", "what about on the 27th?", "Are you open on 27th?"),
        ("Does the filter remove bacteria?", "viruses too?", "Does the filter remove viruses?"),
    ],
)
def test_another_thing_takes_the_place_of_what_is_most_like_it(encoder, before, question, meant):
    assert asked_of_another(before, question, encoder) == meant


@pytest.mark.parametrize(
    "question",
    ["and how long does it take?", "what about my sister?", "can I pay later?", "and?", "?"],
)
def test_nothing_is_replaced_where_nothing_is_alike_or_a_clause_follows(encoder, question):
    assert asked_of_another("How much is delivery to Austria?", question, encoder) is None


def test_the_question_that_is_meant_is_searched_for_first(encoder):
    history = [("customer", "How much is delivery to Austria?"), ("bot", "€7.95.")]
    found = search_queries(history, "and Belgium?", encoder)
    assert found[0] == "How much is delivery to Belgium?"
    assert len(found) == 3
    assert len(search_queries(history, "and Belgium?")) == 2
