-- Who may dispense, what was dispensed, and the second person's word on a hard stop.

-- Registry of pharmacies: an institution with a drug licence, approved by two administrators who did not apply for it.
CREATE TABLE pharmacy (
    institution_id uuid PRIMARY KEY REFERENCES institution,
    licence_no     text NOT NULL UNIQUE CHECK (licence_no <> ''),     -- 药品经营许可证
    business_scope text NOT NULL,
    pharmacist     text NOT NULL CHECK (pharmacist <> ''),            -- licensed pharmacist in charge
    channels       text[] NOT NULL CHECK (channels <@ ARRAY['walk_in', 'online_retail', 'hospital_pickup'] AND cardinality(channels) > 0),
    documents      jsonb NOT NULL CHECK (jsonb_array_length(documents) > 0), -- [{name, number, sha256, until}]
    licence_until  date NOT NULL,
    state          text NOT NULL CHECK (state IN ('applied', 'approved', 'refused', 'suspended')),  -- expired is computed
    applied_by     uuid NOT NULL REFERENCES account,
    applied_at     timestamptz NOT NULL,
    first_by       uuid REFERENCES account CHECK (first_by <> applied_by),
    first_at       timestamptz,
    second_by      uuid REFERENCES account CHECK (second_by <> applied_by AND second_by <> first_by),
    second_at      timestamptz,
    CHECK (state <> 'approved' OR first_by IS NOT NULL AND second_by IS NOT NULL)
);

CREATE TABLE pharmacy_event (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    institution_id uuid NOT NULL REFERENCES pharmacy,
    account_id     uuid NOT NULL REFERENCES account,
    deed           text NOT NULL CHECK (deed IN ('apply', 'first_approval', 'second_approval', 'refuse', 'suspend')),
    note           text NOT NULL,
    at             timestamptz NOT NULL
);
CREATE TRIGGER pharmacy_event_is_written_once BEFORE UPDATE OR DELETE ON pharmacy_event FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- A part is what may be collected once: all of a prescription, or up to 28 days of a long one.
CREATE TABLE prescription_part (
    id              uuid PRIMARY KEY,
    prescription_id uuid NOT NULL REFERENCES prescription,
    part            int NOT NULL CHECK (part BETWEEN 1 AND 3),
    not_before      date NOT NULL,
    not_after       timestamptz NOT NULL,
    state           text NOT NULL CHECK (state IN ('ready', 'claimed', 'dispensed', 'void')),
    token_hash      bytea UNIQUE,                  -- SHA-256 of the claim code; the code is shown once and not kept
    claimed_by      uuid REFERENCES pharmacy,
    channel         text,
    claimed_at      timestamptz,
    lease_until     timestamptz,
    checked_in_at   timestamptz,                   -- the patient's answers before a later part
    answers         jsonb,
    paused_at       timestamptz,                   -- after a red answer, until the doctor goes on
    UNIQUE (prescription_id, part),
    CHECK ((state = 'claimed') <= (claimed_by IS NOT NULL AND lease_until IS NOT NULL)),
    CHECK (state <> 'dispensed' OR claimed_by IS NOT NULL)
);

-- Days of supply of a line that are still to be handed out. Below nothing Postgres does not go.
CREATE TABLE prescription_part_line (
    part_id uuid NOT NULL REFERENCES prescription_part,
    line    int NOT NULL,
    days    int NOT NULL CHECK (days > 0),
    remain  int NOT NULL CHECK (remain BETWEEN 0 AND days),
    PRIMARY KEY (part_id, line)
);

-- Everything that happened to a part at a pharmacy.
CREATE TABLE dispense_event (
    id             uuid PRIMARY KEY,
    part_id        uuid REFERENCES prescription_part, -- none: a code nobody knows
    institution_id uuid NOT NULL REFERENCES pharmacy,
    account_id     uuid NOT NULL REFERENCES account,
    deed           text NOT NULL CHECK (deed IN ('claim', 'release', 'dispense', 'wrong_code')),
    lines          jsonb NOT NULL DEFAULT '[]',    -- [{line, days, lot, trace}]
    counselled     boolean NOT NULL DEFAULT false, -- use was explained (RXR-14)
    at             timestamptz NOT NULL,
    CHECK ((deed = 'wrong_code') = (part_id IS NULL))
);
CREATE INDEX dispense_event_part ON dispense_event (part_id, at);
CREATE INDEX dispense_event_wrong ON dispense_event (institution_id, at) WHERE deed = 'wrong_code';
CREATE TRIGGER dispense_event_is_written_once BEFORE UPDATE OR DELETE ON dispense_event FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- One pack, one trace code, one hand-over.
CREATE TABLE trace_code (
    code     text PRIMARY KEY CHECK (code <> ''),  -- 药品追溯码
    event_id uuid NOT NULL REFERENCES dispense_event,
    line     int NOT NULL,
    lot      text NOT NULL CHECK (lot <> '')
);
CREATE INDEX trace_code_lot ON trace_code (lot);

-- A lot that was called back: who holds packs of it is found by trace_code.
CREATE TABLE recall (
    id         uuid PRIMARY KEY,
    lot        text NOT NULL UNIQUE CHECK (lot <> ''),
    reason     text NOT NULL CHECK (reason <> ''),
    account_id uuid NOT NULL REFERENCES account,
    at         timestamptz NOT NULL
);

-- The patient's own word to a plan above 28 days (RXE-17).
CREATE TABLE prescription_plan (
    prescription_id uuid PRIMARY KEY REFERENCES prescription,
    account_id      uuid NOT NULL REFERENCES account,
    confirmed_at    timestamptz NOT NULL
);

-- A hard stop is signed only after a second authorised person has given a reason for exactly this text.
CREATE TABLE prescription_second (
    prescription_id uuid NOT NULL,
    prescriber_id   uuid NOT NULL,
    sha256          text NOT NULL,
    alert           text NOT NULL,
    asked_at        timestamptz NOT NULL,
    second_id       uuid REFERENCES practitioner CHECK (second_id <> prescriber_id),
    agrees          boolean,
    reason          text CHECK (reason <> ''),
    canonical       bytea,                         -- what the second person signed (RFC 8785)
    signature       bytea,
    key_id          uuid REFERENCES signing_key,
    answered_at     timestamptz,
    PRIMARY KEY (prescription_id, sha256, alert),
    FOREIGN KEY (prescription_id, prescriber_id) REFERENCES prescription (id, practitioner_id),
    CHECK ((answered_at IS NULL) = (second_id IS NULL) AND (answered_at IS NULL) = (agrees IS NULL)
       AND (answered_at IS NULL) = (reason IS NULL) AND (answered_at IS NULL) = (signature IS NULL))
);
CREATE FUNCTION second_is_answered_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.answered_at IS NOT NULL THEN RAISE EXCEPTION 'the answer of a second person is written once'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER prescription_second_is_answered_once BEFORE UPDATE OR DELETE ON prescription_second
    FOR EACH ROW EXECUTE FUNCTION second_is_answered_once();

---- create above / drop below ----

DROP TABLE prescription_second;
DROP FUNCTION second_is_answered_once;
DROP TABLE prescription_plan, recall, trace_code, dispense_event, prescription_part_line, prescription_part, pharmacy_event, pharmacy;
