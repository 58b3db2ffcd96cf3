-- The roles of a deployment; as a superuser, once:
--
--   psql -f roles.sql -f database.sql
--
-- Then give each role a password (psql's `\password itemledger_owner`, or passwords.sql), run
-- `itemledger migrate` as itemledger_owner, and rights.sql. docs/postgresql.md says who takes which.
CREATE ROLE itemledger_owner LOGIN;
CREATE ROLE itemledger_worker LOGIN;
CREATE ROLE itemledger_query LOGIN;
ALTER ROLE itemledger_query SET default_transaction_read_only = on;
CREATE ROLE itemledger_backup LOGIN;
ALTER ROLE itemledger_backup SET default_transaction_read_only = on;
GRANT pg_read_all_data TO itemledger_backup;
