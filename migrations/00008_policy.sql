-- First-visit policies and their life; rule sets and keys that stored decisions are proved by.

-- Rule sets by the hash of their files: a decision can be judged again under the rules of its day.
CREATE TABLE rule_set (
    sha256  text PRIMARY KEY CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    version text NOT NULL,
    packs   jsonb NOT NULL,                         -- [{name, files: {name: text}}]
    kept_at timestamptz NOT NULL
);
CREATE TRIGGER rule_set_is_written_once BEFORE UPDATE OR DELETE ON rule_set FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Public keys that decisions were signed with. The house's key follows from its master key; a new one adds a row.
CREATE TABLE decision_key (
    id      text PRIMARY KEY,                       -- first 8 bytes of the key's SHA-256, hex
    public  bytea NOT NULL CHECK (length(public) = 32),
    kept_at timestamptz NOT NULL
);
CREATE TRIGGER decision_key_is_written_once BEFORE UPDATE OR DELETE ON decision_key FOR EACH ROW EXECUTE FUNCTION refuse_change();

ALTER TABLE decision
    ADD COLUMN practitioner_id uuid REFERENCES practitioner,    -- who was asked for
    ADD COLUMN prospect        jsonb,                           -- what would change the answer
    ADD COLUMN rules_sha256    text REFERENCES rule_set,
    ADD COLUMN ruling          bytea,                           -- RFC 8785, exactly what is signed
    ADD COLUMN signature       bytea,
    ADD COLUMN key_id          text REFERENCES decision_key,
    ADD CHECK ((ruling IS NULL) = (signature IS NULL) AND (ruling IS NULL) = (key_id IS NULL));
CREATE INDEX decision_at ON decision (at);

-- One version of a first-visit policy. What it says is written once; its state moves (consult/policy.go).
CREATE TABLE policy (
    id             uuid PRIMARY KEY,
    policy_id      text NOT NULL CHECK (policy_id <> ''),
    version        int NOT NULL CHECK (version > 0),
    institution_id uuid REFERENCES institution,     -- that answers for it; NULL: of the whole house, imported by its operator
    document       bytea NOT NULL,                  -- the policy file in canonical JSON, status aside
    sha256         text NOT NULL CHECK (sha256 = encode(sha256(document), 'hex')),
    during         tstzrange NOT NULL CHECK (NOT isempty(during) AND lower_inc(during) AND NOT upper_inc(during)),
    state          text NOT NULL CHECK (state IN ('draft', 'simulated', 'approved', 'active', 'suspended', 'revoked', 'rejected')),
    drafted_by     uuid REFERENCES account,         -- NULL: imported
    drafted_at     timestamptz NOT NULL,
    UNIQUE (policy_id, version),
    UNIQUE (id, drafted_by)
);
CREATE INDEX policy_known ON policy (state) WHERE state IN ('active', 'suspended', 'revoked');

-- A replay of stored decisions under the policy, of exactly this document and these rules.
CREATE TABLE policy_simulation (
    id           uuid PRIMARY KEY,
    policy       uuid NOT NULL REFERENCES policy,
    sha256       text NOT NULL,
    rules_sha256 text NOT NULL REFERENCES rule_set,
    days         int NOT NULL CHECK (days BETWEEN 1 AND 366),
    result       jsonb NOT NULL,
    took_ms      int NOT NULL,
    account_id   uuid NOT NULL REFERENCES account,
    at           timestamptz NOT NULL
);
CREATE INDEX policy_simulation_of ON policy_simulation (policy, at);

-- Nobody approves what they drafted (EXC-07), nobody twice.
CREATE TABLE policy_approval (
    policy     uuid NOT NULL,
    account_id uuid NOT NULL REFERENCES account,
    drafted_by uuid NOT NULL,
    sha256     text NOT NULL,                       -- of the document that was read
    at         timestamptz NOT NULL,
    CONSTRAINT policy_approved_once PRIMARY KEY (policy, account_id),
    FOREIGN KEY (policy, drafted_by) REFERENCES policy (id, drafted_by),
    CONSTRAINT policy_approver_is_another CHECK (account_id <> drafted_by)
);

-- Every move, with who and why.
CREATE TABLE policy_event (
    id         uuid PRIMARY KEY,
    policy     uuid NOT NULL REFERENCES policy,
    deed       text NOT NULL,
    state      text NOT NULL,                       -- after it
    account_id uuid REFERENCES account,             -- NULL: the operator's folder
    reason     text NOT NULL DEFAULT '',
    at         timestamptz NOT NULL
);
CREATE INDEX policy_event_of ON policy_event (policy, at);

CREATE TRIGGER policy_simulation_is_written_once BEFORE UPDATE OR DELETE ON policy_simulation FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER policy_approval_is_written_once BEFORE UPDATE OR DELETE ON policy_approval FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER policy_event_is_written_once BEFORE UPDATE OR DELETE ON policy_event FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Whatever the code forgot: a version never changes its words, and none that was drafted here comes into force
-- without a simulation of these very words and two approvals of them.
CREATE FUNCTION policy_gate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR (OLD.policy_id, OLD.version, OLD.document, OLD.sha256, OLD.during, OLD.institution_id, OLD.drafted_by, OLD.drafted_at)
        IS DISTINCT FROM (NEW.policy_id, NEW.version, NEW.document, NEW.sha256, NEW.during, NEW.institution_id, NEW.drafted_by, NEW.drafted_at) THEN
        RAISE EXCEPTION 'a policy version is written once' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state = 'active' AND OLD.state <> 'active' AND (
        (SELECT count(*) FROM policy_approval a WHERE a.policy = NEW.id AND a.sha256 = NEW.sha256) < 2
        OR NOT EXISTS (SELECT FROM policy_simulation s WHERE s.policy = NEW.id AND s.sha256 = NEW.sha256)) THEN
        RAISE EXCEPTION 'no policy comes into force without simulation and two approvals' USING ERRCODE = 'check_violation', CONSTRAINT = 'policy_activation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER policy_gate BEFORE UPDATE OR DELETE ON policy FOR EACH ROW EXECUTE FUNCTION policy_gate();

---- create above / drop below ----

DROP TABLE policy_event, policy_approval, policy_simulation, policy;
DROP FUNCTION policy_gate;
DROP INDEX decision_at;
ALTER TABLE decision DROP COLUMN key_id, DROP COLUMN signature, DROP COLUMN ruling, DROP COLUMN rules_sha256, DROP COLUMN prospect, DROP COLUMN practitioner_id;
DROP TABLE decision_key, rule_set;
