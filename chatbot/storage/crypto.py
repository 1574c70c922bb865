"""Keys outside the database: encryption of text at rest, audit chains, token hashes.

One secret (``CHATBOT_SECRET_KEY`` or a generated file, mode 0600) is expanded by HKDF
(RFC 5869) into a key for each purpose, so that no purpose can be used for another.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from chatbot.errors import SetupError

MINIMUM_SECRET_BYTES = 32
_NONCE_BYTES = 12  # AES-GCM, NIST SP 800-38D


class Vault:
    """Seals and opens text, signs audit rows and hashes tokens under one secret."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) < MINIMUM_SECRET_BYTES:
            raise SetupError(
                f"CHATBOT_SECRET_KEY has {len(secret)} bytes; at least {MINIMUM_SECRET_BYTES} "
                "are needed (for example the output of: openssl rand -hex 32)"
            )
        self._aead = AESGCM(self._derive(secret, b"deskgate text at rest"))
        self._audit_key = self._derive(secret, b"deskgate audit chain")
        self._token_key = self._derive(secret, b"deskgate token hash")

    @staticmethod
    def _derive(secret: bytes, purpose: bytes) -> bytes:
        return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(secret)

    def seal(self, text: str, context: str) -> bytes:
        """Encrypts ``text``; ``context`` (the row it belongs to) must be given again to open."""
        nonce = os.urandom(_NONCE_BYTES)
        data = text.encode("utf-8", "surrogatepass")
        return nonce + self._aead.encrypt(nonce, data, context.encode())

    def open(self, sealed: bytes, context: str) -> str:
        """The text. Raises SetupError when the key is another one or the row was altered."""
        nonce, data = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            return self._aead.decrypt(nonce, data, context.encode()).decode(
                "utf-8", "surrogatepass"
            )
        except InvalidTag:
            raise SetupError(
                f"the stored text of {context} does not open with this secret key; "
                "start with the CHATBOT_SECRET_KEY or secret.key that wrote it"
            ) from None

    def seal_json(self, value: Any, context: str) -> bytes:
        return self.seal(json.dumps(value, ensure_ascii=True), context)

    def open_json(self, sealed: bytes | None, context: str, default: Any = None) -> Any:
        return default if sealed is None else json.loads(self.open(sealed, context))

    def audit_mac(self, previous: str, row: str) -> str:
        """Hex HMAC-SHA256 that chains one audit row to the one before it."""
        return hmac.new(self._audit_key, f"{previous}\n{row}".encode(), hashlib.sha256).hexdigest()

    def hash_token(self, token: str) -> str:
        return hmac.new(self._token_key, token.encode(), hashlib.sha256).hexdigest()

    def digest(self, text: str) -> str:
        """Keyed hash of a text for audit rows: equal texts compare, nothing can be guessed."""
        data = text.encode("utf-8", "surrogatepass")
        return hmac.new(self._audit_key, data, hashlib.sha256).hexdigest()[:32]


def load_vault(secret: str | None, data_dir: Path) -> Vault:
    """The vault under ``secret``, or under ``data_dir/secret.key``, made on first use."""
    if secret is not None:
        return Vault(secret.encode())
    path = data_dir / "secret.key"
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return Vault(path.read_bytes().strip())
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_hex(32).encode())
            file.flush()
            os.fsync(file.fileno())
        return Vault(path.read_bytes().strip())
    except OSError as error:
        raise SetupError(
            f"cannot read or write {path}: {error.strerror}; "
            "set CHATBOT_DATA_DIR to a folder that this user may write"
        ) from None
