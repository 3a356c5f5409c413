package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/pprof"
)

type options struct {
	exchanges int
	rounds    int
	only      string
	profile   string
	dir       string
	spliff    string
	generate  bool
}

func main() {
	var o options
	flag.IntVar(&o.exchanges, "n", 100_000, "exchanges in the corpus of each protocol")
	flag.IntVar(&o.rounds, "rounds", 7, "how often each row runs; the table has the medians")
	flag.StringVar(&o.only, "only", "", "measure only the rows that match this regular expression")
	flag.StringVar(&o.profile, "cpuprofile", "", "write a CPU profile of the measured part to this file")
	flag.StringVar(&o.dir, "dir", os.Getenv("SPLIFF_BENCH_DIR"), "where the corpus is kept (default $SPLIFF_BENCH_DIR, else in the temporary folder)")
	flag.StringVar(&o.spliff, "spliff", "", "the spliff to measure the whole path with; none leaves it out")
	flag.BoolVar(&o.generate, "generate", false, "generate the corpus even where nginx and h2load are installed")
	flag.Parse()
	if o.dir == "" {
		o.dir = filepath.Join(os.TempDir(), "spliff-bench-decode")
	}
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
	if err := os.MkdirAll(o.dir, 0o755); err != nil {
		return err
	}
	var suites []*suite
	for _, p := range []protocol{h1, h2} {
		c, err := openCorpus(o, p)
		if err != nil {
			return err
		}
		defer c.close()
		s, err := newSuite(c, o)
		if err != nil {
			return err
		}
		suites = append(suites, s)
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
	runtime.GOMAXPROCS(1)
	// What spliff does for its collector, for all rows: see heapFloor in cmd/spliff.
	floor := make([]byte, 16<<20)
	err = measure(suites, o.rounds, only)
	runtime.KeepAlive(floor)
	pprof.StopCPUProfile()
	if err != nil {
		return err
	}
	return printTable(os.Stdout, suites, o.rounds)
}
