"""What the fields of a registry's form must be, alone and together. Each check gives what is wrong as
(field, sentence)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from fleet.admin.pem import check_key, check_pair
from fleet.models import Registry
from fleet.oci.aws import AccessKey
from fleet.oci.ecr import EcrRegistry
from fleet.oci.errors import RegistryError
from fleet.oci.listings import listing as provider_listing
from fleet.oci.origin import registry_origins
from fleet.oci.reference import is_repository
from fleet.scanning.tags import check_tag_pattern

Kind, Listing, Login = Registry.Kind, Registry.Listing, Registry.Login
Values = Mapping[str, Any]
Mistake = tuple[str, str]

ENGINE_SCHEMES = ("unix", "tcp", "http", "https", "ssh", "npipe")
ON_DISK = (Kind.LAYOUT, Kind.ARCHIVE)
PROVIDERS = (Listing.HARBOR, Listing.GITLAB, Listing.GITHUB, Listing.ECR, Listing.GOOGLE)


def mistakes(values: Values) -> Iterator[Mistake]:
    """All of them, so that a form is corrected in one go. A field that is wrong on its own is not in ``values``."""
    for check in (_url, _listing, _names, _tags, _login, _client_certificate):
        yield from check(values)


def check_url(kind: str, url: str, *, plain_http: bool) -> None:
    """Raises ValueError or RegistryError, with a sentence, for a URL that cannot be one of this kind."""
    if kind in ON_DISK:
        if not PurePosixPath(url).is_absolute():
            raise ValueError("Write the absolute path of a directory on the worker's machine, such as /srv/images.")
        return
    parts = urlsplit(url)
    if kind == Kind.ENGINE:
        if parts.scheme not in ENGINE_SCHEMES or parts.password:
            raise ValueError("Write where the engine listens, such as unix:///var/run/docker.sock, without a password.")
        return
    if parts.scheme not in ("http", "https"):
        raise ValueError("Write the URL with its scheme, as in https://registry.example.com.")
    registry_origins(url, plain_http=plain_http)


def other_api(values: Values) -> str:
    """Where else than to the registry itself its login is sent, to list the repositories: the URL of an API that the
    scope begins with, or the provider whose API is on a host of its own. Empty for nowhere."""
    listing, scope = values.get("listing"), (values.get("listing_scope") or "").strip()
    if listing not in PROVIDERS:
        return ""
    if "://" in scope:
        return str(scope.partition(" ")[0])
    # Without a URL Harbor's API is the registry's own, and so is GitLab's but for gitlab.com. ECR's gets signatures.
    gitlab_com = listing == Listing.GITLAB and _host(values) == "registry.gitlab.com"
    return str(listing) if gitlab_com or listing in (Listing.GITHUB, Listing.GOOGLE) else ""


def sentence_of(check: Callable[..., Any], *arguments: Any) -> str:
    """What is wrong, in the words of the function that would stumble over it later; empty when nothing is."""
    try:
        check(*arguments)
    except (RegistryError, ValueError) as error:
        return str(error)
    return ""


def _url(values: Values) -> Iterator[Mistake]:
    if "url" in values and "kind" in values:
        plain_http = bool(values.get("plain_http"))
        wrong = sentence_of(lambda: check_url(values["kind"], values["url"], plain_http=plain_http))
        if wrong:
            yield "url", wrong


def _listing(values: Values) -> Iterator[Mistake]:
    listing, host = values.get("listing"), _host(values)
    if listing not in PROVIDERS:
        if values.get("listing_scope") and listing is not None:
            yield "listing_scope", "Only a provider's listing has a scope. Choose one above, or name globs below."
        return
    if values.get("kind") != Kind.DISTRIBUTION:
        yield "listing", "Only a registry with the distribution API has a provider's listing. Choose the catalog."
        return
    if wrong := sentence_of(provider_listing, listing, values.get("listing_scope") or ""):
        yield "listing_scope", wrong
    if listing == Listing.ECR and host and (wrong := sentence_of(EcrRegistry.at, host)):
        yield "listing", wrong
    elif listing == Listing.ECR and values.get("login") != Login.ECR:
        yield "login", "Amazon ECR lists its repositories for an AWS access key only. Choose that as the login."


def _tags(values: Values) -> Iterator[Mistake]:
    if "tag_pattern" in values and "tag_syntax" in values:
        wrong = sentence_of(check_tag_pattern, values["tag_pattern"], values["tag_syntax"])
        if wrong:
            yield "tag_pattern", wrong


def _names(values: Values) -> Iterator[Mistake]:
    if values.get("listing") != Listing.NAMES or "include" not in values:
        return
    names = _lines(values["include"])
    if not names:
        yield "include", "Name at least one repository, or choose another listing."
    wrong = [name for name in names if values.get("kind") == Kind.DISTRIBUTION and not is_repository(name)]
    if wrong:
        yield "include", f"Without a listing each line is the exact name of a repository; {wrong[0]!r} is none."


def _login(values: Values) -> Iterator[Mistake]:
    """``values`` holds the secret that will be stored, new or kept."""
    login, secret, host = values.get("login"), values.get("secret"), _host(values)
    if login == Login.DOCKER and (values.get("username") or secret):
        yield "login", "Docker's configuration brings the login: leave user name and password empty, or forget it."
    if login != Login.ECR:
        return
    if values.get("kind") != Kind.DISTRIBUTION:
        yield "login", "An AWS access key opens Amazon ECR alone. Choose the distribution API, or another login."
    elif host and (wrong := sentence_of(EcrRegistry.at, host)):
        yield "login", f"An AWS access key opens Amazon ECR alone. {wrong}"
    if secret is not None and (wrong := sentence_of(AccessKey.parse, values.get("username") or "", secret)):
        yield "username", wrong


def _client_certificate(values: Values) -> Iterator[Mistake]:
    certificate, key = values.get("client_certificate"), values.get("client_key")
    if certificate is None or key is None:
        return
    if certificate and not key:
        yield "client_key", "The client certificate has no key. Paste it too, or remove the certificate."
    elif key and not certificate:
        yield "client_certificate", "The key has no certificate. Paste it too, or forget the key."
    elif key and (wrong := sentence_of(check_key, key) or sentence_of(check_pair, certificate, key)):
        yield "client_key", wrong


def _host(values: Values) -> str:
    try:
        return urlsplit(values.get("url") or "").hostname or ""
    except ValueError:
        return ""


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]
