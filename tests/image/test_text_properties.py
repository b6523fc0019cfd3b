"""What files in an image say, as nobody would write it: packages, libraries and paths are read without an exception."""

from __future__ import annotations

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fleet.image.entries import Entry, LayerIndex
from fleet.image.filetree import apply_layers
from fleet.image.packages import read_packages
from fleet.image.stored import dump_index, load_index
from tests.image.archives import archive, index, member

often = settings(deadline=None, derandomize=True, max_examples=150, suppress_health_check=[HealthCheck.too_slow])

SITE = "usr/lib/python3/site-packages"
PATHS = (
    "var/lib/dpkg/status",
    "var/lib/dpkg/status.d/base",
    "var/lib/dpkg/info/app.list",
    "lib/apk/db/installed",
    "etc/os-release",
    f"{SITE}/app-1.0.dist-info/METADATA",
    f"{SITE}/app-1.0.dist-info/RECORD",
    f"{SITE}/app-1.0.dist-info/direct_url.json",
    f"{SITE}/app.egg-info/PKG-INFO",
    f"{SITE}/app.egg-info",
    "app/node_modules/x/package.json",
    "app/package.json",
    "app/package-lock.json",
    "usr/lib/ruby/gems/3.0.0/specifications/app-1.0.gemspec",
    "app/Gemfile.lock",
    "app/requirements.txt",
    "app/uv.lock",
    "app/pyproject.toml",
)
LINES = (
    "Package: app",
    "Status: install ok installed",
    "Version: 1.0",
    "Name: app",
    "P:app",
    "V:1.0-r0",
    "F:usr/bin",
    "R:app",
    "I:12",
    "app/../../../etc/passwd,sha256=x,10",
    '"a,b",,',
    "/usr/bin/app",
    '{"name": "app", "version": "1.0", "dependencies": {"b": "1"}}',
    '{"name": ["app"], "version": 1}',
    "[" * 2000,
    '{"packages": {"": null, "node_modules/b": 1}}',
    's.name = "app".freeze',
    'require_paths = ["lib", 7]',
    "ID=debian",
    'VERSION_ID="12',
    "Installed-Size: -5",
    "Installed-Size: 99999999999999999999999",
    " continued",
    "",
)
CONTENT = st.one_of(
    st.lists(st.one_of(st.sampled_from(LINES), st.text(max_size=20)), max_size=12)
    .map("\n".join)
    .map(lambda text: text.encode(errors="replace")),
    st.binary(max_size=200),
)


@often
@given(st.dictionaries(st.sampled_from(PATHS), CONTENT, max_size=6))
@example(dict.fromkeys(PATHS, b"[" * 50000))
@example(dict.fromkeys(PATHS, b"\xff\xfe\x00\x00"))
@example(dict.fromkeys(PATHS, b"{" * 10 + b"\n" * 50000))
def test_packages_of_any_text(files: dict[str, bytes]) -> None:
    layer = index(archive(*(member(path, content) for path, content in files.items())))
    tree = apply_layers([layer])
    for package in read_packages(tree):
        assert package.name
        assert package.unpacked_bytes >= 0
        assert all(path in tree.nodes for path in package.paths)
    assert load_index(dump_index(layer)) == layer


KINDS = st.sampled_from(["file", "directory", "symlink", "hardlink", "whiteout", "opaque", "device", "fifo"])
NAME = st.lists(st.sampled_from(["a", "b", "c", "d\udcff"]), min_size=1, max_size=4).map("/".join)
LINK = st.one_of(NAME, st.sampled_from(["", "/", "..", "../..", "./a", "/a/../b", "a//b", "../../../../c"]))
LAYERS = st.lists(st.lists(st.tuples(NAME, KINDS, LINK), max_size=12), min_size=1, max_size=4)


@often
@given(LAYERS, st.lists(LINK, min_size=1, max_size=4))
def test_layers_of_any_entries_add_up(entries: list[list[tuple[str, str, str]]], asked: list[str]) -> None:
    """Every version of every path is in the tree or hidden, each once; links in circles lead nowhere."""
    layers = [
        LayerIndex(
            f"sha256:{number}",
            "",
            "",
            100,
            10 * sum(kind == "file" for _, kind, _ in rows),
            tuple(Entry(path, kind, 10 if kind == "file" else 0, 1, 0o644, link=link) for path, kind, link in rows),  # type: ignore[arg-type]
        )
        for number, rows in enumerate(entries)
    ]
    tree = apply_layers(layers)
    versions = sum(kind not in ("whiteout", "opaque") for rows in entries for _, kind, _ in rows)
    assert len(tree.nodes) + len(tree.hidden) == versions
    kept = [node.entry.size_bytes for node in tree.nodes.values()] + [gone.entry.size_bytes for gone in tree.hidden]
    assert sum(kept) == sum(layer.unpacked_bytes for layer in layers)
    for path in [*asked, *tree.nodes]:
        real = tree.resolve(path)
        assert real is None or not {"..", "."}.intersection(real.split("/"))
        list(tree.under(path))
    for layer in layers:
        assert load_index(dump_index(layer)) == layer
