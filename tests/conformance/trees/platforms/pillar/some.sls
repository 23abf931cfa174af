app:
  lookup: {group: g}
where: {{ grains.osfinger }}
