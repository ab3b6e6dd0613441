package consult

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"time"

	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
)

// KeptPackage is one hospital's receipt of the package.
type KeptPackage struct {
	Institution Named[ids.Institution] `json:"institution"`
	SHA256      string                 `json:"sha256"`
	Size        int64                  `json:"size"`
	At          time.Time              `json:"kept_at"`

	key string
}

// parcel is the package as both hospitals keep it (TCR-11): request, consent, every signed document with its signature, critical
// values, what happened step by step, and which studies it rests on. It is written in canonical form (RFC 8785), so that both keep
// the same bytes; each seals them with its own key.
func (s *Teleconsults) parcel(ctx context.Context, tx tx, t Teleconsult) ([]byte, error) {
	written, err := selectDocuments(ctx, tx, t.ID)
	if err != nil {
		return nil, err
	}
	documents := []map[string]any{}
	for _, d := range written {
		if d.SignedAt != nil {
			documents = append(documents, map[string]any{"kind": d.Kind, "author": d.Author, "version": d.Version, "sha256": d.SHA256,
				"canonical": d.Canonical, "signed_at": d.SignedAt, "key_id": d.KeyID, "signature": base64.StdEncoding.EncodeToString(d.signature)})
		}
	}
	steps, err := selectSteps(ctx, tx, t.ID)
	if err != nil {
		return nil, err
	}
	withoutOfficeWords(t.Countersigns, steps) // the invited hospital keeps the same bytes
	canonical, _, err := canonicalBytes(map[string]any{
		"type": "teleconsult.package", "teleconsult": t.ID, "kind": t.Kind, "liability": t.Liability, "created_at": t.CreatedAt,
		"request": t.request(),
		"inviter": t.Inviter, "invited": t.Invited, "expert": t.Expert, "further": t.Further, "released": t.Released, "consent": t.Consent, "countersigns": t.Countersigns,
		"documents": documents, "critical": t.Critical, "steps": steps})
	return canonical, err
}

// Close ends the consult: both hospitals keep the package, the experts' right to the images lapses, the room closes.
func (s *Teleconsults) Close(ctx context.Context, id ids.Teleconsult) (Teleconsult, error) {
	t, err := s.Teleconsult(ctx, id)
	if err == nil && !t.isTheirs(ctx, invitersDeed) {
		err = fault.Missing()
	}
	if err == nil {
		err = t.mustBe(Decided)
	}
	if err == nil {
		err = t.mustBeRead()
	}
	if err == nil {
		err = s.finishRecording(ctx, matter{teleconsult: id})
	}
	if err != nil {
		return t, err
	}
	stored := []string{}
	t, err = s.move(ctx, id, invitersDeed, "close", "", func(tx tx, t Teleconsult) error {
		if err := t.mustBeRead(); err != nil {
			return err
		}
		parcel, err := s.parcel(ctx, tx, t)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(parcel)
		for _, place := range []ids.Institution{t.Inviter.Institution.ID, t.Invited.ID} {
			key, err := s.Files.Put(ctx, place, bytes.NewReader(parcel), int64(len(parcel)))
			if err != nil {
				return err
			}
			stored = append(stored, key)
			if err := insertPackage(ctx, tx, id, place, key, hex.EncodeToString(sum[:]), len(parcel), s.Now()); err != nil {
				return err
			}
		}
		return s.Images.EndGrants(ctx, tx, id)
	})
	if err != nil {
		s.unnamed(ctx, err, stored...)
		return t, err
	}
	s.closeRoom(ctx, t.room)
	return t, nil
}

// Packages are the receipts of both hospitals, to whoever of either side may read the consult.
func (s *Teleconsults) Packages(ctx context.Context, id ids.Teleconsult) (list []KeptPackage, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		if _, err := s.teleconsult(ctx, tx, id); err != nil {
			return err
		}
		list, err = selectPackages(ctx, tx, id)
		return err
	})
	return list, err
}

// OpenPackage reads the copy of the asker's hospital; what was kept is checked against its hash before it is shown.
func (s *Teleconsults) OpenPackage(ctx context.Context, id ids.Teleconsult) (parcel []byte, err error) {
	var key, sum string
	err = s.inTx(ctx, func(tx tx) error {
		t, err := s.find(ctx, tx, id)
		if err != nil {
			return err
		}
		list, err := selectPackages(ctx, tx, id)
		if err != nil {
			return err
		}
		sub := authz.SubjectFrom(ctx)
		i := slices.IndexFunc(list, func(k KeptPackage) bool {
			return slices.ContainsFunc(sub.Memberships, func(m authz.Membership) bool { return m.Place == k.Institution.ID })
		})
		if i < 0 {
			return fault.Missing()
		}
		key, sum = list[i].key, list[i].SHA256
		return audit.Write(ctx, tx, audit.Entry{Action: authz.ScopeFrom(ctx).Action, Object: "teleconsult/" + id.String(), Person: t.Person.ID, Place: list[i].Institution.ID})
	})
	if err != nil {
		return nil, err
	}
	file, err := s.Files.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if parcel, err = io.ReadAll(file); err != nil {
		return nil, err
	}
	if hash := sha256.Sum256(parcel); hex.EncodeToString(hash[:]) != sum {
		return nil, errors.New("the package is not what was kept")
	}
	return parcel, nil
}
