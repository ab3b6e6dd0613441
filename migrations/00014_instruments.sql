-- Instruments that send into the room of a visit or a teleconsult by WHIP. Their tickets are not kept: each is shown once.

CREATE TABLE instrument (
    id             uuid PRIMARY KEY,
    institution_id uuid NOT NULL REFERENCES institution,
    visit_id       uuid REFERENCES visit,
    teleconsult_id uuid REFERENCES teleconsult,
    kind           text NOT NULL CHECK (kind IN ('ultrasound', 'otoscope', 'endoscope', 'room_camera')),
    name           text NOT NULL CHECK (name <> ''),  -- shown in the room
    account_id     uuid REFERENCES account,           -- who added it: by session
    link_id        uuid REFERENCES link,              -- or by link, the village doctor at the patient's side
    added_at       timestamptz NOT NULL,
    removed_at     timestamptz,
    CHECK ((visit_id IS NULL) <> (teleconsult_id IS NULL)),
    CHECK ((account_id IS NULL) <> (link_id IS NULL))
);
CREATE INDEX instrument_of_visit ON instrument (visit_id) WHERE visit_id IS NOT NULL;
CREATE INDEX instrument_of_teleconsult ON instrument (teleconsult_id) WHERE teleconsult_id IS NOT NULL;

---- create above / drop below ----

DROP TABLE instrument;
