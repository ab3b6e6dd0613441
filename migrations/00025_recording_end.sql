-- How a recording ends: its time is over, two administrators agree, nobody holds it for a dispute (AUD-05; retention table of the rules).

ALTER TABLE recording
    ADD COLUMN told_at       timestamptz,                       -- the administrators heard that its time is over
    ADD COLUMN held_by       uuid REFERENCES account,           -- sealed or in dispute: kept until released
    ADD COLUMN held_at       timestamptz,
    ADD COLUMN held_why      text,
    ADD COLUMN end_by        uuid REFERENCES account,
    ADD COLUMN end_at        timestamptz,
    ADD COLUMN end_second_by uuid REFERENCES account,
    ADD COLUMN end_second_at timestamptz,
    ADD COLUMN erased_at     timestamptz,
    ADD COLUMN erased_parts  int,                               -- the certificate: how much it was, and the hash of its parts' hashes
    ADD COLUMN erased_bytes  bigint,
    ADD COLUMN erased_sha256 bytea,
    DROP CONSTRAINT recording_state_check,
    ADD CONSTRAINT recording_state_check CHECK (state IN ('asked', 'running', 'refused', 'done', 'damaged', 'erased')),
    ADD CONSTRAINT recording_held CHECK ((held_by IS NULL) = (held_at IS NULL) AND (held_by IS NULL) = (held_why IS NULL)),
    ADD CONSTRAINT recording_end_by_two CHECK (end_second_by IS NULL OR end_second_by <> end_by),
    ADD CONSTRAINT recording_end_in_order CHECK ((end_by IS NULL) = (end_at IS NULL) AND (end_second_by IS NULL) = (end_second_at IS NULL)
        AND (end_second_by IS NULL OR end_by IS NOT NULL)),
    ADD CONSTRAINT recording_held_goes_on CHECK (held_by IS NULL OR (end_by IS NULL AND state <> 'erased')),
    ADD CONSTRAINT recording_erased CHECK ((state = 'erased') = (erased_at IS NOT NULL)
        AND (erased_at IS NULL OR (end_second_by IS NOT NULL AND erased_parts IS NOT NULL AND erased_bytes IS NOT NULL AND length(erased_sha256) = 32)));
CREATE INDEX recording_keep_until ON recording (keep_until) WHERE state <> 'erased';

-- Whatever deletes: not before the time is over, two have agreed, and the certificate is written.
CREATE FUNCTION recording_part_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM recording WHERE id = OLD.recording_id AND state = 'erased' AND keep_until < erased_at::date) THEN
        RAISE EXCEPTION 'recording % is kept', OLD.recording_id USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER recording_part_stays BEFORE DELETE ON recording_part FOR EACH ROW EXECUTE FUNCTION recording_part_stays();

---- create above / drop below ----

DROP TRIGGER recording_part_stays ON recording_part;
DROP FUNCTION recording_part_stays;
ALTER TABLE recording_answer DISABLE TRIGGER recording_answer_is_written_once;
DELETE FROM recording_part WHERE recording_id IN (SELECT id FROM recording WHERE state = 'erased');
DELETE FROM recording_answer WHERE recording_id IN (SELECT id FROM recording WHERE state = 'erased'); -- the old tables have no place for them
DELETE FROM recording WHERE state = 'erased';
ALTER TABLE recording_answer ENABLE TRIGGER recording_answer_is_written_once;
DROP INDEX recording_keep_until;
ALTER TABLE recording
    DROP COLUMN told_at, DROP COLUMN held_by, DROP COLUMN held_at, DROP COLUMN held_why, DROP COLUMN end_by, DROP COLUMN end_at,
    DROP COLUMN end_second_by, DROP COLUMN end_second_at, DROP COLUMN erased_at, DROP COLUMN erased_parts, DROP COLUMN erased_bytes, DROP COLUMN erased_sha256,
    DROP CONSTRAINT recording_state_check,
    ADD CONSTRAINT recording_state_check CHECK (state IN ('asked', 'running', 'refused', 'done', 'damaged'));
