package consult

import (
	"context"
	"time"

	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/keys"
)

// Document is an opinion or a decision: its text, and exactly the bytes that are signed.
type Document struct {
	Content   map[string]any `json:"content"`
	Version   int            `json:"version"`
	SHA256    string         `json:"sha256"`
	Canonical string         `json:"canonical"`
	SignedAt  *time.Time     `json:"signed_at,omitempty"`
	KeyID     string         `json:"key_id,omitempty"`
}

// Opinion is what the expert writes.
type Opinion struct {
	Findings string `json:"findings" minLength:"1" maxLength:"8000"`
	Advice   string `json:"advice" minLength:"1" maxLength:"8000"`
}

// WriteOpinion stores a version; it may be signed exactly as stored.
func (s *Teleconsults) WriteOpinion(ctx context.Context, id ids.Teleconsult, o Opinion) (Teleconsult, error) {
	return s.deed(ctx, id, expertsDeed, func(tx tx, t Teleconsult) error {
		if err := t.mustBe(Scheduled, InProgress); err != nil {
			return err
		}
		return s.write(ctx, tx, t, "opinion", t.Expert.Practitioner.ID, map[string]any{"findings": o.Findings, "advice": o.Advice})
	})
}

// SignOpinion signs the newest version, if it is the one the expert was shown.
func (s *Teleconsults) SignOpinion(ctx context.Context, id ids.Teleconsult, sha256, passphrase string) (Teleconsult, error) {
	return s.move(ctx, id, expertsDeed, "sign opinion", func(tx tx, t Teleconsult) error {
		if err := s.sign(ctx, tx, t.Opinion, id, "opinion", t.Expert.Practitioner.ID, sha256, passphrase); err != nil {
			return err
		}
		return s.keepMarksLater(ctx, tx, id)
	})
}

// Decide records what the asking doctor does with the opinion: diagnosis and
// treatment stay theirs (TCR-09).
func (s *Teleconsults) Decide(ctx context.Context, id ids.Teleconsult, adopt, plan, passphrase string) (Teleconsult, error) {
	return s.move(ctx, id, invitersDeed, "decide", func(tx tx, t Teleconsult) error {
		doctor := t.Inviter.Practitioner.ID
		if err := s.write(ctx, tx, t, "decision", doctor, map[string]any{"adopt": adopt, "plan": plan, "opinion_sha256": t.Opinion.SHA256}); err != nil {
			return err
		}
		written, err := s.find(ctx, tx, id)
		if err != nil {
			return err
		}
		return s.sign(ctx, tx, written.Decision, id, "decision", doctor, written.Decision.SHA256, passphrase)
	})
}

// write stores a version of a document in canonical form.
func (s *Teleconsults) write(ctx context.Context, tx tx, t Teleconsult, kind string, author ids.Practitioner, content map[string]any) error {
	whole := map[string]any{
		"type": "teleconsult." + kind, "teleconsult": t.ID, "person": t.Person.ID, "author": author,
		"studies": studyUIDs(t.Studies), "content": content}
	if kind == "opinion" {
		shown, err := talk(ctx, tx, t.ID, maxShown)
		if err != nil {
			return err
		}
		whole["shown"] = shown
	}
	canonical, sum, err := canonicalBytes(whole)
	if err != nil {
		return err
	}
	return insertDocument(ctx, tx, t.ID, kind, author, canonical, sum, s.Now())
}

func (s *Teleconsults) sign(ctx context.Context, tx tx, d *Document, id ids.Teleconsult, kind string, signer ids.Practitioner, sha256, passphrase string) error {
	if d == nil {
		return fault.New(fault.Conflict, "nothing_to_sign", "还没有写内容，不能签名。", "There is nothing to sign yet.").
			WithRemedy("请先写好并保存。", "Write and save it first.")
	}
	if d.SHA256 != sha256 {
		return fault.New(fault.Conflict, "text_changed", "要签的内容和现在保存的不一样。", "The text to sign is not the one that is stored now.").
			WithRemedy("请重新看全文再签。", "Read the whole text again, then sign.")
	}
	if kind == "opinion" {
		if err := asSigned(ctx, tx, id, d.Canonical); err != nil {
			return err
		}
	}
	var signature keys.Signature
	signature, err := s.Keys.Sign(ctx, tx, signer, passphrase, []byte(d.Canonical))
	if err != nil {
		return err
	}
	return putDocumentSignature(ctx, tx, id, kind, d.Version, signature)
}
