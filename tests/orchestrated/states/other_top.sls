base:
  'a*': [fails]
