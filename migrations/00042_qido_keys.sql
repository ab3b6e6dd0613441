-- What PS3.18 tables 10.6.1-2, 10.6.1-3, 10.6.3-3 and 10.6.3-4 want searched or answered beyond what the tables had. What was stored before has
-- them empty: its words are packed, and are answered with includefield.
ALTER TABLE study
    ADD own_id   text NOT NULL DEFAULT '',                 -- Study ID (0020,0010), the equipment's own
    ADD timezone text NOT NULL DEFAULT '';                 -- of the first object that came (0008,0201)
ALTER TABLE series
    ADD step_date text NOT NULL DEFAULT '',                -- Performed Procedure Step Start Date (0040,0244) as YYYYMMDD, or empty
    ADD step_time text NOT NULL DEFAULT '',
    ADD requests  jsonb NOT NULL DEFAULT '[]';             -- of Request Attributes Sequence (0040,0275): step, procedure
CREATE INDEX study_own_id ON study (own_id);

---- create above / drop below ----

DROP INDEX study_own_id;
ALTER TABLE study DROP own_id, DROP timezone;
ALTER TABLE series DROP step_date, DROP step_time, DROP requests;
