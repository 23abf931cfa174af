"""Runs calls by Salt in one process: the configuration and the scratch folder are arguments."""
import json
import os
import stat
import sys

import salt.client
import salt.config

config, scratch = sys.argv[1:3]
opts = salt.config.minion_config(config)
# A host may look as if systemd ran there, and have no bus: programs are called without it.
opts["systemd.scope"] = False
caller = salt.client.Caller(mopts=opts)
# Errors are values here, not lines of a log.
functions = caller.sminion.functions


def files():
    found = {}
    for folder, dirs, names in os.walk(scratch):
        for name in dirs + names:
            path = os.path.join(folder, name)
            meta = os.lstat(path)
            mode = format(stat.S_IMODE(meta.st_mode), "o")
            if stat.S_ISLNK(meta.st_mode):
                row = ["l", os.readlink(path)]
            elif stat.S_ISDIR(meta.st_mode):
                row = ["d", mode]
            elif stat.S_ISREG(meta.st_mode):
                with open(path, "rb") as file:
                    text = file.read().decode("utf-8", "replace")
                row = ["f", mode, meta.st_uid, meta.st_gid, text]
            else:
                row = ["?", mode]
            found[os.path.relpath(path, scratch)] = row
    return found


def plain(value):
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)


rows = []
for call in json.load(sys.stdin):
    text = json.dumps([call["args"], call["kwargs"]]).replace("ROOT", scratch)
    args, kwargs = json.loads(text)
    try:
        value = functions[call["fun"]](*args, **kwargs)
    except Exception as error:  # what it raises is what is compared
        value = {"raised": True, "text": f"{type(error).__name__}: {error}"}
    rows.append({"value": value, "files": files()})
print(json.dumps(rows, default=plain))
