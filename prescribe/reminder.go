package prescribe

import (
	"context"
	"slices"
	"time"

	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/prescribe/qr"
)

// Reminders of medicines: only who asked for them gets them, at the times they chose, for as long as the prescription lasts.
// The message names no medicine; how to take it stands on the page.

// RemindEvery is how often the house looks whom to remind.
const RemindEvery = time.Minute

// lateReminder is how late a reminder still helps; after a longer stop of the house it would make somebody take a dose twice.
const lateReminder = time.Hour

// Reminding is the job that looks.
type Reminding struct{}

// Kind names the job.
func (Reminding) Kind() string { return "medicine_reminder" }

// SetReminder has the subject reminded at these times of the day, in the time of China.
func (s *Service) SetReminder(ctx context.Context, id ids.Prescription, times []string) (Prescription, error) {
	slices.Sort(times)
	times = slices.Compact(times)
	for _, at := range times {
		if _, err := time.Parse("15:04", at); err != nil {
			return Prescription{}, fault.New(fault.Invalid, "time_wrong", "时间不对："+at+"。", at+" is not a time of the day.").WithRemedy("请写成 08:00 这样。", "Write it like 08:00.")
		}
	}
	err := s.inTx(ctx, func(tx tx) error {
		p, err := s.read(ctx, tx, id)
		if err != nil {
			return err
		}
		until := time.Time{}
		if p.SignedAt != nil {
			until = endOfDay(p.SignedAt.In(qr.China).AddDate(0, 0, longest(p.Order)))
		}
		if p.row.State != Approved || len(times) == 0 || !s.Now().Before(until) {
			return movedOn(p)
		}
		if err := putReminder(ctx, tx, id, authz.SubjectFrom(ctx).Account, times, nextTime(times, s.Now()), until, s.Now()); err != nil {
			return err
		}
		return s.record(ctx, tx, id, p.Person.ID, p.Institution.ID)
	})
	if err != nil {
		return Prescription{}, err
	}
	return s.read(ctx, s.DB, id)
}

// DropReminder ends the subject's reminders.
func (s *Service) DropReminder(ctx context.Context, id ids.Prescription) (Prescription, error) {
	err := s.inTx(ctx, func(tx tx) error {
		p, err := s.read(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := deleteReminder(ctx, tx, id, authz.SubjectFrom(ctx).Account); err != nil {
			return err
		}
		return s.record(ctx, tx, id, p.Person.ID, p.Institution.ID)
	})
	if err != nil {
		return Prescription{}, err
	}
	return s.read(ctx, s.DB, id)
}

// Remind sends what is due, once each: the next time is set in the same transaction.
func (s *Service) Remind(ctx context.Context) error {
	for {
		n, err := s.remindSome(ctx)
		if err != nil || n == 0 {
			return err
		}
	}
}

func (s *Service) remindSome(ctx context.Context) (n int, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		due, err := dueReminders(ctx, tx, s.Now())
		if err != nil {
			return err
		}
		n = len(due)
		for _, d := range due {
			next := nextTime(d.Times, s.Now())
			if !d.Lasts || next.After(d.Until) {
				if err := deleteReminder(ctx, tx, d.PrescriptionID, d.AccountID); err != nil {
					return err
				}
			} else if err := moveReminder(ctx, tx, d.PrescriptionID, d.AccountID, next); err != nil {
				return err
			}
			if d.Lasts && s.Now().Sub(d.NextAt) < lateReminder {
				if err := s.tell(ctx, tx, "【远诊】到点吃药了。怎么吃，打开处方页面看。不想再收到，在处方页面关掉提醒。", d.AccountID); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return n, err
}

// nextTime is the first of the times of the day after now.
func nextTime(times []string, now time.Time) time.Time {
	now = now.In(qr.China)
	for day := 0; ; day++ {
		for _, at := range times { // sorted
			clock, _ := time.Parse("15:04", at) // was read when it was set
			next := time.Date(now.Year(), now.Month(), now.Day()+day, clock.Hour(), clock.Minute(), 0, 0, qr.China)
			if next.After(now) {
				return next
			}
		}
	}
}
