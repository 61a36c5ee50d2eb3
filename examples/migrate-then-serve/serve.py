"""Answers every request with the version of the database."""

import os
import sqlite3
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        database = sqlite3.connect(os.environ["DATABASE"])
        (version,) = database.execute("PRAGMA user_version").fetchone()
        text = f"schema version {version}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


print("serving on port 8000")
ThreadingHTTPServer(("", 8000), Handler).serve_forever()
