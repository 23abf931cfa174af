# Run with `ctl overstate`. In Salt this was a shell script with sleeps between four highstates:
# a primary that comes up before its secondaries finds nobody to vote for it, and a router that
# comes up before the config servers does not start at all.
{% set data = 'G@replset_name:* and not G@shard_configsvr:True' %}

secondaries:
  match: '{{ data }} and G@replset_role:secondary'
  sls: [mongodb.server]

primaries:
  match: '{{ data }} and G@replset_role:primary'
  sls: [mongodb.server, mongodb.replset]
  require: [secondaries]

config secondaries:
  match: 'G@shard_configsvr:True and G@replset_role:secondary'
  sls: [mongodb.server]

config primaries:
  match: 'G@shard_configsvr:True and G@replset_role:primary'
  sls: [mongodb.server, mongodb.replset]
  require: [config secondaries]

routers:
  match: 'G@shard_mongos:True'
  sls: [mongodb.router]
  # One after the other, so that there is always one that answers.
  batch: 1
  require:
    - primaries
    - config primaries
