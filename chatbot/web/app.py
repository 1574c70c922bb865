"""The web application: builds the context at start, runs the background work, stops cleanly."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from chatbot.access import endpoints as access
from chatbot.access.keys import ADMIN_NAME, WIDGET_NAME, Keys
from chatbot.access.oidc import OpenIdProvider
from chatbot.access.sessions import Sessions
from chatbot.assist import endpoints as assist
from chatbot.company import Company
from chatbot.conversations import endpoints as customer
from chatbot.conversations import staff_endpoints as staff
from chatbot.conversations.office import Office
from chatbot.conversations.runner import TurnRunner
from chatbot.conversations.service import ConversationService
from chatbot.conversations.staff import StaffService
from chatbot.conversations.upkeep import Upkeep
from chatbot.desk import Desk
from chatbot.knowledge import endpoints as knowledge
from chatbot.learning import endpoints as learning
from chatbot.openai_api import endpoints as openai_api
from chatbot.outgoing import endpoints as outgoing
from chatbot.outgoing.dispatcher import Dispatcher
from chatbot.review import endpoints as review
from chatbot.review import lead_endpoints as lead
from chatbot.review.rules import ReviewRules
from chatbot.review.service import ReviewService
from chatbot.settings import Settings
from chatbot.storage.clock import shared_clock
from chatbot.storage.crypto import load_vault
from chatbot.storage.database import Database
from chatbot.web import middleware, operations, pages, problem
from chatbot.web.context import Context
from chatbot.web.limits import RateLimits

log = logging.getLogger(__name__)

EXPOSED = ["Retry-After"]


async def build_office(settings: Settings, company: Company) -> Office:
    """The database must have been migrated before (``chatbot.storage.migrate``)."""
    secret = settings.secret_key.get_secret_value() if settings.secret_key else None
    database = Database(settings.resolved_database_url)
    return Office(
        database=database,
        vault=load_vault(secret, settings.data_dir),
        company=company,
        settings=settings,
        review_rules=ReviewRules(settings, company.texts, settings.company / "review.toml"),
        clock=await shared_clock(database),
    )


async def build_context(settings: Settings, desk: Desk) -> Context:
    office = await build_office(settings, desk.company)
    keys = Keys(office)
    if settings.admin_key is not None:
        await keys.ensure("admin", ADMIN_NAME, settings.admin_key.get_secret_value())
    return Context(
        office=office,
        desk=desk,
        keys=keys,
        limits=RateLimits(settings),
        conversations=ConversationService(office),
        staff=StaffService(office, desk.gate.check_person),
        review=ReviewService(office, desk.gate.check_person, desk.supporting),
        sessions=Sessions(office),
        oidc=OpenIdProvider(settings, office.vault, office.clock) if settings.oidc_issuer else None,
        demo_widget_key=await _demo_widget_key(office, keys),
    )


async def _demo_widget_key(office: Office, keys: Keys) -> str:
    """The demo page's public key, derived from the secret: every worker knows the same one."""
    key = f"dg_widget_{office.vault.digest('demo widget key')}"
    await keys.ensure("widget", WIDGET_NAME, key)
    return key


def create_app(
    settings: Settings, load: Callable[[Settings], Desk], *, run_turns: bool = True
) -> FastAPI:
    """``load`` builds the desk (tests pass their own); called once, when the server starts."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        desk = await asyncio.to_thread(load, settings)
        context = await build_context(settings, desk)
        app.state.context = context
        runner = TurnRunner(context.office, desk)
        upkeep = Upkeep(context.office, context.conversations)
        dispatcher = Dispatcher(context.office)
        hub = context.office.hub
        work = [hub.watch(context.office.database), upkeep.run(), dispatcher.run()]
        if run_turns:
            work.append(runner.run())
        tasks = [asyncio.create_task(job) for job in work]
        for task in tasks:
            task.add_done_callback(_must_not_end)
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await runner.stop()
            await dispatcher.close()
            await desk.close()
            await context.office.database.close()

    app = FastAPI(
        title="deskgate",
        summary="A customer-service chatbot whose every word is gated before delivery.",
        version=version("deskgate"),
        lifespan=lifespan,
    )
    problem.install(app)
    for part in (
        customer.router,
        staff.router,
        review.router,
        lead.router,
        learning.router,
        outgoing.router,
        access.router,
        assist.router,
        openai_api.router,
        knowledge.router,
        operations.router,
        pages.router,
    ):
        app.include_router(part)
    app.mount("/static", pages.SharedStatic(directory=pages.STATIC), name="static")
    app.add_middleware(
        CORSMiddleware,
        allow_origins=list(settings.origins),
        allow_methods=["GET", "POST"],
        allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID"],
        expose_headers=EXPOSED,
    )
    app.add_middleware(middleware.BodyLimit, limit=settings.max_body_bytes)
    return app


def _must_not_end(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        log.critical("background work stopped; restart the server", exc_info=task.exception())
