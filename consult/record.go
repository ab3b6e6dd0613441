package consult

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"

	"github.com/gowebpki/jcs"

	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/pg"
)

// RecordText is what the doctor writes.
type RecordText struct {
	ChiefComplaint string      `json:"chief_complaint" maxLength:"500"`
	PresentIllness string      `json:"present_illness" maxLength:"10000"`
	Assessment     string      `json:"assessment" maxLength:"10000"`
	Plan           string      `json:"plan" maxLength:"10000"`
	Diagnoses      []Diagnosis `json:"diagnoses" maxItems:"20" doc:"The main one first"`
}

// Diagnosis is coded in ICD-10; the name is the table's.
type Diagnosis struct {
	ICD10 string `json:"icd10" maxLength:"10"`
	Name  string `json:"name,omitempty" maxLength:"200"`
}

// Record is the newest version of a visit's record.
type Record struct {
	RecordText
	Version   int        `json:"version"` // 0: nothing written yet
	SHA256    string     `json:"sha256,omitempty" doc:"Of the bytes that are signed (RFC 8785), hex"`
	Canonical string     `json:"canonical,omitempty" doc:"Exactly what is signed"`
	WrittenAt *time.Time `json:"written_at,omitempty"`
	SignedAt  *time.Time `json:"signed_at,omitempty"`
	KeyID     string     `json:"key_id,omitempty"`
	Signature []byte     `json:"signature,omitempty"`
}

// recordDocument is what is signed: the text with all that makes it this visit's record.
type recordDocument struct {
	Type         string           `json:"type"`
	Visit        ids.Visit        `json:"visit"`
	Version      int              `json:"version"`
	Person       ids.Person       `json:"person"`
	PersonName   string           `json:"person_name"`
	Sex          string           `json:"sex"`
	Age          int              `json:"age"`
	Practitioner ids.Practitioner `json:"practitioner"`
	DoctorName   string           `json:"doctor_name"`
	Institution  ids.Institution  `json:"institution"`
	PlaceName    string           `json:"institution_name"`
	Department   string           `json:"department"`
	Kind         string           `json:"kind"`
	Start        time.Time        `json:"start"`
	Decision     ids.Decision     `json:"decision"`
	Written      time.Time        `json:"written_at"`
	Text         RecordText       `json:"text"`
}

var recordSigned = fault.New(fault.Conflict, "record_signed", "病历已签名，不能再改。", "The record is signed and can't be changed.").
	WithRemedy("需要更正时请写补充病历。", "To correct it, write an amendment.")

// Record reads the newest version.
func (s *Service) Record(ctx context.Context, id ids.Visit) (r Record, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		if _, err := s.visit(ctx, tx, id); err != nil {
			return err
		}
		r, err = newestRecord(ctx, tx, id)
		return err
	})
	return r, err
}

// WriteRecord stores the next version with the bytes that will be signed. based is the
// version that the writer saw; if there is a newer one nothing is written.
func (s *Service) WriteRecord(ctx context.Context, id ids.Visit, text RecordText, based int) (r Record, err error) {
	codes := []string{}
	for i, d := range text.Diagnoses {
		name, ok := icd10Name(d.ICD10)
		if !ok {
			return Record{}, fault.New(fault.Invalid, "icd10_unknown", "没有这个诊断编码："+d.ICD10, "There is no such diagnosis code: "+d.ICD10).
				WithRemedy("请从列表里选择诊断。", "Please choose the diagnosis from the list.")
		}
		text.Diagnoses[i].Name = name.ZH
		codes = append(codes, d.ICD10)
	}
	err = s.inTx(ctx, func(tx tx) error {
		v, err := s.find(ctx, tx, id)
		if err != nil {
			return err
		}
		if !slices.Contains([]State{InConsult, Interrupted, Emergency}, v.State) { // of an emergency: what was seen and handed over
			return movedOn(v)
		}
		newest, err := newestRecord(ctx, tx, id)
		switch {
		case err != nil:
			return err
		case newest.SignedAt != nil:
			return recordSigned
		case newest.Version != based:
			return recordMovedOn
		}
		doc := recordDocument{"yuanzhen.record.1", v.ID, based + 1, v.Person.ID, v.Person.Name, v.Person.Sex, v.Person.Age, v.Doctor.ID, v.Doctor.Name,
			v.Institution.ID, v.Institution.Name, v.Department, v.Kind, v.Start.UTC(), v.Decision.ID, s.Now().UTC().Truncate(time.Second), text}
		canonical, sum, err := canonicalBytes(doc)
		if err != nil {
			return err
		}
		if err := insertRecord(ctx, tx, v, based+1, canonical, sum, codes, s.Now()); err != nil {
			return err
		}
		if r, err = newestRecord(ctx, tx, id); err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Entry{Action: "record.write", Object: "visit/" + id.String(), Person: v.Person.ID, Place: v.Institution.ID})
	})
	if pg.Violates(err, "record_version") {
		err = recordMovedOn
	}
	return r, err
}

var recordMovedOn = fault.New(fault.Conflict, "record_moved_on", "病历在别的窗口改过了。", "The record was changed in another window.").
	WithRemedy("请刷新后合并您的修改。", "Please refresh and merge your changes.")

// canonicalBytes is a document as it is stored and signed (RFC 8785), and its SHA-256 in hex.
func canonicalBytes(doc any) (canonical []byte, sum string, err error) {
	plain, err := json.Marshal(doc)
	if err != nil {
		return nil, "", err
	}
	if canonical, err = jcs.Transform(plain); err != nil {
		return nil, "", err
	}
	hash := sha256.Sum256(canonical)
	return canonical, hex.EncodeToString(hash[:]), nil
}

// SignRecord signs the stored bytes of the newest version with the doctor's own key. sum is the
// hash of the bytes that the doctor saw.
func (s *Service) SignRecord(ctx context.Context, id ids.Visit, sum, passphrase string) (r Record, err error) {
	var v Visit
	err = s.inTx(ctx, func(tx tx) error {
		if v, err = s.find(ctx, tx, id); err != nil {
			return err
		}
		if r, err = newestRecord(ctx, tx, id); err != nil {
			return err
		}
		switch {
		case r.SignedAt != nil:
			return recordSigned
		case r.Version == 0 || r.SHA256 != sum:
			return recordMovedOn
		case len(r.Diagnoses) == 0 || r.ChiefComplaint == "" || r.Assessment == "" || r.Plan == "":
			return fault.New(fault.Invalid, "record_incomplete", "病历还缺主诉、诊断、评估或处理。", "Chief complaint, diagnosis, assessment or plan is missing.").
				WithRemedy("请补全后再签名。", "Please complete it before signing.")
		}
		sig, err := s.Keys.Sign(ctx, tx, authz.SubjectFrom(ctx).Practitioner, passphrase, []byte(r.Canonical))
		if err != nil {
			return err
		}
		if err := signRecord(ctx, tx, id, r.Version, sig); err != nil {
			return err
		}
		if r, err = newestRecord(ctx, tx, id); err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Entry{Action: "record.sign", Object: "visit/" + id.String(), Person: v.Person.ID, Place: v.Institution.ID})
	})
	if err == nil {
		s.tell("visit.changed", v)
	}
	return r, err
}
