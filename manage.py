#!/usr/bin/env python
"""Django's command line, with Plimsoll's own commands: inspect, suggest, scan, sample."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fleet.settings")
    execute_from_command_line(sys.argv)
