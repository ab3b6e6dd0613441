-- What a hospital itself knows of an earlier diagnosis, the file of a policy's approval document, and simulations of draft rules.

-- Signed records of visits in person, taken in from a hospital's own system. They are found by the ID number, also for who
-- registers here later. A record is never changed: what was wrong is withdrawn and taken in under another number.
CREATE TABLE hospital_record (
    id             uuid PRIMARY KEY,
    institution_id uuid NOT NULL REFERENCES institution,
    record_no      text NOT NULL CHECK (record_no <> ''),   -- number in the hospital's system
    id_lookup      bytea NOT NULL,                          -- as person.id_lookup
    icd10          text NOT NULL,
    dx_date        date NOT NULL,
    doc_type       text NOT NULL,
    department     text NOT NULL,
    doctor         text NOT NULL CHECK (doctor <> ''),      -- who signed it there
    taken_in_by    uuid NOT NULL REFERENCES account,
    taken_in_at    timestamptz NOT NULL,
    withdrawn_by   uuid REFERENCES account,
    withdrawn_at   timestamptz,
    UNIQUE (institution_id, record_no, icd10),
    CHECK ((withdrawn_at IS NULL) = (withdrawn_by IS NULL))
);
CREATE INDEX hospital_record_found ON hospital_record (id_lookup, institution_id) WHERE withdrawn_at IS NULL;
CREATE FUNCTION hospital_record_gate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.withdrawn_at IS NOT NULL
        OR to_jsonb(OLD) - ARRAY['withdrawn_by', 'withdrawn_at'] IS DISTINCT FROM to_jsonb(NEW) - ARRAY['withdrawn_by', 'withdrawn_at'] THEN
        RAISE EXCEPTION 'a hospital record is written once' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER hospital_record_gate BEFORE UPDATE OR DELETE ON hospital_record FOR EACH ROW EXECUTE FUNCTION hospital_record_gate();

-- Approval documents by the hash that policies name them by.
CREATE TABLE policy_file (
    sha256         text PRIMARY KEY CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    institution_id uuid NOT NULL REFERENCES institution,    -- whose key seals the file
    object_key     text NOT NULL UNIQUE,
    file_name      text NOT NULL,
    content_type   text NOT NULL CHECK (content_type IN ('image/jpeg', 'image/png', 'application/pdf')),
    size           bigint NOT NULL CHECK (size BETWEEN 1 AND 10485760),
    account_id     uuid NOT NULL REFERENCES account,
    kept_at        timestamptz NOT NULL
);
CREATE TRIGGER policy_file_is_written_once BEFORE UPDATE OR DELETE ON policy_file FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- A policy drafted here comes into force with its document in the house.
CREATE FUNCTION policy_file_gate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM policy_file f WHERE f.sha256 = convert_from(NEW.document, 'UTF8')::jsonb #>> '{authority,doc_sha256}') THEN
        RAISE EXCEPTION 'the approval document is not kept' USING ERRCODE = 'check_violation', CONSTRAINT = 'policy_document_kept';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER policy_file_gate BEFORE UPDATE ON policy FOR EACH ROW WHEN (NEW.state = 'active' AND OLD.state <> 'active') EXECUTE FUNCTION policy_file_gate();

-- Who is on a policy's whitelist stands in the policy.
ALTER TABLE practitioner DROP COLUMN whitelists;

-- A replay of stored decisions under a draft rule pack, of exactly these files.
CREATE TABLE rule_simulation (
    id             uuid PRIMARY KEY,
    pack           jsonb NOT NULL,                          -- {name, files: {name: text}}
    name           text NOT NULL,
    rules_sha256   text NOT NULL CHECK (rules_sha256 ~ '^[0-9a-f]{64}$'),   -- of the rules of that day with the pack over them
    version        text NOT NULL,
    institution_id uuid REFERENCES institution,             -- whose decisions; NULL: of the whole house, by its operator
    days           int NOT NULL CHECK (days BETWEEN 1 AND 366),
    result         jsonb NOT NULL,
    took_ms        int NOT NULL,
    account_id     uuid REFERENCES account,
    at             timestamptz NOT NULL,
    CHECK ((institution_id IS NULL) = (account_id IS NULL))
);
CREATE INDEX rule_simulation_at ON rule_simulation (at);
CREATE TRIGGER rule_simulation_is_written_once BEFORE UPDATE OR DELETE ON rule_simulation FOR EACH ROW EXECUTE FUNCTION refuse_change();

---- create above / drop below ----

ALTER TABLE practitioner ADD COLUMN whitelists text[] NOT NULL DEFAULT '{}';
DROP TRIGGER policy_file_gate ON policy;
DROP FUNCTION policy_file_gate;
DROP TABLE rule_simulation, policy_file, hospital_record;
DROP FUNCTION hospital_record_gate;
