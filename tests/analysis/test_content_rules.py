"""Rules that look at what files hold: copies, symbols, sources of what was compiled, media."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleet.image.entries import ElfFacts
from fleet.image.packages.package import Package
from fleet.image.sizes import Sizes
from tests.analysis.claiming import claimed, claims_of
from tests.analysis.images import Content, make_image


class TestDuplicateFiles:
    def test_all_copies_but_one_go(self) -> None:
        files: dict[str, Content] = {"app/a.bin": (9000, 7), "app/b.bin": (9000, 7), "app/c.bin": (9000, 7)}
        assert claimed(make_image(files), "duplicate-files") == {"app/b.bin", "app/c.bin"}

    def test_files_of_one_size_and_another_content_stay(self) -> None:
        files: dict[str, Content] = {"app/a.bin": (9000, 7), "app/b.bin": (9000, 8), "app/c.bin": (9001, 7)}
        assert claimed(make_image(files), "duplicate-files") == set()

    @pytest.mark.parametrize("content", [(4095, 7), (9000, 0)], ids=["small", "unknown"])
    def test_small_files_and_those_of_unknown_content_stay(self, content: tuple[int, int]) -> None:
        assert claimed(make_image({"app/a": content, "app/b": content}), "duplicate-files") == set()

    def test_hard_links_are_no_copies(self) -> None:
        assert claimed(make_image({"app/a": (9000, 7), "app/b": "=> app/a"}), "duplicate-files") == set()

    def test_licences_repeat_on_purpose(self) -> None:
        files: dict[str, Content] = {"app/x/LICENSE": (9000, 7), "app/y/LICENSE": (9000, 7)}
        assert claimed(make_image(files), "duplicate-files") == set()

    def test_the_copy_in_the_lower_layer_stays(self) -> None:
        image = make_image({"app/z.bin": (9000, 7)}, {"app/a.bin": (9000, 7)})
        assert claimed(image, "duplicate-files") == {"app/a.bin"}

    def test_the_copy_that_the_command_names_stays(self) -> None:
        image = make_image({"app/a.bin": (9000, 7)}, {"app/z.bin": (9000, 7)}, cmd=("/app/z.bin",))
        assert claimed(image, "duplicate-files") == {"app/a.bin"}

    def test_a_copy_of_what_another_rule_claims_is_the_last_one_and_stays(self) -> None:
        files: dict[str, Content] = {"root/.cache/pip/wheel.bin": (9000, 7), "srv/wheel.bin": (9000, 7)}
        assert claimed(make_image(files), "language-cache") == {"root/.cache/pip/wheel.bin"}
        assert claimed(make_image(files), "duplicate-files") == set()


class TestUnstrippedPrograms:
    FACTS = ElfFacts("x86_64", stripped=False, debug_bytes=700_000, debug_compressed_bytes=200_000)

    def test_only_the_symbols_are_claimed(self) -> None:
        (claim,) = claims_of(make_image({"app/server": self.FACTS}), "unstripped-programs")
        assert (claim.entry.path, claim.sizes) == ("app/server", Sizes(700_000, 200_000))

    def test_few_symbols_stay(self) -> None:
        few = ElfFacts("x86_64", stripped=False, debug_bytes=65_535)
        assert claimed(make_image({"app/server": few}), "unstripped-programs") == set()

    def test_no_more_is_claimed_than_the_file_has(self) -> None:
        boasting = ElfFacts("x86_64", debug_bytes=1 << 60, debug_compressed_bytes=1 << 60)
        (claim,) = claims_of(make_image({"app/server": boasting}), "unstripped-programs")
        assert claim.sizes == Sizes(1_000_000, 333_333)

    def test_a_program_that_goes_whole_goes_once(self) -> None:
        image = make_image({"usr/local/go/bin/go": self.FACTS})
        assert claimed(image, "toolchain") == {"usr/local/go/bin/go"}
        assert claimed(image, "unstripped-programs") == set()


class TestOriginalSources:
    @pytest.mark.parametrize(
        ("files", "gone"),
        [
            ({"app/dist/a.js": 1, "app/src/a.ts": 9}, {"app/src/a.ts"}),
            ({"app/a.js": 1, "app/a.ts": 9, "app/b.ts": 9}, {"app/a.ts"}),
            ({"src/x/a.tsx": 9, "build/x/a.js": 1}, {"src/x/a.tsx"}),
            ({"app/node_modules/x/index.d.ts": 9}, {"app/node_modules/x/index.d.ts"}),
            ({"app/a.d.ts": 9, "app/a.js": 1, "app/globals.d.ts": 9}, {"app/a.d.ts"}),
            ({"app/s.scss": 9, "app/s.css": 1, "app/t.less": 9}, {"app/s.scss"}),
        ],
    )
    def test_a_source_goes_where_its_result_is(self, files: dict[str, Content], gone: set[str]) -> None:
        assert claimed(make_image(files, cmd=("node", "dist/a.js")), "original-sources") == gone

    @pytest.mark.parametrize(
        ("cmd", "env"),
        [
            (("npx", "ts-node", "src/a.ts"), ()),
            (("node", "src/a.ts"), ()),
            (("bun", "run", "src/a.ts"), ()),
            (("node", "dist/a.js"), ("NODE_OPTIONS=--import=tsx",)),
            (("node", "-r", "ts-node/register", "dist/a.js"), ()),
            (("npm", "start"), ()),
        ],
    )
    def test_everything_stays_where_typescript_is_run(self, cmd: tuple[str, ...], env: tuple[str, ...]) -> None:
        files: dict[str, Content] = {"app/dist/a.js": 1, "app/src/a.ts": 9, "app/node_modules/x/index.d.ts": 9}
        assert claimed(make_image(files, cmd=cmd, env=env), "original-sources") == set()

    def test_everything_stays_where_the_compiler_is_there_for_more_than_development(self) -> None:
        image = make_image({"app/dist/a.js": 1, "app/src/a.ts": 9}, cmd=("node", "dist/a.js"))
        compiler = Package("npm", "typescript", "5", 0, 0)
        assert claimed(image, "original-sources", [compiler]) == set()
        assert claimed(image, "original-sources", [replace(compiler, development=True)]) == {"app/src/a.ts"}

    @pytest.mark.parametrize(("start", "gone"), [("node dist/a.js", {"app/src/a.ts"}), ("tsx src/a.ts", set())])
    def test_a_script_of_the_package_tells_what_runs(self, start: str, gone: set[str]) -> None:
        manifest = b'{"scripts": {"start": "%s"}}' % start.encode()
        files: dict[str, Content] = {"app/dist/a.js": 1, "app/src/a.ts": 9, "app/package.json": manifest}
        assert claimed(make_image(files, cmd=("npm", "start"), working_dir="/app"), "original-sources") == gone


class TestLargeMedia:
    @pytest.mark.parametrize("path", ["app/static/intro.mp4", "srv/Backup.SQL.gz", "app/model.tar.gz", "data.7z"])
    def test_large_ones_go(self, path: str) -> None:
        assert claimed(make_image({path: 5_000_000}), "large-media") == {path}

    @pytest.mark.parametrize(
        ("path", "size"),
        [
            ("app/static/intro.mp4", 4_999_999),
            ("app/model.onnx", 9_000_000),
            ("app/prices.csv", 9_000_000),
            ("usr/share/x/a.tar.gz", 9_000_000),
        ],
    )
    def test_small_ones_programs_data_and_the_systems_stay(self, path: str, size: int) -> None:
        assert claimed(make_image({path: size}), "large-media") == set()

    def test_what_a_package_brought_or_the_command_names_stays(self) -> None:
        image = make_image({"app/x.zip": 9_000_000, "app/y.zip": 9_000_000}, cmd=("python", "/app/y.zip"))
        package = Package("pypi", "x", "1", 0, 0, ("app/x.zip",))
        assert claimed(image, "large-media") == {"app/x.zip"}
        assert claimed(image, "large-media", [package]) == set()


@pytest.mark.parametrize(
    "path", ["app/.DS_Store", "app/.main.py.swp", "app/main.py~", "app/.mypy_cache/x.json", "app/.coverage", ".tox/x"]
)
def test_leavings_of_editors_and_checkers_go(path: str) -> None:
    assert claimed(make_image({path: 9}), "version-control") == {path}


@pytest.mark.parametrize("path", ["usr/lib/x/a~", "app/swp", "app/.coveragerc", "app/.github/x", "etc/passwd~"])
def test_what_only_looks_like_them_stays(path: str) -> None:
    assert claimed(make_image({path: 9}), "version-control") == set()
