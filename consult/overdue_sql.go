package consult

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/authz"
	"yuanzhen/internal/ids"
)

// selectLate reads one or all. Who took it up is said of the time since the heads were told, and of the own hospital's people.
func selectLate(ctx context.Context, tx tx, scope authz.Scope, only ids.Teleconsult, now time.Time) ([]Overdue, error) {
	return collect(ctx, tx, func(row pgx.CollectableRow) (o Overdue, err error) {
		err = row.Scan(&o.ID, &o.What, &o.State, &o.Kind, &o.Urgency, &o.Department, &o.Inviter.ID, &o.Inviter.Name, &o.Invited.ID, &o.Invited.Name,
			&o.Contact, &o.Waits, &o.Since, &o.Told, &o.ToldAt, &o.TakenBy, &o.TakenAt, &o.Words, &o.person, &o.place, &o.doctor)
		return o, err
	}, `
		WITH late AS (
		    SELECT id, 'clock' AS what, sla_due AS since, escalated_at AS told_at, invited_institution_id AS place, 'overdue' AS deed FROM teleconsult
		    WHERE state IN ('submitted', 'triaged', 'scheduled', 'in_progress') AND sla_due < @now
		    UNION ALL
		    SELECT t.id, 'critical', min(c.at), min(c.escalated_at), t.inviter_institution_id, 'critical unread'
		    FROM critical_value c JOIN teleconsult t ON t.id = c.teleconsult_id
		    WHERE c.read_at IS NULL AND c.at < @unread AND t.state NOT IN ('closed', 'declined') GROUP BY t.id
		    UNION ALL
		    SELECT id, 'countersign', office_since + @owe::interval, CASE WHEN office_told_at >= office_since + @owe::interval THEN office_told_at END,
		           inviter_institution_id, 'office late' FROM teleconsult
		    WHERE office_since + @owe::interval < @now AND state <> 'with_office')
		SELECT t.id, l.what, t.state, t.kind, t.urgency, t.department, a.id, a.name, b.id, b.name, t.contact,
		       CASE WHEN l.what = 'critical' THEN ARRAY[d.name]
		            WHEN l.what = 'countersign' THEN ARRAY(SELECT x.name FROM account x JOIN membership m ON m.account_id = x.id
		                 WHERE m.institution_id = a.id AND m.role = 'administrator' AND x.id <> d.account_id ORDER BY x.name)
		            WHEN t.state IN ('submitted', 'triaged') THEN ARRAY(SELECT x.name FROM account x JOIN membership m ON m.account_id = x.id
		                 WHERE m.institution_id = b.id AND m.role = 'coordinator' ORDER BY x.name)
		            ELSE ARRAY(SELECT e.name FROM practitioner e WHERE (e.id = t.expert_practitioner_id
		                 OR e.id IN (SELECT practitioner_id FROM teleconsult_further WHERE teleconsult_id = t.id))
		                 AND NOT EXISTS (SELECT FROM teleconsult_document o WHERE o.teleconsult_id = t.id AND o.practitioner_id = e.id
		                                 AND o.kind = 'opinion' AND o.signed_at IS NOT NULL) ORDER BY e.id <> t.expert_practitioner_id, e.name) END,
		       l.since, coalesce(told.note, ''), told.at, coalesce(taken.name, ''), taken.at, coalesce(taken.note, ''), t.person_id, l.place, d.id
		FROM late l JOIN teleconsult t ON t.id = l.id JOIN institution a ON a.id = t.inviter_institution_id
		JOIN institution b ON b.id = t.invited_institution_id JOIN practitioner d ON d.id = t.inviter_practitioner_id
		LEFT JOIN LATERAL (SELECT note, at FROM teleconsult_step s WHERE s.teleconsult_id = t.id AND s.deed = l.deed AND s.at >= l.told_at
		                   ORDER BY n LIMIT 1) told ON true
		LEFT JOIN LATERAL (SELECT x.name, s.at, s.note FROM teleconsult_step s JOIN account x ON x.id = s.account_id
		                   WHERE s.teleconsult_id = t.id AND s.deed = 'take up' AND l.what <> 'countersign' AND s.at >= coalesce(l.told_at, l.since)
		                     AND EXISTS (SELECT FROM membership m WHERE m.account_id = x.id AND m.institution_id = l.place)
		                   ORDER BY n DESC LIMIT 1) taken ON true
		WHERE (@id::uuid IS NULL OR t.id = @id) AND (@scope_all OR l.place = ANY(@scope_places)) ORDER BY l.since, t.id LIMIT 200`,
		scope.With(pgx.NamedArgs{"id": only, "now": now, "unread": now.Add(-readWithin), "owe": oweCountersign}))
}

func selectNames(ctx context.Context, tx tx, accounts []ids.Account) (names []string, err error) {
	return collect(ctx, tx, pgx.RowTo[string], `SELECT name FROM account WHERE id = ANY($1) ORDER BY name`, accounts)
}
