package consult

import (
	"context"
	"time"

	"yuanzhen/internal/authz"
	"yuanzhen/internal/ids"
	"yuanzhen/signaling/control"
)

// staleReport is how old a report may be when it comes to be written: after a pause of the database statistics are not made up for.
const staleReport = 30 * time.Second

// noteCall keeps what is heard of the lines of people in rooms. It loses a report rather than a call.
func (s *Service) noteCall(ctx context.Context, e control.Event) {
	if e.Seat == "" || !e.Admitted {
		return
	}
	var err error
	switch e.Kind {
	case control.QualityReported:
		if s.Now().Sub(e.At) > staleReport {
			return
		}
		err = insertCallReport(ctx, s.DB, e)
	case control.SeatJoined, control.SeatReconnecting, control.SeatLeft:
		if e.Replaced { // the seat was never without a line
			return
		}
		err = insertCallEvent(ctx, s.DB, e)
	}
	if err != nil {
		s.Log.WarnContext(ctx, "the line was not noted", "event", string(e.Kind), "error", err)
	}
}

// CallQuality is what the lines of a room were like, a row a seat.
type CallQuality struct {
	Seats []SeatQuality `json:"seats"`
	Gaps  []Gap         `json:"gaps"`
}

// SeatQuality sums up what a seat's client reported. Parts are of 1, times in milliseconds.
type SeatQuality struct {
	Seat      string  `json:"seat"`
	Seconds   float64 `json:"seconds" doc:"Measured over"`
	RTTms     float64 `json:"rtt_ms" db:"rtt_ms"`
	Loss      float64 `json:"loss"`
	Concealed float64 `json:"concealed" doc:"Of the sound heard"`
	Freezes   float64 `json:"freezes"`
	UpKbps    float64 `json:"up_kbps"`
	DownKbps  float64 `json:"down_kbps"`
	Relay     float64 `json:"relay" doc:"Part of the time over the relay"`
	SoundOnly float64 `json:"sound_only" doc:"Part of the time without a moving picture sent"`
	Lowest    string  `json:"lowest" doc:"The lowest rung of the ladder"`
}

// Gap is a time during which a seat had no line to the room.
type Gap struct {
	Seat string     `json:"seat"`
	From time.Time  `json:"from"`
	To   *time.Time `json:"to,omitempty" doc:"Absent when it did not come back"`
}

// CallQuality reads what the lines of a room were like.
func (s *Service) CallQuality(ctx context.Context, in Door) (q CallQuality, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		v, err := in(ctx, tx)
		if err != nil {
			return err
		}
		if q.Seats, err = selectSeatQuality(ctx, tx, v.matter); err != nil {
			return err
		}
		if q.Gaps, err = selectGaps(ctx, tx, v.matter); err != nil {
			return err
		}
		return v.note(ctx, tx, v.String(), "line")
	})
	return q, err
}

// Calls is the lines of the last 24 hours at the places of the scope, without anybody's name.
type Calls struct {
	Since time.Time  `json:"since"`
	Hours []CallHour `json:"hours"`
	Worst []BadCall  `json:"worst"`
}

// CallHour is an hour of calls. The 95th percentile is what one in twenty had, or worse.
type CallHour struct {
	Hour      time.Time `json:"hour"`
	Visits    int       `json:"visits"`
	Reports   int       `json:"reports"`
	RTT50     float64   `json:"rtt_p50_ms" db:"rtt50"`
	RTT95     float64   `json:"rtt_p95_ms" db:"rtt95"`
	Loss95    float64   `json:"loss_p95" db:"loss95"`
	Concealed float64   `json:"concealed_p95"`
	Relay     float64   `json:"relay"`
	TCP       float64   `json:"tcp" db:"tcp"`
	SoundOnly float64   `json:"sound_only"`
	Gaps      int       `json:"gaps"`
}

// BadCall is a visit or teleconsult whose line was bad.
type BadCall struct {
	ID          ids.Room  `json:"id" doc:"Of the visit or teleconsult"`
	At          time.Time `json:"at"`
	Institution string    `json:"institution"`
	Seat        string    `json:"seat"`
	RTTms       float64   `json:"rtt_ms" db:"rtt_ms"`
	Loss        float64   `json:"loss"`
	Concealed   float64   `json:"concealed"`
	Relay       float64   `json:"relay"`
	SoundOnly   float64   `json:"sound_only"`
	Gaps        int       `json:"gaps"`
}

// Calls reads the last 24 hours.
func (s *Service) Calls(ctx context.Context) (c Calls, err error) {
	c.Since = s.Now().Add(-24 * time.Hour)
	err = s.inTx(ctx, func(tx tx) error {
		scope := authz.ScopeFrom(ctx)
		if c.Hours, err = selectCallHours(ctx, tx, scope, c.Since); err != nil {
			return err
		}
		c.Worst, err = selectBadCalls(ctx, tx, scope, c.Since)
		return err
	})
	return c, err
}
