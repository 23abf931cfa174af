//! `test.*`: what an operator tries first. Salt's `modules/test.py`.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use proto::{Args, FunctionName, Map, Value};
use rand::RngExt;
use serde_json::json;
use sha2::Digest;
use states::{CallError, Context, Effect, Function};

use super::bind::{NAMED, REST, bind, need, truth, with};

pub static TABLE: &[Function] = &[
    Function {
        name: "test.ping",
        doc: "Says that the minion is up and answers. Gives `true`.\n\n    ctl run '*' test.ping",
        params: &[],
        effect: Effect::Reads,
        call: |_, args| bind("test.ping", &[], args).map(|_| Value::Bool(true)),
    },
    Function {
        name: "test.echo",
        doc: "Gives its argument back.\n\n    ctl run '*' test.echo 'foo bar'",
        params: &[need("text")],
        effect: Effect::Reads,
        call: |_, args| same("test.echo", args),
    },
    Function {
        name: "test.outputter",
        doc: "Gives its argument back, to see how output is shown.\n\n    ctl run '*' test.outputter foobar",
        params: &[need("data")],
        effect: Effect::Reads,
        call: |_, args| same("test.outputter", args),
    },
    Function {
        name: "test.arg",
        doc: "Gives all arguments back, to see what a minion is called with.\n\n\
              ctl run '*' test.arg 1 two 3.1 txt=hello wow='{a: 1, b: hello}'",
        params: &[REST, NAMED],
        effect: Effect::Reads,
        call: |_, args| Ok(json!({"args": args.positional, "kwargs": args.named})),
    },
    Function {
        name: "test.arg_clean",
        doc: "`test.arg` without the names that begin with two underscores.\n\n    ctl run '*' test.arg_clean 1 txt=hello",
        params: &[REST, NAMED],
        effect: Effect::Reads,
        call: |_, args| {
            let bound = bind("test.arg_clean", &[REST, NAMED], args)?;
            Ok(json!({"args": bound.rest, "kwargs": bound.named}))
        },
    },
    Function {
        name: "test.arg_type",
        doc: "Gives the types of all arguments, named as Python names them.\n\n    ctl run '*' test.arg_type 1 int",
        params: &[REST, NAMED],
        effect: Effect::Reads,
        call: |_, args| arg_type(args),
    },
    Function {
        name: "test.kwarg",
        doc: "Gives the named arguments back.\n\n    ctl run '*' test.kwarg num=1 txt=two env='{a: 1, b: hello}'",
        params: &[NAMED],
        effect: Effect::Reads,
        call: |_, args| bind("test.kwarg", &[NAMED], args).map(|bound| Value::Object(bound.named)),
    },
    Function {
        name: "test.sleep",
        doc: "Waits for so many seconds, then gives `true`.\n\n    ctl run '*' test.sleep 20",
        params: &[need("length")],
        effect: Effect::Reads,
        call: |context, args| {
            let length = bind("test.sleep", &[need("length")], args)?.seconds("length")?;
            sleep(context, length.unwrap_or_default())
        },
    },
    Function {
        name: "test.rand_sleep",
        doc: "Waits for a random number of seconds, at most `max`.\n\n    ctl run '*' test.rand_sleep 60",
        params: &[with("max", "60")],
        effect: Effect::Reads,
        call: |context, args| {
            let max = bind("test.rand_sleep", &[with("max", "60")], args)?.integer("max")?.unwrap_or(60);
            sleep(context, Duration::from_secs(rand::rng().random_range(0..=max.max(0)) as u64))
        },
    },
    Function {
        name: "test.version",
        doc: "The minion's version.\n\n    ctl run '*' test.version",
        params: &[],
        effect: Effect::Reads,
        call: |_, args| bind("test.version", &[], args).map(|_| crate::VERSION.into()),
    },
    Function {
        name: "test.versions",
        doc: "The versions of the minion and of the system below it, as text.\n\n    ctl run '*' test.versions",
        params: &[],
        effect: Effect::Reads,
        call: |context, args| bind("test.versions", &[], args).map(|_| report(context).into()),
    },
    Function {
        name: "test.versions_report",
        doc: "The same as `test.versions`.\n\n    ctl run '*' test.versions_report",
        params: &[],
        effect: Effect::Reads,
        call: |context, args| bind("test.versions_report", &[], args).map(|_| report(context).into()),
    },
    Function {
        name: "test.versions_information",
        doc: "The versions of the minion and of the system below it.\n\n    ctl run '*' test.versions_information",
        params: &[],
        effect: Effect::Reads,
        call: |context, args| bind("test.versions_information", &[], args).map(|_| versions(context)),
    },
    Function {
        name: "test.fail",
        doc: "Fails, with the message given.\n\n    ctl run '*' test.fail 'this is a drill'",
        params: &[with("message", "'Test failure'")],
        effect: Effect::Reads,
        call: |_, args| raise("test.fail", "Test failure", args),
    },
    Function {
        name: "test.exception",
        doc: "Fails, with the message given.\n\n    ctl run '*' test.exception 'Oh noes!'",
        params: &[with("message", "'Test Exception'")],
        effect: Effect::Reads,
        call: |_, args| raise("test.exception", "Test Exception", args),
    },
    Function {
        name: "test.assertion",
        doc: "Fails when its argument is not true in Python's sense.\n\n    ctl run '*' test.assertion False",
        params: &[need("assertion")],
        effect: Effect::Reads,
        call: |_, args| {
            let bound = bind("test.assertion", &[need("assertion")], args)?;
            match bound.value("assertion").is_some_and(truth) {
                true => Ok(Value::Null),
                false => Err(CallError::failed("AssertionError")),
            }
        },
    },
    Function {
        name: "test.retcode",
        doc: "Gives `true` and ends with this return code, so that the job counts as failed.\n\n\
              ctl run '*' test.retcode 42",
        params: &[with("code", "42")],
        effect: Effect::Reads,
        call: |context, args| {
            let code = bind("test.retcode", &[with("code", "42")], args)?.integer("code")?.unwrap_or(42);
            context.retcode.store(code as i32, Ordering::Relaxed);
            Ok(Value::Bool(true))
        },
    },
    Function {
        name: "test.random_hash",
        doc: "The hash of a random number between 1 and `size`, in hexadecimal (sha256, sha512).\n\n\
              ctl run '*' test.random_hash hash_type=sha512",
        params: &[with("size", "9999999999"), with("hash_type", "None")],
        effect: Effect::Reads,
        call: |_, args| random_hash("test.random_hash", args),
    },
    Function {
        name: "test.rand_str",
        doc: "The old name of `test.random_hash`.\n\n    ctl run '*' test.rand_str",
        params: &[with("size", "9999999999"), with("hash_type", "None")],
        effect: Effect::Reads,
        call: |_, args| random_hash("test.rand_str", args),
    },
    Function {
        name: "test.providers",
        doc: "The execution modules, each under its own name.\n\n    ctl run '*' test.providers",
        params: &[],
        effect: Effect::Reads,
        call: |context, args| bind("test.providers", &[], args).map(|_| providers(context)),
    },
    Function {
        name: "test.provider",
        doc: "What stands behind a module's name; an empty text when there is no such module.\n\n\
              ctl run '*' test.provider cmd",
        params: &[need("module")],
        effect: Effect::Reads,
        call: |context, args| {
            let module = bind("test.provider", &[need("module")], args)?.need_text("module")?;
            Ok(providers(context).get(&module).cloned().unwrap_or_else(|| "".into()))
        },
    },
    Function {
        name: "test.true",
        doc: "Gives `true`.\n\n    ctl run '*' test.true",
        params: &[],
        effect: Effect::Reads,
        call: |_, args| bind("test.true", &[], args).map(|_| Value::Bool(true)),
    },
    Function {
        name: "test.false",
        doc: "Gives `false`.\n\n    ctl run '*' test.false",
        params: &[],
        effect: Effect::Reads,
        call: |_, args| bind("test.false", &[], args).map(|_| Value::Bool(false)),
    },
    Function {
        name: "test.try",
        doc: "Calls another function, and gives null when that fails (or the error's text, when \
              `return_try_exception` is true).\n\n    ctl run '*' test.try module=test.exception",
        params: &[need("module"), with("return_try_exception", "False"), NAMED],
        // What it calls may do anything: the most careful effect is the right one.
        effect: Effect::Writes,
        call: try_,
    },
    Function {
        name: "test.try_",
        doc: "The same as `test.try`.\n\n    ctl run '*' test.try_ module=test.exception",
        params: &[need("module"), with("return_try_exception", "False"), NAMED],
        effect: Effect::Writes,
        call: try_,
    },
    Function {
        name: "test.fib",
        doc: "The `num`-th Fibonacci number and the seconds it took.\n\n    ctl run '*' test.fib 30",
        params: &[need("num")],
        effect: Effect::Reads,
        call: |_, args| fib(args),
    },
    Function {
        name: "test.collatz",
        doc: "The Collatz sequence from `start` and the seconds it took.\n\n    ctl run '*' test.collatz 30",
        params: &[need("start")],
        effect: Effect::Reads,
        call: |_, args| collatz(args),
    },
    Function {
        name: "test.get_opts",
        doc: "The minion's configuration.\n\n    ctl run '*' test.get_opts",
        params: &[],
        effect: Effect::Reads,
        call: |context, args| bind("test.get_opts", &[], args).map(|_| Value::Object(context.opts.clone())),
    },
];

fn same(function: &'static str, args: Args) -> Result<Value, CallError> {
    // The parameter's name differs, and either works by place.
    let params = if function == "test.echo" { &[need("text")] } else { &[need("data")] };
    let bound = bind(function, params, args)?;
    Ok(bound.value(params[0].name).cloned().unwrap_or_default())
}

fn arg_type(args: Args) -> Result<Value, CallError> {
    let named: Map = args.named.iter().map(|(name, value)| (name.clone(), python_type(value).into())).collect();
    let positional: Vec<_> = args.positional.iter().map(python_type).collect();
    Ok(json!({"args": positional, "kwargs": named}))
}

fn python_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "<class 'NoneType'>",
        Value::Bool(_) => "<class 'bool'>",
        Value::Number(number) if number.is_f64() => "<class 'float'>",
        Value::Number(_) => "<class 'int'>",
        Value::String(_) => "<class 'str'>",
        Value::Array(_) => "<class 'list'>",
        Value::Object(_) => "<class 'dict'>",
    }
}

fn sleep(context: &Context<'_>, length: Duration) -> Result<Value, CallError> {
    let start = Instant::now();
    while let Some(left) = length.checked_sub(start.elapsed()).filter(|left| !left.is_zero()) {
        if context.agent.is_some_and(|agent| agent.cancelled()) {
            return Err(CallError::failed("the job was killed"));
        }
        std::thread::sleep(left.min(Duration::from_millis(100)));
    }
    Ok(Value::Bool(true))
}

fn raise(function: &'static str, default: &str, args: Args) -> Result<Value, CallError> {
    let message = bind(function, &[with("message", "")], args)?.text("message")?;
    Err(CallError::failed(message.unwrap_or_else(|| default.to_owned())))
}

fn versions(context: &Context<'_>) -> Value {
    let grain = |name: &str| context.look.grains().get(name).cloned().unwrap_or_default();
    json!({
        "Overstate Version": {"Overstate": crate::VERSION},
        "System Versions": {
            "dist": format!("{} {}", super::bind::text_of(&grain("osfinger")), super::bind::text_of(&grain("oscodename"))),
            "machine": grain("cpuarch"),
            "release": grain("kernelrelease"),
            "system": grain("kernel"),
        },
    })
}

fn report(context: &Context<'_>) -> String {
    let mut text = String::new();
    for (title, rows) in versions(context).as_object().into_iter().flatten() {
        text += &format!("{title}:\n");
        for (name, value) in rows.as_object().into_iter().flatten() {
            text += &format!("{name:>16}: {}\n", super::bind::text_of(value));
        }
        text += "\n";
    }
    text.trim_end().to_owned()
}

fn random_hash(function: &'static str, args: Args) -> Result<Value, CallError> {
    static PARAMS: &[states::call::Param] = &[with("size", "9999999999"), with("hash_type", "None")];
    let bound = bind(function, PARAMS, args)?;
    let size = bound.integer("size")?.unwrap_or(9_999_999_999).max(1);
    let number = rand::rng().random_range(1..=size).to_string();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    match bound.text("hash_type")?.as_deref() {
        None | Some("sha256") => Ok(hex(&sha2::Sha256::digest(number)).into()),
        Some("sha512") => Ok(hex(&sha2::Sha512::digest(number)).into()),
        Some("sha384") => Ok(hex(&sha2::Sha384::digest(number)).into()),
        Some("sha224") => Ok(hex(&sha2::Sha224::digest(number)).into()),
        Some(other) => Err(CallError::arguments(format!("{function}: hash_type {other} is not known; sha256 is"))),
    }
}

fn providers(context: &Context<'_>) -> Value {
    let mut modules: Vec<_> = context.functions.all().filter_map(|function| function.name.split('.').next()).collect();
    modules.sort_unstable();
    modules.into_iter().map(|module| (module.to_owned(), Value::from(module))).collect::<Map>().into()
}

fn try_(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    static PARAMS: &[states::call::Param] = &[need("module"), with("return_try_exception", "False"), NAMED];
    let bound = bind("test.try", PARAMS, args)?;
    let name: Result<FunctionName, _> = bound.need_text("module")?.parse();
    let called = name
        .map_err(|error| CallError::arguments(error.to_string()))
        .and_then(|name| context.call(&name, Args { positional: vec![], named: bound.named.clone() }));
    match called {
        Err(error) if bound.flag("return_try_exception", false) => Ok(error.to_string().into()),
        called => Ok(called.unwrap_or_default()),
    }
}

fn fib(args: Args) -> Result<Value, CallError> {
    let num = bind("test.fib", &[need("num")], args)?.integer("num")?.unwrap_or(0);
    if !(0..=93).contains(&num) {
        return Err(CallError::arguments("test.fib: 'num' must be between 0 and 93"));
    }
    let start = Instant::now();
    let (result, _) = (0..num).fold((0u64, 1u64), |(a, b), _| (b, a.saturating_add(b)));
    Ok(json!([result, start.elapsed().as_secs_f64()]))
}

fn collatz(args: Args) -> Result<Value, CallError> {
    let mut at = bind("test.collatz", &[need("start")], args)?.integer("start")?.unwrap_or(1);
    let begin = Instant::now();
    let mut steps = Vec::new();
    while at > 1 && steps.len() < 100_000 {
        steps.push(at);
        at = if at % 2 == 0 { at / 2 } else { at.saturating_mul(3).saturating_add(1) };
    }
    Ok(json!([steps, begin.elapsed().as_secs_f64()]))
}
