-- Who asks for an export for teaching doesn't look for burned-in text: a second person does, and may blank parts of pictures.

ALTER TABLE image_teaching
    ADD COLUMN review text[] NOT NULL DEFAULT '{}' CHECK (review <@ series), -- UIDs of what has to be looked through first
    ADD COLUMN masks jsonb NOT NULL DEFAULT '{}',                            -- by series UID: [{x, y, width, height}] in pixels, blanked in each picture
    ADD COLUMN reviewed_by uuid REFERENCES account,
    ADD COLUMN reviewed_at timestamptz,
    ADD CONSTRAINT image_teaching_second_person CHECK (reviewed_by IS DISTINCT FROM made_by),
    ADD CONSTRAINT image_teaching_reviewed CHECK ((reviewed_by IS NULL) = (reviewed_at IS NULL));
CREATE INDEX image_teaching_of ON image_teaching (institution_id, made_at);

---- create above / drop below ----

DROP INDEX image_teaching_of;
ALTER TABLE image_teaching DROP COLUMN reviewed_at, DROP COLUMN reviewed_by, DROP COLUMN masks, DROP COLUMN review;
