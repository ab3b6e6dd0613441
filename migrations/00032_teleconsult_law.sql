-- What the law asks of a teleconsult beside opinion and decision: agreements of hospitals, a complete request, a clock that
-- pauses, triage, answers in writing, experts who each sign, readings by a third party with critical values, what happened
-- step by step, and the package that both hospitals keep.

-- A cooperation agreement of two hospitals (TCR-02), in force once both have signed.
CREATE TABLE agreement (
    id                     uuid PRIMARY KEY,
    inviter_institution_id uuid NOT NULL REFERENCES institution,
    invited_institution_id uuid NOT NULL REFERENCES institution,
    kinds                  text[] NOT NULL CHECK (kinds <> '{}' AND kinds <@ '{consult,imaging,pathology,ecg}'),
    terms                  text NOT NULL CHECK (terms <> ''), -- purpose, content, process, duties, sharing of risk; or where the paper lies
    during                 daterange NOT NULL CHECK (NOT isempty(during) AND NOT upper_inf(during)),
    offered_by             uuid NOT NULL REFERENCES institution,  -- the side that signed first
    offered_account_id     uuid NOT NULL REFERENCES account,
    offered_at             timestamptz NOT NULL,
    accepted_account_id    uuid REFERENCES account,
    accepted_at            timestamptz,
    ended_account_id       uuid REFERENCES account,
    ended_at               timestamptz,
    CHECK (inviter_institution_id <> invited_institution_id),
    CHECK (offered_by IN (inviter_institution_id, invited_institution_id)),
    CHECK (accepted_account_id IS DISTINCT FROM offered_account_id),
    CHECK ((accepted_at IS NULL) = (accepted_account_id IS NULL) AND (ended_at IS NULL) = (ended_account_id IS NULL))
);
CREATE INDEX agreement_inviter ON agreement (inviter_institution_id);
CREATE INDEX agreement_invited ON agreement (invited_institution_id);

ALTER TABLE teleconsult
    ADD COLUMN kind text NOT NULL DEFAULT 'consult' CHECK (kind IN ('consult', 'imaging', 'pathology', 'ecg')),
    ADD COLUMN diagnosis text NOT NULL DEFAULT '',
    ADD COLUMN labs text NOT NULL DEFAULT '',              -- results that are no images
    ADD COLUMN contact text NOT NULL DEFAULT '',           -- telephone of the asking side
    ADD COLUMN needs text NOT NULL DEFAULT '',             -- what the invited hospital misses, and the answer to it
    ADD COLUMN needs_answer text NOT NULL DEFAULT '',
    ADD COLUMN clock_from timestamptz,                     -- submitted_at, later by every pause
    ADD COLUMN paused_at timestamptz,                      -- since when the clock stands
    ADD COLUMN escalated_at timestamptz,
    ADD COLUMN escalated_why text NOT NULL DEFAULT '',
    ADD COLUMN live boolean NOT NULL DEFAULT false,        -- people meet in its room; else the answer is in writing
    ADD COLUMN inviter_entered_at timestamptz,             -- attendance (TCR-04)
    ADD COLUMN expert_entered_at timestamptz,
    DROP CONSTRAINT teleconsult_state_check,
    ADD CONSTRAINT teleconsult_state_check CHECK (state IN ('draft', 'submitted', 'needs_info', 'triaged', 'scheduled', 'in_progress',
                                                            'opinion_signed', 'decided', 'closed', 'declined', 'cancelled')),
    DROP CONSTRAINT teleconsult_consent_method_check,
    ADD CONSTRAINT teleconsult_consent_method_check CHECK (consent_method IN ('paper', 'patient_device', 'head_approval')),
    ADD CONSTRAINT teleconsult_head_approves_emergencies CHECK (consent_method IS DISTINCT FROM 'head_approval' OR urgency = 'emergency'),
    ADD CONSTRAINT teleconsult_joint_liability CHECK ((kind = 'consult') = (liability = 'inviter')), -- TCR-10
    ADD CONSTRAINT teleconsult_paused CHECK ((paused_at IS NOT NULL) = (state = 'needs_info')),
    DROP CONSTRAINT teleconsult_needs_expert,
    ADD CONSTRAINT teleconsult_needs_expert CHECK (state NOT IN ('scheduled', 'in_progress', 'opinion_signed', 'decided', 'closed')
                                                   OR expert_practitioner_id IS NOT NULL),
    ADD CONSTRAINT teleconsult_needs_time CHECK (state <> 'scheduled' OR (slot_id IS NOT NULL AND live));
UPDATE teleconsult SET clock_from = submitted_at, live = slot_id IS NOT NULL,
    inviter_entered_at = CASE WHEN state IN ('in_progress', 'opinion_signed', 'decided', 'closed') THEN submitted_at END,
    expert_entered_at = CASE WHEN state IN ('in_progress', 'opinion_signed', 'decided', 'closed') THEN submitted_at END;
CREATE INDEX teleconsult_due ON teleconsult (sla_due) WHERE state IN ('submitted', 'triaged', 'scheduled', 'in_progress') AND escalated_at IS NULL;

ALTER TABLE teleconsult_further ALTER COLUMN slot_id DROP NOT NULL; -- who answers in writing keeps no time free

-- Each expert's opinion has its own versions and its own signature (TCR-05); an addendum is signed as it is written.
ALTER TABLE teleconsult_document
    DROP CONSTRAINT teleconsult_document_kind_check,
    ADD CONSTRAINT teleconsult_document_kind_check CHECK (kind IN ('opinion', 'decision', 'addendum')),
    DROP CONSTRAINT teleconsult_document_version,
    ADD CONSTRAINT teleconsult_document_version UNIQUE (teleconsult_id, kind, practitioner_id, version);
DROP INDEX teleconsult_document_signed_once;
CREATE UNIQUE INDEX teleconsult_document_signed_once ON teleconsult_document (teleconsult_id, kind, practitioner_id)
    WHERE signed_at IS NOT NULL AND kind <> 'addendum';

-- What happened, in order: shown to both sides and part of the package (TCR-11).
CREATE TABLE teleconsult_step (
    teleconsult_id uuid NOT NULL REFERENCES teleconsult,
    n              int NOT NULL CHECK (n > 0),
    deed           text NOT NULL,
    account_id     uuid REFERENCES account, -- null: the house itself
    note           text NOT NULL DEFAULT '',
    at             timestamptz NOT NULL,
    PRIMARY KEY (teleconsult_id, n)
);
CREATE TRIGGER teleconsult_step_stays BEFORE UPDATE OR DELETE ON teleconsult_step FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- A critical value that an expert found: somebody at the asking hospital has to read it back.
CREATE TABLE critical_value (
    id              uuid PRIMARY KEY,
    teleconsult_id  uuid NOT NULL REFERENCES teleconsult,
    practitioner_id uuid NOT NULL REFERENCES practitioner, -- who found it
    what            text NOT NULL CHECK (what <> ''),
    at              timestamptz NOT NULL,
    escalated_at    timestamptz,
    read_back       text,                                  -- as the asking doctor repeats it, and what is done
    read_account_id uuid REFERENCES account,
    read_at         timestamptz,
    CHECK ((read_at IS NULL) = (read_back IS NULL) AND (read_at IS NULL) = (read_account_id IS NULL))
);
CREATE INDEX critical_value_of ON critical_value (teleconsult_id);
CREATE INDEX critical_value_unread ON critical_value (at) WHERE read_at IS NULL;

-- The package as each hospital keeps it, sealed by its own key.
CREATE TABLE teleconsult_package (
    teleconsult_id uuid NOT NULL REFERENCES teleconsult,
    institution_id uuid NOT NULL REFERENCES institution,
    object_key     text NOT NULL,
    sha256         text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    size           bigint NOT NULL CHECK (size > 0),
    kept_at        timestamptz NOT NULL,
    PRIMARY KEY (teleconsult_id, institution_id)
);
CREATE TRIGGER teleconsult_package_stays BEFORE UPDATE OR DELETE ON teleconsult_package FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Sentences that a doctor uses again in opinions.
CREATE TABLE opinion_phrase (
    practitioner_id uuid NOT NULL REFERENCES practitioner,
    field           text NOT NULL CHECK (field IN ('findings', 'advice')),
    phrase          text NOT NULL CHECK (length(phrase) BETWEEN 2 AND 500),
    at              timestamptz NOT NULL,
    PRIMARY KEY (practitioner_id, field, phrase)
);

---- create above / drop below ----

-- The old tables have no place for what only the new states and kinds know.
DROP TABLE opinion_phrase, teleconsult_package, critical_value, teleconsult_step, agreement;
DROP INDEX teleconsult_due;
ALTER TABLE teleconsult_document DISABLE TRIGGER teleconsult_document_stays_signed;
DELETE FROM teleconsult_document d WHERE kind = 'addendum'
    OR kind = 'opinion' AND practitioner_id <> (SELECT expert_practitioner_id FROM teleconsult t WHERE t.id = d.teleconsult_id);
ALTER TABLE teleconsult_document ENABLE TRIGGER teleconsult_document_stays_signed;
DROP INDEX teleconsult_document_signed_once;
CREATE UNIQUE INDEX teleconsult_document_signed_once ON teleconsult_document (teleconsult_id, kind) WHERE signed_at IS NOT NULL;
ALTER TABLE teleconsult_document
    DROP CONSTRAINT teleconsult_document_version,
    ADD CONSTRAINT teleconsult_document_version UNIQUE (teleconsult_id, kind, version),
    DROP CONSTRAINT teleconsult_document_kind_check,
    ADD CONSTRAINT teleconsult_document_kind_check CHECK (kind IN ('opinion', 'decision'));
DELETE FROM teleconsult_further WHERE slot_id IS NULL;
ALTER TABLE teleconsult_further ALTER COLUMN slot_id SET NOT NULL;
ALTER TABLE teleconsult
    DROP CONSTRAINT teleconsult_needs_time,
    DROP CONSTRAINT teleconsult_needs_expert,
    DROP CONSTRAINT teleconsult_paused,
    DROP CONSTRAINT teleconsult_joint_liability,
    DROP CONSTRAINT teleconsult_head_approves_emergencies,
    DROP CONSTRAINT teleconsult_consent_method_check,
    DROP CONSTRAINT teleconsult_state_check;
UPDATE teleconsult SET liability = 'inviter', consent_method = CASE consent_method WHEN 'head_approval' THEN 'paper' ELSE consent_method END,
    state = CASE WHEN state IN ('needs_info', 'triaged') THEN 'submitted'
                 WHEN state IN ('in_progress', 'opinion_signed', 'decided', 'closed') AND slot_id IS NULL THEN 'cancelled' ELSE state END;
ALTER TABLE teleconsult
    ADD CONSTRAINT teleconsult_state_check CHECK (state IN ('draft', 'submitted', 'scheduled', 'in_progress', 'opinion_signed',
                                                            'decided', 'closed', 'declined', 'cancelled')),
    ADD CONSTRAINT teleconsult_consent_method_check CHECK (consent_method IN ('paper', 'patient_device')),
    ADD CONSTRAINT teleconsult_needs_expert CHECK (state NOT IN ('scheduled', 'in_progress', 'opinion_signed', 'decided', 'closed')
                                                   OR (expert_practitioner_id IS NOT NULL AND slot_id IS NOT NULL)),
    DROP COLUMN expert_entered_at, DROP COLUMN inviter_entered_at, DROP COLUMN live, DROP COLUMN escalated_why, DROP COLUMN escalated_at,
    DROP COLUMN paused_at, DROP COLUMN clock_from, DROP COLUMN needs_answer, DROP COLUMN needs, DROP COLUMN contact, DROP COLUMN labs,
    DROP COLUMN diagnosis, DROP COLUMN kind;
