-- What a patient who agreed on their own device was asked, word for word: hospital, purpose, fee, end (TCR-03). Paper keeps its own.
ALTER TABLE teleconsult ADD consent_text jsonb;            -- {version, zh, en}

---- create above / drop below ----

ALTER TABLE teleconsult DROP consent_text;
