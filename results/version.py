"""The version of the store's tables."""

from __future__ import annotations

# Raised whenever a table changes, with a migration that brings a store of the version before here
# (results/migrations/versions); a store of a later version is refused.
VERSION = 7
OLDEST = 1
