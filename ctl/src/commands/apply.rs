//! `ctl apply TARGET [SLS…]`

use proto::Value;
use states::functions::STATE_ARGUMENTS;

use crate::{
    arguments,
    cli::Global,
    dispatch::{self, Call, Options},
    error::{Error, Outcome},
    output::Format,
    selection::Selection,
};

/// Apply states: the highstate, or the named SLS
///
///   ctl apply 'web*'                        the highstate, as top.sls says
///   ctl apply 'web*' nginx users --test     what would these two change?
///   ctl apply web1 nginx pillar='{port: 8080}'
///   ctl apply '*' saltenv=dev queue=True    wait for a run that goes on already
///
/// What is the same on several minions is shown once; where much differs, it is
/// shown state by state. What failed stands first, what holds already is only
/// counted: -v shows all, --out highstate a block a minion as they come.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    #[command(flatten)]
    selection: Selection,
    /// SLS files, by name; KEY=VALUE for named arguments (pillar=…, saltenv=…)
    #[arg(value_name = "SLS", help_heading = None)]
    sls: Vec<String>,
    /// Plan and show the differences; change nothing
    #[arg(long, help_heading = None)]
    test: bool,
    #[command(flatten)]
    options: Options,
}

/// A misspelt name would be ignored, and the wrong thing applied.
fn check_names(named: &proto::Map) -> Result<(), Error> {
    let Some((name, value)) = named.iter().find(|(name, _)| !STATE_ARGUMENTS.contains(&name.as_str())) else {
        return Ok(());
    };
    let error = Error::nothing(format!("state.apply takes no argument named '{name}'"));
    let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    Err(match states::diag::did_you_mean(name, STATE_ARGUMENTS.iter().copied()) {
        Some(near) => error.hint(near),
        None => error
            .hint(format!("what templates read goes in as pillar: pillar='{{{name}: {value}}}'"))
            .hint(format!("it takes {}", STATE_ARGUMENTS.join(", "))),
    })
}

pub fn run(args: Args, global: &Global) -> Outcome {
    let mut given = arguments::parse(&args.sls);
    check_names(&given.named)?;
    given.positional = mods(&args.sls);
    if args.test {
        given = given.with("test", true);
    }
    let mut options = args.options;
    // What is the same on many hosts is shown once, unless each is asked for by `--out`.
    options.fold |= global.out.is_none();
    let call = Call { target: args.selection.expression()?, function: dispatch::function("state.apply")?, args: given };
    dispatch::carry_out(global, call, &options, Format::Highstate)
}

/// The SLS as `state.apply` takes them: one argument, with commas.
fn mods(words: &[String]) -> Vec<Value> {
    let names: Vec<&str> = words.iter().map(String::as_str).filter(|word| !arguments::is_named(word)).collect();
    if names.is_empty() { Vec::new() } else { vec![Value::String(names.join(","))] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_argument_is_refused() {
        let named =
            |words: &[&str]| arguments::parse(&words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>()).named;
        assert!(check_names(&named(&["saltenv=dev", "queue=True", "pillar={a: 1}"])).is_ok());
        let error = check_names(&named(&["pilar={a: 1}"])).unwrap_err();
        assert!(error.render().contains("did you mean pillar?"), "{}", error.render());
        let error = check_names(&named(&["port=8080"])).unwrap_err();
        assert!(error.render().contains("pillar='{port: 8080}'"), "{}", error.render());
    }

    #[test]
    fn several_sls_are_one_argument() {
        let words = ["nginx", "users.admins", "pillar={a: 1}"].map(str::to_owned);
        assert_eq!(mods(&words), [Value::from("nginx,users.admins")]);
        assert!(mods(&["saltenv=dev".to_owned()]).is_empty());
    }
}
