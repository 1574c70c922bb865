"""``entities.toml``: the numbers and codes that only this company has, read strictly.

version = 1

[entities.membership_number]
pattern = 'MC-\\d{6}'      # a regular expression; capital and small letters are the same
example = "MC-204118"      # must match, and pass the checksum
checksum = "luhn"          # optional: luhn, mod97 or gtin
personal = true            # optional: what is stored, prompted and logged gets a placeholder
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from chatbot.company_regex import CompanyRegex
from chatbot.errors import SetupError
from chatbot.safety.pii_numbers import luhn
from chatbot.toml_lines import Lines, near

_NAME: Final = re.compile(r"[a-z][a-z_]{1,29}")  # in capitals it is the name of a placeholder


class EntityTable(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    pattern: str
    example: str
    checksum: Literal["luhn", "mod97", "gtin"] | None = None
    personal: bool = False


class EntityFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1]
    entities: dict[str, EntityTable] = {}


@dataclass(frozen=True, slots=True)
class CompanyPattern:
    """``finds`` yields spans whose checksum holds."""

    label: str
    pattern: CompanyRegex
    checksum: str | None
    personal: bool = False

    def finds(self, text: str) -> list[tuple[int, int]]:
        """Raises PatternTooSlow."""
        return [
            match.span()
            for match in self.pattern.finditer(text)
            if match[0].strip() and self.valid(match[0])
        ]

    def valid(self, text: str) -> bool:
        return self.checksum is None or CHECKSUMS[self.checksum](text)


def read_patterns(path: Path) -> tuple[CompanyPattern, ...]:
    """() where there is no such file. Raises SetupError with ``path:line:`` and the reason."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ()
    except UnicodeDecodeError as error:
        raise SetupError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from None
    try:
        file = EntityFile.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise SetupError(f"{path}: {error}") from None
    except ValidationError as error:
        first: Any = error.errors()[0]
        key = str(first["loc"][-1])
        hint = ""
        if first["type"] == "extra_forbidden":
            hint = near(key, {*EntityTable.model_fields, *EntityFile.model_fields})
        place = [str(part) for part in first["loc"]]
        raise Lines(path, text).error(place, f"{key}: {first['msg']}{hint}") from None
    lines = Lines(path, text)
    return tuple(_pattern(name, table, lines) for name, table in file.entities.items())


def _pattern(name: str, table: EntityTable, lines: Lines) -> CompanyPattern:
    place = ["entities", name]
    if not _NAME.fullmatch(name):
        raise lines.error(
            [*place, "pattern"], f"name {name!r}: use small letters and _ (30 at most)"
        )
    try:
        compiled = CompanyRegex(table.pattern, ignore_case=True, whole_words=True)
        compiled.probe()
    except ValueError as error:
        raise lines.error([*place, "pattern"], str(error)) from None
    if compiled.search(""):
        raise lines.error([*place, "pattern"], f"{table.pattern!r} matches empty text")
    found = CompanyPattern(name, compiled, table.checksum, table.personal)
    spans = found.finds(table.example)
    if not compiled.fullmatch(table.example):
        reason = f"the example {table.example!r} does not match {table.pattern!r}"
        raise lines.error([*place, "example"], reason)
    if not spans:
        reason = f"the example {table.example!r} fails the checksum {table.checksum}"
        raise lines.error([*place, "example"], reason)
    return found


def _mod97(text: str) -> bool:
    """ISO/IEC 7064, MOD 97-10: the check digits come last."""
    value = "".join(str(int(c, 36)) for c in text if c.isascii() and c.isalnum())
    return bool(value) and int(value) % 97 == 1


def _luhn(text: str) -> bool:
    digits = re.sub(r"\D", "", text)
    return bool(digits) and luhn(digits)


def _gtin(text: str) -> bool:
    """GS1 General Specifications, 7.9.1: EAN-8, UPC-A, EAN-13, GTIN-14, SSCC."""
    digits = [int(c) for c in re.sub(r"\D", "", text)]
    return len(digits) >= 8 and sum(d * (1, 3)[i % 2] for i, d in enumerate(digits[::-1])) % 10 == 0


CHECKSUMS: Final[Mapping[str, Callable[[str], bool]]] = MappingProxyType(
    {"luhn": _luhn, "mod97": _mod97, "gtin": _gtin}
)
