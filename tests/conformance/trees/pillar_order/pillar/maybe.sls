n: {{ salt['grains.get']('os') }}
