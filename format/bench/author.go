package main

import (
	"math/rand/v2"
	"strconv"
)

// author writes the bytes of messages. What it writes depends on its random
// numbers alone, so a seed names a text for ever.
type author struct {
	rng   *rand.Rand
	words []string
}

// vocabulary is how many words an author knows.
const vocabulary = 3000

func newAuthor(rng *rand.Rand) *author {
	a := &author{rng: rng, words: make([]string, vocabulary)}
	syllables := []string{"an", "ber", "con", "der", "el", "fi", "gra", "ho", "in", "ju", "ka", "lo", "men", "no",
		"or", "per", "qui", "re", "sta", "ti", "un", "ver", "wa", "xe", "ya", "zo", "ch", "st", "ou", "ie", "s", "t"}
	for i := range a.words {
		var w []byte
		// Frequent words are short.
		for n := 1 + a.rng.IntN(1+min(i/40+1, 4)); n >= 0; n-- {
			w = append(w, syllables[a.rng.IntN(len(syllables))]...)
		}
		a.words[i] = string(w)
	}
	return a
}

// word returns a word; the first of the vocabulary are by far the most frequent.
func (a *author) word() string {
	u := a.rng.Float64()
	return a.words[int(u*u*u*vocabulary)]
}

func (a *author) sentence(dst []byte, n int) []byte {
	for i := range n {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = append(dst, a.word()...)
	}
	return dst
}

// hex appends n hexadecimal digits: identifiers, which hardly compress.
func (a *author) hex(dst []byte, n int) []byte {
	var bits uint64
	for i := range n {
		if i%16 == 0 {
			bits = a.rng.Uint64()
		}
		dst = append(dst, "0123456789abcdef"[bits&15])
		bits >>= 4
	}
	return dst
}

func (a *author) number(dst []byte, below int) []byte {
	return strconv.AppendInt(dst, int64(a.rng.IntN(below)), 10)
}

// stamp appends a time of day of one month.
func (a *author) stamp(dst []byte) []byte {
	dst = append(dst, "2026-03-"...)
	dst = a.number(dst, 28)
	dst = append(dst, 'T')
	dst = a.number(dst, 24)
	dst = append(dst, ':')
	dst = a.number(dst, 60)
	dst = append(dst, ':')
	dst = a.number(dst, 60)
	dst = append(dst, '.')
	dst = a.number(dst, 1000)
	return append(dst, 'Z')
}

// json appends an answer of an API, of at least size bytes: a list of objects
// whose keys repeat and whose values mostly don't.
func (a *author) json(dst []byte, size int) []byte {
	end := len(dst) + size
	dst = append(dst, `{"items":[`...)
	for first := true; len(dst) < end; first = false {
		if !first {
			dst = append(dst, ',')
		}
		switch a.rng.IntN(3) {
		case 0:
			dst = a.order(dst)
		case 1:
			dst = a.person(dst)
		default:
			dst = a.trace(dst)
		}
	}
	dst = append(dst, `],"next":"`...)
	dst = a.hex(dst, 24)
	return append(dst, `","more":true}`...)
}

func (a *author) order(dst []byte) []byte {
	dst = append(dst, `{"order_id":"`...)
	dst = a.hex(dst, 16)
	dst = append(dst, `","placed_at":"`...)
	dst = a.stamp(dst)
	dst = append(dst, `","state":"`...)
	dst = append(dst, a.words[a.rng.IntN(8)]...)
	dst = append(dst, `","total":`...)
	dst = a.number(dst, 100_000)
	dst = append(dst, `,"lines":[{"sku":"`...)
	dst = a.hex(dst, 8)
	dst = append(dst, `","quantity":`...)
	dst = a.number(dst, 9)
	dst = append(dst, `,"title":"`...)
	dst = a.sentence(dst, 4)
	return append(dst, `"}],"currency":"EUR","gift":false}`...)
}

func (a *author) person(dst []byte) []byte {
	dst = append(dst, `{"id":`...)
	dst = a.number(dst, 10_000_000)
	dst = append(dst, `,"login":"`...)
	dst = append(dst, a.word()...)
	dst = append(dst, `","avatar_url":"https://images.example.net/u/`...)
	dst = a.hex(dst, 20)
	dst = append(dst, `","admin":false,"created":"`...)
	dst = a.stamp(dst)
	dst = append(dst, `","about":"`...)
	dst = a.sentence(dst, 6+a.rng.IntN(20))
	return append(dst, `","company":null}`...)
}

func (a *author) trace(dst []byte) []byte {
	dst = append(dst, `{"trace":"`...)
	dst = a.hex(dst, 32)
	dst = append(dst, `","span":"`...)
	dst = a.hex(dst, 16)
	dst = append(dst, `","service":"`...)
	dst = append(dst, a.words[a.rng.IntN(40)]...)
	dst = append(dst, `","duration_ms":`...)
	dst = a.number(dst, 5000)
	dst = append(dst, '.')
	dst = a.number(dst, 1000)
	dst = append(dst, `,"level":"info","message":"`...)
	dst = a.sentence(dst, 3+a.rng.IntN(8))
	return append(dst, `"}`...)
}

// page appends text with markup, of at least size bytes.
func (a *author) page(dst []byte, size int) []byte {
	end := len(dst) + size
	dst = append(dst, "<!doctype html>\n<html lang=\"en\">\n<body>\n"...)
	for len(dst) < end {
		switch a.rng.IntN(6) {
		case 0:
			dst = append(dst, "<li class=\"nav-item\"><a class=\"nav-link\" href=\"/"...)
			dst = append(dst, a.word()...)
			dst = append(dst, '/')
			dst = a.number(dst, 100_000)
			dst = append(dst, "\">"...)
			dst = a.sentence(dst, 2)
			dst = append(dst, "</a></li>\n"...)
		case 1:
			dst = append(dst, "<div class=\"card mb-3\" data-id=\""...)
			dst = a.hex(dst, 10)
			dst = append(dst, "\"><h2 class=\"card-title\">"...)
			dst = a.sentence(dst, 5)
			dst = append(dst, "</h2></div>\n"...)
		case 2:
			dst = append(dst, "<img loading=\"lazy\" alt=\"\" width=\"320\" height=\"240\" src=\"/static/"...)
			dst = a.hex(dst, 16)
			dst = append(dst, ".webp\">\n"...)
		default:
			dst = append(dst, "<p>"...)
			dst = a.sentence(dst, 12+a.rng.IntN(40))
			dst = append(dst, ".</p>\n"...)
		}
	}
	return append(dst, "</body>\n</html>\n"...)
}

// noise appends size bytes that do not compress, as pictures and what a server
// has compressed do not.
func (a *author) noise(dst []byte, size int) []byte {
	for range (size + 7) / 8 {
		v := a.rng.Uint64()
		dst = append(dst, byte(v), byte(v>>8), byte(v>>16), byte(v>>24), byte(v>>32), byte(v>>40), byte(v>>48), byte(v>>56))
	}
	return dst
}

// request appends a request without body.
func (a *author) request(dst []byte, host uint32) []byte {
	dst = append(dst, "GET /v2/"...)
	dst = append(dst, a.word()...)
	dst = append(dst, '/')
	dst = a.hex(dst, 12)
	dst = append(dst, "?per_page="...)
	dst = a.number(dst, 100)
	dst = append(dst, " HTTP/1.1\r\nHost: service-"...)
	dst = strconv.AppendUint(dst, uint64(host), 10)
	dst = append(dst, ".example.net\r\nUser-Agent: python-requests/2.32.3\r\nAccept: */*\r\nAccept-Encoding: gzip, br\r\nAuthorization: Bearer "...)
	dst = a.hex(dst, 80)
	dst = append(dst, "\r\nCookie: session="...)
	dst = a.hex(dst, 32)
	dst = append(dst, "\r\nTraceparent: 00-"...)
	dst = a.hex(dst, 32)
	dst = append(dst, '-')
	dst = a.hex(dst, 16)
	return append(dst, "-01\r\nConnection: keep-alive\r\n\r\n"...)
}

// response appends the head of a response with size bytes of body.
func (a *author) response(dst []byte, media string, size int) []byte {
	dst = append(dst, "HTTP/1.1 200 OK\r\nDate: Mon, 02 Mar 2026 "...)
	dst = a.number(dst, 24)
	dst = append(dst, ":15:00 GMT\r\nServer: nginx\r\nContent-Type: "...)
	dst = append(dst, media...)
	dst = append(dst, "\r\nContent-Length: "...)
	dst = strconv.AppendInt(dst, int64(size), 10)
	dst = append(dst, "\r\nETag: \""...)
	dst = a.hex(dst, 20)
	dst = append(dst, "\"\r\nCache-Control: private, max-age=0\r\nVary: Accept-Encoding\r\nX-Request-Id: "...)
	dst = a.hex(dst, 32)
	return append(dst, "\r\nConnection: keep-alive\r\n\r\n"...)
}
