package tap

import (
	"strings"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/content"
)

// AnomalyCoded: the messages inside a body are under a content coding that could not
// be removed, or not to the end, so they are not told apart.
const AnomalyCoded decode.AnomalyKind = "inner-coded"

// coded removes the content codings of a body before another tap reads it.
type coded struct {
	tap     Tap
	codings string
	stream  *content.Stream // nil when no more of the body can be decoded
	why     string          // that is
	at      decode.At       // of the last chunk
	start   int64
}

// decodedBy returns t for a body under codings.
func decodedBy(t Tap, codings []string) Tap {
	under := false
	for _, c := range codings {
		under = under || !strings.EqualFold(c, "identity")
	}
	if !under {
		return t
	}
	c := &coded{tap: t, codings: strings.Join(codings, ", ")}
	if c.stream = content.NewStream(codings); c.stream == nil {
		c.why = "is not known"
	}
	return c
}

func (c *coded) Append(dst []decode.Message, ch decode.Chunk) []decode.Message {
	if c.stream == nil {
		return dst
	}
	c.at, c.start = ch.At, ch.Start
	c.stream.Write(ch.Data, func(p []byte) {
		ch.Data = p
		dst = c.tap.Append(dst, ch)
	})
	if kind := c.stream.Err(); kind != "" {
		dst = c.fail(dst, "could not be removed to the end: "+string(kind))
	}
	return dst
}

// fail ends the decoding: what follows cannot be known.
func (c *coded) fail(dst []decode.Message, why string) []decode.Message {
	c.stream.Stop()
	c.stream, c.why = nil, why
	return dst
}

// Gap loses all that follows: a coding refers to what came before.
func (c *coded) Gap(dst []decode.Message, g decode.Gap) []decode.Message {
	if c.stream == nil || g.Known && g.Len == 0 {
		return dst
	}
	dst = c.fail(dst, "cannot be removed behind a gap")
	return c.tap.Gap(dst, decode.Gap{Dir: g.Dir, At: g.At})
}

func (c *coded) End(dst []decode.Message, m *decode.Message, at decode.At) ([]decode.Message, []decode.Anomaly) {
	if c.stream != nil {
		kind := c.stream.End(func(p []byte) {
			dst = c.tap.Append(dst, decode.Chunk{Dir: m.Dir, At: c.at, Start: c.start, Data: p})
		})
		c.stream = nil
		// A body that is cut short leaves its coding so; that is told of the body.
		if kind != "" && (kind != content.ErrTruncated || m.Flags&(decode.Incomplete|decode.Gapped) == 0) {
			c.why = "could not be removed to the end: " + string(kind)
		}
	}
	dst, odd := c.tap.End(dst, m, at)
	if c.why != "" {
		name := c.codings[:min(len(c.codings), 32)]
		odd = append(odd, decode.Anomaly{Kind: AnomalyCoded, Dir: m.Dir, Detail: "content coding " + name + " " + c.why})
	}
	return dst, odd
}

func (c *coded) Kept() int {
	n := c.tap.Kept()
	if c.stream != nil {
		n += c.stream.Kept()
	}
	return n
}

// Shed ends the decoding, as its window is most of what is held.
func (c *coded) Shed() {
	if c.stream != nil {
		c.stream.Stop()
		c.stream, c.why = nil, "was given up: too many bodies were open at once"
	}
	c.tap.Shed()
}
