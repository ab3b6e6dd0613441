-- A patient with a doctor: slots, visits, the decisions about them, evidence, records.

-- A span with the way between two places (15 minutes, MPP-05) shared between its two ends: two spans
-- widened so overlap exactly when they are less than 15 minutes apart. Postgres calls timestamptz ±
-- interval merely stable, for the sake of days and months; with minutes it never changes.
CREATE FUNCTION with_way(during tstzrange) RETURNS tstzrange LANGUAGE sql IMMUTABLE STRICT AS
    $$ SELECT tstzrange(lower(during) - interval '450 seconds', upper(during) + interval '450 seconds') $$;

-- Whole years and months, as law counts practice (DOC-02): three years to the day are three.
CREATE FUNCTION years(since date, today date) RETURNS float8 LANGUAGE sql IMMUTABLE STRICT AS
    $$ SELECT extract(year FROM age(today, since))::float8 + extract(month FROM age(today, since))::float8 / 12 $$;

CREATE TABLE slot (
    id              uuid PRIMARY KEY,
    practitioner_id uuid NOT NULL REFERENCES practitioner,
    institution_id  uuid NOT NULL REFERENCES institution,
    registration_id uuid NOT NULL REFERENCES registration,  -- frozen when the slot is offered
    department      text NOT NULL,
    during          tstzrange NOT NULL CHECK (NOT isempty(during) AND lower_inc(during) AND NOT upper_inc(during)),
    fee_fen         int NOT NULL CHECK (fee_fen >= 0),
    purpose         text NOT NULL DEFAULT 'visit' CHECK (purpose IN ('visit', 'teleconsult')),
    withdrawn_at    timestamptz,
    UNIQUE (id, practitioner_id, institution_id),           -- so that a visit can't name another doctor or place than its slot
    -- A doctor is never in two places, nor twice in one.
    CONSTRAINT slot_one_at_a_time EXCLUDE USING gist (practitioner_id WITH =, during WITH &&) WHERE (withdrawn_at IS NULL),
    CONSTRAINT slot_time_to_travel EXCLUDE USING gist (practitioner_id WITH =, institution_id WITH <>, with_way(during) WITH &&)
        WHERE (withdrawn_at IS NULL)
);
CREATE INDEX slot_place ON slot (institution_id, department, lower(during));

CREATE TABLE visit (
    id                uuid PRIMARY KEY,
    account_id        uuid NOT NULL REFERENCES account,     -- who booked and holds the patient's seat
    person_id         uuid NOT NULL REFERENCES person,
    slot_id           uuid NOT NULL,
    practitioner_id   uuid NOT NULL,
    institution_id    uuid NOT NULL,                        -- liable (MPP-09)
    kind              text NOT NULL CHECK (kind IN ('follow_up', 'first_visit', 'health_consult', 'accompanied')),
    department        text NOT NULL,
    icd10             text NOT NULL,
    complaint         text NOT NULL,
    severity          text NOT NULL CHECK (severity IN ('mild', 'moderate', 'severe')),
    intends_rx        boolean NOT NULL,
    state             text NOT NULL CHECK (state IN ('booked', 'checked_in', 'in_consult', 'interrupted', 'concluded',
                                                     'terminated_offline', 'cancelled', 'emergency')),
    judgement         text CHECK (judgement IN ('confirmed_followup', 'judged_first', 'unsuitable')),
    condition_changed boolean NOT NULL DEFAULT false,
    note              text NOT NULL DEFAULT '',             -- of the doctor's judgement, or of who cancelled
    guardian_present  boolean NOT NULL DEFAULT false,       -- a verified guardian checked in with the patient
    room              text NOT NULL UNIQUE,                 -- random; says nothing about anybody
    line_test         jsonb,                                -- devices and network as tested at check-in
    request_key       uuid NOT NULL,                        -- Idempotency-Key of the booking
    version           int NOT NULL DEFAULT 1,
    booked_at         timestamptz NOT NULL,
    checked_in_at     timestamptz,
    started_at        timestamptz,
    ended_at          timestamptz,
    FOREIGN KEY (slot_id, practitioner_id, institution_id) REFERENCES slot (id, practitioner_id, institution_id),
    CONSTRAINT visit_asked_once UNIQUE (account_id, request_key),
    CHECK (started_at IS NOT NULL OR state NOT IN ('in_consult', 'interrupted', 'concluded'))
);
CREATE UNIQUE INDEX visit_one_a_slot ON visit (slot_id) WHERE state <> 'cancelled';
CREATE INDEX visit_person ON visit (person_id);
CREATE INDEX visit_practitioner ON visit (practitioner_id, state);

-- Each answer of the eligibility check, with all that is needed to replay it.
CREATE TABLE decision (
    id              uuid PRIMARY KEY,
    person_id       uuid NOT NULL REFERENCES person,
    visit_id        uuid REFERENCES visit,                  -- NULL: asked before a visit, or booking refused
    institution_id  uuid REFERENCES institution,
    stage           text NOT NULL CHECK (stage IN ('booking', 'start', 'in_visit', 'sign')),
    verdict         text NOT NULL CHECK (verdict IN ('ALLOW', 'ALLOW_COND', 'REQUIRE', 'REDIRECT_OFFLINE', 'DENY', 'EMERGENCY')),
    reasons         jsonb NOT NULL,
    ways            jsonb NOT NULL,
    facts           jsonb NOT NULL,
    facts_sha256    text NOT NULL CHECK (facts_sha256 ~ '^[0-9a-f]{64}$'),  -- of the facts in RFC 8785 form
    rule_set        text NOT NULL,
    policies        text[] NOT NULL,
    at              timestamptz NOT NULL
);
CREATE INDEX decision_visit ON decision (visit_id, at);
CREATE INDEX decision_person ON decision (person_id, at);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION '% is written once', TG_TABLE_NAME USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER decision_is_written_once BEFORE UPDATE OR DELETE ON decision FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Records of earlier diagnoses.
CREATE TABLE evidence (
    id               uuid PRIMARY KEY,
    person_id        uuid NOT NULL REFERENCES person,
    account_id       uuid NOT NULL REFERENCES account,      -- who uploaded it
    institution_id   uuid NOT NULL REFERENCES institution,  -- that checks it and whose key seals the file
    icd10            text NOT NULL,
    dx_date          date NOT NULL,
    source           text NOT NULL CHECK (source IN ('physical', 'online')),
    institution_name text NOT NULL,                         -- where the diagnosis was made
    doc_type         text NOT NULL,
    verify           text NOT NULL CHECK (verify IN ('pending', 'verified', 'rejected', 'self_declared')),
    verified_by      uuid REFERENCES account,
    verified_at      timestamptz,
    note             text NOT NULL DEFAULT '',
    file_name        text NOT NULL,
    content_type     text NOT NULL CHECK (content_type IN ('image/jpeg', 'image/png', 'application/pdf')),
    size             bigint NOT NULL CHECK (size BETWEEN 1 AND 10485760),
    sha256           bytea NOT NULL CHECK (length(sha256) = 32),
    object_key       text NOT NULL UNIQUE,
    request_key      uuid NOT NULL,
    uploaded_at      timestamptz NOT NULL,
    UNIQUE (account_id, request_key),
    CHECK ((verify IN ('verified', 'rejected')) = (verified_at IS NOT NULL))
);
CREATE INDEX evidence_person ON evidence (person_id);
CREATE INDEX evidence_pending ON evidence (institution_id, uploaded_at) WHERE verify = 'pending';

-- The record of a visit, a row a version. The bytes are stored before they are signed, and a
-- signed version never changes.
CREATE TABLE record (
    id              uuid PRIMARY KEY,
    visit_id        uuid NOT NULL REFERENCES visit,
    version         int NOT NULL CHECK (version > 0),
    practitioner_id uuid NOT NULL REFERENCES practitioner,
    institution_id  uuid NOT NULL REFERENCES institution,
    canonical       bytea NOT NULL,                         -- RFC 8785, exactly what is signed
    sha256          text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    diagnoses       text[] NOT NULL,                        -- ICD-10, in order
    written_at      timestamptz NOT NULL,
    signature       bytea,
    key_id          uuid REFERENCES signing_key,
    signed_at       timestamptz,
    CONSTRAINT record_version UNIQUE (visit_id, version),
    CHECK ((signature IS NULL) = (signed_at IS NULL) AND (signature IS NULL) = (key_id IS NULL)),
    CHECK (signature IS NULL OR cardinality(diagnoses) > 0)
);
CREATE UNIQUE INDEX record_signed_once ON record (visit_id) WHERE signed_at IS NOT NULL;
CREATE TRIGGER record_stays_signed BEFORE UPDATE OR DELETE ON record FOR EACH ROW WHEN (OLD.signed_at IS NOT NULL)
    EXECUTE FUNCTION refuse_change();

---- create above / drop below ----

DROP TABLE record, evidence, decision, visit, slot;
DROP FUNCTION refuse_change;
DROP FUNCTION years;
DROP FUNCTION with_way;
