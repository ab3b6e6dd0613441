-- Other bytes under a UID that the hospital holds: refused, and told to who holds the first as well as to who sent the second.

-- One row an object and sender, so that sending again tells nothing new, and nobody fills the table.
CREATE TABLE image_conflict (
    institution_id uuid NOT NULL REFERENCES institution,
    sop_uid        text NOT NULL,
    account_id     uuid NOT NULL REFERENCES account, -- who sent it
    sha256         bytea NOT NULL,                   -- of what was refused first
    study_id       uuid NOT NULL REFERENCES study,   -- that the first object lies in
    at             timestamptz NOT NULL,
    PRIMARY KEY (institution_id, sop_uid, account_id)
);
CREATE INDEX image_conflict_study ON image_conflict (study_id);

---- create above / drop below ----

DROP TABLE image_conflict;
