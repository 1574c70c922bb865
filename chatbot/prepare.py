"""First-run preparation: schema, models, knowledge, the first admin key. Later runs skip it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass

from chatbot.access.keys import ADMIN_NAME, Keys
from chatbot.answering.choice import prepare_engine
from chatbot.company import load_company
from chatbot.conversations.office import Office
from chatbot.errors import SetupError
from chatbot.knowledge.service import SOURCE
from chatbot.safety.checkpoint import prepare_toxicity
from chatbot.settings import Settings
from chatbot.storage.crypto import load_vault
from chatbot.storage.database import Database
from chatbot.storage.migrate import migrate
from knowledge_base.encoder import EncoderFiles, EncoderNotFound, TransformerEncoder
from knowledge_base.errors import KnowledgeError, NoSnapshot, NothingToRead
from knowledge_base.quiet import quiet_libraries
from knowledge_base.store import open_store
from knowledge_base.sync import sync_path

NEEDED_BYTES = 1_900_000_000  # base, merged model, checkpoint, temporary copies, room to write


@dataclass(frozen=True)
class Prepared:
    company: str
    admin_key: str | None
    """Only when it was made now."""


async def prepare(settings: Settings, say: Callable[[str], None] = lambda text: None) -> Prepared:
    """Raises SetupError in one line for whatever stands in the way."""
    company = load_company(settings.company)
    check_room(settings)
    migrate(settings.resolved_database_url, settings.data_dir)
    prepare_models(settings, say)
    secret = settings.secret_key.get_secret_value() if settings.secret_key else None
    database = Database(settings.resolved_database_url)
    try:
        vault = load_vault(secret, settings.data_dir)
        keys = Keys(Office(database, vault, company, settings))
        given = settings.admin_key is not None  # each worker then makes sure that it is known
        admin_key = None if given else await keys.ensure("admin", ADMIN_NAME)
    finally:
        await database.close()
    return Prepared(company.name, admin_key)


def prepare_models(settings: Settings, say: Callable[[str], None]) -> None:
    """Answer model, toxicity checkpoint and the first snapshot. Raises SetupError."""
    quiet_libraries()
    if settings.engine != "openai":
        say("answer model")
        prepare_engine(settings)
    say("toxicity checkpoint")
    prepare_toxicity(settings)
    _knowledge(settings, say)


def check_room(settings: Settings) -> None:
    """Raises SetupError if the data directory cannot be written or its disk is full."""
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        probe = settings.data_dir / ".writable"
        probe.touch()
        probe.unlink()
        free = shutil.disk_usage(settings.data_dir).free
    except OSError as error:
        raise SetupError(
            f"the data directory {settings.data_dir} cannot be written: {error.strerror}; "
            "set CHATBOT_DATA_DIR to a folder that this user may write"
        ) from None
    prepared = (settings.data_dir / "models").exists()
    if not prepared and free < NEEDED_BYTES:
        raise SetupError(
            f"{settings.data_dir} has {free / 1e9:.1f} GB free; the first start needs "
            f"{NEEDED_BYTES / 1e9:.1f} GB"
        )


def _knowledge(settings: Settings, say: Callable[[str], None]) -> None:
    """The company's own articles on the very first start; afterwards the support lead syncs."""
    store = open_store(settings)
    try:
        store.current()
        return
    except NoSnapshot:
        pass
    except KnowledgeError as error:
        raise SetupError(str(error)) from None
    articles = settings.company / "articles"
    say(f"help articles of {articles}")
    try:
        encoder = TransformerEncoder(EncoderFiles(settings.encoder, settings.compiled_dir))
        report = sync_path(store, encoder, articles, source=SOURCE)
    except (KnowledgeError, NothingToRead, EncoderNotFound) as error:
        raise SetupError(str(error)) from None
    for failure in report.failed:
        say(f"not read: {failure}")
