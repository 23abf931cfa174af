"""Runs the orchestrate SLS of `cases/*.txt` with real Salt, a master and three minions on loopback (a
fourth has a key and is away), and keeps each verdict.

    pip install salt==3008.3   (in a virtual environment of its own)
    VENV/bin/python tests/orchestrated/refresh.py [PART OF A NAME…]     writes golden.json

A case begins with a line `=== NAME`, with `| test` where it is a dry run and `| pillar=JSON` where it has
pillar. Of each row its result is kept, whether there were changes, and which minions they name.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import salt.cli.run
import yaml

HERE = os.path.dirname(os.path.abspath(__file__))
BIN = os.path.dirname(sys.executable)
PORTS = {"publish_port": 24525, "ret_port": 24526}
MINIONS = {"a1": "db", "a2": "db", "a3": "app", "z1": "away"}
QUIET = {"user": "root", "log_level": "quiet", "log_level_logfile": "quiet"}


def cases():
    for file in sorted(os.listdir(os.path.join(HERE, "cases"))):
        with open(os.path.join(HERE, "cases", file), encoding="utf-8") as text:
            for case in text.read().split("=== ")[1:]:
                head, _, sls = case.partition("\n")
                name, _, options = head.partition(" | ")
                yield name, options, sls


class Salt:
    def __init__(self, folder):
        self.folder = folder
        self.daemons = {}
        states, dev = os.path.join(folder, "states"), os.path.join(HERE, "states_dev")
        shutil.copytree(os.path.join(HERE, "states"), states)
        os.mkdir(os.path.join(folder, "sockets"))
        self.orchestrated = os.path.join(states, "orchestrated.sls")
        master = {
            **QUIET, **PORTS, "interface": "127.0.0.1", "auto_accept": True, "worker_threads": 3,
            "root_dir": os.path.join(folder, "master"), "file_roots": {"base": [states], "dev": [dev]},
            "pillar_roots": {"base": []}, "timeout": 5, "gather_job_timeout": 3,
            "sock_dir": os.path.join(folder, "sockets/master"),
        }
        self.start("master", "salt-master", master)
        for name, kind in MINIONS.items():
            minion = {
                **QUIET, "id": name, "master": "127.0.0.1", "publish_port": PORTS["publish_port"],
                "master_port": PORTS["ret_port"], "root_dir": os.path.join(folder, name), "grains": {"kind": kind},
                "sock_dir": os.path.join(folder, "sockets", name), "mine_interval": 600,
            }
            self.start(name, "salt-minion", minion)

    def start(self, name, program, config):
        home = os.path.join(self.folder, "conf", name)
        os.makedirs(home)
        with open(os.path.join(home, program[5:]), "w", encoding="utf-8") as file:
            yaml.safe_dump(config, file)
        self.daemons[name] = subprocess.Popen(
            [os.path.join(BIN, program), "-c", home],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )

    def run(self, program, *args):
        words = [os.path.join(BIN, program), "-c", os.path.join(self.folder, "conf/master"), *args]
        done = subprocess.run(words, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        try:
            return done.returncode, json.loads(done.stdout)
        except ValueError:
            return done.returncode, done.stdout + done.stderr

    def await_minions(self):
        until = time.monotonic() + 180
        while time.monotonic() < until:
            _, answer = self.run("salt", "*", "test.ping", "--out", "json", "--static")
            if isinstance(answer, dict) and [answer.get(name) for name in MINIONS] == [True] * len(MINIONS):
                return
        raise SystemExit("Salt's minions did not come")

    def stop(self, name):
        daemon = self.daemons.pop(name)
        daemon.send_signal(signal.SIGTERM)
        daemon.wait()

    def orchestrate(self, options, sls):
        with open(self.orchestrated, "w", encoding="utf-8") as file:
            file.write(sls)
        more = ["test=True" if option == "test" else option for option in options.split(" | ") if option]
        words = ["-c", os.path.join(self.folder, "conf/master"), "state.orchestrate", "orchestrated"]
        code, text = salt_run([*words, *more, "--out", "json"])
        # Warnings may stand before the answer.
        try:
            return {"code": code, "rows": rows(json.loads(text[max(text.find("{"), 0) :]))}
        except ValueError:
            return {"code": code, "rows": None}


def salt_run(words):
    """`salt-run WORDS` without loading Salt each time: exit code and output."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        child = os.fork()
        if child == 0:
            code = 99
            try:
                os.dup2(output.fileno(), 1)
                sys.argv = ["salt-run", *words]
                salt.cli.run.SaltRun().run()
                code = 0
            except SystemExit as ended:
                code = ended.code or 0
            finally:
                sys.stdout.flush()
                os._exit(code)
        _, status = os.waitpid(child, 0)
        output.seek(0)
        return os.waitstatus_to_exitcode(status), output.read()


def rows(answer):
    """The verdict of each row; None where nothing was run."""
    data = list(answer.get("data", {}).values()) if isinstance(answer, dict) else []
    if not data or not isinstance(data[0], dict):
        return None
    return {tag: verdict(row) for tag, row in sorted(data[0].items())}


def verdict(row):
    changes = row.get("changes") or {}
    named = changes.get("ret") if isinstance(changes, dict) else None
    return {
        "result": row["result"],
        "changes": bool(changes),
        "minions": sorted(named) if isinstance(named, dict) and set(named) <= set(MINIONS) else [],
    }


def main(parts):
    path = os.path.join(HERE, "golden.json")
    golden = json.load(open(path, encoding="utf-8")) if parts and os.path.exists(path) else {}
    folder = tempfile.mkdtemp(prefix="orch")
    site = Salt(folder)
    try:
        site.await_minions()
        site.stop("z1")
        for name, options, sls in cases():
            if not parts or any(part in name for part in parts):
                golden[name] = site.orchestrate(options, sls)
                print(name, json.dumps(golden[name]), flush=True)
                write(path, golden)
    finally:
        for name in list(site.daemons):
            site.stop(name)
        shutil.rmtree(folder, ignore_errors=True)


def write(path, golden):
    known = [name for name, _, _ in cases()]
    with open(path, "w", encoding="utf-8") as file:
        json.dump({name: golden[name] for name in known if name in golden}, file, indent=1)
        file.write("\n")


main(sys.argv[1:])
