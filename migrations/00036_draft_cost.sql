-- A draft is written with each change of a line: what that costs besides.

-- A function in SQL is inlined into the trigger's condition, and parsed for it, with every UPDATE, a draft's too.
CREATE OR REPLACE FUNCTION prescription_content(p prescription) RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (to_jsonb(p) - ARRAY['state', 'evidence_code', 'voided_at'])::text;
END $$;

-- lz4 packs checks, case and text in less time than pglz, where the server was built with it.
DO $$
BEGIN
    ALTER TABLE prescription ALTER items SET COMPRESSION lz4, ALTER checked SET COMPRESSION lz4, ALTER check_case SET COMPRESSION lz4,
        ALTER canonical SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN
    NULL;
END $$;

---- create above / drop below ----

ALTER TABLE prescription ALTER items SET COMPRESSION default, ALTER checked SET COMPRESSION default, ALTER check_case SET COMPRESSION default,
    ALTER canonical SET COMPRESSION default;
CREATE OR REPLACE FUNCTION prescription_content(p prescription) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT (to_jsonb(p) - ARRAY['state', 'evidence_code', 'voided_at'])::text $$;
