// Command goserver serves a folder over HTTP/1 and HTTP/2 with net/http and
// crypto/tls, for the benchmark of recording, which builds it as programs are
// shipped: without symbols. It writes its URL to stdout once it listens, and knows
// nothing of spliff.
package main
