//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
)

type options struct {
	spliff string
	rounds int
	only   string
	bulk   int64 // bytes of the download
	short  int   // requests of a burst
	long   int   // requests of a sustained load
	idle   int   // seconds
}

func main() {
	var o options
	var bulk int
	flag.StringVar(&o.spliff, "spliff", "./spliff", "the spliff to measure")
	flag.IntVar(&o.rounds, "rounds", 5, "how often each row runs; the table has the medians")
	flag.StringVar(&o.only, "only", "", "measure only loads and rows, \"LOAD ROW\", that match this regular expression")
	flag.IntVar(&bulk, "bulk", 1024, "size of the download in MiB")
	flag.IntVar(&o.short, "burst", 20_000, "requests of a burst")
	flag.IntVar(&o.long, "sustained", 150_000, "requests of a sustained load")
	flag.IntVar(&o.idle, "idle", 20, "seconds to watch an idle recorder")
	flag.Parse()
	o.bulk = int64(bulk) << 20
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) (err error) {
	if os.Geteuid() != 0 {
		return errors.New("recording needs root")
	}
	only, err := regexp.Compile(o.only)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "spliff-bench-record-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := writeFiles(dir, o.bulk); err != nil {
		return err
	}
	s := newSuite(dir, o)
	defer s.stop()
	if err := s.measure(ctx, only); err != nil {
		return err
	}
	return s.print(os.Stdout)
}
