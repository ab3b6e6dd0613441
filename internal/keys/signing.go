package keys

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/crypto/argon2"

	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/pg"
)

// Signature is a practitioner's signature over the exact bytes of a document.
type Signature struct {
	KeyID  string    `json:"key_id"`
	Alg    string    `json:"alg"`    // fixed by the key: Ed25519 (RFC 8032)
	SHA256 string    `json:"sha256"` // of the document, hex
	Sig    []byte    `json:"sig"`
	At     time.Time `json:"at"`
}

// PublicKey is what a verifier needs to know of a signing key.
type PublicKey struct {
	KeyID          string           `json:"key_id"`
	Alg            string           `json:"alg"`
	Public         []byte           `json:"public_key"`
	PractitionerID ids.Practitioner `json:"practitioner_id"`
	Holder         string           `json:"holder"`
	From           time.Time        `json:"from"`
	Until          time.Time        `json:"until"`
	RevokedAt      *time.Time       `json:"revoked_at,omitempty"`
}

// Service keeps practitioners' signing keys. The private half is wrapped under
// the holder's passphrase (Electronic Signature Law Art. 13: controlled by the
// signer alone), so each signature is one explicit act with the passphrase.
type Service struct{ Now func() time.Time }

// keyLife is how long a key signs; what it signed verifies for ever.
const keyLife = 3 * 365 * 24 * time.Hour

// Issue makes a key for the practitioner and retires the one before.
func (s *Service) Issue(ctx context.Context, tx pgx.Tx, holder ids.Practitioner, passphrase string) error {
	if len([]rune(passphrase)) < 6 {
		return fault.New(fault.Invalid, "passphrase_short", "签名口令至少 6 位。", "The signing passphrase needs 6 characters or more.")
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	id, salt := uuid.Must(uuid.NewV7()).String(), make([]byte, 16)
	rand.Read(salt)
	gcm := wrapping(passphrase, salt)
	nonce := make([]byte, gcm.NonceSize())
	rand.Read(nonce)
	wrapped := gcm.Seal(nonce, nonce, private.Seed(), []byte(id))
	now := s.Now()
	if _, err := tx.Exec(ctx, `UPDATE signing_key SET revoked_at = $2 WHERE practitioner_id = $1 AND revoked_at IS NULL`, holder, now); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO signing_key (id, practitioner_id, alg, public_key, salt, wrapped_key, valid_from, valid_until)
		VALUES ($1, $2, 'Ed25519', $3, $4, $5, $6, $7)`,
		id, holder, []byte(public), salt, wrapped, now, now.Add(keyLife))
	return err
}

// Sign signs doc with the practitioner's key. A wrong passphrase is Invalid, a
// practitioner without a valid key is Refused (DOC-06).
func (s *Service) Sign(ctx context.Context, db pg.DB, signer ids.Practitioner, passphrase string, doc []byte) (Signature, error) {
	var id string
	var salt, wrapped []byte
	now := s.Now()
	err := db.QueryRow(ctx, `
		SELECT id::text, salt, wrapped_key FROM signing_key
		WHERE practitioner_id = $1 AND revoked_at IS NULL AND valid_from <= $2 AND $2 < valid_until`, signer, now).Scan(&id, &salt, &wrapped)
	if errors.Is(err, pgx.ErrNoRows) {
		return Signature{}, fault.New(fault.Refused, "no_signing_key", "没有有效的电子签名证书，不能签名。", "You have no valid signing key.").
			WithRemedy("请联系医务部门办理证书。", "Ask the medical office to issue one.")
	}
	if err != nil {
		return Signature{}, err
	}
	gcm := wrapping(passphrase, salt)
	seed, err := gcm.Open(nil, wrapped[:gcm.NonceSize()], wrapped[gcm.NonceSize():], []byte(id))
	if err != nil {
		return Signature{}, fault.New(fault.Invalid, "wrong_passphrase", "签名口令不对，没有签名。", "Wrong signing passphrase; nothing was signed.").
			WithRemedy("请再输一次。", "Please type it again.")
	}
	sum := sha256.Sum256(doc)
	return Signature{KeyID: id, Alg: "Ed25519", SHA256: hex.EncodeToString(sum[:]), Sig: ed25519.Sign(ed25519.NewKeyFromSeed(seed), doc), At: now}, nil
}

// Verify checks a signature over doc. Whether the key was valid at the time is the
// caller's question: signatures outlive certificates.
func Verify(key PublicKey, doc, sig []byte) error {
	if key.Alg != "Ed25519" || len(key.Public) != ed25519.PublicKeySize {
		return fmt.Errorf("key %s: unknown algorithm %q", key.KeyID, key.Alg)
	}
	if !ed25519.Verify(key.Public, doc, sig) {
		return fmt.Errorf("key %s: the signature does not fit the document", key.KeyID)
	}
	return nil
}

// PublicKeys lists every key ever issued, so that old documents still verify.
func PublicKeys(ctx context.Context, db pg.DB) ([]PublicKey, error) {
	rows, err := db.Query(ctx, `
		SELECT k.id::text AS key_id, k.alg, k.public_key AS public, k.practitioner_id, p.name AS holder,
		       k.valid_from AS "from", k.valid_until AS until, k.revoked_at
		FROM signing_key k JOIN practitioner p ON p.id = k.practitioner_id ORDER BY k.id`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[PublicKey])
}

// wrapping derives the key that wraps a private key: argon2id with 19 MiB, two
// passes (OWASP's minimum, 70 ms here; a passphrase is typed once a signature).
func wrapping(passphrase string, salt []byte) cipher.AEAD {
	block, err := aes.NewCipher(argon2.IDKey([]byte(passphrase), salt, 2, 19*1024, 1, 32))
	if err != nil {
		panic(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return gcm
}
