"""Renders requests with Python's jinja2, set up as transformers' apply_chat_template does.

A request with "html" is rendered as a page instead: autoescape, and tojson as Jinja ships it.
"""

import datetime
import json

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.sandbox

NOW = datetime.datetime(2026, 11, 20, 9, 5, 7)


class Generation(jinja2.ext.Extension):
    """The tag that marks the assistant's words for training: its body is rendered."""

    tags = {'generation'}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(['name:endgeneration'], drop_needle=True)
        return jinja2.nodes.Scope(body, lineno=line)


def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    """The filter that transformers installs."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators,
                      sort_keys=sort_keys)


def raise_exception(message):
    """The function that transformers installs."""
    raise jinja2.exceptions.TemplateError(message)


def environment_for(request):
    html = request.get('html', False)
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, autoescape=html,
        extensions=[jinja2.ext.loopcontrols, jinja2.ext.do, Generation],
        loader=jinja2.DictLoader(request.get('templates', {})))
    if not html:
        environment.filters['tojson'] = tojson
    environment.globals['raise_exception'] = raise_exception
    environment.globals['strftime_now'] = NOW.strftime
    return environment


def render(request):
    """{"text": ...}, or {"error": ...} when jinja2 refuses."""
    try:
        template = environment_for(request).from_string(request['template'])
        return {'text': template.render(**request['context'])}
    except Exception as error:  # whatever the oracle raises counts as its refusal
        return {'error': f'{type(error).__name__}: {error}'}
