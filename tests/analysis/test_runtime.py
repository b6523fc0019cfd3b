import pytest

from fleet.analysis.findings import Runtime
from fleet.analysis.runtime import detect_runtime
from fleet.image.entries import ElfFacts
from fleet.image.loading import LoadedImage
from fleet.image.packages.package import Package
from tests.analysis.images import STATIC_ELF, Content, make_image

DYNAMIC = ElfFacts("x86_64", interpreter="/lib64/ld-linux-x86-64.so.2", needed=("libc.so.6",))
SYSTEM: dict[str, Content] = {
    "bin": "-> usr/bin",
    "usr/bin/sh": "-> dash",
    "usr/bin/dash": DYNAMIC,
    "usr/bin/env": DYNAMIC,
    "usr/bin/perl": DYNAMIC,
    "usr/bin/python3": "-> python3.11",
    "usr/bin/python3.11": DYNAMIC,
}
PYTHON: dict[str, Content] = {
    "usr/local/bin/python": "-> python3",
    "usr/local/bin/python3": "-> python3.12",
    "usr/local/bin/python3.12": DYNAMIC,
    "usr/local/bin/gunicorn": "#!/usr/local/bin/python",
}


def runtime(image: LoadedImage, *packages: Package) -> tuple[str, str]:
    found = detect_runtime(image, packages)
    return found.name, found.version


@pytest.mark.parametrize(
    ("files", "command", "expected"),
    [
        (PYTHON, ["python", "app.py"], ("python", "3.12")),
        (PYTHON, ["gunicorn", "app"], ("python", "3.12")),
        (PYTHON, ["sh", "-c", "python manage.py migrate && exec gunicorn -b :8000 app"], ("python", "3.12")),
        (PYTHON, ["/bin/sh", "-c", "FOO=bar gunicorn app"], ("python", "3.12")),
        ({**PYTHON, "entry.sh": "#!/bin/sh"}, ["/entry.sh", "gunicorn"], ("python", "3.12")),
        ({**PYTHON, "usr/bin/tini": STATIC_ELF}, ["tini", "--", "gunicorn"], ("python", "3.12")),
        ({**PYTHON, "usr/sbin/gosu": STATIC_ELF}, ["gosu", "app", "gunicorn"], ("python", "3.12")),
        ({**PYTHON, "venv/bin/python": "-> /usr/local/bin/python3.12"}, ["/venv/bin/python"], ("python", "3.12")),
        ({"app/run": "#!/usr/bin/env -S python3 -u"}, ["/app/run"], ("python", "3.11")),
        ({"usr/local/bin/node": DYNAMIC}, ["node", "server.js"], ("node", "")),
        (
            {
                "usr/local/bin/node": DYNAMIC,
                "usr/local/bin/npm": "-> ../lib/node_modules/npm/bin/npm-cli.js",
                "usr/local/lib/node_modules/npm/bin/npm-cli.js": "#!/usr/bin/env node",
            },
            ["npm", "start"],
            ("node", ""),
        ),
        ({"opt/java-17-openjdk/bin/java": DYNAMIC, "usr/bin/java": "-> /opt/java-17-openjdk/bin/java"},
         ["java", "-jar", "/app.jar"], ("java", "17")),
        ({"usr/sbin/nginx": DYNAMIC}, ["nginx", "-g", "daemon off;"], ("nginx", "")),
        ({"server": ElfFacts("x86_64", static=True, go_build_info=True)}, ["/server"], ("go", "")),
        ({"usr/local/bin/uwsgi": ElfFacts("x86_64", needed=("libpython3.11.so.1.0",))}, ["uwsgi"], ("python", "")),
        ({"app/Shop": DYNAMIC, "app/Shop.dll": 9}, ["/app/Shop"], ("dotnet", "")),
        ({"server": STATIC_ELF}, ["/server", "--with", "python3"], ("unknown", "")),
        ({"server": ElfFacts("x86_64", needed=("libstdc++.so.6",))}, ["/server"], ("c", "")),
        ({"server": STATIC_ELF, "usr/local/cargo/bin/cargo": STATIC_ELF}, ["/server"], ("rust", "")),
        ({}, ["/bin/sh", "-c", "an 'unbalanced quote"], ("unknown", "")),
        ({}, [], ("unknown", "")),
    ],
)  # fmt: skip
def test_the_command_tells_the_runtime(
    files: dict[str, Content], command: list[str], expected: tuple[str, str]
) -> None:
    assert runtime(make_image({**SYSTEM, **files}, cmd=command)) == expected


def test_an_entry_point_goes_before_its_command() -> None:
    image = make_image({**SYSTEM, "usr/sbin/nginx": DYNAMIC}, entrypoint=["python3"], cmd=["nginx"])
    assert runtime(image) == ("python", "3.11")


def test_a_relative_program_is_found_from_the_working_directory() -> None:
    go = ElfFacts("x86_64", static=True, go_build_info=True)
    assert runtime(make_image({**SYSTEM, "srv/api": go}, cmd=["./api"], working_dir="/srv")) == ("go", "")


def test_the_path_variable_is_searched_in_its_order() -> None:
    env = ["PATH=/usr/local/bin:/usr/bin"]
    assert runtime(make_image({**SYSTEM, **PYTHON}, cmd=["python3"], env=env)) == ("python", "3.12")


@pytest.mark.parametrize(
    ("env", "version"),
    [("PYTHON_VERSION=3.12.4", "3.12.4"), ("PYTHON_VERSION=3.9.1", "3.12"), ("PYTHON_VERSION=", "3.12")],
)
def test_a_stated_version_counts_where_it_fits_the_interpreter(env: str, version: str) -> None:
    assert runtime(make_image({**SYSTEM, **PYTHON}, cmd=["python"], env=[env])) == ("python", version)


def test_the_package_of_the_interpreter_gives_the_exact_version() -> None:
    package = Package("deb", "python3.11-minimal", "3.11.2-6+deb12u3", 0, 0, ("usr/bin/python3.11",))
    assert runtime(make_image(SYSTEM, cmd=["python3"]), package) == ("python", "3.11.2")


def test_java_and_epoch_spellings_are_reduced_to_the_version() -> None:
    image = make_image({"opt/java/bin/java": DYNAMIC}, cmd=["/opt/java/bin/java"], env=["JAVA_VERSION=jdk-21.0.2+13"])
    assert runtime(image) == ("java", "21.0.2+13")
    package = Package("deb", "nginx", "1:1.22.1-9", 0, 0, ("usr/sbin/nginx",))
    assert runtime(make_image({"usr/sbin/nginx": DYNAMIC}, cmd=["nginx"]), package) == ("nginx", "1.22.1")


def test_the_environment_and_then_files_tell_where_the_command_does_not() -> None:
    script: dict[str, Content] = {**SYSTEM, "entry.sh": "#!/bin/sh", "app/package.json": 5}
    assert runtime(make_image(script, cmd=["/entry.sh"], env=["RUBY_VERSION=3.3.1"])) == ("ruby", "3.3.1")
    assert runtime(make_image(script, cmd=["/entry.sh"], working_dir="/app")) == ("node", "")


def test_hostile_versions_and_names_stay_out_of_the_answer() -> None:
    image = make_image(SYSTEM, cmd=["python3\x1b[2J"], env=["PYTHON_VERSION=\x1b[2J" + "9" * 500])
    found = detect_runtime(image)
    assert found.version == ""
    assert found.evidence.isprintable()
    assert len(found.evidence) <= 255


def test_nothing_to_go_by_is_unknown_with_a_reason() -> None:
    found = detect_runtime(make_image({"data": 1}))
    assert (found.name, found.version) == ("unknown", "")
    assert isinstance(found, Runtime)
    assert found.evidence
