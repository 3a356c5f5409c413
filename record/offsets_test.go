package record

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const someBuild = "build-id:00112233445566778899aabbccddeeff00112233"

func TestParseOffsets(t *testing.T) {
	got, err := ParseOffsets(strings.NewReader("# of our build\n\n" + someBuild + " boringssl SSL_read=0x1000 # why\n" +
		"sha256:" + strings.Repeat("AB", 32) + "\topenssl SSL_read_ex=4096 SSL_write_ex=0x2000\n" +
		someBuild + " boringssl SSL_write=0x2000 SSL_free=0x3000\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []Offsets{
		{BuildID: someBuild[9:], Library: "boringssl", Functions: map[string]uint64{"SSL_read": 0x1000, "SSL_write": 0x2000, "SSL_free": 0x3000}},
		{SHA256: strings.Repeat("ab", 32), Library: "openssl", Functions: map[string]uint64{"SSL_read_ex": 4096, "SSL_write_ex": 0x2000}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for text, want := range map[string]string{
		someBuild + " boringssl":                                                "line 1: want a file, a library and functions",
		"\n/usr/bin/x boringssl SSL_read=1":                                     `line 2: "/usr/bin/x" names no file`,
		"build-id:0011 boringssl SSL_read=1":                                    "names no file",
		someBuild + " nss SSL_read=1":                                           `no library "nss"`,
		someBuild + " boringssl SSL_peek=0x10":                                  `"SSL_peek" is no function of boringssl`,
		someBuild + " boringssl SSL_read=first":                                 `SSL_read="first": give its address`,
		someBuild + " boringssl SSL_read=0x10 SSL_read=0x20":                    "SSL_read a second time",
		someBuild + " boringssl SSL_read=0x10":                                  "at least one function that reads and one that writes, such as SSL_read and SSL_write",
		someBuild + " boringssl SSL_read=0x10 SSL_write=0x10":                   "SSL_read and SSL_write are both at 0x10",
		someBuild + " openssl SSL_read=1\n" + someBuild + " openssl SSL_read=2": "line 2: SSL_read of " + someBuild + " a second time",
		strings.Repeat("#", maxOffsets+2):                                       "line 1",
	} {
		if _, err := ParseOffsets(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, want %s", text, err, want)
		}
	}
}

// TestGivenRoles: offsets can be given of every kind whose functions are in one file.
func TestGivenRoles(t *testing.T) {
	if d := cmp.Diff([]string{"openssl", "gnutls", "wolfssl", "mbedtls", "boringssl"}, givenKinds()); d != "" {
		t.Error(d)
	}
}

func FuzzOffsets(f *testing.F) {
	f.Add(someBuild + " boringssl SSL_read=0x1000 SSL_write=0x20\n")
	f.Add("sha256:" + strings.Repeat("ab", 32) + " gnutls gnutls_record_recv=1 gnutls_record_send2=2 # x")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := ParseOffsets(strings.NewReader(text))
		if err != nil {
			return
		}
		var again strings.Builder
		for _, o := range all {
			again.WriteString(o.File() + " " + o.Library)
			for _, name := range slices.Sorted(maps.Keys(o.Functions)) {
				again.WriteString(" " + name + "=" + fmt.Sprint(o.Functions[name]))
			}
			again.WriteByte('\n')
		}
		back, err := ParseOffsets(strings.NewReader(again.String()))
		if err != nil || !cmp.Equal(all, back) {
			t.Errorf("%q is read as %+v, %v", again.String(), back, err)
		}
	})
}
