package consult_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/text/encoding/simplifiedchinese"

	"yuanzhen/consult"
	"yuanzhen/consult/schedule"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
)

type tx = pgx.Tx

// substitute is a second cardiologist of the first hospital.
func (w *town) substitute() ids.Practitioner {
	s := w.member("doctor", 0)
	id := ids.New[ids.Practitioner]()
	w.exec(`INSERT INTO practitioner (id, account_id, kind, name, title, title_rank, level, scope, national_register_found, assessment, independent_since, online_since)
		VALUES ($1, $2, 'physician', '何晓', '主治医师', 2, '执业医师', '{心血管内科}', true, 'passed', '2010-01-01', '2019-01-01')`, id, s.Account)
	w.exec(`INSERT INTO registration (id, practitioner_id, institution_id, kind, province, during, institution_consent) VALUES ($1, $2, $3, 'primary', '42', '[2020-01-01,2030-01-01)', true)`,
		ids.New[ids.Registration](), id, w.hospital[0])
	return id
}

func (w *town) slotsOf(doctor ids.Practitioner, place int, hour float64, n int) (slots []ids.Slot) {
	w.t.Helper()
	start := time.Date(2026, 6, 15, 0, 0, 0, 0, w.now.Location()).Add(time.Duration(hour * float64(time.Hour)))
	err := w.DB.InTx(w.t.Context(), func(tx tx) (err error) {
		slots, err = w.OfferSlots(w.t.Context(), tx, consult.Offer{Doctor: doctor, Place: w.hospital[place], Department: "心血管内科",
			Span: schedule.Span{Start: start, End: start.Add(time.Duration(n) * 15 * time.Minute)}, Length: 15 * time.Minute, FeeFen: 3000})
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return slots
}

func (w *town) template(place, weekday int, begins, ends string, purpose string) consult.NewTemplate {
	minute := func(s string) int {
		var h, m int
		for i, part := range strings.Split(s, ":") {
			n := int(part[0]-'0')*10 + int(part[1]-'0')
			if i == 0 {
				h = n
			} else {
				m = n
			}
		}
		return h*60 + m
	}
	return consult.NewTemplate{InstitutionID: w.hospital[place], Weekday: weekday, Begins: minute(begins), Ends: minute(ends), Minutes: 15, Mode: "on_site", Purpose: purpose,
		Department: "心血管内科", FeeFen: 2000, Every: 1, Since: "2026-06-01"}
}

func TestFilingsBecomeRegistrations(t *testing.T) {
	w := newTown(t)
	w.exec(`DELETE FROM registration WHERE institution_id = $1`, w.hospital[1])
	paper := consult.NewFiling{InstitutionID: w.hospital[1], Kind: "filed", From: "2026-06-01", Until: "2026-12-31", WayMin: 60, FileName: "备案.jpg", Document: jpeg}
	key := uuid.NewString()
	f, err := w.File(w.as(w.doctor, "filing.make"), paper, key)
	if err != nil || f.State != consult.FilingSubmitted || f.Until != "2026-12-31" {
		t.Fatalf("filed: %+v, %v", f, err)
	}
	if again, err := w.File(w.as(w.doctor, "filing.make"), paper, key); err != nil || again.ID != f.ID {
		t.Errorf("again: %v", err)
	}
	if _, err := w.File(w.as(w.doctor, "filing.make"), paper, uuid.NewString()); code(err) != "filing_open" {
		t.Errorf("a second one: %v", err)
	}
	if _, err := w.offer(1, 14, 1); code(err) != "doctor_not_registered" {
		t.Errorf("not confirmed, and a slot was opened: %v", err)
	}
	here, there := w.member("administrator", 1), w.member("administrator", 0)
	if _, err := w.SettleFiling(w.as(there, "filing.settle"), f.ID, consult.FilingAnswer{Result: "confirmed"}, uuid.NewString()); fault.KindOf(err) != fault.NotFound {
		t.Errorf("another hospital's administrator: %v", err)
	}
	if _, err := w.SettleFiling(w.as(here, "filing.settle"), f.ID, consult.FilingAnswer{Result: "refused"}, uuid.NewString()); code(err) != "reason_missing" {
		t.Errorf("refused without a reason: %v", err)
	}
	if _, file, err := w.FilingDocument(w.as(here, "filing.read"), f.ID); err != nil {
		t.Errorf("the paper: %v", err)
	} else {
		file.Close()
	}
	if f, err = w.SettleFiling(w.as(here, "filing.settle"), f.ID, consult.FilingAnswer{Result: "confirmed"}, uuid.NewString()); err != nil || f.State != consult.FilingConfirmed {
		t.Fatalf("confirmed: %+v, %v", f, err)
	}
	if _, err := w.SettleFiling(w.as(here, "filing.settle"), f.ID, consult.FilingAnswer{Result: "refused", Note: "x"}, uuid.NewString()); code(err) != "filing_settled" {
		t.Errorf("settled twice: %v", err)
	}
	if _, err := w.offer(1, 14, 1); err != nil {
		t.Errorf("confirmed, and no slot: %v", err)
	}
	for _, c := range []struct{ story, change, kind, want string }{
		{"a second primary institution in the province", ``, "primary", "rule_MPP-01"},
		{"another province without a registration there", `UPDATE registration SET province = '31' WHERE kind = 'primary'`, "filed", "rule_MPP-04"},
		{"an assistant at a second place", `UPDATE practitioner SET level = '执业助理医师'`, "filed", "rule_MPP-07"},
	} {
		w := newTown(t)
		w.exec(`DELETE FROM registration WHERE institution_id = $1`, w.hospital[1])
		if c.change != "" {
			w.exec(c.change)
		}
		paper.InstitutionID, paper.Kind = w.hospital[1], c.kind
		f, err := w.File(w.as(w.doctor, "filing.make"), paper, uuid.NewString())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.SettleFiling(w.as(w.member("administrator", 1), "filing.settle"), f.ID, consult.FilingAnswer{Result: "confirmed"}, uuid.NewString()); code(err) != c.want {
			t.Errorf("%s: %v, want %s", c.story, err, c.want)
		}
		if n := one[int](w, `SELECT count(*) FROM filing WHERE state = 'submitted'`); n != 1 {
			t.Errorf("%s: the filing moved", c.story)
		}
	}
}

// A filing ends early: what was opened past it is blocked at once, its patients are told and refunded (MPP-08).
func TestAFilingThatEnds(t *testing.T) {
	w := newTown(t)
	notes := &told{}
	w.Notices = notes
	v := w.booked()
	id := one[ids.Registration](w, `SELECT id FROM registration WHERE institution_id = $1`, w.hospital[0])
	admin := w.member("administrator", 0)
	end := consult.EndingRegistration{LastDay: "2026-06-14", Reason: "离职"}
	if _, err := w.EndRegistration(w.as(w.member("administrator", 1), "registration.end"), id, end, uuid.NewString()); fault.KindOf(err) != fault.NotFound {
		t.Errorf("another hospital: %v", err)
	}
	heard := maps.Clone(w.events.seen)
	done, err := w.EndRegistration(w.as(admin, "registration.end"), id, end, uuid.NewString())
	if err != nil || done.Slots != 1 || len(done.Visits) != 1 || !done.Visits[0].RefundDue {
		t.Fatalf("ended: %+v, %v", done, err)
	}
	if v, err := w.Visit(w.as(w.wang, "visit.read"), v.ID); err != nil || v.State != consult.Cancelled || v.CancelledBy != "hospital" || !v.RefundDue {
		t.Errorf("the visit: %+v, %v", v, err)
	}
	if !strings.Contains(notes.last(w.wang), "费用会退回") {
		t.Errorf("told: %q", notes.last(w.wang))
	}
	for _, kind := range []string{"filing.changed", "roster.changed", "visit.changed"} {
		if n := w.events.seen[kind] - heard[kind]; n != 1 {
			t.Errorf("screens heard %s %d times", kind, n)
		}
	}
	if _, err := w.offer(0, 15, 1); code(err) != "doctor_not_registered" {
		t.Errorf("a slot past the end: %v", err)
	}
	w.slots(1, 16, 2)
	w.exec(`UPDATE institution SET licence_until = '2026-06-14' WHERE id = $1`, w.hospital[1])
	rosters := w.events.seen["roster.changed"]
	if done, err := w.BlockLapsed(t.Context()); err != nil || done.Slots != 2 || w.events.seen["roster.changed"] != rosters+1 {
		t.Errorf("a licence that ended: %+v, %v, the roster's screens heard it %d times", done, err, w.events.seen["roster.changed"]-rosters)
	}
}

func TestWeeklySessions(t *testing.T) {
	w := newTown(t)
	plan := w.as(w.doctor, "roster.plan")
	add := func(n consult.NewTemplate) error {
		_, err := w.AddTemplate(plan, w.doctor.Practitioner, n, uuid.NewString())
		return err
	}
	w.exec(`UPDATE registration SET way_min = 60 WHERE institution_id = $1`, w.hospital[1])
	for _, c := range []struct {
		story string
		n     consult.NewTemplate
		want  string
	}{
		{"Monday morning's ward round at the main place", w.template(0, 1, "08:00", "09:00", "duty"), "done"},
		{"Monday at the main place after it", w.template(0, 1, "09:00", "12:00", "visit"), "done"},
		{"overlap at the same place", w.template(0, 1, "11:00", "13:00", "visit"), "doctor_elsewhere"},
		{"half an hour later at the other place, an hour away", w.template(1, 1, "12:30", "14:00", "visit"), "doctor_elsewhere"},
		{"an hour later at the other place", w.template(1, 1, "13:00", "14:00", "visit"), "done"},
		{"over the ward round", w.template(1, 1, "08:30", "08:45", "visit"), "primary_duty"},
		{"duty at a place that is not the main one", w.template(1, 3, "08:00", "09:00", "duty"), "duty_elsewhere"},
		{"to midnight", w.template(0, 2, "23:30", "24:00", "visit"), "done"},
	} {
		if err := add(c.n); code(err) != c.want {
			t.Errorf("%s: %v, want %s", c.story, err, c.want)
		}
	}
	done, err := w.Publish(plan, w.doctor.Practitioner, consult.Publication{From: "2026-06-15", Days: 14}, uuid.NewString())
	if err != nil {
		t.Fatal(err)
	}
	outcome := map[string]string{}
	for _, s := range done.Sessions {
		outcome[s.Start.In(w.now.Location()).Format("01-02 15:04")] = s.Outcome
	}
	for at, want := range map[string]string{"06-15 08:00": "past", "06-15 09:00": "opened", "06-15 13:00": "opened", "06-16 23:30": "opened", "06-22 08:00": "opened", "06-22 09:00": "opened"} {
		if outcome[at] != want {
			t.Errorf("%s: %q, want %s (%v)", at, outcome[at], want, outcome)
		}
	}
	if again, err := w.Publish(plan, w.doctor.Practitioner, consult.Publication{From: "2026-06-15", Days: 14}, uuid.NewString()); err != nil || again.Slots != 0 || again.Sessions[1].Outcome != "already" {
		t.Errorf("published twice: %+v, %v", again, err)
	}
	// The other hospital sees that the doctor is busy, and nothing more.
	v, err := w.Roster(w.as(w.member("coordinator", 1), "roster.plan"), w.doctor.Practitioner, "2026-06-22", 1)
	text, _ := json.Marshal(v.Sessions)
	if err != nil || len(v.Sessions) != 2 || !v.Sessions[0].Busy || v.Sessions[0].Institution != nil || v.Sessions[1].Busy || strings.Contains(string(text), w.hospital[0].String()) {
		t.Errorf("seen from elsewhere: %s, %v", text, err)
	}
	if len(v.Templates) != 1 || len(v.Places) != 1 {
		t.Errorf("templates %v, places %v", v.Templates, v.Places)
	}
	if _, err := w.Roster(w.as(&authz.Subject{Account: ids.New[ids.Account](), Memberships: []authz.Membership{{Role: "coordinator", Place: ids.New[ids.Institution]()}}}, "roster.plan"), w.doctor.Practitioner, "2026-06-22", 1); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a hospital without the doctor: %v", err)
	}
	own, err := w.Roster(plan, w.doctor.Practitioner, "2026-06-22", 1)
	if err != nil || slices.ContainsFunc(own.Sessions, func(s consult.RosterSession) bool { return s.Busy }) || len(own.Sessions) != 3 {
		t.Errorf("seen by the doctor: %+v, %v", own.Sessions, err)
	}
}

func TestHolidaysAndDaysOff(t *testing.T) {
	w := newTown(t)
	w.now = time.Date(2026, 9, 14, 8, 0, 0, 0, w.now.Location())
	plan := w.as(w.doctor, "roster.plan")
	for _, day := range []int{1, 2, 3, 4, 5} {
		if _, err := w.AddTemplate(plan, w.doctor.Practitioner, w.template(0, day, "09:00", "10:00", "visit"), uuid.NewString()); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.TakeDayOff(plan, w.doctor.Practitioner, consult.NewDayOff{Day: "2026-09-16", Reason: "学术会议"}, uuid.NewString()); err != nil {
		t.Fatal(err)
	}
	admin := w.as(w.member("administrator", 0), "calendar.set")
	if err := w.SetCalendarDay(admin, w.hospital[0], consult.CalendarDay{Day: "2026-09-17", Kind: "holiday", Name: "院庆"}, uuid.NewString()); err != nil {
		t.Fatal(err)
	}
	if err := w.SetCalendarDay(admin, w.hospital[1], consult.CalendarDay{Day: "2026-09-17", Kind: "holiday"}, uuid.NewString()); fault.KindOf(err) != fault.NotFound {
		t.Errorf("another hospital's calendar: %v", err)
	}
	done, err := w.Publish(plan, w.doctor.Practitioner, consult.Publication{From: "2026-09-14", Days: 28}, uuid.NewString())
	if err != nil {
		t.Fatal(err)
	}
	open := map[string]string{}
	for _, s := range done.Sessions {
		open[s.Day] = s.Outcome
	}
	for day, want := range map[string]string{
		"2026-09-15": "opened",
		"2026-09-16": "off",
		"2026-09-17": "",       // the hospital's own holiday
		"2026-09-20": "opened", // a Sunday that makes up for National Day
		"2026-09-25": "",       // Mid-Autumn
		"2026-10-01": "",       // National Day
		"2026-10-10": "opened", // a Saturday that makes up
	} {
		if open[day] != want {
			t.Errorf("%s: %q, want %q", day, open[day], want)
		}
	}
}

func TestADayOffIsTakenBack(t *testing.T) {
	w := newTown(t)
	w.now = time.Date(2026, 9, 14, 8, 0, 0, 0, w.now.Location())
	plan := w.as(w.doctor, "roster.plan")
	if _, err := w.AddTemplate(plan, w.doctor.Practitioner, w.template(0, 3, "09:00", "10:00", "visit"), uuid.NewString()); err != nil {
		t.Fatal(err)
	}
	publish := func() string {
		t.Helper()
		done, err := w.Publish(plan, w.doctor.Practitioner, consult.Publication{From: "2026-09-14", Days: 7}, uuid.NewString())
		if err != nil || len(done.Sessions) != 1 {
			t.Fatalf("%+v, %v", done, err)
		}
		return done.Sessions[0].Outcome
	}
	if err := w.TakeDayOff(plan, w.doctor.Practitioner, consult.NewDayOff{Day: "2026-09-16"}, uuid.NewString()); err != nil {
		t.Fatal(err)
	}
	if got := publish(); got != "off" {
		t.Fatalf("on a day off: %s", got)
	}
	view, err := w.Roster(plan, w.doctor.Practitioner, "2026-09-14", 7)
	if err != nil || len(view.Exceptions) != 1 {
		t.Fatalf("%+v, %v", view.Exceptions, err)
	}
	off := view.Exceptions[0].ID
	// the place is not asked: the day is the doctor's at all places
	if err := w.UndoDayOff(w.as(w.member("administrator", 0), "roster.plan"), off, uuid.NewString()); fault.KindOf(err) != fault.NotFound {
		t.Errorf("undone by a place: %v", err)
	}
	key := uuid.NewString()
	for range 2 { // the second is the same wish
		if err := w.UndoDayOff(plan, off, key); err != nil {
			t.Fatal(err)
		}
	}
	if got := publish(); got != "opened" {
		t.Errorf("after it was taken back: %s", got)
	}
	if err := w.UndoDayOff(plan, off, uuid.NewString()); fault.KindOf(err) != fault.NotFound {
		t.Errorf("taken back twice: %v", err)
	}
}

// Slots at the edges of the day and of the year belong to the day on the wall of the place.
func TestEdgesOfTheDay(t *testing.T) {
	w := newTown(t)
	w.now = time.Date(2026, 12, 28, 8, 0, 0, 0, w.now.Location())
	plan := w.as(w.doctor, "roster.plan")
	for _, n := range []consult.NewTemplate{w.template(0, 4, "23:30", "24:00", "visit"), w.template(0, 5, "00:00", "00:30", "visit")} {
		if _, err := w.AddTemplate(plan, w.doctor.Practitioner, n, uuid.NewString()); err != nil {
			t.Fatal(err)
		}
	}
	w.exec(`UPDATE registration SET during = '[2020-01-01,2026-12-31]' WHERE institution_id = $1`, w.hospital[0])
	done, err := w.Publish(plan, w.doctor.Practitioner, consult.Publication{From: "2026-12-28", Days: 7}, uuid.NewString())
	if err != nil {
		t.Fatal(err)
	}
	// Thursday 31 December to midnight lies within the registration that ends with the year. Friday is New Year's Day, a holiday.
	if len(done.Sessions) != 1 || done.Sessions[0].Outcome != "opened" || done.Sessions[0].Day != "2026-12-31" || done.Slots != 2 {
		t.Fatalf("published: %+v", done)
	}
	if err := w.SetCalendarDay(w.as(w.member("administrator", 0), "calendar.set"), w.hospital[0], consult.CalendarDay{Day: "2027-01-01", Kind: "ordinary", Name: "照常"}, uuid.NewString()); err != nil {
		t.Fatal(err)
	}
	done, err = w.Publish(plan, w.doctor.Practitioner, consult.Publication{From: "2026-12-28", Days: 7}, uuid.NewString())
	if err != nil || len(done.Sessions) != 2 || done.Sessions[1].Outcome != "refused" || done.Sessions[1].Rule != "MPP-03" {
		t.Fatalf("past the end of the registration: %+v, %v", done.Sessions, err)
	}
	w.exec(`UPDATE evidence SET dx_date = '2026-11-01'`)
	slot := one[ids.Slot](w, `SELECT id FROM slot ORDER BY lower(during) DESC LIMIT 1`)
	d, err := w.Eligibility(w.as(w.wang, "eligibility.ask"), w.wish(slot).Ask)
	if err != nil || d.Verdict.String() != "ALLOW" {
		t.Errorf("the slot that ends at midnight: %+v, %v", d.Reasons, err)
	}
}

func TestASickDay(t *testing.T) {
	w := newTown(t)
	notes, jobs := &told{}, &later{}
	w.Notices, w.Jobs = notes, jobs
	slots := w.slots(0, 11, 3)
	substitute := w.substitute()
	w.slotsOf(substitute, 0, 11.25, 1)
	neighbour, person := w.neighbour("李强二")
	for _, b := range []struct {
		s *authz.Subject
		b consult.Booking
	}{{w.wang, w.wish(slots[0])}, {neighbour, w.wishOf(person, slots[1])}} {
		if _, err := w.Book(w.as(b.s, "visit.book"), b.b); err != nil {
			t.Fatal(err)
		}
	}
	day := consult.Absence{PractitionerID: w.doctor.Practitioner, InstitutionID: w.hospital[0], From: w.now, Until: w.now.Add(12 * time.Hour), Substitute: substitute, DryRun: true}
	if _, err := w.CallIn(w.as(w.member("coordinator", 1), "roster.absence"), day, uuid.NewString()); fault.KindOf(err) != fault.NotFound {
		t.Errorf("another hospital: %v", err)
	}
	plan, err := w.CallIn(w.as(w.staff, "roster.absence"), day, uuid.NewString())
	if err != nil || plan.Slots != 3 || len(plan.Visits) != 2 || one[int](w, `SELECT count(*) FROM slot WHERE withdrawn_at IS NOT NULL`) != 0 {
		t.Fatalf("dry run: %+v, %v", plan, err)
	}
	rosters := w.events.seen["roster.changed"]
	notes.said, jobs.list = nil, nil
	day.DryRun = false
	key := uuid.NewString()
	done, err := w.CallIn(w.as(w.staff, "roster.absence"), day, key)
	if err != nil || done.Visits[0].MovedTo == nil || done.Visits[1].MovedTo != nil || !done.Visits[1].RefundDue {
		t.Fatalf("done: %+v, %v", done, err)
	}
	if again, err := w.CallIn(w.as(w.staff, "roster.absence"), day, key); err != nil || again.Slots != 3 {
		t.Errorf("again: %+v, %v", again, err)
	}
	if n := w.events.seen["roster.changed"] - rosters; n != 1 {
		t.Errorf("the roster's screens heard of it %d times", n)
	}
	if !strings.Contains(notes.last(w.wang), "何晓") || !strings.Contains(notes.last(neighbour), "取消") || len(notes.said[w.wang.Account]) != 1 {
		t.Errorf("told: %q, %q", notes.last(w.wang), notes.last(neighbour))
	}
	if r, ok := jobs.list[0].(consult.Reminder); !ok || !r.Start.Equal(done.Visits[0].MovedTo.Start) {
		t.Errorf("who was moved is reminded of the old time, or not at all: %+v", jobs.list)
	}
	if n := one[int](w, `SELECT count(*) FROM visit WHERE practitioner_id = $1 AND state = 'booked' AND moved_reason = 'doctor_ill'`, substitute); n != 1 {
		t.Errorf("%d moved", n)
	}
	w.invariants()
}

func TestCalendarFeed(t *testing.T) {
	w := newTown(t)
	w.booked()
	f, err := w.OpenFeed(w.as(w.doctor, "calendar.feed"))
	if err != nil {
		t.Fatal(err)
	}
	token := strings.TrimSuffix(strings.TrimPrefix(f.Path, "/api/v1/calendars/"), ".ics")
	doc, err := w.ICS(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	text := string(doc)
	for _, want := range []string{"BEGIN:VCALENDAR\r\n", "DTSTART:20260615T023000Z\r\n", "DTEND:20260615T024500Z\r\n", "LOCATION:医院0\r\n", "END:VCALENDAR\r\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	for _, never := range []string{"王秀英", "I10", "降压"} {
		if strings.Contains(text, never) {
			t.Errorf("the feed says %q", never)
		}
	}
	for _, line := range strings.Split(text, "\r\n") {
		if len(line) > 75 {
			t.Errorf("a line of %d octets: %q", len(line), line)
		}
	}
	if err := w.CloseFeed(w.as(w.doctor, "calendar.feed")); err != nil {
		t.Fatal(err)
	}
	if _, err := w.ICS(t.Context(), token); fault.KindOf(err) != fault.NotFound {
		t.Errorf("revoked, and it answers: %v", err)
	}
}

func TestRostersAsFiles(t *testing.T) {
	w := newTown(t)
	plan := w.as(w.doctor, "roster.plan")
	doctor, at := w.doctor.Practitioner, w.hospital[0]
	head := "weekday,begins,ends,minutes,mode,purpose,department,fee_yuan,since,every\r\n"
	good := head + "1,9:00,12:00,15,online,visit,心血管内科,20,2026-06-01,1\r\n5,22:00,24:00,20,online,visit,心血管内科,20.50,2026-06-01,2\r\n"
	gb, err := simplifiedchinese.GB18030.NewEncoder().Bytes([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string][]byte{"UTF-8": []byte(good), "UTF-8 with mark": []byte("\ufeff" + good), "GB 18030": gb} {
		done, err := w.ImportRoster(plan, doctor, at, file, true, uuid.NewString())
		if err != nil || done.Rows != 2 || done.Added != 2 || len(done.Errors) != 0 {
			t.Errorf("%s: %+v, %v", name, done, err)
		}
	}
	if n := one[int](w, `SELECT count(*) FROM roster_template`); n != 0 {
		t.Fatalf("a dry run left %d", n)
	}
	bad := good + "1,11:00,13:00,15,online,visit,心血管内科,20,2026-06-01,1\r\n8,9:00,10:00,15,online,visit,心血管内科,20,2026-06-01,1\r\n1,9:00\r\n"
	done, err := w.ImportRoster(plan, doctor, at, []byte(bad), false, uuid.NewString())
	if err != nil || done.Added != 0 || len(done.Errors) != 3 || done.Errors[0].Line != 4 || done.Errors[2].Line != 6 {
		t.Errorf("bad lines: %+v, %v", done, err)
	}
	if n := one[int](w, `SELECT count(*) FROM roster_template`); n != 0 {
		t.Fatalf("a file with bad lines left %d", n)
	}
	if _, err := w.ImportRoster(plan, doctor, at, []byte("a,b\r\n"), false, uuid.NewString()); code(err) != "csv_wrong" {
		t.Errorf("no roster: %v", err)
	}
	if done, err := w.ImportRoster(plan, doctor, at, gb, false, uuid.NewString()); err != nil || done.Added != 2 {
		t.Fatalf("imported: %+v, %v", done, err)
	}
	out, err := w.ExportRoster(plan, doctor, at)
	if err != nil || string(out) != "\ufeff"+head+"1,09:00,12:00,15,online,visit,心血管内科,20.00,2026-06-01,1\r\n5,22:00,24:00,20,online,visit,心血管内科,20.50,2026-06-01,2\r\n" {
		t.Errorf("exported %q, %v", out, err)
	}
}

// Every other week: two places may share an hour in alternate weeks, over the year's end too.
func TestEveryOtherWeek(t *testing.T) {
	w := newTown(t)
	w.now = time.Date(2026, 12, 14, 8, 0, 0, 0, w.now.Location())
	plan := w.as(w.doctor, "roster.plan")
	add := func(place int, since string, every int) error {
		n := w.template(place, 3, "09:00", "10:00", "visit")
		n.Since, n.Every = since, every
		_, err := w.AddTemplate(plan, w.doctor.Practitioner, n, uuid.NewString())
		return err
	}
	for _, c := range []struct {
		story string
		place int
		since string
		every int
		want  string
	}{
		{"every other Wednesday from the week of the 14th on", 0, "2026-12-14", 2, "done"},
		{"the same weeks elsewhere", 1, "2026-12-30", 2, "doctor_elsewhere"},
		{"each week elsewhere", 1, "2026-12-14", 1, "doctor_elsewhere"},
		{"the weeks between", 1, "2026-12-21", 2, "done"},
	} {
		if err := add(c.place, c.since, c.every); code(err) != c.want {
			t.Errorf("%s: %v, want %s", c.story, err, c.want)
		}
	}
	done, err := w.Publish(plan, w.doctor.Practitioner, consult.Publication{From: "2026-12-14", Days: 35}, uuid.NewString())
	if err != nil {
		t.Fatal(err)
	}
	var days []string
	for _, s := range done.Sessions {
		days = append(days, s.Day[5:]+" "+s.Institution.Name+" "+s.Outcome)
	}
	want := []string{"12-16 医院0 opened", "12-23 医院1 opened", "12-30 医院0 opened", "01-06 医院1 opened", "01-13 医院0 opened"}
	if !slices.Equal(days, want) {
		t.Errorf("published %q, want %q", days, want)
	}
}

// The end of a registration is told 30 and 7 days before, once each; a new end anew.
func TestAnEndIsToldInTime(t *testing.T) {
	w := newTown(t)
	notes := &told{}
	w.Notices = notes
	admin := w.member("administrator", 0)
	w.exec(`INSERT INTO membership (account_id, institution_id, role) VALUES ($1, $2, 'administrator')`, admin.Account, w.hospital[0])
	begin := w.now
	for _, c := range []struct {
		story   string
		days    int
		until   string
		said    int
		wording string
	}{
		{"31 days before", 0, "2026-07-16", 0, ""},
		{"30 days before", 1, "2026-07-16", 1, "还有 30 天"},
		{"the day after, not again", 2, "2026-07-16", 1, "还有 30 天"},
		{"7 days before", 24, "2026-07-16", 2, "还有 7 天"},
		{"6 days before, not again", 25, "2026-07-16", 2, "还有 7 天"},
		{"extended by a week", 25, "2026-07-23", 3, "还有 13 天"},
		{"seen for the first time with 3 days left: one word", 25, "2026-07-13", 4, "还有 3 天"},
	} {
		w.now = begin.AddDate(0, 0, c.days)
		w.exec(`UPDATE registration SET during = daterange('2020-01-01', $2::date, '[]') WHERE institution_id = $1`, w.hospital[0], c.until)
		for range 2 { // two server processes
			if err := w.WarnEnding(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		for who, s := range map[string]*authz.Subject{"doctor": w.doctor, "administrator": admin} {
			if n := len(notes.said[s.Account]); n != c.said || !strings.Contains(notes.last(s), c.wording) {
				t.Errorf("%s, %s: %d times, last %q", c.story, who, n, notes.last(s))
			}
		}
	}
	// A slot past the end can neither be opened nor booked.
	w.now = begin
	slot := w.slots(0, 12, 1)[0]
	w.exec(`UPDATE registration SET during = daterange('2020-01-01', '2026-06-14', '[]') WHERE institution_id = $1`, w.hospital[0])
	_, err := w.Book(w.as(w.wang, "visit.book"), w.wish(slot))
	told, jsonErr := json.Marshal(fault.As(err).Detail)
	if code(err) != "not_eligible" || jsonErr != nil || !strings.Contains(string(told), "MPP-02") || !strings.Contains(string(told), "该医师已备案的医院") {
		t.Errorf("booked past the end: %v %s", err, told)
	}
	if _, err := w.offer(0, 15, 1); code(err) != "doctor_not_registered" {
		t.Errorf("opened past the end: %v", err)
	}
}
