// A server and a client of the kind that .NET programs are: Kestrel and HttpClient,
// all of their input and output asynchronous.
//
//	serve DIR PORT PROTOCOL         GET /N answers with DIR/root/N, POST with what was posted
//	visit DIR PORT PATH VERSION     for each line of input visits every file of DIR/root, by GET and
//	                                by POST to PATH, all on one connection, and says that it has
using System;
using System.IO;
using System.Linq;
using System.Net;
using System.Net.Http;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using System.Threading.Tasks;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

static class Web {
	static async Task Main(string[] args) {
		string dir = args[1];
		int port = int.Parse(args[2]);
		if (args[0] == "serve") Serve(dir, port, (SslProtocols)Enum.Parse(typeof(SslProtocols), args[3]));
		else await Visit(dir, port, args[3], new Version(args[4]));
	}

	static void Serve(string dir, int port, SslProtocols protocol) {
		var key = new X509Certificate2(dir + "/both.pfx", "spliff");
		new WebHostBuilder().UseKestrel(o => {
			o.Listen(IPAddress.Loopback, port, l => {
				l.Protocols = HttpProtocols.Http1AndHttp2;
				l.UseHttps(key, h => h.SslProtocols = protocol);
			});
		}).Configure(app => app.Run(async c => {
			byte[] body;
			if (c.Request.Method == "GET") body = await File.ReadAllBytesAsync(dir + "/root" + c.Request.Path);
			else {
				var all = new MemoryStream();
				await c.Request.Body.CopyToAsync(all);
				body = all.ToArray();
			}
			c.Response.ContentLength = body.Length;
			await c.Response.Body.WriteAsync(body, 0, body.Length);
		})).Build().Run();
	}

	static async Task Visit(string dir, int port, string echo, Version version) {
		var handler = new HttpClientHandler { ServerCertificateCustomValidationCallback = (a, b, c, d) => true };
		using var client = new HttpClient(handler) { BaseAddress = new Uri($"https://localhost:{port}"), DefaultRequestVersion = version };
		while (Console.ReadLine() != null) {
			foreach (var file in Directory.GetFiles(dir + "/root")) {
				string name = Path.GetFileName(file);
				if (!int.TryParse(name, out _)) continue;
				byte[] want = await File.ReadAllBytesAsync(file);
				if (!want.SequenceEqual(await client.GetByteArrayAsync("/" + name))) throw new Exception("GET " + name);
				var answer = await client.PostAsync("/" + echo, new ByteArrayContent(want));
				if (answer.Version != version) throw new Exception("HTTP/" + answer.Version);
				if (!want.SequenceEqual(await answer.Content.ReadAsByteArrayAsync())) throw new Exception("POST " + name);
			}
			Console.WriteLine("visited");
		}
	}
}
