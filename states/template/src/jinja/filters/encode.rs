//! Filters that write and read formats, and hashes.

use sha2::Digest;

use super::{Table, string, wanted_text};
use crate::{
    jinja::{
        Error, Eval,
        ast::Load,
        convert, error,
        imports::Module,
        object::Args,
        pprint,
        value::{Key, Value},
    },
    json,
    yaml::{self, Style},
};

pub const TABLE: Table = &[
    ("yaml", |_, v, a| yaml_text(&v, a.truth_or(0, "flow_style", true)?).map(Value::from)),
    ("json", |_, v, a| {
        let indent = indent(a.get(1, "indent"))?;
        Ok(json::python(&convert::to_value(&v)?, a.truth_or(0, "sort_keys", true)?, indent.as_deref()).into())
    }),
    ("tojson", |_, v, a| {
        let indent = indent(a.get(0, "indent"))?;
        let sort = a.named.get("sort_keys").map_or(Ok(false), Value::truth)?;
        let text = json::python_ascii(&convert::to_value(&v)?, sort, indent.as_deref());
        let safe =
            text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026").replace('\'', "\\u0027");
        Ok(safe.into())
    }),
    ("python", |_, v, _| Ok(pprint::pformat(v.check()?).trim().into())),
    ("xml", |_, v, _| super::xml::document(&v).map(Value::from)),
    ("load_yaml", |e, v, _| load(e, &v, Load::Yaml)),
    ("load_json", |e, v, _| load(e, &v, Load::Json)),
    ("load_text", |e, v, _| load(e, &v, Load::Text)),
    ("dict_to_sls_yaml_params", |_, v, a| {
        let Value::Dict(dict) = v.check()? else { return error("dict_to_sls_yaml_params needs a dict") };
        let single = |(key, value): (&Key, &Value)| Value::dict([(key.clone(), value.clone())].into_iter().collect());
        let list = Value::list(dict.borrow().iter().map(single).collect());
        yaml_text(&list, a.truth_or(0, "flow_style", false)?).map(Value::from)
    }),
    ("yaml_dquote", |_, v, _| Ok(yaml::double_quoted_ascii(&string(&v)?).into())),
    ("yaml_squote", |_, v, _| Ok(yaml::single_quoted(&string(&v)?).into())),
    ("yaml_encode", |_, v, _| match v.check()? {
        Value::Str(text) => Ok(yaml::double_quoted_ascii(text).into()),
        Value::List(_) | Value::Dict(_) | Value::Tuple(_) => error("yaml_encode works on single values only"),
        other => Ok(yaml::emit(&convert::to_value(other)?).trim_end().into()),
    }),
    ("base64_encode", |_, v, _| Ok(crate::base64::encode(string(&v)?.as_bytes()).into())),
    ("base64_decode", |_, v, _| match crate::base64::decode(&string(&v)?) {
        Some(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned().into()),
        None => error("this is not base64"),
    }),
    ("md5", |_, v, _| Ok(hex(&md5::Md5::digest(wanted_text(&v)?)).into())),
    ("sha1", |_, v, _| Ok(hex(&sha1::Sha1::digest(wanted_text(&v)?)).into())),
    ("sha256", |_, v, _| Ok(hex(&sha2::Sha256::digest(wanted_text(&v)?)).into())),
    ("sha512", |_, v, _| Ok(hex(&sha2::Sha512::digest(wanted_text(&v)?)).into())),
    ("hmac_compute", |_, v, a| Ok(hex(&hmac(&string(&v)?, a.text(0, "shared_secret")?)).into())),
    ("hmac", |_, v, a| {
        let ours = crate::base64::encode(&hmac(&string(&v)?, a.text(0, "shared_secret")?));
        Ok(Value::Bool(ours == a.text(1, "challenge_hmac")?))
    }),
    ("random_hash", |_, v, a| random_hash(&v, a)),
    ("rand_str", |_, v, a| random_hash(&v, a)),
    ("random_str", |_, v, _| {
        let size = usize::try_from(v.as_int().unwrap_or(32)).unwrap_or(32).min(65_536);
        let bytes: Vec<u8> = (0..size).map(|_| rand::random()).collect();
        Ok(crate::base64::encode(&bytes)[..size].into())
    }),
    ("uuid", |_, v, _| Ok(uuid5(&string(&v)?).into())),
    ("file_hashsum", |e, v, a| {
        let bytes = read(e, &v)?;
        Ok(match a.text_or(0, "form", "sha256")? {
            "md5" => hex(&md5::Md5::digest(&bytes)),
            "sha1" => hex(&sha1::Sha1::digest(&bytes)),
            "sha256" => hex(&sha2::Sha256::digest(&bytes)),
            "sha384" => hex(&sha2::Sha384::digest(&bytes)),
            "sha512" => hex(&sha2::Sha512::digest(&bytes)),
            other => return error(format!("the hash '{other}' is not known")),
        }
        .into())
    }),
    ("is_empty", |e, v, _| Ok(Value::Bool(size(e, &v) == Some(0)))),
    ("is_text_file", |e, v, _| Ok(Value::Bool(read(e, &v).is_ok_and(|bytes| is_text(&bytes))))),
    ("is_bin_file", |e, v, _| Ok(Value::Bool(read(e, &v).is_ok_and(|bytes| !is_text(&bytes))))),
    ("list_files", |e, v, _| list_files(e, &string(&v)?)),
];

fn yaml_text(value: &Value, flow: bool) -> Result<String, Error> {
    let style = Style { flow, sort_keys: true, ..Style::default() };
    Ok(yaml::emit_styled(&convert::to_value(value)?, style).trim().to_owned())
}

fn indent(value: Option<&Value>) -> Result<Option<String>, Error> {
    Ok(match value {
        None | Some(Value::None) => None,
        Some(Value::Str(text)) => Some(text.to_string()),
        Some(value) => match value.as_int().and_then(|n| usize::try_from(n).ok()) {
            Some(n) if n <= 64 => Some(" ".repeat(n)),
            _ => return error("indent must be a small number"),
        },
    })
}

fn load(eval: &mut Eval<'_>, value: &Value, load: Load) -> Result<Value, Error> {
    let module = match value.check()? {
        Value::Object(object) => object.any().downcast_ref::<Module>(),
        _ => None,
    };
    match (module, value) {
        (Some(module), _) => eval.load(load, &module.body, &module.name),
        (None, Value::Str(text)) => eval.load(load, text, "text given to a load filter"),
        (None, other) if load == Load::Text => Ok(other.clone()),
        (None, other) => error(format!("only text can be loaded, not {}", other.described())),
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// HMAC with SHA-256.
fn hmac(text: &str, secret: &str) -> Vec<u8> {
    let mut key = secret.as_bytes().to_vec();
    if key.len() > 64 {
        key = sha2::Sha256::digest(&key).to_vec();
    }
    key.resize(64, 0);
    let padded = |with: u8| key.iter().map(|byte| byte ^ with).collect::<Vec<u8>>();
    let inner = sha2::Sha256::digest([padded(0x36), text.as_bytes().to_vec()].concat());
    sha2::Sha256::digest([padded(0x5c), inner.to_vec()].concat()).to_vec()
}

fn random_hash(value: &Value, args: &Args) -> Result<Value, Error> {
    let _ = value;
    let number: u64 = rand::random();
    let text = number.to_string();
    Ok(match args.text_or(0, "hash_type", "md5")? {
        "sha1" => hex(&sha1::Sha1::digest(text)),
        "sha256" => hex(&sha2::Sha256::digest(text)),
        "sha512" => hex(&sha2::Sha512::digest(text)),
        _ => hex(&md5::Md5::digest(text)),
    }
    .into())
}

/// Salt's namespace for its `uuid` filter.
const NAMESPACE: [u8; 16] =
    [0x91, 0x63, 0x3e, 0xbf, 0x1c, 0x86, 0x5e, 0x33, 0x93, 0x5a, 0x28, 0x06, 0x1f, 0x4b, 0x48, 0x0e];

fn uuid5(text: &str) -> String {
    let digest = sha1::Sha1::digest([&NAMESPACE, text.as_bytes()].concat());
    let mut bytes = digest[..16].to_vec();
    bytes[6] = bytes[6] & 0x0f | 0x50;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits = hex(&bytes);
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}

const FILE: u64 = 64 * 1024 * 1024;

fn read(eval: &Eval<'_>, path: &Value) -> Result<Vec<u8>, Error> {
    let path = string(path)?;
    match eval.look().read(path.as_ref(), FILE) {
        Ok(bytes) => Ok(bytes),
        Err(why) => error(format!("{path} cannot be read: {why}")),
    }
}

fn size(eval: &Eval<'_>, path: &Value) -> Option<u64> {
    eval.look().stat(path.as_str()?.as_ref()).ok().map(|stat| stat.size)
}

fn is_text(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(512)];
    !start.contains(&0) && std::str::from_utf8(bytes).is_ok()
}

fn list_files(eval: &Eval<'_>, root: &str) -> Result<Value, Error> {
    let mut found = vec![root.to_owned()];
    let mut at = 0;
    while at < found.len() && found.len() < 100_000 {
        for name in eval.look().list(found[at].as_ref()).unwrap_or_default() {
            found.push(format!("{}/{name}", found[at].trim_end_matches('/')));
        }
        at += 1;
    }
    Ok(Value::list(found.into_iter().map(Value::from).collect()))
}
