-- Of several processes of the house one records.

ALTER TABLE recording
    ADD COLUMN taped_by     text,         -- the process that records, or decides whether to
    ADD COLUMN taped_until  timestamptz,  -- by this clock; then another process takes over
    ADD COLUMN ending_until timestamptz,  -- somebody ends it: until then nobody begins anew
    ADD CONSTRAINT recording_taped CHECK ((taped_by IS NULL) = (taped_until IS NULL));
CREATE INDEX recording_taped_by ON recording (taped_by) WHERE taped_by IS NOT NULL;

---- create above / drop below ----

ALTER TABLE recording DROP COLUMN taped_by, DROP COLUMN taped_until, DROP COLUMN ending_until;
