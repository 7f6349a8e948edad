"""Compares our renderings with an oracle's, over conversations and single constructs.

usage: template_peer.py jinja2|huggingface DRIVER

Where the two oracles disagree we follow Python's jinja2, in which transformers renders;
constructs.py says where that is.
"""

import glob
import json
import os
import subprocess
import sys

import constructs
import conversations

FOLDER = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.normpath(os.path.join(FOLDER, '..', '..', '..'))
OWN = os.path.join(ROOT, 'tests', 'service', 'template', 'templates', '*.jinja')
SHARED = os.path.join(ROOT, '..', 'shared', 'data', 'templates', '*.jinja')
CONVERSATIONS = 300
SHOWN_DIFFERENCES = 100


def run_lines(command, requests):
    """The answers of a program that reads and writes JSON lines."""
    lines = '\n'.join(json.dumps(request) for request in requests) + '\n'
    done = subprocess.run(command, input=lines.encode(), stdout=subprocess.PIPE, check=True)
    return [json.loads(line) for line in done.stdout.decode().split('\n') if line]


def ask_jinja2(requests):
    import jinja2_oracle
    return [jinja2_oracle.render(request) for request in requests]


def ask_huggingface(requests):
    return run_lines(['node', os.path.join(FOLDER, 'huggingface_oracle.mjs')], requests)


def template_files():
    files = sorted(glob.glob(OWN))
    shared = sorted(glob.glob(SHARED))
    if not shared:
        print('NOTE: ../shared/data/templates is not there: the model\'s own templates are skipped')
    return files + shared


def conversation_requests(oracle):
    contexts = conversations.conversations(CONVERSATIONS)
    for file in template_files():
        with open(file, encoding='utf-8') as source:
            template = source.read()
        for number, context in enumerate(contexts):
            yield f'{os.path.basename(file)} conversation {number}', {
                'template': template, 'context': adapted(context, oracle)}


def adapted(context, oracle):
    """Without what @huggingface/jinja cannot do, or prints otherwise than Python does: it has few
    filters for lists, writes tools as JSON, 1e-07 as 1e-7, and lstrip("\\n") strips all blanks."""
    if oracle == 'jinja2':
        return context
    kept = {key: without_floats(value) for key, value in context.items()
            if key not in ('tools', 'xml_tools', 'python_tools')}
    for message in kept['messages']:
        if isinstance(message['content'], list):
            message['content'] = message['content'][0]['text']
        if message['role'] == 'assistant' and message['content']:
            parts = message['content'].split('</think>')
            message['content'] = '</think>'.join(part.lstrip() for part in parts)
    return kept


def without_floats(value):
    """A copy in which every float is one that all languages write alike."""
    if isinstance(value, float):
        return 3.5
    if isinstance(value, list):
        return [without_floats(item) for item in value]
    if isinstance(value, dict):
        return {key: without_floats(item) for key, item in value.items()}
    return value


def construct_requests(oracle):
    for number, case in enumerate(constructs.CASES):
        if oracle == 'huggingface' and case.get('python_only'):
            continue
        request = {'template': case['template'], 'context': case.get('context', {})}
        request.update({key: case[key] for key in ('html', 'templates') if key in case})
        yield f'construct {number}: {case["template"]!r}', request


def same(ours, theirs):
    if 'error' in theirs or 'error' in ours:
        return 'error' in theirs and 'error' in ours
    return ours['text'] == theirs['text']


def main():
    oracle, driver = sys.argv[1:]
    named = [*construct_requests(oracle), *conversation_requests(oracle)]
    requests = [request for _, request in named]
    ask = ask_jinja2 if oracle == 'jinja2' else ask_huggingface
    theirs = ask(requests)
    ours = run_lines([driver], requests)
    assert len(theirs) == len(ours) == len(requests)
    different = [(name, a, b) for (name, _), a, b in zip(named, ours, theirs) if not same(a, b)]
    for name, a, b in different[:SHOWN_DIFFERENCES]:
        print(f'{name}\n  ours:   {a}\n  theirs: {b}')
    errors = sum('error' in answer for answer in ours)
    print(f'{oracle}: {len(requests)} renderings, {errors} refused by both sides, '
          f'{len(different)} different')
    sys.exit(1 if different else 0)


main()
