-- A person asks people to look at what was decided automatically (PIPL Art. 24). The answer is in words; what the law
-- refuses nobody can allow: facts that were wrong are mended where they are kept, and the question is asked again.
CREATE TABLE decision_review (
    id             uuid PRIMARY KEY,
    decision_id    uuid NOT NULL UNIQUE REFERENCES decision,
    account_id     uuid NOT NULL REFERENCES account,    -- who asks
    institution_id uuid REFERENCES institution,         -- that answers
    note           text NOT NULL,
    asked_at       timestamptz NOT NULL,
    due_at         timestamptz NOT NULL,
    result         text CHECK (result IN ('upheld', 'corrected')),
    answer         text,
    answered_by    uuid REFERENCES account,
    answered_at    timestamptz,
    CHECK ((result IS NULL) = (answered_at IS NULL) AND (result IS NULL) = (answer IS NULL))
);
CREATE INDEX decision_review_open ON decision_review (institution_id, due_at) WHERE result IS NULL;

---- create above / drop below ----

DROP TABLE decision_review;
