// Command bench measures what recording costs a server and prints one table: nginx
// with one worker, untraced, under empty probes on the sites that spliff chose (the
// floor: no recorder can be cheaper there), recorded by spliff, and watched by other
// tools, in turn, so that whatever else the machine does meets all of them. Every
// figure is a median, and a ratio of the untraced runs between which it was taken.
//
// Of two more kinds of rows no rate is asked, only that no exchange is missing: spliff that
// records every process, so that the client, on the same two cores, pays too; and a
// server in Go, whose calls are watched at places of another kind.
//
// It needs root, nginx, h2load, curl, openssl and Go, and a built spliff. A tool that is
// not installed is named as not measured. It does not measure decoding or the file
// format: their benchmarks stand beside them.
package main
