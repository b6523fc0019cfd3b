"""Health checks in the runtime's own language."""

from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from subprocess import run
from sys import executable
from threading import Thread

import pytest

from fleet.dockerfile.health import in_own_language, without_tools
from tests.dockerfile import images as i

URL = "http://localhost:8000/health?full=1"


def check(*test, runtime="python", program="/usr/local/bin/python3.11", rewrite=without_tools):
    config = replace(i.CONFIG, healthcheck=i.Healthcheck(test, interval_ns=5))
    changed = rewrite(config, runtime, program)
    assert changed.healthcheck.interval_ns == 5
    return changed.healthcheck.test


FOLLOWING = f"import urllib.request; urllib.request.urlopen('{URL}', timeout=10)"
STRICT = (
    "import http.client, sys; c = http.client.HTTPConnection('localhost:8000', timeout=10); "
    "c.request('GET', '/health?full=1'); sys.exit(c.getresponse().status >= 400)"
)


@pytest.mark.parametrize(
    ("test", "code"),
    [
        (("CMD-SHELL", f"curl -f {URL} || exit 1"), STRICT),
        (("CMD-SHELL", f'curl --silent --fail --max-time 3 "{URL}"'), STRICT),
        (("CMD", "curl", "-fsS", "-o", "/dev/null", URL), STRICT),
        (("CMD", "curl", "-fsSL", URL), FOLLOWING),
        (("CMD", "/usr/bin/wget", "-q", "--spider", "--tries=1", URL), FOLLOWING),
        (("CMD", "sh", "-c", f"wget -qO- {URL} || exit 1"), FOLLOWING),
    ],
)
def test_a_strict_request_is_made_in_python(test, code):
    assert check(*test) == ("CMD", "/usr/local/bin/python3.11", "-c", code)


@pytest.mark.parametrize("runtime", ["python", "node", "ruby", "php"])
def test_each_language_names_the_address_once(runtime):
    test = check("CMD", "wget", "-q", URL, runtime=runtime, program=f"/bin/{runtime}")
    assert test[1] == f"/bin/{runtime}"
    assert test[-1].count(URL.partition("//localhost")[2]) == 1


@pytest.mark.parametrize(
    "test",
    [
        ("CMD", "curl", "-f", "http://example.com/"),
        ("CMD", "curl", "-kf", "https://localhost/"),
        ("CMD", "wget", "--no-check-certificate", "https://localhost/"),
        ("CMD", "curl", "-f", URL, "http://localhost/"),
        ("CMD", "curl", "-X", "POST", URL),
        ("CMD", "curl", "-f", "-o", "/app/answer", URL),
        ("CMD", "curl", "-f", "http://localhost/'); import os; os.system('x"),
        ("CMD-SHELL", f"curl -f {URL} | grep ok"),
        ("CMD-SHELL", f"curl -f {URL}; true"),
        ("CMD-SHELL", "curl -f http://localhost:$PORT/ || exit 1"),
        ("CMD", "pg_isready"),
        ("NONE",),
    ],
)
def test_what_is_not_surely_the_same_stays_as_it_is(test):
    assert check(*test) == test


def test_a_runtime_without_a_way_to_ask_keeps_the_words_alone():
    assert check("CMD-SHELL", f"curl -f {URL} || exit 1", runtime="go", program="") == ("CMD", "curl", "-f", URL)


def test_a_runtime_whose_program_is_not_found_asks_for_nothing():
    assert check("CMD", "curl", "-f", URL, runtime="php", program="") == ("CMD", "curl", "-f", URL)


def test_a_query_without_a_path_is_no_part_of_the_host():
    assert "'localhost:3000'" in check("CMD", "curl", "-f", "http://localhost:3000?x=1")[-1]


def test_where_a_shell_stays_only_tools_are_replaced():
    assert check("CMD-SHELL", "pg_isready", rewrite=in_own_language) == ("CMD-SHELL", "pg_isready")
    assert check("CMD-SHELL", f"curl -f {URL}", rewrite=in_own_language)[1] == "/usr/local/bin/python3.11"


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(self.path.strip("/")))
        self.end_headers()

    def log_message(self, format, *arguments):
        pass


@pytest.mark.parametrize(("tool", "status", "healthy"), [("-f", 200, True), ("-f", 503, False), ("-s", 503, True)])
def test_the_python_check_tells_what_curl_would(tool, status, healthy):
    with HTTPServer(("127.0.0.1", 0), _Answer) as server:
        Thread(target=server.handle_request, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/{status}"
        words = check("CMD", "curl", tool, url, program=executable)[1:]
        assert (run(words, capture_output=True).returncode == 0) is healthy


def test_a_closed_port_is_unhealthy_for_the_lenient_check_too():
    with HTTPServer(("127.0.0.1", 0), _Answer) as server:
        port = server.server_port
    assert run(
        check("CMD", "curl", f"http://127.0.0.1:{port}/", program=executable)[1:], capture_output=True
    ).returncode
