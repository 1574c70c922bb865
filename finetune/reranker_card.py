"""The model card that lies beside the reranker."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def write_card(path: Path, figures: dict[str, Any], *, second: bool = False) -> None:
    """What it is, data, command, seed, trade-off of the floor, figures on dev."""
    recipe = figures["recipe"]
    before, after = figures["dev_before"], figures["dev_after"]
    lines = [
        "# Reranker, second stage" if second else "# Reranker, first stage",
        "",
        "Judges whether a unit of a help passage (a sentence, a list item, a table row) answers "
        "a question. A LoRA adapter "
        f"(rank {recipe['rank']}, fp16, blocks from {recipe['first_block']} on) on the",
        f"encoder `{figures['encoder']}` (Apache-2.0, weights {figures['encoder_digest']}) reads",
        *(
            (
                "question and `title > heading. unit` apart; late interaction over their tokens "
                "gives one logit.",
                "English only.",
            )
            if second
            else ("`question [SEP] title > heading. unit`, one linear output. English only.",)
        ),
        "",
        f"    python -m finetune reranker {'--second ' if second else ''}--data-root DIR --out DIR "
        f"--seed {recipe['seed']}",
        "",
        f"{figures['pairs']} pairs of {figures['questions']} questions, SHA-256 of the rows "
        f"{figures['data_sha256'][:16]}. Sources: the",
        "sample company's train questions with what the retriever finds for them, the invented",
        "help centres of `finetune/data/answers/centres`, invented help pages",
        "(`finetune.synthesis`), DSTC9 FAQ (Apache-2.0)"
        + ("." if second else ", Login.gov help (public domain), and questions made of passages."),
        "A third of the questions is worn: typos, casing, words left",
        f"out. Training begins from {figures['begun_from']}.",
        "",
        f"{figures['held_out_rows']} train rows, kept apart by article, were not learned from. "
        "They give the temperature,",
        f"the weight of the reranker's logit beside the fused relevance ({figures['weight']}) and "
        f"the floor ({figures['floor']}):",
        "the highest that keeps 95 of 100 answerable questions. So few rows leave the floor",
        "uncertain by several points.",
        "",
        "| wanted | floor | answerable kept | unanswerable silent |",
        "|---|---|---|---|",
        *(
            f"| {row['wanted']} | {row['floor']} | {row['answerable_kept']} "
            f"| {row['unanswerable_silent']} |"
            for row in figures["trade_off"]
        ),
        "",
        "On the dev questions, by the fused relevance alone and with the reranker:",
        "",
        "| figure | without | with |",
        "|---|---|---|",
        *(f"| {name} | {before[name]} | {value} |" for name, value in after.items()),
        "",
        *(
            (f"The first stage's logit counts {figures['beside']} beside its own.", "")
            if second
            else ()
        ),
        *((figures["note"], "") if "note" in figures else ()),
        "It has no knowledge of who may read a passage or until when it is valid: the retriever",
        "filters before it. Units are cut at 128 tokens, question included.",
        "",
    ]
    path.write_text("\n".join(lines), "utf-8")
