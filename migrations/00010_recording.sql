-- Sound and picture of a visit, written down with everybody's consent.

ALTER TABLE institution
    ADD COLUMN recording_required boolean NOT NULL DEFAULT false,  -- a patient who refuses is seen in person instead
    ADD COLUMN recording_years    int NOT NULL DEFAULT 3 CHECK (recording_years >= 3);  -- process record: 3 years at least (细则)
ALTER TABLE visit
    ADD COLUMN recording_refused boolean NOT NULL DEFAULT false,
    ADD COLUMN refund text NOT NULL DEFAULT '' CHECK (refund IN ('', 'full'));

CREATE TABLE recording (
    id             uuid PRIMARY KEY,
    visit_id       uuid NOT NULL UNIQUE REFERENCES visit,
    institution_id uuid NOT NULL REFERENCES institution,
    state          text NOT NULL CHECK (state IN ('asked', 'running', 'refused', 'done', 'damaged')),
    text_version   text NOT NULL,
    asked_at       timestamptz NOT NULL,
    started_at     timestamptz,
    ended_at       timestamptz,
    keep_until     date NOT NULL,
    trouble        boolean NOT NULL DEFAULT false,  -- it ended by itself and has not gone on
    check_failed   boolean NOT NULL DEFAULT false,  -- it did not play when the visit was to close
    CHECK (state <> 'running' OR started_at IS NOT NULL)
);

-- Who was asked under which text and what they said. The newest answer of a seat counts; none is ever changed.
CREATE TABLE recording_answer (
    id           uuid PRIMARY KEY,
    recording_id uuid NOT NULL REFERENCES recording,
    seat         text NOT NULL,
    name         text NOT NULL,
    role         text NOT NULL,
    account_id   uuid REFERENCES account,
    link_id      uuid REFERENCES link,
    agreed       boolean NOT NULL,
    text_version text NOT NULL,
    text_sha256  bytea NOT NULL CHECK (length(text_sha256) = 32),
    at           timestamptz NOT NULL,
    CHECK ((account_id IS NULL) <> (link_id IS NULL))
);
CREATE INDEX recording_answer_of ON recording_answer (recording_id, seat, at);
CREATE TRIGGER recording_answer_is_written_once BEFORE UPDATE OR DELETE ON recording_answer FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- A take is a seat's file; its parts in order, up to any of them, play.
CREATE TABLE recording_part (
    recording_id uuid NOT NULL REFERENCES recording,
    take         int NOT NULL CHECK (take >= 0),
    number       int NOT NULL CHECK (number >= 0),
    seat         text NOT NULL,
    media_type   text NOT NULL CHECK (media_type IN ('audio/webm', 'video/webm', 'video/x-matroska')),
    start_at     timestamptz NOT NULL,
    end_at       timestamptz NOT NULL,
    object_key   text NOT NULL UNIQUE,
    size         bigint NOT NULL CHECK (size > 0),
    sha256       bytea NOT NULL CHECK (length(sha256) = 32),
    PRIMARY KEY (recording_id, take, number)
);

---- create above / drop below ----

DROP TABLE recording_part, recording_answer, recording;
ALTER TABLE visit DROP COLUMN refund, DROP COLUMN recording_refused;
ALTER TABLE institution DROP COLUMN recording_years, DROP COLUMN recording_required;
