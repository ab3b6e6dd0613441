-- Of an emergency that went out before its countersign, the medical office is reminded before the countersign is due, and told once it is late.
-- office_told_at: when it was last told; before office_since and the time it has, that was the reminder.
ALTER TABLE teleconsult ADD COLUMN office_told_at timestamptz;

---- create above / drop below ----

ALTER TABLE teleconsult DROP COLUMN office_told_at;
