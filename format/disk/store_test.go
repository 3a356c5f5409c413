package disk

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestNames(t *testing.T) {
	tests := []struct {
		name string
		no   int
		want string
	}{
		{"a.spl", 0, "a-000000.spl"},
		{"a.spl.age", 7, "a-000007.spl.age"},
		{"a.age", 1, "a-000001.age"},
		{"a", 12, "a-000012"},
		{"v1.2", 0, "v1.2-000000"},
		{"/x.spl/a", 0, "/x.spl/a-000000"},
		{"dir/.spl", 0, "dir/.spl-000000"},
		{".spl", 3, ".spl-000003"},
		{"a.spl", 12345678, "a-12345678.spl"},
	}
	for _, tt := range tests {
		got := Member(tt.name, tt.no)
		if got != tt.want {
			t.Errorf("Member(%q, %d) = %q, want %q", tt.name, tt.no, got, tt.want)
		}
		base := filepath.Base(got)
		if !isMember(tt.name, base) || !isMember(tt.name, base+".part") {
			t.Errorf("%s is not known to be a file of %s", got, tt.name)
		}
	}
	for _, other := range []string{"a.spl", "a-00000.spl", "a-00000x.spl", "a-b-000000.spl", "a-000000.spl.age", "ab-000000.spl", "a-000000"} {
		if isMember("a.spl", other) {
			t.Errorf("%s is taken for a file of a.spl", other)
		}
	}
}

// put writes units of the given sizes.
func put(t *testing.T, s *Store, sizes ...int) {
	t.Helper()
	for _, n := range sizes {
		if k, err := s.Write(bytes.Repeat([]byte{'x'}, n)); k != n || err != nil {
			t.Fatalf("Write: %d, %v", k, err)
		}
	}
}

// list returns the names in the folder, sorted.
func list(t *testing.T, dir string) string {
	t.Helper()
	names, err := OS().Names(dir)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// TestRotate follows the names of a rotated session on a real disk.
func TestRotate(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "a.spl")
	s, err := Create(name, Options{RotateBytes: 100, Keep: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Discard()
	put(t, s, 30)
	if s.Full(1000) {
		t.Error("a file without a chunk is full")
	}
	put(t, s, 60)
	if s.Full(100) || !s.Full(101) {
		t.Error("Full does not keep to 100 bytes")
	}
	steps := []string{
		"a-000000.spl a-000001.spl.part",
		"a-000001.spl a-000002.spl.part",
		"a-000002.spl a-000003.spl.part",
	}
	if got := list(t, dir); got != "a-000000.spl.part" {
		t.Errorf("at first: %s", got)
	}
	for i, want := range steps {
		w, err := s.Next()
		if err != nil || w != s {
			t.Fatalf("Next: %v, %v", w, err)
		}
		put(t, s, 10+i)
		if got := list(t, dir); got != want {
			t.Errorf("after %d: %s, want %s", i, got, want)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := list(t, dir); got != "a-000002.spl a-000003.spl" {
		t.Errorf("at the end: %s", got)
	}
	if got := s.Files(); !slices.Equal(got, []string{filepath.Join(dir, "a-000002.spl"), filepath.Join(dir, "a-000003.spl")}) {
		t.Errorf("Files: %v", got)
	}
	if n, left := s.Deleted(); n != 2 || left != 23 {
		t.Errorf("%d deleted, %d bytes left; want 2, 23", n, left)
	}
	if s.Written() != 123 || s.Synced() != 123 || s.Stored() != 123 {
		t.Errorf("written %d, synced %d, stored %d, want 123", s.Written(), s.Synced(), s.Stored())
	}
	if fi, err := os.Stat(s.Files()[0]); err != nil || fi.Mode().Perm() != 0o600 || fi.Size() != 11 {
		t.Errorf("%v, %v", fi, err)
	}
}

func TestRotateAge(t *testing.T) {
	c := &clock{time.Unix(1000, 0)}
	s, err := Create("a.spl", Options{FS: newModel(), Now: c.Now, RotateAge: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Discard()
	put(t, s, 1, 1)
	c.now = c.now.Add(time.Hour - 1)
	if s.Full(1 << 40) {
		t.Error("full before its time")
	}
	c.now = c.now.Add(1)
	if !s.Full(0) {
		t.Error("not full after an hour")
	}
	if _, err := s.Next(); err != nil {
		t.Fatal(err)
	}
	put(t, s, 1, 1)
	if s.Full(0) {
		t.Error("the next file is full at once")
	}
}

// TestInTheWay: what exists is refused or replaced, and what is not ours is never
// removed.
func TestInTheWay(t *testing.T) {
	rotated := Options{RotateBytes: 100}
	tests := []struct {
		name    string
		exists  string
		o       Options
		force   string // error with Replace, "" for none
		noForce string
	}{
		{"file", "a.spl", Options{}, "", "file already exists"},
		{"part of it", "a.spl.part", Options{}, "", ""},
		{"member", "a-000000.spl", rotated, "", "a-000000.spl: file already exists"},
		{"later member", "a-000042.spl", rotated, "", "a-000042.spl: file already exists"},
		{"part of a member", "a-000000.spl.part", rotated, "left by a run that was killed", "a-000000.spl.part: file already exists"},
		{"the name itself", "a.spl", rotated, "", ""},
	}
	for _, tt := range tests {
		for _, force := range []bool{false, true} {
			t.Run(fmt.Sprint(tt.name, force), func(t *testing.T) {
				dir := t.TempDir()
				old := filepath.Join(dir, tt.exists)
				if err := os.WriteFile(old, []byte("old"), 0o600); err != nil {
					t.Fatal(err)
				}
				o, want := tt.o, tt.noForce
				if o.Replace = force; force {
					want = tt.force
				}
				s, err := Create(filepath.Join(dir, "a.spl"), o)
				if want == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
					t.Fatalf("Create: %v, want %q", err, want)
				}
				if err == nil {
					put(t, s, 5)
					s.Discard()
				}
				if got := list(t, dir); got != tt.exists {
					t.Errorf("left in the folder: %s", got)
				}
				if b, err := os.ReadFile(old); err != nil || string(b) != "old" {
					t.Errorf("what was there is now %q, %v", b, err)
				}
			})
		}
	}
}

// TestReplace: the file that is replaced stays until Keep.
func TestReplace(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "a.spl")
	if err := os.WriteFile(name, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	s, err := Create(name, Options{Replace: true})
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, 3)
	if b, _ := os.ReadFile(name); string(b) != "old" {
		t.Errorf("before Keep: %q", b)
	}
	if err := s.Keep(); err != nil {
		t.Fatal(err)
	}
	put(t, s, 2)
	s.Discard() // after Keep it removes nothing
	if b, _ := os.ReadFile(name); string(b) != "xxxxx" {
		t.Errorf("after Keep: %q", b)
	}
	if fi, err := os.Stat(name); err != nil || fi.Mode().Perm() != 0o600 || list(t, dir) != "a.spl" {
		t.Errorf("%v, %v, folder %s", fi.Mode(), err, list(t, dir))
	}
}

func TestAppend(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "a.spl")
	if _, err := Append(name, Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("append to nothing: %v", err)
	}
	if err := os.WriteFile(name, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Append(name, Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.Discard()
	if s, err = Append(name, Options{Sync: SyncChunk}); err != nil {
		t.Fatal(err)
	}
	put(t, s, 4)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s.Discard()
	if b, _ := os.ReadFile(name); string(b) != "oldxxxx" {
		t.Errorf("the file holds %q", b)
	}
	if _, err := Append(dir, Options{}); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("append to a folder: %v", err)
	}
	if _, err := Append(name, Options{RotateBytes: 1}); err == nil {
		t.Error("append with rotation")
	}
	link := filepath.Join(dir, "link.spl")
	if err := os.Symlink(name, link); err != nil {
		t.Skip("symbolic links are not to be had here:", err)
	}
	if _, err := Append(link, Options{}); err == nil {
		t.Error("append followed a symbolic link")
	}
	if _, err := Create(link, Options{Replace: true}); err == nil {
		t.Error("a symbolic link was replaced")
	}
}

// TestOldStays: an old file that cannot be deleted is told once and tried again.
func TestOldStays(t *testing.T) {
	m := newModel()
	var told []string
	s, err := Create("a.spl", Options{FS: m, RotateBytes: 1, Keep: 1, Report: func(err error) { told = append(told, err.Error()) }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Discard()
	m.failed, m.always, m.fault = "remove", true, faults()[1]
	for range 3 {
		put(t, s, 1, 1)
		if _, err := s.Next(); err != nil {
			t.Fatal(err)
		}
	}
	if len(told) != 3 || len(m.names) != 4 {
		t.Errorf("told %q, %d files", told, len(m.names))
	}
	m.always, m.failed = false, ""
	delete(m.names, "a-000000.spl") // somebody else did: no fault
	if _, err := s.Next(); err != nil {
		t.Fatal(err)
	}
	if len(told) != 3 || len(m.names) != 1 {
		t.Errorf("told %q, files %v", told, m.names)
	}
}

// TestSyncPolicies counts syncs: after each unit, once a second, or never.
func TestSyncPolicies(t *testing.T) {
	tests := []struct {
		policy Sync
		want   string // synced units after each of six writes, 400 ms apart, and the end
	}{
		{SyncNone, "0 0 0 0 0 0 0"},
		{SyncInterval, "0 0 3 3 3 6 6"},
		{SyncChunk, "1 2 3 4 5 6 6"},
	}
	for _, tt := range tests {
		c := &clock{time.Unix(1000, 0)}
		s, err := Create("a.spl", Options{FS: newModel(), Now: c.Now, Sync: tt.policy})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for range 6 {
			c.now = c.now.Add(400 * time.Millisecond)
			put(t, s, 10)
			got = append(got, fmt.Sprint(s.Synced()/10))
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(s.Synced()/10))
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: %v, want %s", tt.policy, got, tt.want)
		}
		if p, err := ParseSync(tt.policy.String()); p != tt.policy || err != nil {
			t.Errorf("ParseSync(%s) = %v, %v", tt.policy, p, err)
		}
	}
	if _, err := ParseSync("always"); err == nil {
		t.Error("a policy called always")
	}
}

// TestSilence: the last unit before a silence is synced without another.
func TestSilence(t *testing.T) {
	s, err := Create("a.spl", Options{FS: newModel()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Discard()
	start := time.Now()
	put(t, s, 10)
	for s.Synced() < 10 {
		if time.Since(start) > 20*Interval {
			t.Fatal("never synced")
		}
		time.Sleep(10 * time.Millisecond)
	}
	if d := time.Since(start); d < Interval/2 {
		t.Errorf("synced after %s already", d)
	}
}

func TestStream(t *testing.T) {
	var out bytes.Buffer
	s, err := Stream(&out, Options{Sync: SyncChunk, RotateBytes: 1})
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, 2, 3)
	if s.Full(100) || len(s.Files()) > 0 {
		t.Errorf("a pipe rotates: %v", s.Files())
	}
	if err := errors.Join(s.Keep(), s.Close()); err != nil || out.Len() != 5 || s.Stored() != 5 {
		t.Errorf("%v, %d bytes, stored %d", err, out.Len(), s.Stored())
	}
	if _, err := s.Write([]byte("x")); !errors.Is(err, ErrClosed) {
		t.Errorf("write after Close: %v", err)
	}
	if s.Discard(); out.Len() != 5 {
		t.Error("Discard wrote")
	}
}

// TestReplaceRotated: a rotated session that is replaced is gone with all its files,
// once the new one is worth keeping, and not before.
func TestReplaceRotated(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a-000000.spl", "a-000007.spl", "a-1.spl", "b-000000.spl"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o := Options{RotateBytes: 100, Replace: true}
	s, err := Create(filepath.Join(dir, "a.spl"), o)
	if err != nil {
		t.Fatal(err)
	}
	s.Discard()
	if got := list(t, dir); got != "a-000000.spl a-000007.spl a-1.spl b-000000.spl" {
		t.Errorf("after Discard: %s", got)
	}
	if s, err = Create(filepath.Join(dir, "a.spl"), o); err != nil {
		t.Fatal(err)
	}
	if err := s.Keep(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := list(t, dir); got != "a-000000.spl a-1.spl b-000000.spl" {
		t.Errorf("after Close: %s", got)
	}
	if err := os.WriteFile(filepath.Join(dir, "a-000003.spl.part"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err = Create(filepath.Join(dir, "a.spl"), o); err == nil || !strings.Contains(err.Error(), "a-000003.spl.part: left by a run that was killed") {
		t.Errorf("beside a file that is not complete: %v", err)
	}
}
