// Package sealed puts age (age-encryption.org/v1) around a session file, so that
// no plaintext is ever on a disk, and reads such a file again, also one whose end
// is missing or that is damaged.
//
//	age header: who can open it │ nonce │ 64 KiB + 16 │ 64 KiB + 16 │ … │ last, shorter
//	                                      └ each block authenticates alone, by its number
//
// It writes what the age command writes and reads what that writes: `age -d` turns
// a.spl.age into a.spl. Keys are wrapped and unwrapped by filippo.io/age alone.
// Reading the blocks is done here, because age stops at the first that does not
// authenticate and opens no file at random whose end is missing. A recording
// that was killed has no end, and of a damaged one everything else is wanted.
// No byte is delivered that does not authenticate.
//
// The package opens no file: it takes what keys files hold, and readers.
package sealed
