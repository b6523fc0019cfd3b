"""Rules that look at packages: development packages, tests of packages, unused interpreters."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleet.image.entries import ElfFacts
from fleet.image.packages.package import Package
from tests.analysis.claiming import claimed
from tests.analysis.images import Content, make_image

SITE = "usr/local/lib/python3.11/site-packages"
NODE = ElfFacts("x86_64")


def wheel(name: str, *depends: str) -> Package:
    return Package("pypi", name, "1", 0, 0, (f"{SITE}/{name}/__init__.py",), depends)


def wheels(*packages: Package, **more: Content) -> dict[str, Content]:
    return {path: 100 for package in packages for path in package.paths} | more


class TestDevelopmentPackages:
    PYTEST, PLUGGY, DJANGO = wheel("pytest", "pluggy", "packaging"), wheel("pluggy"), wheel("django")
    PACKAGING = wheel("packaging")
    PACKAGES = (PYTEST, PLUGGY, DJANGO, PACKAGING)

    def claimed(self, *packages: Package, cmd: tuple[str, ...] = ("python", "app.py")) -> set[str]:
        image = make_image(wheels(*packages), cmd=cmd)
        return {path.split("/")[-2] for path in claimed(image, "development-packages", packages)}

    def test_a_test_runner_goes_with_what_only_it_requires(self) -> None:
        assert self.claimed(*self.PACKAGES) == {"pytest", "pluggy", "packaging"}

    def test_what_the_application_requires_too_stays(self) -> None:
        gunicorn = wheel("gunicorn", "packaging")
        assert self.claimed(*self.PACKAGES, gunicorn) == {"pytest", "pluggy"}

    def test_a_tool_that_another_package_requires_stays(self) -> None:
        plugin = wheel("our-checks", "pytest")
        assert self.claimed(*self.PACKAGES, plugin) == set()

    def test_a_tool_that_the_command_runs_stays(self) -> None:
        assert self.claimed(*self.PACKAGES, cmd=("python", "-m", "pytest")) == set()

    def test_spellings_of_a_name_are_one(self) -> None:
        assert self.claimed(wheel("pytest_cov"), wheel("Django")) == {"pytest_cov"}

    def test_what_a_database_marks_as_development_goes(self) -> None:
        jest = Package("npm", "jest", "1", 0, 0, ("app/node_modules/jest/index.js",), development=True)
        express = Package("npm", "express", "1", 0, 0, ("app/node_modules/express/index.js",))
        image = make_image({"app/node_modules/jest/index.js": 9, "app/node_modules/express/index.js": 9})
        assert claimed(image, "development-packages", [jest, express]) == {"app/node_modules/jest/index.js"}

    def test_a_marked_one_that_the_command_runs_stays(self) -> None:
        path = "app/node_modules/nodemon/bin.js"
        nodemon = Package("npm", "nodemon", "1", 0, 0, (path,), development=True)
        image = make_image({path: 9}, cmd=("node", f"/{path}"))
        assert claimed(image, "development-packages", [nodemon]) == set()


class TestPackageTests:
    @pytest.mark.parametrize(
        "path",
        [
            "app/node_modules/qs/test/parse.js",
            "app/node_modules/@scope/x/__tests__/deep/a.js",
            "app/node_modules/a/node_modules/b/tests/x.json",
            "usr/local/bundle/gems/rack-3.0.8/spec/rack_spec.rb",
            "var/lib/gems/3.1.0/gems/nokogiri-1.16.0-x86_64-linux/test/x.rb",
        ],
    )
    def test_tests_at_the_top_of_a_package_go(self, path: str) -> None:
        assert claimed(make_image({path: 50}), "package-tests") == {path}

    @pytest.mark.parametrize(
        "path",
        [
            "app/node_modules/test/index.js",
            "app/node_modules/qs/lib/test/parse.js",
            "app/test/parse.js",
            "app/node_modules/@scope/test/index.js",
            "srv/gems/test/x.rb",
        ],
    )
    def test_others_stay(self, path: str) -> None:
        assert claimed(make_image({path: 50}), "package-tests") == set()


class TestUnusedInterpreters:
    """A Node image on a Debian that brought its own Perl and Python along."""

    PERL = Package("deb", "perl", "5", 0, 0, ("usr/bin/perl", "usr/lib/libperl.so.5.36"))
    MODULES = Package("deb", "perl-modules-5.36", "5", 0, 0, ("usr/share/perl/5.36/CPAN.pm",), requires=(("perl",),))
    BASE = Package("deb", "perl-base", "5", 0, 0, ("usr/bin/perl5.36",), essential=True)
    FILES: dict[str, Content] = {
        "usr/bin/perl": 900,
        "usr/bin/perl5.36": 900,
        "usr/share/perl/5.36/CPAN.pm": 300,
        "usr/lib/libperl.so.5.36": ElfFacts("x86_64", soname="libperl.so.5.36"),
        "usr/local/bin/node": NODE,
        "app/server.js": 10,
    }
    PACKAGES = (PERL, MODULES, BASE)
    ALL = {"usr/bin/perl", "usr/share/perl/5.36/CPAN.pm", "usr/lib/libperl.so.5.36"}

    def claimed(self, *others: Package, **files: Content) -> set[str]:
        image = make_image(self.FILES | {f"app/{name}": content for name, content in files.items()}, cmd=("node", "x"))
        return claimed(image, "unused-interpreters", (*self.PACKAGES, *others))

    def test_one_that_nothing_runs_goes_and_the_essential_part_stays(self) -> None:
        assert self.claimed() == self.ALL

    def test_one_that_another_package_requires_stays(self) -> None:
        assert self.claimed(Package("deb", "git", "2", 0, 0, (), requires=(("perl",),))) == set()

    def test_one_that_a_script_names_stays(self) -> None:
        assert self.claimed(report="#!/usr/bin/perl -w") == set()
        assert self.claimed(report="#!/usr/bin/env -S perl") == set()
        assert self.claimed(report="#!/usr/bin/ruby") == self.ALL

    def test_one_whose_essential_part_a_script_of_ours_names_stays(self) -> None:
        """Debian's /usr/bin/perl is essential, its modules are not."""
        assert self.claimed(report="#!/usr/bin/perl5.36") == set()
        debconf = Package("deb", "debconf", "1", 0, 0, ("app/report",), requires=(("perl-base",),))
        assert self.claimed(debconf, report="#!/usr/bin/perl5.36") == self.ALL

    @pytest.mark.parametrize(
        "cmd",
        [("/start.sh",), ("sh", "/start.sh"), ("tini", "--", "/start.sh"), ()],
        ids=["script", "sh", "tini", "none"],
    )
    def test_all_stay_where_only_a_script_knows_what_runs(self, cmd: tuple[str, ...]) -> None:
        programs: dict[str, Content] = {"usr/bin/tini": NODE, "bin/sh": NODE, "start.sh": "#!/bin/sh"}
        image = make_image(self.FILES | programs, cmd=cmd)
        assert claimed(image, "unused-interpreters", self.PACKAGES) == set()

    def test_one_that_somebody_asked_for_stays_unless_it_came_for_a_compiler(self) -> None:
        image = make_image(self.FILES | {"usr/bin/python3": 900}, cmd=("node", "x"))
        python = Package("deb", "python3", "3", 0, 0, ("usr/bin/python3",), automatic=False)
        compiler = Package("deb", "g++", "12", 0, 0, (), automatic=False)
        assert claimed(image, "unused-interpreters", [python]) == set()
        assert claimed(image, "unused-interpreters", [python, compiler]) == {"usr/bin/python3"}
        assert claimed(image, "unused-interpreters", [replace(python, automatic=True)]) == {"usr/bin/python3"}

    def test_one_whose_library_a_program_loads_stays(self) -> None:
        assert self.claimed(embedded=ElfFacts("x86_64", needed=("libperl.so.5.36",))) == set()

    def test_one_that_the_command_runs_stays(self) -> None:
        image = make_image(self.FILES, cmd=("perl", "x.pl"))
        assert claimed(image, "unused-interpreters", self.PACKAGES) == set()

    def test_debians_python_goes_where_another_one_runs(self) -> None:
        python = Package("deb", "python3.11-minimal", "3", 0, 0, ("usr/bin/python3.11",))
        stdlib = Package("deb", "libpython3.11-stdlib", "3", 0, 0, ("usr/lib/python3.11/os.py",))
        files: dict[str, Content] = {"usr/bin/python3.11": 900, "usr/lib/python3.11/os.py": 90}
        image = make_image({**files, "usr/local/bin/python3": NODE}, cmd=("python3", "app.py"))
        assert claimed(image, "unused-interpreters", [python, stdlib]) == files.keys()
        alone = make_image({**files, "usr/local/bin/python3": "-> /usr/bin/python3.11"}, cmd=("python3", "app.py"))
        assert claimed(alone, "unused-interpreters", [python, stdlib]) == set()

    def test_a_module_of_the_system_keeps_its_interpreter(self) -> None:
        python = Package("deb", "python3", "3", 0, 0, ("usr/bin/python3",))
        yaml = Package("deb", "python3-yaml", "6", 0, 0, (), requires=(("python3",),))
        image = make_image({"usr/bin/python3": 900, "usr/bin/node": NODE}, cmd=("node", "x"))
        assert claimed(image, "unused-interpreters", [python]) == {"usr/bin/python3"}
        assert claimed(image, "unused-interpreters", [python, yaml]) == set()
        assert claimed(image, "unused-interpreters", [python, replace(yaml, requires=())]) == {"usr/bin/python3"}
