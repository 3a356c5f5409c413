/* .NET Core 3.1 knows no OpenSSL 3: it asks for three functions that have other names
 * there. A library with these, linked to the real one, gives it all that it asks for. */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#undef EVP_MD_size
#undef SSL_get_peer_certificate
#undef ERR_put_error

int EVP_MD_size(const EVP_MD *md)
{
	return EVP_MD_get_size(md);
}

X509 *SSL_get_peer_certificate(const SSL *s)
{
	return SSL_get1_peer_certificate(s);
}

void ERR_put_error(int lib, int func, int reason, const char *file, int line)
{
	(void)func;
	ERR_new();
	ERR_set_debug(file, line, "");
	ERR_set_error(lib, reason, 0);
}
