"""What is said of an image beside its weight, and what is left unsaid."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from fleet.analysis.analyse import analyse
from fleet.analysis.end_of_life import distribution_ends, runtime_ends
from fleet.analysis.findings import Observation
from fleet.analysis.observations import View
from fleet.analysis.observations.foundation import ends_of_life, several_runtimes
from fleet.analysis.rules.rule import survey
from fleet.analysis.runtime import detect_runtime
from fleet.image.entries import Component, ElfFacts
from fleet.image.loading import LoadedImage
from fleet.image.packages.package import Package
from fleet.oci.manifest import Healthcheck, HistoryEntry
from fleet.oci.provenance import Provenance
from tests.analysis.images import Content, make_image

SECRET = "hunter2-very-secret"
HEALTHY = Healthcheck(("CMD", "/app/server", "--check"))


def image_of(
    files: dict[str, Content] | None = None, texts: dict[str, bytes] | None = None, **config: Any
) -> LoadedImage:
    image = make_image(files or {"app/server": 10})
    tree = replace(image.tree, texts=texts or {})
    return replace(image, tree=tree, config=replace(image.config, **config))


def observed(image: LoadedImage, name: str) -> list[Observation]:
    return [each for each in analyse(image).observations if each.name == name]


def ends_of(image: LoadedImage, *packages: Package) -> list[str]:
    facts = survey(image.tree, image.config, packages)
    return [each.name for each in ends_of_life(View(image, facts, detect_runtime(image, packages)))]


def test_nothing_is_said_of_an_image_that_is_as_it_should_be() -> None:
    image = image_of(user="65532:65532", entrypoint=("/app/server",), healthcheck=HEALTHY)
    assert analyse(image).observations == ()


class TestSeveralRuntimes:
    ELF = ElfFacts("x86_64")

    def _beside(self, *packages: Package) -> list[str]:
        files: dict[str, Content] = {"usr/local/bin/python3": self.ELF, "usr/bin/node": self.ELF, "app/main.py": 10}
        image = make_image(files)
        image = replace(image, config=replace(image.config, cmd=("python3", "/app/main.py")))
        facts = survey(image.tree, image.config, packages)
        view = View(image, facts, detect_runtime(image, packages))
        return [each.detail for each in several_runtimes(view)]

    def test_a_runtime_beside_the_one_that_runs_is_named(self) -> None:
        assert self._beside() == ["Beside Python the image has Node.js (/usr/bin/node)."]
        asked = Package("deb", "nodejs", "18", 9, 0, ("usr/bin/node",), automatic=False)
        assert self._beside(asked) == ["Beside Python the image has Node.js (/usr/bin/node)."]

    def test_one_that_came_along_with_another_package_is_not(self) -> None:
        assert self._beside(Package("deb", "nodejs", "18", 9, 0, ("usr/bin/node",), automatic=True)) == []


class TestRoot:
    @pytest.mark.parametrize("user", ["", "0", "root", "0:0", "root:root", "00"])
    def test_no_user_and_user_0_are_root(self, user: str) -> None:
        assert len(observed(image_of(user=user), "runs-as-root")) == 1

    @pytest.mark.parametrize("user", ["65532", "nobody", "1000:0", "²", "٠"])
    def test_others_are_not(self, user: str) -> None:
        assert observed(image_of(user=user), "runs-as-root") == []

    def test_a_name_is_looked_up(self) -> None:
        passwd = b"root:x:0:0::/root:/bin/sh\ntoor:x:0:0::/:/bin/sh\napp:x:1000:0::/:/bin/sh\n"
        files: dict[str, Content] = {"etc/passwd": 90}
        assert observed(image_of(files, {"etc/passwd": passwd}, user="toor"), "runs-as-root")
        assert not observed(image_of(files, {"etc/passwd": passwd}, user="app"), "runs-as-root")


class TestShellForm:
    @pytest.mark.parametrize("name", ["entrypoint", "cmd"])
    def test_a_shell_that_starts_the_program_is_named(self, name: str) -> None:
        (said,) = observed(image_of(**{name: ("/bin/sh", "-c", "gunicorn app")}), "shell-form")
        assert name.upper() in said.detail

    def test_options_of_the_shell_hide_nothing(self) -> None:
        words = ("/bin/bash", "-o", "pipefail", "-c", "gunicorn app | tee log")
        assert len(observed(image_of(cmd=words), "shell-form")) == 1

    @pytest.mark.parametrize(
        "words",
        [
            ("gunicorn", "app"),
            ("/bin/sh", "-c", "exec gunicorn app"),
            ("/bin/sh", "-ec", "set -e; migrate && exec gunicorn app"),
            ("sh", "start.sh"),
        ],
    )
    def test_lists_exec_and_scripts_are_fine(self, words: tuple[str, ...]) -> None:
        assert observed(image_of(cmd=words), "shell-form") == []


@pytest.mark.parametrize("check", [None, Healthcheck(("NONE",)), Healthcheck(())])
def test_a_missing_health_check_is_named(check: Healthcheck | None) -> None:
    assert len(observed(image_of(healthcheck=check), "no-health-check")) == 1


class TestSecrets:
    @pytest.mark.parametrize("item", [f"DB_PASSWORD={SECRET}", f"API_TOKEN={SECRET}", "X=ghp_" + "a" * 36,
        f"DB_PASS={SECRET}", f"dbPassword2={SECRET}", f"SECRET_KEY_BASE={SECRET}", f"AWS_SECRET_ACCESS_KEY={SECRET}",
        f"DATABASE_URL=postgres://app:{SECRET}@db/shop"])  # fmt: skip
    def test_one_in_the_environment_is_named_and_not_shown(self, item: str) -> None:
        (said,) = observed(image_of(env=(item,)), "secret-in-environment")
        assert item.partition("=")[0] in said.detail
        assert item.partition("=")[2] not in str(said)

    @pytest.mark.parametrize(
        "item",
        [
            "DB_PASSWORD=", "DB_PASSWORD_FILE=/run/secrets/db", "SECRET_KEY=$SECRET", "TOKEN_TTL=3600", "PATH=/usr/bin",
            "GPG_KEY=E3FF2839C048B25C084DEBE9B26995E310250568", "SECRET_KEY_BASE_DUMMY=1", "ALLOW_EMPTY_PASSWORD=yes",
            "PASSWORD_HASHER_ALGORITHM=argon2", "TOKENIZERS_MODEL=bert", "SECRETS_BACKEND=vault", "PWD=/app",
            "SECRET_KEY=dummy", "DB_PASSWORD=<your password>", "OAUTH_TOKEN=https://login.example/token",
            "DATABASE_URL=postgres://db.example/shop", "BROKER=amqp://app:${PASSWORD}@mq", "COMPASS=north",
        ],
    )  # fmt: skip
    def test_settings_that_only_sound_like_one_are_left_alone(self, item: str) -> None:
        assert observed(image_of(env=(item,)), "secret-in-environment") == []

    @pytest.mark.parametrize(
        "step",
        [
            f"|2 NPM_TOKEN={SECRET} FOO=x /bin/sh -c npm ci # buildkit",
            f"/bin/sh -c export NPM_TOKEN={SECRET} && npm ci",
            f"RUN /bin/sh -c tool --npm-token {SECRET} # buildkit",
        ],
    )
    def test_one_in_the_history_is_named_and_not_shown(self, step: str) -> None:
        (said,) = observed(image_of(history=(HistoryEntry(step),)), "secret-in-history")
        assert "npm" in said.detail.lower()
        assert SECRET not in str(said)

    @pytest.mark.parametrize(
        ("step", "kind"),
        [
            (f"RUN /bin/sh -c git clone https://bot:{SECRET}@git.example/x", "A password in an address"),
            (f"RUN /bin/sh -c curl -u bot:{SECRET} https://example.com", "A password after -u"),
            ("RUN /bin/sh -c echo '-----BEGIN RSA PRIVATE KEY-----x' > k", "A private key"),
            ("RUN /bin/sh -c curl -H x:ghp_" + "a" * 36, "A token"),
        ],
    )
    def test_one_without_a_name_is_told_by_its_kind(self, step: str, kind: str) -> None:
        (said,) = observed(image_of(history=(HistoryEntry(step),)), "secret-in-history")
        assert said.detail.startswith(kind)
        assert SECRET not in str(said)

    @pytest.mark.parametrize(
        "step",
        [
            "|1 FOO=bar /bin/sh -c make",
            "RUN /bin/sh -c TOKEN=$(cat /run/secrets/t) make",
            "COPY . /app",
            "RUN /bin/sh -c docker login --password-stdin registry.example",
            "RUN /bin/sh -c git clone https://$USER:$TOKEN@git.example/x",
            "RUN /bin/sh -c pip install tokenizers==0.20 && install -u 1000:1000 x",
            "RUN --mount=type=secret,id=npm_token,target=/root/.npmrc npm ci",
        ],
    )
    def test_steps_without_one_are_left_alone(self, step: str) -> None:
        assert observed(image_of(history=(HistoryEntry(step),)), "secret-in-history") == []

    def test_what_the_environment_holds_is_named_once(self) -> None:
        item = f"DB_PASSWORD={SECRET}"
        image = image_of(env=(item,), history=(HistoryEntry(f"ENV {item}", empty_layer=True),))
        assert observed(image, "secret-in-environment")
        assert not observed(image, "secret-in-history")

    def test_a_deleted_file_is_named_with_its_layer(self) -> None:
        image = make_image({"root/.netrc": 40}, {"root/.netrc": None})
        (said,) = observed(image, "secret-file")
        assert said.detail == "/root/.netrc in layer 0, which a later layer hides and every pull brings along."
        assert said.severity == "danger"


class TestEndOfLife:
    BULLSEYE = b'PRETTY_NAME="Debian GNU/Linux 11 (bullseye)"\nID=debian\nVERSION_ID="11"\n'
    TODAY = date(2026, 11, 25)

    def test_the_distribution_is_told_by_its_own_file(self) -> None:
        image = image_of({"etc/os-release": "-> ../usr/lib/os-release", "usr/lib/os-release": 90})
        image = replace(image, tree=replace(image.tree, texts={"usr/lib/os-release": self.BULLSEYE}))
        (said,) = observed(image, "end-of-life")
        assert said.severity_on(self.TODAY) == "danger"
        assert said.told_on(self.TODAY) == "Debian GNU/Linux 11 (bullseye): updates ended on 31 August 2026."

    def test_the_runtime_is_told_by_its_version(self) -> None:
        (said,) = observed(image_of(env=("PYTHON_VERSION=3.9.18",), cmd=("python3",)), "runtime-end-of-life")
        assert said.on == date(2025, 10, 31)
        assert "Python 3.9.18" in said.detail

    def test_a_runtime_that_the_distribution_keeps_up_has_no_end_of_its_own(self) -> None:
        python = Package("deb", "python3.9-minimal", "3.9.2-1", 0, 0, ("usr/bin/python3.9",))
        image = image_of({"usr/bin/python3.9": ElfFacts("x86_64")}, cmd=("python3.9", "x"))
        assert ends_of(image) == ["runtime-end-of-life"]
        assert ends_of(image, python) == []
        assert ends_of(image, replace(python, version="3.9.2-1+deadsnakes1")) == ["runtime-end-of-life"]
        script = image_of(
            {"usr/bin/python3.9": ElfFacts("x86_64"), "usr/bin/web": "#!/usr/bin/python3.9"}, cmd=("web",)
        )
        assert ends_of(script) == ["runtime-end-of-life"]
        assert ends_of(script, python) == []

    def test_a_program_in_go_tells_what_it_was_built_with(self) -> None:
        image = image_of({"app/server": ElfFacts("x86_64", go_build_info=True)}, entrypoint=("/app/server",))
        components = {"app/server": (Component("go", "shop", "v1"), Component("go", "stdlib", "go1.22.1"))}
        image = replace(image, tree=replace(image.tree, components=components))
        (said,) = observed(image, "runtime-end-of-life")
        assert (said.detail, said.on) == ("Go 1.22.1", date(2025, 2, 11))

    def test_one_that_comes_soon_is_a_warning_and_one_far_off_is_nothing(self) -> None:
        said = Observation("end-of-life", "warning", "t", "Debian 12", on=date(2028, 6, 30))
        assert said.severity_on(date(2026, 11, 25)) is None
        assert said.severity_on(date(2028, 3, 1)) == "warning"
        assert said.told_on(date(2028, 3, 1)) == "Debian 12: updates end on 30 June 2028."
        assert said.severity_on(date(2028, 6, 30)) == "warning"
        assert said.severity_on(date(2028, 7, 1)) == "danger"

    def test_versions_are_found_as_far_as_they_count(self) -> None:
        assert distribution_ends("alpine", "3.18.4") == date(2025, 5, 9)
        assert runtime_ends("node", "18.20.4") == date(2025, 4, 30)
        assert runtime_ends("dotnet", "3.1.32") == date(2022, 12, 13)

    @pytest.mark.parametrize(("name", "version"), [("debian", ""), ("debian", "99"), ("plan9", "4"), ("", "")])
    def test_nothing_is_said_of_what_is_not_known(self, name: str, version: str) -> None:
        assert distribution_ends(name, version) is None

    def test_a_file_that_is_none_says_nothing(self) -> None:
        image = image_of({"etc/os-release": 9}, {"etc/os-release": b"\xff\x00=\n\"'=\n" * 999})
        assert observed(image, "end-of-life") == []


class TestLatestBase:
    LABEL = "org.opencontainers.image.base.name"

    @pytest.mark.parametrize("name", ["python", "registry.example:5000/python", "python:latest"])
    def test_a_base_that_moves_is_named(self, name: str) -> None:
        assert len(observed(image_of(labels={self.LABEL: name}), "latest-base")) == 1

    @pytest.mark.parametrize("name", ["python:3.12-slim", f"python@sha256:{'a' * 64}", ""])
    def test_others_are_not(self, name: str) -> None:
        assert observed(image_of(labels={self.LABEL: name}), "latest-base") == []

    def test_provenance_tells_it_too(self) -> None:
        attested = Provenance(base_digests=(("library/node:latest", f"sha256:{'a' * 64}"),))
        assert len(observed(replace(image_of(), provenance=attested), "latest-base")) == 1

    def test_a_base_that_a_digest_alone_pins_does_not_move(self) -> None:
        attested = Provenance(base_digests=(("library/node", f"sha256:{'a' * 64}"),))
        assert observed(replace(image_of(), provenance=attested), "latest-base") == []


class TestArchitecture:
    def test_a_program_for_another_one_is_named(self) -> None:
        arm = image_of({"app/server": ElfFacts("aarch64")}, entrypoint=("/app/server",))
        (said,) = observed(arm, "foreign-program")
        assert "arm64" in said.detail
        assert "amd64" in said.detail

    def test_one_that_a_wrapper_starts_is_looked_at_too(self) -> None:
        files: dict[str, Content] = {"usr/bin/tini": ElfFacts("x86_64"), "app/server": ElfFacts("aarch64")}
        (said,) = observed(image_of(files, entrypoint=("tini", "--", "/app/server")), "foreign-program")
        assert said.detail.startswith("/app/server is built for arm64")

    @pytest.mark.parametrize("machine", ["i386", "machine-999"])
    def test_one_that_runs_there_all_the_same_or_is_unknown_is_fine(self, machine: str) -> None:
        image = image_of({"app/server": ElfFacts(machine)}, entrypoint=("/app/server",))
        assert observed(image, "foreign-program") == []

    @pytest.mark.parametrize("architecture", ["a/b/c/d", "☃", " "])
    def test_an_architecture_that_nobody_knows_is_no_fault_of_ours(self, architecture: str) -> None:
        image = image_of({"app/server": ElfFacts("x86_64")}, entrypoint=("/app/server",))
        platform = replace(image.config.platform, architecture=architecture)
        assert observed(replace(image, config=replace(image.config, platform=platform)), "foreign-program")

    def test_one_for_the_same_is_fine(self) -> None:
        assert (
            observed(image_of({"app/server": ElfFacts("x86_64")}, entrypoint=("/app/server",)), "foreign-program") == []
        )
