"""A signed-in walk through every main page over HTTP, with nothing but the standard library."""

from __future__ import annotations

import html
import re
import urllib.error
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar

from .steps import SetupError

SAMPLE = "Sample fleet"
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


class Visitor:
    """A browser without a window: cookies, forms, redirects."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))

    def open(self, path: str, telltale: str, form: dict[str, str] | None = None) -> str:
        """The body of a page. Raises SetupError when its status is not 200 or the telltale text is not in it."""
        data = urllib.parse.urlencode(form).encode() if form is not None else None
        try:
            with self._opener.open(urllib.parse.urljoin(self.url, path), data, timeout=30) as answer:
                body: str = answer.read().decode()
        except urllib.error.HTTPError as error:
            raise SetupError(f"{path} answered {error.code} {error.reason}.") from error
        except OSError as error:
            raise SetupError(f"{path} did not answer: {error}.") from error
        if telltale not in html.unescape(body):
            raise SetupError(f"{path} answered without the expected text {telltale!r}.")
        return body

    def sign_in(self, user: str, password: str) -> None:
        """Through the form, as a person does; afterwards the ranking is shown."""
        page = self.open("accounts/login/", "Password")
        token = TOKEN.search(page)
        if token is None:
            raise SetupError("accounts/login/ shows no form to sign in with.")
        form = {"username": user, "password": password, "csrfmiddlewaretoken": token.group(1)}
        self.open("accounts/login/", "Sign out", form)


def walk(visitor: Visitor) -> int:
    """Open every main page. Returns how many. Raises SetupError."""
    python = visitor.open("?runtime=python", "Python")
    service, dockerfile = _first_suggestion(visitor, python)
    registry = _first(r'href="/(admin/fleet/registry/\d+/change/)', visitor.open("admin/fleet/registry/", SAMPLE))
    pages = {
        "": "Ranking",
        "?sort=-unpacked": "Ranking",
        "?search=shop": "shop/",
        "?policy=fail": "Over policy",
        "ranking.csv": "savings_compressed_bytes",
        service: "Findings",
        dockerfile: "FROM ",
        "registries/": SAMPLE,
        _first(r'href="/(registries/\d+/)"', visitor.open("registries/", SAMPLE)): SAMPLE,
        "scans/": SAMPLE,
        _first(r'href="/(scans/\d+/)"', visitor.open("scans/", SAMPLE)): SAMPLE,
        "policies/": "Policies",
        "admin/": "Registries",
        registry: SAMPLE,
    }
    for path, telltale in pages.items():
        visitor.open(path, telltale)
    return len(pages)


def _first_suggestion(visitor: Visitor, ranking: str) -> tuple[str, str]:
    """(page of a service, its Dockerfile): the heaviest saver that has one to download."""
    for service in re.findall(r'href="/(services/\d+/)"', ranking):
        found = re.search(r'href="/(suggestions/\d+/Dockerfile)"', visitor.open(service, "Suggested Dockerfile"))
        if found:
            return service, found.group(1)
    raise SetupError("No Python service of the sample offers a Dockerfile.")


def _first(pattern: str, body: str) -> str:
    found = re.search(pattern, body)
    if found is None:
        raise SetupError(f"On the way through the pages nothing matched {pattern}.")
    return found.group(1)
