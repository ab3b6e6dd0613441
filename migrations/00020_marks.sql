-- What doctors draw on the images of a teleconsult, and the images they mark as key.

CREATE TABLE teleconsult_mark (
    id              uuid PRIMARY KEY,                          -- made by who draws, so that a repeated request is the same mark
    teleconsult_id  uuid NOT NULL REFERENCES teleconsult,
    rev             int NOT NULL CHECK (rev > 0),              -- counts the versions; a change names the one it was made from
    study_uid       text NOT NULL CHECK (study_uid ~ '^[0-9.]{1,64}$'),
    series_uid      text NOT NULL CHECK (series_uid ~ '^[0-9.]{1,64}$'),
    sop_uid         text NOT NULL CHECK (sop_uid ~ '^[0-9.]{1,64}$'),
    frame           int NOT NULL CHECK (frame > 0),
    tool            text NOT NULL CHECK (tool IN ('length', 'angle', 'ellipse', 'rectangle', 'arrow', 'key')),
    points          jsonb NOT NULL,                            -- [{x, y}], columns and rows from the corner of the first pixel
    text            text NOT NULL,
    found           jsonb,                                     -- {mean, sd, unit} of the pixels inside
    practitioner_id uuid NOT NULL REFERENCES practitioner,     -- who made this version
    changed_at      timestamptz NOT NULL,
    removed         boolean NOT NULL,
    FOREIGN KEY (teleconsult_id, study_uid) REFERENCES teleconsult_study
);
CREATE INDEX teleconsult_mark_of ON teleconsult_mark (teleconsult_id);

---- create above / drop below ----

DROP TABLE teleconsult_mark;
