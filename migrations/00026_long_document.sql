-- How many days a prescription may be claimed, and the local document that permits more than twelve weeks.

-- A document of the province or city that lets a hospital write long prescriptions above 84 days, up to 90 (RXE-17). It
-- counts between its dates, once somebody else has approved what was filed, and until it is withdrawn.
CREATE TABLE long_document (
    id             uuid PRIMARY KEY,
    institution_id uuid NOT NULL REFERENCES institution,
    title          text NOT NULL CHECK (title <> ''),
    number         text NOT NULL CHECK (number <> ''),    -- 文号
    issuer         text NOT NULL CHECK (issuer <> ''),
    max_days       int NOT NULL CHECK (max_days BETWEEN 85 AND 90),
    valid_from     date NOT NULL,
    valid_until    date NOT NULL CHECK (valid_until >= valid_from),
    sha256         text NOT NULL REFERENCES policy_file,  -- the paper itself
    filed_by       uuid NOT NULL REFERENCES account,
    filed_at       timestamptz NOT NULL,
    approved_by    uuid REFERENCES account CHECK (approved_by <> filed_by),
    approved_at    timestamptz,
    withdrawn_by   uuid REFERENCES account,
    withdrawn_at   timestamptz,
    CHECK ((approved_by IS NULL) = (approved_at IS NULL) AND (withdrawn_by IS NULL) = (withdrawn_at IS NULL))
);
CREATE INDEX long_document_place ON long_document (institution_id, valid_until);
CREATE FUNCTION long_document_gate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.withdrawn_at IS NOT NULL OR OLD.approved_at IS NOT NULL AND OLD.approved_by IS DISTINCT FROM NEW.approved_by
        OR to_jsonb(OLD) - ARRAY['approved_by', 'approved_at', 'withdrawn_by', 'withdrawn_at']
           IS DISTINCT FROM to_jsonb(NEW) - ARRAY['approved_by', 'approved_at', 'withdrawn_by', 'withdrawn_at'] THEN
        RAISE EXCEPTION 'a local document is written once' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER long_document_gate BEFORE UPDATE OR DELETE ON long_document FOR EACH ROW EXECUTE FUNCTION long_document_gate();

ALTER TABLE prescription
    ADD COLUMN valid_days int NOT NULL DEFAULT 1 CHECK (valid_days BETWEEN 1 AND 3),  -- the day of signing and up to two more (RXE-22)
    ADD COLUMN long_document uuid REFERENCES long_document;                            -- by which it has more than 84 days

---- create above / drop below ----

ALTER TABLE prescription DROP COLUMN valid_days, DROP COLUMN long_document;
DROP TABLE long_document;
DROP FUNCTION long_document_gate;
