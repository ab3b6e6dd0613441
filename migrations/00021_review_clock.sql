-- How long a signed prescription may wait for its review, and who is asked when it waits long. Time never approves.

CREATE TABLE review_limit (
    institution_id uuid PRIMARY KEY REFERENCES institution,  -- without a row the defaults hold
    day_minutes    int NOT NULL CHECK (day_minutes BETWEEN 1 AND 240),
    night_minutes  int NOT NULL CHECK (night_minutes BETWEEN 1 AND 720),
    set_by         uuid NOT NULL REFERENCES account,
    set_at         timestamptz NOT NULL
);

-- Pharmacists who are asked at a step: 1 the group's lead, 2 the head of pharmacy.
CREATE TABLE review_step (
    institution_id  uuid NOT NULL REFERENCES institution,
    practitioner_id uuid NOT NULL REFERENCES practitioner,
    step            int NOT NULL CHECK (step IN (1, 2)),
    PRIMARY KEY (institution_id, practitioner_id)
);

CREATE TABLE review_escalation (
    prescription_id uuid NOT NULL REFERENCES prescription,
    step            int NOT NULL CHECK (step IN (1, 2)),
    at              timestamptz NOT NULL,
    asked           int NOT NULL,                          -- how many people
    PRIMARY KEY (prescription_id, step)
);
CREATE TRIGGER review_escalation_is_written_once BEFORE UPDATE OR DELETE ON review_escalation FOR EACH ROW EXECUTE FUNCTION refuse_change();

---- create above / drop below ----

DROP TABLE review_escalation, review_step, review_limit;
