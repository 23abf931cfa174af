# Examples. Real ones belong into age-encrypted values (docs: secrets in pillar).
postgresql:
  replication_password: example-replication
  shop_password: example-shop
