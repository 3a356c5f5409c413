package sealed

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"filippo.io/age"
	"golang.org/x/crypto/ssh"
)

// sshKey returns a private key in OpenSSH's form and the line of its public key.
func sshKey(t *testing.T, key any, passphrase string) (private []byte, public string) {
	t.Helper()
	var block *pem.Block
	var err error
	if passphrase == "" {
		block, err = ssh.MarshalPrivateKey(key, "a comment")
	} else {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(key, "a comment", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(block), string(ssh.MarshalAuthorizedKey(signer.PublicKey()))
}

// newEd25519 returns a pointer, which is what package ssh wants.
func newEd25519(t *testing.T) *ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &key
}

func newRSA(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// TestKeyTypes: for every type of key, the public half as it is given on a command
// line or in a file encrypts, and the secret half as it is in a file decrypts.
func TestKeyTypes(t *testing.T) {
	classic, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	hybrid, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	edSecret, edPublic := sshKey(t, *newEd25519(t), "")
	rsaSecret, rsaPublic := sshKey(t, newRSA(t), "")
	tests := []struct {
		name, public string
		secret       []byte
	}{
		{"x25519", classic.Recipient().String(), []byte("# created: today\n\n" + classic.String() + "\n")},
		{"x25519, CRLF", classic.Recipient().String() + "\r", []byte("# created: today\r\n" + classic.String() + "\r\n")},
		{"hybrid", hybrid.Recipient().String(), []byte(hybrid.String())},
		{"ssh-ed25519", edPublic, edSecret},
		{"ssh-rsa", rsaPublic, rsaSecret},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			to, err := ParseRecipient(tt.public)
			if err != nil {
				t.Fatal(err)
			}
			list, err := ParseRecipients(strings.NewReader("# us\n\n  " + tt.public + "\n"))
			if err != nil || len(list) != 1 {
				t.Fatalf("%d recipients, %v", len(list), err)
			}
			ids, err := ParseIdentities(tt.secret)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range []Recipient{to, list[0]} {
				if got, faults := both(t, seal(t, []byte("text"), 9, r), ids[0]); string(got) != "text" || len(faults) > 0 {
					t.Errorf("got %q, %v", got, faults)
				}
			}
		})
	}
}

// TestSeveralKeys: each of several recipients opens the file, and one of several
// identities is enough.
func TestSeveralKeys(t *testing.T) {
	a, toA := newKey(t)
	b, toB := newKey(t)
	c, _ := newKey(t)
	file := seal(t, []byte("text"), 9, toA, toB)
	for _, ids := range [][]Identity{{a}, {b}, {c, b}} {
		if r, err := NewReader(bytes.NewReader(file), ids...); err != nil {
			t.Errorf("%v, %v", r, err)
		}
	}
	_, err := NewReader(bytes.NewReader(file), c)
	if !errors.Is(err, ErrWrongIdentity) || !strings.Contains(err.Error(), "keys of type X25519)") {
		t.Errorf("a stranger's key: %v", err)
	}
	if _, err := NewReaderAt(bytes.NewReader(file), int64(len(file))); !errors.Is(err, ErrNoIdentity) {
		t.Errorf("no key: %v", err)
	}
}

func TestCheck(t *testing.T) {
	_, classic := newKey(t)
	hybrid, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	if err := Check([]Recipient{classic, classic}); err != nil {
		t.Error(err)
	}
	err = Check([]Recipient{classic, hybrid.Recipient()})
	if err == nil || !strings.Contains(err.Error(), "post-quantum") || strings.Contains(err.Error(), "failed") {
		t.Errorf("mixed keys: %v", err)
	}
}

// spoilt returns a key with another last letter, one that keys may have.
func spoilt(key string) string {
	front, last := key[:len(key)-1], key[len(key)-1:]
	for _, c := range []string{"q", "p"} {
		if key == strings.ToUpper(key) {
			c = strings.ToUpper(c)
		}
		if c != last {
			return front + c
		}
	}
	return key
}

// TestBadKeys: what is no key is refused with what to do, and never quoted: it may
// be a secret.
func TestBadKeys(t *testing.T) {
	id, _ := newKey(t)
	secret := id.String()
	public := id.Recipient().String()
	locked, edPublic := sshKey(t, *newEd25519(t), "hush")
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ecSecret, ecPublic := sshKey(t, curve, "")
	var sealedKey bytes.Buffer
	w, _ := age.Encrypt(&sealedKey, id.Recipient())
	w.Write([]byte(secret))
	w.Close()

	recipients := []struct{ name, text, want string }{
		{"secret", secret, "a secret key: give its public key"},
		{"secret in lines", public + "\n\n" + secret, "line 3: a secret key"},
		{"ssh secret", string(ecSecret), "line 1: a secret key"},
		{"damaged", "# c\n" + spoilt(public), "line 2: a damaged public key"},
		{"other ssh key", ecPublic, "type that cannot encrypt"},
		{"damaged ssh key", edPublic[:40], "damaged public key"},
		{"plugin", "age1yubikey1qwertz", "plugin"},
		{"file name", "/home/me/.ssh/id.pub", "not a public key"},
		{"empty", "\n# nothing\n", "no public key in it"},
		{"long", "# c\n" + strings.Repeat("a", maxLine+1), "line 2: too long"},
	}
	for _, tt := range recipients {
		_, err := ParseRecipients(strings.NewReader(tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("recipients, %s: %v, want %q", tt.name, err, tt.want)
			continue
		}
		if strings.Contains(err.Error(), secret[16:30]) {
			t.Errorf("recipients, %s: the error quotes the key: %v", tt.name, err)
		}
	}
	identities := []struct {
		name string
		text []byte
		want string
	}{
		{"passphrase", locked, "has a passphrase"},
		{"encrypted", sealedKey.Bytes(), "itself encrypted"},
		{"encrypted, text", []byte("\n" + armorPrefix + "\nYWdl\n"), "itself encrypted"},
		{"public", []byte("# c\n" + public), "line 2: a public key"},
		{"public ssh", []byte(edPublic), "a public key"},
		{"damaged", []byte(spoilt(secret)), "line 1: a damaged secret key"},
		{"plugin", []byte("AGE-PLUGIN-YUBIKEY-1QQQ"), "plugin"},
		{"other ssh key", ecSecret, "only ed25519 and rsa"},
		{"certificate", []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), "not an SSH private key"},
		{"text", []byte("hello"), "not a secret key"},
		{"empty", nil, "no secret key in it"},
	}
	for _, tt := range identities {
		_, err := ParseIdentities(tt.text)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("identities, %s: %v, want %q", tt.name, err, tt.want)
			continue
		}
		if strings.Contains(err.Error(), secret[16:30]) {
			t.Errorf("identities, %s: the error quotes the key: %v", tt.name, err)
		}
	}
}

func TestIs(t *testing.T) {
	_, to := newKey(t)
	if file := seal(t, nil, 1, to); !Is(file) || !Is(file[:IntroLen]) || Is(file[:IntroLen-1]) || Is([]byte("S*M\x18")) {
		t.Error("Is does not know an age file")
	}
}
