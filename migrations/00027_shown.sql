-- What presenters showed in a teleconsult, in the order in which it was kept: the talk over the images, to be seen again
-- with the opinion. Rows are written until the opinion is signed and never change.

CREATE TABLE teleconsult_shown (
    teleconsult_id  uuid NOT NULL REFERENCES teleconsult,
    n               int NOT NULL CHECK (n > 0),
    practitioner_id uuid NOT NULL REFERENCES practitioner, -- who presented
    at              timestamptz NOT NULL,                  -- when the server received it; ago counts back from here
    states          jsonb NOT NULL,                        -- [{ago, study, series, sop, frame, zoom, x, y, voi}], oldest first
    PRIMARY KEY (teleconsult_id, n)
);

---- create above / drop below ----

DROP TABLE teleconsult_shown;
