// Package e2e tests the spliff program as its user meets it: the built binary,
// real servers and clients from Debian, real eBPF, traffic on loopback.
//
// Every test skips with its reason where something it needs is missing; as root
// on Linux with BTF, `make test` installs the rest and none skips. Processes are
// ended by their id, files lie in the test's temporary folder.
package e2e
