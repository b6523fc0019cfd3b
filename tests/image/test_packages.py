import json

import pytest

from fleet.image.filetree import FileTree, apply_layers
from fleet.image.packages import read_packages
from fleet.image.packages.package import Package
from tests.image.archives import directory, layer, member, symlink


def tree_of(*layers: dict[str, str]) -> FileTree:
    """Contents by path; ``-> x`` is a symlink."""
    return apply_layers([layer(*(entry_of(path, text) for path, text in files.items())) for files in layers])


def entry_of(path: str, text: str):
    if path.endswith("/"):
        return directory(path)
    return symlink(path, text[3:]) if text.startswith("-> ") else member(path, text.encode(errors="surrogateescape"))


def only(tree: FileTree) -> Package:
    (package,) = read_packages(tree)
    return package


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


def test_alpine_packages_list_files_by_directory():
    database = (
        "C:Q1abc=\nP:musl\nV:1.2.5-r0\nD:so:libx.so.1 busybox>1.3 !conflict\nF:lib\nR:ld-musl-x86_64.so.1\n"
        "Z:Q1\nF:usr/share/doc\nR:musl\n\nP:empty\nV:1\n\n"
    )
    tree = tree_of({"lib/apk/db/installed": database, "lib/ld-musl-x86_64.so.1": "12345", "usr/share/doc/musl": "1"})
    assert read_packages(tree) == (
        Package(
            ecosystem="apk",
            name="musl",
            version="1.2.5-r0",
            unpacked_bytes=6,
            layer=0,
            paths=("lib/ld-musl-x86_64.so.1", "usr/share/doc/musl"),
            depends=("so:libx.so.1", "busybox"),
        ),
        Package("apk", "empty", "1", 0, 0),
    )


SITE = "usr/local/lib/python3.11/site-packages"
METADATA = """Metadata-Version: 2.1
Name: Demo-App
Version: 1.0
Requires-Dist: asgiref<4,>=3.8.1
Requires-Dist: argon2-cffi>=19.1.0; extra == "argon2"
Requires-Dist: tzdata; sys_platform == "win32"

Name: not a header
"""


def test_python_distributions_have_what_their_record_lists_and_its_bytecode():
    record = '"demo/a,b.py",sha256=x,3\r\ndemo/__init__.py,,\r\n../../../bin/demo,,\ngone.py,,\n'
    tree = tree_of(
        {
            f"{SITE}/demo-1.0.dist-info/METADATA": METADATA,
            f"{SITE}/demo-1.0.dist-info/RECORD": record,
            f"{SITE}/demo/a,b.py": "123",
            f"{SITE}/demo/__init__.py": "",
            f"{SITE}/demo/__pycache__/__init__.cpython-311.pyc": "12345",
            f"{SITE}/demo/__pycache__/other.cpython-311.pyc": "12345",
            f"{SITE}/unlisted.py": "1",
            "usr/local/bin/demo": "1234567",
        }
    )
    package = only(tree)
    assert (package.ecosystem, package.name, package.version) == ("pypi", "Demo-App", "1.0")
    assert package.depends == ("asgiref", "tzdata")
    assert set(package.paths) == {
        f"{SITE}/demo/a,b.py",
        f"{SITE}/demo/__init__.py",
        f"{SITE}/demo/__pycache__/__init__.cpython-311.pyc",
        f"{SITE}/demo-1.0.dist-info/METADATA",
        "usr/local/bin/demo",
    }
    assert package.unpacked_bytes == 3 + 5 + 7 + len(METADATA)


def test_distributions_without_a_record_own_their_top_level_modules():
    tree = tree_of(
        {
            "site-packages/six-1.16.egg-info/PKG-INFO": "Name: six\nVersion: 1.16\n",
            "site-packages/six-1.16.egg-info/top_level.txt": "six\n..\n/etc\n",
            "site-packages/six.py": "123",
            "site-packages/old_style-2.egg-info": "Name: Old-Style\nVersion: 2\n",
            "site-packages/old_style/a.py": "1",
            "etc/passwd": "root",
        }
    )
    six, old = sorted(read_packages(tree), key=lambda package: package.name, reverse=True)
    assert (six.name, "site-packages/six.py" in six.paths, "etc/passwd" in six.paths) == ("six", True, False)
    assert (old.name, "site-packages/old_style/a.py" in old.paths) == ("Old-Style", True)


def test_node_packages_own_what_no_inner_package_does():
    def manifest(name, **more):
        return json.dumps({"name": name, "version": "1.2.3", **more})

    tree = tree_of(
        {
            "app/package.json": manifest("app"),
            "app/node_modules/a/package.json": manifest("a", dependencies={"b": "^1"}),
            "app/node_modules/a/lib/index.js": "12345",
            "app/node_modules/a/lib/package.json": manifest("no-package"),
            "app/node_modules/a/node_modules/@s/b/package.json": manifest("@s/b"),
            "app/node_modules/a/node_modules/@s/b/i.js": "1",
            "app/node_modules/.bin/a": "x",
            "app/node_modules/broken/package.json": "{",
            "app/node_modules/list/package.json": "[]",
            "app/node_modules/nameless/package.json": '{"name": null, "version": 3}',
        }
    )
    packages = {package.name: package for package in read_packages(tree)}
    assert set(packages) == {"a", "@s/b"}
    assert packages["a"].depends == ("b",)
    assert set(packages["a"].paths) == {
        f"app/node_modules/a/{path}" for path in ("package.json", "lib/index.js", "lib/package.json")
    }
    assert packages["@s/b"].unpacked_bytes == 1 + len(manifest("@s/b"))


@pytest.mark.parametrize(
    ("file", "name", "version"),
    [
        ("rack-3.0.8", "rack", "3.0.8"),
        ("net-smtp-0.5.0", "net-smtp", "0.5.0"),
        ("nokogiri-1.16.5-x86_64-linux", "nokogiri", "1.16.5"),
        ("default/json-2.6.1", "json", "2.6.1"),
    ],
)
def test_gems_are_named_by_their_specifications(file, name, version):
    home = "usr/local/bundle"
    full = file.removeprefix("default/")
    tree = tree_of({f"{home}/specifications/{file}.gemspec": "12", f"{home}/gems/{full}/lib/a.rb": "123"})
    package = only(tree)
    assert (package.ecosystem, package.name, package.version, package.unpacked_bytes) == ("gem", name, version, 5)


def test_bytes_that_two_packages_list_count_for_the_first():
    tree = tree_of(
        {
            "var/lib/dpkg/status": "Package: python3-six\nStatus: install ok installed\nVersion: 1\n",
            "var/lib/dpkg/info/python3-six.list": "/usr/lib/python3/dist-packages/six.py\n",
            "usr/lib/python3/dist-packages/six.py": "123",
            "usr/lib/python3/dist-packages/six-1.egg-info/PKG-INFO": "Name: six\nVersion: 1\n",
        }
    )
    deb, pypi = read_packages(tree)
    assert (deb.unpacked_bytes, pypi.unpacked_bytes) == (3, len("Name: six\nVersion: 1\n"))
    assert "usr/lib/python3/dist-packages/six.py" in pypi.paths


def test_damaged_databases_yield_nothing_and_do_not_fail():
    tree = tree_of(
        {
            "var/lib/dpkg/status": "\udcff\n\n:\n:::\nPackage\n\nPackage: x\n",
            "lib/apk/db/installed": "\n\n::\nP\nP:\n",
            "x/a.dist-info/METADATA": "",
            "x/b.dist-info/METADATA": "Name: b\nVersion: 1",
            "x/b.dist-info/RECORD": '"' + "x" * 200_000,
            "node_modules/deep/package.json": "[" * 60_000,
            f"specifications/{'-1' * 100}.gemspec": "",
        }
    )
    assert [package.name for package in read_packages(tree) if package.ecosystem != "gem"] == ["b"]


def test_names_of_packages_are_printable_and_bounded():
    name = "b\x1b[31m" + "x" * 5000
    assert only(tree_of({"x/b.dist-info/METADATA": f"Name: {name}\nVersion: 1"})).name == "b[31m" + "x" * 249
