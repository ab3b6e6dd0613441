-- How many bytes of images a hospital holds and may hold; machines that hand images in for it.

-- One row a hospital, counted in the transaction that keeps the object.
CREATE TABLE image_holding (
    institution_id uuid PRIMARY KEY REFERENCES institution,
    bytes   bigint NOT NULL DEFAULT 0 CHECK (bytes >= 0),
    quota   bigint CHECK (quota > 0),                -- set by its administrator; NULL: as the platform gives everybody
    allowed bigint NOT NULL DEFAULT 9223372036854775807, -- what held when an object was last counted
    set_by  uuid REFERENCES account,
    set_at  timestamptz,
    CONSTRAINT image_holding_full CHECK (bytes <= allowed)
);
INSERT INTO image_holding (institution_id, bytes)
    SELECT s.institution_id, coalesce(sum(i.size), 0)
    FROM study s LEFT JOIN series e ON e.study_id = s.id LEFT JOIN instance i ON i.series_id = e.id GROUP BY s.institution_id;

-- A machine is an account that has no password: its one session, without end until it is revoked, is its token.
ALTER TABLE account DROP CONSTRAINT account_kind_check, DROP CONSTRAINT account_check,
    ADD CONSTRAINT account_kind_check CHECK (kind IN ('patient', 'staff', 'device')),
    ADD CONSTRAINT account_check CHECK (kind <> 'staff' OR (login IS NOT NULL AND password_hash IS NOT NULL AND totp_sealed IS NOT NULL));
CREATE TABLE image_device (
    account_id     uuid PRIMARY KEY REFERENCES account,
    institution_id uuid NOT NULL REFERENCES institution,
    session_id     uuid NOT NULL REFERENCES session,
    made_by        uuid NOT NULL REFERENCES account,
    made_at        timestamptz NOT NULL,
    seen_at        timestamptz,                      -- when it last said how it stands
    state          jsonb NOT NULL DEFAULT '{}'       -- and what it said
);
CREATE INDEX image_device_institution ON image_device (institution_id);

---- create above / drop below ----

-- What machines have stored stays; their accounts can't be told from staff without a password, so they go on as closed ones.
UPDATE session SET revoked_at = now() WHERE id IN (SELECT session_id FROM image_device) AND revoked_at IS NULL;
UPDATE account SET kind = 'patient', disabled_at = now() WHERE kind = 'device';
DROP TABLE image_device, image_holding;
ALTER TABLE account DROP CONSTRAINT account_kind_check, DROP CONSTRAINT account_check,
    ADD CONSTRAINT account_kind_check CHECK (kind IN ('patient', 'staff')),
    ADD CONSTRAINT account_check CHECK (kind = 'patient' OR (login IS NOT NULL AND password_hash IS NOT NULL AND totp_sealed IS NOT NULL));
