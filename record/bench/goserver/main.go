package main

import (
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
)

func main() {
	root := flag.String("root", ".", "the folder to serve")
	cert := flag.String("cert", "cert.pem", "its certificate")
	key := flag.String("key", "key.pem", "the certificate's key")
	flag.Parse()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		fmt.Printf("https://%s\n", l.Addr())
		err = http.ServeTLS(l, http.FileServer(http.Dir(*root)), *cert, *key)
	}
	fmt.Fprintln(os.Stderr, "goserver:", err)
	os.Exit(1)
}
