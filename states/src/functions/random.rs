//! `random.*`: passwords, hashes and chance. What is to be kept once it was made is kept by the
//! state that writes it: `file.managed` with `replace: False`, or `grains.get_or_set_hash` in Salt.

use proto::{Args, Value};
use rand::RngExt;

use super::{args::Given, args::truth, need, opt};
use crate::{
    CallError, Context, Effect, Function,
    python_random::Random,
    resource::{crypt, digest},
    value,
};

pub const TABLE: &[Function] = &[
    Function {
        name: "random.get_str",
        doc: "Makes a password of random letters.\n\nctl run '*' random.get_str 32 punctuation=False",
        params: &[
            opt("length", "20"),
            opt("chars", "None"),
            opt("lowercase", "True"),
            opt("uppercase", "True"),
            opt("digits", "True"),
            opt("punctuation", "True"),
            opt("whitespace", "False"),
            opt("printable", "False"),
        ],
        effect: Effect::Reads,
        call: get_str,
    },
    Function {
        name: "random.hash",
        doc: "Gives the digest of a text.\n\nctl run '*' random.hash 'a text' sha256",
        params: &[need("value"), opt("algorithm", "'sha512'")],
        effect: Effect::Reads,
        call: hash,
    },
    Function {
        name: "random.str_encode",
        doc: "Encodes a text.\n\nctl run '*' random.str_encode 'a text' base64",
        params: &[need("value"), opt("encoder", "'base64'")],
        effect: Effect::Reads,
        call: str_encode,
    },
    Function {
        name: "random.shadow_hash",
        doc: "Makes a hash of a password as `/etc/shadow` holds it.\n\nctl run '*' random.shadow_hash password=secret",
        params: &[opt("crypt_salt", "None"), opt("password", "None"), opt("algorithm", "'sha512'")],
        effect: Effect::Reads,
        call: shadow_hash,
    },
    Function {
        name: "random.rand_int",
        doc: "Gives a random number between two, both included.\n\nctl run '*' random.rand_int 1 60",
        params: &[opt("start", "1"), opt("end", "10"), opt("seed", "None")],
        effect: Effect::Reads,
        call: rand_int,
    },
    Function {
        name: "random.seed",
        doc: "Gives a number below another that is always the same for a minion.\n\nctl run '*' random.seed 60",
        params: &[opt("range", "10"), opt("hash", "None")],
        effect: Effect::Reads,
        call: seed,
    },
    Function {
        name: "random.sample",
        doc: "Picks some of a list by chance.\n\nctl run '*' random.sample '[a, b, c]' 2",
        params: &[need("value"), need("size"), opt("seed", "None")],
        effect: Effect::Reads,
        call: |_, args| sample(&Given::new(&args, &["value", "size", "seed"]), true),
    },
    Function {
        name: "random.shuffle",
        doc: "Mixes a list by chance.\n\nctl run '*' random.shuffle '[a, b, c]'",
        params: &[need("value"), opt("seed", "None")],
        effect: Effect::Reads,
        call: |_, args| sample(&Given::new(&args, &["value", "seed"]), false),
    },
];

/// The longest password that is made.
const LONGEST: i64 = 1 << 20;
const PUNCTUATION: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
const WHITESPACE: &str = " \t\n\r\x0b\x0c";

fn int(given: &Given<'_>, name: &str, default: i64) -> Result<i64, CallError> {
    match given.get(name) {
        None | Some(Value::Null) => Ok(default),
        Some(Value::Number(number)) if number.is_i64() => Ok(number.as_i64().unwrap_or(default)),
        Some(other) => {
            let text = value::python_str(other);
            text.trim().parse().map_err(|_| CallError::arguments(format!("{name}: {text} is no number")))
        }
    }
}

fn get_str(_: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let names = ["length", "chars", "lowercase", "uppercase", "digits", "punctuation", "whitespace", "printable"];
    let given = Given::new(&args, &names);
    let length = int(&given, "length", 20)?.clamp(0, LONGEST);
    let mut letters = given.text_or("chars", "");
    let printable = given.flag("printable", false);
    if letters.is_empty() || printable {
        let lower: String = ('a'..='z').collect();
        let sets = [
            ("digits", true, "0123456789".to_owned()),
            ("lowercase", true, lower.clone()),
            ("uppercase", true, lower.to_uppercase()),
            ("punctuation", true, PUNCTUATION.to_owned()),
            ("whitespace", false, WHITESPACE.to_owned()),
        ];
        let wanted = sets.into_iter().filter(|(name, default, _)| printable || given.flag(name, *default));
        letters = wanted.map(|(_, _, set)| set).collect();
    }
    let letters: Vec<char> = letters.chars().collect();
    if letters.is_empty() {
        return Err(CallError::arguments("there is no character to make a text of"));
    }
    let mut random = rand::rng();
    let text: String = (0..length).map(|_| letters[random.random_range(0..letters.len())]).collect();
    Ok(Value::String(text))
}

fn hash(_: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let given = Given::new(&args, &["value", "algorithm"]);
    let algorithm = given.text_or("algorithm", "sha512");
    let digits = digest::digest(&algorithm, given.text("value")?.as_bytes());
    digits.map(Value::String).ok_or_else(|| CallError::arguments(format!("{algorithm}: no such algorithm here")))
}

fn str_encode(_: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let given = Given::new(&args, &["value", "encoder"]);
    let text = given.text("value")?;
    match given.text_or("encoder", "base64").as_str() {
        "base64" => Ok(template::base64::encode(text.as_bytes()).into()),
        "hex" => Ok(digest::hex(text.as_bytes()).into()),
        _ => Err(CallError::arguments("You must specify a valid encoder")),
    }
}

fn shadow_hash(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let given = Given::new(&args, &["crypt_salt", "password", "algorithm"]);
    let algorithm = given.text_or("algorithm", "sha512");
    let kind = crypt::Kind::parse(&algorithm).ok_or_else(|| {
        CallError::arguments(format!(
            "Cannot hash using '{algorithm}' hash algorithm: sha512 and sha256 are known here"
        ))
    })?;
    let password = match given.get("password").filter(|password| truth(password)) {
        Some(password) => value::python_str(password),
        None => value::python_str(&get_str(context, Args::default())?),
    };
    let salt = match given.text_or("crypt_salt", "") {
        empty if empty.is_empty() => crypt::salt(),
        salt => salt,
    };
    Ok(Value::String(crypt::hash(kind, &password, &salt)))
}

/// The generator of a seed: a number or a text; by chance without one.
fn seeded(seed: Option<&Value>) -> Option<Random> {
    match seed? {
        Value::Null => None,
        Value::Number(number) if number.is_i64() => number.as_i64().map(Random::of_int),
        other => Some(Random::of_text(&value::python_str(other))),
    }
}

fn rand_int(_: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let given = Given::new(&args, &["start", "end", "seed"]);
    let (start, end) = (int(&given, "start", 1)?, int(&given, "end", 10)?);
    let span = end.checked_sub(start).filter(|span| *span >= 0).and_then(|span| u64::try_from(span).ok());
    let Some(span) = span.and_then(|span| span.checked_add(1)) else {
        return Err(CallError::arguments(format!("there is no number from {start} to {end}")));
    };
    let drawn = match seeded(given.get("seed")) {
        Some(mut random) => random.below(span),
        None => rand::random_range(0..span),
    };
    Ok(start.saturating_add(i64::try_from(drawn).unwrap_or(i64::MAX)).into())
}

fn seed(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let given = Given::new(&args, &["range", "hash"]);
    let range = u64::try_from(int(&given, "range", 10)?).ok().filter(|range| *range > 0);
    let range = range.ok_or_else(|| CallError::arguments("range: a number above 0 is needed"))?;
    let mut random = seeded(given.get("hash")).unwrap_or_else(|| Random::of_text(context.id.as_str()));
    Ok(random.below(range).into())
}

fn sample(given: &Given<'_>, sized: bool) -> Result<Value, CallError> {
    let items: Vec<Value> = match given.need("value")? {
        Value::Array(items) => items.clone(),
        Value::String(text) => text.chars().map(|c| c.to_string().into()).collect(),
        _ => return Err(CallError::arguments("value: a list is needed")),
    };
    let count = if sized { usize::try_from(int(given, "size", 0)?).unwrap_or(usize::MAX) } else { items.len() };
    if count > items.len() {
        return Err(CallError::arguments("Sample larger than population or is negative"));
    }
    let mut random = seeded(given.get("seed")).unwrap_or_else(|| Random::of_int(rand::random()));
    let drawn = random.sample(items.len(), count);
    Ok(drawn.into_iter().filter_map(|at| items.get(at).cloned()).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{Memory, call};

    fn ask(name: &str, args: Args) -> Result<Value, CallError> {
        call(&Memory::new(json!({})), &[], json!({}), name, args).0
    }

    #[test]
    fn passwords_have_the_letters_that_are_asked_for() {
        let text = ask("random.get_str", Args::positional([40.into()]).with("punctuation", false)).unwrap();
        let text = text.as_str().unwrap().to_owned();
        assert!(text.len() == 40 && text.chars().all(|c| c.is_ascii_alphanumeric()), "{text}");
        assert_eq!(ask("random.get_str", Args::positional([3.into(), "x".into()])).unwrap(), json!("xxx"));
    }

    #[test]
    fn seeds_give_what_python_gives() {
        assert_eq!(
            ask("random.seed", Args::positional([10.into()])).unwrap(),
            ask("random.seed", Args::positional([10.into(), "m1".into()])).unwrap()
        );
        let args = Args::positional([1.into(), 100.into()]).with("seed", 42);
        assert_eq!(ask("random.rand_int", args).unwrap(), json!(82));
        assert!(ask("random.rand_int", Args::positional([5.into(), 1.into()])).is_err());
    }

    #[test]
    fn hashes_are_made() {
        let hash = ask("random.shadow_hash", Args::positional(["saltstring".into(), "Hello world!".into()])).unwrap();
        assert!(hash.as_str().unwrap().starts_with("$6$saltstring$svn8UoSV"), "{hash}");
        assert_eq!(
            ask("random.hash", Args::positional(["a".into(), "md5".into()])).unwrap(),
            json!("0cc175b9c0f1b6a831c399e269772661")
        );
        assert_eq!(ask("random.str_encode", Args::positional(["a b".into()])).unwrap(), json!("YSBi"));
    }
}
