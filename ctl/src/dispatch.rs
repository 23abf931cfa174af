//! The options that `run`, `apply` and their like share, and the way from them to a signed
//! request and its answers.

use clap::Args;
use proto::{Batch, FunctionName, RunOptions};

use crate::{
    cli::Global,
    client::Client,
    error::{Error, Exit, Outcome},
    output::{self, Format, Returns},
    selection, term, times,
    watch::{self, Watch},
};

/// How a call is carried out, and how its answers are shown.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "How")]
pub struct Options {
    /// At most N minions (or N%) at once
    #[arg(short, long, value_name = "N|N%", value_parser = batch)]
    pub batch: Option<Batch>,
    /// Only N of the matching minions, chosen at random
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub subset: Option<u32>,
    /// Print the job's id and return at once
    #[arg(long = "async", conflicts_with_all = ["stream", "timeout"])]
    pub detach: bool,
    /// Show output while it runs
    #[arg(long)]
    pub stream: bool,
    /// How long to wait for answers (30s, 5m, 1h); the job itself goes on
    #[arg(short, long, value_name = "TIME", value_parser = times::seconds)]
    pub timeout: Option<u32>,
    /// How long an absent minion may still pick the job up [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = times::seconds)]
    pub ttl: Option<u32>,
    /// Kept in the audit log
    #[arg(long, value_name = "TEXT")]
    pub comment: Option<String>,
    /// Do not start it on any more minions once one has failed
    #[arg(long)]
    pub fail_fast: bool,
    /// Show equal answers once
    #[arg(long)]
    pub fold: bool,
}

fn batch(text: &str) -> Result<Batch, String> {
    let wrong = || format!("{text:?} is no batch size; write 10 or 25%");
    match text.strip_suffix('%') {
        Some(percent) => match percent.parse() {
            Ok(percent @ 1..=100) => Ok(Batch::Percent(percent)),
            _ => Err(wrong()),
        },
        None => match text.parse() {
            Ok(count @ 1..) => Ok(Batch::Count(count)),
            _ => Err(wrong()),
        },
    }
}

impl Options {
    /// The part that is signed.
    pub fn signed(&self, follow_states: bool) -> RunOptions {
        RunOptions {
            batch: self.batch,
            subset: self.subset,
            ttl: self.ttl,
            stream: self.stream || follow_states,
            fail_fast: self.fail_fast,
            comment: self.comment.clone(),
            tree: None,
        }
    }
}

/// What is to be called, and where.
pub struct Call {
    pub target: String,
    pub function: FunctionName,
    pub args: proto::Args,
}

/// Sends a call and shows what comes of it. `format` is what `--out` means when it is not given.
pub fn carry_out(global: &Global, call: Call, options: &Options, format: Format) -> Outcome {
    let format = global.out.unwrap_or(format);
    // Each state is told of as it ends, where somebody looks on.
    let follow_states = call.function.module() == "state" && !options.detach && !global.quiet && term::interactive();
    crate::client::block_on(async {
        let mut client = Client::connect(global).await?;
        let request = client.sign(&call.target, call.function, call.args, options.signed(follow_states))?;
        let patience = watch::Patience { timeout: options.timeout, ttl: options.ttl };
        let returns = Returns::new(format, options.fold, global.verbose > 0);
        let mut watch = Watch::new(global, returns, patience).showing_output(options.stream);
        let mut start = watch.begin(&mut client, request, !options.detach).await?;
        if options.subset.is_none() {
            selection::miss_named(&call.target, &mut start);
        }
        if options.detach {
            return detached(global, format, &start);
        }
        watch.follow(client, start).await
    })
}

pub fn detached(global: &Global, format: Format, start: &proto::message::JobStart) -> Outcome {
    let jid = start.jid.to_string();
    match format {
        Format::Nested | Format::Highstate | Format::Txt => term::result(&format!("{jid}\n"))?,
        _ => output::one(Some(format), &serde_json::json!({"jid": jid, "minions": start.expected}))?,
    }
    global.note(&format!(
        "{} targeted, {} of them not connected; `ctl job follow {jid}` shows the answers\n",
        start.expected.len(),
        start.absent.len()
    ));
    Ok(Exit::OK)
}

/// A function's name as typed: `cmd` is short for `cmd.run`; one that does not exist is refused
/// here, before anything is sent.
pub fn function(text: &str) -> Result<FunctionName, Error> {
    let text = if text == "cmd" { "cmd.run" } else { text };
    let name: FunctionName = match text.parse() {
        Ok(name) => name,
        Err(error) => {
            let known = crate::catalogue::functions();
            return Err(Error::nothing(error.to_string()).hints(did_you_mean(text, &known)).hint(format!(
                "for a command line:  ctl run TARGET -- {text} …   or   ctl run TARGET cmd '{text} …'"
            )));
        }
    };
    if crate::catalogue::has_function(text) {
        return Ok(name);
    }
    if crate::catalogue::has_state(text) {
        return Err(Error::nothing(format!("{text} is a state, and no function"))
            .hint(format!("`state.single {text} name=…` applies one state; SLS files hold many")));
    }
    let known = crate::catalogue::functions();
    let hint = did_you_mean(text, &known);
    let hint = hint.unwrap_or_else(|| match known.iter().any(|f| f.name.starts_with(&format!("{}.", name.module()))) {
        true => format!("`ctl doc {}` lists the functions of that module", name.module()),
        false => "`ctl doc` lists what there is".into(),
    });
    Err(Error::nothing(format!("function {text} does not exist")).hint(hint))
}

/// Arguments that a function of the minion's own does not take are refused here, before anything is
/// sent. What others take, only they know.
///
/// # Errors
/// A name that it does not know, too many arguments or too few.
pub fn check_arguments(function: &FunctionName, args: &proto::Args) -> Result<(), Error> {
    crate::catalogue::check(function.as_str(), args)
        .map_err(|why| Error::nothing(why).hint(format!("`ctl doc {function}` shows how it is called")))
}

/// How a function's returns are shown where nobody says otherwise.
pub fn natural_format(function: &FunctionName) -> Format {
    if function.module() == "state" { Format::Highstate } else { Format::Nested }
}

fn did_you_mean(text: &str, known: &[&'static states::Function]) -> Option<String> {
    states::diag::did_you_mean(text, known.iter().map(|function| function.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_counts_or_percentages() {
        assert_eq!(batch("10"), Ok(Batch::Count(10)));
        assert_eq!(batch("25%"), Ok(Batch::Percent(25)));
        for bad in ["0", "0%", "101%", "x", "-1", "%", ""] {
            assert!(batch(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_function_that_is_not_there_is_refused_before_it_is_sent() {
        assert_eq!(function("cmd").unwrap().as_str(), "cmd.run");
        let error = function("test.pign").unwrap_err();
        assert!(error.render().contains("did you mean test.ping?"), "{}", error.render());
        assert_eq!(error.exit(), Exit(2));
        assert!(function("uptime").unwrap_err().render().contains("module.function"));
    }
}
