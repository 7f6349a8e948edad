"""A web server that serves one file and misbehaves on request.

    fault_server.py CONTENT [CERTIFICATE KEY]

Prints its port, then serves until its standard input ends. The first part of a path says how:
/plain/x.gguf is an ordinary server with ranges, the others are the methods of Handler called
serve_NAME. "/log" returns a JSON list of the requests so far, "/bytes" the bytes sent.
"""

import hashlib
import json
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

CHUNK = 16384


class State:
    """What all requests of one server share."""

    def __init__(self, content):
        self.content = content
        self.lock = threading.Lock()
        self.counts = {}
        self.active = 0
        self.sent = 0
        self.log = []

    def count(self, name):
        with self.lock:
            self.counts[name] = self.counts.get(name, 0) + 1
            return self.counts[name]


def etag_of(content):
    return '"' + hashlib.md5(content).hexdigest() + '"'


class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    state = None
    secure = False

    def log_message(self, *arguments):
        pass

    def number(self, name, otherwise):
        return int(self.query.get(name, [otherwise])[0])

    def do_GET(self):
        parts = urlsplit(self.path)
        self.query = parse_qs(parts.query)
        mode = parts.path.split('/')[1]
        if mode in ('log', 'bytes'):
            value = self.state.log if mode == 'log' else self.state.sent
            return self.answer(200, {}, json.dumps(value).encode())
        with self.state.lock:
            self.state.log.append({
                'path': self.path, 'host': self.headers['Host'],
                'token': self.headers.get('Authorization', ''),
                'range': self.headers.get('Range', '')})
        try:
            getattr(self, 'serve_' + mode.replace('-', '_'))()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def answer(self, status, headers, body, length=None):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header('Content-Length', str(len(body) if length is None else length))
        self.end_headers()
        self.send(body)

    def send(self, body, pause=0.0, most=None):
        for at in range(0, len(body), CHUNK):
            piece = body[at:at + CHUNK]
            if most is not None and at + len(piece) > most:
                self.wfile.write(piece[:most - at])
                self.wfile.flush()
                self.close_connection = True
                return
            self.wfile.write(piece)
            with self.state.lock:
                self.state.sent += len(piece)
            if pause:
                self.wfile.flush()
                time.sleep(pause)

    def redirect(self, target, headers=None):
        self.answer(302, {'Location': target, **(headers or {})}, b'moved')

    def wanted(self, content):
        """First byte and end of the range asked for; None without one."""
        text = self.headers.get('Range', '')
        if not text.startswith('bytes='):
            return None
        first, last = text[6:].split('-')
        return int(first), min(len(content), int(last) + 1)

    def serve(self, content, etag=None, pause=0.0, most=None, total=None, longer=0):
        etag = etag or etag_of(content)
        wanted = self.wanted(content)
        if_range = self.headers.get('If-Range')
        if wanted is None or if_range not in (None, etag):
            self.send_response(200)
            body = content
        else:
            self.send_response(206)
            body = content[wanted[0]:wanted[1]]
            self.send_header('Content-Range', 'bytes %d-%d/%d' % (
                wanted[0], wanted[1] - 1, total or len(content)))
        if etag != 'none':
            self.send_header('ETag', etag)
        self.send_header('Content-Length', str(len(body) + longer))
        self.end_headers()
        self.send(body, pause, most)
        if longer:
            self.close_connection = True

    def probing(self):
        return self.headers.get('Range') == 'bytes=0-0'

    def serve_plain(self):
        self.serve(self.state.content)

    def serve_slow(self):
        self.serve(self.state.content, pause=self.number('ms', 20) / 1000)

    def serve_cut(self):
        self.serve(self.state.content, most=self.number('bytes', 100000))

    def serve_norange(self):
        self.answer(200, {'ETag': '"n"'}, self.state.content)

    def serve_norange_cut(self):
        """Breaks off twice, then is good."""
        self.send_response(200)
        self.send_header('Content-Length', str(len(self.state.content)))
        self.end_headers()
        most = None if self.state.count('norange') > 3 else 500000
        self.send(self.state.content, most=most)

    def serve_norange_short(self):
        self.answer(200, {}, self.state.content, len(self.state.content) + 1000)
        self.close_connection = True

    def serve_unmarked(self):
        """Nothing tells versions apart."""
        self.serve(self.state.content, etag='none')

    def serve_short(self):
        """Announces more than it has."""
        self.serve(self.state.content, longer=0 if self.probing() else 1000)

    def serve_long(self):
        """Sends more than was asked for, without announcing a length."""
        if self.probing():
            return self.serve(self.state.content)
        first, end = self.wanted(self.state.content)
        self.send_response(206)
        self.send_header('Content-Range', 'bytes %d-%d/%d' % (
            first, end - 1, len(self.state.content)))
        self.end_headers()
        self.send(self.state.content[first:end] + b'x' * 5000)
        self.close_connection = True

    def serve_two_totals(self):
        """Says another length later."""
        self.serve(self.state.content, total=None if self.probing() else 12345678)

    def serve_pretends_ranges(self):
        """Answers the question for one byte with a range, and all others with the whole."""
        if self.probing():
            return self.serve(self.state.content)
        self.answer(200, {'ETag': etag_of(self.state.content)}, self.state.content)

    def serve_change(self):
        """Another version from the third range on."""
        changed = self.state.count('change') > 3
        content = self.state.content
        self.serve(bytes(reversed(content)) if changed else content, pause=0.002)

    def serve_silent_change(self):
        """Another version under the same name for it."""
        changed = self.state.count('silent') > 3
        content = self.state.content
        self.serve(bytes(reversed(content)) if changed else content, etag=etag_of(content))

    def linked(self, content=None):
        content = self.state.content if content is None else content
        return {'X-Linked-ETag': '"%s"' % hashlib.sha256(content).hexdigest(),
                'X-Linked-Size': str(len(content))}

    def serve_hub(self):
        self.redirect('/plain/x.gguf', self.linked())

    def serve_hub_wrong_hash(self):
        wrong = b'y' * len(self.state.content)
        self.redirect('/plain/x.gguf', self.linked(wrong))

    def serve_hub_wrong_size(self):
        self.redirect('/plain/x.gguf', self.linked(self.state.content + b'more'))

    def serve_loop(self):
        self.redirect(self.path)

    def serve_hops(self):
        left = self.number('n', 0)
        self.redirect('/hops/x.gguf?n=%d' % (left - 1) if left > 1 else '/plain/x.gguf')

    def serve_to(self):
        self.redirect(self.query['url'][0])

    def serve_other_host(self):
        port = self.server.server_address[1]
        self.redirect('http://localhost:%d/plain/x.gguf' % port, self.linked())

    def serve_token(self):
        if self.headers.get('Authorization') != 'Bearer secret':
            return self.answer(401, {}, b'who are you?')
        self.serve(self.state.content)

    def serve_busy(self):
        if self.state.count('busy') <= self.number('times', 3):
            return self.answer(503, {'Retry-After': '0'}, b'later')
        self.serve(self.state.content)

    def serve_few(self):
        """One connection at a time, please."""
        with self.state.lock:
            self.state.active += 1
            alone = self.state.active == 1
        try:
            if alone:
                self.serve(self.state.content, pause=0.005)
            else:
                self.answer(429, {}, b'one at a time')
        finally:
            with self.state.lock:
                self.state.active -= 1

    def serve_expiring(self):
        self.redirect('/signed/x.gguf?ticket=%d' % self.state.count('ticket'), self.linked())

    def serve_signed(self):
        """Every ticket is good for three requests."""
        if self.state.count('used' + self.query['ticket'][0]) > 3:
            return self.answer(403, {}, b'expired')
        self.serve(self.state.content)

    def serve_chunked(self):
        self.send_response(200)
        self.send_header('Transfer-Encoding', 'chunked')
        self.end_headers()
        content = self.state.content
        for at in range(0, len(content), CHUNK):
            piece = content[at:at + CHUNK]
            self.wfile.write(b'%x\r\n%s\r\n' % (len(piece), piece))
        self.wfile.write(b'0\r\n\r\n')

    def serve_html(self):
        self.answer(200, {}, b'<html>Please sign in</html>')

    def serve_gone(self):
        self.answer(404, {}, b'not here')

    def serve_empty(self):
        self.answer(416, {'Content-Range': 'bytes */0'}, b'')

    def serve_stalls(self):
        """Sends a little and then nothing, the first time."""
        if self.probing() or self.state.count('stall') > 1:
            return self.serve(self.state.content)
        self.send_response(206)
        wanted = self.wanted(self.state.content)
        self.send_header('Content-Range', 'bytes %d-%d/%d' % (
            wanted[0], wanted[1] - 1, len(self.state.content)))
        self.send_header('Content-Length', str(wanted[1] - wanted[0]))
        self.end_headers()
        self.wfile.write(self.state.content[wanted[0]:wanted[0] + 1000])
        self.wfile.flush()
        time.sleep(5)
        self.close_connection = True


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        pass


def main():
    with open(sys.argv[1], 'rb') as file:
        Handler.state = State(file.read())
    server = Server(('127.0.0.1', 0), Handler)
    if len(sys.argv) > 2:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[2], sys.argv[3])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    sys.stdout.write('%d\n' % server.server_address[1])
    sys.stdout.flush()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


main()
