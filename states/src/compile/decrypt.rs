//! Encrypted values: the renderers `gpg` and `age`, and `decrypt_pillar`.
//!
//! The programs of these names decrypt, since their keys are theirs to keep. As in Salt, every
//! armoured message in a text or in any value of data is replaced by what it holds.

use std::path::Path;

use proto::{Map, Value};

use crate::{
    Command, Context, Diagnostic, merge, value,
    yaml::{Data, Node},
};

/// The renderers of this file.
pub const NAMES: [&str; 2] = ["gpg", "age"];

struct Scheme {
    begin: &'static str,
    end: &'static str,
}

fn scheme(name: &str) -> Scheme {
    match name {
        "age" => Scheme { begin: "-----BEGIN AGE ENCRYPTED FILE-----", end: "-----END AGE ENCRYPTED FILE-----" },
        _ => Scheme { begin: "-----BEGIN PGP MESSAGE-----", end: "-----END PGP MESSAGE-----" },
    }
}

/// The text with its messages decrypted. Line ends behind a decrypted one go, as in Salt.
pub fn text(context: &Context<'_>, name: &str, text: &str) -> Result<String, Box<Diagnostic>> {
    let Scheme { begin, end } = scheme(name);
    let mut out = String::new();
    let mut rest = text;
    let mut found = false;
    while let Some(start) = rest.find(begin) {
        let Some(length) = rest[start..].find(end).map(|at| at + end.len()) else { break };
        out.push_str(&rest[..start]);
        let message = rest[start..start + length].replace("\\n", "\n");
        out.push_str(&message_text(context, name, &message)?);
        rest = &rest[start + length..];
        found = true;
    }
    out.push_str(rest);
    Ok(if found { out.trim_end_matches('\n').to_owned() } else { out })
}

/// All strings of a node decrypted, keys excepted.
pub fn node(context: &Context<'_>, name: &str, node: &Node) -> Result<Node, Box<Diagnostic>> {
    let data = match &node.data {
        Data::Str(old) if old.contains(scheme(name).begin) => {
            Data::Str(text(context, name, old).map_err(|why| Box::new(why.at(&node.place())))?.into())
        }
        Data::Seq(items) => {
            let items: Result<Vec<Node>, _> = items.iter().map(|item| self::node(context, name, item)).collect();
            Data::Seq(items?.into())
        }
        Data::Map(pairs) => {
            let pair = |(key, value): &(Node, Node)| Ok((key.clone(), self::node(context, name, value)?));
            Data::Map(pairs.iter().map(pair).collect::<Result<Vec<_>, Box<Diagnostic>>>()?.into())
        }
        _ => return Ok(node.clone()),
    };
    Ok(Node { data, ..node.clone() })
}

fn message_text(context: &Context<'_>, name: &str, message: &str) -> Result<String, Box<Diagnostic>> {
    let command = match name {
        "age" => age(context)?,
        _ => gpg(context),
    };
    let argv: Vec<String> = command.iter().map(ToString::to_string).collect();
    let run = Command { argv, stdin: Some(format!("{message}\n").into_bytes()), ..Command::default() };
    let output = context.look.probe(&run).map_err(|why| {
        Diagnostic::new(format!("{name} cannot be started: {why}")).hint(format!("install the program {name}"))
    })?;
    if output.code != 0 || output.stdout.is_empty() {
        let must = context.opts.get("gpg_decrypt_must_succeed").and_then(Value::as_bool).unwrap_or(true);
        if name == "gpg" && !must {
            return Ok(message.to_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().rfind(|line| !line.starts_with("[GNUPG:]")).unwrap_or("").trim().to_owned();
        return Err(Box::new(
            Diagnostic::new(format!("a value could not be decrypted with {name}: {last}")).hint(key_hint(name)),
        ));
    }
    let plain = String::from_utf8(output.stdout);
    plain.map_err(|_| Box::new(Diagnostic::new(format!("what {name} decrypted is not text in UTF-8"))))
}

fn key_hint(name: &str) -> &'static str {
    match name {
        "age" => "the file of `age_identity` must hold the key that it was encrypted for",
        _ => "the folder of `gpg_keydir` must hold the key that it was encrypted for",
    }
}

fn setting(context: &Context<'_>, key: &str) -> Option<String> {
    context.opts.get(key).and_then(Value::as_str).map(str::to_owned)
}

fn gpg(context: &Context<'_>) -> Vec<String> {
    let beside = || {
        let dir = setting(context, "config_dir").or_else(|| {
            let file = setting(context, "conf_file")?;
            Some(Path::new(&file).parent()?.to_string_lossy().into_owned())
        });
        format!("{}/gpgkeys", dir.unwrap_or_else(|| "/etc/overstate".into()))
    };
    let keys = setting(context, "gpg_keydir").unwrap_or_else(beside);
    ["gpg", "--homedir", &keys, "--status-fd", "2", "--no-tty", "-d"].map(str::to_owned).to_vec()
}

fn age(context: &Context<'_>) -> Result<Vec<String>, Box<Diagnostic>> {
    let Some(file) = setting(context, "age_identity") else {
        let why = Diagnostic::new("there is no age_identity in the configuration");
        return Err(Box::new(why.hint("set `age_identity` to the file that age-keygen wrote")));
    };
    Ok(["age", "--decrypt", "--identity", &file].map(str::to_owned).to_vec())
}

/// `decrypt_pillar`: decrypts the values beneath the keys that the configuration names.
pub fn pillar(context: &Context<'_>, data: &mut Map) -> Vec<Diagnostic> {
    let delimiter = setting(context, "decrypt_pillar_delimiter").unwrap_or_else(|| ":".into());
    let default = setting(context, "decrypt_pillar_default").unwrap_or_else(|| "gpg".into());
    let mut errors = Vec::new();
    for (key, renderer) in decrypted_keys(context.opts.get("decrypt_pillar")) {
        let renderer = renderer.unwrap_or_else(|| default.clone());
        if !NAMES.contains(&renderer.as_str()) {
            errors.push(Diagnostic::new(format!("decrypt_pillar: the renderer {renderer} does not decrypt")));
            continue;
        }
        let Some(found) = merge::traverse_map_mut(data, &key, &delimiter) else { continue };
        if let Err(why) = in_place(context, &renderer, found) {
            errors.push(why.from(format!("while decrypting the pillar's {key}"), None));
        }
    }
    errors
}

/// A list of keys, of `key: renderer`, or a mapping of such.
fn decrypted_keys(option: Option<&Value>) -> Vec<(String, Option<String>)> {
    let pairs = |map: &Map| -> Vec<(String, Option<String>)> {
        map.iter().map(|(key, renderer)| (key.clone(), renderer.as_str().map(str::to_owned))).collect()
    };
    match option {
        Some(Value::Object(map)) => pairs(map),
        Some(Value::Array(items)) => items
            .iter()
            .flat_map(|item| match item {
                Value::Object(map) => pairs(map),
                other => vec![(value::python_str(other), None)],
            })
            .collect(),
        _ => Vec::new(),
    }
}

fn in_place(context: &Context<'_>, name: &str, value: &mut Value) -> Result<(), Diagnostic> {
    match value {
        Value::String(old) if old.contains(scheme(name).begin) => {
            *old = text(context, name, old).map_err(|why| *why)?
        }
        Value::Array(items) => items.iter_mut().try_for_each(|item| in_place(context, name, item))?,
        Value::Object(map) => map.values_mut().try_for_each(|item| in_place(context, name, item))?,
        _ => {}
    }
    Ok(())
}
