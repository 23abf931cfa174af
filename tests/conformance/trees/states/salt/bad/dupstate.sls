a:
  file.managed: []
  file.absent: []
