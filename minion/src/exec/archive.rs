//! `archive.*`: packing and unpacking, by the programs that everybody has. Salt's `modules/archive.py`.

mod members;

use proto::{Args, Map, Value};
use states::{CallError, Context, Function};

use super::bind::{Bound, need, row, text_of, truth, with};

pub static TABLES: &[&[Function]] = &[COMMANDS, members::TABLE];

static COMMANDS: &[Function] = &[
    row!(
        "archive.tar",
        Writes,
        [
            need("options"),
            need("tarfile"),
            with("sources", "None"),
            with("dest", "None"),
            with("cwd", "None"),
            with("template", "None"),
            with("runas", "None"),
        ],
        |context, bound| {
            let options = bound.need_text("options")?;
            if options.is_empty() {
                return Err(CallError::arguments("Tar options can not be empty"));
            }
            let mut words = vec!["tar".to_owned()];
            words.extend(options.split_whitespace().map(str::to_owned));
            words.push(bound.need_text("tarfile")?);
            words.extend(bound.text("dest")?.into_iter().flat_map(|dest| ["-C".to_owned(), dest]));
            words.extend(sources(context, bound)?);
            lines(context, bound, words)
        },
        "Packs or unpacks by `tar`, and lists what it printed.\n\n    \
         ctl run '*' archive.tar cjvf /tmp/etc.tar.bz2 /etc/hosts,/etc/motd"
    ),
    row!(
        "archive.gzip",
        Writes,
        [need("sourcefile"), with("template", "None"), with("runas", "None"), with("options", "None")],
        |context, bound| packed(context, bound, "gzip", "sourcefile"),
        "Compresses a file in its place.\n\n    ctl run '*' archive.gzip /tmp/dump.sql"
    ),
    row!(
        "archive.gunzip",
        Writes,
        [need("gzipfile"), with("template", "None"), with("runas", "None"), with("options", "None")],
        |context, bound| packed(context, bound, "gunzip", "gzipfile"),
        "Uncompresses a file in its place.\n\n    ctl run '*' archive.gunzip /tmp/dump.sql.gz"
    ),
    row!(
        "archive.cmd_zip",
        Writes,
        [need("zip_file"), need("sources"), with("template", "None"), with("cwd", "None"), with("runas", "None")],
        |context, bound| {
            let mut words = vec!["zip".to_owned(), "-r".to_owned(), bound.need_text("zip_file")?];
            words.extend(sources(context, bound)?);
            lines(context, bound, words)
        },
        "Packs files by `zip`, and lists what it printed.\n\n    ctl run '*' archive.cmd_zip /tmp/conf.zip /etc/hosts"
    ),
    row!(
        "archive.cmd_unzip",
        Writes,
        [
            need("zip_file"),
            need("dest"),
            with("excludes", "None"),
            with("options", "None"),
            with("template", "None"),
            with("runas", "None"),
            with("trim_output", "False"),
            with("password", "None"),
        ],
        |context, bound| {
            let mut words = vec!["unzip".to_owned()];
            words.extend(bound.text("password")?.into_iter().flat_map(|password| ["-P".to_owned(), password]));
            words.extend(split(&bound.text("options")?.unwrap_or_default())?);
            words.extend([bound.need_text("zip_file")?, "-d".to_owned(), bound.need_text("dest")?]);
            let excludes: Vec<String> = bound.list("excludes").iter().map(text_of).collect();
            if !excludes.is_empty() {
                words.push("-x".into());
                words.extend(excludes);
            }
            lines(context, bound, words)
        },
        "Unpacks by `unzip`, and lists what it printed.\n\n    ctl run '*' archive.cmd_unzip /tmp/conf.zip /tmp/conf"
    ),
    row!(
        "archive.rar",
        Writes,
        [need("rarfile"), need("sources"), with("template", "None"), with("cwd", "None"), with("runas", "None")],
        |context, bound| {
            let mut words = ["rar", "a", "-idp"].map(str::to_owned).to_vec();
            words.push(bound.need_text("rarfile")?);
            words.extend(sources(context, bound)?);
            lines(context, bound, words)
        },
        "Packs files by `rar`.\n\n    ctl run '*' archive.rar /tmp/conf.rar /etc/hosts"
    ),
    row!(
        "archive.unrar",
        Writes,
        [
            need("rarfile"),
            need("dest"),
            with("excludes", "None"),
            with("template", "None"),
            with("runas", "None"),
            with("trim_output", "False"),
        ],
        |context, bound| {
            let program = ["unrar", "rar"].into_iter().find(|name| context.look.which(name).is_some());
            let program = program.ok_or_else(|| CallError::failed("neither unrar nor rar is installed"))?;
            let mut words = [program, "x", "-idp"].map(str::to_owned).to_vec();
            words.push(bound.need_text("rarfile")?);
            words.extend(bound.list("excludes").iter().flat_map(|exclude| ["-x".to_owned(), text_of(exclude)]));
            words.push(bound.need_text("dest")?);
            lines(context, bound, words)
        },
        "Unpacks by `unrar`.\n\n    ctl run '*' archive.unrar /tmp/conf.rar /tmp/conf/"
    ),
];

fn split(text: &str) -> Result<Vec<String>, CallError> {
    crate::exec::split_words(text).map_err(|error| CallError::arguments(error.to_string()))
}

/// The paths of `sources`, with what their wild cards match.
fn sources(context: &Context<'_>, bound: &Bound) -> Result<Vec<String>, CallError> {
    let given: Vec<String> = bound.list("sources").iter().map(text_of).collect();
    if let Some(option) = given.iter().find(|source| source.starts_with('-')) {
        return Err(CallError::arguments(format!("{option} is no path")));
    }
    let cwd = bound.text("cwd")?;
    let expand = |source: String| match states::glob::is_pattern(&source) {
        // What is relative is looked for where the command runs.
        true => {
            let folder = cwd
                .as_deref()
                .filter(|_| !source.starts_with('/'))
                .map(|cwd| format!("{}/", cwd.trim_end_matches('/')));
            let folder = folder.unwrap_or_default();
            let found = super::file::expand_glob(context, &format!("{folder}{source}"));
            found.into_iter().map(|path| path[folder.len()..].to_owned()).collect()
        }
        false => vec![source],
    };
    Ok(given.into_iter().flat_map(expand).collect())
}

fn packed(context: &Context<'_>, bound: &Bound, program: &str, key: &str) -> Result<Value, CallError> {
    let mut words = vec![program.to_owned()];
    words.extend(bound.text("options")?);
    words.push(bound.need_text(key)?);
    lines(context, bound, words)
}

/// Runs a command and gives the lines that it printed, at most as many as `trim_output` says.
fn lines(context: &Context<'_>, bound: &Bound, words: Vec<String>) -> Result<Value, CallError> {
    context.host()?;
    if bound.has("template") {
        return Err(CallError::arguments("template: names of files cannot be templates here; render them first"));
    }
    let mut args = Args::positional([words.into()]).with("python_shell", false);
    for key in ["cwd", "runas"] {
        args.named.extend(bound.text(key)?.map(|text| (key.to_owned(), text.into())).into_iter().collect::<Map>());
    }
    let name = "cmd.run".parse().map_err(|error: proto::IdError| CallError::failed(error.to_string()))?;
    let said = text_of(&context.call(&name, args)?);
    Ok(trimmed(bound, said.lines().map(str::to_owned).collect()).into())
}

/// At most as many as `trim_output` says.
fn trimmed(bound: &Bound, mut lines: Vec<String>) -> Vec<String> {
    let most = match bound.value("trim_output").filter(|trim| truth(trim)) {
        None => usize::MAX,
        Some(Value::Bool(_)) => 100,
        Some(number) => text_of(number).parse().unwrap_or(usize::MAX),
    };
    if lines.len() > most {
        lines.truncate(most);
        lines.push(format!("List trimmed after {most} files."));
    }
    lines
}
