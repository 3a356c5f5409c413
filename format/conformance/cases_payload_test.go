package conformance

import "strings"

// What the payloads of 1.0 can hold: FORMAT.md section 7.
func payloadCases() []testCase {
	return []testCase{
		{"all-fields", "every event type that 1.0 knows with every field", plainAndFooter(), allFields},
		{"all-zero", "every event type with the least that it may hold", plainAndFooter(), allZero},
		{"odd-text", "text that is not UTF-8, empty items, IPv6 with a zone, IPv4 in IPv6, numbers at their limits", plainAndFooter(), oddText},
		{"long-texts", "lists and texts about as long as a payload may be", onlyPlain(), longTexts},
		{"malformed", "payloads that their type does not allow; the events are there all the same", onlyPlain(), malformed},
	}
}

func allFields(v variant) outcome { return whole(single(v, allFieldsEvents()...)) }

func allFieldsEvents() []event {
	e := at(4, typeConn, list(number(1, "pid", 101), number(2, "ssl", 0x7f00_dead_beef), number(3, "generation", 2), number(4, "cookie", 1<<63), number(5, "role", 2),
		yes(6, "mid_stream"), address(7, "local", "10.0.0.1:40000"), address(8, "remote", "[2001:db8::1]:443"), text(9, "alpn", "h2"), number(10, "conflicts", 3), number(11, "start", 77)))
	e.conn, e.tid, e.cpu, e.probe = 1, 102, 65535, 255
	d := data(6, read, 1<<40, "bytes")
	d.tid, d.cpu, d.probe, d.dur = 4294967295, 65535, 255, 4294967295
	return []event{
		at(1, typeProbe, list(number(1, "id", 255), text(2, "library", "openssl"), text(3, "path", "/lib/libssl.so"), text(4, "build_id", "a9394c73"), item(5, "site", "SSL_read+0: symbol"), item(5, "site", "SSL_write+4: x"))),
		at(2, typeProc, list(number(1, "pid", 101), number(2, "ppid", 1), number(3, "uid", 1000), number(4, "start", 77), text(5, "comm", "curl"), text(6, "exe", "/usr/bin/curl"),
			item(7, "arg", "curl"), item(7, "arg", "-v"), text(8, "cgroup", "/user.slice"), item(9, "ancestor", "1 5 systemd"), item(9, "ancestor", "0 0 a b"),
			number(10, "origin", 3), number(11, "cgroup_id", 1<<40), yes(12, "args_cut"), yes(13, "context"))),
		at(3, typeClock, clock(-5, 1<<63)), e,
		at(5, typeHandshake, handshake(true, 123456789)).of(1), d,
		at(7, typeDrop, drop(7, 1<<63, 1<<62, 1<<61)).of(1),
		at(8, typeConnEnd, connEnd(3, true, 1<<40, 1<<41, 5, 6).byCause([3]uint64{1, 2, 3}, [3]uint64{4, 5, 1 << 63})).of(1),
		at(9, typeProcEnd, procEnd(101).exited(77, 99, 256)),
		unwatched(10),
		at(11, typeEnd, list(text(1, "reason", "rotated"), number(2, "events", 11), number(3, "bytes", 5), number(4, "lost_events", 1<<63), number(5, "lost_bytes", 1<<62), number(6, "next", 1),
			row(7, "cause", 1, 2, 3), row(7, "cause", 255, 1<<63, 0), row(8, "cpu", 0, 1, 2, 3, 4), row(8, "cpu", 1<<63, 0, 0, 0, 0), row(9, "local", 1, 2, 3))),
	}
}

func unwatched(n uint64) event {
	return at(n, typeUnwatched, list(text(1, "library", "rustls"), text(2, "path", "/usr/bin/a"), text(3, "build_id", "00ff"), text(4, "reason", "seen, not supported")))
}

func allZero(v variant) outcome {
	o := plainOptions()
	o.session = list()
	s := newSection(v, o)
	s.chunk([]event{started(o), at(1, typeProbe, list()), at(2, typeProc, list()), at(3, typeConn, list()).of(1), {typ: typeData, seq: 4},
		at(5, typeHandshake, handshake(false, 0)), at(6, typeDrop, drop(0, 0, 0, 0)), at(7, typeClock, clock(0, 0)),
		at(8, typeConnEnd, connEnd(0, false, 0, 0, 0, 0)), at(9, typeProcEnd, procEnd(0)), at(10, typeUnwatched, list()), at(11, typeEnd, list())})
	return whole(s.close())
}

func oddText(v variant) outcome {
	o := plainOptions()
	o.session = list(text(2, "host", "h\xc3\xb6st"), item(5, "command", ""), item(5, "command", "\xff\xfe"), item(5, "command", "…"), signed(8, "wall", -1), signed(10, "utc_offset", -2147483648))
	s := newSection(v, o)
	c := func(n uint64, local, remote string) event {
		return at(n, typeConn, list(number(1, "pid", 4294967295), address(7, "local", local), address(8, "remote", remote))).of(uint32(n))
	}
	s.chunk([]event{started(o), at(1, typeProc, list(number(1, "pid", 4294967295), text(5, "comm", "a\x00b\n"), text(6, "exe", "/\xe9"), item(7, "arg", ""), item(7, "arg", "'\"\\"))),
		c(2, "[fe80::1%eth0]:1", "[::ffff:192.0.2.1]:65535"), c(3, "0.0.0.0:0", "[::]:0"),
		data(4, written, 0, "caf\xc3\xa9").of(2), data(5, written, 5, "\x00\x01\xff").of(2), data(6, written, 8, "a\x7fb").of(2)})
	return whole(s.close())
}

func longTexts(v variant) outcome {
	fs := []field{number(1, "pid", 101)}
	for range 200 {
		fs = append(fs, item(7, "arg", "--option=value"))
	}
	fs = append(fs, text(8, "cgroup", strings.Repeat("/slice", 1000)))
	b := list(fs...)
	padding := 49_152 - len(b.raw) - 8
	return whole(single(v, at(1, typeProc, b.with(unknown(0x9000, strings.Repeat(".", padding))))))
}

func malformed(v variant) outcome {
	must := unknown(99, "?")
	must.flags = 1
	big := number(1, "", 1<<32)
	short := unknown(1, "1234")
	cut := list(number(1, "pid", 101), text(5, "comm", "curl")).raw
	le.PutUint32(cut[4:], 5000)
	bodies := []struct {
		typ uint8
		raw []byte
	}{
		{typeConn, list(number(3, "", 1), must).raw},                         // an element that must be understood
		{typeConn, list(big).raw},                                            // a PID of 33 bits
		{typeConn, list(short).raw},                                          // half a number
		{typeConn, list(unknown(7, "\x01\x00\x05\x00123456789abcdef0")).raw}, // family 5
		{typeConn, list(unknown(8, "\x01\x00\x06\x00too short")).raw},        // an address cut short
		{typeProc, cut},                                               // an element longer than its list
		{typeProbe, []byte{1, 0, 0}},                                  // less than an element
		{typeProc, list(item(9, "", "1 2")).raw},                      // an ancestor without a name
		{typeProc, list(item(9, "", "01 2 a")).raw},                   // a number written in another way
		{typeUnwatched, []byte{1, 0, 0}},                              // less than an element
		{typeEnd, list(row(7, "", 1, 2)).raw},                         // two numbers of three
		{typeEnd, list(row(7, "", 256, 2, 3)).raw},                    // a cause of 9 bits
		{typeEnd, list(number(6, "", 1<<40)).raw},                     // a file_no of 41 bits
		{typeConnEnd, make([]byte, 39)}, {typeDrop, make([]byte, 31)}, // fixed payloads cut short
		{typeClock, make([]byte, 15)}, {typeProcEnd, make([]byte, 7)}, {typeHandshake, nil},
	}
	var evs []event
	for i, b := range bodies {
		evs = append(evs, at(uint64(i+1), b.typ, bad(b.raw)))
	}
	return whole(single(v, append(evs, at(uint64(len(bodies)+1), typeTick, body{}))...))
}
