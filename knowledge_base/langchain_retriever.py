"""The knowledge base as a LangChain retriever."""

from __future__ import annotations

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict

from knowledge_base.article import PUBLIC
from knowledge_base.retriever import Retriever


class KnowledgeRetriever(BaseRetriever):
    """Returns passages as documents; ``page_content`` is the text, all else is metadata."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    retriever: Retriever
    k: int = 4
    audiences: tuple[str, ...] = (PUBLIC,)
    floor: bool = True

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        passages = self.retriever.search(query, self.k, audiences=self.audiences, floor=self.floor)
        return [
            Document(
                id=passage.chunk,
                page_content=passage.text,
                metadata={
                    "article": passage.article,
                    "version": passage.version,
                    "title": passage.title,
                    "heading": passage.heading,
                    "url": passage.url,
                    "audience": passage.audience,
                    "score": passage.score,
                },
            )
            for passage in passages
        ]
