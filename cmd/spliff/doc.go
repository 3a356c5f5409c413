// Command spliff records the plaintext that programs send over TLS, and shows,
// replays and exports such recordings.
//
// This package turns flags into options, makes one call into the packages that
// do the work, and turns the error into an exit code. It parses no protocol,
// reads no session byte itself and holds no state outside [env]: what it owns
// are streams, files, signals and words for people.
//
// Standard output is data, standard error is talk, "-" is standard input or
// output. Exit codes are in exit.go and in "spliff help exit-codes".
package main
