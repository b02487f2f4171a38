"""A registry's one user and password, in the only form that the registry accepts: htpasswd with bcrypt."""

from shipline.images.errors import ImageError

LONGEST = 72  # bytes; bcrypt reads no further


def line(user: str, password: str) -> str:
    """The htpasswd line for a user; `ImageError` when the name or the password cannot be used."""
    import bcrypt

    if not user or ":" in user or not user.isprintable():
        raise ImageError(f"'{user}' cannot be a registry's user name: it must not be empty or hold a colon")
    secret = password.encode()
    if not secret:
        raise ImageError(f"the password of the registry user '{user}' is empty; give it on standard input")
    if len(secret) > LONGEST or b"\n" in secret or b"\0" in secret:
        raise ImageError(
            f"the password of the registry user '{user}' cannot be used: at most {LONGEST} bytes on one line"
        )
    return f"{user}:{bcrypt.hashpw(secret, bcrypt.gensalt(10)).decode()}\n"


def matches(existing: str, user: str, password: str) -> bool:
    """Whether an htpasswd line is of this user with this password: then it need not be replaced."""
    import bcrypt

    name, _, hashed = existing.strip().partition(":")
    try:
        return name == user and bcrypt.checkpw(password.encode(), hashed.encode())
    except ValueError:
        return False
