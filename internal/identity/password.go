package identity

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"
	"golang.org/x/crypto/argon2"
)

// totpOptions are RFC 6238's defaults with one step of clock error either way.
var totpOptions = totp.ValidateOpts{Period: 30, Skew: 1, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1}

// hashing bounds how many passwords are hashed at once: each takes 19 MiB and a core.
var hashing = make(chan struct{}, 2)

// HashPassword is argon2id with OWASP's minimum: 19 MiB, two passes.
func HashPassword(password string) string {
	salt := make([]byte, 16)
	rand.Read(salt)
	return "argon2id$" + base64.RawStdEncoding.EncodeToString(salt) + "$" + base64.RawStdEncoding.EncodeToString(argon(password, salt))
}

func argon(password string, salt []byte) []byte {
	hashing <- struct{}{}
	defer func() { <-hashing }()
	return argon2.IDKey([]byte(password), salt, 2, 19*1024, 1, 32)
}

func checkPassword(hash, password string) bool {
	var salt, want []byte
	parts := strings.Split(hash, "$")
	if len(parts) != 3 || parts[0] != "argon2id" {
		return false
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[1])
	if err != nil {
		return false
	}
	if want, err = base64.RawStdEncoding.DecodeString(parts[2]); err != nil {
		return false
	}
	return subtle.ConstantTimeCompare(want, argon(password, salt)) == 1
}

// decoy is hashed against for unknown logins.
var decoy = fmt.Sprintf("argon2id$%s$%s", base64.RawStdEncoding.EncodeToString(make([]byte, 16)), base64.RawStdEncoding.EncodeToString(make([]byte, 32)))
