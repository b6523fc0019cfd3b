from fleet.image.packages.package import Package
from tests.image.packages.trees import by_name, only, tree_of

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
