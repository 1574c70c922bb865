"""Support messages with an attitude, made from ordinary ones.

A customer who swears about a parcel and a customer who insults the agent use the same words;
what differs is the target. Each ordinary support question of the sets is turned into a profane
complaint (obscene, hardly toxic), an angry but clean one, a lawful threat (chargeback, lawyer,
review: no threat at all), an insult of the agent, or a threat of harm. Phrases of the dev and
test splits never occur in train, so that a threshold is not set on memorised words.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from finetune.toxicity_data import Row, targets
from finetune.toxicity_own import WRITTEN

PROFANE_OPENINGS = (
    "what the fuck,", "for fuck's sake,", "wtf,", "jesus fucking christ,", "this is bullshit.",
    "holy shit,", "oh for crying out loud, shit,", "bloody hell,", "are you fucking kidding me?",
    "ffs,", "shit,", "god damn it,", "fuck me,", "well this is a total shitshow.",
    "I am so fucking done with this.", "I'm pissed off.", "what a crock of shit.",
    "seriously, what the hell.", "damn it all,", "this is a fucking joke.",
)  # fmt: skip
PROFANE_ENDINGS = (
    "It's fucking ridiculous.", "What a piece of shit.", "this shit never works",
    "sort this shit out please", "I've had enough of this crap.", "ffs", "fuck this.",
    "what a load of bollocks", "Fix the damn thing.", "The app is fucking useless.",
    "this whole process is a pain in the arse", "I'm fucking fuming.", "Bloody joke.",
    "It's been three fucking weeks.", "Shit service.", "please just fucking help me",
)  # fmt: skip
INTENSIFIERS = ("fucking", "damn", "bloody", "goddamn", "stupid fucking", "shitty", "f***ing",
                "fkn", "freaking", "crappy", "sodding", "effing")  # fmt: skip
ANGRY_CLEAN = (
    "This is a disgrace.", "Absolutely useless service.", "I hate this website.",
    "I am furious.", "Worst company I have ever dealt with.", "You people never answer.",
    "I am disgusted with how this was handled.", "Your app is garbage.", "What a rip-off.",
    "Nobody there seems to care.", "This is theft.", "I feel cheated.", "Terrible. Just terrible.",
    "Are you even reading what I write?", "You lied to me about the date.", "Pathetic service.",
    "I'm losing my mind here.", "This thing is killing me.", "It's a stupid rule.",
    "This update is trash.", "Never again!!!", "ANSWER ME NOW!!!", "I want to scream.",
)  # fmt: skip
LAWFUL = (
    "Otherwise I will dispute the charge with my bank.", "My lawyer will be in touch.",
    "I will take you to small claims court.", "I'll leave a one star review everywhere.",
    "I'm reporting you to the ombudsman.", "If not I cancel everything.",
    "I'll come to the shop on Saturday and return it in person.", "Last warning before I cancel.",
    "I'll make sure all my friends hear of this.", "I will not let this go.",
    "You'll hear from trading standards.", "I'll go to the press.",
    "Kill my subscription and delete my account.", "I will fight this charge.",
)  # fmt: skip
INSULTS = (
    "you useless idiot", "you are a moron", "are you stupid or what?", "you pathetic loser",
    "you're a dumb piece of shit", "fuck you", "you incompetent clown", "go fuck yourself",
    "you people are scum", "you lying bastard", "shut up, you imbecile", "you brainless twat",
    "you fucking idiots", "bunch of retards", "you're as thick as a brick", "eat shit, agent",
    "you stupid cow", "you worthless little man", "are you brain dead?", "suck my dick",
    "screw you, asshole", "you dimwit", "what an absolute cretin you are", "you disgust me, pig",
    "I bet your mother is ashamed of you", "you are too dumb to breathe", "dickhead",
)  # fmt: skip
THREATS = (
    "or I will come to your office and break your legs", "I know where you work",
    "I will find you and hurt you", "I'm going to kill you", "you will bleed for this",
    "I hope you like hospital food, because I'm coming", "I'll burn your warehouse down",
    "watch your back when you leave work", "I'll smash your face in", "you're dead",
    "I will put a bullet in you", "someone is going to get stabbed", "I'll strangle you myself",
    "sleep with one eye open", "we know your address and we are coming", "I'll beat you senseless",
    "I'll blow up your building", "you and your family will regret it, I have your address",
    "next time I see you I will slit your throat", "I'll make you suffer, I own a gun",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kind:
    """How a message is changed, and what the result is called."""

    name: str
    change: Callable[[str, str, random.Random], str]
    phrases: tuple[str, ...]
    labels: tuple[float, ...]


def _before(text: str, phrase: str, _: random.Random) -> str:
    return f"{phrase} {text}"


def _after(text: str, phrase: str, _: random.Random) -> str:
    return f"{text.rstrip()} {phrase}" if text.rstrip()[-1:] in "?.!" else f"{text}. {phrase}"


def _either(text: str, phrase: str, rng: random.Random) -> str:
    return _before(text, phrase + ".", rng) if rng.random() < 0.4 else _after(text, phrase, rng)


def _within(text: str, phrase: str, rng: random.Random) -> str:
    words = text.split()
    places = [i for i, w in enumerate(words) if w.lower() in {"my", "the", "this", "your", "a"}]
    if not places:
        return f"{text} This {phrase} thing."
    return " ".join([*words[: (p := rng.choice(places)) + 1], phrase, *words[p + 1 :]])


PROFANE_LABELS = targets(
    toxic=0.22, severe_toxic=0.01, obscene=0.8, threat=0.01, insult=0.03, identity_hate=0.01
)
MILD_LABELS = targets(
    toxic=0.03, severe_toxic=0.0, obscene=0.02, threat=0.0, insult=0.02, identity_hate=0.0
)
KINDS = (
    Kind("profane", _before, PROFANE_OPENINGS, PROFANE_LABELS),
    Kind("profane", _after, PROFANE_ENDINGS, PROFANE_LABELS),
    Kind("profane", _within, INTENSIFIERS, PROFANE_LABELS),
    Kind("angry", _either, ANGRY_CLEAN, MILD_LABELS),
    Kind("lawful", _after, LAWFUL, MILD_LABELS),
    Kind(
        "agent_abuse", _either, INSULTS,
        targets(toxic=0.97, threat=0.02, insult=0.97, identity_hate=0.04),
    ),
    Kind(
        "threat", _after, THREATS,
        targets(toxic=0.97, threat=0.97, identity_hate=0.02, obscene=0.05),
    ),
)  # fmt: skip


def _phrases(phrases: Sequence[str], split: str) -> list[str]:
    """About a fifth of the phrases, by place, belongs to dev and another fifth to test."""
    place = {"dev": (1,), "test": (3,), "train": (0, 2, 4)}[split]
    return [phrase for index, phrase in enumerate(phrases) if index % 5 in place]


def support_variants(rows: Sequence[Row], seed: int, per_kind: int = 350) -> list[Row]:
    """About ``per_kind`` changed messages of each kind for train, a sixth as many for dev/test."""
    rng = random.Random(seed)
    made: list[Row] = []
    for split, count in (("train", per_kind), ("dev", per_kind // 6), ("test", per_kind // 6)):
        plain = [r for r in rows if r.source.startswith("support_") and r.split == split]
        if not plain:
            continue
        for kind in KINDS:
            phrases = _phrases(kind.phrases, split)
            for row in rng.choices(plain, k=count):
                text = kind.change(row.text, rng.choice(phrases), rng)
                made.append(Row(text, kind.labels, f"attitude_{kind.name}", split))
    return made


COPY = "misspelt_"  # before the source of a row that was copied
SWAPS = {"a": "@4", "e": "3", "i": "1!", "o": "0", "s": "$5", "t": "7"}


def misspell(text: str, rng: random.Random) -> str:
    """One disguise that the views cannot undo: a dropped, doubled, swapped or starred letter."""
    words = text.split(" ")
    long = [i for i, word in enumerate(words) if len(word) > 3 and word.isalpha()]
    for index in rng.sample(long, min(len(long), 1 + len(long) // 4)):
        word = words[index]
        place = rng.randrange(1, len(word) - 1)
        action = rng.randrange(5)
        if action == 0:
            word = word[:place] + word[place + 1 :]
        elif action == 1:
            word = word[:place] + word[place] + word[place:]
        elif action == 2:
            word = word[: place - 1] + word[place] + word[place - 1] + word[place + 1 :]
        elif action == 3:
            word = word[:place] + "*" + word[place + 1 :]
        else:
            word = word[:place] + rng.choice(SWAPS.get(word[place].lower(), word[place]))
            word += words[index][place + 1 :]
        words[index] = word
    return " ".join(words)


def misspelt(rows: Sequence[Row], seed: int, share: float = 0.06, own: float = 0.06) -> list[Row]:
    """Misspelt copies of a share of the shorter training rows, labels unchanged.

    ``own`` is the share of the project's own rows.
    """
    rng = random.Random(seed)
    short = [r for r in rows if r.split == "train" and len(r.text) < 200]
    made: list[Row] = []
    for part, of_it in (
        ([r for r in short if not r.source.startswith(WRITTEN)], share),
        ([r for r in short if r.source.startswith(WRITTEN)], own),
    ):
        for r in rng.sample(part, int(len(part) * of_it)):
            text = misspell(r.text, rng)
            made.append(Row(text, r.targets, f"{COPY}{r.source}", r.split, r.weight))
    return made
