base:
  'G@replset_name:* or G@shard_mongos:True':
    - match: compound
    - mongodb
