"""Command line: ``python -m chatbot ask | init | keys | moderate | audit | erase | …``."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from chatbot.errors import BadInput, DeskgateError, SetupError
from chatbot.settings import Settings, load_settings
from chatbot.types import Side

if TYPE_CHECKING:
    from chatbot.access.keys import Keys

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

T = TypeVar("T")
app = typer.Typer(
    help="One turn in the terminal, company folders, keys, moderation, audit.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
keys_app = typer.Typer(help="API keys: shown once, stored hashed.", no_args_is_help=True)
routes_app = typer.Typer(help="The declared routes of a company.", no_args_is_help=True)
policy_app = typer.Typer(help="The moderation policy of a company.", no_args_is_help=True)
audit_app = typer.Typer(help="The audit trail.", no_args_is_help=True)
app.add_typer(keys_app, name="keys")
app.add_typer(routes_app, name="routes")
app.add_typer(policy_app, name="policy")
app.add_typer(audit_app, name="audit")
webhooks_app = typer.Typer(help="Outgoing webhooks: dead letters.", no_args_is_help=True)
app.add_typer(webhooks_app, name="webhooks")

DataDir = Annotated[Path | None, typer.Option("--data-dir", help="instead of CHATBOT_DATA_DIR")]


@app.command()
def ask(
    text: str,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object")] = False,
    data_dir: DataDir = None,
) -> None:
    """One turn in the terminal: intent, entities, citations, verdict."""
    from chatbot.ask import ask_once, render

    settings = load_settings(data_dir=data_dir)
    found = asyncio.run(ask_once(settings, text))
    typer.echo(json.dumps(found, ensure_ascii=False, indent=2) if as_json else render(found))


@app.command()
def init(directory: Path) -> None:
    """A folder for a real company: company.toml, routes.toml, policy.toml, review.toml,
    articles/."""
    from chatbot.init import init_company

    init_company(directory)
    typer.echo(f"{directory} is ready. Edit company.toml, put your help articles into")
    typer.echo(f"{directory / 'articles'}, then: make serve COMPANY={directory}")


@app.command()
def moderate(
    text: Annotated[str, typer.Argument(help="a text; a file or - for one per line")],
    as_json: Annotated[bool, typer.Option("--json")] = False,
    side: Annotated[Side, typer.Option("--as", help="whose words")] = Side.BOT,
    policy: Annotated[
        Path | None, typer.Option(help="another policy.toml: only rows whose verdict differs")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Safety scores of a text, or one JSON line per input line, and what policy.toml makes of
    them; or what another policy would change."""
    from chatbot.safety.comparison import compare_command, lines_of
    from chatbot.safety.moderation import load_moderator, moderate_command
    from chatbot.safety.policy_rules import read_rules

    settings = load_settings(data_dir=data_dir)
    lines = lines_of(text)
    if policy is not None:
        compare_command(
            settings, policy, text, side=side, as_json=as_json, write=typer.echo, lines=lines
        )
        return
    text = text if lines is None else "-"
    rules = read_rules(settings.company / "policy.toml")
    moderate_command(load_moderator(settings, rules), text, side=side, as_json=as_json, lines=lines)


@keys_app.command("create")
def keys_create(
    role: Annotated[str, typer.Option(help="widget, agent, reviewer or admin")],
    name: Annotated[
        str, typer.Option(help="who uses it; agents' names are shown to customers")
    ] = "",
    days: Annotated[float | None, typer.Option(help="expires after this many days")] = None,
    data_dir: DataDir = None,
) -> None:
    """Makes a key and shows it once."""

    async def create(settings: Settings) -> tuple[str, str]:
        async with _keys(settings) as keys:
            return await keys.create(role, name or role, days)

    key_id, key = _with_settings(data_dir, create)
    typer.echo(f"{key_id}  {role}\n{key}")


@keys_app.command("list")
def keys_list(data_dir: DataDir = None) -> None:
    """Ids, roles and states; never the keys themselves."""

    async def listed(settings: Settings) -> list[tuple[str, ...]]:
        async with _keys(settings) as keys:
            now = datetime.now(UTC).timestamp()
            return [
                (
                    row.id,
                    row.role,
                    row.name,
                    datetime.fromtimestamp(row.created_at, UTC).strftime("%Y-%m-%d"),
                    "revoked"
                    if row.revoked_at
                    else "expired"
                    if row.expires_at and row.expires_at < now
                    else "valid",
                )
                for row in await keys.listed()
            ]

    for row in _with_settings(data_dir, listed):
        typer.echo("  ".join(row))


@keys_app.command("revoke")
def keys_revoke(key_id: str, data_dir: DataDir = None) -> None:
    """The key stops working at once."""

    async def revoke(settings: Settings) -> None:
        async with _keys(settings) as keys:
            await keys.revoke(key_id)

    _with_settings(data_dir, revoke)
    typer.echo(f"{key_id} is revoked")


@routes_app.command("test")
def routes_test(
    file: Annotated[
        Path | None, typer.Argument(help="default: routes_test.toml of the company's folder")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Checks stated cases, "this message, this route"; exit status 1 when one does not hold."""
    from chatbot.routing.cases import run_cases

    wrong, count = run_cases(load_settings(data_dir=data_dir), file, typer.echo)
    typer.echo(f"{count} cases, {wrong} wrong")
    if wrong:
        raise typer.Exit(1)


@routes_app.command("survey")
def routes_survey(file: Path, data_dir: DataDir = None) -> None:
    """Where a JSONL file of questions would go, and which of them not where they should."""
    from chatbot.routing.survey import survey

    counts = survey(load_settings(data_dir=data_dir), file, typer.echo)
    for (expected, action), count in sorted(counts.items()):
        typer.echo(f"{count:5} {expected or 'question'} -> {action}")


@policy_app.command("test")
def policy_test(
    file: Annotated[
        Path | None, typer.Argument(help="default: policy.toml of the company's folder")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Runs the [[tests]] of policy.toml; exit status 1 when one does not hold."""
    from chatbot.safety.policy_cases import run_cases

    wrong, count = run_cases(load_settings(data_dir=data_dir), file, typer.echo)
    typer.echo(f"{count} tests, {wrong} wrong")
    if wrong:
        raise typer.Exit(1)


@audit_app.command("verify")
def audit_verify(
    heads: Annotated[
        Path | None, typer.Option(help="an export of 'audit heads', to find what was cut off")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Checks every audit chain; exit status 1 when one is broken."""
    from chatbot.storage import audit

    promised = None if heads is None else _json_file(heads)

    async def verify(settings: Settings) -> tuple[int, list[audit.Break]]:
        async with _keys(settings) as keys, keys.office.database.read() as session:
            return await audit.verify(session, keys.office.vault, promised)

    rows, breaks = _with_settings(data_dir, verify)
    for found in breaks:
        typer.echo(f"{found.chain}: row {found.sequence}: {found.reason}", err=True)
    typer.echo(f"{rows} rows, {len(breaks)} broken chains")
    if breaks:
        raise typer.Exit(1)


@audit_app.command("heads")
def audit_heads(
    out: Annotated[Path, typer.Option(help="where to write; keep it on another machine")],
    data_dir: DataDir = None,
) -> None:
    """Exports the newest row of each chain, signed."""
    from chatbot.storage import audit

    async def export(settings: Settings) -> dict[str, Any]:
        async with _keys(settings) as keys, keys.office.database.read() as session:
            return await audit.export_heads(session, keys.office.vault, keys.office.clock())

    found = _with_settings(data_dir, export)
    out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    typer.echo(f"{len(found['chains'])} chains in {out}")


@webhooks_app.command("list")
def webhooks_list(
    state: Annotated[str, typer.Option(help="waiting, delivered, skipped, dead or all")] = "dead",
    data_dir: DataDir = None,
) -> None:
    """Deliveries with their last error, newest first."""
    from chatbot.outgoing.service import Deliveries

    async def listed(settings: Settings) -> dict[str, Any]:
        async with _keys(settings) as keys:
            return await Deliveries(keys.office).listed(None if state == "all" else state)

    for row in _with_settings(data_dir, listed)["deliveries"]:
        error = row["last_error"] or ""
        typer.echo(f"{row['id']}  {row['kind']}  {row['state']}  {row['attempts']}x  {error}")


@webhooks_app.command("replay")
def webhooks_replay(
    delivery_id: Annotated[str, typer.Argument(help="an id, or 'all' dead letters")],
    data_dir: DataDir = None,
) -> None:
    """Sends dead letters again; a running server does it within seconds."""
    from chatbot.outgoing.service import Deliveries

    async def replay(settings: Settings) -> int:
        async with _keys(settings) as keys:
            which = None if delivery_id == "all" else delivery_id
            return await Deliveries(keys.office).replay(which, "operator")

    typer.echo(f"{_with_settings(data_dir, replay)} deliveries will be sent again")


@app.command()
def erase(
    conversation: Annotated[str | None, typer.Option(help="id of one conversation")] = None,
    customer: Annotated[str | None, typer.Option(help="id or e-mail of a customer")] = None,
    data_dir: DataDir = None,
) -> None:
    """Erases the text of a conversation, or of all conversations of a customer."""
    from chatbot.conversations.erasure import Erasure

    if (conversation is None) == (customer is None):
        raise BadInput("give either --conversation ID or --customer ID-OR-E-MAIL")

    async def erased(settings: Settings) -> list[str]:
        async with _keys(settings) as keys:
            erasure = Erasure(keys.office)
            if conversation is None:
                return await erasure.customer(customer or "", "operator")
            await erasure.conversation(conversation, "operator")
            return [conversation]

    for conversation_id in _with_settings(data_dir, erased):
        typer.echo(f"{conversation_id} is erased")


@app.command()
def consent(
    training: Annotated[bool, typer.Option("--give/--refuse", help="may decisions be learnt from")],
    conversation: Annotated[str | None, typer.Option(help="id of one conversation")] = None,
    customer: Annotated[str | None, typer.Option(help="id or e-mail of a customer")] = None,
    data_dir: DataDir = None,
) -> None:
    """Records a customer's word on becoming training examples: --refuse or --give."""
    from chatbot.conversations.customers import conversations_of
    from chatbot.conversations.service import ConversationService

    if (conversation is None) == (customer is None):
        raise BadInput("give either --conversation ID or --customer ID-OR-E-MAIL")

    async def recorded(settings: Settings) -> list[str]:
        async with _keys(settings) as keys:
            found = [conversation or ""]
            if conversation is None:
                found = await conversations_of(keys.office, customer or "")
            service = ConversationService(keys.office)
            for conversation_id in found:
                await service.consent(conversation_id, training, "operator")
            return found

    for conversation_id in _with_settings(data_dir, recorded):
        typer.echo(f"{conversation_id}: {'may be' if training else 'is not'} learnt from")


@app.command()
def gaps(
    days: Annotated[float, typer.Option(help="how far back")] = 30.0,
    limit: Annotated[int, typer.Option()] = 20,
    as_json: Annotated[bool, typer.Option("--json")] = False,
    data_dir: DataDir = None,
) -> None:
    """Frequent questions that no help article answers, with examples."""
    from chatbot.learning.gaps import find_gaps, load_embed, render

    async def found(settings: Settings) -> dict[str, Any]:
        async with _keys(settings) as keys:
            return await find_gaps(keys.office, load_embed(settings), days, limit)

    report = _with_settings(data_dir, found)
    typer.echo(json.dumps(report, ensure_ascii=False, indent=2) if as_json else render(report))


def _json_file(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SetupError(f"{path} cannot be read: {error}") from None


def _keys(settings: Settings) -> AbstractAsyncContextManager[Keys]:
    from chatbot.access.session import open_keys

    return open_keys(settings)


def _with_settings(data_dir: Path | None, work: Callable[[Settings], Coroutine[Any, Any, T]]) -> T:
    return asyncio.run(work(load_settings(data_dir=data_dir)))


def main() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        app()
    except DeskgateError as error:
        typer.echo(f"error: {error.detail}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
