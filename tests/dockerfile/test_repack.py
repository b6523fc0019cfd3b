"""What a repack takes, leaves, and says of itself."""

import time
from dataclasses import replace

import pytest

from fleet.dockerfile.suggestion import NothingToSuggest
from fleet.image.entries import ElfFacts
from tests.dockerfile import images as i


def copied(text):
    return [line for line in text.splitlines() if line.startswith("COPY")]


def test_the_estimate_is_the_base_and_exactly_what_is_copied():
    loaded = i.service()
    suggestion = i.repacked(loaded)
    stays = {**i.DJANGO, "app/requirements.txt": b"django\n", **i.APP, f"{i.SITE}/README.txt": 119}
    stays.pop("app/.git/objects/pack")
    expected = sum(i.entry(path, content).size_bytes for path, content in stays.items())
    assert suggestion.after.unpacked_bytes == i.SLIM.sizes.unpacked_bytes + expected
    assert suggestion.before == loaded.sizes
    assert suggestion.savings == loaded.sizes - suggestion.after


def test_a_command_whose_program_stays_behind_fails_its_gate():
    lost = i.service(("/bin/sh -c apt-get install -y gcc", {}), config=replace(i.CONFIG, cmd=("gcc", "-v")))
    lost = replace(lost, config=replace(lost.config, env=(*i.BASE_ENV,), entrypoint=("python", "/app/manage.py")))
    suggestion = i.repacked(lost)
    assert i.failed(suggestion) == ["entry point resolves"]
    assert any("gcc" in gate.detail for gate in suggestion.gates if not gate.passed)


def test_a_health_check_that_calls_what_stays_behind_fails_its_gate():
    check = i.Healthcheck(("CMD-SHELL", "python --version && gcc --version"))
    suggestion = i.repacked(i.service(config=replace(i.CONFIG, healthcheck=check)))
    assert i.failed(suggestion) == ["health check resolves"]


def test_a_library_that_nobody_has_was_missing_before_and_does_not_matter():
    module = {f"{i.SITE}/django/x.so": ElfFacts("x86_64", needed=("libnowhere.so.1",))}
    assert i.failed(i.repacked(i.service(("/bin/sh -c pip install x", module)))) == []


def test_a_module_that_needs_a_newer_glibc_fails_its_gate():
    module = {f"{i.SITE}/django/x.so": ElfFacts("x86_64", needed=("libc.so.6",), glibc=(2, 39))}
    assert i.failed(i.repacked(i.service(("/bin/sh -c pip install x", module)))) == ["glibc is new enough"]


def test_the_c_library_is_never_copied():
    module = {f"{i.SITE}/django/x.so": ElfFacts("x86_64", needed=("libc.so.6",))}
    assert "libc.so" not in i.repacked(i.service(("/bin/sh -c pip install x", module))).dockerfile


def test_libraries_of_the_local_directory_make_the_loaders_cache_anew():
    built = {"usr/local/lib/libfast.so.1": ElfFacts("x86_64", needed=("libc.so.6",), soname="libfast.so.1")}
    text = i.repacked(i.service(("/bin/sh -c make install", built))).dockerfile
    assert "COPY --from=original /usr/local/lib/libfast.so.1 /usr/local/lib/" in copied(text)
    assert "RUN ldconfig" in text


def test_a_base_with_another_interpreter_fails_its_gate():
    other = {path.replace("3.11", "3.12"): content for path, content in i.PYTHON.items()}
    base = i.image(i.DEBIAN, other, config=i.SLIM.config)
    assert "interpreter matches" in i.failed(i.repacked(i.service(), i.Served({"python:3.11-slim": base})))


def test_another_version_in_the_base_goes_before_ours_comes():
    ours = i.distribution("wheel", "0.46")
    base = i.image(i.DEBIAN, {**i.PYTHON, **i.distribution("wheel", "0.40")}, config=i.SLIM.config)
    text = i.repacked(
        i.service(("/bin/sh -c pip install wheel", ours)), i.Served({"python:3.11-slim": base})
    ).dockerfile
    final = text.rpartition("FROM ")[2]
    assert f"/{i.SITE}/wheel-0.40.dist-info" in final
    assert final.index("wheel-0.40") < final.index("COPY")


def test_owners_and_modes_are_restored():
    data = {
        "data": i.Owned(None, 5, 6, 0o1777),
        "data/a": i.Owned(10, 5, 6),
        "mixed": i.Owned(None, 7, 7),
        "mixed/a": 10,
    }
    text = i.repacked(i.service(("/bin/sh -c mkdir", data))).dockerfile
    assert "COPY --from=original --chown=5:6 /data /data" in text
    assert "COPY --from=original /mixed /mixed" in text
    assert "chmod 1777 /data" in text
    assert "chown 7:7 /mixed" in text
    assert "chown 5:6" not in text


def test_hostile_paths_are_quoted_and_unwritable_ones_are_named_in_a_gate():
    suggestion = i.repacked(i.service(("/bin/sh -c x", {'srv x/$(id) "q"/[a]': 10, "bad\nRUN evil": 10})))
    assert 'COPY --from=original ["/srv x", "/srv x"]' in suggestion.dockerfile
    assert "RUN evil" not in suggestion.dockerfile
    assert i.failed(suggestion) == ["settings are kept"]


def test_a_variable_with_a_line_break_fails_a_gate_and_is_not_written():
    loaded = i.service(config=replace(i.CONFIG, env=(*i.BASE_ENV, "KEY=one\nRUN evil")))
    suggestion = i.repacked(loaded)
    assert "evil" not in suggestion.dockerfile
    assert i.failed(suggestion) == ["settings are kept"]


def test_packages_from_foreign_archives_are_not_installed_but_named():
    step = {
        "etc/apt/sources.list.d/vendor.list": b"deb https://vendor.test x main\n",
        "usr/bin/vendor": i.SHELL,
        "var/lib/dpkg/status": i.deb("libc6", "gcc", "vendor-tool"),
        "var/lib/dpkg/info/vendor-tool.list": i.listing("usr/bin/vendor"),
    }
    suggestion = i.repacked(i.service(("/bin/sh -c apt-get update && apt-get install -y vendor-tool", step)))
    assert "apt-get" not in suggestion.dockerfile
    assert i.failed(suggestion) == ["system packages are there"]


def test_caches_and_temporary_files_stay_behind():
    step = {"root/.cache/pip/x": 9_000_000, "tmp/x": 9_000_000, "root/nltk_data/x": 1_000}
    text = i.repacked(i.service(("/bin/sh -c x", step))).dockerfile
    assert ".cache" not in text
    assert "/tmp" not in text
    assert "COPY --from=original /root/nltk_data /root/nltk_data" in text


def test_links_are_made_again_and_not_followed():
    text = i.repacked(i.service(("/bin/sh -c ln", {"current": "-> app"}))).dockerfile
    assert "ln -sfn -- app /current" in text
    assert not any("/current" in line for line in copied(text))


def test_an_image_from_an_engine_is_named_as_the_engine_names_it():
    loaded = i.service()
    layers = (replace(loaded.layers[0], compressed_estimated=True), *loaded.layers[1:])
    local = replace(loaded, name="app", tag="1.2", layers=layers)
    suggestion = i.repacked(local)
    assert "FROM app:1.2 AS original" in suggestion.dockerfile
    assert any("app:1.2 in the first FROM" in note for note in suggestion.notes)


def test_a_table_is_named_as_the_source_of_sizes():
    from fleet.dockerfile.bases import TableBases

    suggestion = i.repacked(i.service(), TableBases())
    assert suggestion.base.source == "table"
    assert suggestion.base.reference == "python:3.11-slim-bookworm"
    assert any("table" in note for note in suggestion.notes)


def test_what_the_table_does_not_vouch_for_has_not_passed():
    from fleet.dockerfile.bases import TableBases

    anonymous = {"usr/lib/os-release": b"ID=debian\n"}
    module = {f"{i.SITE}/django/x.so": ElfFacts("x86_64", needed=("libc.so.6",), glibc=(2, 30))}
    loaded = i.service(("/bin/sh -c x", anonymous), ("/bin/sh -c pip install x", module))
    suggestion = i.repacked(loaded, TableBases())
    assert i.failed(suggestion) == ["glibc is new enough"]
    assert "Could not be checked" in next(gate.detail for gate in suggestion.gates if not gate.passed)


def test_an_image_that_is_slim_already_has_nothing_to_gain():
    slim = i.image(i.DEBIAN, i.PYTHON, {"app/manage.py": "#!/usr/bin/env python"}, config=replace(i.CONFIG, history=()))
    with pytest.raises(NothingToSuggest, match="nothing to gain"):
        i.repacked(slim)


def test_no_known_base_is_said_with_what_was_looked_for():
    with pytest.raises(NothingToSuggest, match=r"python:3\.11-slim-bookworm"):
        i.repacked(i.service(), i.Served({"unrelated": i.SLIM}))


def test_a_large_image_is_answered_quickly():
    many = {f"{i.SITE}/big/m{n % 300}/f{n}.py": 1_000 for n in range(20_000)}
    loaded = i.service(("/bin/sh -c pip install big", many))
    bases, analysis = i.Served({"python:3.11-slim": i.SLIM}), i.analyse(loaded)
    start = time.process_time()
    i.suggest(loaded, analysis, mode="repack", bases=bases)
    assert time.process_time() - start < 1.0
