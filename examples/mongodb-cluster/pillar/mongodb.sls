mongodb:
  version: '8.0'
  # Everything is written beneath this folder; empty on real hosts.
  root: {{ salt['grains.get']('mongodb_root', '') | yaml_dquote }}
  ports: {data: 27018, config: 27019, router: 27017}
  # An example. A real one (`openssl rand -base64 756`) belongs into an age-encrypted value.
  key: |
    dGhpcyBpcyBhbiBleGFtcGxlLCBhbmQgYSBzZWNyZXQgdGhhdCBldmVyeWJvZHkga25vd3MgaXMg
    bm9uZTogbWFrZSB5b3VyIG93bg==
