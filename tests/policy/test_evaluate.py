import pytest

from fleet.policy.evaluate import Limits, Scope, Verdict, evaluate, in_scope


def test_a_size_at_the_limit_is_within_policy() -> None:
    assert evaluate(Limits(fail_compressed_bytes=100), 100, None) == ()
    assert evaluate(Limits(fail_compressed_bytes=100), 101, None) == (Verdict("fail", "compressed", 101, 100),)


def test_fail_beats_warn_of_the_same_kind() -> None:
    limits = Limits(warn_compressed_bytes=50, fail_compressed_bytes=100)
    assert evaluate(limits, 75, None) == (Verdict("warn", "compressed", 75, 50),)
    assert evaluate(limits, 150, None) == (Verdict("fail", "compressed", 150, 100),)


def test_kinds_are_judged_apart() -> None:
    limits = Limits(warn_compressed_bytes=50, fail_unpacked_bytes=200)
    assert evaluate(limits, 60, 300) == (
        Verdict("warn", "compressed", 60, 50),
        Verdict("fail", "unpacked", 300, 200),
    )


def test_an_unknown_unpacked_size_is_not_judged() -> None:
    assert evaluate(Limits(warn_unpacked_bytes=0), 1, None) == ()
    assert evaluate(Limits(warn_unpacked_bytes=0), 1, 1) == (Verdict("warn", "unpacked", 1, 0),)


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (Scope(), True),
        (Scope(registry_id=1), True),
        (Scope(registry_id=2), False),
        (Scope(repository_glob="payments/*"), True),
        (Scope(repository_glob="payments"), False),
        (Scope(repository_glob="Payments/*"), False),
        (Scope(owner="team-a"), True),
        (Scope(owner="team"), False),
        (Scope(registry_id=1, repository_glob="payments/*", owner="team-a"), True),
        (Scope(registry_id=1, repository_glob="payments/*", owner="team-b"), False),
    ],
)
def test_every_part_that_a_scope_names_must_agree(scope: Scope, expected: bool) -> None:
    assert in_scope(scope, registry_id=1, repository="payments/api", owner="team-a") is expected
