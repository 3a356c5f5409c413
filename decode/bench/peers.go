package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// The peers read each direction whole, from memory that lies in one piece, and
// one connection after the other: that is easier than what is asked of ours.

// netHTTP reads HTTP/1.1 as a Go program would.
func (s *suite) netHTTP() error {
	n := 0
	creader, sreader := bufio.NewReaderSize(nil, 16<<10), bufio.NewReaderSize(nil, 16<<10)
	for _, c := range s.corpus.conns {
		creader.Reset(bytes.NewReader(c.c2s))
		sreader.Reset(bytes.NewReader(c.s2c))
		for {
			req, err := http.ReadRequest(creader)
			if err == io.EOF {
				break
			}
			if err != nil {
				return err
			}
			resp, err := http.ReadResponse(sreader, req)
			if err != nil {
				return err
			}
			if _, err := io.Copy(io.Discard, resp.Body); err != nil {
				return err
			}
			if resp.StatusCode != 200 || len(req.Header) < 8 {
				return fmt.Errorf("exchange %d is not whole", n)
			}
			n++
		}
	}
	return s.all(n)
}

// framer reads HTTP/2 frames and their fields as a Go program would. It joins no
// messages: that would be for whoever uses it.
func (s *suite) framer() error {
	n := 0
	for _, c := range s.corpus.conns {
		requests, err := readFrames(bytes.TrimPrefix(c.c2s, []byte(http2.ClientPreface)))
		if err != nil {
			return err
		}
		responses, err := readFrames(c.s2c)
		if err != nil {
			return err
		}
		n += min(requests, responses)
	}
	return s.all(n)
}

// readFrames returns how many field sections there are.
func readFrames(p []byte) (n int, err error) {
	f := http2.NewFramer(nil, bytes.NewReader(p))
	f.SetReuseFrames()
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	for {
		frame, err := f.ReadFrame()
		switch {
		case err == io.EOF:
			return n, nil
		case err != nil:
			return n, err
		}
		if m, ok := frame.(*http2.MetaHeadersFrame); ok {
			if len(m.Fields) < 8 {
				return n, fmt.Errorf("section %d is not whole", n)
			}
			n++
		}
	}
}
