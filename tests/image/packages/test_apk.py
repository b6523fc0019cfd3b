from fleet.image.packages import read_packages
from fleet.image.packages.package import Package
from tests.image.packages.trees import by_name, tree_of


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
            requires=(("so:libx.so.1",), ("busybox",)),
        ),
        Package("apk", "empty", "1", 0, 0),
    )


def test_alpine_packages_provide_libraries_commands_and_paths():
    database = "P:busybox\nV:1\np:/bin/sh cmd:sh=1.37-r0 so:libx.so.1=1.2~3\n\n"
    packages = by_name(tree_of({"lib/apk/db/installed": database}))
    assert packages["busybox"].provides == ("/bin/sh", "cmd:sh", "so:libx.so.1")


def test_what_the_world_file_names_was_asked_for_and_the_rest_was_not():
    database = "P:curl\nV:1\n\nP:libcurl\nV:1\n\nP:.deps\nV:0\nD:gcc\n\nP:gcc\nV:1\n\nP:mawk\nV:1\np:awk=1\n\n"
    world = "curl>8 .deps=2024 !gcc\nawk@edge\n"
    packages = by_name(tree_of({"lib/apk/db/installed": database, "etc/apk/world": world}))
    assert {name for name, package in packages.items() if package.automatic} == {"libcurl", "gcc"}
    assert packages["curl"].automatic is False


def test_a_package_belongs_to_the_layer_of_its_files_however_often_the_database_is_rewritten():
    database = "P:musl\nV:1\nF:lib\nR:a\nR:b\nR:c\n\n"
    later = database + "P:curl\nV:1\nF:usr/bin\nR:curl\n\nP:.deps\nV:0\n\n"
    tree = tree_of(
        {"lib/apk/db/installed": database, "lib/a": "1", "lib/b": "1", "lib/c": "1"},
        {"lib/apk/db/installed": later, "usr/bin/curl": "1", "lib/b": "changed"},
    )
    assert {name: package.layer for name, package in by_name(tree).items()} == {"musl": 0, "curl": 1, ".deps": 1}
