"""Whom a bearer token names, whichever of the two kinds of service account token it is."""

from __future__ import annotations

from shipline.cluster.api import accountsecrets, tokens
from shipline.cluster.api.call import User
from shipline.cluster.api.tokens import AUDIENCE, LASTING_ISSUER, Lookup, TokenKey


def authenticate(key: TokenKey, token: str, audiences: list[str], look_up: Lookup) -> tuple[User, list[str]] | None:
    """Whom a token names and for which of the audiences it is good; None when it is worth nothing."""
    claims = key.verify(token)
    if claims is None:
        return None
    if claims.get("iss") == LASTING_ISSUER:
        user = accountsecrets.user_of(claims, token, look_up)
        shared = [audience for audience in audiences if audience == AUDIENCE]
    else:
        user = tokens.user_of(claims, look_up)
        shared = [audience for audience in audiences if audience in claims.get("aud", ())]
    return (user, shared) if user is not None else None
