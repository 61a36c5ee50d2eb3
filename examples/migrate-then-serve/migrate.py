"""Brings the database to the version that the server needs. Exit code 3: it cannot."""

import os
import sqlite3
import sys

STEPS = [
    "CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT NOT NULL)",
    "ALTER TABLE note ADD COLUMN author TEXT NOT NULL DEFAULT ''",
]


def migrate(path):
    database = sqlite3.connect(path, isolation_level=None)
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version >= len(STEPS):
        print("nothing to migrate")
    for number, step in enumerate(STEPS[version:], start=version + 1):
        database.executescript(f"BEGIN; {step}; PRAGMA user_version = {number}; COMMIT")
        print(f"migrated to version {number}")


try:
    migrate(os.environ["DATABASE"])
except sqlite3.Error as error:
    print(f"cannot migrate: {error}", file=sys.stderr)
    sys.exit(3)
