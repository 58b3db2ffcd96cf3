-- Passwords from the files of deploy/secrets.sh, for psql on the machine that has them.
\set owner `cat /run/secrets/owner`
\set worker `cat /run/secrets/worker`
\set query `cat /run/secrets/query`
\set backup `cat /run/secrets/backup`
ALTER ROLE itemledger_owner PASSWORD :'owner';
ALTER ROLE itemledger_worker PASSWORD :'worker';
ALTER ROLE itemledger_query PASSWORD :'query';
ALTER ROLE itemledger_backup PASSWORD :'backup';
