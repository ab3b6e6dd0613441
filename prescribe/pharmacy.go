package prescribe

import (
	"context"
	"io"
	"slices"
	"strings"
	"time"

	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/pg"
)

// Document is a paper of a pharmacy's application, uploaded before: who approves reads it.
type Document struct {
	Name   string `json:"name" minLength:"1" maxLength:"100" doc:"such as 药品经营许可证"`
	Number string `json:"number" minLength:"1" maxLength:"100"`
	SHA256 string `json:"sha256" pattern:"^[0-9a-f]{64}$" doc:"of the paper, as its upload answered"`
	Until  string `json:"until" format:"date"`
}

// Application is what an administrator hands in for a pharmacy (RXR-09).
type Application struct {
	Name          string     `json:"name" minLength:"1" maxLength:"100"`
	Code          string     `json:"code" pattern:"^[0-9A-Z]{18}$" doc:"unified social credit code (GB 32100)"`
	Region        string     `json:"region" pattern:"^[0-9]{6}$"`
	Address       string     `json:"address" minLength:"1" maxLength:"200"`
	Phone         string     `json:"phone" minLength:"1" maxLength:"40"`
	LicenceNo     string     `json:"licence_no" minLength:"1" maxLength:"60"`
	BusinessScope string     `json:"business_scope" minLength:"1" maxLength:"300"`
	Pharmacist    string     `json:"pharmacist" minLength:"1" maxLength:"60" doc:"licensed pharmacist in charge"`
	Channels      []string   `json:"channels" minItems:"1" enum:"walk_in,online_retail,hospital_pickup"`
	LicenceUntil  string     `json:"licence_until" format:"date"`
	Documents     []Document `json:"documents" minItems:"1" maxItems:"20"`
}

// Pharmacy as administrators see it. Its state is what was decided; whether its licence holds today is computed.
type Pharmacy struct {
	ID            ids.Institution `json:"id"`
	Name          string          `json:"name"`
	Address       string          `json:"address"`
	Phone         string          `json:"phone"`
	Region        string          `json:"region"`
	LicenceNo     string          `json:"licence_no"`
	BusinessScope string          `json:"business_scope"`
	Pharmacist    string          `json:"pharmacist"`
	Channels      []string        `json:"channels"`
	Documents     []Document      `json:"documents"`
	LicenceUntil  time.Time       `json:"licence_until" doc:"of the licence or of another paper, whichever ends first"`
	Reading
	State     string  `json:"state" enum:"applied,approved,due,unchecked,refused,suspended,expired" doc:"due: approved, and its papers have to be read again; unchecked: nobody did within the grace"`
	AppliedBy string  `json:"applied_by"`
	FirstBy   *string `json:"first_by,omitempty"`
	SecondBy  *string `json:"second_by,omitempty"`
	Note      string  `json:"note" doc:"of the last deed"`
}

// Reading of a pharmacy's papers: when an administrator did it last, by when it is due again, and the last day on which
// the pharmacy may claim without it. All empty before the second approval.
type Reading struct {
	CheckedOn   *time.Time `json:"checked_on,omitempty"`
	RecheckBy   *time.Time `json:"recheck_by,omitempty"`
	ClaimsUntil *time.Time `json:"claims_until,omitempty"`
}

// PublicPharmacy is a line of the list from which patients choose, in the order of names: nobody is ranked, nothing
// is priced (RXR-12, RXR-13).
type PublicPharmacy struct {
	ID           ids.Institution `json:"id"`
	Name         string          `json:"name"`
	Address      string          `json:"address"`
	Phone        string          `json:"phone"`
	LicenceNo    string          `json:"licence_no"`
	Channels     []string        `json:"channels"`
	LicenceUntil time.Time       `json:"licence_until"`
	Reading
}

// Apply enters a pharmacy into the registry with its papers; two other administrators read them and approve it. One that
// was refused, suspended or whose papers ended applies again with new ones and is approved anew.
func (s *Service) Apply(ctx context.Context, a Application) (Pharmacy, error) {
	id := ids.New[ids.Institution]()
	err := s.inTx(ctx, func(tx tx) error {
		papers := ""
		for _, d := range a.Documents {
			if kept, err := selectPaper(ctx, tx, d.SHA256); err != nil || kept.ObjectKey == "" {
				return orNoPaper(err)
			}
			a.LicenceUntil = min(a.LicenceUntil, d.Until)
			papers += d.Name + " " + d.Number + " " + d.SHA256[:12] + " "
		}
		found, err := institutionByCode(ctx, tx, a.Code)
		if err != nil {
			return err
		}
		if !found.IsZero() {
			id = found // a hospital's own dispensary, or a second try
		} else if err := insertInstitution(ctx, tx, id, a); err != nil {
			return err
		}
		account := authz.SubjectFrom(ctx).Account
		applied, err := insertPharmacy(ctx, tx, id, a, account, s.Now())
		if err != nil {
			return err
		}
		if !applied {
			return fault.New(fault.Conflict, "pharmacy_known", "这家药店已在名录中。", "This pharmacy is in the registry already.").
				WithRemedy("请在名录中查看。", "Please look in the registry.")
		}
		return s.pharmacyDeed(ctx, tx, id, "apply", strings.TrimSpace(papers))
	})
	if pg.Violates(err, "pharmacy_licence_no_key") {
		return Pharmacy{}, fault.New(fault.Conflict, "licence_known", "这个许可证号已属于另一家药店。", "Another pharmacy has this licence.").
			WithRemedy("请核对许可证号。", "Check the number of the licence.")
	}
	if err != nil {
		return Pharmacy{}, err
	}
	return s.pharmacy(ctx, id)
}

// ApprovePharmacy is one of the two approvals. Who applied, and who approved before, can't.
func (s *Service) ApprovePharmacy(ctx context.Context, id ids.Institution) (Pharmacy, error) {
	err := s.inTx(ctx, func(tx tx) error {
		deed, err := approvePharmacy(ctx, tx, id, authz.SubjectFrom(ctx).Account, s.Now())
		if err != nil {
			return err
		}
		if deed == "" {
			return fault.New(fault.Conflict, "cannot_approve", "您不能批准：须由申请人以外的两位管理员先后批准，许可证须在有效期内。",
				"You can't approve this: two administrators other than the applicant approve in turn, and the licence must be in date.").
				WithRemedy("请由另一位管理员批准，或更新许可证。", "Ask another administrator, or renew the licence.")
		}
		return s.pharmacyDeed(ctx, tx, id, deed, "")
	})
	if err != nil {
		return Pharmacy{}, err
	}
	return s.pharmacy(ctx, id)
}

// RecheckPharmacy records that the papers of an approved pharmacy were read again and hold (RXR-09). Not by who applied for it.
func (s *Service) RecheckPharmacy(ctx context.Context, id ids.Institution, note string) (Pharmacy, error) {
	err := s.inTx(ctx, func(tx tx) error {
		done, err := recheckPharmacy(ctx, tx, id, authz.SubjectFrom(ctx).Account, s.Now())
		if err != nil {
			return err
		}
		if !done {
			return fault.New(fault.Conflict, "cannot_recheck", "您不能复核：须由登记人以外的管理员复核，药店须已获批准，证件须在有效期内。",
				"You can't recheck this: an administrator other than the applicant does, of an approved pharmacy whose papers are in date.").
				WithRemedy("请由另一位管理员复核；证件已到期的，重新登记。", "Ask another administrator; if a paper has ended, enter the pharmacy anew.")
		}
		return s.pharmacyDeed(ctx, tx, id, "recheck", note)
	})
	if err != nil {
		return Pharmacy{}, err
	}
	return s.pharmacy(ctx, id)
}

// ClosePharmacy refuses an application or suspends at once; from then on nothing can be claimed. A suspended pharmacy
// comes back only through two new approvals.
func (s *Service) ClosePharmacy(ctx context.Context, id ids.Institution, note string) (Pharmacy, error) {
	err := s.inTx(ctx, func(tx tx) error {
		deed, err := closePharmacy(ctx, tx, id)
		if err != nil {
			return err
		}
		if deed == "" {
			return fault.Missing()
		}
		return s.pharmacyDeed(ctx, tx, id, deed, note)
	})
	if err != nil {
		return Pharmacy{}, err
	}
	return s.pharmacy(ctx, id)
}

func (s *Service) pharmacyDeed(ctx context.Context, tx tx, id ids.Institution, deed, note string) error {
	if err := insertPharmacyEvent(ctx, tx, id, authz.SubjectFrom(ctx).Account, deed, note, s.Now()); err != nil {
		return err
	}
	return audit.Write(ctx, tx, audit.Entry{Action: authz.ScopeFrom(ctx).Action, Object: "pharmacy/" + id.String(), Place: id, Reason: deed})
}

func (s *Service) pharmacy(ctx context.Context, id ids.Institution) (Pharmacy, error) {
	list, err := selectPharmacies(ctx, s.DB, id, s.Now())
	if err != nil || len(list) == 0 {
		return Pharmacy{}, err
	}
	return list[0], nil
}

// Pharmacies is the whole registry.
func (s *Service) Pharmacies(ctx context.Context) ([]Pharmacy, error) {
	return selectPharmacies(ctx, s.DB, ids.Institution{}, s.Now())
}

// PharmacyPaper opens one of a pharmacy's papers.
func (s *Service) PharmacyPaper(ctx context.Context, id ids.Institution, sha256 string) (kept keptPaper, file io.ReadCloser, err error) {
	ph, err := s.pharmacy(ctx, id)
	if err != nil {
		return kept, nil, err
	}
	if !slices.ContainsFunc(ph.Documents, func(d Document) bool { return d.SHA256 == sha256 }) {
		return kept, nil, fault.Missing()
	}
	return s.openPaper(ctx, sha256, "pharmacy/"+id.String(), id)
}

// OpenPharmacies are those where a prescription can be collected today.
func (s *Service) OpenPharmacies(ctx context.Context) ([]PublicPharmacy, error) {
	return selectOpenPharmacies(ctx, s.DB, s.Now())
}
