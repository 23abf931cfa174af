//! `http.*`: one request to a web server, by way of `curl`. Salt's `modules/http.py`; also behind
//! the filter `http_query`.

use std::time::Duration;

use proto::{Map, Value};
use states::{CallError, Command, Context, Function, Output, yaml};

use super::bind::{Bound, need, row, text_of, with};

/// Stands between the body and what curl tells of the answer.
const MARK: &str = "\n--overstate-end-of-body\n";

pub static TABLE: &[Function] = &[row!(
    "http.query",
    Runs,
    [
        need("url"),
        with("method", "'GET'"),
        with("params", "None"),
        with("data", "None"),
        with("header_dict", "None"),
        with("header_list", "None"),
        with("username", "None"),
        with("password", "None"),
        with("decode", "False"),
        with("decode_type", "'auto'"),
        with("status", "False"),
        with("headers", "False"),
        with("text", "False"),
        with("verify_ssl", "True"),
        with("ca_bundle", "None"),
    ],
    query,
    "Asks a web server and gives `body`, and with `status`, `headers`, `text` or `decode` these as well; `decode`
puts what the JSON or YAML of the body says into `dict`. A server that refuses, or that is not there, is told in `error`.
An answer is cut at 16 MiB.

    ctl run web1 http.query http://localhost/health status=True"
)];

fn query(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let patience = context.opts.get("http_request_timeout").and_then(Value::as_u64).unwrap_or(3600);
    let command = Command {
        argv: ["curl", "--config", "-"].map(str::to_owned).to_vec(),
        // Not as arguments: whoever lists the processes would read passwords.
        stdin: Some(request(bound, patience)?.into_bytes()),
        timeout: Some(Duration::from_secs(patience + 5)),
        ..Command::default()
    };
    let output = context.look.probe(&command).map_err(|why| CallError::failed(format!("curl cannot be run: {why}")))?;
    Ok(answer(&output, bound)?.into())
}

/// The request in the words of curl's configuration file.
fn request(bound: &Bound, patience: u64) -> Result<String, CallError> {
    let mut lines = vec!["silent".to_owned(), "show-error".into(), "location".into(), format!("max-time = {patience}")];
    let mut set = |key: &str, value: &str| lines.push(format!("{key} = {}", quoted(value)));
    set("url", &address(bound)?);
    set("proto", "=http,https");
    set("write-out", &format!("{MARK}%{{http_code}}\n%{{header_json}}"));
    match bound.text("method")?.unwrap_or_default().as_str() {
        "" | "GET" => {}
        method => set("request", method),
    }
    if let Some(data) = bound.text("data")? {
        // A leading `@` would name a file.
        set("data-raw", &data);
    }
    for header in headers(bound) {
        set("header", &header);
    }
    if let Some(name) = bound.text("username")? {
        set("user", &format!("{name}:{}", bound.text("password")?.unwrap_or_default()));
    }
    if let Some(bundle) = bound.text("ca_bundle")? {
        set("cacert", &bundle);
    }
    if !bound.flag("verify_ssl", true) {
        lines.push("insecure".into());
    }
    Ok(lines.join("\n"))
}

/// The address with `params` behind it.
fn address(bound: &Bound) -> Result<String, CallError> {
    let url = bound.need_text("url")?;
    if !["http://", "https://"].iter().any(|scheme| url.starts_with(scheme)) {
        return Err(CallError::arguments(format!("{url} is not an address of http or https")));
    }
    let Some(Value::Object(params)) = bound.value("params") else { return Ok(url) };
    let pairs: Vec<String> =
        params.iter().map(|(key, value)| format!("{}={}", encoded(key), encoded(&text_of(value)))).collect();
    let joint = if url.contains('?') { '&' } else { '?' };
    Ok(if pairs.is_empty() { url } else { format!("{url}{joint}{}", pairs.join("&")) })
}

fn headers(bound: &Bound) -> Vec<String> {
    let listed = match bound.value("header_list") {
        Some(Value::Array(lines)) => lines.iter().map(text_of).collect(),
        _ => Vec::new(),
    };
    let named = bound.value("header_dict").and_then(Value::as_object).into_iter().flatten();
    named.map(|(name, value)| format!("{name}: {}", text_of(value))).chain(listed).collect()
}

/// RFC 3986: all but the unreserved characters.
fn encoded(text: &str) -> String {
    let of = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(of).collect()
}

/// A value as curl's configuration wants it; nothing in it can begin another line.
fn quoted(value: &str) -> String {
    let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", escaped.replace('\n', "\\n").replace('\r', "\\r").replace('\t', "\\t"))
}

fn answer(output: &Output, bound: &Bound) -> Result<Map, CallError> {
    let said = String::from_utf8_lossy(&output.stdout);
    let (body, told) = said.rsplit_once(MARK).unwrap_or((&said, ""));
    let (code, header_json) = told.split_once('\n').unwrap_or(("0", "{}"));
    let code: u32 = code.trim().parse().unwrap_or(0);
    let mut answer = Map::new();
    if output.code != 0 {
        let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Ok([("status".to_owned(), Value::from(0)), ("error".into(), why.into())].into_iter().collect());
    }
    answer.insert("body".into(), body.into());
    if code >= 400 {
        answer.insert("status".into(), code.into());
        answer.insert("error".into(), format!("HTTP {code}").into());
        return Ok(answer);
    }
    if bound.flag("status", false) {
        answer.insert("status".into(), code.into());
    }
    if bound.flag("headers", false) {
        let headers = serde_json::from_str(header_json).unwrap_or_else(|_| Value::Object(Map::new()));
        answer.insert("headers".into(), headers);
    }
    if bound.flag("decode", false) {
        answer.insert("dict".into(), decoded(body, header_json, bound)?);
    }
    if bound.flag("text", false) {
        answer.insert("text".into(), body.into());
    }
    Ok(answer)
}

/// The body as a value, by `decode_type` or by what the server says that it is.
fn decoded(body: &str, header_json: &str, bound: &Bound) -> Result<Value, CallError> {
    let kind = bound.text("decode_type")?.unwrap_or_default();
    let kind = match kind.as_str() {
        "auto" | "" if header_json.contains("json") => "json",
        "auto" | "" if header_json.contains("yaml") => "yaml",
        "auto" | "" => "plain",
        kind => kind,
    };
    match kind {
        "json" => serde_json::from_str(body).map_err(|why| CallError::failed(format!("the answer is not JSON: {why}"))),
        "yaml" => yaml::parse("answer", body)
            .map(|node| yaml::to_value(&node))
            .map_err(|why| CallError::Diagnostic(Box::new(why))),
        "plain" => Ok(body.into()),
        other => Err(CallError::arguments(format!("decode_type {other} is not available; json, yaml and plain are"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_cannot_leave_its_line() {
        assert_eq!(quoted("a\"b\\c\nurl = x"), r#""a\"b\\c\nurl = x""#);
        assert_eq!(encoded("a b&c=ü"), "a%20b%26c%3D%C3%BC");
    }
}
