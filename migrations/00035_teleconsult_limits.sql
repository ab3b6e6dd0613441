-- How long a hospital gives itself for teleconsults, in versions: the one that was in force when a request was handed in counts.
-- Without one, what is customary counts (TCR-07).
CREATE TABLE teleconsult_limits (
    institution_id uuid NOT NULL REFERENCES institution, -- the invited one
    version        int  NOT NULL CHECK (version > 0),
    reason         text NOT NULL CHECK (reason <> ''),
    account_id     uuid NOT NULL REFERENCES account,
    at             timestamptz NOT NULL,
    PRIMARY KEY (institution_id, version)
);
CREATE TRIGGER teleconsult_limits_stay BEFORE UPDATE OR DELETE ON teleconsult_limits FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TABLE teleconsult_limit (
    institution_id uuid NOT NULL,
    version        int  NOT NULL,
    kind           text NOT NULL CHECK (kind IN ('consult', 'imaging', 'pathology', 'ecg')),
    urgency        text NOT NULL CHECK (urgency IN ('routine', 'urgent', 'emergency')),
    arrange_min    int  NOT NULL CHECK (arrange_min BETWEEN 5 AND 10080),
    finish_min     int  NOT NULL CHECK (finish_min BETWEEN 0 AND 43200),
    finish_days    int  NOT NULL CHECK (finish_days BETWEEN 0 AND 15), -- working days, instead of finish_min
    PRIMARY KEY (institution_id, version, kind, urgency),
    FOREIGN KEY (institution_id, version) REFERENCES teleconsult_limits,
    CHECK ((finish_min = 0) <> (finish_days = 0)),
    CHECK (arrange_min <= finish_min + finish_days * 1440),
    -- An emergency is never slower than is customary.
    CHECK (urgency <> 'emergency' OR finish_days = 0 AND CASE kind
        WHEN 'consult' THEN arrange_min <= 720 AND finish_min <= 720
        WHEN 'imaging' THEN arrange_min <= 30 AND finish_min <= 60
        WHEN 'pathology' THEN arrange_min <= 60 AND finish_min <= 120
        ELSE arrange_min <= 10 AND finish_min <= 30 END)
);
CREATE TRIGGER teleconsult_limit_stays BEFORE UPDATE OR DELETE ON teleconsult_limit FOR EACH ROW EXECUTE FUNCTION refuse_change();

---- create above / drop below ----

DROP TABLE teleconsult_limit, teleconsult_limits;
