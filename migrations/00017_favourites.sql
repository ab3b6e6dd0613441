-- A doctor's own lines to begin from. No patient is in them; a line taken from here is a copy that has to be confirmed.

CREATE TABLE favourite (
    id              uuid PRIMARY KEY,
    practitioner_id uuid NOT NULL REFERENCES practitioner,
    line            jsonb NOT NULL,                -- a line without number, name and provenance
    kept_at         timestamptz NOT NULL,
    UNIQUE (practitioner_id, line)
);

---- create above / drop below ----

DROP TABLE favourite;
