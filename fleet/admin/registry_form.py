"""The form of a registry. Its secret goes in and never comes out, and goes to no host it was not entered for."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from django import forms

from fleet.dockerfile.bases import parse_mirrors
from fleet.models import Registry
from fleet.models.secret import UNREADABLE
from fleet.oci.errors import RegistryError
from fleet.oci.manifest import Platform
from fleet.oci.origin import registry_origins
from fleet.oci.reference import is_repository

Kind, Listing = Registry.Kind, Registry.Listing
ENGINE_SCHEMES = ("unix", "tcp", "http", "https", "ssh", "npipe")
FIELDS = (
    "name",
    "kind",
    "url",
    "plain_http",
    "enabled",
    "username",
    "secret",
    "listing",
    "listing_scope",
    "include",
    "exclude",
    "tag_pattern",
    "history_tags",
    "platform",
    "base_mirrors",
    "crontab",
    "interval",
    "concurrency",
)


class RegistryForm(forms.ModelForm):
    secret = forms.CharField(
        label="Password or token",
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    forget_secret = forms.BooleanField(label="Forget the stored password", required=False)

    class Meta:
        model = Registry
        fields = FIELDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.stored_secret: str = self.instance.secret
        self.stored_url: str = self.instance.url
        self.initial.pop("secret", None)
        if "secret" in self.fields:
            state = "One is stored; leave empty to keep it." if self.stored_secret else "None is stored."
            self.fields["secret"].help_text = f"{state} Encrypted at rest, never shown again."

    def clean_platform(self) -> str:
        return str(_checked(Platform.parse, self.cleaned_data["platform"]))

    def clean_base_mirrors(self) -> str:
        text: str = self.cleaned_data["base_mirrors"]
        _checked(parse_mirrors, text.splitlines())
        return text

    def clean(self) -> dict[str, Any]:
        super().clean()
        values = self.cleaned_data
        if "url" in values and "kind" in values:
            self._clean_url(values["kind"], values["url"])
        if values.get("listing") == Listing.NAMES:
            self._clean_include(values.get("kind", ""), values.get("include", ""))
        values["secret"] = self._secret(values)
        return values

    def _clean_url(self, kind: str, url: str) -> None:
        try:
            check_url(kind, url, plain_http=bool(self.cleaned_data.get("plain_http")))
        except (RegistryError, ValueError) as error:
            self.add_error("url", str(error))

    def _clean_include(self, kind: str, include: str) -> None:
        names = [line.strip() for line in include.splitlines() if line.strip()]
        if not names:
            self.add_error("include", "Name at least one repository, or choose another listing.")
        wrong = [name for name in names if kind == Kind.DISTRIBUTION and not is_repository(name)]
        if wrong:
            self.add_error(
                "include", f"Without the catalog each line is the exact name of a repository; {wrong[0]!r} is none."
            )

    def _secret(self, values: dict[str, Any]) -> str:
        """The new one, none, or the one that is kept: for the URL it was entered for only."""
        if values.get("secret"):
            return str(values["secret"])
        if values.get("forget_secret") or not self.stored_secret:
            return ""
        if self.stored_secret == UNREADABLE:
            self.add_error("secret", "The stored one cannot be decrypted with the present keys: enter it again.")
        elif values.get("url", self.stored_url) != self.stored_url:
            self.add_error("secret", "The URL changed: enter it again, so that it is never sent to another host.")
        return self.stored_secret


def check_url(kind: str, url: str, *, plain_http: bool) -> None:
    """Raises ValueError or RegistryError, with a sentence, for a URL that cannot be one of this kind."""
    if kind == Kind.LAYOUT:
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


def _checked(parse: Any, value: Any) -> Any:
    try:
        return parse(value)
    except RegistryError as error:
        raise forms.ValidationError(str(error)) from None
