import shutil
import subprocess
from pathlib import Path

import pytest

from fleet.image.filetree import apply_layers
from fleet.image.packages import read_packages
from fleet.image.packages.graph import needed
from fleet.image.packages.package import Package
from tests.image.archives import layer, member
from tests.image.packages.trees import by_name, only, tree_of

debian = pytest.mark.skipif(not shutil.which("apt-cache"), reason="this is no Debian")

STATUS = """Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9+deb12u10
Depends: libgcc-s1 (>= 12) | libgcc1, libcrypt1:any (>= 1:4.4)
Pre-Depends: dpkg
Description: GNU C Library
 Depends: not a field

Package: removed
Status: deinstall ok config-files
Version: 1

Package: ../evil
Status: install ok installed
Version: 1
"""


def test_debian_packages_come_with_files_bytes_and_dependencies_across_merged_usr():
    listed = "/.\n/lib\n/lib/x86_64-linux-gnu\n/lib/x86_64-linux-gnu/libc.so.6\n/usr/share/doc/libc6/copyright\n/gone\n"
    tree = tree_of(
        {"usr/": "", "lib": "-> usr/lib", "var/lib/dpkg/status": "Package: older\n"},
        {
            "usr/lib/x86_64-linux-gnu/libc.so.6": "x" * 900,
            "usr/share/doc/libc6/copyright": "c" * 50,
            "var/lib/dpkg/info/libc6:amd64.list": listed,
            "var/lib/dpkg/status": STATUS,
        },
        {"var/lib/dpkg/status": STATUS + "\n"},
    )
    assert only(tree) == Package(
        ecosystem="deb",
        name="libc6",
        version="2.36-9+deb12u10",
        unpacked_bytes=950,
        layer=1,
        paths=("usr/lib/x86_64-linux-gnu/libc.so.6", "usr/share/doc/libc6/copyright"),
        depends=("dpkg", "libgcc-s1", "libcrypt1"),
        requires=(("dpkg",), ("libgcc-s1", "libgcc1"), ("libcrypt1",)),
    )


def test_distroless_packages_are_read_from_their_own_files():
    tree = tree_of(
        {
            "var/lib/dpkg/status.d/tzdata": "Package: tzdata\nVersion: 2025a\n",
            "var/lib/dpkg/status.d/tzdata.md5sums": "0123  usr/share/zoneinfo/UTC\n",
            "usr/share/zoneinfo/UTC": "utc",
        }
    )
    package = only(tree)
    assert (package.name, package.version, package.unpacked_bytes) == ("tzdata", "2025a", 3)
    assert package.paths == ("usr/share/zoneinfo/UTC",)


def stanza(name: str, *lines: str, state: str = "install ok installed") -> str:
    return "\n".join((f"Package: {name}", f"Status: {state}", "Architecture: amd64", "Version: 1", *lines)) + "\n\n"


def test_what_packages_provide_is_known_without_versions():
    tree = tree_of({"var/lib/dpkg/status": stanza("exim4", "Provides: mail-transport-agent, default-mta (= 4.96)")})
    assert only(tree).provides == ("mail-transport-agent", "default-mta")


def test_packages_that_the_system_cannot_do_without_are_essential():
    status = (
        stanza("bash", "Essential: yes"),
        stanza("init", "Protected: yes"),
        stanza("login", "Priority: required"),
        stanza("vim", "Essential: no", "Priority: optional"),
    )
    packages = by_name(tree_of({"var/lib/dpkg/status": "".join(status)}))
    assert {name for name, package in packages.items() if package.essential} == {"bash", "init", "login"}


def test_what_apt_installed_for_others_is_told_from_what_was_asked_for():
    status = stanza("libpq5") + stanza("psql") + stanza("common").replace("amd64", "all") + stanza("libpq5:i386")
    states = (
        "Package: libpq5\nArchitecture: amd64\nAuto-Installed: 1\n\n"
        "Package: common\nArchitecture: amd64\nAuto-Installed: 1\n\n"
        "Package: psql\nArchitecture: i386\nAuto-Installed: 1\n\n"
        "Package: psql\nArchitecture: amd64\nAuto-Installed: 0\n"
    )
    packages = by_name(tree_of({"var/lib/dpkg/status": status, "var/lib/apt/extended_states": states}))
    assert {name: package.automatic for name, package in packages.items()} == {
        "libpq5": True,
        "psql": False,
        "common": True,
    }


def test_nobody_can_tell_who_asked_for_a_package_where_apt_left_no_notes():
    assert only(tree_of({"var/lib/dpkg/status": stanza("libpq5")})).automatic is None


def test_packages_that_could_not_be_configured_are_there_and_removed_ones_are_not():
    states = ("installed", "unpacked", "half-configured", "triggers-pending", "config-files", "not-installed")
    status = "".join(stanza(state, state=f"install ok {state}") for state in states)
    assert set(by_name(tree_of({"var/lib/dpkg/status": status}))) == set(states[:4])


@pytest.fixture(scope="module")
def this_machine() -> tuple[Package, ...]:
    """The packages of the Debian that runs the tests, by its own database."""
    files = ("var/lib/dpkg/status", "var/lib/apt/extended_states")
    there = [path for path in files if Path("/", path).exists()]
    return read_packages(apply_layers([layer(*(member(path, Path("/", path).read_bytes()) for path in there))]))


def lines_of(*command: str) -> list[str]:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


@debian
def test_packages_of_a_real_system_are_those_that_dpkg_lists(this_machine):
    listed = lines_of("dpkg-query", "-W", "-f", "${db:Status-Status} ${Package} ${Version} ${Essential}\n")
    present = [line.split()[1:] for line in listed if not line.startswith(("config-files", "not-installed"))]
    assert sorted((package.name, package.version) for package in this_machine) == sorted(
        (name, version) for name, version, _ in present
    )
    assert {package.name for package in this_machine if package.essential} >= {
        name for name, _, essential in present if essential == "yes"
    }


@debian
def test_packages_that_apt_marks_as_automatic_are_so(this_machine):
    marked = {name.partition(":")[0] for name in lines_of("apt-mark", "showauto")}
    assert {package.name for package in this_machine if package.automatic} == marked


@debian
def test_what_a_real_package_needs_is_what_apt_finds(this_machine):
    kinds = ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")
    options = ["--recurse", "--installed", *(f"--no-{kind}" for kind in kinds)]
    listed = {
        line.partition(":")[0] for line in lines_of("apt-cache", "depends", *options, "apt") if line[:1].isalnum()
    }
    roots = [package for package in this_machine if package.name == "apt"]
    found = {package.name for package in needed(this_machine, roots)}
    assert found == listed & {package.name for package in this_machine}
