package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/NoFear0411/spliff/format/sealed"
)

// recipientFlags say to whom a session is encrypted. All commands that write
// sessions have them.
type recipientFlags struct {
	encryptTo  []string
	recipients []string // files of them
}

// register adds the flags to fs.
func (f *recipientFlags) register(fs *pflag.FlagSet) {
	fs.StringArrayVar(&f.encryptTo, "encrypt-to", nil, "encrypt to this `RECIPIENT`: age1… or an SSH public key (repeatable)")
	fs.StringArrayVar(&f.recipients, "recipients-file", nil, "encrypt to the recipients in this `FILE` (repeatable)")
}

// checkName holds names to what they promise: what ends in .age is encrypted, and
// only that. Nothing is written under a name that was not given.
func (f *recipientFlags) checkName(out string) error {
	switch {
	case f.encrypted() && !encryptedName(out):
		return usagef("the name of an encrypted session ends in .age: give -o %s.age", out)
	case !f.encrypted() && encryptedName(out):
		return usagef("%s would not be encrypted: give --encrypt-to, or a name without .age", out)
	}
	return nil
}

func encryptedName(name string) bool { return strings.HasSuffix(name, ".age") }

func (f *recipientFlags) encrypted() bool { return len(f.encryptTo)+len(f.recipients) > 0 }

// keys reads the recipients.
func (f *recipientFlags) keys() ([]sealed.Recipient, error) {
	var keys []sealed.Recipient
	for _, s := range f.encryptTo {
		key, err := sealed.ParseRecipient(s)
		if err != nil {
			return nil, usagef("--encrypt-to: %w", err)
		}
		keys = append(keys, key)
	}
	for _, name := range f.recipients {
		file, err := os.Open(name)
		if err != nil {
			return nil, flagFileError{"--recipients-file", err}
		}
		more, err := sealed.ParseRecipients(file)
		file.Close()
		if err != nil {
			return nil, fmt.Errorf("read recipients %s: %w", name, err)
		}
		keys = append(keys, more...)
	}
	if len(keys) > 0 {
		if err := sealed.Check(keys); err != nil {
			return nil, usagef("%w", err)
		}
	}
	return keys, nil
}
