import time

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


SPECIFICATION = """# -*- encoding: utf-8 -*-
# stub: {name} {version} {platform} lib

Gem::Specification.new do |s|
  s.name = "{name}".freeze
  s.version = "{version}"
  s.files = ["LICENSE".freeze, "lib/json.rb".freeze, "lib/json/common.rb".freeze, "lib/../../../x".freeze]
  s.add_runtime_dependency(%q<mini_portile2>.freeze, ["~> 2.8.2"])
  s.add_development_dependency(%q<rake>.freeze)
end
"""


def test_what_the_specification_says_counts_more_than_its_name():
    text = SPECIFICATION.format(name="rubyzip-2fa", version="1.0.pre1", platform="java")
    package = only(tree_of({"gems/specifications/rubyzip-2fa-1.0.pre1-java.gemspec": text}))
    assert (package.name, package.version, package.depends) == ("rubyzip-2fa", "1.0.pre1", ("mini_portile2",))


def test_compiled_extensions_belong_to_their_gem():
    home = "usr/local/bundle"
    built = f"{home}/extensions/x86_64-linux/3.3.0"
    tree = tree_of(
        {
            f"{home}/specifications/bcrypt-3.1.20.gemspec": "1",
            f"{home}/gems/bcrypt-3.1.20/lib/bcrypt.rb": "12",
            f"{built}/bcrypt-3.1.20/gem.build_complete": "",
            f"{built}/bcrypt-3.1.20/bcrypt_ext.so": "12345",
            f"{built}/other-1.0/other.so": "1",
        }
    )
    assert only(tree).unpacked_bytes == 1 + 2 + 5
    assert f"{built}/bcrypt-3.1.20/bcrypt_ext.so" in only(tree).paths


def test_gems_that_ruby_comes_with_have_their_files_in_its_library():
    ruby = "usr/local/lib/ruby"
    specification = f"{ruby}/gems/3.3.0/specifications/default/json-2.7.1.gemspec"
    tree = tree_of(
        {
            specification: SPECIFICATION.format(name="json", version="2.7.1", platform="ruby"),
            f"{ruby}/3.3.0/json.rb": "12",
            f"{ruby}/3.3.0/json/common.rb": "345",
            f"{ruby}/3.3.0/set.rb": "1",
            "usr/local/x": "1",
        }
    )
    package = only(tree)
    assert (package.name, package.version) == ("json", "2.7.1")
    assert package.paths == (specification, f"{ruby}/3.3.0/json.rb", f"{ruby}/3.3.0/json/common.rb")


@pytest.mark.parametrize("text", ["\n" * 60_000, "# stub: " * 8000, "s.files = [" + '"lib/' * 12_000])
def test_specifications_of_hostile_text_are_read_at_once(text):
    start = time.process_time()
    only(tree_of({"g/specifications/default/a-1.gemspec": text}))
    assert time.process_time() - start < 1
