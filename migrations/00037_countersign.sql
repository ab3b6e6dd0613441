-- A request goes out in the name of the asking hospital: its medical office countersigns it, where the hospital has set that it must.

-- The asking hospital's own setting, in versions; a hospital that has set none needs no countersign.
CREATE TABLE teleconsult_countersigning (
    institution_id uuid NOT NULL REFERENCES institution,
    version        int  NOT NULL CHECK (version > 0),
    needed         boolean NOT NULL,
    reason         text NOT NULL CHECK (reason <> ''),
    account_id     uuid NOT NULL REFERENCES account,
    at             timestamptz NOT NULL,
    PRIMARY KEY (institution_id, version)
);
CREATE TRIGGER teleconsult_countersigning_stays BEFORE UPDATE OR DELETE ON teleconsult_countersigning FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- What the medical office said, and of which text.
CREATE TABLE teleconsult_countersign (
    teleconsult_id uuid NOT NULL REFERENCES teleconsult,
    n              int  NOT NULL CHECK (n > 0),
    signed         boolean NOT NULL,
    reason         text NOT NULL,                                -- why not
    sha256         text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'), -- of the request in canonical form (RFC 8785)
    account_id     uuid NOT NULL REFERENCES account,
    at             timestamptz NOT NULL,
    PRIMARY KEY (teleconsult_id, n),
    CHECK (signed = (reason = ''))
);
CREATE UNIQUE INDEX teleconsult_countersigned_once ON teleconsult_countersign (teleconsult_id) WHERE signed;
CREATE TRIGGER teleconsult_countersign_stays BEFORE UPDATE OR DELETE ON teleconsult_countersign FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE FUNCTION refuse_own_countersign() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM teleconsult t JOIN practitioner p ON p.id = t.inviter_practitioner_id WHERE t.id = NEW.teleconsult_id AND p.account_id = NEW.account_id) THEN
        RAISE EXCEPTION 'nobody countersigns a request of their own' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER teleconsult_countersign_by_another BEFORE INSERT ON teleconsult_countersign FOR EACH ROW EXECUTE FUNCTION refuse_own_countersign();

-- office_since: when the request was handed to the medical office; of an emergency, which has gone out at once, when it went out.
-- Empty once the office has answered.
ALTER TABLE teleconsult
    ADD COLUMN office_since timestamptz,
    DROP CONSTRAINT teleconsult_state_check,
    ADD CONSTRAINT teleconsult_state_check CHECK (state IN ('draft', 'with_office', 'submitted', 'needs_info', 'triaged', 'scheduled', 'in_progress',
                                                            'opinion_signed', 'decided', 'closed', 'declined', 'cancelled')),
    ADD CONSTRAINT teleconsult_with_office CHECK (CASE WHEN state = 'with_office' THEN office_since IS NOT NULL AND submitted_at IS NULL
                                                       WHEN state IN ('draft', 'cancelled') THEN office_since IS NULL ELSE true END);
CREATE INDEX teleconsult_office ON teleconsult (inviter_institution_id, office_since) WHERE office_since IS NOT NULL;

---- create above / drop below ----

ALTER TABLE teleconsult DROP CONSTRAINT teleconsult_with_office, DROP CONSTRAINT teleconsult_state_check;
UPDATE teleconsult SET state = 'draft' WHERE state = 'with_office';
ALTER TABLE teleconsult
    ADD CONSTRAINT teleconsult_state_check CHECK (state IN ('draft', 'submitted', 'needs_info', 'triaged', 'scheduled', 'in_progress',
                                                            'opinion_signed', 'decided', 'closed', 'declined', 'cancelled')),
    DROP COLUMN office_since;
DROP TABLE teleconsult_countersign, teleconsult_countersigning;
DROP FUNCTION refuse_own_countersign;
