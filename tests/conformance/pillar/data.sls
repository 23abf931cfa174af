web:
  port: 80
  hosts: [a, b]
flag: true
ports:
  8080: http
