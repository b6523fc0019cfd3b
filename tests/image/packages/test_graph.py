import time

from fleet.image.packages.graph import Graph, needed
from fleet.image.packages.package import Package


def package(name: str, *requires: str, provides: tuple[str, ...] = (), ecosystem: str = "deb") -> Package:
    """``requires`` as in a control file, ``a|b`` for alternatives."""
    return Package(
        ecosystem, name, "1", 0, 0, requires=tuple(tuple(names.split("|")) for names in requires), provides=provides
    )


def names(packages) -> list[str]:
    return [package.name for package in packages]


GCC = package("gcc", "cpp", "libc6-dev|libc-dev", "libgcc-12-dev")
INSTALLED = (
    package("libc6", "libgcc-s1"),
    package("libgcc-s1", "libc6"),
    GCC,
    package("cpp", "libc6"),
    package("libc6-dev", "libc6", "linux-libc-dev"),
    package("linux-libc-dev"),
    package("curl", "libc6", "not-installed"),
)


def test_what_is_needed_is_everything_that_is_required_in_turn():
    found = needed(INSTALLED, [GCC])
    assert names(found) == ["libc6", "libgcc-s1", "gcc", "cpp", "libc6-dev", "linux-libc-dev"]


def test_packages_that_need_each_other_are_both_needed():
    assert names(needed(INSTALLED, INSTALLED[:1])) == ["libc6", "libgcc-s1"]


def test_unknown_names_and_unknown_roots_lead_nowhere():
    assert names(needed(INSTALLED, [package("curl")])) == ["libc6", "libgcc-s1", "curl"]
    assert needed(INSTALLED, [package("elsewhere", "gcc")]) == ()
    assert needed((), [GCC]) == ()


def test_a_name_that_is_provided_is_fulfilled_by_all_that_provide_it():
    installed = (
        package("mailx", "default-mta|mail-transport-agent"),
        package("exim4", provides=("mail-transport-agent",)),
        package("nullmailer", provides=("mail-transport-agent", "default-mta")),
        package("mail-transport-agent-doc"),
    )
    assert names(needed(installed, installed[:1])) == ["mailx", "exim4", "nullmailer"]
    assert names(Graph(installed).fulfilling("deb", "mail-transport-agent")) == ["exim4", "nullmailer"]
    assert Graph(installed).fulfilling("deb", "smtp") == ()


def test_names_are_those_of_one_ecosystem():
    installed = (package("app", "zlib", ecosystem="apk"), package("zlib", ecosystem="rpm"), package("zlib", "x"))
    assert names(needed(installed, installed[:1])) == ["app"]
    assert Graph(installed).needing(installed[1]) == ()


def test_who_needs_a_package_is_who_names_it_or_what_it_provides():
    installed = (
        package("musl", "musl", provides=("so:libc.musl-x86_64.so.1",)),
        package("busybox", "so:libc.musl-x86_64.so.1"),
        package("musl-utils", "x|musl"),
        package("tzdata"),
    )
    graph = Graph(installed)
    assert names(graph.needing(installed[0])) == ["busybox", "musl-utils"]
    assert graph.needing(installed[3]) == ()


def test_a_name_that_thousands_fulfil_and_thousands_ask_for_takes_no_time():
    many = [package(f"p{n}", "everyone", provides=("everyone",)) for n in range(20_000)]
    start = time.process_time()
    assert len(needed(many, many[:1])) == len(many)
    assert time.process_time() - start < 2


def test_a_million_dependencies_are_followed():
    chain = [package(f"p{n}", *(f"p{(n * 7 + step) % 20_000}" for step in range(50))) for n in range(20_000)]
    start = time.process_time()
    assert len(needed(chain, chain[:1])) == len(chain)
    assert time.process_time() - start < 10
