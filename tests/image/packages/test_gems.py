import pytest

from tests.image.packages.trees import only, tree_of


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
