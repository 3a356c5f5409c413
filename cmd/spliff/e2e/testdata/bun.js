// A TLS server that answers every body backwards and whose page makes a browser
// send what the client sends. A client's third argument ends its paths.
const sizes = [1, 16383, 16384, 16385, 1 << 20];
const pattern = (n) => new Uint8Array(n).map((_, i) => i * 7 + (i >> 8) + n);
const [what, port, cert, key] = process.argv.slice(2);
const page = `<html><body><pre id=o>wait</pre><script>
const pattern = ${pattern};
(async () => {
  for (const n of ${JSON.stringify(sizes)}) {
    const r = await fetch("/echo" + n, { method: "POST", body: pattern(n) });
    if ((await r.arrayBuffer()).byteLength !== n) return;
  }
  document.getElementById("o").textContent = "done";
  await fetch("/done");
})();
</script></body></html>`;
if (what === "serve") {
  Bun.serve({
    port, hostname: "127.0.0.1", tls: { cert: Bun.file(cert), key: Bun.file(key) },
    async fetch(req) {
      if (req.url.endsWith("/done")) await Bun.write(cert + ".done", "");
      if (req.method !== "POST") return new Response(page, { headers: { "content-type": "text/html" } });
      return new Response(new Uint8Array(await req.arrayBuffer()).reverse());
    },
  });
} else {
  for (const n of sizes) {
    const r = await fetch(`https://127.0.0.1:${port}/echo${n}${cert ?? ""}`, { method: "POST", body: pattern(n), tls: { rejectUnauthorized: false } });
    if ((await r.arrayBuffer()).byteLength !== n) process.exit(1);
  }
}
