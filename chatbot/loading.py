"""Builds the ``Desk`` from the settings: every model is loaded here, once per process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

from chatbot.answering.composer import Composer
from chatbot.answering.live import LiveEngine
from chatbot.answering.prompt import instructions
from chatbot.answering.trial_engine import TrialEngine
from chatbot.company import load_company
from chatbot.desk import Desk
from chatbot.errors import SetupError
from chatbot.routing.company_entities import CompanyEntities
from chatbot.routing.language import detect_language
from chatbot.routing.model import RouterModel
from chatbot.routing.policy import RoutePolicy
from chatbot.safety.canary import new_canary
from chatbot.safety.checks import LeakCheck, RulesCheck, ToxicityCheck
from chatbot.safety.classifiers import Heads
from chatbot.safety.gate import Gate
from chatbot.safety.grounding import GroundingCheck, load_grounding
from chatbot.safety.moderation import load_moderator
from chatbot.safety.passages import PassageGuard
from chatbot.safety.pii_national import load_recognisers
from chatbot.safety.pii_tagger import PersonalTagger
from chatbot.safety.policy import Policy
from chatbot.safety.screen import Screen
from chatbot.safety.screen_encoder import ScreenEncoder
from chatbot.settings import Settings
from chatbot.workers import Workers
from knowledge_base.encoder import EncoderFiles, TransformerEncoder
from knowledge_base.mapped import give_back_memory
from knowledge_base.opening import open_retriever
from knowledge_base.quiet import quiet_libraries
from knowledge_base.warming import Warming


def load_desk(settings: Settings) -> Desk:
    """Loads every model. Takes seconds (a minute on the first start). Raises SetupError."""
    quiet_libraries()
    load_recognisers()  # hides libraries while it imports, so not beside other imports
    with ThreadPoolExecutor(1) as beside:
        engine = beside.submit(TrialEngine.from_settings, settings)
        try:
            desk = _load(settings, engine.result)
            give_back_memory()
            return desk
        except BaseException:
            if engine.exception() is None:
                asyncio.run(engine.result().close())
            raise


def _load(settings: Settings, engine_loaded: Callable[[], TrialEngine | LiveEngine]) -> Desk:
    """``engine_loaded`` waits for what is loaded meanwhile, in a process of its own as a rule."""
    company = load_company(settings.company)
    routes_file = _company_file(settings.company, "routes.toml")
    policy_file = _company_file(settings.company, "policy.toml")
    files = EncoderFiles(settings.encoder, settings.compiled_dir)
    encoder = TransformerEncoder(files)
    workers = Workers()
    policy = Policy.load(policy_file)
    reader = ScreenEncoder(encoder)
    heads = Heads.load(encoder=reader)
    detect_language("Wo ist mein Paket?")  # its tables take 0.1 s, which no customer should wait
    moderator = load_moderator(settings)
    router = RouterModel.load(encoder=files)
    own_names = (company.name, company.bot_name)
    tagger = PersonalTagger.load(files, own_names=own_names)
    grounding = load_grounding(encoder, files, own_names)
    retriever = open_retriever(settings, encoder)
    # An article of "until 30 November" goes at the company's midnight, wherever the server stands.
    retriever.today = lambda: datetime.now(company.timezone).date()
    engine = engine_loaded()
    canary = new_canary()
    company_entities = CompanyEntities.load(
        settings.company / "entities.toml", (company.language, "en")
    )
    checks = (
        ToxicityCheck(moderator, policy),
        GroundingCheck(grounding),
        LeakCheck(
            instructions(company.name),
            policy,
            (company.contact, *company.texts.values()),
            canary,
            company_entities.find,
        ),
        RulesCheck(policy, company.allowed_domains),
    )
    return Desk(
        company=company,
        workers=workers,
        encoder=encoder,
        router=router,
        routes=RoutePolicy.load(
            routes_file,
            bands=router.bands,
            intents=router.intents,
            templates=company.texts.keys(),
        ),
        company_entities=company_entities,
        screener=Screen(
            reader, moderator.scorer, moderator, policy, detect_language, heads, tagger
        ),
        passage_guard=PassageGuard(heads, reader),
        policy=policy,
        retriever=retriever,
        engine=engine,
        composer=Composer(
            engine, company.name, settings.max_new_tokens, settings.turn_deadline_s, canary
        ),
        gate=Gate(checks, workers, settings.check_deadline_s),
        grounding=grounding,
        moderator=moderator,
        stage_deadline_s=settings.stage_deadline_s,
        warming=Warming.started(retriever),
        rewords=settings.rewords,
    )


def _company_file(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.is_file():
        raise SetupError(
            f"{path} does not exist; make a company folder with: python -m chatbot init DIR"
        )
    return path
