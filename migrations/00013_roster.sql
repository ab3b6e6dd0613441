-- Sessions every other week, the end of a registration told in time, and one word for a fee that is due back.

-- every 2: the week of since, the second after it and so on. weeks are those of a fortnight in which the session takes place, so that
-- two sessions may share an hour in alternate weeks. Weeks begin on Monday; 1970-01-05 was one.
ALTER TABLE roster_template
    ADD COLUMN every int NOT NULL DEFAULT 1 CHECK (every IN (1, 2)),
    ADD COLUMN weeks int4range NOT NULL GENERATED ALWAYS AS (CASE WHEN every = 1 THEN int4range(0, 2)
        ELSE int4range((since - date '1970-01-05') / 7 % 2, (since - date '1970-01-05') / 7 % 2 + 1) END) STORED,
    DROP CONSTRAINT roster_template_one_at_a_time,
    ADD CONSTRAINT roster_template_one_at_a_time EXCLUDE USING gist
        (practitioner_id WITH =, weekday WITH =, int4range(begins, ends) WITH &&, daterange(since, until) WITH &&, weeks WITH &&);
ALTER TABLE roster_template ADD CONSTRAINT roster_template_since_check CHECK (since >= '1970-01-05');

-- That a registration ends was told these days before: once each, and anew if it is extended.
CREATE TABLE registration_warning (
    registration_id uuid NOT NULL REFERENCES registration,
    until           date NOT NULL,                          -- the last day
    days            int  NOT NULL CHECK (days IN (30, 7)),
    told_at         timestamptz NOT NULL,
    PRIMARY KEY (registration_id, until, days)
);

UPDATE visit SET refund_due = true WHERE refund = 'full';
ALTER TABLE visit DROP COLUMN refund;

---- create above / drop below ----

ALTER TABLE visit ADD COLUMN refund text NOT NULL DEFAULT '' CHECK (refund IN ('', 'full'));
UPDATE visit SET refund = 'full', refund_due = false WHERE refund_due AND recording_refused;
DROP TABLE registration_warning;
UPDATE roster_template SET until = since WHERE every = 2;   -- ended: the older house knows weekly ones only
ALTER TABLE roster_template
    DROP CONSTRAINT roster_template_one_at_a_time,
    DROP CONSTRAINT roster_template_since_check,
    DROP COLUMN weeks, DROP COLUMN every,
    ADD CONSTRAINT roster_template_one_at_a_time EXCLUDE USING gist
        (practitioner_id WITH =, weekday WITH =, int4range(begins, ends) WITH &&, daterange(since, until) WITH &&);
