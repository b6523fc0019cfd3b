import json

from tests.image.packages.trees import by_name, tree_of


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
