# needs: pg_ctlcluster postgresql
# before: useradd -r -d /srv/pg -m postgres; rm -rf /etc/postgresql; mkdir -p /run/postgresql /srv/space /srv/other; chown postgres /srv/pg /run/postgresql /srv/space /srv/other; bin=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1); runuser -u postgres -- $bin/initdb -D /srv/pg/data -A trust -E UTF8 --locale=C.UTF-8 --no-sync >/dev/null; runuser -u postgres -- $bin/pg_ctl -s -w -D /srv/pg/data -l /srv/pg/log -o '-c fsync=off -c listen_addresses= -c timezone=UTC' start
# before: printf 'CREATE ROLE there LOGIN PASSWORD $$md5d8bff6a3ab3c4b8e0b5a9d4e5b5e7a5b$$; CREATE ROLE plain NOLOGIN; CREATE ROLE "in use"; CREATE ROLE gone; CREATE ROLE readers; CREATE ROLE writers; CREATE ROLE member LOGIN; GRANT readers TO member; CREATE ROLE rich SUPERUSER CREATEDB; CREATE ROLE dated LOGIN VALID UNTIL $$2030-01-02$$; CREATE ROLE oldgroup; CREATE DATABASE app; CREATE DATABASE owned OWNER there; CREATE DATABASE deep OWNER there; CREATE DATABASE gone; CREATE DATABASE moving; CREATE DATABASE held OWNER "in use"; CREATE TABLESPACE space LOCATION $$/srv/space$$\n' | tr ';' '\n' | while read -r line; do psql -qU postgres -h /run/postgresql -c "$line" postgres || exit 1; done
# before: printf 'CREATE SCHEMA there; CREATE SCHEMA gone; CREATE SCHEMA used; CREATE TABLE used.t (a int); CREATE EXTENSION citext; CREATE EXTENSION hstore; CREATE EXTENSION pg_trgm WITH VERSION $$1.3$$; CREATE EXTENSION earthdistance CASCADE; CREATE SCHEMA ext\n' | tr ';' '\n' | while read -r line; do psql -qU postgres -h /run/postgresql -c "$line" app || exit 1; done; psql -qU postgres -h /run/postgresql -c 'CREATE TABLE t (a serial)' deep
# look: psql -AtqU postgres -h /run/postgresql -c "SELECT rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolvaliduntil, CASE WHEN rolpassword LIKE 'SCRAM%' THEN 'SCRAM' ELSE rolpassword END, (SELECT string_agg(r.rolname, ' ' ORDER BY 1) FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid WHERE m.member = a.oid) FROM pg_authid a WHERE rolname !~ '^pg_' ORDER BY 1" postgres
# look: psql -AtqU postgres -h /run/postgresql -c "SELECT datname, rolname, pg_encoding_to_char(encoding), datcollate, datctype, spcname FROM pg_database d JOIN pg_roles r ON r.oid = datdba JOIN pg_tablespace t ON t.oid = dattablespace WHERE datname <> 'deep' ORDER BY 1" postgres
# look: psql -AtqU postgres -h /run/postgresql -c "SELECT nspname, rolname FROM pg_namespace n JOIN pg_roles r ON r.oid = nspowner WHERE nspname !~ '^pg_' UNION ALL SELECT 'extension ' || extname || ' ' || extversion, nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = extnamespace ORDER BY 1" app
# tree: none
user-new: {postgres_user.present: [{name: new}, {password: secret}, {createdb: true}, {createroles: true}, {user: postgres}]}
user-scram: {postgres_user.present: [{name: scrambled}, {password: secret}, {encrypted: scram-sha-256}]}
user-scram-again: {postgres_user.present: [{name: scrambled}, {password: secret}, {encrypted: scram-sha-256}, {require: [{postgres_user: user-scram}]}]}
user-plain: {postgres_user.present: [{name: unhashed}, {password: secret}, {encrypted: false}]}
user-hashed: {postgres_user.present: [{name: hashed}, {password: md5d8bff6a3ab3c4b8e0b5a9d4e5b5e7a5b}]}
user-bad-method: {postgres_user.present: [{name: bad}, {password: secret}, {encrypted: rot13}]}
user-default: {postgres_user.present: [{name: defaulted}, {default_password: secret}]}
user-refreshed: {postgres_user.present: [{name: there}, {password: secret}, {refresh_password: true}]}
user-flags: {postgres_user.present: [{name: plain}, {login: true}, {superuser: true}, {replication: true}, {inherit: false}]}
user-less: {postgres_user.present: [{name: rich}, {superuser: false}, {createdb: false}]}
user-same: {postgres_user.present: [{name: member}, {login: true}, {groups: [readers]}]}
user-groups: {postgres_user.present: [{name: grouped}, {groups: 'readers,writers'}]}
user-more-groups: {postgres_user.present: [{name: member}, {groups: [readers, writers]}]}
user-no-group: {postgres_user.present: [{name: lonely}, {groups: [nobody-such]}]}
user-until: {postgres_user.present: [{name: dated}, {valid_until: '2031-05-06 07:08:09'}]}
user-until-same: {postgres_user.present: [{name: dated}, {valid_until: '2031-05-06 07:08:09'}, {require: [{postgres_user: user-until}]}]}
user-until-new: {postgres_user.present: [{name: dated-new}, {valid_until: '2031-05-06'}]}
user-quoted: {postgres_user.present: [{name: it-is fine}]}
user-reached: {postgres_user.present: [{name: reached}, {db_user: postgres}, {db_host: /run/postgresql}, {db_port: 5432}, {db_password: unused}, {maintenance_db: app}]}
user-no-server: {postgres_user.present: [{name: far}, {db_host: /nowhere}]}
user-gone: {postgres_user.absent: [{name: gone}, {user: postgres}, {db_user: postgres}, {db_host: /run/postgresql}, {db_port: 5432}, {db_password: unused}, {maintenance_db: app}]}
user-never: {postgres_user.absent: [{name: never}]}
user-used: {postgres_user.absent: [{name: in use}]}
group-new: {postgres_group.present: [{name: staff}, {createdb: true}, {createroles: false}, {superuser: false}, {inherit: true}, {login: false}, {replication: false}, {encrypted: md5}, {password: x}, {user: postgres}, {db_user: postgres}, {db_host: /run/postgresql}, {db_port: 5432}, {db_password: unused}, {maintenance_db: app}]}
group-there: {postgres_group.present: [{name: readers}, {groups: writers}]}
group-refresh: {postgres_group.present: [{name: writers}, {password: y}, {refresh_password: true}]}
group-gone: {postgres_group.absent: [{name: oldgroup}, {user: postgres}, {db_user: postgres}, {db_host: /run/postgresql}, {db_port: 5432}, {db_password: unused}, {maintenance_db: app}]}
group-never: {postgres_group.absent: [{name: never}]}
db-new: {postgres_database.present: [{name: fresh}, {owner: there}, {encoding: UTF8}, {lc_collate: C}, {lc_ctype: C}, {template: template0}, {tablespace: space}, {user: postgres}]}
db-plain: {postgres_database.present: [{name: my-db}]}
db-there: {postgres_database.present: [{name: owned}, {owner: there}, {encoding: utf8}, {db_user: postgres}, {db_host: /run/postgresql}, {db_port: 5432}, {db_password: unused}, {maintenance_db: app}]}
db-owner: {postgres_database.present: [{name: app}, {owner: member}]}
db-recurse: {postgres_database.present: [{name: deep}, {owner: member}, {owner_recurse: true}]}
db-space: {postgres_database.present: [{name: moving}, {tablespace: space}]}
db-wrong: {postgres_database.present: [{name: owned}, {lc_collate: de_AT.UTF-8}]}
db-nobody: {postgres_database.present: [{name: orphan}, {owner: nobody-such}]}
db-gone: {postgres_database.absent: [{name: gone}, {user: postgres}, {db_user: postgres}, {db_host: /run/postgresql}, {db_port: 5432}, {db_password: unused}, {maintenance_db: app}]}
db-never: {postgres_database.absent: [{name: never}]}
ext-new: {postgres_extension.present: [{name: uuid-ossp}, {if_not_exists: true}, {schema: ext}, {user: postgres}, {maintenance_db: app}, {db_user: postgres}, {db_host: /run/postgresql}, {db_port: 5432}, {db_password: unused}]}
ext-from: {postgres_extension.present: [{name: ltree}, {from_version: unpackaged}, {maintenance_db: app}]}
ext-there: {postgres_extension.present: [{name: citext}, {maintenance_db: app}]}
ext-move: {postgres_extension.present: [{name: citext}, {schema: ext}, {maintenance_db: app}]}
ext-none: {postgres_extension.present: [{name: nosuch}, {maintenance_db: app}]}
ext-gone: {postgres_extension.absent: [{name: hstore}, {if_exists: true}, {restrict: false}, {cascade: false}, {user: postgres}, {maintenance_db: app}, {db_user: postgres}, {db_host: /run/postgresql}, {db_port: 5432}, {db_password: unused}]}
ext-gone-with: {postgres_extension.absent: [{name: cube}, {cascade: true}, {maintenance_db: app}]}
ext-never: {postgres_extension.absent: [{name: never}, {maintenance_db: app}]}
schema-new: {postgres_schema.present: [{name: fresh}, {dbname: app}, {owner: member}, {user: postgres}, {db_user: postgres}, {db_host: /run/postgresql}, {db_port: 5432}, {db_password: unused}]}
schema-there: {postgres_schema.present: [{name: there}, {dbname: app}]}
schema-gone: {postgres_schema.absent: [{name: gone}, {dbname: app}, {user: postgres}, {db_user: postgres}, {db_host: /run/postgresql}, {db_port: 5432}, {db_password: unused}]}
schema-never: {postgres_schema.absent: [{name: never}, {dbname: app}]}
schema-used: {postgres_schema.absent: [{name: used}, {dbname: app}]}
