value: {{ v }}
