import argparse
import zoneinfo
from datetime import datetime
from importlib.metadata import version

import bottle
from markupsafe import escape


@bottle.route("/")
def home():
    return f"harbour {version('harbour')} {escape('<quay>')}"


@bottle.route("/zones")
def zones():
    return datetime(2024, 6, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Vienna")).isoformat()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int)
    bottle.run(host="0.0.0.0", port=parser.parse_args().port)
