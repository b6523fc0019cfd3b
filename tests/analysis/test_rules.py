from dataclasses import replace

import pytest

from fleet.analysis.rules import RULES
from fleet.image.entries import ElfFacts
from fleet.image.packages.package import Package
from tests.analysis.claiming import claimed
from tests.analysis.images import STATIC_ELF, Content, make_image

SITE = "usr/local/lib/python3.11/site-packages"


def package(name: str, *paths: str, ecosystem: str = "deb") -> Package:
    return Package(ecosystem, name, "1.0", 0, 0, paths)


@pytest.mark.parametrize(
    ("rule", "path"),
    [
        ("package-manager-cache", "var/lib/apt/lists/deb.debian.org_Packages.lz4"),
        ("package-manager-cache", "var/cache/apt/archives/curl_8_amd64.deb"),
        ("package-manager-cache", "var/cache/apk/APKINDEX.tar.gz"),
        ("package-manager-cache", "var/cache/dnf/base-1/repodata/x.xml.gz"),
        ("language-cache", "root/.cache/pip/http-v2/a/b/c.body"),
        ("language-cache", "home/app/.cache/uv/archive-v0/x"),
        ("language-cache", "root/.cache/pypoetry/artifacts/aa/django.whl"),
        ("language-cache", "root/.bun/install/cache/left-pad@1/index.js"),
        ("language-cache", "root/.npm/_cacache/content-v2/sha512/aa"),
        ("language-cache", "usr/local/share/.cache/yarn/v6/npm-x/index.js"),
        ("language-cache", "root/.local/share/pnpm/store/v3/files/aa"),
        ("language-cache", "usr/local/cargo/registry/src/x/lib.rs"),
        ("language-cache", "go/pkg/mod/github.com/x/y@v1/y.go"),
        ("language-cache", "root/.cache/go-build/aa/aa-d"),
        ("language-cache", "root/.m2/repository/org/x/x.jar"),
        ("language-cache", "root/.gradle/caches/modules-2/x.jar"),
        ("language-cache", "usr/local/bundle/cache/rails-7.gem"),
        ("language-cache", "usr/local/lib/ruby/gems/3.3.0/cache/rake.gem"),
        ("language-cache", "root/.composer/cache/files/x.zip"),
        ("language-cache", "app/node_modules/.cache/babel/x.json"),
        ("version-control", "app/.git/objects/pack/pack-1.pack"),
        ("version-control", ".hg/store/data"),
        ("version-control", "srv/app/.vscode/settings.json"),
        ("toolchain", "usr/local/go/pkg/tool/linux_amd64/compile"),
        ("toolchain", "usr/local/rustup/toolchains/stable/bin/rustc"),
        ("toolchain", "opt/java/openjdk/jmods/java.base.jmod"),
        ("development-files", "usr/local/include/python3.11/Python.h"),
        ("development-files", "usr/local/lib/python3.11/config-3.11-x86_64-linux-gnu/libpython3.11.a"),
        ("debug-symbols", "usr/lib/debug/.build-id/aa/bb.debug"),
        ("documentation", "usr/share/doc/curl/changelog.gz"),
        ("documentation", "usr/share/man/man1/curl.1.gz"),
        ("documentation", "usr/share/locale/fr/LC_MESSAGES/bash.mo"),
        ("temporary-files", "tmp/build.tar"),
        ("temporary-files", "var/log/dpkg.log"),
        ("temporary-files", "core.4711"),
    ],
)
def test_a_file_that_no_container_needs_goes_to_its_rule(rule: str, path: str) -> None:
    assert claimed(make_image({path: 900, "app/main.py": 10}), rule) == {path}


@pytest.mark.parametrize(
    "path",
    [
        "usr/share/doc/curl/copyright",
        "usr/share/doc/curl/LICENSE.txt",
        "usr/share/locale/locale.alias",
        "usr/share/common-licenses/GPL-3",
        f"{SITE}/django/conf/locale/fr/LC_MESSAGES/django.mo",
        f"{SITE}/numpy/testing/test_utils.py",
        f"{SITE}/flask-3.0.dist-info/METADATA",
        "app/.gitignore",
        "app/.yarn/cache/left-pad.zip",
        "root/.cache/pypoetry/virtualenvs/app-x-py3.11/lib/python3.11/site-packages/django/http.py",
        "app/core/models.py",
        "app/node_modules/core/index.js",
        "app/logs/today.log",
        "app/static/app.map",
        "app/data.a",
        "srv/jmods/readme.txt",
    ],
)
def test_what_may_be_needed_is_claimed_by_no_rule(path: str) -> None:
    image = make_image({path: 900})
    assert not any(claimed(image, rule.name) for rule in RULES)


@pytest.mark.parametrize(
    ("cmd", "path"),
    [
        (("mvn", "spring-boot:run"), "root/.m2/repository/org/x/x.jar"),
        (("sh", "-c", "sleep 1 && go run ."), "go/pkg/mod/x/y.go"),
        (("go", "run", "."), "usr/local/go/src/fmt/print.go"),
        (("dotnet", "run"), "root/.nuget/packages/x/x.dll"),
        (("npx", "serve"), "root/.npm/_npx/0a1b/node_modules/serve/build.bin"),
        (("./gradlew", "bootRun"), "root/.gradle/wrapper/dists/gradle.zip"),
    ],
)
def test_a_cache_that_the_command_reads_is_kept(cmd: tuple[str, ...], path: str) -> None:
    assert not any(claimed(make_image({path: 900}, cmd=cmd), rule.name) for rule in RULES)
    assert any(claimed(make_image({path: 900}, cmd=("serve",)), rule.name) for rule in RULES)


def test_hidden_versions_are_told_apart_by_cause() -> None:
    image = make_image(
        {"opt/installer.bin": 500, "app/config.json": 40, "app/data.bin": 70},
        {"opt/installer.bin": None, "app/config.json": 50},
    )
    assert claimed(image, "deleted-files") == {"opt/installer.bin"}
    assert claimed(image, "overwritten-files") == {"app/config.json"}


def test_a_toolchain_is_known_by_its_packages() -> None:
    image = make_image({"usr/bin/gcc-12": 900, "usr/lib/gcc/cc1": 800, "usr/lib/libpq.so.5": 70, "usr/bin/tool": 60})
    packages = [
        package("gcc-12", "usr/bin/gcc-12", "usr/lib/gcc/cc1"),
        package("gcc-12-base", "usr/bin/tool"),
        package("libpq5", "usr/lib/libpq.so.5"),
    ]
    assert claimed(image, "toolchain", packages) == {"usr/bin/gcc-12", "usr/lib/gcc/cc1"}


def test_a_path_that_other_packages_share_is_not_the_toolchains() -> None:
    image = make_image({"lib": "-> usr/lib", "usr/lib/crt1.o": 70})
    packages = [package("libc6-dev", "lib", "usr/lib/crt1.o"), package("libc6", "lib")]
    assert claimed(image, "toolchain", packages) == {"usr/lib/crt1.o"}


@pytest.mark.parametrize(
    "name",
    [
        "libpq-dev",
        "g++-12",
        "cpp",
        "binutils-x86-64-linux-gnu",
        "build-essential",
        "make",
        "rust-src",
        "golang",
        "golang-1.22-go",
        "golang-src",
        "golang-go",
    ],
)
def test_build_packages_are_toolchain(name: str) -> None:
    assert claimed(make_image({"usr/x": 1}), "toolchain", [package(name, "usr/x")]) == {"usr/x"}


@pytest.mark.parametrize(
    "name",
    [
        "libgcc-s1",
        "libstdc++6",
        "makedev",
        "python3",
        "libllvm15",
        "git",
        "devscripts-x",
        "rust-coreutils",
        "golang-docker-credential-helpers",
        "golang-github-containers-common",
    ],
)
def test_other_packages_are_not(name: str) -> None:
    assert claimed(make_image({"usr/x": 1}), "toolchain", [package(name, "usr/x")]) == set()


def test_a_library_of_the_toolchain_that_a_program_loads_is_kept_with_what_it_needs() -> None:
    image = make_image(
        {
            "usr/lib/libasan.so.8": "-> libasan.so.8.0.0",
            "usr/lib/libasan.so.8.0.0": ElfFacts("x86_64", soname="libasan.so.8", needed=("libcc1.so.0",)),
            "usr/lib/libcc1.so.0": ElfFacts("x86_64", soname="libcc1.so.0"),
            "usr/lib/libtsan.so.2": ElfFacts("x86_64", soname="libtsan.so.2"),
            "app/server": ElfFacts("x86_64", needed=("libasan.so.8",)),
        }
    )
    packages = [
        package("libasan8", "usr/lib/libasan.so.8", "usr/lib/libasan.so.8.0.0"),
        package("libcc1-0", "usr/lib/libcc1.so.0"),
        package("libtsan2", "usr/lib/libtsan.so.2"),
    ]
    assert claimed(image, "toolchain", packages) == {"usr/lib/libtsan.so.2"}


class TestWhatOnlyTheToolchainNeeds:
    """Debian's names: build-essential was asked for, the rest came along."""

    FILES: dict[str, Content] = {
        "usr/bin/gcc": 900,
        "usr/bin/perl": 800,
        "usr/share/patch-tools": 50,
        "usr/lib/libjit.so.1": ElfFacts("x86_64", soname="libjit.so.1"),
        "app/main.py": 10,
    }
    GCC = Package("deb", "gcc", "1", 0, 0, ("usr/bin/gcc",), requires=(("perl",), ("libjit1",)), automatic=True)
    ESSENTIAL = Package("deb", "build-essential", "1", 0, 0, (), requires=(("gcc",), ("patch-tools",)), automatic=False)
    PERL = Package("deb", "perl", "1", 0, 0, ("usr/bin/perl",), automatic=True)
    TOOLS = Package("deb", "patch-tools", "1", 0, 0, ("usr/share/patch-tools",), automatic=True)
    LIBRARY = Package("deb", "libjit1", "1", 0, 0, ("usr/lib/libjit.so.1",), automatic=True)
    PACKAGES = (GCC, ESSENTIAL, PERL, TOOLS, LIBRARY)

    def claimed(self, *others: Package, **files: Content) -> set[str]:
        image = make_image(self.FILES | {path.replace("__", "/"): content for path, content in files.items()})
        return claimed(image, "toolchain", (*self.PACKAGES, *others))

    def test_goes_with_it(self) -> None:
        assert self.claimed() == {"usr/bin/gcc", "usr/bin/perl", "usr/share/patch-tools", "usr/lib/libjit.so.1"}

    def test_stays_where_somebody_asked_for_a_package_that_needs_it_too(self) -> None:
        git = Package("deb", "git", "1", 0, 0, (), requires=(("perl",),), automatic=False)
        assert "usr/bin/perl" not in self.claimed(git)
        assert "usr/bin/perl" in self.claimed(replace(git, automatic=True))

    def test_stays_where_nothing_tells_why_it_was_installed(self) -> None:
        image = make_image(self.FILES)
        unmarked = [replace(package, automatic=None) for package in self.PACKAGES]
        assert claimed(image, "toolchain", unmarked) == {"usr/bin/gcc"}

    def test_stays_where_the_toolchain_does_not_require_it(self) -> None:
        """curl recommends it, so that apt installed it, and no package requires it."""
        image = make_image(self.FILES | {"etc/ssl/certs/ca-certificates.crt": 200})
        certificates = Package(
            "deb", "ca-certificates", "1", 0, 0, ("etc/ssl/certs/ca-certificates.crt",), automatic=True
        )
        found = claimed(image, "toolchain", [*self.PACKAGES, certificates])
        assert "usr/bin/perl" in found
        assert "etc/ssl/certs/ca-certificates.crt" not in found

    def test_stays_where_it_is_essential(self) -> None:
        assert "usr/bin/perl" in self.claimed()
        image = make_image(self.FILES)
        packages = [self.GCC, self.ESSENTIAL, replace(self.PERL, essential=True)]
        assert claimed(image, "toolchain", packages) == {"usr/bin/gcc"}

    def test_stays_where_a_program_that_pip_compiled_loads_it(self) -> None:
        extension = ElfFacts("x86_64", needed=("libjit.so.1",))
        assert self.claimed(usr__lib__fast__so=extension) == {"usr/bin/gcc", "usr/bin/perl", "usr/share/patch-tools"}

    def test_stays_where_a_script_of_the_application_runs_it(self) -> None:
        image = make_image(self.FILES | {"app/report": "#!/usr/bin/perl -w"})
        assert "usr/bin/perl" not in claimed(image, "toolchain", self.PACKAGES)

    def test_the_library_of_a_development_package_that_somebody_asked_for_stays(self) -> None:
        """Programs load it by name through ctypes, which no file shows."""
        image = make_image({"usr/lib/libmagic.so.1": 100, "usr/include/magic.h": 10, "usr/share/magic.mgc": 70})
        library = Package("deb", "libmagic1", "1", 0, 0, ("usr/lib/libmagic.so.1",), (), (("mgc",),), automatic=True)
        data = Package("deb", "mgc", "1", 0, 0, ("usr/share/magic.mgc",), automatic=True)
        dev = Package(
            "deb", "libmagic-dev", "1", 0, 0, ("usr/include/magic.h",), (), (("libmagic1",),), automatic=False
        )
        assert claimed(image, "toolchain", [library, data, dev]) == {"usr/include/magic.h"}
        came_along = replace(dev, automatic=True)
        assert claimed(image, "toolchain", [library, data, came_along]) == {
            "usr/include/magic.h", "usr/lib/libmagic.so.1", "usr/share/magic.mgc",
        }  # fmt: skip

    def test_a_development_package_that_a_kept_one_requires_stays(self) -> None:
        r = Package("deb", "r-base", "1", 0, 0, (), requires=(("build-essential",),), automatic=False)
        assert self.claimed(r) == set()


def test_an_image_that_runs_its_compiler_keeps_it() -> None:
    image = make_image({"usr/bin/gcc": STATIC_ELF, "usr/bin/as": STATIC_ELF}, entrypoint=("gcc",))
    packages = [package("gcc", "usr/bin/gcc"), package("binutils", "usr/bin/as")]
    assert claimed(image, "toolchain", packages) == set()


def test_the_language_of_the_image_keeps_its_translations() -> None:
    files: dict[str, Content] = {f"usr/share/locale/{name}/LC_MESSAGES/bash.mo": 90 for name in ("de", "fr")}
    image = make_image(files, env=["LANG=de_DE.UTF-8"])
    assert claimed(image, "documentation") == {"usr/share/locale/fr/LC_MESSAGES/bash.mo"}


def test_tests_of_python_packages_go_with_their_data_unless_other_modules_live_there() -> None:
    image = make_image(
        {
            f"{SITE}/pandas/tests/test_frame.py": 900,
            f"{SITE}/pandas/tests/__init__.py": 1,
            f"{SITE}/pandas/tests/data/big.csv": 5_000,
            f"{SITE}/astropy/tests/runner.py": 300,
            f"{SITE}/astropy/tests/test_logger.py": 200,
            f"{SITE}/astropy/tests/__pycache__/test_logger.cpython-311.pyc": 210,
            f"{SITE}/django/test/client.py": 800,
            f"{SITE}/tests/test_top.py": 10,
        }
    )
    assert claimed(image, "package-tests") == {
        f"{SITE}/pandas/tests/test_frame.py",
        f"{SITE}/pandas/tests/__init__.py",
        f"{SITE}/pandas/tests/data/big.csv",
        f"{SITE}/astropy/tests/test_logger.py",
        f"{SITE}/astropy/tests/__pycache__/test_logger.cpython-311.pyc",
    }


def test_source_maps_count_where_the_script_lies_beside_them_and_nobody_reads_them() -> None:
    files: dict[str, Content] = {"app/a.js": 10, "app/a.js.map": 90, "app/b.js.map": 80}
    assert claimed(make_image(files), "source-maps") == {"app/a.js.map"}
    assert claimed(make_image(files, cmd=("node", "--enable-source-maps", "a.js")), "source-maps") == set()
    assert claimed(make_image(files, env=["NODE_OPTIONS=--enable-source-maps"]), "source-maps") == set()
    reader = package("source-map-support", ecosystem="npm")
    assert claimed(make_image(files), "source-maps", [reader]) == set()


def test_only_bytecode_that_nothing_loads_is_waste() -> None:
    cache = "app/__pycache__"
    image = make_image(
        {
            "usr/local/bin/python3.11": 10,
            "app/live.py": 5,
            f"{cache}/live.cpython-311.pyc": 6,
            f"{cache}/live.cpython-39.pyc": 6,
            f"{cache}/live.cpython-311.opt-2.pyc": 6,
            f"{cache}/gone.cpython-311.pyc": 6,
        }
    )
    assert claimed(image, "dead-bytecode") == {
        f"{cache}/live.cpython-39.pyc",
        f"{cache}/live.cpython-311.opt-2.pyc",
        f"{cache}/gone.cpython-311.pyc",
    }


@pytest.mark.parametrize("option", ["-O", "-OO", "-uO"])
def test_optimised_bytecode_counts_as_used_where_the_command_asks_for_it(option: str) -> None:
    files = {"usr/bin/python3.11": 10, "app/x.py": 5, "app/__pycache__/x.cpython-311.opt-1.pyc": 6}
    assert claimed(make_image(files, cmd=("python3.11", option, "app/x.py")), "dead-bytecode") == set()


def test_an_application_that_lives_in_tmp_is_not_temporary() -> None:
    image = make_image({"tmp/app.jar": 900, "tmp/lib/x.jar": 80, "var/tmp/x": 7}, cmd=("java", "-jar", "/tmp/app.jar"))
    assert claimed(image, "temporary-files") == {"var/tmp/x"}


def test_log_links_are_kept() -> None:
    image = make_image({"var/log/nginx/access.log": "-> /dev/stdout", "var/log/bootstrap.log": 9})
    assert claimed(image, "temporary-files") == {"var/log/bootstrap.log"}


def test_content_that_a_hard_link_elsewhere_shows_is_kept() -> None:
    image = make_image(
        {
            "root/.cache/uv/archive-v0/a/flask.py": 900,
            "root/.cache/uv/archive-v0/b/unused.py": 80,
            "venv/lib/flask.py": "=> root/.cache/uv/archive-v0/a/flask.py",
        }
    )
    assert claimed(image, "language-cache") == {"root/.cache/uv/archive-v0/b/unused.py"}


def test_a_cache_that_symlinks_lead_into_is_kept() -> None:
    image = make_image(
        {"root/.cache/uv/archive-v0/a/flask.py": 900, "venv/flask.py": "-> /root/.cache/uv/archive-v0/a/flask.py"}
    )
    assert claimed(image, "language-cache") == set()


def test_what_the_command_names_is_never_claimed() -> None:
    image = make_image(
        {"root/.cache/pip/run.sh": "#!/bin/sh", "root/.cache/pip/x": 9}, cmd=("/root/.cache/pip/run.sh",)
    )
    assert claimed(image, "language-cache") == {"root/.cache/pip/x"}
