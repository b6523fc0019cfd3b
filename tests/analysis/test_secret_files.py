from __future__ import annotations

import pytest

from fleet.analysis.claims import claim_all
from fleet.analysis.rules import RULES
from fleet.analysis.rules.rule import survey
from fleet.analysis.rules.secret_files import is_secret
from fleet.image.packages.package import Package
from tests.analysis.claiming import claimed, claims_of
from tests.analysis.images import make_image


@pytest.mark.parametrize(
    "path",
    [
        "app/.env", "app/.env.production", "root/.ssh/id_rsa", "home/app/.ssh/id_ed25519", "etc/ssh/ssh_host_rsa_key",
        "app/server.key", "certs/privkey.pem", "certs/tls-key.pem", "app/private.pem", "app/store.p12", "app/app.jks",
        "root/.npmrc", "root/.pypirc", "root/.netrc", "root/.git-credentials", "root/.aws/credentials",
        "root/.docker/config.json", "root/.kube/config", "app/service-account.json", "app/terraform.tfstate",
        "app/prod.tfvars", "app/config/master.key", "root/.config/gcloud/application_default_credentials.json",
        "etc/ssl/private/site.key", "root/.m2/settings.xml", "root/.cargo/credentials.toml", "app/secrets.yml",
        "app/serviceAccountKey.json", "root/.gnupg/private-keys-v1.d/0AF1.key", "app/publisher.p12",
    ],
)  # fmt: skip
def test_a_name_tells_a_secret(path: str) -> None:
    assert is_secret(path)


@pytest.mark.parametrize(
    "path",
    [
        "app/.env.example", "app/env.py", "root/.ssh/id_rsa.pub", "root/.ssh/known_hosts", "etc/ssl/certs/ca.pem",
        "etc/ssl/certs/ca-certificates.crt", "usr/share/doc/openssl/demos/server.key", "app/public.pem", "app/cert.pem",
        "usr/local/lib/python3.11/site-packages/tornado/test/test.key", "app/node_modules/x/test/fixtures/server.key",
        "venv/lib/python3.12/site-packages/certifi/cacert.pem", "app/src/keyboard.key.ts", "app/tests/server.key",
        "app/settings.xml", "app/config.json", "usr/lib/ssl/private.pem",
        "app/jwt_public_key.pem", "app/pub_key.pem", "app/truststore.jks", "app/client-truststore.p12",
        "app/cacerts.jks", "var/lib/unbound/root.key", "app/.yarnrc.yml",
    ],
)  # fmt: skip
def test_other_names_do_not(path: str) -> None:
    assert not is_secret(path)


def test_an_empty_file_holds_no_secret() -> None:
    assert claimed(make_image({"app/.env": 0}), "secret-files") == set()


def test_what_a_package_installed_is_everybodys() -> None:
    package = Package("deb", "ssl-cert", "1", 0, 0, ("opt/snakeoil/server.key",))
    image = make_image({"opt/snakeoil/server.key": 9})
    assert claimed(image, "secret-files") == {"opt/snakeoil/server.key"}
    assert claimed(image, "secret-files", [package]) == set()


def test_a_secret_that_a_later_step_deletes_is_named_in_the_layer_that_holds_it() -> None:
    image = make_image({"root/.netrc": 40}, {"root/.netrc": None})
    (claim,) = claims_of(image, "secret-files")
    assert (claim.entry.path, claim.layer) == ("root/.netrc", 0)
    assert claimed(image, "deleted-files") == set()


def test_a_name_as_long_as_paths_may_be_is_judged_at_once() -> None:
    facts = survey((image := make_image({"a" * 4000 + ".key": 1, "x" * 99 + "_key.pem": 2})).tree, image.config, ())
    assert sum(len(claims) for _, claims in claim_all(facts, RULES)) == 0
