-- Studies that went out for teaching, without whose they are: who let them out, and which series a person has looked at.

CREATE TABLE image_teaching (
    id             uuid PRIMARY KEY,
    institution_id uuid NOT NULL REFERENCES institution,
    study_id       uuid NOT NULL REFERENCES study,
    series         text[] NOT NULL CHECK (cardinality(series) > 0), -- UIDs of what goes out
    seen           text[] NOT NULL CHECK (seen <@ series),          -- of these, where somebody looked for text in the pictures
    objects        int NOT NULL,
    made_by        uuid NOT NULL REFERENCES account,
    made_at        timestamptz NOT NULL
);

---- create above / drop below ----

DROP TABLE image_teaching;
