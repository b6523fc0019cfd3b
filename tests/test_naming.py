"""Names and owners of services, by an admin's rules."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.snapshots.naming import name_of, owner_of, parse_name_rules, parse_owner_rules, stored_rules

TITLE, VENDOR = "org.opencontainers.image.title", "org.opencontainers.image.vendor"


@pytest.mark.parametrize(
    ("rules", "repository", "labels", "name"),
    [
        ("", "team/app", {TITLE: "App"}, ""),
        (f"label:{TITLE}", "team/app", {TITLE: "The App"}, "The App"),
        (f"label:{TITLE}", "team/app", {}, ""),
        ("strip:team/", "team/app", {}, "app"),
        ("strip:team/", "other/app", {}, ""),
        ("strip:team/app", "team/app", {}, ""),
        (f"\n label:{TITLE} \n\n strip:team/", "team/app", {TITLE: "  \n"}, "app"),
        ("strip:team/web/\nstrip:team/", "team/web/app", {}, "app"),
    ],
)
def test_the_first_rule_that_gives_a_name_holds(rules: str, repository: str, labels: dict[str, str], name: str) -> None:
    assert name_of(repository, labels, parse_name_rules(rules)) == name


@pytest.mark.parametrize(
    ("rules", "repository", "labels", "owner"),
    [
        ("", "payments/api", {VENDOR: "Acme"}, ""),
        ("payments/* = Payments team", "payments/api", {}, "Payments team"),
        ("payments/*=Payments team", "payments/api/v2", {}, "Payments team"),
        ("payments/* = Payments team", "shop/payments", {}, ""),
        (f"label:{VENDOR}\npath:1", "shop/api", {VENDOR: "Acme"}, "Acme"),
        (f"label:{VENDOR}\npath:1", "shop/api", {}, "shop"),
        ("path:2", "org/shop/api", {}, "shop"),
        ("path:2", "shop/api", {}, ""),
        ("path:1", "nginx", {}, ""),
        ("a/* = A\n*=Everybody = else", "b", {}, "Everybody = else"),
    ],
)
def test_the_first_rule_that_gives_an_owner_holds(
    rules: str, repository: str, labels: dict[str, str], owner: str
) -> None:
    assert owner_of(repository, labels, parse_owner_rules(rules)) == owner


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("two\n\tlines", "two lines"),
        ("\x1b[31mred\x07", "[31mred"),
        ("abc\u202egnp.exe", "abcgnp.exe"),
        ("nul\0 and \ud800half", "nul and half"),
        ("a \u200b b", "a b"),
        ("<script>", "<script>"),
        ("x" * 5_000_000, "x" * 254 + "…"),
        ("\u200b\u202e", ""),
    ],
)
def test_a_hostile_label_becomes_plain_text_on_one_line(label: str, name: str) -> None:
    assert name_of("a", {TITLE: label}, parse_name_rules(f"label:{TITLE}")) == name


@given(st.text(max_size=300))
def test_no_label_gives_what_cannot_be_stored_or_seen(label: str) -> None:
    owner = owner_of("a/b", {"x": label}, parse_owner_rules("label:x"))
    assert len(owner) <= 100
    assert owner == owner.strip()
    assert owner.isprintable()


@pytest.mark.parametrize("line", ["team/", "strip:", "label:", "title:x", "path:1", "a = b", "strip"])
def test_a_line_that_rules_no_name_is_named(line: str) -> None:
    with pytest.raises(ValueError, match=r"^Line 2, .* is no rule\. Write it as in ") as refusal:
        parse_name_rules(f"strip:ok/\n{line}\n")
    assert line in str(refusal.value)


@pytest.mark.parametrize("line", ["path:0", "path:x", "path:-1", "path:²", "path:9999999999", "= b", "a =", "strip:a/"])
def test_a_line_that_rules_no_owner_is_named(line: str) -> None:
    with pytest.raises(ValueError, match=r"^Line 3, .* is no rule\. Write it as in "):
        parse_owner_rules(f"path:1\n\n{line}")


def test_rules_without_end_are_refused() -> None:
    with pytest.raises(ValueError, match="200 are the most"):
        parse_owner_rules("path:1\n" * 201)


def test_stored_lines_that_a_form_would_refuse_rule_nothing() -> None:
    names, owners = stored_rules("nonsense\nstrip:team/", "strip:x\npath:1")
    assert name_of("team/app", {}, names) == "app"
    assert owner_of("team/app", {}, owners) == "team"
