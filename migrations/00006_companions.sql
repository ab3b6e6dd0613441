-- Who else is in the room of a visit, and what is said and shown there.

ALTER TABLE visit ADD COLUMN room_locked boolean NOT NULL DEFAULT false;

-- A way into one visit's room that opens once. State is computed from the times: offered, arrived, admitted, removed.
CREATE TABLE link (
    id              uuid PRIMARY KEY,
    visit_id        uuid NOT NULL REFERENCES visit,
    institution_id  uuid NOT NULL REFERENCES institution,
    account_id      uuid NOT NULL REFERENCES account,     -- who offered it
    kind            text NOT NULL CHECK (kind IN ('companion', 'colleague', 'device')),
    seat            text NOT NULL,
    secret_hash     bytea NOT NULL UNIQUE CHECK (length(secret_hash) = 32),  -- SHA-256 of 128 random bits or more
    offered_at      timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    token_hash      bytea UNIQUE CHECK (length(token_hash) = 32),            -- likewise; what the arrived holds
    arrived_at      timestamptz,
    practitioner_id uuid REFERENCES practitioner,         -- of a colleague
    name            text,
    role            text CHECK (role IN ('family', 'interpreter', 'village_doctor', 'colleague', 'guest', 'host')),
    relation        text NOT NULL DEFAULT '',             -- in the companion's words
    admitted_at     timestamptz,
    removed_at      timestamptz,
    CHECK ((arrived_at IS NULL) = (token_hash IS NULL) AND (arrived_at IS NULL) = (name IS NULL) AND (arrived_at IS NULL) = (role IS NULL)),
    CHECK (admitted_at IS NULL OR arrived_at IS NOT NULL),
    CHECK ((role = 'colleague') = (practitioner_id IS NOT NULL)),
    CHECK (kind = 'device' OR role IS NULL OR role NOT IN ('guest', 'host'))  -- a companion is never host
);
CREATE INDEX link_visit ON link (visit_id, offered_at);

-- What was said and shown in the room, kept with the visit for as long as its process record (3 years; 细则).
CREATE TABLE visit_message (
    id             uuid PRIMARY KEY,
    visit_id       uuid NOT NULL REFERENCES visit,
    institution_id uuid NOT NULL REFERENCES institution,
    account_id     uuid REFERENCES account,               -- who wrote it, or
    link_id        uuid REFERENCES link,                  -- by which link they were in the room
    seat           text NOT NULL,
    name           text NOT NULL,
    role           text NOT NULL,
    at             timestamptz NOT NULL,
    text_sealed    bytea NOT NULL,                        -- the words, or the file's name; the institution's key
    content_type   text CHECK (content_type IN ('image/jpeg', 'image/png', 'application/pdf')),
    size           bigint CHECK (size BETWEEN 1 AND 10485760),
    sha256         bytea CHECK (length(sha256) = 32),
    object_key     text UNIQUE,
    request_key    uuid NOT NULL,
    CONSTRAINT visit_message_once UNIQUE (visit_id, request_key),
    CHECK ((account_id IS NULL) <> (link_id IS NULL)),
    CHECK ((object_key IS NULL) = (content_type IS NULL) AND (object_key IS NULL) = (size IS NULL) AND (object_key IS NULL) = (sha256 IS NULL))
);
CREATE INDEX visit_message_visit ON visit_message (visit_id, at, id);
CREATE TRIGGER visit_message_is_written_once BEFORE UPDATE OR DELETE ON visit_message FOR EACH ROW EXECUTE FUNCTION refuse_change();

---- create above / drop below ----

DROP TABLE visit_message, link;
ALTER TABLE visit DROP COLUMN room_locked;
