package sealed

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"golang.org/x/crypto/ssh"
)

// Recipient is a public key that a session is encrypted to, Identity a secret key
// that opens it. Both are safe for concurrent use.
type (
	Recipient = age.Recipient
	Identity  = age.Identity
)

const (
	secretPrefix = "AGE-SECRET-KEY-"
	pluginPrefix = "AGE-PLUGIN-"
	armorPrefix  = "-----BEGIN AGE ENCRYPTED FILE-----"
	pemPrefix    = "-----BEGIN "
	// maxLine is more than any key needs: an RSA key of 16,384 bits has 2,800.
	maxLine = 16 << 10
)

// ParseRecipient reads a public key as the age command takes it: age1…, the
// post-quantum age1pq1…, or a line of an SSH public key file. No error quotes s:
// it may be a secret key that was given by mistake.
func ParseRecipient(s string) (Recipient, error) {
	s = strings.TrimSpace(s)
	var r Recipient
	var err error
	switch {
	case strings.HasPrefix(s, secretPrefix), strings.HasPrefix(s, pluginPrefix), strings.HasPrefix(s, pemPrefix):
		return nil, errors.New("a secret key: give its public key (age-keygen -y)")
	case strings.HasPrefix(s, "age1pq1"):
		r, err = age.ParseHybridRecipient(s)
	case strings.HasPrefix(s, "age1") && strings.Count(s, "1") > 1:
		return nil, errors.New("a key of an age plugin: those are not supported")
	case strings.HasPrefix(s, "age1"):
		r, err = age.ParseX25519Recipient(s)
	case strings.HasPrefix(s, "ssh-ed25519 "), strings.HasPrefix(s, "ssh-rsa "):
		r, err = agessh.ParseRecipient(s)
	case strings.HasPrefix(s, "ssh-"), strings.HasPrefix(s, "ecdsa-"), strings.HasPrefix(s, "sk-"):
		return nil, errors.New("an SSH key of a type that cannot encrypt: only ssh-ed25519 and ssh-rsa can")
	default:
		return nil, errors.New("not a public key: age1…, ssh-ed25519 … or ssh-rsa …")
	}
	if err != nil {
		return nil, errors.New("a damaged public key: copy it again")
	}
	return r, nil
}

// ParseRecipients reads a file of public keys, one a line. Empty lines and those
// that begin with # are comments. A bad line is an error that has its number: to
// pass over it would lock somebody out, and nobody would notice before the
// recording is needed.
func ParseRecipients(r io.Reader) ([]Recipient, error) {
	var keys []Recipient
	err := eachLine(r, func(line string) error {
		key, err := ParseRecipient(line)
		keys = append(keys, key)
		return err
	})
	if err == nil && len(keys) == 0 {
		err = errors.New("no public key in it")
	}
	if err != nil {
		return nil, err
	}
	return keys, nil
}

// eachLine calls f with every line that is no comment.
func eachLine(r io.Reader, f func(line string) error) error {
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, maxLine)
	n := 0
	for sc.Scan() {
		n++
		line := strings.TrimSpace(sc.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		if err := f(line); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	if errors.Is(sc.Err(), bufio.ErrTooLong) {
		return fmt.Errorf("line %d: too long for a key", n+1)
	}
	return sc.Err()
}

// Check returns why a session cannot be encrypted to these keys together, such as
// post-quantum and other keys mixed.
func Check(to []Recipient) error {
	_, err := age.Encrypt(io.Discard, to...)
	if err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "failed to "))
	}
	return nil
}

// ParseIdentities reads the content of a file of secret keys: what age-keygen
// writes, or an OpenSSH private key without passphrase. No error quotes it.
func ParseIdentities(file []byte) ([]Identity, error) {
	text := bytes.TrimSpace(file)
	switch {
	case Is(file), bytes.HasPrefix(text, []byte(armorPrefix)):
		return nil, errors.New("it is itself encrypted: decrypt it first (age -d -o KEY FILE) and give KEY")
	case bytes.HasPrefix(text, []byte(pemPrefix)):
		id, err := parseSSH(file)
		if err != nil {
			return nil, err
		}
		return []Identity{id}, nil
	}
	var ids []Identity
	err := eachLine(bytes.NewReader(file), func(line string) error {
		id, err := parseIdentity(line)
		ids = append(ids, id)
		return err
	})
	if err == nil && len(ids) == 0 {
		err = errors.New("no secret key in it")
	}
	if err != nil {
		return nil, err
	}
	return ids, nil
}

func parseIdentity(line string) (id Identity, err error) {
	switch {
	case strings.HasPrefix(line, secretPrefix+"PQ-1"):
		id, err = age.ParseHybridIdentity(line)
	case strings.HasPrefix(line, secretPrefix+"1"):
		id, err = age.ParseX25519Identity(line)
	case strings.HasPrefix(line, pluginPrefix):
		return nil, errors.New("a key of an age plugin: those are not supported")
	case strings.HasPrefix(line, "age1"), strings.HasPrefix(line, "ssh-"):
		return nil, errors.New("a public key: give the file of its secret key")
	default:
		return nil, errors.New("not a secret key: AGE-SECRET-KEY-… or an OpenSSH private key")
	}
	if err != nil {
		// What age says of it may quote the key.
		return nil, errors.New("a damaged secret key")
	}
	return id, nil
}

func parseSSH(file []byte) (Identity, error) {
	id, err := agessh.ParseIdentity(file)
	var locked *ssh.PassphraseMissingError
	switch {
	case errors.As(err, &locked):
		return nil, errors.New("the SSH key has a passphrase: give a copy without one (ssh-keygen -p -N '' -f COPY), or an age key")
	case err != nil:
		return nil, errors.New("not an SSH private key that can decrypt: only ed25519 and rsa ones can")
	}
	return id, nil
}
