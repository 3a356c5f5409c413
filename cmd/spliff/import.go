package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/NoFear0411/spliff/format"
	"github.com/NoFear0411/spliff/format/eventjson"
	"github.com/NoFear0411/spliff/format/sealed"
)

const importLong = `Make a session of text, or of the raw bytes of a connection.

  events  lines of JSON, as "spliff export -f events" writes them, or the
          minimal form below; packed by gzip or not
  raw     two files with the bytes of one connection, from client to server
          first; events are cut at 16 KiB, all of the first file comes before
          the second, one microsecond from event to event, from 1970 on

  spliff export a.spl -f events -o a.jsonl
  spliff import -f events a.jsonl -o b.spl
  spliff import -f raw request.bin response.bin -o c.spl

A bad line is refused with its number, and nothing is left behind.

The minimal form has a line for what happened on a connection, seen from the
network; the client's side becomes the process:

  {"conn":0,"client":"10.0.0.5:40111","server":"192.0.2.1:443","alpn":"h2"}
  {"conn":0,"dir":"c2s","ts":1554403730697139000,"text":"GET / HTTP/1.1\r\n\r\n"}
  {"conn":0,"dir":"s2c","ts":1554403730716996000,"data":"SFRUUC8xLjE="}
  {"conn":0,"dir":"s2c","gap":127}
  {"conn":0,"dir":"s2c","end":"fin"}

The first may be missing, and so may each address and alpn in it. ts is in
nanoseconds since 1970 and counts until the next. data is base64, gap the number
of bytes that are missing, end is fin or rst. Offsets and all else is made.

An existing file is kept unless --force is given. With --encrypt-to the session is
encrypted and its name ends in .age, as record does it.
`

// importOptions are the flags of import.
type importOptions struct {
	copyFlags
	format, alpn string
}

// newImportCmd returns "spliff import".
func newImportCmd(e *env) *cobra.Command {
	var o importOptions
	cmd := &cobra.Command{
		Use:     "import -f events IN.jsonl|- -o OUT.spl|-\n  spliff import -f raw C2S.bin S2C.bin -o OUT.spl|-",
		Short:   "Make a session of event lines or raw bytes",
		Long:    importLong + exitStatus,
		GroupID: "share",
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runImport(cmd.Context(), e, args, &o)
		},
	}
	cmd.Flags().StringVarP(&o.format, "format", "f", "", "`FORMAT` to read: events or raw")
	cmd.Flags().StringVar(&o.alpn, "alpn", "", "raw: the `PROTOCOL` that TLS agreed upon, such as h2")
	o.copyFlags.register(cmd.Flags())
	return cmd
}

// check finds what is wrong with the command line, before a file is made.
func (o *importOptions) check(e *env, args []string) error {
	switch o.format {
	case "events":
		if o.alpn != "" {
			return usagef("--alpn is for -f raw; in events it is a field of the connection")
		}
		if len(args) != 1 {
			return usagef("-f events takes one file, or - for standard input, got %d", len(args))
		}
	case "raw":
		if len(args) != 2 {
			return usagef("-f raw takes two files, from client to server and back, got %d", len(args))
		}
		if args[0] == stdio && args[1] == stdio {
			return usagef("standard input cannot be both directions")
		}
	case "":
		return usagef("no format given: use -f events or -f raw")
	default:
		return usagef("unknown format %q: use events or raw", o.format)
	}
	for _, name := range args {
		if name == stdio && e.terminal(e.stdin) {
			return usagef("standard input is a terminal: name a file, or pipe it in")
		}
	}
	return o.copyFlags.check(e, args...)
}

func runImport(ctx context.Context, e *env, args []string, o *importOptions) error {
	if err := o.check(e, args); err != nil {
		return err
	}
	var in [2]io.Reader
	var patient bool
	for i, name := range args {
		if name == stdio {
			in[i], patient = e.stdin, true
			continue
		}
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		in[i] = f
	}
	if o.format == "events" {
		text, err := notYetSession(in[0])
		if err != nil {
			return located(args[0], err)
		}
		in[0] = text
	}
	out, err := o.create(e)
	if err != nil {
		return err
	}
	defer out.discard()
	ctx, stop := e.interruptible(ctx, patient, out.discard)
	defer stop()
	if o.format == "raw" {
		err = eventjson.ImportRaw(out, interruptedReader{ctx, in[0]}, interruptedReader{ctx, in[1]}, o.alpn, format.WriterOptions{})
	} else {
		err = eventjson.Import(out, interruptedReader{ctx, in[0]}, format.WriterOptions{})
	}
	if err != nil {
		return located(args[0], err)
	}
	return out.finish()
}

// notYetSession returns what r gives, unless that is a session.
func notYetSession(r io.Reader) (io.Reader, error) {
	b := bufio.NewReader(r)
	// An error shows again to whoever reads on.
	intro, _ := b.Peek(sealed.IntroLen)
	switch {
	case sealed.Is(intro):
		return nil, errors.New("it is a session already, encrypted, or another file that age made")
	case len(intro) >= 4 && string(intro[1:4]) == "\x2a\x4d\x18", bytes.HasPrefix(intro, []byte("\x28\xb5\x2f\xfd")):
		// A frame of zstd, to be skipped or not: no text begins so.
		return nil, errors.New("it is a session already, or compressed by zstd: try spliff info")
	}
	return b, nil
}

// located puts the name of the text before what is wrong with it, as compilers
// do. The reasons of a bad raw file name it already.
func located(name string, err error) error {
	if name == stdio {
		name = "standard input"
	}
	var bad *eventjson.LineError
	if errors.As(err, &bad) {
		return fmt.Errorf("%s:%d: %w", name, bad.Line, bad.Err)
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("import %s: %w", name, err)
}
