package main

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// The shape of the traffic, whoever makes it: what a browser sends for small JSON
// documents, which is about 2 KB an exchange in HTTP/1.1.
const (
	// shapeVersion is part of the corpus's name. It grows when anything here does.
	shapeVersion = 1
	seed         = 20260302
	connections  = 50
	inFlight     = 10 // HTTP/2 streams of a connection at a time
	documents    = 400
	paths        = 4000
	bodyMu       = 6.6 // of the log-normal distribution of sizes: a mean of about 1 KB
	bodySigma    = 0.8
	bodyMax      = 16 << 10
)

// requestFields are the same for each request of a browser; h2load adds its host.
func requestFields() [][2]string {
	return [][2]string{
		{"user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"},
		{"accept", "application/json, text/plain, */*"},
		{"accept-language", "en-GB,en;q=0.7,de;q=0.3"},
		{"accept-encoding", "gzip, deflate, br, zstd"},
		{"referer", "https://shop.example/catalogue/spring?sort=price"},
		{"cookie", "session=6f1ed002ab5595859014ebf0951522d9; theme=dark; consent=2026-01-12"},
		{"sec-fetch-dest", "empty"},
		{"sec-fetch-mode", "cors"},
		{"sec-fetch-site", "same-origin"},
	}
}

// responseFields are what the server adds to those of nginx.
func responseFields() [][2]string {
	return [][2]string{
		{"cache-control", "private, max-age=60"},
		{"vary", "accept-encoding, cookie"},
		{"x-frame-options", "SAMEORIGIN"},
		{"strict-transport-security", "max-age=31536000; includeSubDomains"},
	}
}

// site makes the documents and the paths asked for, always the same.
func site() (docs [][]byte, targets []string) {
	rng := rand.New(rand.NewPCG(seed, 1))
	for i := range documents {
		size := min(int(math.Exp(rng.NormFloat64()*bodySigma+bodyMu)), bodyMax)
		doc := fmt.Appendf(nil, `{"id":%d,"items":[`, i)
		for k := 0; len(doc) < size-2; k++ {
			if k > 0 {
				doc = append(doc, ',')
			}
			doc = fmt.Appendf(doc, `{"sku":"%08x","price":%d.%02d,"stock":%d}`, rng.Uint32(), rng.IntN(500), rng.IntN(100), rng.IntN(90))
		}
		docs = append(docs, append(doc, ']', '}'))
	}
	for i := range paths {
		targets = append(targets, fmt.Sprintf("/api/v1/items/%d.json?page=%d&trace=%016x", rng.IntN(documents), i%40, rng.Uint64()))
	}
	return docs, targets
}
