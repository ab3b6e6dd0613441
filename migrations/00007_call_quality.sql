-- What the lines of visits were like: reports of the clients, and when a seat came, lost its line and left.

CREATE TABLE call_report (
    visit_id       uuid NOT NULL REFERENCES visit,
    institution_id uuid NOT NULL REFERENCES institution,
    seat           text NOT NULL,
    at             timestamptz NOT NULL,
    seconds        real NOT NULL CHECK (seconds > 0),       -- measured over
    mode           text NOT NULL,                           -- the client's word for what it sent
    path           text NOT NULL CHECK (path IN ('udp', 'tcp', 'relay', 'none')),
    rtt_ms         real NOT NULL,
    jitter_ms      real NOT NULL,
    loss           real NOT NULL CHECK (loss BETWEEN 0 AND 1),
    concealed      real NOT NULL CHECK (concealed BETWEEN 0 AND 1),  -- of the sound heard
    freezes        real NOT NULL,
    frozen_ms      real NOT NULL,
    up_kbps        real NOT NULL,
    down_kbps      real NOT NULL,
    available      real NOT NULL,                           -- kbit/s that could be sent; 0 unknown
    PRIMARY KEY (visit_id, seat, at)
);
CREATE INDEX call_report_place ON call_report (institution_id, at);

CREATE TABLE call_event (
    visit_id       uuid NOT NULL REFERENCES visit,
    institution_id uuid NOT NULL REFERENCES institution,
    seat           text NOT NULL,
    at             timestamptz NOT NULL,
    kind           text NOT NULL CHECK (kind IN ('joined', 'reconnecting', 'left')),
    PRIMARY KEY (visit_id, seat, at, kind)
);
CREATE INDEX call_event_place ON call_event (institution_id, at);

---- create above / drop below ----

DROP TABLE call_event, call_report;
