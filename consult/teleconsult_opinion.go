package consult

import (
	"context"
	"slices"
	"time"

	"yuanzhen/internal/authz"
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

// Opinion is what an expert writes. The further experts of an MDT say whether they agree with the first, once that opinion is signed:
// theirs names its hash. Who does not is kept as they wrote it; who signs before stands by themselves.
type Opinion struct {
	Findings string `json:"findings" minLength:"1" maxLength:"8000"`
	Advice   string `json:"advice" minLength:"1" maxLength:"8000"`
	Stance   string `json:"stance,omitempty" enum:"agree,dissent" doc:"Of a further expert, to the first expert's signed opinion"`
}

// Authored is a document with who wrote it.
type Authored struct {
	Author Doctor `json:"author"`
	Document
}

// WriteOpinion stores a version; it may be signed exactly as stored.
func (s *Teleconsults) WriteOpinion(ctx context.Context, id ids.Teleconsult, o Opinion) (Teleconsult, error) {
	return s.deed(ctx, id, opinersDeed, func(tx tx, t Teleconsult) error {
		if err := t.mustBe(Scheduled, InProgress); err != nil {
			return err
		}
		who := authz.SubjectFrom(ctx).Practitioner
		if t.hasSigned(who) {
			return fault.New(fault.Conflict, "opinion_signed", "您的意见已经签名，不能再改。", "Your opinion is signed and can't be changed.").
				WithRemedy("有新的资料，请在全部签完后写补充意见。", "If there is something new, write an addendum once all have signed.")
		}
		content := map[string]any{"findings": o.Findings, "advice": o.Advice}
		if first := t.first(); t.hasFurther(who) && first != "" {
			if o.Stance == "" {
				return fault.New(fault.Invalid, "stance_missing", "请写明与首位专家的意见是否一致。", "Please say whether you agree with the first expert.").
					WithRemedy("选“一致”或“保留不同意见”。", "Choose agree or dissent.")
			}
			content["stance"], content["first_sha256"] = o.Stance, first
		}
		return s.write(ctx, tx, t, "opinion", who, content)
	})
}

// opinionOf is the newest version of an expert's opinion, nil before there is one.
func (t *Teleconsult) opinionOf(who ids.Practitioner) *Document {
	if t.Expert != nil && t.Expert.Practitioner.ID == who {
		return t.Opinion
	}
	if i := slices.IndexFunc(t.Opinions, func(a Authored) bool { return a.Author.ID == who }); i >= 0 {
		return &t.Opinions[i].Document
	}
	return nil
}

// first is the hash of the first expert's opinion once it is signed; else "".
func (t *Teleconsult) first() string {
	if t.Opinion == nil || t.Opinion.SignedAt == nil {
		return ""
	}
	return t.Opinion.SHA256
}

// SignOpinion signs the newest version, if it is the one the expert was shown. When every expert has signed, it is the asking
// doctor's turn.
func (s *Teleconsults) SignOpinion(ctx context.Context, id ids.Teleconsult, sha256, passphrase string) (Teleconsult, error) {
	return s.deed(ctx, id, opinersDeed, func(tx tx, t Teleconsult) error {
		if err := t.mustBe(teleconsultMove("sign opinion").From...); err != nil {
			return err
		}
		who := authz.SubjectFrom(ctx).Practitioner
		own := t.opinionOf(who)
		if first := t.first(); t.hasFurther(who) && own != nil && first != "" && own.Content["first_sha256"] != first {
			return fault.New(fault.Conflict, "first_has_signed", "首位专家已经签了意见，您写的时候还没有。", "The first expert has signed since you wrote.").
				WithRemedy("请看过首位专家的意见，选“一致”或“保留不同意见”，再签。", "Please read it, choose agree or dissent, then sign.")
		}
		if err := s.sign(ctx, tx, own, id, "opinion", who, sha256, passphrase); err != nil {
			return err
		}
		t, err := s.find(ctx, tx, id)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(t.experts(), func(d Doctor) bool { return !t.hasSigned(d.ID) }) {
			return s.step(ctx, tx, id, "sign own opinion", "")
		}
		return s.complete(ctx, tx, t)
	})
}

// complete hands the opinion back, once every expert has signed.
func (s *Teleconsults) complete(ctx context.Context, tx tx, t Teleconsult) error {
	if err := s.moveOn(ctx, tx, t, "sign opinion", ""); err != nil {
		return err
	}
	if err := s.tellPeople(ctx, tx, t, "会诊意见已签回，请查看并写下本院决定。", toInviter); err != nil {
		return err
	}
	return s.keepMarksLater(ctx, tx, t.ID)
}

// addendumWithin is how long an expert may add to a signed opinion.
const addendumWithin = 7 * 24 * time.Hour

// Addend adds to a signed opinion, after new data or a second thought, and signs it. What was signed before stays as it is.
func (s *Teleconsults) Addend(ctx context.Context, id ids.Teleconsult, text, passphrase string) (Teleconsult, error) {
	return s.deed(ctx, id, opinersDeed, func(tx tx, t Teleconsult) error {
		if err := t.mustBe(OpinionSigned, Decided); err != nil {
			return err
		}
		who := authz.SubjectFrom(ctx).Practitioner
		before := t.opinionOf(who)
		if s.Now().After(before.SignedAt.Add(addendumWithin)) {
			return fault.New(fault.Refused, "addendum_late", "意见签名已满 7 天，不能再补充。", "The opinion was signed more than 7 days ago.").
				WithRemedy("请申请医生重新申请会诊。", "Please let the asking doctor request a new consult.")
		}
		if err := s.write(ctx, tx, t, "addendum", who, map[string]any{"text": text, "opinion_sha256": before.SHA256}); err != nil {
			return err
		}
		written, err := selectDocuments(ctx, tx, id)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(written, func(d documentRow) bool { return d.Kind == "addendum" && d.Author.ID == who && d.SignedAt == nil })
		if err := s.sign(ctx, tx, &written[i].Document, id, "addendum", who, written[i].SHA256, passphrase); err != nil {
			return err
		}
		if err := s.step(ctx, tx, id, "addendum", ""); err != nil {
			return err
		}
		return s.tellPeople(ctx, tx, t, "会诊专家补充了意见，请查看。", toInviter)
	})
}

// documents fills in what was written: an unsigned text is its author's alone.
func (s *Teleconsults) documents(ctx context.Context, tx tx, t *Teleconsult) error {
	t.Opinions, t.Addenda = []Authored{}, []Authored{}
	all, err := selectDocuments(ctx, tx, t.ID)
	if err != nil {
		return err
	}
	for _, d := range all {
		if d.SignedAt == nil && !asks(ctx, d.Author.ID) {
			continue
		}
		switch {
		case d.Kind == "decision":
			t.Decision = &d.Document
		case d.Kind == "addendum":
			t.Addenda = append(t.Addenda, Authored{d.Author, d.Document})
		case t.Expert != nil && d.Author.ID == t.Expert.Practitioner.ID:
			t.Opinion = &d.Document
		default:
			t.Opinions = append(t.Opinions, Authored{d.Author, d.Document})
		}
	}
	return nil
}

// Decide records what the asking doctor does with the opinion: diagnosis and
// treatment stay theirs (TCR-09).
func (s *Teleconsults) Decide(ctx context.Context, id ids.Teleconsult, adopt, plan, passphrase string) (Teleconsult, error) {
	return s.move(ctx, id, invitersDeed, "decide", adopt, func(tx tx, t Teleconsult) error {
		if err := t.mustBeRead(); err != nil {
			return err
		}
		doctor := t.Inviter.Practitioner.ID
		content := map[string]any{"adopt": adopt, "plan": plan, "opinion_sha256": t.Opinion.SHA256}
		further := []string{}
		for _, o := range append(slices.Clone(t.Opinions), t.Addenda...) {
			further = append(further, o.SHA256)
		}
		if len(further) > 0 {
			content["further_sha256"] = further
		}
		if err := s.write(ctx, tx, t, "decision", doctor, content); err != nil {
			return err
		}
		written, err := s.find(ctx, tx, id)
		if err != nil {
			return err
		}
		return s.sign(ctx, tx, written.Decision, id, "decision", doctor, written.Decision.SHA256, passphrase)
	})
}

// Phrases are sentences that a doctor uses again in opinions.
type Phrases struct {
	Findings []string `json:"findings" maxItems:"50"`
	Advice   []string `json:"advice" maxItems:"50"`
}

// Phrases reads the doctor's own.
func (s *Teleconsults) Phrases(ctx context.Context) (p Phrases, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		p, err = selectPhrases(ctx, tx, authz.SubjectFrom(ctx).Practitioner)
		return err
	})
	return p, err
}

// KeepPhrases puts the doctor's own in place of what there was.
func (s *Teleconsults) KeepPhrases(ctx context.Context, p Phrases) (Phrases, error) {
	err := s.inTx(ctx, func(tx tx) error { return putPhrases(ctx, tx, authz.SubjectFrom(ctx).Practitioner, p, s.Now()) })
	if err != nil {
		return Phrases{}, err
	}
	return s.Phrases(ctx)
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
	return putDocumentSignature(ctx, tx, id, kind, signer, d.Version, signature)
}
