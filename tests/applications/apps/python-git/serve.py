import subprocess
import tempfile
from http.server import BaseHTTPRequestHandler, HTTPServer


def commit():
    with tempfile.TemporaryDirectory() as folder:
        for arguments in (
            ["init", "-q"],
            ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "first"],
        ):
            subprocess.run(["git", *arguments], cwd=folder, check=True)
        return subprocess.run(["git", "log", "--format=%s"], cwd=folder, capture_output=True, check=True).stdout


class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        body = commit()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)


HTTPServer(("", 8000), Page).serve_forever()
