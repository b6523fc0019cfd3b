"""The form of a registry. Its secrets go in and never come out, and serve no host they were not entered for."""

from __future__ import annotations

import secrets
from typing import Any

from django import forms

from fleet.admin.kept_secret import BlankTextarea, KeptSecret
from fleet.admin.pem import check_certificates
from fleet.admin.registry_checks import mistakes, other_api, sentence_of
from fleet.dockerfile.bases import parse_mirrors
from fleet.models import Registry
from fleet.oci.manifest import Platform
from fleet.snapshots.naming import parse_name_rules, parse_owner_rules

SECRETS = (
    KeptSecret("secret", "forget_secret"),
    KeptSecret("client_key", "forget_client_key"),
    # It opens a door of ours, not of the registry: a new URL changes nothing.
    KeptSecret("push_secret", "forget_push_secret", bound_to_url=False),
)
PUSH_SECRET_BYTES = 32
# A client key needs no such care: it identifies us to the registry itself alone.
OTHER_API = (
    "This listing sends it to another API: enter it again, or forget it, so that it never serves a host it was not "
    "entered for."
)
FIELDSETS: Any = (
    (None, {"fields": ("name", "kind", "url", "enabled")}),
    (
        "Login",
        {
            "fields": ("login", "username", "secret", "forget_secret"),
            "description": "Empty for a registry that anybody may read. GitHub, GitLab, Harbor: a user or robot and "
            "its token. Google: _json_key and the text of the key file. Azure: a service principal. Amazon: the access "
            "key id and the secret access key.",
        },
    ),
    (
        "Repositories",
        {
            "fields": ("listing", "listing_scope", "include", "exclude"),
            "description": "Which repositories become services. Where the catalog is closed, choose the provider's own "
            "listing, or name the repositories (Docker Hub has neither catalog nor listing).",
        },
    ),
    (
        "Tags and history",
        {"fields": (("tag_pattern", "tag_syntax"), "tag_order", "history_tags", "history_per_scan", "platform")},
    ),
    (
        "Schedule and pace",
        {
            "fields": ("crontab", "interval", "concurrency", "requests_per_minute"),
            "description": "Without a schedule: on demand only, and on push events.",
        },
    ),
    (
        "Push events",
        {
            "fields": ("generate_push_secret", "push_secret", "forget_push_secret"),
            "description": "A registry that announces what is pushed has it read within seconds. The registry's page "
            "shows the URL to send the events to.",
        },
    ),
    (
        "Names and owners",
        {
            "fields": ("name_rules", "owner_rules"),
            "classes": ("collapse",),
            "description": "They take effect with the next scan. An owner that is set stays.",
        },
    ),
    (
        "Certificates and plain HTTP",
        {
            "fields": ("plain_http", "ca_certificate", "client_certificate", "client_key", "forget_client_key"),
            "classes": ("collapse",),
        },
    ),
    ("Suggestions and sharing", {"fields": ("base_mirrors", "sharing"), "classes": ("collapse",)}),
)
# Who may only look gets fields as text, and a secret is no text.
SECRET_FIELDS = frozenset({"generate_push_secret"}.union(*((each.field, each.forget) for each in SECRETS)))


def _names(fields: Any) -> list[str]:
    return [name for each in fields for name in ((each,) if isinstance(each, str) else each)]


class RegistryForm(forms.ModelForm):
    secret = forms.CharField(
        label="Password or token",
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    forget_secret = forms.BooleanField(label="Forget the stored password", required=False)
    client_key = forms.CharField(
        label="Key of the client certificate",
        required=False,
        help_text="PEM, without a passphrase.",
        widget=BlankTextarea(attrs={"rows": 4, "cols": 70, "spellcheck": "false", "autocomplete": "off"}),
    )
    forget_client_key = forms.BooleanField(label="Forget the stored key", required=False)
    generate_push_secret = forms.BooleanField(
        label="Make a new secret",
        required=False,
        help_text="A random one. It is shown once, after saving, with the URL to send the events to.",
    )
    push_secret = forms.CharField(
        label="Or one of your own",
        required=False,
        min_length=16,
        max_length=200,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    forget_push_secret = forms.BooleanField(label="Forget the stored secret: refuse push events", required=False)

    class Meta:
        model = Registry
        fields = [
            name
            for _, options in FIELDSETS
            for name in _names(options["fields"])
            if not name.startswith(("forget_", "generate_"))
        ]
        help_texts = {
            "listing_scope": "A Harbor project, a GitLab group or project, a GitHub organisation or user, PROJECT or "
            "PROJECT/REPOSITORY at Google. Where the provider's API is elsewhere, its URL and a space before it: "
            "https://gitlab.example.com platform/backend. Empty for all, where the provider allows it.",
        }
        widgets = {
            name: forms.Textarea(attrs={"rows": rows, "cols": 70, "spellcheck": "false"})
            for name, rows in {
                "ca_certificate": 4,
                "client_certificate": 4,
                "include": 4,
                "exclude": 3,
                "name_rules": 3,
                "owner_rules": 3,
                "base_mirrors": 3,
            }.items()
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.stored = {each.field: each.prepare(self) for each in SECRETS}
        self.stored_url: str = self.instance.url
        self.stored_api = other_api(vars(self.instance))
        self.made_push_secret = ""

    def clean_platform(self) -> str:
        return str(_checked(Platform.parse, self.cleaned_data["platform"]))

    def clean_base_mirrors(self) -> str:
        text: str = self.cleaned_data["base_mirrors"]
        _checked(parse_mirrors, text.splitlines())
        return text

    def clean_name_rules(self) -> str:
        return self._rules("name_rules", parse_name_rules)

    def clean_owner_rules(self) -> str:
        return self._rules("owner_rules", parse_owner_rules)

    def clean_ca_certificate(self) -> str:
        return self._certificate("ca_certificate")

    def clean_client_certificate(self) -> str:
        return self._certificate("client_certificate")

    def clean(self) -> dict[str, Any]:
        super().clean()
        values = self.cleaned_data
        moved = values.get("url", self.stored_url) != self.stored_url
        entered = bool(values.get("secret"))
        for each in SECRETS:
            kept = each.cleaned(self, stored=self.stored[each.field], moved=moved)
            if each.field not in self.errors:
                values[each.field] = kept
        if values.get("secret") and not entered and other_api(values) not in ("", self.stored_api):
            self.add_error("secret", OTHER_API)
        if values.get("generate_push_secret"):
            self._make_push_secret()
        for field, sentence in list(mistakes(values)):
            self.add_error(field, sentence)
        return values

    def _make_push_secret(self) -> None:
        if "push_secret" in self.errors or self.data.get(self.add_prefix("push_secret")):
            self.add_error("generate_push_secret", "Have one made or enter your own, not both.")
            return
        self.made_push_secret = secrets.token_urlsafe(PUSH_SECRET_BYTES)
        self.cleaned_data["push_secret"] = self.made_push_secret

    def _rules(self, field: str, parse: Any) -> str:
        text: str = self.cleaned_data[field]
        _checked(parse, text)
        return text

    def _certificate(self, field: str) -> str:
        text: str = self.cleaned_data[field].strip()
        if text:
            _checked(check_certificates, text)
        return text


def _checked(parse: Any, value: Any) -> Any:
    """What ``parse`` makes of the value, or its sentence as the field's error."""
    wrong = sentence_of(parse, value)
    if wrong:
        raise forms.ValidationError(wrong)
    return parse(value)
