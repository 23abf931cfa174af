base:
  'G@replset_name:*':
    - match: compound
    - mongodb.server
  'G@replset_name:* and G@replset_role:primary':
    - match: compound
    - mongodb.replset
  'G@shard_mongos:True':
    - match: compound
    - mongodb.router
