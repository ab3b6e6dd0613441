-- One human, one calendar: filings, rosters, holds, the waiting list, tokens, calendar feeds.

-- An Idempotency-Key a deed and account: the answer given the first time is given again.
CREATE TABLE deed (
    account_id uuid NOT NULL REFERENCES account,
    key        uuid NOT NULL,
    action     text NOT NULL,
    asked      bytea NOT NULL CHECK (length(asked) = 32),   -- SHA-256 of what was asked
    answer     jsonb,                                       -- NULL only inside the deed's own transaction
    at         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, key)
);

ALTER TABLE institution ADD COLUMN zone text NOT NULL DEFAULT 'Asia/Shanghai';  -- IANA name

-- The doctor's application for a registration. Only what the institution's administrator has confirmed becomes one.
CREATE TABLE filing (
    id              uuid PRIMARY KEY,
    practitioner_id uuid NOT NULL REFERENCES practitioner,
    institution_id  uuid NOT NULL REFERENCES institution,
    kind            text NOT NULL CHECK (kind IN ('primary', 'filed', 'registered')),
    during          daterange NOT NULL CHECK (NOT isempty(during) AND lower(during) IS NOT NULL AND upper(during) IS NOT NULL),
    way_min         int NOT NULL DEFAULT 15 CHECK (way_min BETWEEN 15 AND 600),
    state           text NOT NULL CHECK (state IN ('submitted', 'confirmed', 'refused', 'withdrawn')),
    file_name       text NOT NULL,
    content_type    text NOT NULL CHECK (content_type IN ('image/jpeg', 'image/png', 'application/pdf')),
    size            bigint NOT NULL CHECK (size BETWEEN 1 AND 10485760),
    sha256          bytea NOT NULL CHECK (length(sha256) = 32),
    object_key      text NOT NULL UNIQUE,
    note            text NOT NULL DEFAULT '',
    request_key     uuid NOT NULL,
    submitted_at    timestamptz NOT NULL,
    decided_by      uuid REFERENCES account,
    decided_at      timestamptz,
    CONSTRAINT filing_asked_once UNIQUE (practitioner_id, request_key),
    CHECK ((state IN ('confirmed', 'refused')) = (decided_by IS NOT NULL)),
    CHECK ((state IN ('confirmed', 'refused')) = (decided_at IS NOT NULL)),
    CHECK (state <> 'refused' OR note <> '')
);
CREATE UNIQUE INDEX filing_one_open ON filing (practitioner_id, institution_id) WHERE state = 'submitted';
CREATE INDEX filing_place ON filing (institution_id, state);

-- Minutes between this place and the main one; at least those of MPP-05.
ALTER TABLE registration ADD COLUMN way_min int NOT NULL DEFAULT 15 CHECK (way_min BETWEEN 15 AND 600);

-- Half a way lies at each end of a slot: leg_s seconds. Two slots at two places are too close exactly when the spans widened
-- by their legs overlap. The main place and work from home have the shortest leg, so the legs of two places add up to the way.
CREATE FUNCTION with_way(during tstzrange, leg_s int) RETURNS tstzrange LANGUAGE sql IMMUTABLE STRICT AS
    $$ SELECT tstzrange(lower(during) - make_interval(secs => leg_s), upper(during) + make_interval(secs => leg_s)) $$;

CREATE TABLE roster_template (
    id              uuid PRIMARY KEY,
    practitioner_id uuid NOT NULL,
    institution_id  uuid NOT NULL,
    weekday         int  NOT NULL CHECK (weekday BETWEEN 1 AND 7),          -- ISO 8601: Monday is 1
    begins          int  NOT NULL CHECK (begins BETWEEN 0 AND 1439),        -- minutes after midnight at the place
    ends            int  NOT NULL CHECK (ends > begins AND ends <= 1440),
    minutes         int  NOT NULL CHECK (minutes BETWEEN 5 AND 240),        -- length of one slot
    mode            text NOT NULL CHECK (mode IN ('online', 'on_site')),
    purpose         text NOT NULL CHECK (purpose IN ('visit', 'duty')),     -- duty: the main place's own work (MPP-06)
    department      text NOT NULL,
    fee_fen         int  NOT NULL CHECK (fee_fen BETWEEN 0 AND 1000000),
    since           date NOT NULL,
    until           date,                                                   -- the first day it no longer holds
    FOREIGN KEY (practitioner_id, institution_id) REFERENCES registration (practitioner_id, institution_id),
    CONSTRAINT roster_template_one_at_a_time EXCLUDE USING gist
        (practitioner_id WITH =, weekday WITH =, int4range(begins, ends) WITH &&, daterange(since, until) WITH &&)
);

-- A day on which the templates don't hold, at one place or (NULL) at all.
CREATE TABLE roster_exception (
    id              uuid PRIMARY KEY,
    practitioner_id uuid NOT NULL REFERENCES practitioner,
    institution_id  uuid REFERENCES institution,
    day             date NOT NULL,
    reason          text NOT NULL DEFAULT '',
    UNIQUE NULLS NOT DISTINCT (practitioner_id, institution_id, day)
);

-- What an institution changes in the national calendar of holidays and make-up working days.
CREATE TABLE calendar_day (
    institution_id uuid NOT NULL REFERENCES institution,
    day            date NOT NULL,
    kind           text NOT NULL CHECK (kind IN ('holiday', 'workday', 'ordinary')),
    follows        int  CHECK (follows BETWEEN 1 AND 7),                    -- weekday whose templates hold on a workday
    name           text NOT NULL,
    PRIMARY KEY (institution_id, day)
);

ALTER TABLE slot
    ADD COLUMN leg_s int NOT NULL DEFAULT 450 CHECK (leg_s >= 450),
    ADD COLUMN mode text NOT NULL DEFAULT 'online' CHECK (mode IN ('online', 'on_site')),
    ADD COLUMN template_id uuid REFERENCES roster_template,
    ADD COLUMN withdrawn_reason text CHECK (withdrawn_reason IN ('filing_ends', 'doctor_ill', 'roster', 'teleconsult', 'duty_waived')),
    DROP CONSTRAINT slot_purpose_check,
    ADD CONSTRAINT slot_purpose_check CHECK (purpose IN ('visit', 'teleconsult', 'duty')),
    DROP CONSTRAINT slot_time_to_travel,
    ADD CONSTRAINT slot_time_to_travel EXCLUDE USING gist (practitioner_id WITH =, institution_id WITH <>, with_way(during, leg_s) WITH &&)
        WHERE (withdrawn_at IS NULL);
DROP FUNCTION with_way(tstzrange);
CREATE INDEX slot_doctor ON slot (practitioner_id, lower(during)) WHERE withdrawn_at IS NULL;

-- Who waits for a freed slot, and who waits for any doctor now (walk-in). It carries the whole wish.
CREATE TABLE wait_entry (
    id              uuid PRIMARY KEY,
    account_id      uuid NOT NULL REFERENCES account,
    person_id       uuid NOT NULL REFERENCES person,
    institution_id  uuid NOT NULL REFERENCES institution,
    practitioner_id uuid REFERENCES practitioner,           -- NULL: any doctor of the department
    department      text NOT NULL,
    walk_in         boolean NOT NULL,
    wish            jsonb NOT NULL,                         -- kind, ICD-10, complaint …; as the booking takes it
    until           timestamptz NOT NULL,                   -- no longer wanted after it
    joined_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    state           text NOT NULL CHECK (state IN ('waiting', 'booked', 'left')),
    visit_id        uuid REFERENCES visit,
    CHECK ((state = 'booked') = (visit_id IS NOT NULL))
);
CREATE UNIQUE INDEX wait_entry_once ON wait_entry (person_id, institution_id, department, coalesce(practitioner_id, person_id), walk_in) WHERE state = 'waiting';
CREATE INDEX wait_entry_line ON wait_entry (institution_id, department, joined_at) WHERE state = 'waiting';

-- A slot kept for one account for a while, by the database's clock. It lapses by itself: no two live ones a slot, ever.
CREATE TABLE hold (
    id            uuid PRIMARY KEY,
    slot_id       uuid NOT NULL REFERENCES slot,
    account_id    uuid NOT NULL REFERENCES account,
    during        tstzrange NOT NULL,
    wait_entry_id uuid REFERENCES wait_entry,               -- set: an offer to the first in line
    CONSTRAINT hold_one_a_slot EXCLUDE USING gist (slot_id WITH =, during WITH &&)
);
CREATE INDEX hold_account ON hold (account_id, lower(during));
CREATE INDEX hold_entry ON hold (wait_entry_id);

ALTER TABLE visit
    ADD COLUMN overbook_reason text CHECK (overbook_reason <> ''),  -- squeezed in beside the slot's own visit
    ADD COLUMN series_id    uuid,
    ADD COLUMN moved_from   uuid REFERENCES slot,
    ADD COLUMN moved_reason text,
    ADD COLUMN cancelled_by text CHECK (cancelled_by IN ('patient', 'hospital')),
    ADD COLUMN refund_due   boolean NOT NULL DEFAULT false,
    ADD COLUMN token        int CHECK (token > 0),
    ADD COLUMN token_day    date,
    ADD COLUMN called_at    timestamptz,
    ADD COLUMN skipped_at   timestamptz;
DROP INDEX visit_one_a_slot;
CREATE UNIQUE INDEX visit_one_a_slot ON visit (slot_id) WHERE state <> 'cancelled' AND overbook_reason IS NULL;
CREATE INDEX visit_slot ON visit (slot_id) WHERE state <> 'cancelled';  -- is a slot open? The unique index leaves out who was squeezed in
CREATE UNIQUE INDEX visit_one_a_token ON visit (institution_id, department, practitioner_id, token_day, token);

CREATE TABLE token_counter (
    institution_id  uuid NOT NULL REFERENCES institution,
    department      text NOT NULL,
    practitioner_id uuid NOT NULL REFERENCES practitioner,
    day             date NOT NULL,
    last            int  NOT NULL,
    PRIMARY KEY (institution_id, department, practitioner_id, day)
);

CREATE TABLE doctor_delay (
    practitioner_id uuid NOT NULL REFERENCES practitioner,
    institution_id  uuid NOT NULL REFERENCES institution,
    day             date NOT NULL,
    minutes         int  NOT NULL CHECK (minutes BETWEEN 0 AND 480),
    said_at         timestamptz NOT NULL,
    PRIMARY KEY (practitioner_id, institution_id, day)
);

-- Further experts of a consult (MDT), each at a place of their own; the slot keeps their time.
CREATE TABLE teleconsult_further (
    teleconsult_id  uuid NOT NULL REFERENCES teleconsult,
    practitioner_id uuid NOT NULL REFERENCES practitioner,
    slot_id         uuid NOT NULL UNIQUE REFERENCES slot,
    PRIMARY KEY (teleconsult_id, practitioner_id)
);
CREATE INDEX teleconsult_further_practitioner ON teleconsult_further (practitioner_id);

-- Visits and holds meet at the slot's row: whoever is second sees the first.
CREATE FUNCTION visit_takes_slot() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM slot WHERE id = NEW.slot_id AND withdrawn_at IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'slot is withdrawn' USING ERRCODE = 'check_violation', CONSTRAINT = 'visit_slot_open';
    END IF;
    IF NEW.overbook_reason IS NULL AND EXISTS (SELECT FROM hold h WHERE h.slot_id = NEW.slot_id
            AND h.account_id <> NEW.account_id AND h.during @> clock_timestamp()) THEN
        RAISE EXCEPTION 'slot is held' USING ERRCODE = 'exclusion_violation', CONSTRAINT = 'visit_slot_held';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER visit_takes_slot BEFORE INSERT OR UPDATE OF slot_id ON visit FOR EACH ROW EXECUTE FUNCTION visit_takes_slot();

CREATE FUNCTION hold_takes_slot() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM slot WHERE id = NEW.slot_id AND withdrawn_at IS NULL AND purpose = 'visit' FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'slot is withdrawn' USING ERRCODE = 'check_violation', CONSTRAINT = 'hold_slot_open';
    END IF;
    IF EXISTS (SELECT FROM visit v WHERE v.slot_id = NEW.slot_id AND v.state <> 'cancelled') THEN
        RAISE EXCEPTION 'slot is booked' USING ERRCODE = 'exclusion_violation', CONSTRAINT = 'hold_slot_booked';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER hold_takes_slot BEFORE INSERT ON hold FOR EACH ROW EXECUTE FUNCTION hold_takes_slot();

-- A doctor's secret address for calendars; only its hash is kept.
CREATE TABLE calendar_feed (
    id              uuid PRIMARY KEY,
    practitioner_id uuid NOT NULL REFERENCES practitioner,
    token_hash      bytea NOT NULL UNIQUE,
    created_at      timestamptz NOT NULL,
    revoked_at      timestamptz
);
CREATE UNIQUE INDEX calendar_feed_one ON calendar_feed (practitioner_id) WHERE revoked_at IS NULL;

---- create above / drop below ----

DROP TABLE calendar_feed;
DROP TRIGGER hold_takes_slot ON hold;
DROP FUNCTION hold_takes_slot;
DROP TRIGGER visit_takes_slot ON visit;
DROP FUNCTION visit_takes_slot;
DROP TABLE teleconsult_further, doctor_delay, token_counter;
DROP INDEX visit_one_a_token;
DROP INDEX visit_slot;
DROP INDEX visit_one_a_slot;
ALTER TABLE visit DROP COLUMN overbook_reason, DROP COLUMN series_id, DROP COLUMN moved_from, DROP COLUMN moved_reason, DROP COLUMN cancelled_by,
    DROP COLUMN refund_due, DROP COLUMN token, DROP COLUMN token_day, DROP COLUMN called_at, DROP COLUMN skipped_at;
CREATE UNIQUE INDEX visit_one_a_slot ON visit (slot_id) WHERE state <> 'cancelled';
DROP TABLE hold, wait_entry;
DROP INDEX slot_doctor;
CREATE FUNCTION with_way(during tstzrange) RETURNS tstzrange LANGUAGE sql IMMUTABLE STRICT AS
    $$ SELECT tstzrange(lower(during) - interval '450 seconds', upper(during) + interval '450 seconds') $$;
ALTER TABLE slot
    DROP CONSTRAINT slot_time_to_travel,
    ADD CONSTRAINT slot_time_to_travel EXCLUDE USING gist (practitioner_id WITH =, institution_id WITH <>, with_way(during) WITH &&)
        WHERE (withdrawn_at IS NULL),
    DROP CONSTRAINT slot_purpose_check,
    ADD CONSTRAINT slot_purpose_check CHECK (purpose IN ('visit', 'teleconsult')),
    DROP COLUMN leg_s, DROP COLUMN mode, DROP COLUMN template_id, DROP COLUMN withdrawn_reason;
DROP FUNCTION with_way(tstzrange, int);
DROP TABLE calendar_day, roster_exception, roster_template;
ALTER TABLE registration DROP COLUMN way_min;
DROP TABLE filing;
ALTER TABLE institution DROP COLUMN zone;
DROP TABLE deed;
