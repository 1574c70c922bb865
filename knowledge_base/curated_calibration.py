"""The similarity from which a curated answer is sure to be meant, found without labels.

Asked are questions that no curated answer is meant for, and the threshold is the score that
all but ``FALSE_SHARE`` of them stay below (a conformal quantile, Vovk et al. 2005). Three kinds
are asked, and the strictest decides: questions of many trades; questions made of passages that
are not about the matter; and the curated questions themselves with one word exchanged for
another that the help centre knows, as a customer asks about Austria where staff wrote Germany.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np

from knowledge_base.curated import VERBATIM, CuratedCalibration
from knowledge_base.curated_match import best_curated_score, curated_scores
from knowledge_base.embedding import Progress
from knowledge_base.encoder import TextEncoder
from knowledge_base.lexical import words
from knowledge_base.pseudo import OPENERS, background_questions, pseudo_questions
from knowledge_base.snapshot import Snapshot

FALSE_SHARE = 0.01  # of questions meant for no curated answer, that may get one
PSEUDO = 300
EXCHANGED = 600  # questions with one word exchanged; 3 s to embed
PER_WORD = 5
VOCABULARY = 1000  # words of titles, headings and curated questions
SAME_MATTER = 5  # passages nearest to a curated question, which may well ask the same
FEWEST = 20  # questions with one word exchanged, below which only verbatim questions match


def calibrate_curated(
    snapshot: Snapshot, encoder: TextEncoder, progress: Progress
) -> CuratedCalibration:
    """Deterministic for a snapshot. Without curated answers, or with too little to ask, only
    the question itself matches."""
    curated = snapshot.curated
    if not curated.answers:
        return CuratedCalibration()
    progress("calibrate curated", 0, 4)
    kinds: dict[str, list[float]] = {}
    background = background_questions()
    kinds["other_trades"] = _best(snapshot, background, encoder)
    progress("calibrate curated", 1, 4)
    kinds["other_passages"] = _other_passages(snapshot, encoder)
    progress("calibrate curated", 2, 4)
    exchanged = _exchanged(snapshot, encoder)
    kinds["one_word_exchanged"] = _best(snapshot, exchanged, encoder)
    progress("calibrate curated", 3, 4)
    if len(exchanged) < FEWEST:
        return CuratedCalibration()
    figures = {name: round(_quantile(scores), 4) for name, scores in kinds.items() if scores}
    threshold = min(max(figures.values()), VERBATIM)
    reworded = np.array(_best(snapshot, _reworded(snapshot), encoder))
    figures["reworded_above"] = round(float((reworded >= threshold).mean()), 4)
    progress("calibrate curated", 4, 4)
    return CuratedCalibration(round(threshold + 1e-4, 4), sum(map(len, kinds.values())), figures)


def _best(snapshot: Snapshot, texts: Sequence[str], encoder: TextEncoder) -> list[float]:
    vectors = encoder.embed(texts)
    return [
        best_curated_score(snapshot, text, vector)
        for text, vector in zip(texts, vectors, strict=True)
    ]


def _other_passages(snapshot: Snapshot, encoder: TextEncoder) -> list[float]:
    """Scores of questions made of passages, against curated answers about something else."""
    curated = snapshot.curated
    near = np.argsort(-(curated.vectors @ snapshot.vectors.T), axis=1)[:, :SAME_MATTER]
    asked = pseudo_questions(
        snapshot.chunks, encoder, count=PSEUDO, language=snapshot.language, seed=3
    )
    vectors = encoder.embed([question.text for question in asked])
    best = []
    for question, vector in zip(asked, vectors, strict=True):
        article = snapshot.chunks[question.row].article
        scores = [0.0]
        for row, score in curated_scores(snapshot, question.text, vector).items():
            meant = curated.questions[row][0].article == article
            same = meant or any(snapshot.chunks[n].article == article for n in near[row].tolist())
            if not same:
                scores.append(score)
        best.append(max(scores))
    return best


def _exchanged(snapshot: Snapshot, encoder: TextEncoder) -> list[str]:
    """Curated questions that ask about another thing of the help centre: one of the rarer half
    of the words, which tell what is asked about, gives way to another such word."""
    chooser = random.Random(4)
    language = snapshot.language
    titles = [article.title for article in snapshot.articles.values()]
    headings = [chunk.heading for chunk in snapshot.chunks if chunk.heading]
    asked = [question for _, question in snapshot.curated.questions]
    chooser.shuffle(headings)
    found = " ".join([*asked, *titles, *headings]).split()
    vocabulary = list(dict.fromkeys(w for word in found if (w := _bare(word)) and words(w)))
    vocabulary = vocabulary[:VOCABULARY]
    vectors = encoder.embed(vocabulary)
    rows = {word: row for row, word in enumerate(vocabulary)}
    weights = np.array([_weight(snapshot, word) for word in vocabulary])
    made = []
    for answer, question in snapshot.curated.questions:
        own = set(words(" ".join((*answer.questions, answer.answer)), language))
        parts = question.split()
        told = [_weight(snapshot, part) for part in parts]
        telling = float(np.median([weight for weight in told if weight] or [0.0]))
        for place, part in enumerate(parts):
            row = rows.get(_bare(part))
            if row is None or told[place] < telling:
                continue
            order = [n for n in np.argsort(-(vectors @ vectors[row])).tolist()[1:50]
                     if weights[n] >= telling]  # fmt: skip
            others = [vocabulary[n] for n in order if not own & set(words(vocabulary[n], language))]
            for other in others[:PER_WORD]:
                made.append(" ".join([*parts[:place], other, *parts[place + 1 :]]))
    chooser.shuffle(made)
    return made[:EXCHANGED]


def _reworded(snapshot: Snapshot) -> list[str]:
    """Curated questions as a hasty customer puts them: an opener and the words that count."""
    chooser = random.Random(5)
    return [
        f"{chooser.choice(OPENERS)} "
        + " ".join(part for part in question.split() if words(part, snapshot.language))
        for _, question in snapshot.curated.questions
    ]


def _weight(snapshot: Snapshot, word: str) -> float:
    """How much a word tells: its rarity; 0 for a stop word."""
    stems = words(_bare(word), snapshot.language)
    return max((snapshot.lexical.weight(stem) for stem in stems), default=0.0)


def _bare(word: str) -> str:
    return word.strip(".,:;!?()[]\"'’“”*_").lower()


def _quantile(scores: Sequence[float]) -> float:
    """The smallest score that all but ``FALSE_SHARE`` of new questions stay below."""
    ordered = sorted(scores)
    place = int(np.ceil((len(ordered) + 1) * (1 - FALSE_SHARE))) - 1
    return ordered[min(place, len(ordered) - 1)]
