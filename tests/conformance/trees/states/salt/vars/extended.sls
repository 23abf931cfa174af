{% extends "vars/base.jinja" %}
{% block name %}child-{{ super() }}{% endblock %}
