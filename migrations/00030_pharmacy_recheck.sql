-- A pharmacy's papers are read again every six months (RXR-09). Without it the pharmacy may claim nothing new once the
-- days of grace are over; what it holds by then it may still hand out.

ALTER TABLE pharmacy ADD COLUMN checked_on date;  -- when an administrator read its papers last: the second approval, or a recheck
UPDATE pharmacy SET checked_on = (second_at AT TIME ZONE 'Asia/Shanghai')::date WHERE second_at IS NOT NULL;
ALTER TABLE pharmacy ADD CHECK (state <> 'approved' OR checked_on IS NOT NULL);

ALTER TABLE pharmacy_event DROP CONSTRAINT pharmacy_event_deed_check,
    ADD CONSTRAINT pharmacy_event_deed_check CHECK (deed IN ('apply', 'first_approval', 'second_approval', 'recheck', 'refuse', 'suspend'));

-- Who was told of a recheck: once at each step of each reading.
CREATE TABLE pharmacy_reminder (
    institution_id uuid NOT NULL REFERENCES pharmacy,
    checked_on     date NOT NULL,                          -- of the reading that is to be repeated
    step           int NOT NULL CHECK (step IN (1, 2, 3)), -- 1 soon, 2 due, 3 the grace is over
    at             timestamptz NOT NULL,
    told           int NOT NULL,                           -- how many people
    PRIMARY KEY (institution_id, checked_on, step)
);
CREATE TRIGGER pharmacy_reminder_is_written_once BEFORE UPDATE OR DELETE ON pharmacy_reminder FOR EACH ROW EXECUTE FUNCTION refuse_change();

---- create above / drop below ----

DROP TABLE pharmacy_reminder;
ALTER TABLE pharmacy_event DISABLE TRIGGER pharmacy_event_is_written_once;
DELETE FROM pharmacy_event WHERE deed = 'recheck';
ALTER TABLE pharmacy_event ENABLE TRIGGER pharmacy_event_is_written_once;
ALTER TABLE pharmacy_event DROP CONSTRAINT pharmacy_event_deed_check,
    ADD CONSTRAINT pharmacy_event_deed_check CHECK (deed IN ('apply', 'first_approval', 'second_approval', 'refuse', 'suspend'));
ALTER TABLE pharmacy DROP COLUMN checked_on;
