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


def wheel(name: str, *depends: str, asked_for: bool = False) -> Package:
    """As pip installs it: REQUESTED is there where somebody asked for it by name."""
    info = f"{SITE}/{name}-1.dist-info"
    noted = (f"{info}/REQUESTED",) if asked_for else ()
    return Package("pypi", name, "1", 0, 0, (f"{SITE}/{name}/__init__.py", f"{info}/METADATA", *noted), depends)


def wheels(*packages: Package, **more: Content) -> dict[str, Content]:
    return {path: 100 for package in packages for path in package.paths} | more


class TestPythonTools:
    PYTEST, PLUGGY = wheel("pytest", "pluggy", "packaging", asked_for=True), wheel("pluggy")
    PACKAGING, DJANGO = wheel("packaging"), wheel("django", asked_for=True)
    PACKAGES = (PYTEST, PLUGGY, DJANGO, PACKAGING)

    def claimed(self, *packages: Package, cmd: tuple[str, ...] = ("python", "app.py"), **files: Content) -> set[str]:
        image = make_image(wheels(*packages) | files, cmd=cmd)
        found = claimed(image, "development-packages", packages)
        return {path.split("/")[-2] for path in found if path.endswith("__init__.py")}

    def test_a_test_runner_goes_with_what_only_it_requires(self) -> None:
        assert self.claimed(*self.PACKAGES) == {"pytest", "pluggy", "packaging"}

    def test_what_the_application_requires_too_stays(self) -> None:
        gunicorn = wheel("gunicorn", "packaging")
        assert self.claimed(*self.PACKAGES, gunicorn) == {"pytest", "pluggy"}

    def test_what_somebody_asked_for_stays(self) -> None:
        packages = (self.PYTEST, self.PLUGGY, self.DJANGO, wheel("packaging", asked_for=True))
        assert self.claimed(*packages) == {"pytest", "pluggy"}

    def test_what_an_extra_of_the_application_needs_stays(self) -> None:
        django = wheel("django", asked_for=True)
        metadata = b"Name: django\nRequires-Dist: packaging >=20; extra == 'all'\n"
        image = make_image(wheels(*self.PACKAGES) | {f"{SITE}/django-1.dist-info/METADATA": metadata})
        packages = (self.PYTEST, self.PLUGGY, django, self.PACKAGING)
        assert not {path for path in claimed(image, "development-packages", packages) if "packaging" in path}

    def test_what_they_require_stays_where_no_installer_noted_who_asked_for_what(self) -> None:
        packages = (wheel("pytest", "pluggy"), self.PLUGGY, wheel("django"))
        assert self.claimed(*packages) == {"pytest"}

    def test_a_tool_that_another_package_requires_stays(self) -> None:
        plugin = wheel("our-checks", "pytest")
        assert self.claimed(*self.PACKAGES, plugin) == set()

    @pytest.mark.parametrize("cmd", [("python", "-m", "pytest"), ("python", "-m", "pytest.__main__"), ("pytest",)])
    def test_a_tool_that_the_command_runs_stays(self, cmd: tuple[str, ...]) -> None:
        assert self.claimed(*self.PACKAGES, cmd=cmd) == set()

    def test_tools_stay_in_an_image_of_tools(self) -> None:
        assert self.claimed(self.PYTEST, self.PLUGGY, wheel("pip"), cmd=("/check.sh",)) == set()

    def test_spellings_of_a_name_are_one(self) -> None:
        assert self.claimed(wheel("pytest_cov"), wheel("Django")) == {"pytest_cov"}

    @pytest.mark.parametrize("name", ["jupyter", "selenium", "faker", "django-stubs-ext", "pytesseract"])
    def test_what_services_run_is_no_tool(self, name: str) -> None:
        assert self.claimed(wheel(name), self.DJANGO) == set()


class TestMarkedAsDevelopment:
    FILES: dict[str, Content] = {
        "app/node_modules/jest/index.js": 9,
        "app/node_modules/express/index.js": 9,
        "app/node_modules/nodemon/bin/nodemon.js": 9,
        "app/node_modules/.bin/nodemon": "-> ../nodemon/bin/nodemon.js",
    }
    PACKAGES = (
        Package("npm", "jest", "1", 0, 0, ("app/node_modules/jest/index.js",), development=True),
        Package("npm", "nodemon", "1", 0, 0, ("app/node_modules/nodemon/bin/nodemon.js",), development=True),
        Package("npm", "express", "1", 0, 0, ("app/node_modules/express/index.js",)),
    )
    ALL = {"app/node_modules/jest/index.js", "app/node_modules/nodemon/bin/nodemon.js"}

    def claimed(self, *cmd: str, manifest: bytes | None = None, env: tuple[str, ...] = ()) -> set[str]:
        files = self.FILES | ({"app/package.json": manifest} if manifest is not None else {})
        image = make_image(files, cmd=cmd, working_dir="/app", env=env)
        return claimed(image, "development-packages", self.PACKAGES)

    def test_goes(self) -> None:
        assert self.claimed("node", "server.js") == self.ALL

    @pytest.mark.parametrize(
        "cmd",
        [
            ("node", "/app/node_modules/nodemon/bin/nodemon.js"),
            ("npx", "nodemon"),
            ("node", "-r", "jest/register", "x.js"),
            ("node", "--import=jest", "x.js"),
        ],
    )
    def test_stays_as_a_whole_where_the_command_runs_a_part_of_it(self, cmd: tuple[str, ...]) -> None:
        assert self.claimed(*cmd) == set()

    def test_stays_where_node_is_told_to_load_it(self) -> None:
        assert self.claimed("node", "x.js", env=("NODE_OPTIONS=--max-old-space-size=200 --require jest/x",)) == set()

    def test_stays_where_a_script_of_the_package_runs_it(self) -> None:
        manifest = b'{"scripts": {"start": "npm run serve", "serve": "NODE_ENV=x nodemon server.js", "test": "jest"}}'
        assert self.claimed("npm", "start", manifest=manifest) == set()
        assert self.claimed("yarn", "run", "start", manifest=manifest) == set()

    def test_goes_where_only_other_scripts_run_it(self) -> None:
        manifest = b'{"scripts": {"start": "node server.js", "test": "jest", "dev": "nodemon server.js"}}'
        assert self.claimed("npm", "start", manifest=manifest) == self.ALL
        assert self.claimed("npm", "run", "dev", manifest=manifest) == set()

    def test_stays_where_nobody_can_read_the_script(self) -> None:
        assert self.claimed("npm", "start") == set()

    def test_scripts_that_call_each_other_end(self) -> None:
        manifest = b'{"scripts": {"start": "npm run a", "a": "npm run b", "b": "npm run a"}}'
        assert self.claimed("npm", "start", manifest=manifest) == self.ALL


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
        ruby = Package("deb", "ruby3.1", "3", 0, 0, ("usr/bin/python3",), automatic=False)
        assert claimed(image, "unused-interpreters", [ruby, compiler]) == set()
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
