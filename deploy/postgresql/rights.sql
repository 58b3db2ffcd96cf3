-- What each role may do with the tables: as itemledger_owner, after `itemledger migrate` and after
-- each upgrade, in the form that the release has here:
--
--   psql -d itemledger -U itemledger_owner -f rights.sql
--
-- One transaction, which may be run again at any time, while everything goes on.
BEGIN;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC, itemledger_worker, itemledger_query;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO itemledger_worker, itemledger_query;
-- What has happened stays as it is: no UPDATE, no DELETE, no TRUNCATE.
GRANT INSERT ON events TO itemledger_worker;
-- What moves forward and is never removed.
GRANT INSERT, UPDATE
  ON facts, partitions, epochs, heads, gaps
  TO itemledger_worker;
-- What is forgotten after its time, or when it is dealt with.
GRANT INSERT, DELETE ON outcomes TO itemledger_worker;
-- Views are made anew from the events: the tables that nobody reads are emptied before.
DO $$
DECLARE
  made text;
BEGIN
  FOR made IN SELECT unnest(ARRAY["view", "view" || '_2']) FROM projections LOOP
    EXECUTE format('GRANT INSERT, UPDATE, DELETE ON %I TO itemledger_worker', made);
  END LOOP;
END $$;
GRANT INSERT, UPDATE, DELETE
  ON quarantine, revocations, imports, import_counts, import_items, dry_items, checkpoints,
     projections
  TO itemledger_worker;
-- Tables that a later release brings work at once.
ALTER DEFAULT PRIVILEGES IN SCHEMA public
  GRANT SELECT ON TABLES TO itemledger_query;
ALTER DEFAULT PRIVILEGES IN SCHEMA public
  GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO itemledger_worker;
COMMIT;
