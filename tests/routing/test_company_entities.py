from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import pytest

from chatbot.errors import SetupError
from chatbot.routing.company_entities import CompanyEntities
from chatbot.safety.pii import redact, restore
from chatbot.types import Entity

TODAY = date(2026, 11, 20)
FILE = """\
version = 1

[entities.membership_number]
pattern = 'MC-\\d{6}'
example = "MC-204118"

[entities.locker_code]
pattern = '\\d{13}'
example = "4006381333931"
checksum = "gtin"
"""


def write(folder: Path, text: str = FILE) -> Path:
    path = folder / "entities.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_companys_own_code_is_found_with_its_value(tmp_path: Path) -> None:
    text = "my number is mc-204118 and xMC-2041189 is none"
    found = CompanyEntities.load(write(tmp_path)).complete(text, [], TODAY)
    assert found == (
        Entity("membership_number", 13, 22, "mc-204118", "MC-204118", source="company"),
    )


def test_a_code_with_a_wrong_checksum_is_none(tmp_path: Path) -> None:
    found = CompanyEntities.load(write(tmp_path)).find("4006381333931 or 4006381333932")
    assert [e.text for e in found] == ["4006381333931"]


def test_the_companys_own_wins_over_a_guess_and_the_others_stay(tmp_path: Path) -> None:
    guess = Entity("phone", 3, 12, "MC-204118", source="model")
    day = Entity("date", 13, 21, "tomorrow", source="model")
    found = CompanyEntities.load(write(tmp_path)).complete(
        "my MC-204118 tomorrow", [guess, day], TODAY
    )
    assert [(e.label, e.value) for e in found] == [
        ("membership_number", "MC-204118"),
        ("date", "2026-11-21"),
    ]


def test_without_a_file_there_are_only_the_routers(tmp_path: Path) -> None:
    path = tmp_path / "entities.toml"
    entities = CompanyEntities.load(path)
    assert entities.find("MC-204118") == []
    write(tmp_path)
    assert [e.label for e in entities.find("MC-204118")] == ["membership_number"]


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("version = 1", "version = 2", 1, "version"),
        ("pattern = 'MC-\\d{6}'", "pattern = 'MC-(\\d{6}'", 4, "no regular expression"),
        ("pattern = 'MC-\\d{6}'", "pattern = '(?:MC-\\d{6})?'", 4, "matches empty text"),
        ("pattern = 'MC-\\d{6}'", "pattern = '(?:\\d|\\d\\d)+[xy]'", 4, "takes too long"),
        ('example = "MC-204118"', 'example = "MC-20411"', 5, "does not match"),
        ('example = "MC-204118"', "", 3, "example"),
        ('example = "4006381333931"', 'example = "4006381333932"', 9, "fails the checksum"),
        ('checksum = "gtin"', 'checksum = "crc"', 10, "checksum"),
        ('checksum = "gtin"', 'check_sum = "gtin"', 10, "did you mean 'checksum'"),
        ("membership_number", "Membership-No", 4, "small letters"),
    ],
)
def test_a_mistake_names_its_line(
    tmp_path: Path, old: str, new: str, line: int, message: str
) -> None:
    assert old in FILE
    with pytest.raises(SetupError) as caught:
        CompanyEntities.load(write(tmp_path, FILE.replace(old, new)))
    assert f"entities.toml:{line}:" in caught.value.detail
    assert message in caught.value.detail


def test_an_edit_takes_effect_and_a_broken_one_keeps_the_old_patterns(tmp_path: Path) -> None:
    entities = CompanyEntities.load(path := write(tmp_path))
    write(tmp_path, FILE.replace("MC-", "ZZ-"))
    os.utime(path, ns=(10**18, 10**18))
    assert [e.text for e in entities.find("MC-204118 ZZ-204118")] == ["ZZ-204118"]
    write(tmp_path, "version = ")
    assert [e.text for e in entities.find("MC-204118 ZZ-204118")] == ["ZZ-204118"]
    assert entities.problem is not None


def test_a_personal_code_is_replaced_by_a_placeholder_and_another_is_not(tmp_path: Path) -> None:
    text = FILE.replace('example = "MC-204118"', 'example = "MC-204118"\npersonal = true')
    entities = CompanyEntities.load(write(tmp_path, text))
    said = "MC-204118 opens 4006381333931"
    redacted, placeholders = redact(said, entities.find(said), {})
    assert redacted == "<MEMBERSHIP_NUMBER_1> opens 4006381333931"
    assert restore(redacted, placeholders) == said
