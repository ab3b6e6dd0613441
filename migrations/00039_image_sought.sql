-- What a fuzzy search of names looks through, made once and not for each row of each search: the name in lower case without the
-- signs between its parts, and its sound.
ALTER TABLE study ADD patient_sought text GENERATED ALWAYS AS (replace(lower(patient_name), '^', '') || ' ' || patient_pinyin) STORED;

---- create above / drop below ----

ALTER TABLE study DROP patient_sought;
