//! `hashutil.*`: digests and base64 of texts. Salt's `modules/hashutil.py`.

use std::path::Path;

use proto::{Args, Value};

use super::{args::Given, need, opt};
use crate::{
    CallError, Context, Function, base64,
    call::Param,
    resource::{digest, files::LIMIT},
};

const TEXT: &[Param] = &[need("instr")];

pub const TABLE: &[Function] = &[
    Function::reads(
        "hashutil.digest",
        &[need("instr"), opt("checksum", "md5")],
        digested,
        "Gives the md5, sha256 or sha512 of a text.\n\nctl run web1 hashutil.digest hello sha256",
    ),
    Function::reads(
        "hashutil.digest_file",
        &[need("infile"), opt("checksum", "md5")],
        digested_file,
        "Gives the md5, sha256 or sha512 of a file.\n\nctl run web1 hashutil.digest_file /etc/hosts",
    ),
    Function::reads(
        "hashutil.md5_digest",
        TEXT,
        |_, a| of_text(&a, "md5"),
        "Gives the md5 of a text.\n\nctl run web1 hashutil.md5_digest hello",
    ),
    Function::reads(
        "hashutil.sha256_digest",
        TEXT,
        |_, a| of_text(&a, "sha256"),
        "Gives the sha256 of a text.\n\nctl run web1 hashutil.sha256_digest hello",
    ),
    Function::reads(
        "hashutil.sha512_digest",
        TEXT,
        |_, a| of_text(&a, "sha512"),
        "Gives the sha512 of a text.\n\nctl run web1 hashutil.sha512_digest hello",
    ),
    Function::reads(
        "hashutil.base64_b64encode",
        TEXT,
        |_, a| Ok(base64::encode(text(&a)?.as_bytes()).into()),
        "Gives a text in base64.\n\nctl run web1 hashutil.base64_b64encode hello",
    ),
    Function::reads(
        "hashutil.base64_b64decode",
        TEXT,
        decoded,
        "Gives the text that is written in base64.\n\nctl run web1 hashutil.base64_b64decode aGVsbG8=",
    ),
    Function::reads(
        "hashutil.base64_encodestring",
        TEXT,
        |_, a| Ok(lines(text(&a)?.as_bytes()).into()),
        "Gives a text in base64, in lines of 76 letters.\n\nctl run web1 hashutil.base64_encodestring hello",
    ),
    Function::reads(
        "hashutil.base64_decodestring",
        TEXT,
        decoded,
        "As `hashutil.base64_b64decode`.\n\nctl run web1 hashutil.base64_decodestring aGVsbG8=",
    ),
    Function::reads(
        "hashutil.base64_encodefile",
        &[need("fname")],
        encoded_file,
        "Gives a file in base64, in lines of 76 letters.\n\nctl run web1 hashutil.base64_encodefile /etc/hosts",
    ),
];

fn text(args: &Args) -> Result<String, CallError> {
    Given::new(args, &["instr"]).text("instr")
}

fn of_text(args: &Args, kind: &str) -> Result<Value, CallError> {
    sum(text(args)?.as_bytes(), kind)
}

fn sum(bytes: &[u8], kind: &str) -> Result<Value, CallError> {
    let known = ["md5", "sha256", "sha512"].contains(&kind).then(|| digest::digest(kind, bytes)).flatten();
    known.map(Value::from).ok_or_else(|| CallError::failed(format!("Hash func '{kind}' is not supported.")))
}

fn digested(_: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let given = Given::new(&args, &["instr", "checksum"]);
    sum(given.text("instr")?.as_bytes(), &given.text_or("checksum", "md5"))
}

fn file(context: &Context<'_>, path: &str) -> Result<Vec<u8>, CallError> {
    context.look.read(Path::new(path), LIMIT).map_err(|_| CallError::failed(format!("File path '{path}' not found.")))
}

fn digested_file(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let given = Given::new(&args, &["infile", "checksum"]);
    sum(&file(context, &given.text("infile")?)?, &given.text_or("checksum", "md5"))
}

fn encoded_file(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    Ok(lines(&file(context, &Given::new(&args, &["fname"]).text("fname")?)?).into())
}

fn decoded(_: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let text = text(&args)?.replace(['\n', '\r', ' '], "");
    let bytes = base64::decode(&text).ok_or_else(|| CallError::failed("this is not base64"))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned().into())
}

/// As mail has it: lines of 76 letters, each with its end.
fn lines(bytes: &[u8]) -> String {
    const BYTES: usize = 57;
    bytes.chunks(BYTES).map(|piece| base64::encode(piece) + "\n").collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{Memory, call};

    #[test]
    fn texts_and_files() {
        let host = Memory::new(json!({})).with(&[("/f", "hello")]);
        let ask = |function: &str, args: &[&str]| {
            call(&host, &[], json!({}), function, Args::positional(args.iter().map(|arg| Value::from(*arg)))).0
        };
        let md5 = json!("5d41402abc4b2a76b9719d911017c592");
        for (function, args) in
            [("digest", &["hello"][..]), ("md5_digest", &["hello"]), ("digest_file", &["/f", "md5"])]
        {
            assert_eq!(ask(&format!("hashutil.{function}"), args).unwrap(), md5, "{function}");
        }
        assert!(ask("hashutil.digest", &["hello", "crc"]).is_err() && ask("hashutil.digest_file", &["/g"]).is_err());
        assert_eq!(ask("hashutil.base64_b64encode", &["hello"]).unwrap(), json!("aGVsbG8="));
        assert_eq!(ask("hashutil.base64_encodefile", &["/f"]).unwrap(), json!("aGVsbG8=\n"));
        let long = "x".repeat(100);
        let encoded = ask("hashutil.base64_encodestring", &[&long]).unwrap();
        assert_eq!(encoded.as_str().unwrap().lines().map(str::len).collect::<Vec<_>>(), [76, 60]);
        assert_eq!(ask("hashutil.base64_decodestring", &[encoded.as_str().unwrap()]).unwrap(), json!(long));
    }
}
