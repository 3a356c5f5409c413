package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"runtime/pprof"
)

type options struct {
	payload int64 // MiB
	rounds  int
	only    string
	profile string
	big     int64 // MiB
}

func main() {
	var o options
	flag.Int64Var(&o.payload, "payload", 256, "MiB of payload in the corpus of the table")
	flag.IntVar(&o.rounds, "rounds", 7, "how often each row runs; the table has the medians")
	flag.StringVar(&o.only, "only", "", "measure only the rows that match this regular expression")
	flag.StringVar(&o.profile, "cpuprofile", "", "write a CPU profile of the measured part to this file")
	flag.Int64Var(&o.big, "big", 0, "MiB of a session file on which random access is measured too; 0 for none")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(o options) error {
	only, err := regexp.Compile(o.only)
	if err != nil {
		return err
	}
	s, err := newSuite(newCorpus(o.payload << 20))
	if err != nil {
		return err
	}
	if err := s.check(); err != nil {
		return err
	}
	if o.profile != "" {
		f, err := os.Create(o.profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
	}
	err = measure(s.rows(), o.rounds, only)
	pprof.StopCPUProfile()
	if err != nil {
		return err
	}
	if err := s.print(os.Stdout, o.rounds); err != nil || o.big == 0 {
		return err
	}
	return benchBig(os.Stdout, o.big<<20, o.rounds)
}
