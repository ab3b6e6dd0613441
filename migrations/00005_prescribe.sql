-- Prescriptions: draft, doctor's signature, pharmacist's review, evidence code.

CREATE SEQUENCE prescription_no;

-- A row a version: what the pharmacist returns stays, and the correction is a new row under the same number.
CREATE TABLE prescription (
    id              uuid PRIMARY KEY,
    no              text NOT NULL,
    version         int NOT NULL CHECK (version > 0),
    supersedes      uuid UNIQUE REFERENCES prescription,
    visit_id        uuid NOT NULL REFERENCES visit,
    person_id       uuid NOT NULL REFERENCES person,
    practitioner_id uuid NOT NULL REFERENCES practitioner,
    institution_id  uuid NOT NULL REFERENCES institution,
    type            text NOT NULL CHECK (type IN ('general', 'long', 'emergency')),
    state           text NOT NULL CHECK (state IN ('draft', 'signed', 'approved', 'returned', 'refused', 'void')), -- expired is computed
    diagnosis       text[] NOT NULL,                -- ICD-10
    days_reason     text NOT NULL,                  -- for more days than the type allows (RXE-15, RXE-17)
    items           jsonb NOT NULL,
    checked         jsonb NOT NULL,                 -- what the checks said of exactly these items
    check_case      jsonb NOT NULL,                 -- what they were asked, to be asked again
    canonical       bytea NOT NULL,                 -- RFC 8785, stored before it is signed
    sha256          text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    risk            int NOT NULL,                   -- order of the pharmacist's queue
    written_at      timestamptz NOT NULL,
    signature       bytea,
    key_id          uuid REFERENCES signing_key,
    signed_at       timestamptz,
    valid_until     timestamptz,                    -- end of the day of issue, +08:00 (RXE-22)
    evidence_code   text UNIQUE,
    voided_at       timestamptz,
    request_key     uuid,                           -- Idempotency-Key of the first version
    UNIQUE (no, version),
    UNIQUE (id, practitioner_id),
    CONSTRAINT prescription_asked_once UNIQUE (practitioner_id, request_key),
    CHECK (jsonb_array_length(items) BETWEEN 1 AND 5),                  -- RXE-07
    CHECK ((signature IS NULL) = (signed_at IS NULL) AND (signature IS NULL) = (key_id IS NULL)
       AND (signature IS NULL) = (valid_until IS NULL)),
    CHECK (state IN ('draft', 'void') OR signature IS NOT NULL),        -- RXE-21
    CHECK (state NOT IN ('approved') OR evidence_code IS NOT NULL),     -- RXR-01
    CHECK ((state = 'void') = (voided_at IS NOT NULL)),
    CHECK (cardinality(diagnosis) > 0)                                  -- RXE-10
);
CREATE INDEX prescription_person ON prescription (person_id);
CREATE INDEX prescription_visit ON prescription (visit_id);
CREATE INDEX prescription_queue ON prescription (institution_id, risk DESC, signed_at) WHERE state = 'signed';

-- From the signature on only the state moves.
CREATE FUNCTION prescription_content(p prescription) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT (to_jsonb(p) - ARRAY['state', 'evidence_code', 'voided_at'])::text $$;
CREATE TRIGGER prescription_stays_signed BEFORE UPDATE ON prescription FOR EACH ROW
    WHEN (OLD.signed_at IS NOT NULL AND prescription_content(OLD) <> prescription_content(NEW)) EXECUTE FUNCTION refuse_change();
CREATE TRIGGER prescription_is_kept BEFORE DELETE ON prescription FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Why the doctor signed over an alert.
CREATE TABLE prescription_override (
    prescription_id uuid NOT NULL REFERENCES prescription,
    alert           text NOT NULL,
    reason_code     text NOT NULL CHECK (reason_code IN ('benefit_outweighs', 'tolerated_before', 'specialist_plan',
                                                         'dose_adjusted', 'will_monitor', 'data_wrong', 'asked_patient')),
    text            text NOT NULL CHECK (text <> ''),
    at              timestamptz NOT NULL,
    PRIMARY KEY (prescription_id, alert)
);
CREATE TRIGGER prescription_override_is_written_once BEFORE UPDATE OR DELETE ON prescription_override
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- The pharmacist's three checks (RXR-03); never the prescriber's own (RXR-02).
CREATE TABLE prescription_review (
    prescription_id uuid PRIMARY KEY,
    prescriber_id   uuid NOT NULL,
    pharmacist_id   uuid NOT NULL REFERENCES practitioner CHECK (pharmacist_id <> prescriber_id),
    legality        boolean NOT NULL,
    form            boolean NOT NULL,
    suitability     boolean NOT NULL,
    result          text NOT NULL CHECK (result IN ('pass', 'return', 'refuse')),
    reason_code     text NOT NULL CHECK (reason_code IN ('', 'diagnosis', 'dose', 'interaction', 'allergy', 'contraindication',
                                                         'duplicate', 'quantity', 'incomplete', 'other')),
    note            text NOT NULL,
    canonical       bytea NOT NULL,
    signature       bytea NOT NULL,
    key_id          uuid NOT NULL REFERENCES signing_key,
    at              timestamptz NOT NULL,
    FOREIGN KEY (prescription_id, prescriber_id) REFERENCES prescription (id, practitioner_id),
    CHECK (result <> 'pass' OR (legality AND form AND suitability)),
    CHECK ((result = 'pass') = (reason_code = ''))
);
CREATE TRIGGER prescription_review_is_written_once BEFORE UPDATE OR DELETE ON prescription_review
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

---- create above / drop below ----

DROP TABLE prescription_review, prescription_override;
DROP TRIGGER prescription_stays_signed ON prescription;
DROP FUNCTION prescription_content;
DROP TABLE prescription;
DROP SEQUENCE prescription_no;
