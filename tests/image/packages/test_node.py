import json

from tests.image.packages.trees import by_name, only, tree_of


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
    packages = by_name(tree)
    assert set(packages) == {"a", "@s/b"}
    assert packages["a"].depends == ("b",)
    assert set(packages["a"].paths) == {
        f"app/node_modules/a/{path}" for path in ("package.json", "lib/index.js", "lib/package.json")
    }
    assert packages["@s/b"].unpacked_bytes == 1 + len(manifest("@s/b"))


def manifest(name: str) -> str:
    return json.dumps({"name": name, "version": "1.0.0"})


NPM = {
    "app/node_modules/run/package.json": manifest("run"),
    "app/node_modules/@types/node/package.json": manifest("@types/node"),
    "app/node_modules/run/node_modules/tool/package.json": manifest("tool"),
}


def of_development(files: dict[str, str]) -> set[str]:
    return {name for name, package in by_name(tree_of(files)).items() if package.development}


def test_packages_that_npm_installed_for_development_are_marked():
    lock = {
        "packages": {
            "": {"dev": True},
            "node_modules/run": {},
            "node_modules/@types/node": {"dev": True},
            "node_modules/run/node_modules/tool": {"devOptional": True},
            "node_modules/run/node_modules/absent": {"dev": True},
        }
    }
    assert of_development(NPM) == set()
    assert of_development(NPM | {"app/node_modules/.package-lock.json": json.dumps(lock)}) == {"@types/node"}
    assert of_development(NPM | {"app/package-lock.json": json.dumps(lock)}) == {"@types/node"}
    assert of_development(NPM | {"other/package-lock.json": json.dumps(lock)}) == set()


def test_what_npm_installed_counts_more_than_what_it_was_told():
    marked = {"packages": {"node_modules/run": {"dev": True}}}
    locks = {"app/node_modules/.package-lock.json": '{"packages": {}}', "app/package-lock.json": json.dumps(marked)}
    assert of_development(NPM | locks) == set()


def test_old_lock_files_nest_packages():
    lock = {"dependencies": {"run": {"dependencies": {"tool": {"dev": True}}}, "@types/node": {"dev": True}}}
    assert of_development(NPM | {"app/package-lock.json": json.dumps(lock)}) == {"tool", "@types/node"}


def test_lock_files_of_another_shape_mark_nothing():
    deep = '{"dependencies": {"a": ' * 400 + "{}" + "}}" * 400
    for text in ("[]", "{", '{"packages": []}', '{"packages": {"node_modules/run": 1}}', '{"dependencies": 3}', deep):
        assert of_development(NPM | {"app/package-lock.json": text}) == set()


def test_links_into_the_store_of_pnpm_are_no_packages_of_their_own():
    store = "app/node_modules/.pnpm/lodash@4.17.21/node_modules/lodash"
    tree = tree_of(
        {
            f"{store}/package.json": manifest("lodash"),
            f"{store}/index.js": "12345",
            "app/node_modules/lodash": "-> .pnpm/lodash@4.17.21/node_modules/lodash",
        }
    )
    assert only(tree).paths == (f"{store}/package.json", f"{store}/index.js")


def project(*, running: tuple[str, ...] = (), developing: tuple[str, ...] = (), name: str = "p") -> str:
    needs = {"dependencies": dict.fromkeys(running, "*"), "devDependencies": dict.fromkeys(developing, "*")}
    return json.dumps({"name": name, "version": "1.0.0", **needs})


def test_without_npm_the_manifests_tell_what_is_for_development_alone():
    files = {
        "app/package.json": project(running=("server",), developing=("bundler", "shared")),
        "app/node_modules/server/package.json": project(name="server", running=("shared", "deep")),
        "app/node_modules/server/node_modules/deep/package.json": project(name="deep", developing=("never",)),
        "app/node_modules/deep/package.json": project(name="deep of the bundler"),
        "app/node_modules/shared/package.json": project(name="shared"),
        "app/node_modules/bundler/package.json": project(name="bundler", running=("deep", "server", "bundler")),
        "app/node_modules/unasked/package.json": project(name="unasked"),
    }
    assert of_development(files) == {"bundler", "deep of the bundler"}
    assert of_development(files | {"app/package-lock.json": '{"packages": {}}'}) == set()
    assert of_development(files | {"app/api/package.json": project(running=("bundler",))}) == set()


def test_packages_of_the_store_of_pnpm_are_found_through_its_links():
    store = "node_modules/.pnpm"
    files = {
        "package.json": project(running=("run",), developing=("tool",)),
        f"{store}/run@1/node_modules/run/package.json": project(name="run", running=("dep",)),
        f"{store}/run@1/node_modules/dep": "-> ../../dep@1/node_modules/dep",
        f"{store}/dep@1/node_modules/dep/package.json": project(name="dep"),
        f"{store}/tool@1/node_modules/tool/package.json": project(name="tool", running=("dep", "only")),
        f"{store}/tool@1/node_modules/dep": "-> ../../dep@1/node_modules/dep",
        f"{store}/tool@1/node_modules/only": "-> ../../only@1/node_modules/only",
        f"{store}/only@1/node_modules/only/package.json": project(name="only"),
        "node_modules/run": "-> .pnpm/run@1/node_modules/run",
        "node_modules/tool": "-> .pnpm/tool@1/node_modules/tool",
    }
    assert of_development(files) == {"tool", "only"}
