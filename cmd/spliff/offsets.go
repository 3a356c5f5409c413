package main

import (
	"fmt"
	"os"
	"slices"

	"github.com/spf13/pflag"

	"github.com/NoFear0411/spliff/record"
)

// offsetsHelp is the text of "spliff help offsets".
const offsetsHelp = `A program with BoringSSL or another TLS library built in and its symbols stripped
is recorded where its functions are found for certain in its machine code.
Where they are not, spliff libs says "seen, not supported", and whoever has the
symbols can say where they are:

  build-id:8c1e09… boringssl SSL_read=0x2f30a10 SSL_write=0x2f30c80 SSL_do_handshake=0x2f30750
  sha256:77ab01…   openssl   SSL_read=0x41f2a0 SSL_write=0x41f8b0   # a file without build id

in a file that record and libs take with --offsets FILE. A line names a
file, a library and its functions; several lines may tell of one file, # begins a
comment. What is told of a file stands above what would be found in it.

  readelf -n PROGRAM     prints the build id of the stripped file
  nm UNSTRIPPED          prints addresses: give them as they are
  nm -D, objdump -d      the same, of what is left of symbols or code

The unstripped file must be of the very same build: its build id is the same. An
address that is in no code, or inside a function, is refused. SSL_read and
SSL_write must be there; SSL_do_handshake, SSL_new and SSL_free tell handshakes,
beginnings and ends.`

// offsetsFlag holds files of offsets.
type offsetsFlag struct{ files []string }

func (f *offsetsFlag) register(fs *pflag.FlagSet) {
	fs.StringArrayVar(&f.files, "offsets", nil, "where functions are that cannot be found: a `FILE` (repeatable; see spliff help offsets)")
}

// read returns what the files say.
func (f *offsetsFlag) read() ([]record.Offsets, error) {
	var all []record.Offsets
	for _, name := range f.files {
		file, err := os.Open(name)
		if err != nil {
			return nil, flagFileError{"--offsets", err}
		}
		more, err := record.ParseOffsets(file)
		file.Close()
		if err != nil {
			return nil, fmt.Errorf("read offsets %s: %w (spliff help offsets)", name, err)
		}
		all = append(all, more...)
	}
	return all, nil
}

// unmet names the files that offsets tell of and that were not among the targets.
func unmet(all []record.Offsets, targets []record.Target) (names []string) {
	for _, o := range all {
		if !slices.ContainsFunc(targets, func(t record.Target) bool { return t.Given == o.File() }) {
			names = append(names, o.File())
		}
	}
	return names
}
