"""The rules, in the order in which they may claim a path: what is certain and specific comes first.

To add one: a module with a ``Rule``, its place in ``RULES``, a test, and ``RULESET`` one higher.
"""

from __future__ import annotations

from fleet.analysis.rules.dead_bytecode import DEAD_BYTECODE
from fleet.analysis.rules.debug_symbols import DEBUG_SYMBOLS, UNSTRIPPED_PROGRAMS
from fleet.analysis.rules.development_files import DEVELOPMENT_FILES
from fleet.analysis.rules.development_packages import DEVELOPMENT_PACKAGES
from fleet.analysis.rules.documentation import DOCUMENTATION
from fleet.analysis.rules.duplicate_files import DUPLICATE_FILES
from fleet.analysis.rules.hidden import DELETED, METADATA, OVERWRITTEN
from fleet.analysis.rules.language_caches import LANGUAGE_CACHES
from fleet.analysis.rules.large_media import LARGE_MEDIA
from fleet.analysis.rules.original_sources import ORIGINAL_SOURCES
from fleet.analysis.rules.package_manager import PACKAGE_MANAGER
from fleet.analysis.rules.package_tests import PACKAGE_TESTS
from fleet.analysis.rules.rule import Rule
from fleet.analysis.rules.secret_files import SECRET_FILES
from fleet.analysis.rules.source_maps import SOURCE_MAPS
from fleet.analysis.rules.temporary_files import TEMPORARY_FILES
from fleet.analysis.rules.toolchain import TOOLCHAIN
from fleet.analysis.rules.unused_interpreters import UNUSED_INTERPRETERS
from fleet.analysis.rules.version_control import VERSION_CONTROL

RULES: tuple[Rule, ...] = (
    SECRET_FILES,
    DELETED,
    OVERWRITTEN,
    METADATA,
    PACKAGE_MANAGER,
    LANGUAGE_CACHES,
    VERSION_CONTROL,
    TOOLCHAIN,
    UNUSED_INTERPRETERS,
    DEVELOPMENT_PACKAGES,
    DEVELOPMENT_FILES,
    DEBUG_SYMBOLS,
    DOCUMENTATION,
    PACKAGE_TESTS,
    SOURCE_MAPS,
    ORIGINAL_SOURCES,
    TEMPORARY_FILES,
    DEAD_BYTECODE,
    LARGE_MEDIA,
    DUPLICATE_FILES,
    # Last, since it takes a part and leaves the rest of a file to nobody.
    UNSTRIPPED_PROGRAMS,
)
