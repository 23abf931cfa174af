# The servers of a host of which everything is known: `servers.py CERTIFICATES`.
import pathlib, socketserver, ssl, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

certificates = pathlib.Path(sys.argv[1])


class Web(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        word = self.path.strip("/") or "200"
        if word == "slow":
            time.sleep(0.6)
        if word == "never":
            time.sleep(60)
        self.send_response(int(word) if word.isdigit() else 200)
        if word in ("301", "302"):
            self.send_header("Location", "/404" if word == "301" else "/200")
        body = (self.headers["Host"] if word == "host" else "all is well\n").encode()
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


def banner(words, wait=0.0):
    class Banner(socketserver.BaseRequestHandler):
        def handle(self):
            time.sleep(wait)
            self.request.sendall(words)
            # Whatever is asked, it is not known.
            while line := self.request.recv(4096):
                self.request.sendall(b"221 bye\r\n" if line.upper().startswith(b"QUIT") else words)
                if line.upper().startswith(b"QUIT"):
                    return

    return Banner


class Silent(socketserver.BaseRequestHandler):
    def handle(self):
        time.sleep(60)


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while piece := self.request.recv(4096):
            self.request.sendall(b"you said " + piece)


def serve(port, handler, certificate=None):
    http = issubclass(handler, BaseHTTPRequestHandler)
    server = (ThreadingHTTPServer if http else socketserver.ThreadingTCPServer)(("127.0.0.1", port), handler)
    server.daemon_threads = True
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates / f"{certificate}.pem", certificates / "key.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever).start()


serve(8000, Web)
for port, certificate in [(8441, "long"), (8442, "soon"), (8443, "now"), (8444, "ended"), (8445, "trusted")]:
    serve(port, Web, certificate)
serve(2200, banner(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"))
serve(2100, banner(b"220 ready\r\n"))
serve(2101, banner(b"220 ready\r\n", wait=0.6))
serve(2500, banner(b"220 mail.test ESMTP\r\n"))
serve(1430, banner(b"* OK IMAP4 ready\r\n"))
serve(1100, banner(b"+OK POP3 ready\r\n"))
serve(7000, Echo)
serve(9000, Silent)
(certificates / "ready").touch()
