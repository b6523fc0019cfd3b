"""Secrets in a form: they go in and never come out, and serve no host that they were not entered for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms

from fleet.models.secret import UNREADABLE


class BlankTextarea(forms.Textarea):
    """A text area that never shows what it holds, as a password's field does not either."""

    def format_value(self, value: Any) -> str:
        return ""


@dataclass(frozen=True, slots=True)
class KeptSecret:
    """A secret column of a form's model, with the box that forgets it. An empty field keeps what is stored; where
    ``bound_to_url`` only as long as it is used for the same place."""

    field: str
    forget: str
    bound_to_url: bool = True

    def prepare(self, form: forms.ModelForm) -> str:
        """Take the stored one out of what the form shows, and say in words whether there is one."""
        stored: str = getattr(form.instance, self.field) or ""
        form.initial.pop(self.field, None)
        if self.field in form.fields:
            state = "One is stored; leave empty to keep it." if stored else "None is stored."
            before = form.fields[self.field].help_text
            form.fields[self.field].help_text = f"{before} {state} Encrypted at rest, never shown again.".strip()
        return stored

    def cleaned(self, form: forms.ModelForm, *, stored: str, moved: bool) -> str:
        """The new one, none, or the one that is kept."""
        values = form.cleaned_data
        if values.get(self.field):
            return str(values[self.field])
        if values.get(self.forget) or not stored:
            return ""
        if stored == UNREADABLE:
            form.add_error(
                self.field, "The stored one cannot be decrypted with the present keys: enter it again, or forget it."
            )
        elif self.bound_to_url and moved:
            form.add_error(
                self.field, "The URL changed: enter it again, or forget it, so that it never serves another host."
            )
        return stored
