"""Asks real Salt for the answers that the conformance test compares ours with.

    pip install salt==3008.3   (in a virtual environment of its own)
    VENV/bin/python tests/conformance/refresh.py          writes golden/*.json
    VENV/bin/python tests/conformance/refresh.py --yaml   answers a JSON list of YAML texts on its input
"""

import inspect
import json
import logging
import os
import sys
import tempfile
import warnings

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)

import salt.client
import salt.config
import salt.utils.jinja
import yaml
from jinja2 import Environment
from salt.utils.decorators.jinja import JinjaFilter

HERE = os.path.dirname(os.path.abspath(__file__))
BASE = yaml.safe_load(open(os.path.join(HERE, "base.yaml")))


def lines(name):
    with open(os.path.join(HERE, "cases", name), encoding="utf-8") as file:
        for line in file:
            line = line.rstrip("\n")
            if line and not line.startswith(("# ", "#: ")):
                yield line


def caller(config, folder):
    os.makedirs(folder, exist_ok=True)
    conf = {**BASE, **config, "root_dir": folder, "log_level": "quiet", "conf_file": os.path.join(folder, "minion")}
    conf["grains"] = {**BASE["grains"], **config.get("grains", {})}
    with open(conf["conf_file"], "w", encoding="utf-8") as file:
        yaml.safe_dump({key: value for key, value in conf.items() if key != "conf_file"}, file)
    opts = salt.config.minion_config(conf["conf_file"])
    opts["file_client"] = "local"
    return salt.client.Caller(mopts=opts)


def plain(value):
    def other(item):
        if isinstance(item, (set, frozenset)):
            return sorted(item, key=str)
        return item.decode("utf-8", "replace") if isinstance(item, bytes) else str(item)

    return json.loads(json.dumps(value, default=other))


def ask(salt_, function, *args, **kwargs):
    try:
        value = salt_.cmd(function, *args, **kwargs)
    except BaseException as why:  # Salt ends the process for some faults.
        return {"error": str(why).strip().splitlines()[0][:200] if str(why).strip() else type(why).__name__}
    texts = isinstance(value, list) and value and all(isinstance(item, str) for item in value)
    if function.startswith("state.show") and texts and function != "state.show_states":
        return {"error": value[0].splitlines()[0][:200]}
    return {"ok": plain(value)}


def sls_names(folder):
    found = []
    for root, _, files in os.walk(folder):
        for file in files:
            path = os.path.relpath(os.path.join(root, file), folder)
            if path.endswith(".sls") and path != "top.sls":
                name = path[:-4]
                found.append((name[:-5] if name.endswith("/init") else name).replace("/", "."))
    return sorted(found)


def tree(name):
    folder = os.path.join(HERE, "trees", name)
    config = {}
    path = os.path.join(folder, "config.yaml")
    if os.path.exists(path):
        config = yaml.safe_load(open(path, encoding="utf-8")) or {}
    for kind in ("file_roots", "pillar_roots"):
        default = {"base": ["salt" if kind == "file_roots" else "pillar"]}
        roots = config.get(kind, default)
        config[kind] = {env: [os.path.join(folder, part) for part in parts] for env, parts in roots.items()}
    if not config.pop("platforms", False):
        return compiled(folder, config, "")
    answers = {}
    for platform, grains in yaml.safe_load(open(os.path.join(HERE, "platforms.yaml"), encoding="utf-8")).items():
        answers.update(compiled(folder, {**config, "grains": grains}, "@" + platform))
    return answers


def compiled(folder, config, suffix):
    answers = {}
    with tempfile.TemporaryDirectory() as work:
        salt_ = caller(config, work)
        for sls in sls_names(os.path.join(folder, "salt")):
            answers[f"state.show_low_sls {sls}{suffix}"] = ask(salt_, "state.show_low_sls", sls)
            answers[f"state.show_sls {sls}{suffix}"] = ask(salt_, "state.show_sls", sls)
        if os.path.exists(os.path.join(folder, "salt", "top.sls")):
            for function in ("state.show_top", "state.show_lowstate", "state.show_highstate"):
                answers[function + suffix] = ask(salt_, function)
        answers["pillar.items" + suffix] = ask(salt_, "pillar.items", unmask=True)
        answers["pillar.ls" + suffix] = ask(salt_, "pillar.ls")
        answers["pillar.data" + suffix] = ask(salt_, "pillar.data")
    return answers


def declared():
    """The arguments of each filter, without the value that it is applied to."""
    jinja = Environment().filters
    both = {**Environment(extensions=[salt.utils.jinja.SerializerExtension]).filters, **JinjaFilter.salt_jinja_filters}
    both["indent"] = jinja["indent"]  # Salt keeps Jinja2's own.
    passed = ("environment", "context", "eval_ctx", "env")
    answer = {}
    for name, function in sorted(both.items()):
        try:
            parameters = list(inspect.signature(function).parameters.values())
        except ValueError:  # zip and its kin are written in C.
            parameters = []
        named = [one.name for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]
        named = [one for one in named if one not in passed and not one.startswith("_")]
        starred = parameters and parameters[0].kind == inspect.Parameter.VAR_POSITIONAL
        answer[name] = named if starred else named[1:]
    return answer


def made_up():
    """Answers the YAML texts that the property test makes up."""
    with tempfile.TemporaryDirectory() as work:
        salt_ = caller({"pillar_roots": {"base": [work]}}, work)
        texts = json.load(sys.stdin)
        answers = [ask(salt_, "slsutil.renderer", string=text, default_renderer="yaml") for text in texts]
        json.dump(answers, sys.stdout)


def main():
    golden = os.path.join(HERE, "golden")
    os.makedirs(golden, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        pillar = os.path.join(HERE, "pillar")
        salt_ = caller({"pillar_roots": {"base": [pillar]}}, work)
        for name, pipe in (("jinja", "jinja"), ("filters", "jinja"), ("yaml", "yaml")):
            answers = {}
            for line in lines(name + ".txt"):
                text = line.replace("⏎", "\n")
                answers[line] = ask(salt_, "slsutil.renderer", string=text, default_renderer=pipe)
            write(os.path.join(golden, name + ".json"), answers)
    write(os.path.join(golden, "filters_declared.json"), declared())
    trees = {name: tree(name) for name in sorted(os.listdir(os.path.join(HERE, "trees")))}
    write(os.path.join(golden, "trees.json"), trees)


def write(path, answers):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(answers, file, indent=1, ensure_ascii=False)
        file.write("\n")


if __name__ == "__main__":
    sys.exit(made_up() if sys.argv[1:] == ["--yaml"] else main())
