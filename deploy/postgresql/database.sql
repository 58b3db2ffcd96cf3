-- The database, which nobody but the roles gets into; as a superuser, once, and for a restore
-- (docs/backup.md).
CREATE DATABASE itemledger OWNER itemledger_owner TEMPLATE template0 ENCODING 'UTF8';
REVOKE CONNECT, TEMPORARY ON DATABASE itemledger FROM PUBLIC;
GRANT CONNECT ON DATABASE itemledger TO itemledger_worker, itemledger_query, itemledger_backup;
