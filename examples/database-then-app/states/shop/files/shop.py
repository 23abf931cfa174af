#!/usr/bin/python3
"""Answers every request with a row of the database, and with the host that read it."""
import http.server
import json
import os
import socket

import psycopg2


class Shop(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            with psycopg2.connect(os.environ["SHOP_DATABASE"]) as database, database.cursor() as cursor:
                cursor.execute("SELECT text FROM greeting WHERE id = 1")
                status, answer = 200, {"greeting": cursor.fetchone()[0], "host": socket.gethostname()}
        except Exception as why:
            status, answer = 503, {"error": type(why).__name__}
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("0.0.0.0", int(os.environ["SHOP_PORT"])), Shop).serve_forever()
