import re
import subprocess
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from fleet.image.entries import ElfFacts, Entry, LayerIndex
from fleet.image.filetree import FileTree, apply_layers
from fleet.image.layer import index_layer
from fleet.image.libraries import highest_glibc, library_closure, provided_glibc

ANY = ElfFacts("x86_64")
LOADER = "lib64/ld-linux-x86-64.so.2"


def needs(*names: str, search: tuple[str, ...] = (), rpath: bool = False, **facts) -> ElfFacts:
    return ElfFacts("x86_64", needed=names, search_paths=search, inherited_search=rpath, **facts)


def tree_of(files: dict[str, ElfFacts | str], texts: dict[str, str] | None = None) -> FileTree:
    """A string is a symlink to it."""
    texts = texts or {}
    entries = [
        Entry(path, "symlink", 1, 1, 0o777, link=content)
        if isinstance(content, str)
        else Entry(path, "file", 1, 1, 0o755)
        for path, content in files.items()
    ]
    entries += [Entry(path, "file", 1, 1, 0o644) for path in texts]
    elf = {path: content for path, content in files.items() if isinstance(content, ElfFacts)}
    bodies = {path: text.encode() for path, text in texts.items()}
    return apply_layers([LayerIndex("", "", "", 0, 0, tuple(entries), bodies, elf)])


def test_libraries_come_with_their_own_libraries_interpreter_and_symlinks():
    tree = tree_of(
        {
            "lib64": "usr/lib64",
            "usr/lib64/ld-linux-x86-64.so.2": "../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
            "lib": "usr/lib",
            "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2": ANY,
            "usr/lib/x86_64-linux-gnu/libz.so.1": "libz.so.1.3",
            "usr/lib/x86_64-linux-gnu/libz.so.1.3": needs("libc.so.6"),
            "usr/lib/x86_64-linux-gnu/libc.so.6": ANY,
            "usr/lib/x86_64-linux-gnu/libother.so": ANY,
            "app": needs("libz.so.1", interpreter=f"/{LOADER}"),
        }
    )
    closure = library_closure(tree, ["app"])
    assert sorted(closure.found) == [
        "lib",
        "lib64",
        "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
        "usr/lib/x86_64-linux-gnu/libc.so.6",
        "usr/lib/x86_64-linux-gnu/libz.so.1",
        "usr/lib/x86_64-linux-gnu/libz.so.1.3",
        "usr/lib64/ld-linux-x86-64.so.2",
    ]
    assert closure.missing == ()


def test_what_is_not_found_is_missing_under_its_name():
    tree = tree_of({"app": needs("libx.so.1", "liby.so", interpreter="/lib/ld.so"), "lib/liby.so": needs("libz.so")})
    closure = library_closure(tree, ["app"])
    assert set(closure.missing) == {"/lib/ld.so", "libx.so.1", "libz.so"}


@pytest.mark.parametrize(
    ("search", "rpath", "library_path", "found"),
    [
        ((), False, (), "usr/local/lib/x.so"),
        (("$ORIGIN/../own",), False, (), "opt/own/x.so"),
        (("${ORIGIN}/../own",), True, ("/env",), "opt/own/x.so"),
        (("$ORIGIN/../own",), False, ("/env",), "env/x.so"),
        ((), False, ("/env",), "env/x.so"),
        (("relative", "/nowhere"), False, (), "usr/local/lib/x.so"),
    ],
)
def test_directories_are_searched_in_the_order_of_the_loader(search, rpath, library_path, found):
    files = dict.fromkeys(["lib/x.so", "usr/local/lib/x.so", "env/x.so", "opt/own/x.so"], ANY)
    tree = tree_of(
        files | {"opt/bin/app": needs("x.so", search=search, rpath=rpath)},
        {
            "etc/ld.so.conf": "include /etc/ld.so.conf.d/*.conf\n",
            "etc/ld.so.conf.d/libc.conf": "# own\n/usr/local/lib\n",
        },
    )
    assert library_closure(tree, ["opt/bin/app"], library_path=library_path).found == (found,)


@pytest.mark.parametrize(("rpath", "missing"), [(True, ()), (False, ("b.so",))])
def test_rpath_holds_for_the_libraries_below_and_runpath_does_not(rpath, missing):
    files = {"app": needs("a.so", search=("/own",), rpath=rpath), "own/a.so": needs("b.so"), "own/b.so": ANY}
    assert library_closure(tree_of(files), ["app"]).missing == missing


def test_a_library_for_another_machine_is_passed_over():
    files = {"app": needs("a.so"), "lib/x86_64-linux-gnu/a.so": ElfFacts("i386"), "usr/lib/a.so": ANY}
    assert library_closure(tree_of(files), ["app"]).found == ("usr/lib/a.so",)


def test_what_an_importer_has_loaded_before_is_not_missing():
    files = {"site/ext.so": needs("libgomp-123.so"), "site/x.libs/libgomp-123.so": ANY}
    assert library_closure(tree_of(files), ["site/ext.so"]).missing == ("libgomp-123.so",)
    assert library_closure(tree_of(files), list(files)).missing == ()


def test_musl_has_its_own_directories():
    files = {"app": needs("a.so", "b.so"), "lib/ld-musl-x86_64.so.1": ANY, "usr/local/lib/a.so": ANY, "lib64/b.so": ANY}
    closure = library_closure(tree_of(files), ["app"])
    assert (closure.found, closure.missing) == (("usr/local/lib/a.so",), ("b.so",))
    elsewhere = tree_of(files | {"own/b.so": ANY}, {"etc/ld-musl-x86_64.path": "/own:/usr/local/lib\n"})
    assert library_closure(elsewhere, ["app"]).missing == ()


def test_circles_end():
    files = {"app": needs("a.so"), "lib/a.so": needs("b.so", search=("/lib",), rpath=True), "lib/b.so": needs("a.so")}
    assert set(library_closure(tree_of(files), ["app", "nowhere"]).found) == {"lib/a.so", "lib/b.so"}


def test_configuration_that_includes_itself_ends():
    text = "include /etc/ld.so.conf\n" * 50 + "/own\n"
    tree = tree_of({"app": needs("a.so"), "own/a.so": ANY}, {"etc/ld.so.conf": text})
    assert library_closure(tree, ["app"]).missing == ()


def test_the_highest_glibc_is_a_number_not_a_text():
    files = {"a": ElfFacts("x86_64", glibc=(2, 9)), "b": ElfFacts("x86_64", glibc=(2, 34)), "c": ANY}
    assert highest_glibc(tree_of(files), ["a", "b", "c", "nowhere"]) == (2, 34)
    assert highest_glibc(tree_of(files), ["c"]) is None


def test_the_provided_glibc_is_what_the_c_library_defines():
    files = {"lib/libc.so.6": ElfFacts("x86_64", soname="libc.so.6", provided_glibc=(2, 36)), "app": ANY}
    assert provided_glibc(tree_of(files)) == (2, 36)
    assert provided_glibc(tree_of({"app": ANY})) is None


PROGRAMS = [path for path in ("/usr/bin/curl", "/usr/bin/git", "/usr/bin/perl", "/usr/bin/tar") if Path(path).exists()]


@pytest.mark.skipif(not PROGRAMS or not Path("/usr/bin/ldd").exists(), reason="needs the programs of a Debian machine")
def test_the_closure_of_real_programs_is_what_ldd_prints():
    printed = "".join(subprocess.run(["ldd", program], capture_output=True, text=True).stdout for program in PROGRAMS)
    libraries = set(re.findall(r"(/\S+) \(0x", printed))
    buffer = BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.add("/etc/ld.so.conf")
        tar.add("/etc/ld.so.conf.d")
        for path in ("/lib", "/lib64"):
            tar.add(path, recursive=False)
        for path in sorted({*PROGRAMS, *libraries, *(str(Path(library).resolve()) for library in libraries)}):
            real_parent = Path(path).parent.resolve() / Path(path).name
            tar.add(real_parent, recursive=False)
    tree = apply_layers([index_layer([buffer.getvalue()], digest="", media_type="")])
    closure = library_closure(tree, [program.lstrip("/") for program in PROGRAMS])
    assert closure.missing == ()
    assert {tree.resolve(path) for path in closure.found} - {"usr/lib", "usr/lib64"} == {
        str(Path(library).resolve()).lstrip("/") for library in libraries
    }
