"""Statements about groups of people, hostile and harmless, with the groups filled in.

``group_statements.jsonl`` holds each way to say something once, with ``{P}`` for a group
("gay people"), ``{S}`` for one of it ("a gay man") and ``{A}`` for the adjective ("gay"). Every
group stands on both sides, so that no group's name tells a model anything; the statement does. A
statement belongs to one split.
"""

from __future__ import annotations

import random
from pathlib import Path

from chatbot.errors import SetupError
from finetune.toxicity_data import Row
from finetune.toxicity_own import optional_rows, read_labelled

FILE = "group_statements.jsonl"
GROUPS_EACH = {"train": 4, "dev": 4, "test": 4}
GROUPS = (
    ("women", "a woman", "female"), ("men", "a man", "male"),
    ("gay people", "a gay man", "gay"), ("lesbians", "a lesbian", "lesbian"),
    ("bisexual people", "a bisexual woman", "bisexual"),
    ("queer people", "a queer person", "queer"), ("trans people", "a trans woman", "trans"),
    ("Muslims", "a Muslim", "Muslim"),
    ("Jews", "a Jew", "Jewish"), ("Christians", "a Christian", "Christian"),
    ("Hindus", "a Hindu", "Hindu"), ("Sikhs", "a Sikh", "Sikh"),
    ("Buddhists", "a Buddhist", "Buddhist"), ("Catholics", "a Catholic", "Catholic"),
    ("atheists", "an atheist", "atheist"), ("black people", "a black man", "black"),
    ("white people", "a white man", "white"), ("Asians", "an Asian", "Asian"),
    ("Chinese people", "a Chinese woman", "Chinese"),
    ("Japanese people", "a Japanese man", "Japanese"),
    ("Koreans", "a Korean", "Korean"), ("Indians", "an Indian", "Indian"),
    ("Pakistanis", "a Pakistani", "Pakistani"), ("Mexicans", "a Mexican", "Mexican"),
    ("Latinos", "a Latina", "Latino"), ("Native Americans", "a Native American", "Native American"),
    ("Arabs", "an Arab", "Arab"), ("Africans", "an African", "African"),
    ("Turks", "a Turk", "Turkish"), ("Poles", "a Pole", "Polish"),
    ("Romanians", "a Romanian", "Romanian"), ("Roma", "a Roma woman", "Roma"),
    ("Irish people", "an Irishman", "Irish"), ("immigrants", "an immigrant", "immigrant"),
    ("refugees", "a refugee", "refugee"), ("foreigners", "a foreigner", "foreign"),
    ("disabled people", "a disabled man", "disabled"), ("deaf people", "a deaf woman", "deaf"),
    ("blind people", "a blind man", "blind"), ("autistic people", "an autistic boy", "autistic"),
    ("wheelchair users", "a wheelchair user", "disabled"),
    ("old people", "an old woman", "elderly"),
)  # fmt: skip


def read_groups(folder: Path, weight: float) -> list[Row]:
    """Each statement about some groups, drawn by the statement itself; sources ``group_<kind>``.

    ``weight`` is that of a whole statement. Raises SetupError for a statement without a slot.
    """
    path = folder / FILE
    found = optional_rows(path)
    rows: list[Row] = []
    for row, (text, values) in zip(found, read_labelled(path) if found else [], strict=True):
        count = GROUPS_EACH[row["split"]]
        for group in random.Random(text).sample(GROUPS, count):
            filled = fill(text, *group)
            if filled == text:
                raise SetupError(f"{path}: {text!r} has none of the slots {{P}}, {{S}}, {{A}}")
            rows.append(Row(filled, values, f"group_{row['kind']}", row["split"], weight / count))
    return rows


def fill(statement: str, plural: str, one: str, adjective: str) -> str:
    """The statement about one group, with a capital where a slot opens it."""
    if adjective[0].lower() in "aeio":
        statement = statement.replace("A {A}", "An {A}").replace("a {A}", "an {A}")
    for slot, words in (("{P}", plural), ("{S}", one), ("{A}", adjective)):
        if statement.startswith(slot):
            statement = words[0].upper() + words[1:] + statement[len(slot) :]
        statement = statement.replace(slot, words)
    return statement
