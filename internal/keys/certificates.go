package keys

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
)

// Certificate is a key as screens show it: a person's, or the seal of an institution.
type Certificate struct {
	KeyID         string          `json:"key_id"`
	Seal          bool            `json:"seal" doc:"of an institution"`
	Holder        string          `json:"holder"`
	InstitutionID ids.Institution `json:"institution_id,omitzero" doc:"whose seal"`
	Alg           string          `json:"alg" enum:"SM2,Ed25519"`
	Issuer        string          `json:"issuer,omitempty" doc:"none: from before there were certificates"`
	Serial        string          `json:"serial,omitempty"`
	State         string          `json:"state" enum:"valid,ended,revoked"`
	From          time.Time       `json:"from"`
	Until         time.Time       `json:"until"`
	RevokedAt     *time.Time      `json:"revoked_at,omitempty"`
	RevokedReason string          `json:"revoked_reason,omitempty" enum:",superseded,key_compromise,ended"`
}

// House is what an administrator looks after: places that need a seal, and everybody's certificates.
type House struct {
	Places       []Place       `json:"places"`
	Certificates []Certificate `json:"certificates"`
}

// Place may have a seal.
type Place struct {
	ID   ids.Institution `json:"id"`
	Name string          `json:"name"`
}

const certificateRows = `
	SELECT k.id::text AS key_id, k.institution_id IS NOT NULL AS seal, coalesce(p.name, i.name) AS holder, k.institution_id, k.alg, k.certificate,
	       k.valid_from AS "from", k.valid_until AS until, k.revoked_at, k.revoked_reason
	FROM signing_key k LEFT JOIN practitioner p ON p.id = k.practitioner_id LEFT JOIN institution i ON i.id = k.institution_id `

// Own lists the subject's certificates, the newest first.
func (s *Service) Own(ctx context.Context) ([]Certificate, error) {
	return s.certificates(ctx, certificateRows+`WHERE k.practitioner_id = $1 ORDER BY k.id DESC`, authz.SubjectFrom(ctx).Practitioner)
}

// Everybodys lists seals and people's certificates at the subject's places.
func (s *Service) Everybodys(ctx context.Context) (h House, err error) {
	places := idTexts(authz.ScopeFrom(ctx).Places())
	rows, err := s.DB.Query(ctx, `SELECT id, name FROM institution WHERE id = ANY ($1::uuid[]) AND kind = 'internet_hospital' ORDER BY name`, places)
	if err != nil {
		return h, err
	}
	if h.Places, err = pgx.CollectRows(rows, pgx.RowToStructByName[Place]); err != nil {
		return h, err
	}
	h.Certificates, err = s.certificates(ctx, certificateRows+`
		WHERE k.institution_id = ANY ($1::uuid[])
		   OR EXISTS (SELECT FROM registration r WHERE r.practitioner_id = k.practitioner_id AND r.institution_id = ANY ($1::uuid[]))
		ORDER BY k.revoked_at IS NOT NULL, k.institution_id IS NULL, holder, k.id DESC LIMIT 500`, places)
	return h, err
}

func (s *Service) certificates(ctx context.Context, sql string, arg any) ([]Certificate, error) {
	rows, err := s.DB.Query(ctx, sql, arg)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	list := []Certificate{}
	for rows.Next() {
		var c Certificate
		var der []byte
		if err := rows.Scan(&c.KeyID, &c.Seal, &c.Holder, &c.InstitutionID, &c.Alg, &der, &c.From, &c.Until, &c.RevokedAt, &c.RevokedReason); err != nil {
			return nil, err
		}
		if der != nil {
			parsed, err := parseCertificate(der)
			if err != nil {
				return nil, err
			}
			c.Issuer, c.Serial = parsed.Issuer.CommonName, parsed.SerialNumber.Text(16)
		}
		switch now := s.Now(); {
		case c.RevokedAt != nil:
			c.State = "revoked"
		case now.Before(c.From) || !now.Before(c.Until):
			c.State = "ended"
		default:
			c.State = "valid"
		}
		list = append(list, c)
	}
	return list, rows.Err()
}

// Renew makes the subject's certificate, wrapped under a new passphrase. Who holds a valid one shows its passphrase
// first: a stolen session alone makes no signer. Whoever forgot it ends the certificate, and then makes a new one.
func (s *Service) Renew(ctx context.Context, current, passphrase string) ([]Certificate, error) {
	me := authz.SubjectFrom(ctx).Practitioner
	if me.IsZero() {
		return nil, fault.Missing()
	}
	err := s.DB.InTx(ctx, func(tx pgx.Tx) error {
		switch _, err := s.valid(ctx, tx, `practitioner_id`, me); {
		case err == nil:
			if _, err := s.Unlock(ctx, tx, me, current); err != nil {
				return err
			}
		case !errors.Is(err, pgx.ErrNoRows):
			return err
		}
		if err := s.Issue(ctx, tx, me, passphrase); err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Entry{Action: authz.ScopeFrom(ctx).Action, Object: "practitioner/" + me.String(), Reason: "certificate"})
	})
	if err != nil {
		return nil, err
	}
	return s.Own(ctx)
}

// End revokes the subject's own certificate: the passphrase may be known to others, or is forgotten.
func (s *Service) End(ctx context.Context, keyID string) error {
	return s.DB.InTx(ctx, func(tx pgx.Tx) error {
		var mine bool
		err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM signing_key WHERE id = $1 AND practitioner_id = $2)`, keyID, authz.SubjectFrom(ctx).Practitioner).Scan(&mine)
		if err != nil || !mine {
			return orMissing(err)
		}
		return s.revoked(ctx, tx, keyID, "key_compromise", ids.Institution{})
	})
}

// RevokeAt revokes a certificate of somebody at the subject's places, or their seal.
func (s *Service) RevokeAt(ctx context.Context, keyID, reason string) error {
	return s.DB.InTx(ctx, func(tx pgx.Tx) error {
		var place ids.Institution
		err := tx.QueryRow(ctx, `
			SELECT coalesce(k.institution_id, r.institution_id) FROM signing_key k
			LEFT JOIN registration r ON r.practitioner_id = k.practitioner_id AND r.institution_id = ANY ($2::uuid[])
			WHERE k.id = $1 AND (k.institution_id = ANY ($2::uuid[]) OR r.id IS NOT NULL) LIMIT 1`,
			keyID, idTexts(authz.ScopeFrom(ctx).Places())).Scan(&place)
		if err != nil {
			return orMissing(err)
		}
		return s.revoked(ctx, tx, keyID, reason, place)
	})
}

// RenewSeal makes the seal of one of the subject's places and retires the one before.
func (s *Service) RenewSeal(ctx context.Context, place ids.Institution) error {
	return s.DB.InTx(ctx, func(tx pgx.Tx) error {
		var within bool
		err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM institution WHERE id = $1 AND id = ANY ($2::uuid[]) AND kind = 'internet_hospital')`,
			place, idTexts(authz.ScopeFrom(ctx).Places())).Scan(&within)
		if err != nil || !within {
			return orMissing(err)
		}
		if err := s.IssueSeal(ctx, tx, place); err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Entry{Action: authz.ScopeFrom(ctx).Action, Object: "institution/" + place.String(), Place: place, Reason: "seal"})
	})
}

func (s *Service) revoked(ctx context.Context, tx pgx.Tx, keyID, reason string, place ids.Institution) error {
	if err := s.Revoke(ctx, tx, keyID, reason); err != nil {
		return err
	}
	return audit.Write(ctx, tx, audit.Entry{Action: authz.ScopeFrom(ctx).Action, Object: "certificate/" + keyID, Place: place, Reason: reason})
}

func orMissing(err error) error {
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	return fault.Missing()
}

func idTexts(places []ids.Institution) []string {
	all := make([]string, len(places))
	for i, p := range places {
		all[i] = p.String()
	}
	return all
}
