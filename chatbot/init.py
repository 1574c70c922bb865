"""``python -m chatbot init DIR``: a folder for a real company, from the sample's policies."""

from __future__ import annotations

import shutil
from pathlib import Path

from chatbot.company import load_company
from chatbot.errors import BadInput, SetupError
from knowledge_base.settings import SAMPLE_COMPANY

COMPANY = """\
# Who the bot speaks for. A change needs a restart.
name = "Your company"
bot_name = "Helper"
tone = "Plain, friendly and concrete: the answer first, short sentences."
greeting = "Hello, I am the AI assistant of your company. What can I help you with?"
ai_notice = "You are talking to an AI, not a person. It answers from our help articles."
locale = "en"
timezone = "Europe/London"
contact = "help@example.com"

# Shown at once when somebody may be in danger. Use your country's numbers.
crisis_text = "I am glad you told me. I am an AI and not the right one to help with this, so a \
person is being called to this chat. If you or someone else is in danger, please call your local \
emergency number now (112 in Europe, 911 in the United States)."

# Links in answers may lead only here.
allowed_domains = ["example.com"]

# Local time; an empty list means closed. Leave the table out to be always open.
[opening_hours]
mon = ["09:00", "17:00"]
tue = ["09:00", "17:00"]
wed = ["09:00", "17:00"]
thu = ["09:00", "17:00"]
fri = ["09:00", "17:00"]
sat = []
sun = []

# Texts that may always leave, whatever else is down. Leave one out to use the default.
[texts]
held_notice = "A colleague is checking the answer first. It will appear here."
handover_notice = "I have asked a colleague to join this chat."
nobody_on_duty = "Nobody is here right now. Leave your e-mail address and we will write back."
"""

ARTICLE = """\
---
id: return-window
title: How long you have to return something
audience: public
tags: [returns]
---

You can return unused items within 30 days of delivery.

## What we need

The item in its original packaging and your order number.
"""


def init_company(directory: Path) -> None:
    """Raises BadInput when the folder holds something already; nothing is overwritten."""
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise BadInput(f"{directory} exists and is not empty; choose a new folder")
    try:
        (directory / "articles").mkdir(parents=True)
        (directory / "company.toml").write_text(COMPANY, encoding="utf-8")
        (directory / "articles" / "return-window.md").write_text(ARTICLE, encoding="utf-8")
        for name in ("routes.toml", "routes_test.toml", "policy.toml", "review.toml"):
            shutil.copyfile(SAMPLE_COMPANY / name, directory / name)
    except OSError as error:
        raise SetupError(f"cannot write {directory}: {error.strerror}") from None
    load_company(directory)
