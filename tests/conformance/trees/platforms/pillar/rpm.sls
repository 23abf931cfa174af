app:
  selinux: true
  port: 443
