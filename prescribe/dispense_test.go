package prescribe

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"yuanzhen/internal/authz"
	"yuanzhen/internal/ids"
	"yuanzhen/prescribe/check"
)

// market is a clinic with two approved pharmacies and three administrators.
type market struct {
	*clinic
	admins [3]*authz.Subject
	shops  [2]*authz.Subject // their pharmacists
	ids    [2]ids.Institution
}

func (c *clinic) application(n int) Application {
	return Application{Name: fmt.Sprintf("%d号药店", n), Code: fmt.Sprintf("91420100MA%08d", n), Region: "420102", Address: "街", Phone: "027", LicenceNo: fmt.Sprintf("鄂DA%d", n),
		BusinessScope: "处方药零售", Pharmacist: "马兰", Channels: []string{"walk_in", "online_retail"}, LicenceUntil: "2028-01-01",
		Documents: []Document{{Name: "药品经营许可证", Number: "1", SHA256: c.paper(), Until: "2028-01-01"}}}
}

// paper is one that was uploaded.
func (c *clinic) paper() string {
	c.t.Helper()
	sum := strings.Repeat("ab", 32)
	c.exec(`INSERT INTO policy_file (sha256, institution_id, object_key, file_name, content_type, size, account_id, kept_at)
	        VALUES ($1, $2, 'k', '许可证.pdf', 'application/pdf', 9, $3, now()) ON CONFLICT DO NOTHING`, sum, c.place, c.doctor.Account)
	return sum
}

func newMarket(t *testing.T) *market {
	m := &market{clinic: newClinic(t)}
	for i := range m.admins {
		m.admins[i] = &authz.Subject{Account: ids.New[ids.Account](), Memberships: []authz.Membership{{Role: authz.Administrator, Place: m.place}}}
		m.exec(`INSERT INTO account (id, kind, name, login, password_hash, totp_sealed) VALUES ($1, 'staff', $2, $2, '', '')`, m.admins[i].Account, fmt.Sprint("管理员", i))
	}
	for i := range m.shops {
		ph, err := m.Apply(m.as(m.admins[0], "pharmacy.apply"), m.application(i))
		if err != nil {
			t.Fatal(err)
		}
		for _, admin := range m.admins[1:] {
			if ph, err = m.ApprovePharmacy(m.as(admin, "pharmacy.approve"), ph.ID); err != nil {
				t.Fatal(err)
			}
		}
		if ph.State != "approved" {
			t.Fatalf("%+v", ph)
		}
		m.ids[i] = ph.ID
		m.shops[i] = &authz.Subject{Account: ids.New[ids.Account](), Memberships: []authz.Membership{{Role: authz.Pharmacist, Place: ph.ID}}}
		m.exec(`INSERT INTO account (id, kind, name, login, password_hash, totp_sealed) VALUES ($1, 'staff', $2, $2, '', '')`, m.shops[i].Account, fmt.Sprint("店员", i))
	}
	return m
}

func (m *market) approved(o Order) Prescription {
	m.t.Helper()
	p, err := m.review(m.signed(o), pass())
	if err != nil {
		m.t.Fatal(err)
	}
	return p
}

func (m *market) code(p Prescription, part int) string {
	m.t.Helper()
	c, err := m.NewCode(m.as(m.family, "prescription.collect"), p.ID, part)
	if err != nil {
		m.t.Fatal(err)
	}
	return c.Code
}

func (m *market) claimBy(shop int, code string) (Claim, error) {
	return m.ClaimPart(m.as(m.shops[shop], "prescription.claim"), Claiming{Code: code, Channel: "walk_in"})
}

func (m *market) hand(shop int, part ids.Part, lines ...HandOut) (Claim, error) {
	return m.Dispense(m.as(m.shops[shop], "prescription.claim"), part, Dispensing{Lines: lines, Counselled: true})
}

func (m *market) part(p Prescription, n int) Part {
	m.t.Helper()
	p, err := m.Prescription(m.as(m.family, "prescription.read"), p.ID)
	if err != nil {
		m.t.Fatal(err)
	}
	return p.Parts[n-1]
}

func TestAPharmacyNeedsTwoOthers(t *testing.T) {
	m := newMarket(t)
	ph, err := m.Apply(m.as(m.admins[0], "pharmacy.apply"), m.application(7))
	if err != nil || ph.State != "applied" {
		t.Fatalf("%+v, %v", ph, err)
	}
	if _, err := m.Apply(m.as(m.admins[1], "pharmacy.apply"), m.application(7)); code(err) != "pharmacy_known" {
		t.Errorf("twice: %v", err)
	}
	approve := func(by int) error {
		_, err := m.ApprovePharmacy(m.as(m.admins[by], "pharmacy.approve"), ph.ID)
		return err
	}
	if code(approve(0)) != "cannot_approve" {
		t.Error("the applicant approved")
	}
	if err := approve(1); err != nil {
		t.Fatal(err)
	}
	if code(approve(1)) != "cannot_approve" {
		t.Error("the same administrator approved twice")
	}
	if open, _ := m.OpenPharmacies(t.Context()); len(open) != 2 {
		t.Errorf("half approved stands on the public list: %d", len(open))
	}
	if err := approve(2); err != nil {
		t.Fatal(err)
	}
	if open, _ := m.OpenPharmacies(t.Context()); len(open) != 3 {
		t.Errorf("%d on the public list", len(open))
	}
	if ph, err = m.ClosePharmacy(m.as(m.admins[0], "pharmacy.close"), ph.ID, "抽查不合格"); err != nil || ph.State != "suspended" || ph.Note != "抽查不合格" {
		t.Fatalf("%+v, %v", ph, err)
	}
	m.now = time.Date(2028, 1, 2, 10, 0, 0, 0, m.now.Location())
	if open, _ := m.OpenPharmacies(t.Context()); len(open) != 0 {
		t.Errorf("%d on the list after the licences ended", len(open))
	}
	if list, err := m.Pharmacies(t.Context()); err != nil || len(list) != 3 || list[0].State != "expired" || list[2].State != "suspended" {
		t.Errorf("%+v, %v", list, err)
	}
}

// A hundred pharmacies' clicks, one code, one claim; who comes second is told who was first.
func TestAPharmacyComesBackWithNewPapers(t *testing.T) {
	m := newMarket(t)
	apply := func(by int, a Application) (Pharmacy, error) { return m.Apply(m.as(m.admins[by], "pharmacy.apply"), a) }
	a := m.application(8)
	a.Documents = append(a.Documents, Document{Name: "执业药师注册证", Number: "2", SHA256: m.paper(), Until: "2027-06-30"})
	ph, err := apply(0, a)
	if err != nil || ph.LicenceUntil.Format(time.DateOnly) != "2027-06-30" {
		t.Fatalf("the paper that ends first counts: %+v, %v", ph, err)
	}
	a.Documents[1].SHA256 = strings.Repeat("0", 64)
	if _, err := apply(0, a); code(err) != "paper_missing" {
		t.Errorf("a paper that nobody uploaded: %v", err)
	}
	again := m.application(1) // approved, in date
	if _, err := apply(1, again); code(err) != "pharmacy_known" {
		t.Errorf("in date: %v", err)
	}
	again.Code, again.LicenceNo = "91420100MA99999999", m.application(0).LicenceNo
	if _, err := apply(1, again); code(err) != "licence_known" {
		t.Errorf("another's licence: %v", err)
	}
	m.now = time.Date(2028, 1, 2, 10, 0, 0, 0, m.now.Location())
	renewed := m.application(1)
	renewed.LicenceUntil, renewed.Documents[0].Until = "2033-01-01", "2033-01-01"
	if ph, err = apply(1, renewed); err != nil || ph.State != "applied" || ph.FirstBy != nil || ph.ID != m.ids[1] {
		t.Fatalf("after its licence ended: %+v, %v", ph, err)
	}
	for _, by := range []int{0, 2} {
		if ph, err = m.ApprovePharmacy(m.as(m.admins[by], "pharmacy.approve"), ph.ID); err != nil {
			t.Fatal(err)
		}
	}
	if ph.State != "approved" {
		t.Errorf("%+v", ph)
	}
	if _, _, err := m.PharmacyPaper(m.as(m.admins[0], "pharmacy.read"), ph.ID, strings.Repeat("0", 64)); code(err) != "not_found" {
		t.Errorf("somebody else's paper: %v", err)
	}
}

func TestOneClaimWins(t *testing.T) {
	m := newMarket(t)
	p := m.approved(renewal())
	codeOf := m.code(p, 1)
	contexts := []func() (Claim, error){func() (Claim, error) { return m.claimBy(0, codeOf) }, func() (Claim, error) { return m.claimBy(1, codeOf) }}
	if _, err := contexts[0](); err != nil {
		t.Fatal(err)
	}
	if err := m.Release(m.as(m.shops[0], "prescription.claim"), m.part(p, 1).ID); err != nil {
		t.Fatal(err)
	}
	var won [2]atomic.Int32
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			if _, err := contexts[i%2](); err == nil {
				won[i%2].Add(1)
			} else if code(err) != "already_claimed" {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if (won[0].Load() > 0) == (won[1].Load() > 0) {
		t.Fatalf("claims: %d and %d", won[0].Load(), won[1].Load())
	}
	var claims int
	if err := m.db.QueryRow(t.Context(), `SELECT count(*) FROM dispense_event WHERE deed = 'claim'`).Scan(&claims); err != nil || claims != 2 {
		t.Errorf("%d claims, one before the release and one after; %v", claims, err)
	}
	loser := 0
	if won[0].Load() > 0 {
		loser = 1
	}
	_, err := m.claimBy(loser, codeOf)
	if code(err) != "already_claimed" || !strings.Contains(err.Error(), fmt.Sprintf("%d号药店", 1-loser)) {
		t.Errorf("the second is told the first: %v", err)
	}
}

func TestDispensingByLine(t *testing.T) {
	m := newMarket(t)
	p := m.approved(renewal())
	first := m.code(p, 1)
	second := m.code(p, 1)
	if _, err := m.claimBy(0, first); code(err) != "code_unknown" {
		t.Errorf("the older code: %v", err)
	}
	c, err := m.claimBy(0, strings.ToLower(second[:8]+" "+second[8:]))
	if err != nil || len(c.Lines) != 2 || c.Patient != "赵建华" || c.Lines[0].Days != 28 || c.Lines[0].Remain != 28 {
		t.Fatalf("%+v, %v", c, err)
	}
	if _, err := m.NewCode(m.as(m.family, "prescription.collect"), p.ID, 1); code(err) != "part_not_ready" {
		t.Errorf("a new code while a pharmacy prepares it: %v", err)
	}
	if _, err := m.Cancel(m.as(m.doctor, "prescription.write"), p.ID); code(err) != "being_dispensed" {
		t.Errorf("cancelled under the pharmacy's hands: %v", err)
	}
	if _, err := m.hand(1, c.PartID, HandOut{Line: 1, Days: 28, Lot: "A", Trace: []string{"t1"}}); code(err) != "claim_lapsed" {
		t.Errorf("another pharmacy: %v", err)
	}
	if _, err := m.hand(0, c.PartID, HandOut{Line: 1, Days: 29, Lot: "A", Trace: []string{"t1"}}); code(err) != "more_than_prescribed" {
		t.Errorf("a day too many: %v", err)
	}
	if _, err := m.hand(0, c.PartID, HandOut{Line: 3, Days: 1, Lot: "A", Trace: []string{"t1"}}); code(err) != "no_such_line" {
		t.Errorf("a line too many: %v", err)
	}
	if _, err := m.Dispense(m.as(m.shops[0], "prescription.claim"), c.PartID, Dispensing{Lines: []HandOut{{Line: 1, Days: 1, Lot: "A", Trace: []string{"x"}}}}); code(err) != "counsel_first" {
		t.Errorf("without a word: %v", err)
	}
	m.published = nil
	c, err = m.hand(0, c.PartID, HandOut{Line: 1, Days: 28, Lot: "A1", Trace: []string{"t1", "t2"}})
	if len(m.published) != 1 || m.published[0].ID != p.ID.String() {
		t.Errorf("the patient's screen is told %+v", m.published)
	}
	if err != nil || c.State != "ready" || c.Lines[0].Remain != 0 || c.Lines[1].Remain != 28 {
		t.Fatalf("%+v, %v", c, err)
	}
	if _, err := m.claimBy(1, second); code(err) != "code_unknown" {
		t.Errorf("the used code for the rest: %v", err)
	}
	c, err = m.claimBy(1, m.code(p, 1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.hand(1, c.PartID, HandOut{Line: 2, Days: 28, Lot: "B1", Trace: []string{"t2"}}); code(err) != "trace_code_used" {
		t.Errorf("the same pack twice: %v", err)
	}
	if c, err = m.hand(1, c.PartID, HandOut{Line: 2, Days: 28, Lot: "B1", Trace: []string{"t3"}}); err != nil || c.State != "dispensed" {
		t.Fatalf("%+v, %v", c, err)
	}
	if p, _ = m.Prescription(m.as(m.family, "prescription.read"), p.ID); p.State != Dispensed {
		t.Errorf("all handed out: %s", p.State)
	}
	if v := m.verify(*p.row.EvidenceCode); v.Result != "used" {
		t.Errorf("verify: %+v", v)
	}
	told := len(m.published)
	if packs, err := m.Recall(m.as(m.admins[0], "prescription.recall"), Recalled{Lot: "A1", Reason: "杂质超标"}); err != nil || packs != 2 {
		t.Errorf("recall: %d packs, %v", packs, err)
	}
	if recalled := m.published[told:]; len(recalled) != 1 || recalled[0].ID != p.ID.String() || len(recalled[0].Accounts) != 1 {
		t.Errorf("the screens of who holds packs are told %+v", recalled)
	}
	if part := m.part(p, 1); len(part.Recalls) != 1 || part.Recalls[0].Lot != "A1" {
		t.Errorf("the patient sees the recall: %+v", part.Recalls)
	}
}

func TestWhoMayNotClaim(t *testing.T) {
	m := newMarket(t)
	p := m.approved(renewal())
	codeOf := m.code(p, 1)
	if _, err := m.ClaimPart(m.as(m.pharmacist, "prescription.claim"), Claiming{Code: codeOf, Channel: "walk_in"}); code(err) != "pharmacy_not_approved" {
		t.Errorf("a hospital that is no pharmacy: %v", err)
	}
	if _, err := m.ClaimPart(m.as(m.shops[0], "prescription.claim"), Claiming{Code: codeOf, Channel: "hospital_pickup"}); code(err) != "pharmacy_not_approved" {
		t.Errorf("a channel it does not have: %v", err)
	}
	if _, err := m.ClosePharmacy(m.as(m.admins[0], "pharmacy.close"), m.ids[0], "停业"); err != nil {
		t.Fatal(err)
	}
	if _, err := m.claimBy(0, codeOf); code(err) != "pharmacy_not_approved" {
		t.Errorf("suspended: %v", err)
	}
	for range wrongCodes {
		if _, err := m.claimBy(1, uuid.NewString()); code(err) != "code_unknown" {
			t.Fatal(err)
		}
	}
	if _, err := m.claimBy(1, codeOf); code(err) != "too_many_wrong_codes" {
		t.Errorf("guessing: %v", err)
	}
	m.now = m.now.Add(2 * time.Hour)
	c, err := m.claimBy(1, codeOf)
	if err != nil {
		t.Fatal(err)
	}
	m.now = m.now.Add(lease + time.Minute)
	if _, err := m.hand(1, c.PartID, HandOut{Line: 1, Days: 1, Lot: "A", Trace: []string{"x"}}); code(err) != "claim_lapsed" {
		t.Errorf("after the lease: %v", err)
	}
	m.now = m.now.AddDate(0, 0, 1)
	if _, err := m.claimBy(1, codeOf); code(err) != "not_collectable" {
		t.Errorf("past its day: %v", err)
	}
}

// A drug of the list of 2022 is handed over the counter, and not sent by online retail.
func TestChannelRules(t *testing.T) {
	m := newMarket(t)
	m.exec(`UPDATE condition SET icd10 = 'I48' WHERE icd10 = 'I10'`)
	m.facts.Evidence = []string{"I48"}
	p := m.approved(Order{Type: "general", Diagnosis: []string{"I48"}, Items: []Item{{Line: 1, Ingredient: "dabigatran", Dose: "110", Unit: "mg", PerDay: 2, Days: 7, Provenance: "typed"}}})
	codeOf := m.code(p, 1)
	if _, err := m.ClaimPart(m.as(m.shops[0], "prescription.claim"), Claiming{Code: codeOf, Channel: "online_retail"}); code(err) != "channel_not_allowed" || !slices.Contains(alertKeys(err), "R_NETSALE_LIST:dabigatran") {
		t.Fatalf("online: %v", err)
	}
	if part := m.part(p, 1); part.State != "ready" {
		t.Errorf("a refused claim holds nothing: %s", part.State)
	}
	if _, err := m.claimBy(0, codeOf); err != nil {
		t.Errorf("over the counter: %v", err)
	}
}

func plan() Order {
	o := renewal()
	o.DaysReason = "病情稳定，行动不便"
	o.Items = o.Items[:1]
	o.Items[0].Days = 84
	return o
}

func TestLongPlan(t *testing.T) {
	m := newMarket(t)
	told := &heard{}
	m.Notices = told
	p := m.approved(plan())
	if len(p.Parts) != 3 || p.Parts[0].State != "ready" || p.Parts[1].State != "waiting" || p.Parts[1].NotBefore != "2026-12-16" || p.Parts[2].Lines[0].Days != 28 {
		t.Fatalf("%+v", p.Parts)
	}
	patient := m.as(m.family, "prescription.collect")
	if _, err := m.NewCode(patient, p.ID, 1); code(err) != "plan_unconfirmed" {
		t.Errorf("before the patient's word: %v", err)
	}
	if _, err := m.ConfirmPlan(patient, p.ID); err != nil {
		t.Fatal(err)
	}
	c, err := m.claimBy(0, m.code(p, 1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.hand(0, c.PartID, HandOut{Line: 1, Days: 28, Lot: "A", Trace: []string{"t1"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := m.CheckInPart(patient, p.ID, CheckIn{Part: 2}); code(err) != "no_check_in" {
		t.Errorf("weeks too early: %v", err)
	}
	m.now = m.now.AddDate(0, 0, 26)
	if _, err := m.NewCode(patient, p.ID, 2); code(err) != "check_in_first" {
		t.Errorf("without the answers: %v", err)
	}
	p, err = m.CheckInPart(patient, p.ID, CheckIn{Part: 2, Systolic: 190})
	if err != nil || p.Parts[1].State != "paused" || p.Parts[2].State != "paused" {
		t.Fatalf("a red answer pauses the rest: %+v, %v", p.Parts, err)
	}
	if !sameAccounts(told.accounts, []ids.Account{m.doctor.Account, m.family.Account}) {
		t.Errorf("the prescriber and the family are told: %d messages", len(told.accounts))
	}
	if list, err := m.PausedPlans(m.as(m.doctor, "prescription.write")); err != nil || len(list) != 1 || list[0].Parts[1].Answers.Systolic != 190 {
		t.Errorf("the prescriber sees it with the answers: %+v, %v", list, err)
	}
	if list, err := m.PausedPlans(m.as(m.other, "prescription.write")); err != nil || len(list) != 0 {
		t.Errorf("another doctor does not: %+v, %v", list, err)
	}
	if _, err := m.NewCode(patient, p.ID, 2); code(err) != "part_paused" {
		t.Errorf("paused: %v", err)
	}
	if _, err := m.GoOn(m.as(m.other, "prescription.write"), p.ID); code(err) != "not_found" {
		t.Errorf("another doctor: %v", err)
	}
	if _, err := m.GoOn(m.as(m.doctor, "prescription.write"), p.ID); err != nil {
		t.Fatal(err)
	}
	if list, err := m.PausedPlans(m.as(m.doctor, "prescription.write")); err != nil || len(list) != 0 || len(told.accounts) != 3 {
		t.Errorf("it goes on and the family is told: %+v, %d messages, %v", list, len(told.accounts), err)
	}
	if _, err := m.CheckInPart(patient, p.ID, CheckIn{Part: 2, Systolic: 130}); err != nil {
		t.Fatal(err)
	}
	if _, err := m.claimBy(1, m.code(p, 2)); err != nil {
		t.Errorf("the second part at another pharmacy: %v", err)
	}
	m.now = m.now.AddDate(0, 0, 60)
	if part := m.part(p, 3); part.State != "expired" {
		t.Errorf("weeks too late: %s", part.State)
	}
}

// Two pharmacies want the same prescription at the same moment, again and again: each race has one winner.
func TestRacesForOnePrescription(t *testing.T) {
	m := newMarket(t)
	p := m.approved(renewal())
	codeOf := m.code(p, 1)
	const races = 200
	for race := range races {
		var won [2]bool
		var start, done sync.WaitGroup
		start.Add(1)
		for shop := range won {
			done.Go(func() {
				start.Wait()
				_, err := m.claimBy(shop, codeOf)
				if won[shop] = err == nil; !won[shop] && code(err) != "already_claimed" {
					t.Error(err)
				}
			})
		}
		start.Done()
		done.Wait()
		if won[0] == won[1] {
			t.Fatalf("race %d: %v", race, won)
		}
		winner := 0
		if won[1] {
			winner = 1
		}
		if err := m.Release(m.as(m.shops[winner], "prescription.claim"), p.Parts[0].ID); err != nil {
			t.Fatal(err)
		}
	}
	var claims int
	if err := m.db.QueryRow(t.Context(), `SELECT count(*) FROM dispense_event WHERE deed = 'claim'`).Scan(&claims); err != nil || claims != races {
		t.Errorf("%d claims in %d races, %v", claims, races, err)
	}
}

// A clinical hard stop is signed with a second person's signed reason for exactly this text; law and the unchecked never.
func TestSecondPerson(t *testing.T) {
	m := newMarket(t)
	m.exec(`INSERT INTO allergy (person_id, substance, name_zh, name_en, severity) VALUES ($1, 'ag_arb', 'ARB', 'ARB', 'severe')`, m.person)
	p := m.write(renewal())
	if p.Check.Decision != "block" {
		t.Fatal(p.Check.Decision)
	}
	p, err := m.AskSecond(m.as(m.doctor, "prescription.write"), p.ID)
	if err != nil || len(p.Seconds) != 1 || p.Seconds[0].Alert != "allergy:valsartan" {
		t.Fatalf("%+v, %v", p.Seconds, err)
	}
	asked, err := m.Seconds(m.as(m.pharmacist, "prescription.second"))
	if err != nil || len(asked) != 1 || asked[0].ID != p.ID {
		t.Fatalf("%d asked, %v", len(asked), err)
	}
	act := Seconding{SHA256: p.SHA256, Agrees: true, Reason: "脱敏后耐受，已核对", Passphrase: passphrase}
	if _, err := m.GiveSecond(m.as(m.doctor, "prescription.second"), p.ID, act); code(err) != "second_is_another" {
		t.Errorf("the prescriber seconds: %v", err)
	}
	disagree := act
	disagree.Agrees = false
	o := renewal()
	o.Items[0].Dose = "10"
	if p, err = m.GiveSecond(m.as(m.pharmacist, "prescription.second"), p.ID, disagree); err != nil {
		t.Fatal(err)
	}
	if _, err := m.sign(p); code(err) != "prescription_blocked" {
		t.Errorf("over a no: %v", err)
	}
	if p, err = m.Save(m.as(m.doctor, "prescription.write"), p.ID, o); err != nil || len(p.Seconds) != 0 {
		t.Fatalf("another text has no second: %+v, %v", p.Seconds, err)
	}
	m.reads(p)
	if _, err := m.sign(p); code(err) != "prescription_blocked" {
		t.Errorf("without a second: %v", err)
	}
	if p, err = m.AskSecond(m.as(m.doctor, "prescription.write"), p.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := m.GiveSecond(m.as(m.pharmacist, "prescription.second"), p.ID, act); code(err) != "prescription_moved_on" {
		t.Errorf("the older text: %v", err)
	}
	act.SHA256 = p.SHA256
	if p, err = m.GiveSecond(m.as(m.pharmacist, "prescription.second"), p.ID, act); err != nil || p.Seconds[0].By != "刘芳" {
		t.Fatalf("%+v, %v", p.Seconds, err)
	}
	if p, err = m.sign(p); err != nil {
		t.Fatal(err)
	}
	if p, err = m.review(p, pass()); err != nil {
		t.Fatalf("the pharmacist passes with that reason: %v", err)
	}
	if f := m.prove(p); len(f.Faults) > 0 {
		t.Errorf("with an older word on an older text: %+v", f)
	}

	if clinicalStop(check.Alert{Type: "R_CTRL_ONLINE", Severity: 3}) || clinicalStop(check.Alert{Type: check.NotChecked, Severity: 3}) {
		t.Error("law and the unchecked are no clinical stop")
	}
}

func TestQualityFigures(t *testing.T) {
	m := newMarket(t)
	m.exec(`UPDATE visit SET started_at = $1`, m.now.Add(-20*time.Second))
	if _, err := m.review(m.signed(renewal()), Reviewing{Result: "return", ReasonCode: "dose", Note: "", Passphrase: passphrase}); err != nil {
		t.Fatal(err)
	}
	m.approved(renewal())
	q, err := m.Quality(m.as(m.admins[0], "prescription.quality"))
	if err != nil || q.Prescriptions != 2 || q.Reviewed != 2 || len(q.Returns) != 1 || q.Returns[0].Code != "dose" || len(q.Suspicious) != 2 || !q.Suspicious[0].Instant || q.Suspicious[0].Seconds != 20 {
		t.Fatalf("%+v, %v", q, err)
	}
}
