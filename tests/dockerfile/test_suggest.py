"""What is refused, and why."""

from dataclasses import replace

import pytest

from fleet.analysis.analyse import analyse
from fleet.dockerfile.suggest import suggest
from fleet.dockerfile.suggestion import NothingToSuggest
from tests.dockerfile import images as i

BASES = i.Served(
    {
        "python:3.11-slim": i.SLIM,
        "debian:bookworm-slim": i.image(i.DEBIAN, config=i.SLIM.config),
        "gcr.io/distroless/cc-debian12:nonroot": i.image(i.DISTROLESS, config=i.SLIM.config),
    }
)


def ask(loaded, tier="slim", mode="repack"):
    return suggest(loaded, analyse(loaded), mode=mode, tier=tier, bases=BASES)


def with_command(*words, **more):
    return i.service(config=replace(i.CONFIG, cmd=words, **more))


@pytest.mark.parametrize("tier", ["distroless", "scratch"])
@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("/app/start.sh",), r"The entry point is a shell script \(/app/start\.sh\)"),
        (("/bin/sh", "-c", "cd /app && exec python manage.py"), r"The command is a script for /bin/sh"),
        (("env", "sh", "/app/start.sh"), r"The command starts a shell script"),
    ],
)
def test_what_starts_with_a_shell_stays_where_there_is_one(tier, words, reason):
    loaded = i.service(("COPY start.sh /app", {"app/start.sh": "#!/bin/sh"}), config=replace(i.CONFIG, cmd=words))
    with pytest.raises(NothingToSuggest, match=f"{reason}.*a shell has to stay"):
        ask(loaded, tier)
    assert ask(loaded).usable


@pytest.mark.parametrize("tier", ["distroless", "scratch"])
def test_a_program_that_the_team_installed_may_be_called_so_it_stays_at_slim(tier):
    files = {
        "usr/bin/git-annex": i.SHELL,
        "var/lib/dpkg/status": i.deb("libc6", "gcc", "git-annex"),
        "var/lib/dpkg/info/git-annex.list": i.listing("usr/bin/git-annex"),
    }
    loaded = i.service(
        ("/bin/sh -c apt-get update && apt-get install -y git-annex", files),
        config=replace(i.CONFIG, cmd=("python", "/app/manage.py")),
    )
    with pytest.raises(NothingToSuggest, match=r"installs git-annex, so the service may start /usr/bin/git-annex"):
        ask(loaded, tier)


def test_an_image_without_a_command_says_so():
    with pytest.raises(NothingToSuggest, match="names no command"):
        ask(i.service(config=replace(i.CONFIG, cmd=None)), "scratch")


def test_a_program_that_is_not_there_is_named():
    with pytest.raises(NothingToSuggest, match=r"nowhere, which the image starts, was not found"):
        ask(with_command("nowhere"), "scratch")


def test_an_image_without_a_shell_cannot_be_taken_apart_in_itself():
    bare = {path: content for path, content in i.DEBIAN.items() if path not in ("usr/bin/sh", "usr/bin/dash")}
    loaded = i.image(bare, i.PYTHON, {"app/main.py": 10}, config=replace(i.CONFIG, cmd=("python", "/app/main.py")))
    with pytest.raises(NothingToSuggest, match=r"has no /bin/sh"):
        ask(loaded, "scratch")


def test_a_tier_without_a_base_names_what_was_looked_for():
    loaded = with_command("python", "/app/manage.py")
    with pytest.raises(NothingToSuggest, match=r"No distroless base is known for it: looked for gcr\.io/distroless/cc"):
        suggest(loaded, analyse(loaded), mode="repack", tier="distroless", bases=i.Served({}))


def test_debians_own_python_is_carried_to_a_bare_debian():
    debian = i.image(
        {**i.DEBIAN, **i.COMPILER},
        {
            "usr/bin/python3.11": i.SHELL,
            "usr/bin/python3": "-> python3.11",
            "usr/lib/python3.11/os.py": 30_000,
            "var/lib/dpkg/status": i.deb("libc6", "gcc", "python3.11"),
            "var/lib/dpkg/info/python3.11.list": i.listing("usr/bin/python3.11", "usr/lib/python3.11/os.py"),
        },
        {"app/main.py": 10},
        config=replace(i.CONFIG, cmd=("python3", "/app/main.py"), working_dir=""),
    )
    suggestion = ask(debian)
    assert i.failed(suggestion) == []
    assert suggestion.base.reference == "debian:bookworm-slim"
    assert "usr/lib/python3.11" in suggestion.dockerfile
    assert "usr/lib/gcc" not in suggestion.dockerfile


@pytest.mark.parametrize("tier", ["distroless", "scratch"])
def test_env_comes_along_for_a_script_that_is_found_by_it(tier):
    loaded = i.service(
        ("COPY start /app", {"app/start": "#!/usr/bin/env python3"}), config=replace(i.CONFIG, cmd=("/app/start",))
    )
    suggestion = ask(loaded, tier)
    assert i.failed(suggestion) == []
    assert "usr/bin/env" in suggestion.dockerfile


@pytest.mark.parametrize("tier", ["distroless", "scratch"])
def test_an_application_below_usr_src_comes_along(tier):
    steps = ((f"/bin/sh -c #(nop) COPY dir:{'b' * 64} in /usr/src/app ", {"usr/src/app/shop/__init__.py": 900}),)
    config = replace(i.CONFIG, cmd=("python", "-m", "shop"), working_dir="/usr/src/app")
    suggestion = ask(i.service(config=config, steps=(*i.STEPS[2:3], *steps)), tier)
    assert i.failed(suggestion) == []
    assert "      usr/src " in suggestion.dockerfile


def test_a_program_that_an_entry_script_becomes_is_seen():
    files = {
        "usr/sbin/haproxy": i.SHELL,
        "var/lib/dpkg/status": i.deb("libc6", "gcc", "haproxy"),
        "var/lib/dpkg/info/haproxy.list": i.listing("usr/sbin/haproxy"),
        "app/entrypoint.sh": "#!/bin/sh",
    }
    config = replace(i.CONFIG, cmd=("/app/entrypoint.sh",), env=("PATH=/usr/sbin:/usr/bin:/bin",))
    loaded = i.image({**i.DEBIAN, **i.COMPILER}, files, config=config)
    texts = {**loaded.tree.texts, "app/entrypoint.sh": b"#!/bin/sh\nif true; then exec haproxy -f /x; fi\n"}
    suggestion = ask(replace(loaded, tree=replace(loaded.tree, texts=texts)))
    assert "      usr/sbin " in suggestion.dockerfile


def test_a_user_that_nobody_knows_fails_a_gate():
    suggestion = ask(with_command("python", "/app/manage.py", user="shop"))
    assert i.failed(suggestion) == ["user exists"]
    passwd = {"etc/passwd": b"root:x:0:0:root:/root:/bin/sh\nshop:x:1000:1000::/app:/bin/sh\n"}
    loaded = i.service(
        ("RUN useradd shop", passwd), config=replace(i.CONFIG, cmd=("python", "/app/manage.py"), user="shop")
    )
    for tier in ("slim", "distroless", "scratch"):
        assert i.failed(ask(loaded, tier)) == []


def test_a_file_that_only_root_may_read_keeps_root():
    secret = {"etc/shop.yml": i.Owned(b"key: 1", mode=0o600)}
    config = replace(i.CONFIG, cmd=("python", "/app/manage.py"))
    suggestion = ask(i.service(("COPY shop.yml /etc", secret), config=config), "distroless")
    assert "USER 65532" not in suggestion.dockerfile
    assert any("others may not read /etc/shop.yml" in note for note in suggestion.notes)


def test_the_working_directory_of_a_base_is_not_taken_over():
    loaded = with_command("python", "app/manage.py", working_dir="")
    base = i.image(i.DISTROLESS, config=replace(i.SLIM.config, working_dir="/home/nonroot"))
    bases = i.Served({"gcr.io/distroless/cc-debian12:nonroot": base})
    suggestion = suggest(loaded, analyse(loaded), mode="repack", tier="distroless", bases=bases)
    assert "WORKDIR /\n" in suggestion.dockerfile


def test_every_gathering_line_starts_at_the_root():
    steps = (*(step for step, _ in i.STEPS), "COPY x /usr/share")
    scattered = {f"usr/share/{'x' * 60}{number}/{name}": 9 for number in range(1500) for name in ("keep", "lost")}
    kept = {path: size for path, size in scattered.items() if path.endswith("keep")}
    lost = {path: size for path, size in scattered.items() if path.endswith("lost")}
    loaded = i.image(
        {**i.DEBIAN, **lost}, i.COMPILER, i.PYTHON, *(files for _, files in i.STEPS), kept,
        config=replace(
            i.CONFIG,
            cmd=("python", "/app/manage.py"),
            history=(*i.BASE_HISTORY, *map(i.HistoryEntry, steps)),
        ),
    )  # fmt: skip
    text = ask(loaded, "scratch").dockerfile
    runs = [line for line in text.splitlines() if line.startswith("RUN ")]
    assert len(runs) > 1
    assert set(runs) == {"RUN cd / \\"}


def test_an_image_that_builds_on_cannot_be_taken_from():
    with pytest.raises(NothingToSuggest, match="ONBUILD"):
        ask(with_command("python", "/app/manage.py", on_build=("COPY . /app",)))


def test_the_shell_of_an_image_is_the_shell_of_its_health_check():
    check = i.Healthcheck(("CMD-SHELL", "[[ -f /tmp/ready ]]"))
    loaded = with_command("python", "/app/manage.py", healthcheck=check, shell=("/bin/bash", "-c"))
    assert 'CMD ["/bin/bash", "-c", "[[ -f /tmp/ready ]]"]' in ask(loaded).dockerfile
