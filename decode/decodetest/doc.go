// Package decodetest plays test input through the decoders: it finds the
// shared corpus, reads its cases, and cuts byte streams into chunks.
//
// It is imported by tests only, as net/http/httptest is. That is why it may do
// what no decoder may: open files. It knows nothing of any protocol and judges
// nothing: what must come out of a decoder is said by that decoder's own tests.
// It knows no session file and no engine either.
package decodetest
