"""Exceptions with a message for a person.

DeskgateError
├── BadInput            the caller sent something wrong (400)
│   └── TooLarge        (413)
├── NotAuthenticated    no or wrong key or token (401)
├── NotAllowed          known, but may not do this (403)
├── NotFound            (404)
├── Conflict            somebody else was first, or the state has moved on (409)
├── TooManyRequests     (429, Retry-After)
├── Unavailable         a part that is needed does not work (503)
└── SetupError          stops the start or a command: one line on the terminal
"""

from __future__ import annotations

from typing import Any, ClassVar


class DeskgateError(Exception):
    """Base of all; carries the HTTP status and a stable slug for problem+json."""

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "internal"
    title: ClassVar[str] = "Something went wrong"

    def __init__(self, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra = extra


class BadInput(DeskgateError):
    status, slug, title = 400, "bad-input", "The request cannot be used as it is"


class TooLarge(BadInput):
    status, slug, title = 413, "too-large", "The request is too large"


class NotAuthenticated(DeskgateError):
    status, slug, title = 401, "not-authenticated", "A valid key or token is needed"


class NotAllowed(DeskgateError):
    status, slug, title = 403, "not-allowed", "This key may not do that"


class NotFound(DeskgateError):
    status, slug, title = 404, "not-found", "There is no such thing here"


class Conflict(DeskgateError):
    status, slug, title = 409, "conflict", "The state has moved on"


class TooManyRequests(DeskgateError):
    status, slug, title = 429, "too-many-requests", "Too many requests"

    def __init__(self, detail: str, retry_after_s: int, **extra: Any) -> None:
        super().__init__(detail, **extra)
        self.retry_after_s = retry_after_s


class Unavailable(DeskgateError):
    status, slug, title = 503, "unavailable", "A part that is needed does not work right now"


class SetupError(DeskgateError):
    """Wrong settings, files or models; the message says which value and what to do."""

    slug, title = "setup", "The server cannot start like this"
