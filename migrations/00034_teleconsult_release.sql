-- An expert who left a consult without signing: let go by the coordinator, or by their own wish. Who has signed stays.
CREATE TABLE teleconsult_released (
    teleconsult_id  uuid NOT NULL REFERENCES teleconsult,
    practitioner_id uuid NOT NULL REFERENCES practitioner,
    reason          text NOT NULL CHECK (reason IN ('unreachable', 'unwell', 'away', 'conflict', 'other_field', 'other')),
    note            text NOT NULL,
    account_id      uuid NOT NULL REFERENCES account, -- who wrote it down
    withdrew        boolean NOT NULL,
    at              timestamptz NOT NULL,
    PRIMARY KEY (teleconsult_id, practitioner_id),
    CHECK (reason <> 'other' OR note <> '')
);
CREATE TRIGGER teleconsult_released_stays BEFORE UPDATE OR DELETE ON teleconsult_released FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE FUNCTION refuse_release_of_signer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM teleconsult_document d WHERE d.teleconsult_id = NEW.teleconsult_id AND d.practitioner_id = NEW.practitioner_id
               AND d.kind = 'opinion' AND d.signed_at IS NOT NULL) THEN
        RAISE EXCEPTION 'an expert who has signed is not released' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER teleconsult_released_unsigned BEFORE INSERT ON teleconsult_released FOR EACH ROW EXECUTE FUNCTION refuse_release_of_signer();

---- create above / drop below ----

DROP TABLE teleconsult_released;
DROP FUNCTION refuse_release_of_signer;
