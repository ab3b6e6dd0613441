-- A county hospital asks an expert: request, studies, time, opinion, the asking doctor's own decision.

CREATE TABLE teleconsult (
    id                      uuid PRIMARY KEY,
    inviter_practitioner_id uuid NOT NULL REFERENCES practitioner,
    inviter_institution_id  uuid NOT NULL REFERENCES institution,
    invited_institution_id  uuid NOT NULL REFERENCES institution,
    person_id               uuid NOT NULL REFERENCES person,
    department              text NOT NULL,
    question                text NOT NULL,
    summary                 text NOT NULL,
    urgency                 text NOT NULL CHECK (urgency IN ('routine', 'urgent', 'emergency')),
    state                   text NOT NULL CHECK (state IN ('draft', 'submitted', 'scheduled', 'in_progress', 'opinion_signed',
                                                           'decided', 'closed', 'declined', 'cancelled')),
    liability               text NOT NULL DEFAULT 'inviter' CHECK (liability IN ('inviter', 'joint')),  -- TCR-10
    -- written consent of the patient or a relative (TCR-03)
    consent_method          text CHECK (consent_method IN ('paper', 'patient_device')),
    consent_signed_by       text,
    consent_relation        text,
    consent_at              timestamptz,
    consent_account_id      uuid REFERENCES account,         -- who recorded it
    expert_practitioner_id  uuid REFERENCES practitioner,
    slot_id                 uuid UNIQUE REFERENCES slot,      -- the expert's time; keeps them from being elsewhere
    patient_invited_at      timestamptz,
    reason                  text NOT NULL DEFAULT '',         -- of a decline or cancellation
    room                    text NOT NULL UNIQUE,
    request_key             uuid NOT NULL,
    created_at              timestamptz NOT NULL,
    submitted_at            timestamptz,
    sla_due                 timestamptz,                      -- to be answered by (TCR-07)
    closed_at               timestamptz,
    CONSTRAINT teleconsult_asked_once UNIQUE (inviter_practitioner_id, request_key),
    CHECK (inviter_institution_id <> invited_institution_id),
    CHECK ((consent_at IS NULL) = (consent_method IS NULL)),
    CONSTRAINT teleconsult_needs_consent CHECK (state IN ('draft', 'cancelled') OR consent_at IS NOT NULL),
    CONSTRAINT teleconsult_needs_expert CHECK (state NOT IN ('scheduled', 'in_progress', 'opinion_signed', 'decided', 'closed')
                                               OR (expert_practitioner_id IS NOT NULL AND slot_id IS NOT NULL))
);
CREATE INDEX teleconsult_inviter ON teleconsult (inviter_practitioner_id, state);
CREATE INDEX teleconsult_invited ON teleconsult (invited_institution_id, state);
CREATE INDEX teleconsult_expert ON teleconsult (expert_practitioner_id, state);

CREATE TABLE teleconsult_study (
    teleconsult_id uuid NOT NULL REFERENCES teleconsult,
    study_uid      text NOT NULL CHECK (study_uid ~ '^[0-9.]{1,64}$'),
    PRIMARY KEY (teleconsult_id, study_uid)
);

-- The expert's opinion and the asking doctor's own decision: each version stored before it
-- is signed, none changed afterwards.
CREATE TABLE teleconsult_document (
    id              uuid PRIMARY KEY,
    teleconsult_id  uuid NOT NULL REFERENCES teleconsult,
    kind            text NOT NULL CHECK (kind IN ('opinion', 'decision')),
    version         int NOT NULL CHECK (version > 0),
    practitioner_id uuid NOT NULL REFERENCES practitioner,
    canonical       bytea NOT NULL,                            -- RFC 8785, exactly what is signed
    sha256          text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    written_at      timestamptz NOT NULL,
    signature       bytea,
    key_id          uuid REFERENCES signing_key,
    signed_at       timestamptz,
    CONSTRAINT teleconsult_document_version UNIQUE (teleconsult_id, kind, version),
    CHECK ((signature IS NULL) = (signed_at IS NULL) AND (signature IS NULL) = (key_id IS NULL))
);
CREATE UNIQUE INDEX teleconsult_document_signed_once ON teleconsult_document (teleconsult_id, kind) WHERE signed_at IS NOT NULL;
CREATE TRIGGER teleconsult_document_stays_signed BEFORE UPDATE OR DELETE ON teleconsult_document
    FOR EACH ROW WHEN (OLD.signed_at IS NOT NULL) EXECUTE FUNCTION refuse_change();

---- create above / drop below ----

DROP TABLE teleconsult_document, teleconsult_study, teleconsult;
