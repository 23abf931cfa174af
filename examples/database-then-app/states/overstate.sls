# `ctl overstate` brings the whole system up, in this order. Nothing below a stage is touched
# before the stage and its checks are good.
primary:
  match: 'G@role:database and G@replication:primary'
  check:
    - cmd.run: [pg_isready]

replicas:
  match: 'G@role:database and G@replication:replica'
  require: [primary]
  check:
    - function: cmd.run
      args: ["psql -tAc 'select status from pg_stat_wal_receiver' | grep streaming"]
      kwargs: {runas: postgres}

app servers:
  match: 'G@role:app'
  require: [replicas]

proxies:
  match: 'G@role:proxy'
  require: [app servers]
