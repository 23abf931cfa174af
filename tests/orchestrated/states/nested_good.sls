inner:
  salt.state: [{tgt: a1}, {sls: changes}]
