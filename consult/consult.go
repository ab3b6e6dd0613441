// Package consult is a patient's way through the platform: from the question "may this
// go online?" over slot, waiting room and visit to the signed record.
//
// Read visit.go first: a visit's states and moves. decision.go asks the eligibility check with facts
// from Postgres, policy.go has the life of first-visit policies; queue.go the doctor's day, evidence.go the records of earlier diagnoses,
// record.go the record of the visit.
// One human's calendar: registration.go says where a doctor may work, roster_plan.go turns weekly sessions into slots, roster.go is where
// slots come from, booking.go holds, moves and series, waitlist.go who gets what becomes free, substitute.go the day a doctor falls ill,
// calendar.go the way out to other calendars. once.go makes each deed happen once.
package consult

import (
	"context"
	"crypto/ed25519"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"golang.org/x/sync/singleflight"

	"yuanzhen/consult/eligibility"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/keys"
	"yuanzhen/internal/live"
	"yuanzhen/internal/pg"
	"yuanzhen/signaling/control"
)

// Service holds the deeds. All fields are set at construction.
type Service struct {
	DB      *pg.Pool
	Now     func() time.Time
	Log     *slog.Logger
	Rules   *eligibility.RuleSet
	Signer  ed25519.PrivateKey // of decisions
	Keys    *keys.Service
	Rooms   Rooms
	Desk    Desk
	Files   Files
	Live    Bus
	Scripts Prescriptions // nil where nothing prescribes
	Vault   *keys.Vault   // seals what is said in rooms
	Tapes   *Tapes        // nil where nothing can be recorded
	Public  string        // address that people use, for links
	Notices Notices       // nil where nobody is told
	Jobs    Later         // nil where nothing is done later

	known  atomic.Pointer[knownPolicies] // read last
	losing singleflight.Group            // by slot: who has just lost it ask for the nearest times together
}

// Notices sends a message to an account's phone after the deed was committed. Texts name times and doctors, never why somebody is ill.
type Notices interface {
	Tell(ctx context.Context, tx pgx.Tx, account ids.Account, text string) error
}

// Later does a job at each of the times (jobs.Queue), after the deed was committed.
type Later interface {
	InsertAt(ctx context.Context, tx pgx.Tx, job river.JobArgs, at ...time.Time) error
}

// Rooms is what a visit asks of the media server (control.Rooms).
type Rooms interface {
	Admit(context.Context, control.Room, control.Seat) error
	Remove(context.Context, control.Room, control.Seat) error
	Lock(ctx context.Context, room control.Room, locked bool) error
	Close(context.Context, control.Room) error
	Seats(context.Context, control.Room) ([]control.SeatState, error)
}

// Desk sells tickets to rooms (control.Desk).
type Desk interface {
	Issue(control.Claims) (control.Pass, error)
}

// Bus tells open screens after a commit (live.Bus).
type Bus interface{ Publish(live.Event) }

// Files keeps evidence. Each file lies under a random key, sealed by the institution's key.
type Files interface {
	// Put stores exactly size bytes, or nothing and an error.
	Put(ctx context.Context, place ids.Institution, body io.Reader, size int64) (key string, err error)
	Get(ctx context.Context, key string) (io.ReadCloser, error)
	Delete(ctx context.Context, key string) error
}

// unnamed lets go of a file that no row names: the deed that was to name it ended with err, or named another. Where it isn't known
// whether that deed was committed, the file stays.
func (s *Service) unnamed(ctx context.Context, err error, keys ...string) {
	for _, key := range keys {
		if pg.Unclear(err) {
			s.Log.WarnContext(ctx, "not known whether a file got its row; it is left", "error", err.Error())
		} else if gone := s.Files.Delete(context.WithoutCancel(ctx), key); gone != nil {
			s.Log.WarnContext(ctx, "file without row left", "error", gone.Error())
		}
	}
}

// Prescriptions is what visit and chart show of the neighbour that prescribes.
type Prescriptions interface {
	// Of lists prescriptions of a person, of one visit only unless visit is zero.
	Of(ctx context.Context, db pg.DB, person ids.Person, visit ids.Visit) ([]PrescriptionRef, error)
	// Returned counts what the pharmacist gave back to the doctor.
	Returned(ctx context.Context, db pg.DB, doctor ids.Practitioner) (int, error)
}

// PrescriptionRef is a prescription as a list shows it.
type PrescriptionRef struct {
	ID      ids.Prescription `json:"id"`
	VisitID ids.Visit        `json:"visit_id"`
	No      string           `json:"no"`
	State   string           `json:"state"`
	Title   string           `json:"title"`
	At      time.Time        `json:"at"`
}

// Named is somebody or something by id and name.
type Named[ID any] struct {
	ID   ID     `json:"id"`
	Name string `json:"name"`
}

// china is the zone of calendar days (GB/T 7408; eligibility counts days the same way).
var china = time.FixedZone("Asia/Shanghai", 8*60*60)
