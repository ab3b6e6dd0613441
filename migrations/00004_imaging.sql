-- Images: studies, series, instances; who outside the hospital may see them, for how long.

CREATE TABLE study (
    id             uuid PRIMARY KEY,
    institution_id uuid NOT NULL REFERENCES institution,   -- who stored it and answers for it
    uid            text NOT NULL CHECK (uid ~ '^[0-9.]{1,64}$'),
    person_id      uuid REFERENCES person,                 -- once a doctor has confirmed whose it is
    -- As the files have them: what PACS and viewers search by. Dates are DICOM's YYYYMMDD or empty.
    patient_name   text NOT NULL,                          -- groups joined by '='
    patient_id     text NOT NULL,
    patient_sex    text NOT NULL,
    patient_birth_date text NOT NULL,
    study_date     text NOT NULL,
    study_time     text NOT NULL,
    accession      text NOT NULL,
    description    text NOT NULL,
    referring      text NOT NULL,
    stored_by      uuid REFERENCES account,                -- NULL: the demo seed
    stored_at      timestamptz NOT NULL,
    -- Two hospitals may hold the same study; neither learns of the other, and nobody can take a UID away.
    UNIQUE (institution_id, uid)
);
CREATE INDEX study_uid ON study (uid);
CREATE INDEX study_date ON study (institution_id, study_date DESC, id DESC);
CREATE INDEX study_patient_id ON study (patient_id);
CREATE INDEX study_accession ON study (accession);
CREATE INDEX study_name_alphabetic ON study (lower(split_part(patient_name, '=', 1)) text_pattern_ops);
CREATE INDEX study_name_ideographic ON study (lower(split_part(patient_name, '=', 2)) text_pattern_ops);
CREATE INDEX study_person ON study (person_id);

CREATE TABLE series (
    id             uuid PRIMARY KEY,
    institution_id uuid NOT NULL REFERENCES institution,
    study_id       uuid NOT NULL REFERENCES study,
    uid            text NOT NULL CHECK (uid ~ '^[0-9.]{1,64}$'),
    modality       text NOT NULL,
    number         int,
    description    text NOT NULL,
    series_date    text NOT NULL,
    UNIQUE (study_id, uid)
);

CREATE TABLE instance (
    id             uuid PRIMARY KEY,
    institution_id uuid NOT NULL REFERENCES institution,
    series_id      uuid NOT NULL REFERENCES series,
    sop_uid        text NOT NULL CHECK (sop_uid ~ '^[0-9.]{1,64}$'),
    sop_class      text NOT NULL CHECK (sop_class ~ '^[0-9.]{1,64}$'),
    number         int,
    sha256         bytea NOT NULL CHECK (length(sha256) = 32),  -- of the file as it came, preamble included
    size           bigint NOT NULL CHECK (size > 0),
    transfer_syntax text NOT NULL,
    object_key     text NOT NULL UNIQUE,                   -- random; in the object store, sealed
    dicom_json     bytea NOT NULL,                         -- DICOM JSON model (PS3.18 F), gzip
    head           bigint NOT NULL,                        -- bytes before the pixels; 0 without a picture
    frame_index    jsonb NOT NULL,                         -- of each frame, its runs of bytes
    bulk_index     jsonb NOT NULL,                         -- of each large value, its run of bytes by tag path
    stored_by      uuid REFERENCES account,
    stored_at      timestamptz NOT NULL,
    UNIQUE (institution_id, sop_uid)
);
CREATE INDEX instance_series ON instance (series_id);

-- A practitioner of elsewhere, or an invited patient, may see a study for one consult and a time. A grant lapses by
-- its own timestamps; ended_at cuts it short.
CREATE TABLE image_grant (
    id              uuid PRIMARY KEY,
    institution_id  uuid NOT NULL REFERENCES institution,  -- whose images they are
    study_id        uuid NOT NULL REFERENCES study,
    practitioner_id uuid REFERENCES practitioner,
    person_id       uuid REFERENCES person,
    teleconsult_id  uuid NOT NULL,                         -- the consult domain keeps the row
    purpose         text NOT NULL,
    during          tstzrange NOT NULL CHECK (NOT isempty(during) AND upper(during) IS NOT NULL),
    ended_at        timestamptz,
    CHECK (num_nonnulls(practitioner_id, person_id) = 1),
    UNIQUE NULLS NOT DISTINCT (study_id, teleconsult_id, practitioner_id, person_id)
);
CREATE INDEX image_grant_practitioner ON image_grant (practitioner_id) WHERE ended_at IS NULL;
CREATE INDEX image_grant_teleconsult ON image_grant (teleconsult_id);

-- Scrolling reads hundreds of frames a minute. The audit log gets one entry for the first of an account, a series and a
-- minute: more would say nothing more of who saw what, and bury what matters. Rows older than a minute may be deleted.
CREATE TABLE image_view (
    account_id uuid NOT NULL REFERENCES account,
    series_id  uuid NOT NULL REFERENCES series,
    minute     timestamptz NOT NULL,
    PRIMARY KEY (account_id, series_id, minute)
);

---- create above / drop below ----

DROP TABLE image_view, image_grant, instance, series, study;
