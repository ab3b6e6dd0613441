-- What is stored beside a signature is signed to the last digit, or is not stored.

-- Reasons are given in the act of signing: their time is signed_at.
ALTER TABLE prescription_override DROP COLUMN at;

-- The signed text says seconds.
ALTER TABLE prescription DISABLE TRIGGER prescription_stays_signed;
UPDATE prescription SET written_at = date_trunc('second', written_at);
ALTER TABLE prescription ENABLE TRIGGER prescription_stays_signed;

---- create above / drop below ----

ALTER TABLE prescription_override ADD COLUMN at timestamptz;
ALTER TABLE prescription_override DISABLE TRIGGER prescription_override_is_written_once;
UPDATE prescription_override o SET at = rx.signed_at FROM prescription rx WHERE rx.id = o.prescription_id;
ALTER TABLE prescription_override ENABLE TRIGGER prescription_override_is_written_once;
ALTER TABLE prescription_override ALTER COLUMN at SET NOT NULL;
