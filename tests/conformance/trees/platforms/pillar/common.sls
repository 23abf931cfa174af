app:
  port: {{ {'Debian': 80, 'RedHat': 8080}.get(grains.os_family, 9090) }}
  lookup: {user: me}
