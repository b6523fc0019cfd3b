"""Text from images made fit to show: build steps without the secrets that leaked into them, nothing that drives a
terminal.

BuildKit and the legacy builder write build arguments into history as ``|2 TOKEN=abc FOO=x /bin/sh -c …``, so a token
that was passed with ``--build-arg`` can be read by everybody who can pull. Their values are never shown.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

MASK = "…"
_MAX_CHARACTERS = 2_000
# Read more than is shown, so that a secret is seen whole where the text is cut; every pattern below is bounded.
_READ_CHARACTERS = 8_000

_VALUE = r"""(?:"[^"]{0,4000}"?|'[^']{0,4000}'?|[^\s"';&|]{1,4000})"""
_ARGUMENTS = re.compile(r"(?:^|(?<=\s))\|(\d{1,3})\s")
_SHELL = re.compile(r"\s(?=/\S{1,100}\s+(?:-\S{1,20}\s+(?:pipefail\s+)?){0,3}-\w{0,5}c\s|(?:cmd|powershell|pwsh)\b)")
_KEY = re.compile(r"(?:^|(?<=\s))([A-Za-z_]\w{0,100})=")
_URL_USER = re.compile(r"(://)[^\s/@\"']{1,500}@")
_OPTION = re.compile(rf"(?<!\S)(--?[A-Za-z][\w-]{{0,60}})(=|\s{{1,5}})({_VALUE})")
_ASSIGNMENT = re.compile(rf"(?<![\w.-])([\w.-]{{1,100}})(\s?[=:](?!=\d)\s?)({_VALUE})")
# ``ENV NAME value``, which may hold spaces, and the options of tools that take a password next to their name.
_SPACED = re.compile(r"(?<=\bENV\s)\s{0,5}([\w.-]{1,100})(\s{1,5})(?!=)([^\n]{1,4000})")
_PASSWORD_OPTION = re.compile(
    r"(\b(?:sshpass\s{1,5}-p\s{0,5}|mysql(?:dump|admin)?\s(?:[^\s;&|]{1,100}\s){0,10}-p))[^\s;&|]{1,500}"
)
_AUTHORIZATION = re.compile(
    r"(?i)\b((?:proxy-)?authorization\s?[:=]\s?(?:(?:bearer|basic|token)\s{1,5})?)[^\s\"']{1,4000}"
)
_BEARER = re.compile(r"(?i)\b(bearer\s{1,5})[\w.~+/=-]{8,4000}")
_USER = re.compile(r"(?<!\S)(-u|--user)(=|\s{0,5})([^\s:\"']{1,200}):[^\s\"']{1,500}")
_KNOWN = re.compile(
    r"\b(?:(?:AKIA|ASIA)[0-9A-Z]{16}|gh[pousr]_\w{20,255}|github_pat_\w{20,255}|glpat-[\w-]{15,255}|npm_\w{30,64}"
    r"|xox[abprs]-[\w-]{10,255}|sk-[\w-]{20,255}|pypi-[\w-]{20,500}|AIza[\w-]{30,50}|dckr_pat_[\w-]{20,64}"
    r"|hvs\.[\w-]{20,255}|eyJ[\w-]{8,2000}\.[\w-]{8,4000}(?:\.[\w-]{0,2000})?)"
)
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----")
_SECRET_NAMES = (
    "password", "passwd", "passphrase", "secret", "token", "apikey", "accesskey", "privatekey", "credential", "authkey",
)  # fmt: skip
# To mask too much does no harm, to cry wolf does: what is called a secret has a name that ends in one, unlike
# TOKEN_FILE, TOKENIZERS_PARALLELISM or --password-stdin, and a value that could be one.
_SECRET = re.compile(
    r"(?:password|passwd|passphrase|secret|token|credentials?|(?:api|access|private|auth|encryption|signing)[_-]?key"
    r"|secret[_-]?key(?:[_-]?base)?|(?:^|[_.-])(?:pass|pwd))\d{0,3}$"
)
_HARMLESS = ("/", "$", "<", "{", "http:", "https:", "file:", MASK)
_PLACEHOLDERS = frozenset(
    {"true", "false", "yes", "no", "on", "off", "none", "null", "nil", "enabled", "disabled", "changeme", "change-me"}
    | {"change_me", "dummy", "placeholder", "example", "unset", "unused", "todo", "fake"}
)
_PASSWORD_IN_URL = re.compile(r"://[^\s/@:\"']{0,200}:(?![$<{*])[^\s/@\"']{1,500}@")
_LOGIN = re.compile(r"(?<!\S)(?:-u|--user)(?:=|\s{0,5})[^\s:\"'$]{1,200}:(?![$\d])[^\s\"']{1,500}")
_SHAPES = (
    (_KNOWN, "A token"),
    (_PRIVATE_KEY, "A private key"),
    (_PASSWORD_IN_URL, "A password in an address"),
    (_LOGIN, "A password after -u"),
)


def redact(created_by: str) -> str:
    """A build step as it may be shown: secrets masked, control characters escaped, at most 2,000 characters.

    Build arguments lose every value. Elsewhere values go that are named as secrets, or that look like one.
    """
    text = _mask_arguments(created_by[:_READ_CHARACTERS])
    if _PRIVATE_KEY.search(text):
        text = _PRIVATE_KEY.split(text, maxsplit=1)[0] + MASK
    text = _AUTHORIZATION.sub(rf"\1{MASK}", text)
    text = _BEARER.sub(rf"\1{MASK}", text)
    text = _URL_USER.sub(rf"\1{MASK}@", text)
    text = _USER.sub(rf"\1\2\3:{MASK}", text)
    text = _PASSWORD_OPTION.sub(rf"\1{MASK}", text)
    text = _SPACED.sub(_mask_if_secret, text)
    text = _OPTION.sub(_mask_if_secret, text)
    text = _ASSIGNMENT.sub(_mask_if_secret, text)
    text = escape_controls(_KNOWN.sub(MASK, text))
    return text if len(text) <= _MAX_CHARACTERS else text[: _MAX_CHARACTERS - 1] + "…"


def escape_controls(text: str) -> str:
    """Text whose control, direction and undecodable characters are spelt out, for example ``\\x1b``."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_spell_out(char) if unicodedata.category(char) in _UNFIT else char for char in text)


_UNFIT = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def _spell_out(char: str) -> str:
    if "\udc80" <= char <= "\udcff":  # a byte that was not UTF-8, kept by surrogateescape
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char.encode("unicode_escape").decode("ascii")


def _mask_arguments(text: str) -> str:
    start = _ARGUMENTS.search(text)
    if start is None:
        return text
    shell = _SHELL.search(text, start.end() - 1)
    arguments = text[start.end() : shell.start() if shell else len(text)]
    keys = _KEY.findall(arguments)
    # More keys than the count says: a value holds spaces and what looks like a key is part of it.
    shown = [f"{key}={MASK}" for key in keys] if len(keys) == int(start.group(1)) else [MASK]
    rest = text[shell.start() :] if shell else ""
    return f"{text[: start.start()]}|{start.group(1)} {' '.join(shown)}{rest}"


def _mask_if_secret(match: re.Match[str]) -> str:
    return f"{match.group(1)}{match.group(2)}{MASK}" if _names_secret(match.group(1)) else match.group(0)


def _names_secret(text: str) -> bool:
    """Whatever ``secret_names`` would call one, and more: to mask too much does no harm."""
    name = re.sub(r"[^a-z]", "", text.lower())
    return (
        any(word in name for word in _SECRET_NAMES) or name.endswith(("auth", "pwd", "pass")) or _is_called_secret(text)
    )


def _is_called_secret(name: str) -> bool:
    return _SECRET.search(name[-100:].lower()) is not None


def is_secret(name: str, value: str) -> bool:
    """Whether a variable holds a secret: its name says so and its value could be one, or its value has the shape of a
    token, a key or an address with a password. A path, a reference to another variable, a number, a switch or a
    placeholder is none."""
    value = value[:_READ_CHARACTERS].strip("\"'")
    if any(shape.search(value) for shape in (_KNOWN, _PRIVATE_KEY, _PASSWORD_IN_URL)):
        return True
    return _holds_named_secret(name, value)


def _holds_named_secret(name: str, value: str) -> bool:
    value = value.strip("\"'")
    harmless = value.startswith(_HARMLESS) or value.lower() in _PLACEHOLDERS or value.replace(".", "").isdigit()
    return bool(value) and not harmless and _is_called_secret(name)


def secret_names(created_by: str) -> tuple[str, ...]:
    """The names under which a build step was given secrets: build arguments, assignments, options; where it has none,
    what kind of secret it is. Never a value."""
    text = created_by[:_READ_CHARACTERS]
    names = [name for name, value in _arguments(text) if is_secret(name, value)]
    patterns = (_SPACED, _ASSIGNMENT, _OPTION)
    pairs = ((match[1], match[3]) for pattern in patterns for match in pattern.finditer(text))
    names += (name.lstrip("-") for name, value in pairs if _holds_named_secret(name, value))
    return tuple(dict.fromkeys(names or (kind for shape, kind in _SHAPES if shape.search(text))))


def _arguments(text: str) -> Iterator[tuple[str, str]]:
    """The build arguments that stand before a step, ``|2 TOKEN=abc FOO=x /bin/sh -c …``. A value with spaces is cut."""
    start = _ARGUMENTS.search(text)
    if start is not None:
        shell = _SHELL.search(text, start.end() - 1)
        for word in text[start.end() : shell.start() if shell else len(text)].split():
            name, equals, value = word.partition("=")
            if equals and name.isidentifier():
                yield name, value
