//! `ctl operator …`: who may give orders, by their keys.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use clap::Subcommand;
use proto::{
    OperatorName,
    message::{OperatorEntry, Query, Rule},
    sign::{Identity, PublicKey},
};
use serde_json::json;

use super::changed;
use crate::{
    access,
    cli::Global,
    client::{Client, Reply, block_on},
    error::{Error, Exit, Outcome},
    output::{self, table::Table},
    term,
};

/// Decide who may give orders
///
///   ctl operator keygen                                    prints your public key
///   ctl operator add alice 3f0c… --allow 'test.*:web*'     on the master
///   ctl operator list
///   ctl operator revoke alice
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Keygen(Keygen),
    Add(Add),
    /// List operators and what they may do
    ///
    ///   ctl operator list
    ///   ctl operator list --out json
    #[command(verbatim_doc_comment)]
    List,
    Revoke(Revoke),
}

/// Make a key for yourself, and print the public half for the master's operator
///
///   ctl operator keygen
///   ctl operator keygen --key /etc/ci/operator.pem
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
struct Keygen {
    /// Where the secret half goes [default: operator.pem beside your `ctl` file]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

/// Let somebody give orders
///
///   ctl operator add alice 3f0c… --allow 'test.*' --allow 'state.apply,cmd.run:web*'
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
struct Add {
    name: OperatorName,
    /// The public key, as `ctl operator keygen` printed it
    #[arg(value_name = "PUBLIC-KEY")]
    key: String,
    /// Functions (globs), and behind a colon the minions: 'test.*', 'state.apply,cmd.run:web*'
    #[arg(long, value_name = "FUNCTIONS[:TARGET]", value_parser = rule)]
    allow: Vec<Rule>,
}

/// Take that back
///
///   ctl operator revoke alice
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
struct Revoke {
    name: OperatorName,
}

fn rule(text: &str) -> Result<Rule, String> {
    let (functions, targets) = text.split_once(':').unwrap_or((text, "*"));
    let functions: Vec<String> = functions.split(',').map(|f| f.trim().to_owned()).collect();
    if functions.iter().any(String::is_empty) {
        return Err(format!("{text:?} names no function; write 'test.*' or 'state.apply,cmd.run:web*'"));
    }
    Ok(Rule { functions, targets: targets.to_owned() })
}

pub fn run(args: Args, global: &Global) -> Outcome {
    match args.command {
        Command::Keygen(args) => keygen(args, global),
        Command::List => block_on(list(global)),
        Command::Add(args) => block_on(add(args, global)),
        Command::Revoke(args) => block_on(async {
            let mut client = Client::connect(global).await?;
            match client.answer(Query::OperatorRevoke { name: args.name }).await? {
                Reply::Changed(names) => changed(global, "revoked", &names),
                other => Err(client.unexpected(&other)),
            }
        }),
    }
}

fn keygen(args: Keygen, global: &Global) -> Outcome {
    let file = args.key.unwrap_or_else(|| access::own_key_file(global));
    let identity = Identity::generate();
    let pem = identity.to_pem().map_err(|error| Error::nothing(error.to_string()))?;
    write_new(&file, pem.as_bytes())?;
    let public = identity.public();
    match global.out {
        Some(_) => output::one(global.out, &json!({"key": public.to_string(), "file": file.display().to_string()}))?,
        None => term::result(&format!("{public}\n"))?,
    }
    global.note(&format!(
        "the secret key is in {}; on the master:  ctl operator add NAME {public} --allow 'test.*'\n",
        file.display()
    ));
    Ok(Exit::OK)
}

/// Writes a secret that only its owner reads, and never over another one.
fn write_new(file: &Path, bytes: &[u8]) -> Result<(), Error> {
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => Error::nothing(format!("{} exists already", file.display()))
            .hint("it may be a key in use: move it away, or name another file with --key"),
        _ => Error::nothing(format!("{} cannot be written: {error}", file.display()))
            .hint("name another file with --key"),
    };
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut handle = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).map_err(failed)?;
    handle.write_all(bytes).and_then(|()| handle.sync_all()).map_err(failed)
}

async fn add(args: Add, global: &Global) -> Outcome {
    let key: PublicKey = args.key.parse().map_err(|_| {
        Error::nothing(format!("{:?} is no public key", args.key))
            .hint("`ctl operator keygen` prints one: 64 digits of 0-9 and a-f")
    })?;
    let mut client = Client::connect(global).await?;
    let nothing = args.allow.is_empty();
    let entry = OperatorEntry { name: args.name, key, rules: args.allow };
    match client.answer(Query::OperatorAdd(entry)).await? {
        Reply::Changed(names) => {
            let exit = changed(global, "added", &names);
            if nothing {
                global.note("it may do nothing yet: --allow says what\n");
            }
            exit
        }
        other => Err(client.unexpected(&other)),
    }
}

async fn list(global: &Global) -> Outcome {
    let mut client = Client::connect(global).await?;
    let operators = match client.answer(Query::Operators).await? {
        Reply::Operators(operators) => operators,
        other => return Err(client.unexpected(&other)),
    };
    let mut table = Table::new(["NAME", "FINGERPRINT", "MAY CALL"], "there are no operators");
    for operator in &operators {
        let rules: Vec<String> =
            operator.rules.iter().map(|rule| format!("{} on {}", rule.functions.join(","), rule.targets)).collect();
        let print = operator.key.fingerprint().to_string();
        table.row([
            operator.name.to_string(),
            format!("{}…", &print[..23]),
            if rules.is_empty() { "nothing".into() } else { rules.join("; ") },
        ]);
    }
    let object = |operator: &OperatorEntry| {
        json!({
            "name": operator.name,
            "key": operator.key.to_string(),
            "fingerprint": operator.key.fingerprint().to_string(),
            "allow": operator.rules,
        })
    };
    output::list(global.out, table, operators.iter().map(object).collect())?;
    Ok(Exit::OK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_functions_and_a_target() {
        let rule_of = |text| rule(text).map(|rule| (rule.functions.join(","), rule.targets));
        assert_eq!(rule_of("test.*"), Ok(("test.*".into(), "*".into())));
        assert_eq!(
            rule_of("state.apply, cmd.run:G@os:Debian"),
            Ok(("state.apply,cmd.run".into(), "G@os:Debian".into()))
        );
        assert!(rule("").is_err() && rule("a,,b").is_err());
    }

    #[test]
    fn a_secret_is_private_and_never_overwritten() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("new/operator.pem");
        write_new(&file, b"secret").unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(write_new(&file, b"other").unwrap_err().render().contains("exists already"));
        assert_eq!(fs::read(&file).unwrap(), b"secret");
    }
}
