package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const recordLong = `Record what running programs send and receive over TLS. Needs root.

Without -o the traffic is printed as it happens; with -o it is written to a
session file, and --print does both. Without a selection every process is
recorded. Several values of one flag widen the selection, different flags
narrow each other: -p 8 -p 9 is both, -p 8 --comm nginx is 8 if it is nginx. A
command after -- is started and only it and its descendants are recorded;
recording ends when it does. --cgroup takes a path or an id, --container an id or
what one begins with, --uid a user's name or number, --lib a kind of TLS library.
What is not selected costs nothing but the look.

TLS between processes of this host, over AF_UNIX or another socket that is no
network's, is counted and left out; --ipc records it. The birth, programs and end
of selected processes and of those that use TLS are recorded with their ancestors.

  sudo spliff record -o a.spl -- curl https://example.com/
  sudo spliff record --comm nginx -l
  sudo spliff record --container 3f2a9c --uid www-data -o a.spl
  ssh host sudo spliff record -o - | spliff show -

Ctrl-C ends the recording in order; a second Ctrl-C ends it at once. A session
holds secrets in the clear: its file is readable by its owner only.

With --rotate, a.spl becomes a-000000.spl, a-000001.spl and so on, each complete
alone and called .part until it is complete. 5m is five minutes, 5M five MiB.
--force deletes all files of an earlier recording of that name. With -o FILE and
--print, the recording goes on when the reader of the text goes away.

  sudo spliff record -o a.spl --rotate 100MiB --rotate 1h --keep 24

With --encrypt-to or --recipients-file nothing readable reaches the disk, and
the name has to end in .age. Keys are those of age: age-keygen makes one.
Reading commands take the secret key with -i. What a crash can lose is up to
64 KiB more than without encryption, unless --sync is chunk.

  sudo spliff record -o a.spl.age --encrypt-to age1…
  spliff show a.spl.age -i key.txt
`

// recordOptions are the flags of record.
type recordOptions struct {
	textFlags
	fileFlags
	selectFlags
	offsetsFlag
	print, quiet  bool
	showLibs      bool
	ring, snaplen sizeValue
	maxConns      int
	without       featureList
	limit         time.Duration
	command       []string
}

// newRecordCmd returns "spliff record".
func newRecordCmd(e *env) *cobra.Command {
	var o recordOptions
	cmd := &cobra.Command{
		Use:     "record [-o FILE|-] [flags] [-- CMD ARGS…]",
		Short:   "Record the TLS plaintext of running programs (root)",
		Long:    recordLong + exitStatus,
		GroupID: "record",
		Args: func(cmd *cobra.Command, args []string) error {
			if cmd.ArgsLenAtDash() == 0 && len(args) == 0 {
				return usagef("no command after --: without it every process would be recorded")
			}
			if cmd.Flags().Changed("output") && o.out == "" {
				return usagef("-o is empty: give a file, or - for stdout")
			}
			if cmd.Flags().Changed("for") && o.limit <= 0 {
				return usagef("--for %s: give a positive duration", o.limit)
			}
			if len(args) > 0 && cmd.ArgsLenAtDash() != 0 {
				return usagef("unexpected %q: a command to record goes after --", args[0])
			}
			return o.fileFlags.check(cmd.Flags().Changed)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			o.command = args
			return runRecord(cmd.Context(), e, &o)
		},
	}
	o.register(cmd.Flags())
	return cmd
}

func (o *recordOptions) register(fs *pflag.FlagSet) {
	o.ring = 32 << 20
	o.fileFlags.register(fs)
	fs.BoolVar(&o.print, "print", false, "print the traffic too")
	fs.BoolVarP(&o.quiet, "quiet", "q", false, "no status line and no summary")
	o.selectFlags.register(fs)
	o.offsetsFlag.register(fs)
	fs.Var(&o.ring, "ring", "size of the buffer shared with the kernel")
	fs.IntVar(&o.maxConns, "max-conns", 0, "most connections followed at once (default 65536)")
	fs.Var(&o.snaplen, "snaplen", "copy at most this much of one read or write; 0 is everything")
	fs.Var(&o.without, "without", "don't use this feature of the kernel, as on an older one (repeatable; spliff doctor lists them)")
	fs.BoolVar(&o.showLibs, "show-libs", false, "list libraries and probes as spliff libs does, and record nothing")
	fs.DurationVar(&o.limit, "for", 0, "end after this `DURATION`, as 60s or 5m")
	o.textFlags.register(fs)
}

func runRecord(ctx context.Context, e *env, o *recordOptions) error {
	if o.showLibs {
		return runLibs(ctx, e, &libsOptions{pids: o.pids, offsetsFlag: o.offsetsFlag})
	}
	if err := o.check(e); err != nil {
		return err
	}
	options := o.recorder(e)
	var err error
	if options.Offsets, err = o.offsetsFlag.read(); err != nil {
		return err
	}
	// The output comes first: without it nothing is attached.
	store, err := o.open(e)
	if err != nil {
		return err
	}
	if store != nil {
		defer store.Discard()
	}
	ctx, stop := e.recording(ctx)
	defer stop()
	rec, err := e.openRecorder(ctx, options)
	if err != nil {
		return err
	}
	defer rec.Close()
	ctx, release := withLimit(ctx, o.limit)
	defer release()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	sink, err := newRecordSink(e, o, store, rec.Info())
	if err != nil {
		return err
	}
	sink.full = func() { cancel(errSize) }
	// From here on there is a session worth keeping, whatever happens.
	if store != nil {
		if err := store.Keep(); err != nil {
			return errors.Join(err, sink.close("error", rec.Stats()))
		}
	}
	status := startStatus(e, o, rec, sink.stats)
	err = rec.Run(ctx, sink)
	status.stop()
	err = errors.Join(ignoreEnd(ctx, err), sink.close(endReason(ctx, err), rec.Stats()))
	if !o.quiet {
		o.report(ctx, e, rec, sink, err)
		for _, file := range unmet(options.Offsets, rec.Targets()) {
			e.say("spliff: --offsets: no process used %s, so what is told of it was of no use", file)
		}
	}
	return err
}
