"""Runs the states of `twins/*.sls` under real Salt, each in a folder of its own, and keeps what it
answered and what the folder held: `test=True`, the first run, the second, `test=True` again.

    VENV/bin/python tests/conformance/twins.py [NAME…]

Writes golden/twins.json, and golden/twins_declared.json: which arguments Salt's functions take.
`@ROOT@` in an SLS is that folder; first lines `# before: COMMAND` are run in it beforehand. States of
one SLS have nothing to do with each other unless requisites say so.

Those of `twins/machine/*.sls` change users, packages, services: each runs in a machine of its own, which
`twins/boot.sh` makes of this one (root, Debian), and goes to golden/twins_machine.json. Lines
`# look: COMMAND` say what else to look at after each run; `# tree: none` that the folder is not looked at.
"""

import importlib
import inspect
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

import refresh

# States run commands with the shell of whoever runs Salt; answers are kept for this one (src/alone.rs).
os.environ["SHELL"] = "/bin/sh"
HERE = os.path.join(refresh.HERE, "twins")
STEPS = (("test", True), ("first", False), ("second", False), ("test again", True))
PILLAR = open(os.path.join(HERE, "pillar.yaml"), encoding="utf-8").read()
# Modules of states whose file has another name.
FILES = {"ini": "ini_manage"}
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
    return json.loads(json.dumps(listed(refresh.plain(kept))).replace(root, "@ROOT@"))


def listed(value):
    """Python's sets as lists: `salt-call` prints them as Python writes them."""
    if isinstance(value, dict):
        return {key: listed(item) for key, item in value.items()}
    if isinstance(value, str) and value.startswith("{'") and value.endswith("'}"):
        return sorted(value[2:-2].split("', '"))
    return value


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
        for line in said(text, "before"):
            subprocess.run(["sh", "-c", line], cwd=root, check=True)
        os.umask(0o022)
        salt = refresh.caller({"file_roots": {"base": [states]}, "pillar_roots": {"base": [pillar]}}, os.path.join(work, "salt-root"))
        answers = {}
        for step, test in STEPS:
            answer = salt.cmd("state.apply", name, test=test)
            answers[step] = {"rows": rows(answer, root), "tree": json.loads(json.dumps(tree(root)).replace(root, "@ROOT@"))}
        return answers


def said(text, what):
    """The lines `# WHAT: …` of an SLS."""
    mark = f"# {what}: "
    return [line.removeprefix(mark) for line in text.splitlines() if line.startswith(mark)]


# What a machine is asked for, and asked in: nothing of whoever records.
BARE = ["env", "-i", "HOME=/root", "SHELL=/bin/sh", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]


class Machine:
    """A machine that lives for as long as the block."""

    def __init__(self, folder):
        self.folder = folder

    def __enter__(self):
        shared = [self.folder, os.path.dirname(HERE), *(at for at in (sys.prefix, sys.base_prefix) if at != "/usr")]
        boot = ["bash", os.path.join(HERE, "boot.sh"), *shared]
        self.process = subprocess.Popen(boot, stderr=subprocess.DEVNULL)
        while not os.path.exists(os.path.join(self.folder, "init")):
            assert self.process.poll() is None, "no machine: that needs root, overlayfs and systemd"
            time.sleep(0.05)
        init = open(os.path.join(self.folder, "init"), encoding="utf-8").read().strip()
        self.go = ["nsenter", "-t", init, "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w", *BARE]
        for _ in range(200):
            if subprocess.run([*self.go, "systemctl", "is-system-running"], capture_output=True).stdout == b"running\n":
                return self
            time.sleep(0.05)
        raise RuntimeError("its systemd does not come up")

    def __exit__(self, *why):
        self.process.terminate()
        self.process.wait()

    def run(self, *words):
        return subprocess.run([*self.go, *words], capture_output=True, text=True, stdin=subprocess.DEVNULL)

    def shell(self, line, root):
        return self.run("sh", "-c", f"cd {root}; {line}")


def machine_case(name):
    folder = os.path.join(HERE, "machine")
    with tempfile.TemporaryDirectory() as work, Machine(os.path.realpath(work)) as machine:
        work = machine.folder
        root, states = os.path.join(work, "root"), os.path.join(work, "salt")
        os.makedirs(root)
        shutil.copytree(os.path.join(HERE, "files"), os.path.join(states, "files"))
        text = open(os.path.join(folder, name + ".sls"), encoding="utf-8").read().replace("@ROOT@", root)
        with open(os.path.join(states, name + ".sls"), "w", encoding="utf-8") as file:
            file.write(text)
        refresh.caller({"file_roots": {"base": [states]}, "pillar_roots": {"base": [work]}}, os.path.join(work, "conf"))
        for line in said(text, "before"):
            done = machine.shell(line, root)
            assert done.returncode == 0, f"{name}: {line}\n{done.stdout}{done.stderr}"
        call = [os.path.join(sys.prefix, "bin", "salt-call"), "--local", "-c", os.path.join(work, "conf"), "--out", "json"]
        answers = {}
        for step, test in STEPS:
            done = machine.run(*call, "state.apply", name, f"test={test}")
            answer = json.loads(done.stdout)["local"]
            look = {"look: " + line: {"text": machine.shell(line, root).stdout} for line in said(text, "look")}
            found = {} if said(text, "tree") else tree(root)
            kept = {"rows": rows(answer, root), "tree": {**found, **look}}
            answers[step] = json.loads(json.dumps(kept).replace(root, "@ROOT@"))
        return answers


def declared():
    """The arguments of each state function of `twins/functions.txt`, as Salt declares them."""
    answer = {}
    for line in open(os.path.join(HERE, "functions.txt"), encoding="utf-8"):
        module, _, name = line.strip().partition(".")
        if not name or line.startswith("#"):
            continue
        loaded = importlib.import_module("salt.states." + FILES.get(module, module))
        function = inspect.unwrap(getattr(loaded, name + "_", None) or getattr(loaded, name))
        kept = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        parameters = inspect.signature(function).parameters.values()
        answer[f"{module}.{name}"] = [one.name for one in parameters if one.kind in kept]
    return answer


def keep(file, folder, record, chosen):
    path = os.path.join(refresh.HERE, "golden", file)
    names = sorted(file[:-4] for file in os.listdir(folder) if file.endswith(".sls"))
    for name in names:
        if not chosen or name in chosen:
            answer = record(name)
            golden = json.load(open(path, encoding="utf-8")) if os.path.exists(path) else {}
            golden[name] = answer
            refresh.write(path, {name: golden[name] for name in names if name in golden})
            print(name, flush=True)


def main():
    keep("twins.json", HERE, case, sys.argv[1:])
    keep("twins_machine.json", os.path.join(HERE, "machine"), machine_case, sys.argv[1:])
    refresh.write(os.path.join(refresh.HERE, "golden", "twins_declared.json"), declared())


if __name__ == "__main__":
    main()
