package demo

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/consult"
	"yuanzhen/consult/schedule"
	"yuanzhen/internal/identity"
	"yuanzhen/internal/ids"
)

// sessions of the cast's doctors: where, and from when to when on each of the coming
// days. The first day begins at once, so that the demo has a free time at any hour.
var sessions = []struct {
	login, place, department string
	from, to                 int // hour of the day, local
	allDay                   bool
}{
	{"zhang", "清河市第一医院", "心血管内科", 9, 17, true},
	{"chen", "清河市第一医院", "呼吸内科", 9, 17, true},
	{"limy", "江城大学附属医院", "呼吸内科", 9, 12, false},
}

const (
	slotLength = 20 * time.Minute
	rosterDays = 7
	feeFen     = 2000
)

// Roster opens the cast's sessions for the coming week where nothing is open yet.
func (s *Seeder) Roster(ctx context.Context, visits *consult.Service) error {
	begin := s.Now().Add(slotLength).Truncate(slotLength)
	for _, session := range sessions {
		for day := range rosterDays {
			year, month, date := begin.In(identity.China).AddDate(0, 0, day).Date()
			span := schedule.Span{Start: time.Date(year, month, date, session.from, 0, 0, 0, identity.China), End: time.Date(year, month, date, session.to, 0, 0, 0, identity.China)}
			if day == 0 && session.allDay {
				span = schedule.Span{Start: begin, End: time.Date(year, month, date+1, session.from, 0, 0, 0, identity.China).Add(-slotLength)}
			}
			if span.Start.Before(begin) {
				continue
			}
			if err := s.open(ctx, visits, session.login, session.place, session.department, span); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Seeder) open(ctx context.Context, visits *consult.Service, login, place, department string, span schedule.Span) error {
	return s.DB.InTx(ctx, func(tx pgx.Tx) error {
		offer := consult.Offer{Department: department, Span: span, Length: slotLength, FeeFen: feeFen, Purpose: "visit"}
		var doctor ids.Practitioner
		var taken bool
		err := tx.QueryRow(ctx, `
			SELECT p.id, i.id, EXISTS (SELECT FROM slot s WHERE s.practitioner_id = p.id AND s.withdrawn_at IS NULL AND s.during && tstzrange($3, $4))
			FROM practitioner p JOIN account a ON a.id = p.account_id AND a.login = $1, institution i WHERE i.name = $2`,
			login, place, span.Start.Add(-schedule.Buffer), span.End.Add(schedule.Buffer)).Scan(&doctor, &offer.Place, &taken)
		if err != nil || taken {
			return err
		}
		offer.Doctor = doctor
		_, err = visits.OfferSlots(ctx, tx, offer)
		return err
	})
}
