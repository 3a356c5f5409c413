package conn

import (
	"fmt"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/decodetest"
)

// zeekRow is a line of Zeek's http.log by column; "-" is not set.
type zeekRow map[string]string

// readZeekLog reads a log, its columns named by #fields or by the first line.
func readZeekLog(text string) []zeekRow {
	var names []string
	var out []zeekRow
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "#fields\t"):
			names = strings.Split(line, "\t")[1:]
		case strings.HasPrefix(line, "#"):
		case names == nil:
			names = strings.Split(line, "\t")
		default:
			row := make(zeekRow)
			for i, v := range strings.Split(line, "\t") {
				if i < len(names) {
					row[names[i]] = v
				}
			}
			out = append(out, row)
		}
	}
	return out
}

// asZeek puts an exchange in the columns of http.log that tell of HTTP. The
// version is the response's if there is one, as it is there.
func asZeek(x exchange) zeekRow {
	row := zeekRow{"method": "-", "host": "-", "uri": "-", "user_agent": "-", "version": "-", "status_code": "-", "status_msg": "-"}
	if m := x.req; m != nil {
		row["method"], row["uri"] = m.Method, m.Target
		_, row["version"], _ = strings.Cut(m.Proto, "/")
		row["request_body_len"] = fmt.Sprint(bodyLen(m))
		for _, f := range m.Header {
			switch strings.ToLower(f.Name) {
			case "host":
				row["host"] = f.Value
			case "user-agent":
				row["user_agent"] = f.Value
			}
		}
	}
	if m := x.resp; m != nil {
		row["status_code"], row["status_msg"] = fmt.Sprint(m.Status), m.Reason
		_, row["version"], _ = strings.Cut(m.Proto, "/")
		row["response_body_len"] = fmt.Sprint(bodyLen(m))
	}
	return row
}

// differs returns in what an exchange is other than a row: nothing, where the
// two only write it in different ways.
func (r zeekRow) differs(x exchange) []string {
	var out []string
	for k, got := range asZeek(x) {
		want, ok := r[k]
		switch {
		case !ok || want == got || got == "" && strings.Contains("- (empty) <empty>", want):
		case k == "version" && want == "-": // not set without a response
		case k == "host" && strings.HasPrefix(got, want+":"): // older logs leave the port out
		default:
			out = append(out, fmt.Sprintf("%s %q, want %q", k, got, want))
		}
	}
	sort.Strings(out)
	return out
}

// bodyLen is the length that was seen, without content codings.
func bodyLen(m *decode.Message) uint64 {
	if len(m.Body.Codings) > 0 && m.Body.Content != nil {
		return uint64(len(m.Body.Content))
	}
	return m.Body.Size - m.Body.Lost
}

// TestCorpusZeek compares with the http.log that Zeek writes of the same
// captures: every row must be an exchange here, with the same facts.
func TestCorpusZeek(t *testing.T) {
	l := decodetest.NewLedger(t, "zeek")
	root := decodetest.Corpus(t, "zeek", "expected")
	logs := decodetest.Files(t, root, "")
	captures(t, "zeek", func(c *capture) {
		l.Case()
		base := strings.TrimSuffix(filepath.Base(c.name), ".gz")
		for _, file := range logs {
			if !strings.Contains(file, "/"+base+"/") || !strings.HasPrefix(filepath.Base(file), "http.log") {
				continue
			}
			compareZeek(l, base, readZeekLog(string(decodetest.Bytes(t, file))), c.exchanges)
			return // of several logs of one capture the first
		}
	})
	l.Close(57)
}

// compareZeek gives each row the exchange that is like it, and each that is
// left the one that is least unlike.
func compareZeek(l *decodetest.Ledger, name string, rows []zeekRow, have []exchange) {
	used, found := make([]bool, len(have)), make([]bool, len(rows))
	for n, row := range rows {
		for i := range have {
			if !used[i] && len(row.differs(have[i])) == 0 {
				used[i], found[n] = true, true
				break
			}
		}
	}
	for n, row := range rows {
		diff := []string{"no exchange is left"}
		best := -1
		for i := range have {
			if d := row.differs(have[i]); !found[n] && !used[i] && (best < 0 || len(d) < len(diff)) {
				best, diff = i, d
			}
		}
		if best >= 0 {
			used[best] = true
		}
		l.Expect(fmt.Sprintf("%s row %d", name, n+1), found[n], "%s %s: %s", row["method"], row["uri"], strings.Join(diff, "; "))
	}
}
