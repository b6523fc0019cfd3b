"""Files that hold secrets by their name: whoever can pull the image can read them.

Told by name alone; contents are neither read nor kept. Left out are public keys and certificates, bundles and stores of
authorities, and what packages bring for their own tests and documentation. Versions that a later layer hides are named
too, for they are in the image all the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fleet.analysis.rules.rule import Claim, Rule, Survey

_SUFFIXES = (
    ".p12", ".pfx", ".jks", ".keystore", ".ppk", ".kdbx", ".ovpn", ".tfvars", ".key.pem", "_key.pem", "-key.pem",
)  # fmt: skip
# Every path is looked at: no alternative begins with a wildcard.
_NAMES = re.compile(
    r"""(?x)
    \.env (?:\.(?!example|sample|template|dist|defaults?|test)[\w-]{1,30})?
    | id_(?:rsa|dsa|ecdsa|ed25519)(?:_sk)? | ssh_host_\w{1,20}_key
    | (?:private|privkey\d*|server|client|tls|ssl|ca|cert)[._-]?(?:key)?\.(?:key|pkey) | key\.pem
    | \.npmrc | \.pypirc | \.netrc | _netrc | \.pgpass | \.my\.cnf | \.git-credentials | \.htpasswd
    | \.dockercfg | \.vault-token | kubeconfig | credentials\.json | service[-_]?[Aa]ccount[\w-]{0,40}\.json
    | client_secrets?\.json | terraform\.tfstate(?:\.backup)? | secrets?\.(?:ya?ml|json|toml)
    | master\.key | wp-config\.php
    """
)
_PRIVATE_KEY = re.compile(r"(?:^|[._-])(?:private|privkey|priv)(?:[._-]?key)?\.pem\Z")
_PATHS = re.compile(
    r"(?:^|/)(?:\.aws/credentials|\.docker/config\.json|\.kube/config|\.azure/\w{1,60}\.json"
    r"|\.cargo/credentials(?:\.toml)?|\.config/gcloud/(?:application_default_credentials\.json|credentials\.db)"
    r"|\.gem/credentials|\.m2/settings\.xml|\.composer/auth\.json"
    r"|\.gnupg/(?:private-keys-v1\.d/[^/]+\.key|secring\.gpg)|etc/ssl/private/[^/]+|run/secrets/[^/]+)\Z"
)
# What may be told to everybody: public keys, and authorities that a program trusts.
_OPEN = re.compile(r"(?i).*(?:public|(?<![a-z])pub(?![a-z])|trust|cacert)")
# Keys that everybody has: examples, tests and authorities that packages bring.
_PUBLIC = re.compile(
    r"(?:.*/)?(?:site-packages|dist-packages|node_modules|vendor|gems|go/pkg/mod|\.cargo/registry|test|tests|testdata"
    r"|__tests__|spec|fixtures|examples?|docs?)/"
    r"|usr/share/|usr/lib/python|usr/local/lib/python|usr/local/lib/node_modules|etc/ssl/certs/|usr/lib/ssl/",
    re.DOTALL,
)


def is_secret(path: str) -> bool:
    """Whether a file's name says that it holds a secret. ``path`` has no leading slash."""
    name = path.rpartition("/")[2]
    return len(name) <= 100 and _is_named(name, path) and not _OPEN.match(name) and not _PUBLIC.match(path)


def _is_named(name: str, path: str) -> bool:
    if name.endswith(_SUFFIXES) or _NAMES.fullmatch(name) or (name.endswith(".pem") and _PRIVATE_KEY.search(name)):
        return True
    is_place = "/." in path or path.startswith((".", "etc/ssl/", "run/"))
    return is_place and _PATHS.search(path) is not None


def secret_files(survey: Survey) -> Iterator[Claim]:
    """Every version of a path that holds a secret by its name, hidden ones first: these are hardest to notice."""
    owned = {path for package in survey.packages for path in package.paths}
    for version in survey.tree.hidden:
        if version.entry.kind == "file" and version.entry.size_bytes and is_secret(version.entry.path):
            yield Claim(version.entry, version.layer)
    for nodes in survey.directories.values():
        for node in nodes:
            entry = node.entry
            if entry.kind == "file" and entry.size_bytes and is_secret(entry.path) and entry.path not in owned:
                yield Claim(entry, node.layer)


SECRET_FILES = Rule(
    "secret-files",
    "Files that hold secrets by their name",
    "Take the secret for known and replace it. Pass secrets to a build with RUN --mount=type=secret and to a container "
    "when it starts; deleting the file in a later step leaves it in the image.",
    secret_files,
)
