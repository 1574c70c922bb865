"""``finetune prepare | answers | evaluate generation``: options in, one report out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from chatbot.errors import BadInput
from chatbot.settings import Settings, load_settings

DataDir = Annotated[Path | None, typer.Option(help="As CHATBOT_DATA_DIR.")]


def prepare_command(
    out: Annotated[Path, typer.Option(help="JSON lines to write; *.dev.jsonl beside it.")],
    company: Annotated[
        Path | None, typer.Option(help="Folder with articles/, perhaps questions/train.jsonl.")
    ] = None,
    company_name: Annotated[
        str | None, typer.Option(help="As the instructions name it; default: as company.toml does.")
    ] = None,
    data_root: Annotated[
        Path | None, typer.Option(help="Folder of the public FAQ and help sets.")
    ] = None,
    seed: Annotated[int, typer.Option()] = 4,
    company_copies: Annotated[int, typer.Option(help="Rounds of the company's questions.")] = 3,
    centre_copies: Annotated[int, typer.Option(help="Rounds of the invented companies'.")] = 2,
    synthetic: Annotated[int, typer.Option(help="Groups made from facts with slots.")] = 40,
    faq: Annotated[int, typer.Option(help="Groups from the FAQ set.")] = 20,
    help_articles: Annotated[int, typer.Option(help="Rows from the help articles.")] = 60,
    articles: Annotated[
        int, typer.Option(help="Questions made from the company's own articles.")
    ] = 300,
    from_desk: Annotated[
        bool, typer.Option("--from-desk", help="From the decisions of reviewers and agents.")
    ] = False,
    preferences: Annotated[
        Path | None, typer.Option(help="With --from-desk: where pairs of answers go.")
    ] = None,
    chats: Annotated[
        list[Path] | None,
        typer.Option(help="Past conversations (.jsonl, .csv, .parquet), or rows of --from-desk."),
    ] = None,
    hub: Annotated[
        list[str] | None, typer.Option(help="A hub data set: OWNER/NAME or OWNER/NAME@SPLIT.")
    ] = None,
    against: Annotated[
        list[Path] | None, typer.Option(help="Evaluation questions that must not be learnt.")
    ] = None,
    skip_broken: Annotated[
        bool, typer.Option("--skip-broken", help="Leave broken rows out instead of stopping.")
    ] = False,
    limit: Annotated[int | None, typer.Option(help="Read only so many records.")] = None,
    augment: Annotated[
        float, typer.Option(min=0, max=5, help="Further rows with reworded questions, a share.")
    ] = 0.0,
    adversarial: Annotated[
        float, typer.Option(min=0, max=5, help="Further rows with injections and baits, a share.")
    ] = 0.0,
    data_dir: DataDir = None,
) -> None:
    """Make the rows for ``finetune answers`` and print a report of them: from a help centre, from
    --chats and --hub (train, dev and test by article and conversation), or --from-desk."""
    if from_desk:
        from finetune.desk_export import prepare_from_desk

        print(json.dumps(prepare_from_desk(_settings(data_dir), out, preferences)))
        return
    if preferences is not None:
        raise BadInput("--preferences belongs to --from-desk")
    if chats or hub:
        from finetune.chats_prepare import Sources, prepare_chats
        from knowledge_base.quiet import quiet_libraries

        quiet_libraries()
        own = _settings(data_dir)
        sources = Sources(
            tuple(chats or ()),
            tuple(hub or ()),
            tuple(against or ()),
            skip_broken,
            limit,
            augment,
            adversarial,
        )
        found = prepare_chats(own, company or own.company, out, sources, seed)
        print(json.dumps(found, indent=1, ensure_ascii=False))
        return
    from finetune.answers_prepare import Counts, prepare_answers
    from knowledge_base.encoder import EncoderFiles

    settings = _settings(data_dir)
    report = prepare_answers(
        out,
        company=company or settings.company,
        company_name=company_name,
        data_root=data_root,
        seed=seed,
        counts=Counts(company_copies, centre_copies, synthetic, faq, help_articles, articles),
        files=EncoderFiles(settings.encoder, settings.compiled_dir),
        augment=augment,
        adversary=adversarial,
        against=tuple(against or ()),
    )
    print(json.dumps(report, indent=1))


def answers_command(
    data: Annotated[list[Path], typer.Option(help="JSON lines; may be given several times.")],
    out: Annotated[Path, typer.Option(help="Folder of the adapter and its checkpoints.")],
    dev: Annotated[list[Path] | None, typer.Option(help="Rows for the dev loss only.")] = None,
    config: Annotated[Path | None, typer.Option(help="A recipe.toml with [answers].")] = None,
    start: Annotated[
        Path | None, typer.Option(help="An adapter to go on from, instead of a new one.")
    ] = None,
    replay: Annotated[
        list[Path] | None, typer.Option(help="Rows of earlier data, mixed in by replay_share.")
    ] = None,
    resume: Annotated[bool, typer.Option(help="Go on from the last checkpoint.")] = False,
    seed: Annotated[int | None, typer.Option(help="Overrides the recipe's seed.")] = None,
    cpu: Annotated[bool, typer.Option("--cpu", help="Although there is a GPU.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Train an adapter for the answer model. With several GPUs: 'accelerate launch -m finetune
    answers …'."""
    from chatbot.answering.base_model import prepare_base_model
    from finetune.answers import load_recipe, train_answers
    from finetune.answers_rows import read_rows

    recipe = load_recipe(config)
    if resume and not out.exists():
        raise BadInput(f"{out} does not exist: there is nothing to resume")
    rows, dev_rows = read_rows(data), read_rows(dev or [])
    base = prepare_base_model(_settings(data_dir))
    metrics = train_answers(
        recipe,
        rows,
        out,
        base=base,
        dev=dev_rows,
        replay=read_rows(replay or []),
        start=start,
        resume=resume,
        seed=seed,
        cpu=cpu,
    )
    if not metrics:
        return  # another process of this run reports
    curves = ("losses", "dev_losses", "learning_rates", "samples")
    print(json.dumps({k: v for k, v in metrics.items() if k not in curves}, indent=1))
    print(f"written to {out}; serve it with 'python -m finetune promote {out} --as NAME'")


def evaluate_generation_command(
    data: Annotated[list[Path], typer.Option(help="Rows as 'finetune prepare' writes them.")],
    adapter: Annotated[str, typer.Option(help="As CHATBOT_ANSWER_ADAPTER.")] = "default",
    limit: Annotated[int | None, typer.Option(help="Only the first rows.")] = None,
    out: Annotated[Path | None, typer.Option(help="Every answer, as JSON lines.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Judge raw answers, before any gate: right, cited, abstained."""
    from chatbot.answering.choice import load_engine
    from finetune.answers_eval import evaluate
    from finetune.answers_rows import read_rows

    settings = load_settings(data_dir=data_dir, answer_adapter=adapter)
    result = evaluate(read_rows(data)[:limit], load_engine(settings), settings.max_new_tokens)
    answers = result.pop("answers")
    if out is not None:
        lines = (json.dumps(answer, ensure_ascii=False) for answer in answers)
        out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


def _settings(data_dir: Path | None) -> Settings:
    return load_settings(data_dir=data_dir)
