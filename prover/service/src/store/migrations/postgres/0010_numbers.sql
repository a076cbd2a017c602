-- A tenant is shown numbers of its own lines: those of the table are one count for all tenants, and would tell each how much others state.

DROP TRIGGER consent_statements_is_only_appended_to ON consent_statements;

ALTER TABLE consent_statements ADD COLUMN number BIGINT NOT NULL DEFAULT 0;    -- within its tenant, from 1 without a gap

UPDATE consent_statements SET number = counted.number
FROM (SELECT sequence, ROW_NUMBER() OVER (PARTITION BY tenant ORDER BY sequence) AS number FROM consent_statements) AS counted
WHERE counted.sequence = consent_statements.sequence;

CREATE UNIQUE INDEX consent_statements_number ON consent_statements (tenant, number);

CREATE TRIGGER consent_statements_is_only_appended_to BEFORE UPDATE OR DELETE OR TRUNCATE ON consent_statements
FOR EACH STATEMENT EXECUTE FUNCTION append_only();

CREATE OR REPLACE FUNCTION consent_statements_rise() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM consent_statements WHERE id = NEW.id OR sequence = NEW.sequence)
        OR EXISTS (SELECT 1 FROM consent_statements WHERE tenant = NEW.tenant AND sequence >= NEW.sequence)
        OR NEW.number <> 1 + COALESCE((SELECT MAX(number) FROM consent_statements WHERE tenant = NEW.tenant), 0) THEN
        RAISE EXCEPTION 'the table consent_statements is append-only';
    END IF;
    RETURN NEW;
END $$;
