//! `dig.*` and `dnsutil.*`: what the name servers say, asked with `dig`. Salt's `modules/dig.py` and
//! `modules/dnsutil.py`.

use std::net::IpAddr;

use proto::{Args, Value};

use super::{args::Given, need, opt};
use crate::{CallError, Context, Function, call::Param, resource::command};

const HOST: &[Param] = &[need("host"), opt("nameserver", "None")];
const DOMAIN: &[Param] = &[need("domain"), opt("resolve", "False"), opt("nameserver", "None")];
const NAMES: &[Param] = &[need("domain"), opt("resolve", "True"), opt("nameserver", "None")];

pub const TABLE: &[Function] = &[
    Function::reads(
        "dig.A",
        HOST,
        |c, a| addresses(c, &a, "A"),
        "Lists the IPv4 addresses of a name.\n\nctl run web1 dig.A example.org",
    ),
    Function::reads("dig.a", HOST, |c, a| addresses(c, &a, "A"), "As `dig.A`.\n\nctl run web1 dig.a example.org"),
    Function::reads(
        "dig.AAAA",
        HOST,
        |c, a| addresses(c, &a, "AAAA"),
        "Lists the IPv6 addresses of a name.\n\nctl run web1 dig.AAAA example.org",
    ),
    Function::reads(
        "dig.aaaa",
        HOST,
        |c, a| addresses(c, &a, "AAAA"),
        "As `dig.AAAA`.\n\nctl run web1 dig.aaaa example.org",
    ),
    Function::reads(
        "dig.CNAME",
        HOST,
        cname,
        "Gives the name that a name stands for.\n\nctl run web1 dig.CNAME www.example.org",
    ),
    Function::reads(
        "dig.TXT",
        HOST,
        |c, a| texts(c, &a, &["TXT"]),
        "Lists the texts of a name.\n\nctl run web1 dig.TXT example.org",
    ),
    Function::reads(
        "dig.PTR",
        HOST,
        |c, a| texts(c, &a, &["-x"]),
        "Lists the names of an address.\n\nctl run web1 dig.PTR 192.0.2.1",
    ),
    Function::reads(
        "dig.MX",
        DOMAIN,
        mx,
        "Lists the mail servers of a domain with their preference.\n\nctl run web1 dig.MX example.org",
    ),
    Function::reads(
        "dig.NS",
        NAMES,
        ns,
        "Lists the name servers of a domain by address, or by name with `resolve=False`.\n\nctl run web1 dig.NS example.org",
    ),
    Function::reads(
        "dig.check_ip",
        &[need("addr")],
        check_ip,
        "Tells whether this is an address, or one with the length of its network.\n\nctl run web1 dig.check_ip 10.0.0.1/8",
    ),
    Function::reads(
        "dnsutil.A",
        HOST,
        |c, a| addresses(c, &a, "A"),
        "As `dig.A`.\n\nctl run web1 dnsutil.A example.org",
    ),
    Function::reads(
        "dnsutil.AAAA",
        HOST,
        |c, a| addresses(c, &a, "AAAA"),
        "As `dig.AAAA`.\n\nctl run web1 dnsutil.AAAA example.org",
    ),
    Function::reads("dnsutil.MX", DOMAIN, mx, "As `dig.MX`.\n\nctl run web1 dnsutil.MX example.org"),
    Function::reads("dnsutil.NS", NAMES, ns, "As `dig.NS`.\n\nctl run web1 dnsutil.NS example.org"),
    Function::reads(
        "dnsutil.check_ip",
        &[need("addr")],
        check_ip,
        "As `dig.check_ip`.\n\nctl run web1 dnsutil.check_ip 10.0.0.1",
    ),
];

/// What `dig +short` prints of a name, line by line; none if it failed, as in Salt.
fn ask(
    context: &Context<'_>,
    name: &str,
    kind: &[&str],
    server: Option<&str>,
) -> Result<Option<Vec<String>>, CallError> {
    if context.look.which("dig").is_none() {
        return Err(CallError::failed("dig is not installed on this host"));
    }
    let server = server.map(|server| format!("@{server}"));
    let reversed = kind == ["-x"];
    let words: &[&str] = if reversed { &["-x", name] } else { &[name, kind.first().copied().unwrap_or("A")] };
    let argv: Vec<&str> = ["dig", "+short"].into_iter().chain(words.iter().copied()).chain(server.as_deref()).collect();
    let output = command::ask(context.look, &argv).map_err(|why| CallError::failed(why.to_string()))?;
    let lines = || command::text(&output.stdout).trim_end().split('\n').map(str::to_owned).collect();
    Ok((output.code == 0).then(lines))
}

fn server(args: &Given<'_>) -> Option<String> {
    args.get("nameserver").filter(|server| !server.is_null()).map(crate::value::python_str)
}

fn of_host(context: &Context<'_>, args: &Args, kind: &[&str]) -> Result<Option<Vec<String>>, CallError> {
    let given = Given::new(args, &["host", "nameserver"]);
    ask(context, &given.text("host")?, kind, server(&given).as_deref())
}

fn addresses(context: &Context<'_>, args: &Args, kind: &str) -> Result<Value, CallError> {
    Ok(only_addresses(of_host(context, args, &[kind])?).collect())
}

/// Without the names on the way to them.
fn only_addresses(lines: Option<Vec<String>>) -> impl Iterator<Item = String> {
    lines.into_iter().flatten().filter(|line| is_ip(line))
}

fn texts(context: &Context<'_>, args: &Args, kind: &[&str]) -> Result<Value, CallError> {
    Ok(of_host(context, args, kind)?.unwrap_or_default().into_iter().collect())
}

fn cname(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    Ok(of_host(context, &args, &["CNAME"])?.map_or_else(|| Value::Array(Vec::new()), |lines| lines.join("\n").into()))
}

fn addresses_of(
    context: &Context<'_>,
    name: &str,
    server: Option<&str>,
) -> Result<impl Iterator<Item = String> + use<>, CallError> {
    ask(context, name, &["A"], server).map(only_addresses)
}

fn mx(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let given = Given::new(&args, &["domain", "resolve", "nameserver"]);
    let server = server(&given);
    let Some(lines) = ask(context, &given.text("domain")?, &["MX"], server.as_deref())? else {
        return Ok(Value::Array(Vec::new()));
    };
    let mut all = Vec::new();
    for line in lines {
        let mut words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        if let (true, Some(name)) = (given.flag("resolve", false), words.get_mut(1)) {
            *name = addresses_of(context, name, server.as_deref())?.next().unwrap_or_default();
        }
        all.push(words.into_iter().collect());
    }
    Ok(Value::Array(all))
}

fn ns(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let given = Given::new(&args, &["domain", "resolve", "nameserver"]);
    let server = server(&given);
    let names = ask(context, &given.text("domain")?, &["NS"], server.as_deref())?.unwrap_or_default();
    if !given.flag("resolve", true) {
        return Ok(names.into_iter().collect());
    }
    let mut found: Vec<String> = Vec::new();
    for name in names {
        found.extend(addresses_of(context, &name, server.as_deref())?);
    }
    Ok(found.into_iter().collect())
}

fn check_ip(_: &Context<'_>, args: Args) -> Result<Value, CallError> {
    Ok(Given::new(&args, &["addr"]).get("addr").and_then(Value::as_str).is_some_and(is_ip).into())
}

/// Salt takes the length of a network too: 1 to 32, or 8 to 128.
fn is_ip(text: &str) -> bool {
    let (address, length) = text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
    let fits =
        |least: u8, most: u8| length.is_none_or(|text| text.parse().is_ok_and(|n: u8| (least..=most).contains(&n)));
    match address.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) => fits(1, 32),
        Ok(IpAddr::V6(_)) => fits(8, 128),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{Memory, call, said};

    fn asked(host: &Memory, function: &str, args: &[&str]) -> Value {
        let args = Args::positional(args.iter().map(|arg| Value::from(*arg)));
        call(host, &[], json!({}), function, args).0.unwrap()
    }

    #[test]
    fn answers_are_what_dig_prints() {
        let host = Memory::new(json!({})).with(&[("/usr/bin/dig", "")]).answer(|_, line| match line {
            "dig +short web A" => said("front.example.\n192.0.2.7\n"),
            "dig +short web A @192.0.2.1" => said("192.0.2.8\n"),
            "dig +short mail MX" => said("10 web\n"),
            "dig +short -x 192.0.2.7" => said("web.\n"),
            _ => said(""),
        });
        assert_eq!(asked(&host, "dig.A", &["web"]), json!(["192.0.2.7"]), "names on the way are left out");
        assert_eq!(asked(&host, "dnsutil.A", &["web", "192.0.2.1"]), json!(["192.0.2.8"]));
        assert_eq!(asked(&host, "dig.AAAA", &["nobody"]), json!([]));
        assert_eq!(asked(&host, "dig.MX", &["mail"]), json!([["10", "web"]]));
        assert_eq!(asked(&host, "dig.PTR", &["192.0.2.7"]), json!(["web."]));
    }

    #[test]
    fn addresses_and_their_networks() {
        for (text, right) in [
            ("10.0.0.1", true),
            ("10.0.0.1/8", true),
            ("10.0.0.1/0", false),
            ("::1/64", true),
            ("::1/4", false),
            ("web", false),
        ] {
            assert_eq!(is_ip(text), right, "{text}");
        }
    }
}
