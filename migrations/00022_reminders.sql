-- When somebody wishes to be reminded of medicines: by prescription and by who asked for it. Nobody is reminded unasked.

CREATE TABLE medicine_reminder (
    prescription_id uuid NOT NULL REFERENCES prescription,
    account_id      uuid NOT NULL REFERENCES account,
    times           text[] NOT NULL CHECK (cardinality(times) BETWEEN 1 AND 6),  -- HH:MM in China
    next_at         timestamptz NOT NULL,
    until           timestamptz NOT NULL,                                        -- the last day of the medicines
    set_at          timestamptz NOT NULL,
    PRIMARY KEY (prescription_id, account_id)
);
CREATE INDEX medicine_reminder_next ON medicine_reminder (next_at);

---- create above / drop below ----

DROP TABLE medicine_reminder;
