-- SM2 beside Ed25519, certificates of a certification authority, and the seal of an institution.

ALTER TABLE signing_key DROP CONSTRAINT signing_key_alg_check;
ALTER TABLE signing_key
    ADD CONSTRAINT signing_key_alg_check CHECK (alg IN ('SM2', 'Ed25519')),
    ALTER COLUMN practitioner_id DROP NOT NULL,
    ALTER COLUMN salt DROP NOT NULL,                -- a seal is wrapped under the house's master key, not under a passphrase
    ADD COLUMN institution_id uuid REFERENCES institution,   -- whose seal
    ADD COLUMN certificate    bytea,                -- X.509; none: from before there was a certification authority
    ADD COLUMN revoked_reason text NOT NULL DEFAULT '' CHECK (revoked_reason IN ('', 'superseded', 'key_compromise', 'ended')),
    ADD CONSTRAINT signing_key_one_holder CHECK (num_nonnulls(practitioner_id, institution_id) = 1),
    ADD CONSTRAINT signing_key_passphrase CHECK ((salt IS NULL) = (practitioner_id IS NULL));
CREATE UNIQUE INDEX signing_key_one_seal ON signing_key (institution_id) WHERE revoked_at IS NULL;

-- What the doctor signed: the hashes of what was shown, and the act itself (RFC 8785). None: signed before, over the
-- canonical text alone.
ALTER TABLE prescription ADD COLUMN statement bytea;

-- The hospital's seal over the issued envelope: the text, each signed statement, the evidence code (RFC 8785).
CREATE TABLE prescription_seal (
    prescription_id uuid PRIMARY KEY REFERENCES prescription,
    institution_id  uuid NOT NULL REFERENCES institution,
    canonical       bytea NOT NULL,
    signature       bytea NOT NULL,
    key_id          uuid NOT NULL REFERENCES signing_key,
    at              timestamptz NOT NULL
);
CREATE TRIGGER prescription_seal_is_written_once BEFORE UPDATE OR DELETE ON prescription_seal
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- A signature's witness in the log is found by what it is about.
CREATE INDEX audit_entry_object ON audit_entry (object, action);

---- create above / drop below ----

DROP INDEX audit_entry_object;
DROP TABLE prescription_seal;
ALTER TABLE prescription DROP COLUMN statement;
DROP INDEX signing_key_one_seal;
ALTER TABLE signing_key
    DROP CONSTRAINT signing_key_passphrase, DROP CONSTRAINT signing_key_one_holder,
    DROP COLUMN revoked_reason, DROP COLUMN certificate, DROP COLUMN institution_id,
    ALTER COLUMN salt SET NOT NULL, ALTER COLUMN practitioner_id SET NOT NULL,
    DROP CONSTRAINT signing_key_alg_check, ADD CONSTRAINT signing_key_alg_check CHECK (alg IN ('Ed25519'));
