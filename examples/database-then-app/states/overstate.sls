# `ctl overstate` brings the whole system up, in this order. Nothing below a stage is touched
# before the stage and its checks are good.
primary:
  match: 'G@role:database and G@replication:primary'
  check:
    - cmd.retcode: ['pg_isready --quiet']

replicas:
  match: 'G@role:database and G@replication:replica'
  require: [primary]
  check:
    - postgresql streams: [cmd.retcode, "psql -tAc 'select 1 from pg_stat_wal_receiver' | grep -q 1", runas=postgres]

app servers:
  match: 'G@role:app'
  require: [replicas]

proxies:
  match: 'G@role:proxy'
  require: [app servers]
