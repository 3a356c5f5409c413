package record

import (
	"fmt"
	"io"
	"os/exec"
	"testing"
)

// talker is a program that says "done" when it has done what a line asks of it.
type talker struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out io.Reader
}

// talking starts one; it ends with the test at the latest.
func talking(t *testing.T, name string, args ...string) *talker {
	t.Helper()
	p := &talker{cmd: exec.Command(name, args...)}
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if p.out, err = p.cmd.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.end)
	return p
}

func (p *talker) pid() uint32 { return uint32(p.cmd.Process.Pid) }

// ask says a line and waits until it is done.
func (p *talker) ask(line string) error {
	fmt.Fprintln(p.in, line) // one that is gone is found out by its answer
	return p.done()
}

func (p *talker) done() error {
	_, err := io.ReadFull(p.out, make([]byte, len("done\n")))
	return err
}

// end lets it end, and waits for that.
func (p *talker) end() {
	p.in.Close()
	p.cmd.Wait()
}
