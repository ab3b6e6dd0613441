package consult_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"yuanzhen/consult"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/ids"
)

// archive is an office with a recording of a visit, whose three years are over unless told otherwise.
type archive struct {
	*office
	visit     ids.Visit
	recording ids.Recording
}

func newArchive(t *testing.T) *archive {
	a := &archive{office: newOffice(t)}
	v, r := a.taped(false)
	a.visit = v.ID
	if _, err := a.AskRecording(a.as(a.doctor, "recording.ask"), a.ByVisit(v.ID)); err != nil {
		t.Fatal(err)
	}
	if _, err := a.AnswerRecording(a.as(a.wang, "recording.answer"), a.ByVisit(v.ID), true, version); err != nil {
		t.Fatal(err)
	}
	a.until("the recorder starts", func() bool { return a.state(v.ID) == "running" })
	for i, data := range []string{"head", "words"} {
		if err := r.keep(part(0, i, "patient", data, a.now)); err != nil {
			t.Fatal(err)
		}
	}
	a.sign(v.ID)
	if _, err := a.End(a.as(a.doctor, "visit.end"), v.ID); err != nil {
		t.Fatal(err)
	}
	for _, who := range []*authz.Subject{a.author, a.director, a.compliance} {
		a.exec(`INSERT INTO membership (account_id, institution_id, role) VALUES ($1, $2, 'administrator')`, who.Account, a.hospital[0])
	}
	a.recording = one[ids.Recording](a.town, `SELECT id FROM recording`)
	a.over()
	return a
}

func (a *archive) over() { a.exec(`UPDATE recording SET keep_until = '2026-06-01'`) }

func (a *archive) agree(who *authz.Subject) error {
	a.t.Helper()
	_, err := a.AgreeToEnd(a.as(who, "recording.end"), []ids.Recording{a.recording})
	return err
}

func (a *archive) hold(who *authz.Subject, why string) error {
	a.t.Helper()
	_, err := a.HoldRecording(a.as(who, "recording.end"), a.recording, why)
	return err
}

func (a *archive) pass() {
	a.t.Helper()
	if err := a.EndRecordings(context.Background()); err != nil {
		a.t.Fatal(err)
	}
}

func (a *archive) ending(who *authz.Subject) []consult.EndingRecording {
	a.t.Helper()
	list, err := a.EndingRecordings(a.as(who, "recording.end"), "")
	if err != nil {
		a.t.Fatal(err)
	}
	return list
}

func (a *archive) parts() int { return one[int](a.town, `SELECT count(*) FROM recording_part`) }

func TestARecordingEndsWhenItsTimeIsOverAndTwoHaveAgreed(t *testing.T) {
	a := newArchive(t)
	objects := len(a.files.keys())
	a.pass()
	if a.parts() != 2 {
		t.Fatal("destroyed without anybody's word")
	}
	if told := a.told[a.author.Account]; !slices.ContainsFunc(told, func(s string) bool { return strings.Contains(s, "1 份录音录像保存到期") }) {
		t.Fatalf("the administrator heard %v", told)
	}
	list := a.ending(a.author)
	if len(list) != 1 || list[0].State != "due" || list[0].Kind != "visit" || list[0].Parts != 2 || list[0].Bytes != 9 || list[0].Doctor == "" {
		t.Fatalf("%+v", list)
	}
	if err := a.agree(a.author); err != nil {
		t.Fatal(err)
	}
	if err := a.agree(a.author); code(err) != "recording_not_ending" {
		t.Fatalf("one person twice: %v", err)
	}
	a.pass()
	if got := a.ending(a.author)[0]; got.State != "agreed" || !got.Mine || a.parts() != 2 {
		t.Fatalf("after one word: %+v", got)
	}
	if err := a.agree(a.director); err != nil {
		t.Fatal(err)
	}
	a.pass()
	sum := sha256.New()
	for _, data := range []string{"head", "words"} {
		h := sha256.Sum256([]byte(data))
		sum.Write(h[:])
	}
	got := a.ending(a.compliance)[0]
	if got.State != "erased" || got.Parts != 2 || got.Bytes != 9 || got.SHA256 != hex.EncodeToString(sum.Sum(nil)) || got.First == "" || got.Second == "" || got.Erased == nil {
		t.Fatalf("the certificate: %+v", got)
	}
	if a.parts() != 0 || len(a.files.keys()) != objects-2 {
		t.Fatalf("%d parts and %d of %d objects are left", a.parts(), len(a.files.keys()), objects)
	}

	// The fact stays: who was asked and what they said, and who did what.
	read, err := a.ReadRecording(a.as(a.wang, "recording.read"), a.ByVisit(a.visit))
	if err != nil || read.State != "erased" || len(read.Answers) != 2 || len(read.Takes) != 0 {
		t.Fatalf("%+v %v", read, err)
	}
	if _, _, err := a.Play(a.as(a.doctor, "recording.read"), a.ByVisit(a.visit), 0, true); code(err) != "not_found" {
		t.Fatalf("it plays: %v", err)
	}
	if err := a.hold(a.author, "too late"); code(err) != "not_found" {
		t.Fatalf("held after its end: %v", err)
	}
	for action, want := range map[string]int{"recording.end": 2, "recording.erase": 1} {
		if n := one[int](a.town, `SELECT count(*) FROM audit_entry WHERE action = $1 AND object = 'recording/' || $2`, action, a.recording); n != want {
			t.Errorf("%s stands %d times in the record, want %d", action, n, want)
		}
	}
	before := one[int](a.town, `SELECT count(*) FROM audit_entry`)
	a.pass()
	if n := one[int](a.town, `SELECT count(*) FROM audit_entry`); n != before || len(a.told[a.author.Account]) != 1 {
		t.Fatal("a second day did something")
	}
}

func TestARecordingIsKept(t *testing.T) {
	t.Run("until its time is over, to the day after", func(t *testing.T) {
		a := newArchive(t)
		for _, day := range []string{"2029-06-15", "2026-06-15", "2026-06-14"} { // today is the fifteenth
			a.exec(`UPDATE recording SET keep_until = $1::date`, day)
			if err := a.agree(a.author); code(err) != "recording_not_ending" || len(a.ending(a.author)) != 0 {
				t.Fatalf("kept until %s: %v", day, err)
			}
		}
		a.exec(`UPDATE recording SET keep_until = '2026-06-13'`)
		if err := a.agree(a.author); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("while it is held for a dispute, and then two agree anew", func(t *testing.T) {
		a := newArchive(t)
		if err := errors.Join(a.agree(a.author), a.agree(a.director)); err != nil {
			t.Fatal(err)
		}
		if err := a.hold(a.compliance, "医疗纠纷，调解中"); err != nil {
			t.Fatal(err)
		}
		a.pass()
		got := a.ending(a.author)[0]
		if got.State != "held" || got.HeldWhy != "医疗纠纷，调解中" || got.HeldBy == "" || a.parts() != 2 {
			t.Fatalf("%+v, %d parts", got, a.parts())
		}
		if err := a.agree(a.author); code(err) != "recording_not_ending" {
			t.Fatalf("agreed while held: %v", err)
		}
		if err := a.hold(a.author, "again"); code(err) != "not_found" {
			t.Fatalf("held twice: %v", err)
		}
		if err := a.hold(a.author, ""); err != nil {
			t.Fatal(err)
		}
		a.pass()
		if got := a.ending(a.author)[0]; got.State != "due" || a.parts() != 2 {
			t.Fatalf("released: %+v", got)
		}
	})
	t.Run("when a dispute comes while its time runs", func(t *testing.T) {
		a := newArchive(t)
		a.exec(`UPDATE recording SET keep_until = '2029-06-15'`)
		made := one[string](a.town, `SELECT to_char(started_at AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM-DD') FROM recording`)
		on := func(who *authz.Subject, day string) []consult.EndingRecording {
			t.Helper()
			list, err := a.EndingRecordings(a.as(who, "recording.end"), day)
			if err != nil {
				t.Fatal(err)
			}
			return list
		}
		if list := a.ending(a.author); len(list) != 0 {
			t.Fatalf("nothing is due: %+v", list)
		}
		if list := on(a.author, made); len(list) != 1 || list[0].State != "kept" || list[0].ID != a.recording {
			t.Fatalf("of its day: %+v", list)
		}
		if list := slices.Concat(on(a.author, "2020-01-01"), on(a.member("administrator", 1), made)); len(list) != 0 {
			t.Fatalf("of another day or hospital: %+v", list)
		}
		if err := a.hold(a.author, "病人投诉"); err != nil {
			t.Fatal(err)
		}
		if list := a.ending(a.director); len(list) != 1 || list[0].State != "held" {
			t.Fatalf("held: %+v", list)
		}
		a.over()
		if err := a.agree(a.author); code(err) != "recording_not_ending" {
			t.Fatalf("agreed while held: %v", err)
		}
		a.exec(`UPDATE recording SET keep_until = '2029-06-15'`)
		if err := a.hold(a.director, ""); err != nil {
			t.Fatal(err)
		}
		if list := on(a.author, made); len(list) != 1 || list[0].State != "kept" || len(a.ending(a.author)) != 0 {
			t.Fatalf("released: %+v", list)
		}
	})
	t.Run("from another hospital's hands", func(t *testing.T) {
		a := newArchive(t)
		elsewhere := a.member("administrator", 1)
		if list := a.ending(elsewhere); len(list) != 0 {
			t.Fatalf("shown %+v", list)
		}
		if err := a.agree(elsewhere); code(err) != "recording_not_ending" {
			t.Fatal(err)
		}
		if err := a.hold(elsewhere, "mine"); code(err) != "not_found" {
			t.Fatal(err)
		}
		if _, err := a.SetRecordingRules(a.as(elsewhere, "recording.rules"), one[ids.Institution](a.town, `SELECT institution_id FROM recording`), consult.NewRecordingRules{Years: 3}); code(err) != "not_found" {
			t.Fatal(err)
		}
	})
	t.Run("by the database, whatever deletes", func(t *testing.T) {
		a := newArchive(t)
		if _, err := a.DB.Exec(t.Context(), `DELETE FROM recording_part`); err == nil {
			t.Fatal("deleted without two words")
		}
		if _, err := a.DB.Exec(t.Context(), `UPDATE recording SET end_by = $1, end_at = now(), end_second_by = $1, end_second_at = now()`, a.author.Account); err == nil {
			t.Fatal("one person gave both words")
		}
	})
}

func TestWhatAStoreThatWasAwayKeptGoesTheNextDay(t *testing.T) {
	a := newArchive(t)
	objects := len(a.files.keys())
	if err := errors.Join(a.agree(a.author), a.agree(a.director)); err != nil {
		t.Fatal(err)
	}
	files := a.Files
	a.Files = stubborn{files}
	if err := a.EndRecordings(context.Background()); err == nil {
		t.Fatal("nothing was said of the store")
	}
	if _, _, err := a.Play(a.as(a.doctor, "recording.read"), a.ByVisit(a.visit), 0, true); code(err) != "not_found" || a.parts() != 2 {
		t.Fatalf("%v, %d parts", err, a.parts())
	}
	a.Files = files
	a.pass()
	if a.parts() != 0 || len(a.files.keys()) != objects-2 {
		t.Fatalf("%d parts and %d of %d objects are left", a.parts(), len(a.files.keys()), objects)
	}
}

// stubborn is a store that does not delete.
type stubborn struct{ consult.Files }

func (stubborn) Delete(context.Context, string) error { return io.ErrUnexpectedEOF }

func TestAnInstitutionDecidesAboutItsRecordingsFromNowOn(t *testing.T) {
	a := newArchive(t)
	a.exec(`UPDATE recording SET keep_until = '2029-06-15'`)
	admin := a.as(a.author, "recording.rules")
	list, err := a.RecordingRules(admin)
	if err != nil || len(list) != 1 || list[0].Required || list[0].Years != 3 {
		t.Fatalf("%+v %v", list, err)
	}
	set, err := a.SetRecordingRules(admin, list[0].InstitutionID, consult.NewRecordingRules{Required: true, Years: 5})
	if err != nil || !set.Required || set.Years != 5 {
		t.Fatalf("%+v %v", set, err)
	}
	read, err := a.ReadRecording(a.as(a.wang, "recording.read"), a.ByVisit(a.visit))
	if err != nil || !read.Required || read.Until != "2029-06-15" {
		t.Fatalf("%+v %v", read, err)
	}
	if n := one[int](a.town, `SELECT count(*) FROM audit_entry WHERE action = 'recording.rules' AND reason = 'required true, 5 years'`); n != 1 {
		t.Fatalf("%d entries", n)
	}
}
