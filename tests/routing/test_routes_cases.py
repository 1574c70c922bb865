"""The sample company's stated routes, and how a support lead's own file is read."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from chatbot.company import load_company
from chatbot.errors import BadInput
from chatbot.routing.cases import Case, Judge, read_cases
from chatbot.routing.model import DEFAULT_WEIGHTS, RouterModel
from knowledge_base.encoder import EncoderFiles
from knowledge_base.settings import SAMPLE_COMPANY

SAMPLE = SAMPLE_COMPANY / "routes_test.toml"


@cache
def judge() -> Judge:
    router = RouterModel.load(DEFAULT_WEIGHTS, EncoderFiles())
    return Judge.load(SAMPLE_COMPANY, load_company(SAMPLE_COMPANY), router)


@pytest.mark.parametrize("case", [c for _, c in read_cases(SAMPLE)], ids=lambda c: c.say)
def test_this_message_takes_this_route(case: Case) -> None:
    (judged,) = judge().judge([(1, case)])
    assert judged.wrong == (), judged.route


def test_a_route_that_differs_says_what_and_why() -> None:
    (judged,) = judge().judge([(7, Case(say="hello", action="refuse", template="refuse"))])
    assert judged.line == 7
    assert judged.wrong == (
        "action is template, not refuse",
        "template is greeting_reply, not refuse",
    )
    assert "greeting" in judged.route.why


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[case]]\nsay = "a"\naction = "hand"\n', ":1: action 'hand' is not one of answer"),
        ('[[case]]\nsay = "a"\naction = "refuse"\ntne = "calm"\n', "did you mean 'tone'"),
        ('\n[[case]]\naction = "refuse"\n', ":2: say: Field required"),
        (
            '[[case]]\nsay = "a"\naction = "refuse"\nbefore = ["agent: hi"]\n',
            "must begin with 'customer: '",
        ),
        ('[[cases]]\nsay = "a"\n', "unknown key 'cases'"),
        ("", "there is no [[case]]"),
        ("say = = 1", "line 1"),
    ],
)
def test_a_mistake_in_the_file_names_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "cases.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput) as caught:
        read_cases(path)
    assert message in caught.value.detail


def test_the_command_fails_when_a_case_does_not_hold(tmp_path: Path) -> None:
    path = tmp_path / "cases.toml"
    path.write_text('[[case]]\nsay = "hello"\naction = "handover"\n', encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "chatbot", "routes", "test", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "cases.toml:1: 'hello': action is template, not handover" in done.stdout
    assert "1 cases, 1 wrong" in done.stdout
