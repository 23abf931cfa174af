later: {{ v|default('no') }}
id: {{ opts.id }}
