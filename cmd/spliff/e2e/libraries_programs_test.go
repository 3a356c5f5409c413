package e2e

// The programs of the matrix of libraries that no package has. Servers get the
// site's folder and a port; GET /N answers with root/N, POST with what was posted.
// Clients get the path to post to as well and visit every file of root.

const blockingServer = `
import sys, ssl, http.server
dir, port = sys.argv[1], int(sys.argv[2])
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        with open(dir + "/root" + self.path, "rb") as f: self.answer(f.read())
    def do_POST(self):
        self.answer(self.rfile.read(int(self.headers["Content-Length"])))
    def log_message(self, *a): pass
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(dir + "/cert.pem", dir + "/key.pem")
server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
`

const blockingClient = `
import sys, ssl, os, http.client
dir, port, echo = sys.argv[1], int(sys.argv[2]), sys.argv[3]
conn = http.client.HTTPSConnection("127.0.0.1", port, context=ssl._create_unverified_context())
for name in os.listdir(dir + "/root"):
    if not name.isdigit(): continue
    want = open(dir + "/root/" + name, "rb").read()
    conn.request("GET", "/" + name)
    assert conn.getresponse().read() == want
    conn.request("POST", "/" + echo, body=want)
    assert conn.getresponse().read() == want
conn.close()
`

const asyncServer = `
import sys, ssl, asyncio
dir, port = sys.argv[1], int(sys.argv[2])
async def serve(reader, writer):
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            method, path = head.split()[:2]
            fields = dict(l.lower().split(": ", 1) for l in head.split("\r\n")[1:] if l)
            if method == "GET": body = open(dir + "/root" + path, "rb").read()
            else: body = await reader.readexactly(int(fields["content-length"]))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()
async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(dir + "/cert.pem", dir + "/key.pem")
    await (await asyncio.start_server(serve, "127.0.0.1", port, ssl=context, limit=1 << 22)).serve_forever()
asyncio.run(main())
`

const asyncClient = `
import sys, ssl, os, asyncio
dir, port, echo = sys.argv[1], int(sys.argv[2]), sys.argv[3]
async def main():
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=ssl._create_unverified_context(), limit=1 << 22)
    async def answer(want):
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(len(want)) == want
    for name in os.listdir(dir + "/root"):
        if not name.isdigit(): continue
        want = open(dir + "/root/" + name, "rb").read()
        writer.write(b"GET /%s HTTP/1.1\r\nHost: localhost\r\n\r\n" % name.encode())
        await answer(want)
        writer.write(b"POST /%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % (echo.encode(), len(want)) + want)
        await answer(want)
    writer.close()
    await writer.wait_closed()
asyncio.run(main())
`

const nodeServing = `
const https = require("https"), fs = require("fs");
const [dir, port] = process.argv.slice(2);
https.createServer({key: fs.readFileSync(dir + "/key.pem"), cert: fs.readFileSync(dir + "/cert.pem")}, (req, res) => {
  const parts = [];
  req.on("data", b => parts.push(b)).on("end", () => {
    const body = req.method == "GET" ? fs.readFileSync(dir + "/root" + req.url) : Buffer.concat(parts);
    res.writeHead(200, {"Content-Length": body.length});
    res.end(body);
  });
}).listen(port, "127.0.0.1");
`

const nodeVisiting = `
const https = require("https"), fs = require("fs");
const [dir, port, echo] = process.argv.slice(2);
const agent = new https.Agent({keepAlive: true, maxSockets: 1, rejectUnauthorized: false});
const visit = (method, path, body, want) => new Promise((done, fail) => {
  const req = https.request({host: "127.0.0.1", port, agent, method, path, headers: body ? {"Content-Length": body.length} : {}}, res => {
    const parts = [];
    res.on("data", b => parts.push(b)).on("end", () => Buffer.concat(parts).equals(want) ? done() : fail(new Error(path)));
  });
  req.on("error", fail);
  req.end(body);
});
(async () => {
  for (const name of fs.readdirSync(dir + "/root").filter(n => /^\d+$/.test(n))) {
    const want = fs.readFileSync(dir + "/root/" + name);
    await visit("GET", "/" + name, null, want);
    await visit("POST", "/" + echo, want, want);
  }
  agent.destroy();
})();
`

// wolfSource sends a file and prints what comes back until the server closes. It
// sends and receives by turns, as the server does not read while nobody reads it.
const wolfSource = `
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int main(int argc, char **argv) {
	static char in[4 << 20], out[65536];
	int f = open(argv[2], O_RDONLY), n = read(f, in, sizeof(in)), at = 0, k;
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int s = socket(AF_INET, SOCK_STREAM, 0);
	if (n <= 0 || connect(s, (void *)&a, sizeof(a))) return 1;
	wolfSSL_Init();
	WOLFSSL_CTX *ctx = wolfSSL_CTX_new(wolfTLS_client_method());
	wolfSSL_CTX_set_verify(ctx, WOLFSSL_VERIFY_NONE, 0);
	WOLFSSL *ssl = wolfSSL_new(ctx);
	wolfSSL_set_fd(ssl, s);
	if (wolfSSL_connect(ssl) != WOLFSSL_SUCCESS) return 2;
	fcntl(s, F_SETFL, O_NONBLOCK);
	for (;;) {
		struct pollfd p = {.fd = s, .events = POLLIN | (at < n ? POLLOUT : 0)};
		poll(&p, 1, 60000);
		if (at < n && (k = wolfSSL_write(ssl, in + at, n - at)) > 0) at += k;
		while ((k = wolfSSL_read(ssl, out, sizeof(out))) > 0) fwrite(out, 1, k, stdout);
		if (wolfSSL_get_error(ssl, k) != WOLFSSL_ERROR_WANT_READ) break;
	}
	wolfSSL_shutdown(ssl);
	wolfSSL_free(ssl);
	return at < n;
}
`
