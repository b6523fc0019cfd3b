"""``ruby:3.3`` and bundler's directories. Layout: https://guides.rubygems.org/command-reference/#gem-environment."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from fleet.sample.elf import LOADER, Program, elf_file
from fleet.sample.plan import Plan
from fleet.sample.stacks.debian_base import buildpack
from fleet.sample.tar import File
from fleet.sample.trees import blob, seed_of, text, tree

LIB = "usr/local/lib/ruby/3.3.0"
BUNDLE = "usr/local/bundle"
# (gem, version, KiB, library that its native extension needs)
GEMS = (
    ("rack", "3.1.8", 420, ""), ("sinatra", "4.1.1", 360, ""), ("puma", "6.5.0", 520, "libssl.so.3"),
    ("activesupport", "8.0.0", 2_400, ""), ("nokogiri", "1.17.1", 9_800, "libxml2.so.2"),
    ("pg", "1.5.9", 900, "libpq.so.5"),
    ("slack-ruby-client", "2.4.0", 1_900, ""), ("faraday", "2.12.1", 380, ""), ("sidekiq", "7.3.6", 900, ""),
    ("redis", "5.3.0", 300, ""), ("rspec-core", "3.13.2", 800, ""), ("rubocop", "1.69.2", 5_600, ""),
    ("aws-sdk-s3", "1.176.1", 2_700, ""), ("aws-partitions", "1.1023.0", 1_300, ""),
    ("tzinfo-data", "1.2024.2", 4_100, ""),
)  # fmt: skip


def ruby_image(moment: datetime) -> Plan:
    """``ruby:3.3`` on buildpack-deps."""
    plan = buildpack(moment, "curl", "scm", "full").env(LANG="C.UTF-8", RUBY_VERSION="3.3.6")
    plan = plan.run(
        'set -eux; wget -O ruby.tar.xz "$RUBY_DOWNLOAD_URL"; ./configure; make -j "$(nproc)"; make install', _ruby
    )
    plan = plan.env(GEM_HOME=f"/{BUNDLE}", BUNDLE_APP_CONFIG=f"/{BUNDLE}").env(
        PATH=f"/{BUNDLE}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    )
    return plan.cmd("irb")


def _ruby() -> Iterator[File]:
    main = Program(LOADER, ("libruby.so.3.3", "libc.so.6"), glibc=("GLIBC_2.2.5", "GLIBC_2.34"))
    yield File("usr/local/bin/ruby", elf_file(main, 14_400), 0o755)
    library = Program(
        needed=("libz.so.1", "libgmp.so.10", "libcrypt.so.1", "libm.so.6", "libc.so.6"),
        soname="libruby.so.3.3",
        glibc=("GLIBC_2.35",),
    )
    yield File("usr/local/lib/libruby.so.3.3", elf_file(library, 17_800_000, 3), 0o755)
    for name in ("gem", "irb", "bundle", "rake", "erb"):
        yield text(f"usr/local/bin/{name}", "#!/usr/local/bin/ruby\nload Gem.bin_path\n", 0o755)
    yield from tree(LIB, 620, 14_600_000, suffix=".rb")
    yield from tree("usr/local/lib/ruby/gems/3.3.0/gems", 420, 12_400_000, suffix=".rb")
    for name, needed in (
        ("openssl", "libssl.so.3"),
        ("zlib", "libz.so.1"),
        ("psych", "libyaml-0.so.2"),
        ("readline", "libreadline.so.8"),
    ):
        program = Program(needed=("libruby.so.3.3", needed, "libc.so.6"), glibc=("GLIBC_2.14",))
        yield File(f"{LIB}/x86_64-linux/{name}.so", elf_file(program, 620_000, seed_of(name) % 64), 0o755)
    yield from tree("usr/local/include/ruby-3.3.0", 160, 2_900_000, suffix=".h")


def bundle_install(revision: int) -> Iterator[File]:
    """What ``bundle install`` adds, with the downloaded gems that it keeps."""
    for name, version, kib, needed in GEMS:
        full = f"{name}-{version}"
        gem = f"{BUNDLE}/gems/{full}"
        yield from tree(f"{gem}/lib", max(3, min(60, kib // 12)), kib * 700, suffix=".rb", seed=revision)
        yield from tree(f"{gem}/spec", max(2, kib // 90), kib * 240, suffix="_spec.rb", seed=revision)
        yield text(
            f"{BUNDLE}/specifications/{full}.gemspec",
            f'Gem::Specification.new do |s|\n  s.name = "{name}"\n  s.version = "{version}"\nend\n',
        )
        yield blob(f"{BUNDLE}/cache/{full}.gem", kib * 290)
        if needed:
            program = Program(needed=("libruby.so.3.3", needed, "libc.so.6"), glibc=("GLIBC_2.14",))
            yield File(
                f"{BUNDLE}/extensions/x86_64-linux/3.3.0/{full}/{name}.so",
                elf_file(program, 1_400_000, seed_of(name) % 64),
                0o755,
            )
            yield from tree(f"{gem}/ext", 20, kib * 500, suffix=".o", matter="machine", seed=revision)
