module github.com/NoFear0411/spliff/decode/bench

go 1.26.0

require (
	github.com/NoFear0411/spliff v0.0.0
	golang.org/x/net v0.62.0
)

require (
	github.com/andybalholm/brotli v1.2.8 // indirect
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/gabriel-vasile/mimetype v1.4.16 // indirect
	github.com/klauspost/compress v1.20.3 // indirect
	golang.org/x/text v0.43.0 // indirect
)

replace github.com/NoFear0411/spliff => ../..
