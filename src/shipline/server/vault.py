"""Secrets at rest: a key file beside the database, AES-GCM for what must be read again, digests for tokens.

A backup needs the key file as well as the database; either alone tells nothing.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shipline.server.errors import ServerError

KEY_BYTES = 32
NONCE_BYTES = 12


class Vault:
    """Encrypts and decrypts. `place` says what a value is and whose; it is bound to the value, so that one cannot
    be put in the place of another."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    @classmethod
    def open(cls, path: Path) -> Vault:
        """The vault of a key file, which is made (mode 0600) when it is missing."""
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            key = path.read_bytes()
            if len(key) != KEY_BYTES:
                raise ServerError(f"{path} is no key: it must hold {KEY_BYTES} bytes. Restore it.") from None
            return cls(key)
        with os.fdopen(descriptor, "wb") as file:
            key = secrets.token_bytes(KEY_BYTES)
            file.write(key)
        return cls(key)

    def seal(self, value: str, place: str) -> bytes:
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, value.encode(), place.encode())

    def unseal(self, sealed: bytes, place: str) -> str:
        """Raises ServerError when the key is not the one that the value was sealed with."""
        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place.encode()).decode()
        except InvalidTag:
            raise ServerError(
                f"The {place} cannot be decrypted: the key file is not the one it was encrypted with. Restore it."
            ) from None


def digest(token: str) -> bytes:
    """What is kept of a token. Tokens are long and random, so a plain hash cannot be turned back."""
    return hashlib.sha256(token.encode()).digest()
