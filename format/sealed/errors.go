package sealed

import "errors"

// Errors a caller may branch on. All are returned wrapped with detail; use
// [errors.Is].
var (
	// ErrNoIdentity: the file is encrypted and no identity was given.
	ErrNoIdentity = errors.New("encrypted with age")
	// ErrWrongIdentity: none of the identities opens the file.
	ErrWrongIdentity = errors.New("encrypted for somebody else: none of the identities given opens it")
	// ErrMalformed: the header is not what age wrote; no key can open the rest.
	ErrMalformed = errors.New("damaged age header")
)
