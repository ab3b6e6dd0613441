-- Who is who: institutions, accounts, persons, practitioners; sessions; keys; the audit log.

CREATE EXTENSION IF NOT EXISTS btree_gist;

CREATE TABLE institution (
    id            uuid PRIMARY KEY,
    code          text NOT NULL UNIQUE,             -- unified social credit code (GB 32100)
    name          text NOT NULL,
    kind          text NOT NULL CHECK (kind IN ('internet_hospital', 'county_hospital', 'pharmacy')),
    region        text NOT NULL CHECK (region ~ '^[0-9]{6}$'),  -- GB/T 2260
    address       text NOT NULL,
    phone         text NOT NULL,
    licence_until date NOT NULL,
    internet_service_registered boolean NOT NULL DEFAULT false,
    mlps3_until   date,                             -- level-3 protection (GB/T 22239) in date until
    platform_connected   boolean NOT NULL DEFAULT false,  -- link to the provincial supervision platform
    upload_backlog_hours numeric NOT NULL DEFAULT 0
);

CREATE TABLE institution_department (
    institution_id uuid NOT NULL REFERENCES institution,
    name           text NOT NULL,
    PRIMARY KEY (institution_id, name)
);

-- Diseases that the institution follows up online (VIS-10), with the age a record may have (VIS-06).
CREATE TABLE online_catalogue (
    institution_id uuid NOT NULL REFERENCES institution,
    icd10_cat      text NOT NULL CHECK (icd10_cat ~ '^[A-Z][0-9]{2}$'),
    class          text NOT NULL CHECK (class IN ('chronic', 'common')),
    window_days    int  NOT NULL CHECK (window_days > 0),
    department     text NOT NULL,
    name_zh        text NOT NULL,
    name_en        text NOT NULL,
    PRIMARY KEY (institution_id, icd10_cat)
);

-- Public-health events in force in a region (facts of the eligibility engine).
CREATE TABLE scenario (
    code   text NOT NULL,
    region text NOT NULL,
    during tstzrange NOT NULL,
    PRIMARY KEY (code, region)
);

CREATE TABLE account (
    id              uuid PRIMARY KEY,
    kind            text NOT NULL CHECK (kind IN ('patient', 'staff')),
    name            text NOT NULL,
    login           text UNIQUE,
    phone_lookup    bytea UNIQUE,   -- keyed hash, to find by
    phone_sealed    bytea,          -- encrypted, to ring
    password_hash   text,           -- argon2id
    totp_sealed     bytea,
    failed_attempts int NOT NULL DEFAULT 0,
    locked_until    timestamptz,
    disabled_at     timestamptz,
    created_at      timestamptz NOT NULL DEFAULT now(),
    CHECK (kind = 'patient' OR (login IS NOT NULL AND password_hash IS NOT NULL AND totp_sealed IS NOT NULL))
);

CREATE TABLE person (
    id             uuid PRIMARY KEY,
    name           text NOT NULL,
    sex            text NOT NULL CHECK (sex IN ('M', 'F')),
    birth_date     date NOT NULL,
    id_type        text NOT NULL DEFAULT '01',     -- WS 364 CV02.01.101
    id_lookup      bytea NOT NULL UNIQUE,
    id_sealed      bytea NOT NULL,
    id_masked      text NOT NULL,
    realname_level int  NOT NULL CHECK (realname_level BETWEEN 0 AND 3),
    region         text NOT NULL DEFAULT '' CHECK (region ~ '^([0-9]{6})?$'),
    special_groups text[] NOT NULL DEFAULT '{}',
    schemes        text[] NOT NULL DEFAULT '{}',
    weight_kg      numeric,
    pregnancy      text CHECK (pregnancy IN ('no', 't1', 't2', 't3', 'unknown')),
    lactating      boolean,
    institution_id uuid REFERENCES institution,    -- hospital that keeps the person's chart
    created_at     timestamptz NOT NULL DEFAULT now()
);

-- Who may act for whom: oneself, a child, a parent.
CREATE TABLE proxy (
    account_id        uuid NOT NULL REFERENCES account,
    person_id         uuid NOT NULL REFERENCES person,
    relation          text NOT NULL CHECK (relation IN ('self', 'child', 'parent', 'spouse', 'other')),
    guardian_verified boolean NOT NULL DEFAULT false,
    PRIMARY KEY (account_id, person_id)
);
CREATE UNIQUE INDEX proxy_one_self ON proxy (account_id) WHERE relation = 'self';

CREATE TABLE practitioner (
    id                      uuid PRIMARY KEY,
    account_id              uuid NOT NULL UNIQUE REFERENCES account,
    kind                    text NOT NULL CHECK (kind IN ('physician', 'pharmacist')),
    name                    text NOT NULL,
    title                   text NOT NULL,
    title_rank              int  NOT NULL CHECK (title_rank BETWEEN 0 AND 4),
    level                   text NOT NULL,          -- 执业医师, 执业助理医师, 药师
    scope                   text[] NOT NULL,        -- departments that category and scope cover
    national_register_found boolean NOT NULL,
    suspended               boolean NOT NULL DEFAULT false,
    assessment              text NOT NULL CHECK (assessment IN ('passed', 'failed', 'none')),
    independent_since       date NOT NULL,          -- DOC-02, RXR-02 (dispensing since, for a pharmacist)
    online_since            date,                   -- first online follow-up
    paediatric_qualified    boolean NOT NULL DEFAULT false,
    whitelists              text[] NOT NULL DEFAULT '{}'
);

-- Registration or filing of a practitioner at an institution (MPP-01..09).
CREATE TABLE registration (
    id                  uuid PRIMARY KEY,
    practitioner_id     uuid NOT NULL REFERENCES practitioner,
    institution_id      uuid NOT NULL REFERENCES institution,
    kind                text NOT NULL CHECK (kind IN ('primary', 'filed', 'registered')),
    province            text NOT NULL CHECK (province ~ '^[0-9]{2}$'),
    during              daterange NOT NULL,
    institution_consent boolean NOT NULL,           -- the primary institution agrees (DOC-04)
    UNIQUE (practitioner_id, institution_id)
);
CREATE UNIQUE INDEX registration_one_primary ON registration (practitioner_id, province) WHERE kind = 'primary';

-- Roles at places; the answer to casbin's g(user, role, place).
CREATE TABLE membership (
    account_id     uuid NOT NULL REFERENCES account,
    institution_id uuid NOT NULL REFERENCES institution,
    role           text NOT NULL,
    PRIMARY KEY (account_id, institution_id, role)
);

CREATE TABLE session (
    id          uuid PRIMARY KEY,
    token_hash  bytea NOT NULL UNIQUE,              -- SHA-256 of 128 random bits or more
    account_id  uuid NOT NULL REFERENCES account,
    second_factor boolean NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL,
    revoked_at  timestamptz
);
CREATE INDEX session_account ON session (account_id);

CREATE TABLE otp (
    phone_lookup bytea PRIMARY KEY,                 -- the newest code replaces the older
    code_hash    bytea NOT NULL,
    tries_left   int NOT NULL CHECK (tries_left >= 0),
    sent_at      timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL
);

-- What the SMS simulator would have sent; shown on screen in demo mode.
CREATE TABLE simulated_sms (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    phone_lookup bytea NOT NULL,
    body         text NOT NULL,
    at           timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX simulated_sms_phone ON simulated_sms (phone_lookup, id DESC);

CREATE TABLE consent (
    id           uuid PRIMARY KEY,
    person_id    uuid NOT NULL REFERENCES person,
    account_id   uuid NOT NULL REFERENCES account,  -- who agreed
    kind         text NOT NULL CHECK (kind IN ('internet_care', 'sensitive_pi', 'recording', 'teleconsult')),
    text_version text NOT NULL,
    signed_at    timestamptz NOT NULL,
    withdrawn_at timestamptz
);
CREATE INDEX consent_person ON consent (person_id, kind);

-- The chart: what a doctor reads beside the video and a prescription is checked against.
CREATE TABLE allergy (
    person_id uuid NOT NULL REFERENCES person,
    substance text NOT NULL,                        -- ingredient id or allergy group id of the formulary
    name_zh   text NOT NULL,
    name_en   text NOT NULL,
    severity  text NOT NULL CHECK (severity IN ('mild', 'severe')),
    reaction  text NOT NULL DEFAULT '',
    PRIMARY KEY (person_id, substance)
);
CREATE TABLE condition (
    person_id uuid NOT NULL REFERENCES person,
    icd10     text NOT NULL,
    name      text NOT NULL,
    since     date,
    PRIMARY KEY (person_id, icd10)
);
CREATE TABLE medicine (
    person_id   uuid NOT NULL REFERENCES person,
    ingredient  text NOT NULL,
    name_zh     text NOT NULL,
    name_en     text NOT NULL,
    daily_dose  numeric NOT NULL CHECK (daily_dose > 0),
    unit        text NOT NULL,                      -- UCUM
    until       date NOT NULL,                      -- supply lasts to this day
    source      text NOT NULL CHECK (source IN ('hospital', 'declared', 'prescription')),
    PRIMARY KEY (person_id, ingredient, source)
);
CREATE TABLE observation (
    person_id uuid NOT NULL REFERENCES person,
    kind      text NOT NULL,                        -- creatinine, systolic, diastolic, hba1c, weight …
    value     numeric NOT NULL,
    unit      text NOT NULL,                        -- UCUM
    low       numeric,
    high      numeric,
    at        timestamptz NOT NULL,
    PRIMARY KEY (person_id, kind, at)
);

-- Signing keys of practitioners: the private half is wrapped under the holder's own passphrase.
CREATE TABLE signing_key (
    id              uuid PRIMARY KEY,
    practitioner_id uuid NOT NULL REFERENCES practitioner,
    alg             text NOT NULL CHECK (alg IN ('Ed25519')),
    public_key      bytea NOT NULL,
    salt            bytea NOT NULL,                 -- argon2id
    wrapped_key     bytea NOT NULL,                 -- AES-256-GCM
    valid_from      timestamptz NOT NULL,
    valid_until     timestamptz NOT NULL,
    revoked_at      timestamptz
);
CREATE UNIQUE INDEX signing_key_one ON signing_key (practitioner_id) WHERE revoked_at IS NULL;

-- Every read and write of medical data. Rows are sealed into a Merkle tree (RFC 9162 §2.1
-- hashing); leaf is the row's place in it, given by the sealer.
CREATE TABLE audit_entry (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at             timestamptz NOT NULL,
    account_id     uuid,
    session_id     uuid,
    action         text NOT NULL,
    outcome        text NOT NULL CHECK (outcome IN ('done', 'denied')),
    object         text NOT NULL,                   -- kind/id
    person_id      uuid,
    institution_id uuid,
    reason         text NOT NULL DEFAULT '',
    request_id     text NOT NULL DEFAULT '',
    leaf           bigint UNIQUE
);
CREATE INDEX audit_entry_person ON audit_entry (person_id, at);
CREATE INDEX audit_entry_unsealed ON audit_entry (id) WHERE leaf IS NULL;
CREATE TABLE audit_hash (
    index bigint PRIMARY KEY,                       -- storage order of golang.org/x/mod/sumdb/tlog
    hash  bytea NOT NULL
);
CREATE TABLE audit_head (
    size   bigint PRIMARY KEY,                      -- leaves in the tree
    root   bytea NOT NULL,
    note   text NOT NULL,                           -- signed note over size and root
    at     timestamptz NOT NULL
);

-- Where tlog stores the hash of the leaf n: 2n minus the number of ones in n.
CREATE FUNCTION leaf_index(n bigint) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT AS
    $$ SELECT 2 * n - length(replace(n::bit(64)::text, '0', '')) $$;

---- create above / drop below ----

DROP FUNCTION leaf_index;
DROP TABLE audit_head, audit_hash, audit_entry, signing_key, observation, medicine, condition, allergy, consent,
    simulated_sms, otp, session, membership, registration, practitioner, proxy, person, account, scenario,
    online_catalogue, institution_department, institution;
