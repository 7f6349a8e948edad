"""Completions and the manual page, tried in the real shells and in man.

usage: shell_test.py NOTSO bash|zsh|fish|man       exits with 77 where the program is missing
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

NOTSO, WHAT = sys.argv[1:3]


def run(command, text=None, **environment):
    done = subprocess.run(command, input=text, capture_output=True, text=True,
                          env={**os.environ, **environment}, timeout=120)
    if done.returncode != 0 or done.stderr:
        sys.exit(f"{command}: exit code {done.returncode}\n{done.stderr}")
    return done.stdout


def expect(words, wanted, unwanted=()):
    for word in wanted:
        if word not in words:
            sys.exit(f"{word!r} is missing in {words}")
    for word in unwanted:
        if word in words:
            sys.exit(f"{word!r} should not be in {words}")


def test_bash(script):
    run(["bash", "-n", script])

    def complete(*words):
        quoted = " ".join(f"'{word}'" for word in words)
        return run(["bash", "-c", f"source {script}; COMP_WORDS=({quoted}); "
                    f"COMP_CWORD={len(words) - 1}; _notso; printf '%s\\n' \"${{COMPREPLY[@]}}\""
                    ]).split()

    expect(complete("notso", ""), ["chat", "pull", "doctor", "completion"], ["--version"])
    expect(complete("notso", "--"), ["--version", "--help"])
    expect(complete("notso", "pu"), ["pull"], ["chat"])
    expect(complete("notso", "pull", ""), ["Q4_K_M", "F16"])
    expect(complete("notso", "pull", "--"), ["--sha256", "--force"], ["--ctx"])
    expect(complete("notso", "chat", "--kv", ""), ["f16", "q8_0"], ["--ctx"])
    expect(complete("notso", "serve", "--log-level", ""), ["debug", "warning"], ["--ctx"])
    expect(complete("notso", "completion", "z"), ["zsh"], ["bash"])
    with tempfile.TemporaryDirectory() as folder:
        open(os.path.join(folder, "with space.gguf"), "w").close()
        words = complete("notso", "inspect", folder + "/w")
        expect(words, [folder + "/with", "space.gguf"])
        # What 'rm' takes is a name, never a file that lies here.
        expect(complete("notso", "rm", folder + "/w"), [], [folder + "/with"])


def test_zsh(script):
    run(["zsh", "-f", "-n", script])
    # The functions must load into the real completion system.
    out = run(["zsh", "-f", "-c", "autoload -U compinit; compinit -u -D; "
               f"source {script}; print -l ${{(k)functions}}; print $_comps[notso]"])
    expect(out.split("\n"), ["_notso", "_notso_pull_command", "_notso_models",
                             "_notso_held_models"])


def test_fish(script):
    run(["fish", "--no-execute", script])

    def complete(line):
        out = run(["fish", "--no-config", "-c", f"source {script}; complete -C '{line}'"])
        return [row.split("\t")[0] for row in out.splitlines()]

    expect(complete("notso "), ["chat", "pull", "doctor"])
    expect(complete("notso pull "), ["Q4_K_M", "F16"], ["chat"])
    expect(complete("notso pull --"), ["--sha256", "--force"], ["--ctx"])
    expect(complete("notso chat --kv "), ["f16", "q8_0"])


def test_man(page):
    warnings = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", page],
                              capture_output=True, text=True,
                              env={**os.environ, "MANWIDTH": "80", "MAN_KEEP_FORMATTING": ""})
    if warnings.returncode != 0 or warnings.stderr:
        sys.exit(f"man: {warnings.stderr}")
    # Bold and underlined letters are struck over.
    text = re.sub(".\b", "", warnings.stdout).replace("\u2010", "-")
    for wanted in ("notso pull [OPTION...] [NAME]", "HF_TOKEN", "EXIT STATUS", "--kv"):
        if wanted not in text:
            sys.exit(f"{wanted!r} is missing in the manual page:\n{text}")


def main():
    if not shutil.which(WHAT):
        print(f"SKIPPED: no {WHAT} here")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "notso.1" if WHAT == "man" else "script." + WHAT)
        with open(path, "w") as file:
            file.write(run([NOTSO, "man"] if WHAT == "man" else [NOTSO, "completion", WHAT]))
        {"bash": test_bash, "zsh": test_zsh, "fish": test_fish, "man": test_man}[WHAT](path)


main()
