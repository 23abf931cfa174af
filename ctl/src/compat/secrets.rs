//! Pillar that is handed out by what a minion says of itself.
//!
//! Grains are a minion's own claims: one that says `role: db` gets what the top file gives to
//! `G@role:db`. As in Salt, that works; here it is pointed at where the data looks secret.

use std::collections::BTreeSet;

use states::{
    Context, Diagnostic, Tree,
    compile::Compiler,
    diag::{Place, Source},
    glob,
    yaml::Node,
};

/// Targets of the pillar's top file that go by a grain and give data that looks secret, and SLS
/// that choose such data by a grain. A top file that cannot be read gives nothing: compiling the
/// pillar says why.
pub fn leaks(context: &Context<'_>, roots: &dyn Tree) -> Vec<Diagnostic> {
    let within = Context { tree: roots, ..context.copy() };
    let mut compiler = Compiler::new(&within);
    let Ok(top) = compiler.top(None) else { return Vec::new() };
    let mut found = Vec::new();
    for (env, targets) in &top {
        let available = compiler.available(env);
        for (target, (_, data)) in targets.iter().filter(|(target, (_, data))| goes_by_grain(target, data)) {
            let given = names(data).flat_map(|name| available.iter().filter(move |sls| glob::matches(&name, sls)));
            let secrets = given.filter_map(|sls| Some((sls, secret_of(roots, env, sls)?)));
            found.extend(secrets.map(|(sls, secret)| by_target(target, data, sls, &secret)));
        }
        found.extend(available.iter().filter_map(|sls| by_condition(&source(roots, env, sls)?)));
    }
    found
}

const HINT: &str = "go by the minion's id, or by a grain that the master fixed: \
                    `ctl key accept ID --grain role=db`";

fn by_target(target: &str, data: &Node, sls: &str, secret: &Place) -> Diagnostic {
    let place = data.place();
    let text = &place.source.text;
    let line = text.lines().position(|line| line.trim_start().trim_matches(['\'', '"', ':']).starts_with(target));
    let place = line.map_or(place.clone(), |line| whole_line(&place.source, line));
    Diagnostic::new(format!("pillar {sls} is given out by a grain, and a minion may claim any grain"))
        .at(&place)
        .from("what looks like a secret stands in", Some(secret))
        .hint(HINT)
}

/// A condition on a grain in a file with a secret in it.
fn by_condition(source: &std::sync::Arc<Source>) -> Option<Diagnostic> {
    let asks = |line: &str| {
        let condition =
            ["{% if", "{%- if", "{% elif", "{%- elif"].iter().any(|word| line.trim_start().starts_with(word));
        condition && line.contains("grains") && !line.contains("grains.id") && !line.contains("grains['id']")
    };
    let line = source.text.lines().position(asks)?;
    let secret = secret_in(source)?;
    Some(
        Diagnostic::new("secret pillar hangs on a grain, and a minion may claim any grain")
            .at(&whole_line(source, line))
            .from("what looks like a secret stands in", Some(&secret))
            .hint(HINT),
    )
}

fn whole_line(source: &std::sync::Arc<Source>, index: usize) -> Place {
    let line = source.text.lines().nth(index).unwrap_or_default();
    let indent = line.chars().take_while(|c| c.is_whitespace()).count();
    let at = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Place::new(source, at(index + 1), at(indent + 1), at(line.trim().chars().count()))
}

/// Whether a target asks for something that only the minion itself says: grains, addresses.
fn goes_by_grain(target: &str, data: &Node) -> bool {
    let kind = data.as_seq().and_then(|items| items.iter().rev().find_map(|item| item.get("match")?.as_str()));
    match kind {
        Some("grain" | "grain_pcre" | "ipcidr") => true,
        None | Some("compound") => {
            let words = target.split([' ', '(', ')']);
            words.into_iter().any(|word| ["G@", "P@", "S@"].iter().any(|prefix| word.starts_with(prefix)))
        }
        Some(_) => false,
    }
}

fn names(data: &Node) -> impl Iterator<Item = String> {
    let listed = data.as_seq().unwrap_or(&[]).iter().filter_map(Node::as_str).map(str::to_owned);
    let single = data.as_str().map(str::to_owned);
    listed.chain(single).collect::<Vec<_>>().into_iter()
}

fn source(roots: &dyn Tree, env: &str, sls: &str) -> Option<std::sync::Arc<Source>> {
    let base = sls.replace('.', "/");
    [format!("{base}.sls"), format!("{base}/init.sls")].iter().find_map(|path| {
        let bytes = roots.read(env, path).ok().flatten()?;
        Some(Source::new(path, &String::from_utf8_lossy(&bytes)))
    })
}

/// The first secret in an SLS or in one that it includes.
fn secret_of(roots: &dyn Tree, env: &str, sls: &str) -> Option<Place> {
    let (mut seen, mut open) = (BTreeSet::new(), vec![sls.to_owned()]);
    while let Some(name) = open.pop() {
        let Some(source) = source(roots, env, &name).filter(|_| seen.insert(name.clone())) else { continue };
        if let Some(place) = secret_in(&source) {
            return Some(place);
        }
        open.extend(includes(&source.text));
    }
    None
}

/// The names beneath `include:`, read as plain lines: templates are not rendered here.
fn includes(text: &str) -> Vec<String> {
    let after = text.lines().skip_while(|line| line.trim_end() != "include:").skip(1);
    let items = after.map_while(|line| line.trim_start().strip_prefix("- "));
    items.map(|name| name.trim().trim_end_matches(':').trim_matches(['\'', '"']).to_owned()).collect()
}

const KEYS: [&str; 9] =
    ["password", "passwd", "secret", "token", "private_key", "privkey", "api_key", "apikey", "passphrase"];
const MARKS: [&str; 3] = [" PRIVATE KEY-----", "-----BEGIN PGP MESSAGE", "-----BEGIN AGE ENCRYPTED"];

fn secret_in(source: &std::sync::Arc<Source>) -> Option<Place> {
    source.text.lines().position(looks_secret).map(|line| whole_line(source, line))
}

fn looks_secret(line: &str) -> bool {
    let line = line.trim_start().trim_start_matches("- ");
    if line.starts_with('#') {
        return false;
    }
    let keyed = line.split_once(':').is_some_and(|(key, value)| {
        let value = value.trim();
        let key = key.to_ascii_lowercase();
        KEYS.iter().any(|word| key.contains(word))
            && !matches!(value, "" | "''" | "\"\"" | "null" | "~" | "false" | "true")
    });
    keyed || MARKS.iter().any(|mark| line.contains(mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_their_names() {
        for line in ["password: x", "  - db_password: 'x'", "api_key: |", "-----BEGIN RSA PRIVATE KEY-----"] {
            assert!(looks_secret(line), "{line}");
        }
        for line in ["# password: x", "password:", "user: x", "password_file_exists: true", "- password"] {
            assert!(!looks_secret(line), "{line}");
        }
    }

    #[test]
    fn grains_and_addresses_are_claims_and_ids_are_not() {
        let data = |text: &str| states::yaml::parse("t", text).unwrap();
        assert!(goes_by_grain("role:db", &data("[{match: grain}, a]")));
        assert!(goes_by_grain("G@role:db and web*", &data("[a]")));
        assert!(goes_by_grain("10.0.0.0/8", &data("[{match: ipcidr}, a]")));
        assert!(!goes_by_grain("web*", &data("[a]")));
        assert!(!goes_by_grain("E@web\\d", &data("[{match: compound}, a]")));
    }

    #[test]
    fn includes_are_followed() {
        assert_eq!(includes("a: 1\ninclude:\n  - one\n  - two.three:\nb: 2\n"), ["one", "two.three"]);
        assert!(includes("a: 1").is_empty());
    }
}
