-- A study shown to somebody without an account: by a secret that is exchanged for a token, both kept as hashes only.

CREATE TABLE image_link (
    id             uuid PRIMARY KEY,
    institution_id uuid NOT NULL REFERENCES institution,
    study_id       uuid NOT NULL REFERENCES study,
    secret_hash    bytea NOT NULL UNIQUE CHECK (length(secret_hash) = 32),
    made_by        uuid NOT NULL REFERENCES account,
    made_at        timestamptz NOT NULL,
    expires_at     timestamptz NOT NULL CHECK (expires_at > made_at),
    uses           int NOT NULL DEFAULT 0 CHECK (uses BETWEEN 0 AND most_uses),
    most_uses      int NOT NULL,
    revoked_at     timestamptz
);
CREATE INDEX image_link_study ON image_link (study_id);

CREATE TABLE image_link_opening (
    token_hash bytea PRIMARY KEY CHECK (length(token_hash) = 32),
    link_id    uuid NOT NULL REFERENCES image_link,
    opened_at  timestamptz NOT NULL
);

---- create above / drop below ----

DROP TABLE image_link_opening, image_link;
