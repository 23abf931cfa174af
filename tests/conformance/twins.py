"""Runs the states of `twins/*.sls` under real Salt, each in a folder of its own, and keeps what it
answered and what the folder held: `test=True`, the first run, the second, `test=True` again.

    VENV/bin/python tests/conformance/twins.py [NAME…]

Writes golden/twins.json, and golden/twins_declared.json: which arguments Salt's functions take.
`@ROOT@` in an SLS is that folder; a first line `# before: COMMAND` is run in it beforehand. States of
one SLS have nothing to do with each other unless requisites say so.
"""

import importlib
import inspect
import json
import os
import shutil
import subprocess
import sys
import tempfile

import refresh

# States run commands with the shell of whoever runs Salt; answers are kept for this one (src/alone.rs).
os.environ["SHELL"] = "/bin/sh"
HERE = os.path.join(refresh.HERE, "twins")
STEPS = (("test", True), ("first", False), ("second", False), ("test again", True))
PILLAR = open(os.path.join(HERE, "pillar.yaml"), encoding="utf-8").read()
# What differs from run to run.
PASSING = ("start_time", "duration", "__run_num__", "pid")


def tree(root):
    found = {}
    for folder, folders, files in os.walk(root):
        for name in sorted(folders + files):
            path = os.path.join(folder, name)
            meta = os.lstat(path)
            entry = {"mode": oct(meta.st_mode & 0o7777), "uid": meta.st_uid, "gid": meta.st_gid}
            if os.path.islink(path):
                entry = {"target": os.readlink(path)}
            elif os.path.isfile(path):
                entry["text"] = open(path, encoding="utf-8", errors="replace", newline="").read()
            found[os.path.relpath(path, root)] = entry
    return found


def rows(answer, root):
    """The rows in the order in which they were run, without what passes."""
    if not isinstance(answer, dict):
        return answer
    ordered = sorted(answer.items(), key=lambda pair: pair[1].get("__run_num__", 0))
    kept = {}
    for key, row in ordered:
        row = {name: value for name, value in row.items() if name not in PASSING}
        if isinstance(row.get("changes"), dict):
            row["changes"] = {name: value for name, value in row["changes"].items() if name != "pid"}
        if str(row.get("comment")).startswith("An exception occurred"):
            row["comment"] = "An exception occurred in this state"
        kept[key] = row
    return json.loads(json.dumps(refresh.plain(kept)).replace(root, "@ROOT@"))


def case(name):
    with tempfile.TemporaryDirectory() as work:
        work = os.path.realpath(work)
        root, states, pillar = (os.path.join(work, part) for part in ("root", "salt", "pillar"))
        os.makedirs(root)
        os.makedirs(pillar)
        shutil.copytree(os.path.join(HERE, "files"), os.path.join(states, "files"))
        text = open(os.path.join(HERE, name + ".sls"), encoding="utf-8").read()
        with open(os.path.join(states, name + ".sls"), "w", encoding="utf-8") as file:
            file.write(text.replace("@ROOT@", root))
        for file, lines in (("top.sls", "base: {'*': [p]}"), ("p.sls", PILLAR.replace("@ROOT@", root))):
            with open(os.path.join(pillar, file), "w", encoding="utf-8") as out:
                out.write(lines + "\n")
        first = text.splitlines()[0]
        if first.startswith("# before: "):
            subprocess.run(["sh", "-c", first.removeprefix("# before: ")], cwd=root, check=True)
        os.umask(0o022)
        salt = refresh.caller({"file_roots": {"base": [states]}, "pillar_roots": {"base": [pillar]}}, os.path.join(work, "salt-root"))
        answers = {}
        for step, test in STEPS:
            answer = salt.cmd("state.apply", name, test=test)
            answers[step] = {"rows": rows(answer, root), "tree": json.loads(json.dumps(tree(root)).replace(root, "@ROOT@"))}
        return answers


def declared():
    """The arguments of each state function of `twins/functions.txt`, as Salt declares them."""
    answer = {}
    for line in open(os.path.join(HERE, "functions.txt"), encoding="utf-8"):
        module, _, name = line.strip().partition(".")
        if not name or line.startswith("#"):
            continue
        loaded = importlib.import_module("salt.states." + module)
        function = inspect.unwrap(getattr(loaded, name + "_", None) or getattr(loaded, name))
        kept = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        parameters = inspect.signature(function).parameters.values()
        answer[f"{module}.{name}"] = [one.name for one in parameters if one.kind in kept]
    return answer


def main():
    path = os.path.join(refresh.HERE, "golden", "twins.json")
    golden = json.load(open(path, encoding="utf-8")) if os.path.exists(path) else {}
    names = sys.argv[1:] or sorted(file[:-4] for file in os.listdir(HERE) if file.endswith(".sls"))
    for name in names:
        golden[name] = case(name)
        print(name, flush=True)
    golden = {name: answer for name, answer in golden.items() if os.path.exists(os.path.join(HERE, name + ".sls"))}
    refresh.write(path, dict(sorted(golden.items())))
    refresh.write(os.path.join(refresh.HERE, "golden", "twins_declared.json"), declared())


if __name__ == "__main__":
    main()
