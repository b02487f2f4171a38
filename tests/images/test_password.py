import pytest

from shipline.images import ImageError, password


def test_a_line_matches_its_user_and_password():
    line = password.line("robot", "s3cret Pass")
    assert line.startswith("robot:$2b$") and "s3cret" not in line
    assert password.matches(line, "robot", "s3cret Pass")
    assert not password.matches(line, "robot", "wrong")
    assert not password.matches(line, "someone", "s3cret Pass")
    assert not password.matches("nonsense", "robot", "s3cret Pass")


@pytest.mark.parametrize(
    "user, secret, words",
    [
        ("", "secret", "cannot be a registry's user name"),
        ("a:b", "secret", "'a:b' cannot be a registry's user name"),
        ("robot", "", "password of the registry user 'robot' is empty"),
        ("robot", "x" * 73, "at most 72 bytes"),
        ("robot", "two\nlines", "on one line"),
    ],
)
def test_what_cannot_be_used_is_said_without_the_password(user, secret, words):
    with pytest.raises(ImageError, match=words) as refused:
        password.line(user, secret)
    assert not secret or secret not in str(refused.value)
