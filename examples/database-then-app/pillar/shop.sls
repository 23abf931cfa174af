shop:
  port: 8000
  greeting: Hello from the database
