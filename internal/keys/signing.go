package keys

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
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
	"yuanzhen/internal/sig"
)

// Signature is a signature over the exact bytes of a document.
type Signature struct {
	KeyID  string    `json:"key_id"`
	Alg    string    `json:"alg"`    // fixed by the key: sig.SM2 or sig.Ed25519
	SHA256 string    `json:"sha256"` // of the document, hex
	Sig    []byte    `json:"sig"`
	At     time.Time `json:"at"`
}

// PublicKey is what a verifier needs to know of a signing key. One holder: a practitioner, or an institution whose
// seal it is.
type PublicKey struct {
	KeyID          string           `json:"key_id"`
	Alg            string           `json:"alg"`
	Public         []byte           `json:"public_key"`
	PractitionerID ids.Practitioner `json:"practitioner_id,omitzero"`
	InstitutionID  ids.Institution  `json:"institution_id,omitzero"`
	Holder         string           `json:"holder"`
	Certificate    []byte           `json:"certificate,omitempty"` // X.509, DER
	From           time.Time        `json:"from"`
	Until          time.Time        `json:"until"`
	RevokedAt      *time.Time       `json:"revoked_at,omitempty"`
}

// Service keeps signing keys. The private half of a practitioner's is wrapped under the holder's passphrase
// (Electronic Signature Law Art. 13: controlled by the signer alone), so each signature is one explicit act with the
// passphrase. An institution's seal is wrapped under the master key: the house seals what its pharmacist approved.
type Service struct {
	DB    *pg.Pool // for what people do with their certificates
	Now   func() time.Time
	CA    CA     // none: keys carry no certificate
	Vault *Vault // none: no seals
	Alg   string // of keys that are made; "" is SM2
}

// keyLife is how long a key signs; what it signed verifies for ever.
const keyLife = 3 * 365 * 24 * time.Hour

// Issue makes a key for the practitioner and retires the one before.
func (s *Service) Issue(ctx context.Context, tx pgx.Tx, holder ids.Practitioner, passphrase string) error {
	if len([]rune(passphrase)) < 6 {
		return fault.New(fault.Invalid, "passphrase_short", "签名口令至少 6 位。", "The signing passphrase needs 6 characters or more.")
	}
	who := subject{ID: holder.String()}
	err := tx.QueryRow(ctx, `
		SELECT p.name, coalesce((SELECT i.name FROM registration r JOIN institution i ON i.id = r.institution_id
		                         WHERE r.practitioner_id = p.id ORDER BY r.kind = 'primary' DESC, r.id LIMIT 1), '')
		FROM practitioner p WHERE p.id = $1`, holder).Scan(&who.Name, &who.Organization)
	if err != nil {
		return err
	}
	salt := make([]byte, 16)
	rand.Read(salt)
	return s.issue(ctx, tx, who, newKey{Practitioner: holder, Salt: salt}, func(id string, private []byte) []byte {
		gcm := wrapping(passphrase, salt)
		nonce := make([]byte, gcm.NonceSize())
		rand.Read(nonce)
		return gcm.Seal(nonce, nonce, private, []byte(id))
	})
}

// IssueSeal makes the seal of an institution and retires the one before.
func (s *Service) IssueSeal(ctx context.Context, tx pgx.Tx, place ids.Institution) error {
	who := subject{ID: place.String()}
	if err := tx.QueryRow(ctx, `SELECT name, name FROM institution WHERE id = $1`, place).Scan(&who.Name, &who.Organization); err != nil {
		return err
	}
	return s.issue(ctx, tx, who, newKey{Institution: place}, func(id string, private []byte) []byte {
		return s.Vault.Seal("institution/"+place.String(), "signing_key/"+id, private)
	})
}

// newKey is whose key is made, and how it is wrapped.
type newKey struct {
	Practitioner ids.Practitioner
	Institution  ids.Institution
	Salt         []byte
}

func (s *Service) issue(ctx context.Context, tx pgx.Tx, who subject, n newKey, wrap func(id string, private []byte) []byte) error {
	alg := s.Alg
	if alg == "" {
		alg = sig.SM2
	}
	key, err := sig.Generate(alg)
	if err != nil {
		return err
	}
	from := s.Now().Truncate(time.Second) // X.509 knows seconds
	until := from.Add(keyLife)
	var certificate []byte
	if s.CA != nil {
		if certificate, err = certify(ctx, s.CA, who, key, from, until); err != nil {
			return err
		}
		parsed, err := parseCertificate(certificate)
		if err != nil {
			return err
		}
		from, until = parsed.NotBefore, parsed.NotAfter
	}
	rows, err := tx.Query(ctx, `SELECT id::text FROM signing_key WHERE (practitioner_id = $1 OR institution_id = $2) AND revoked_at IS NULL FOR UPDATE`,
		n.Practitioner, n.Institution)
	if err != nil {
		return err
	}
	before, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, old := range before {
		if err := s.Revoke(ctx, tx, old, "superseded"); err != nil {
			return err
		}
	}
	id := uuid.Must(uuid.NewV7()).String()
	_, err = tx.Exec(ctx, `
		INSERT INTO signing_key (id, practitioner_id, institution_id, alg, public_key, salt, wrapped_key, certificate, valid_from, valid_until)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		id, n.Practitioner, n.Institution, alg, key.Public(), n.Salt, wrap(id, key.Private()), certificate, from, until)
	return err
}

// Revoke ends a key now: "superseded", "key_compromise" or "ended". What it signed before stands.
func (s *Service) Revoke(ctx context.Context, tx pgx.Tx, keyID, reason string) error {
	var certificate []byte
	err := tx.QueryRow(ctx, `UPDATE signing_key SET revoked_at = $2, revoked_reason = $3 WHERE id = $1 AND revoked_at IS NULL RETURNING certificate`,
		keyID, s.Now(), reason).Scan(&certificate)
	if errors.Is(err, pgx.ErrNoRows) {
		return fault.Missing()
	}
	if err != nil || certificate == nil || s.CA == nil {
		return err
	}
	return s.CA.Revoke(ctx, certificate, reason)
}

// Pen is a key unlocked for one deed. It is not kept.
type Pen struct {
	KeyID string
	At    time.Time // the deed's time, on every signature of it

	sig.Signer
}

// Write signs a document.
func (p Pen) Write(doc []byte) (Signature, error) {
	signature, err := p.Signer.Sign(doc)
	if err != nil {
		return Signature{}, err
	}
	sum := sha256.Sum256(doc)
	return Signature{KeyID: p.KeyID, Alg: p.Alg(), SHA256: hex.EncodeToString(sum[:]), Sig: signature, At: p.At}, nil
}

// Unlock opens the practitioner's key. A wrong passphrase is Invalid, a practitioner without a valid key is Refused
// (DOC-06).
func (s *Service) Unlock(ctx context.Context, db pg.DB, signer ids.Practitioner, passphrase string) (Pen, error) {
	k, err := s.valid(ctx, db, `practitioner_id`, signer)
	if errors.Is(err, pgx.ErrNoRows) {
		return Pen{}, fault.New(fault.Refused, "no_signing_key", "没有有效的电子签名证书，不能签名。", "You have no valid signing key.").
			WithRemedy("请联系医务部门办理证书。", "Ask the medical office to issue one.")
	}
	if err != nil {
		return Pen{}, err
	}
	gcm := wrapping(passphrase, k.Salt)
	private, err := gcm.Open(nil, k.Wrapped[:gcm.NonceSize()], k.Wrapped[gcm.NonceSize():], []byte(k.ID))
	if err != nil {
		return Pen{}, fault.New(fault.Invalid, "wrong_passphrase", "签名口令不对，没有签名。", "Wrong signing passphrase; nothing was signed.").
			WithRemedy("请再输一次。", "Please type it again.")
	}
	return s.pen(k, private)
}

// Seal opens the seal of an institution; without a valid one, nothing is issued.
func (s *Service) Seal(ctx context.Context, db pg.DB, place ids.Institution) (Pen, error) {
	k, err := s.valid(ctx, db, `institution_id`, place)
	if errors.Is(err, pgx.ErrNoRows) {
		return Pen{}, fault.New(fault.Refused, "no_seal", "医院没有有效的电子印章，不能开出。", "The hospital has no valid electronic seal; nothing can be issued.").
			WithRemedy("请联系管理员办理医院电子印章证书。", "Ask the administrator for the certificate of the hospital's seal.")
	}
	if err != nil {
		return Pen{}, err
	}
	private, err := s.Vault.Open("institution/"+place.String(), "signing_key/"+k.ID, k.Wrapped)
	if err != nil {
		return Pen{}, err
	}
	return s.pen(k, private)
}

// Sign signs doc with the practitioner's key.
func (s *Service) Sign(ctx context.Context, db pg.DB, signer ids.Practitioner, passphrase string, doc []byte) (Signature, error) {
	pen, err := s.Unlock(ctx, db, signer, passphrase)
	if err != nil {
		return Signature{}, err
	}
	return pen.Write(doc)
}

// wrapped is a private key as it is kept.
type wrapped struct {
	ID      string
	Alg     string
	Salt    []byte
	Wrapped []byte
}

func (s *Service) valid(ctx context.Context, db pg.DB, column string, holder any) (wrapped, error) {
	rows, err := db.Query(ctx, `
		SELECT id::text AS id, alg, salt, wrapped_key AS wrapped FROM signing_key
		WHERE `+column+` = $1 AND revoked_at IS NULL AND valid_from <= $2 AND $2 < valid_until`, holder, s.Now())
	if err != nil {
		return wrapped{}, err
	}
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[wrapped])
}

func (s *Service) pen(k wrapped, private []byte) (Pen, error) {
	key, err := sig.Restore(k.Alg, private)
	return Pen{KeyID: k.ID, At: s.Now().Truncate(time.Microsecond), Signer: key}, err // what Postgres keeps of it
}

// Verify checks a signature over doc. Whether the key was valid at the time is the
// caller's question: signatures outlive certificates.
func Verify(key PublicKey, doc, signature []byte) error {
	if err := sig.Verify(key.Alg, key.Public, doc, signature); err != nil {
		return fmt.Errorf("key %s: %w", key.KeyID, err)
	}
	return nil
}

// PublicKeys lists every key ever issued, so that old documents still verify.
func PublicKeys(ctx context.Context, db pg.DB) ([]PublicKey, error) {
	rows, err := db.Query(ctx, `
		SELECT k.id::text AS key_id, k.alg, k.public_key AS public, k.practitioner_id, k.institution_id, coalesce(p.name, i.name) AS holder,
		       k.certificate, k.valid_from AS "from", k.valid_until AS until, k.revoked_at
		FROM signing_key k LEFT JOIN practitioner p ON p.id = k.practitioner_id LEFT JOIN institution i ON i.id = k.institution_id ORDER BY k.id`)
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
