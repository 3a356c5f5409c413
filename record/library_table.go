package record

// libraries is the table of libraries: every fact about one that the programs of
// package bpf need. Order matters only for people.
func libraries() []*library {
	return []*library{&openSSL, &gnuTLS, &nss, &nspr, &wolfSSL, &mbedTLS}
}

// openSSL serves 1.0.2 to 3.x, and programs that export a static one. SSL_peek has
// an internal function of its own, so what it returns is not counted; the
// early-data functions call SSL_do_handshake, SSL_read_ex and SSL_write_ex.
var openSSL = library{
	kind: "openssl", title: "OpenSSL",
	files: []string{"libssl.so.3", "libssl.so.3.*", "libssl-*.so.3", "libssl.so.1.1", "libssl.so.1.1.*", "libssl.so.1.0.*", "libssl.so.10", "libssl-*.so.1.1"},
	functions: []function{
		{name: "SSL_read", what: whatRead, need: true, inner: true, forms: []form{{"SSL_read_ex", howArg4}}},
		// 3.3 put a flags argument before the length.
		{name: "SSL_write", what: whatWrite, need: true, inner: true, forms: []form{{"SSL_write_ex2", howArg5}, {"SSL_write_ex", howArg4}}},
		{name: "SSL_sendfile", what: whatWrite, how: howBlind},
		{name: "SSL_do_handshake", what: whatHandshake, need: true, inner: true},
		{name: "SSL_write_early_data", what: whatHandshake, how: howEarly},
		{name: "SSL_read_early_data", what: whatHandshake, how: howEarly},
		{name: "SSL_get0_alpn_selected", what: whatALPN, how: howPtrU32},
		{name: "SSL_new", what: whatNew, how: howSession},
		{name: "SSL_free", what: whatFree},
		{name: "SSL_clear", what: whatClear},
		{name: "SSL_up_ref", what: whatUpRef},
		{name: "SSL_shutdown", what: whatShutdown},
		{name: "SSL_set_accept_state", what: whatServer},
		{name: "SSL_set_connect_state", what: whatClient},
	},
}

// gnuTLS: gnutls_record_send calls gnutls_record_send2, and so does sending what
// was corked, which had been counted when it was given: uncork shields it.
var gnuTLS = library{
	kind: "gnutls", title: "GnuTLS",
	files: []string{"libgnutls.so.30", "libgnutls.so.30.*", "libgnutls.so.28", "libgnutls.so.28.*"},
	functions: []function{
		{name: "gnutls_record_recv", what: whatRead, need: true},
		{name: "gnutls_record_recv_seq", what: whatRead},
		{name: "gnutls_record_recv_packet", what: whatRead, how: howBlind},
		{name: "gnutls_record_recv_early_data", what: whatRead},
		{name: "gnutls_record_send", what: whatWrite, need: true, unless: "gnutls_record_send2"},
		{name: "gnutls_record_send2", what: whatWrite},
		{name: "gnutls_record_send_range", what: whatWrite},
		{name: "gnutls_record_send_early_data", what: whatWrite, how: howCount},
		{name: "gnutls_record_uncork", what: whatWrite, how: howNone},
		{name: "gnutls_handshake", what: whatHandshake, flags: flagZero, need: true},
		{name: "gnutls_alpn_get_selected_protocol", what: whatALPN, how: howDatum},
		{name: "gnutls_init", what: whatNew, how: howOutFlags},
		{name: "gnutls_deinit", what: whatFree},
		{name: "gnutls_bye", what: whatShutdown},
	},
}

// nss and nspr: TLS is a layer on NSPR's descriptors. The functions that move
// bytes serve plain files and sockets too, so only those descriptors count that
// a function of NSS made or was used on.
var nss = library{
	kind: "nss", title: "NSS",
	files: []string{"libssl3.so"},
	functions: []function{
		{name: "SSL_ImportFD", what: whatNew, how: howSession, need: true},
		{name: "SSL_ForceHandshake", what: whatHandshake, flags: flagZero, need: true},
		{name: "SSL_GetNextProto", what: whatALPN, how: howCopied},
		{name: "SSL_ResetHandshake", what: whatRole},
		{name: "SSL_GetChannelInfo", what: whatSeen},
		{name: "SSL_SecurityStatus", what: whatSeen},
		{name: "SSL_DataPending", what: whatSeen},
	},
}

var nspr = library{
	kind: "nss", title: "NSS",
	files: []string{"libnspr4.so"},
	functions: []function{
		{name: "PR_Read", what: whatRead, flags: flagKnown, need: true},
		{name: "PR_Recv", what: whatRead, flags: flagKnown, need: true},
		{name: "PR_Write", what: whatWrite, flags: flagKnown, need: true},
		{name: "PR_Send", what: whatWrite, flags: flagKnown, need: true},
		{name: "PR_Writev", what: whatWrite, how: howBlind, flags: flagKnown},
		{name: "PR_TransmitFile", what: whatWrite, how: howBlind, flags: flagKnown},
		{name: "PR_Shutdown", what: whatShutdown},
		{name: "PR_Close", what: whatFree},
	},
}

// wolfSSL: its other handshake functions call these two. wolfSSL_peek shares no
// function with wolfSSL_read that is watched.
var wolfSSL = library{
	kind: "wolfssl", title: "wolfSSL",
	files: []string{"libwolfssl.so", "libwolfssl.so.*"},
	functions: []function{
		{name: "wolfSSL_read", what: whatRead, need: true},
		{name: "wolfSSL_recv", what: whatRead},
		{name: "wolfSSL_read_early_data", what: whatRead},
		{name: "wolfSSL_write", what: whatWrite, need: true},
		{name: "wolfSSL_write_early_data", what: whatWrite},
		{name: "wolfSSL_connect", what: whatHandshake, how: howConnect},
		{name: "wolfSSL_accept", what: whatHandshake, how: howAccept},
		{name: "wolfSSL_connect_TLSv13", what: whatHandshake, how: howConnect},
		{name: "wolfSSL_accept_TLSv13", what: whatHandshake, how: howAccept},
		{name: "wolfSSL_ALPN_GetProtocol", what: whatALPN, how: howPtrU16},
		{name: "wolfSSL_get0_alpn_selected", what: whatALPN, how: howPtrU32},
		{name: "wolfSSL_new", what: whatNew, how: howSession},
		{name: "wolfSSL_free", what: whatFree},
		{name: "wolfSSL_clear", what: whatClear},
		{name: "wolfSSL_up_ref", what: whatUpRef},
		{name: "wolfSSL_shutdown", what: whatShutdown},
		{name: "wolfSSL_set_accept_state", what: whatServer},
		{name: "wolfSSL_set_connect_state", what: whatClient},
	},
}

// mbedTLS keeps sessions in memory of the program, which it makes ready and
// clears, but neither allocates nor frees.
var mbedTLS = library{
	kind: "mbedtls", title: "Mbed TLS",
	files: []string{"libmbedtls.so", "libmbedtls.so.*"},
	functions: []function{
		{name: "mbedtls_ssl_read", what: whatRead, need: true},
		{name: "mbedtls_ssl_read_early_data", what: whatRead},
		{name: "mbedtls_ssl_write", what: whatWrite, need: true},
		{name: "mbedtls_ssl_write_early_data", what: whatWrite},
		{name: "mbedtls_ssl_handshake", what: whatHandshake, flags: flagZero, need: true},
		{name: "mbedtls_ssl_get_alpn_protocol", what: whatALPN, how: howString},
		{name: "mbedtls_ssl_init", what: whatInit},
		{name: "mbedtls_ssl_free", what: whatFree},
		{name: "mbedtls_ssl_session_reset", what: whatClear},
		{name: "mbedtls_ssl_close_notify", what: whatShutdown},
	},
}
