webserver:
  sites:
    example.org: {port: 80, greeting: Hello from {{ grains['id'] }}}
    example.net: {port: 8080, greeting: Hello again}
