#: tag extends, tag block, super
{% extends "vars/base.jinja" %}
{% block name %}child-{{ super() }}{% endblock %}
