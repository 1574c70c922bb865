"""What every table shares: the metadata with its naming of constraints."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, CheckConstraint, MetaData
from sqlalchemy.orm import DeclarativeBase

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {dict[str, Any]: JSON, list[Any]: JSON}  # noqa: RUF012


def one_of(column: str, *values: str) -> CheckConstraint:
    """The column may hold these values only; the constraint bears the column's name."""
    return CheckConstraint(f"{column} IN ({', '.join(repr(v) for v in values)})", name=column)
