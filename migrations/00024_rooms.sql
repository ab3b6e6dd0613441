-- What happens in a room belongs to a room, of a visit or of a teleconsult: words and files, links, recording, the line.

ALTER TABLE teleconsult ADD COLUMN room_locked boolean NOT NULL DEFAULT false;

-- room_of is the one of the two whose people meet.
ALTER TABLE link
    ALTER COLUMN visit_id DROP NOT NULL,
    ADD COLUMN teleconsult_id uuid REFERENCES teleconsult,
    ADD COLUMN room_of uuid NOT NULL GENERATED ALWAYS AS (coalesce(visit_id, teleconsult_id)) STORED,
    ADD CONSTRAINT link_of_one CHECK ((visit_id IS NULL) <> (teleconsult_id IS NULL)),
    DROP CONSTRAINT link_kind_check,
    ADD CONSTRAINT link_kind_check CHECK (kind IN ('companion', 'colleague', 'device', 'observer')),
    DROP CONSTRAINT link_role_check,
    ADD CONSTRAINT link_role_check CHECK (role IN ('family', 'interpreter', 'village_doctor', 'colleague', 'observer', 'guest', 'host')),
    ADD CONSTRAINT link_observer_check CHECK (role IS NULL OR (kind = 'observer') = (role = 'observer'));
DROP INDEX link_visit;
CREATE INDEX link_room ON link (room_of, offered_at);

ALTER TABLE visit_message RENAME TO room_message;
ALTER TABLE room_message
    ALTER COLUMN visit_id DROP NOT NULL,
    ADD COLUMN teleconsult_id uuid REFERENCES teleconsult,
    ADD COLUMN room_of uuid NOT NULL GENERATED ALWAYS AS (coalesce(visit_id, teleconsult_id)) STORED,
    ADD CONSTRAINT room_message_of_one CHECK ((visit_id IS NULL) <> (teleconsult_id IS NULL)),
    DROP CONSTRAINT visit_message_once,
    ADD CONSTRAINT room_message_once UNIQUE (room_of, request_key);
DROP INDEX visit_message_visit;
CREATE INDEX room_message_room ON room_message (room_of, at, id);
ALTER TRIGGER visit_message_is_written_once ON room_message RENAME TO room_message_is_written_once;

ALTER TABLE recording
    ALTER COLUMN visit_id DROP NOT NULL,
    ADD COLUMN teleconsult_id uuid REFERENCES teleconsult,
    ADD COLUMN room_of uuid NOT NULL GENERATED ALWAYS AS (coalesce(visit_id, teleconsult_id)) STORED,
    ADD CONSTRAINT recording_of_one CHECK ((visit_id IS NULL) <> (teleconsult_id IS NULL)),
    DROP CONSTRAINT recording_visit_id_key,
    ADD CONSTRAINT recording_once UNIQUE (room_of);

ALTER TABLE call_report
    DROP CONSTRAINT call_report_pkey,
    ALTER COLUMN visit_id DROP NOT NULL,
    ADD COLUMN teleconsult_id uuid REFERENCES teleconsult,
    ADD COLUMN room_of uuid NOT NULL GENERATED ALWAYS AS (coalesce(visit_id, teleconsult_id)) STORED,
    ADD CONSTRAINT call_report_of_one CHECK ((visit_id IS NULL) <> (teleconsult_id IS NULL)),
    ADD PRIMARY KEY (room_of, seat, at);

ALTER TABLE call_event
    DROP CONSTRAINT call_event_pkey,
    ALTER COLUMN visit_id DROP NOT NULL,
    ADD COLUMN teleconsult_id uuid REFERENCES teleconsult,
    ADD COLUMN room_of uuid NOT NULL GENERATED ALWAYS AS (coalesce(visit_id, teleconsult_id)) STORED,
    ADD CONSTRAINT call_event_of_one CHECK ((visit_id IS NULL) <> (teleconsult_id IS NULL)),
    ADD PRIMARY KEY (room_of, seat, at, kind);

---- create above / drop below ----

-- The old tables have no place for what belongs to a teleconsult, nor for observers.
ALTER TABLE recording_answer DISABLE TRIGGER recording_answer_is_written_once;
ALTER TABLE room_message DISABLE TRIGGER room_message_is_written_once;
DELETE FROM recording_part WHERE recording_id IN (SELECT id FROM recording WHERE visit_id IS NULL);
DELETE FROM recording_answer WHERE recording_id IN (SELECT id FROM recording WHERE visit_id IS NULL);
DELETE FROM recording WHERE visit_id IS NULL;
DELETE FROM room_message WHERE visit_id IS NULL;
DELETE FROM instrument WHERE link_id IN (SELECT id FROM link WHERE visit_id IS NULL);
DELETE FROM link WHERE visit_id IS NULL OR kind = 'observer';
DELETE FROM call_report WHERE visit_id IS NULL;
DELETE FROM call_event WHERE visit_id IS NULL;
ALTER TABLE recording_answer ENABLE TRIGGER recording_answer_is_written_once;
ALTER TABLE room_message ENABLE TRIGGER room_message_is_written_once;

ALTER TABLE call_event DROP CONSTRAINT call_event_pkey, DROP COLUMN room_of, DROP COLUMN teleconsult_id, ALTER COLUMN visit_id SET NOT NULL,
    ADD PRIMARY KEY (visit_id, seat, at, kind);
ALTER TABLE call_report DROP CONSTRAINT call_report_pkey, DROP COLUMN room_of, DROP COLUMN teleconsult_id, ALTER COLUMN visit_id SET NOT NULL,
    ADD PRIMARY KEY (visit_id, seat, at);
ALTER TABLE recording DROP COLUMN room_of, DROP COLUMN teleconsult_id, ALTER COLUMN visit_id SET NOT NULL,
    ADD CONSTRAINT recording_visit_id_key UNIQUE (visit_id);
ALTER TRIGGER room_message_is_written_once ON room_message RENAME TO visit_message_is_written_once;
ALTER TABLE room_message DROP COLUMN room_of, DROP COLUMN teleconsult_id, ALTER COLUMN visit_id SET NOT NULL,
    ADD CONSTRAINT visit_message_once UNIQUE (visit_id, request_key);
ALTER TABLE room_message RENAME TO visit_message;
CREATE INDEX visit_message_visit ON visit_message (visit_id, at, id);
ALTER TABLE link DROP CONSTRAINT link_observer_check, DROP COLUMN room_of, DROP COLUMN teleconsult_id, ALTER COLUMN visit_id SET NOT NULL,
    DROP CONSTRAINT link_kind_check,
    ADD CONSTRAINT link_kind_check CHECK (kind IN ('companion', 'colleague', 'device')),
    DROP CONSTRAINT link_role_check,
    ADD CONSTRAINT link_role_check CHECK (role IN ('family', 'interpreter', 'village_doctor', 'colleague', 'guest', 'host'));
CREATE INDEX link_visit ON link (visit_id, offered_at);
ALTER TABLE teleconsult DROP COLUMN room_locked;
