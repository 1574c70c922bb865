"""Bodies of the customer's and the agent's requests."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class StartBody(Body):
    customer: dict[str, Any] | None = Field(default=None, description="Signed by your site.")
    signature: str | None = Field(default=None, description="Hex HMAC-SHA256 of `customer`.")
    locale: Annotated[str | None, Field(max_length=35)] = None
    training_consent: bool | None = Field(
        default=None, description="Whether the bot may learn from it; null: not asked."
    )


class MessageBody(Body):
    text: str


class ContactBody(Body):
    name: str | None = None
    email: str | None = None
    phone: str | None = None
    note: str | None = None


class FeedbackBody(Body):
    thumbs: Literal["up", "down"]
    comment: Annotated[str, Field(max_length=2000)] = ""


class TakeoverBody(Body):
    name: Annotated[str | None, Field(max_length=80)] = None


class AssignBody(Body):
    to: Annotated[str | None, Field(max_length=40)]


class ConsentBody(Body):
    training: bool


class ErasureBody(Body):
    """One of the two."""

    conversation_id: Annotated[str | None, Field(max_length=40)] = None
    customer: Annotated[str | None, Field(max_length=320)] = None


class CustomersWordBody(ErasureBody):
    training: bool


class ReplyBody(Body):
    text: str
    override_reason: Annotated[str | None, Field(max_length=500)] = None
