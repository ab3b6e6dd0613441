-- Files on their way in by tus, in pieces that already lie sealed in the object store: no node keeps anything of its
-- own, so any node goes on where another was killed.

CREATE TABLE image_upload (
    id             uuid PRIMARY KEY,
    institution_id uuid NOT NULL REFERENCES institution,
    account_id     uuid NOT NULL REFERENCES account,       -- who sends; nobody else sees it
    length         bigint NOT NULL CHECK (length > 0),
    received       bigint NOT NULL DEFAULT 0 CHECK (received BETWEEN 0 AND length),
    state          text NOT NULL CHECK (state IN ('receiving', 'taking', 'done', 'ended')),
    outcome        jsonb NOT NULL DEFAULT '{}',            -- what became of its objects, once done
    touched_at     timestamptz NOT NULL,                   -- last sign of life of who sends or takes
    CHECK (state IN ('receiving', 'ended') OR received = length)
);
CREATE INDEX image_upload_touched ON image_upload (touched_at);

-- A row is there before its object and goes after it, so that no object is ever without a row.
CREATE TABLE image_upload_piece (
    object_key text PRIMARY KEY,
    upload_id  uuid NOT NULL REFERENCES image_upload,
    begins     bigint NOT NULL CHECK (begins >= 0),
    size       bigint NOT NULL CHECK (size > 0),
    whole      bool NOT NULL DEFAULT false                 -- its bytes lie in the store and count
);
CREATE UNIQUE INDEX image_upload_piece_whole ON image_upload_piece (upload_id, begins) WHERE whole;

---- create above / drop below ----

DROP TABLE image_upload_piece, image_upload;
