//! `archive.*`: archives unpacked into folders.

mod owner;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use proto::Map;
use serde_json::json;

use super::{file::content, params::archive as params};
use crate::{
    Host, Look,
    look::Kind,
    plan::{Call, Done, Plan, State, StateError, StateModule, failed},
    resource::{
        archive::{self, Archive, Contents, Format, Member},
        digest,
        files::{self, Permissions},
        lines,
    },
};

pub const MODULE: StateModule = StateModule {
    name: "archive",
    states: &[State {
        name: "extracted",
        doc: "Makes sure that what is in an archive is in a folder.\n\n    /opt:\n      archive.extracted:\n        - source: https://example.com/app-1.2.tar.gz\n        - source_hash: sha256=7a6cba51…\n        - user: app\n\nAn archive with a member that would be written, or would point, outside the folder is refused.",
        params: params::EXTRACTED,
        plan: extracted,
    }],
    watch: None,
};

/// All that a state asks for, once its arguments are known to make sense.
struct Request {
    /// The folder, with `/` at its end.
    name: String,
    source: String,
    hash: Option<String>,
    format: Format,
    options: Option<String>,
    owner: Permissions,
    only: Option<PathBuf>,
    if_missing: Option<PathBuf>,
    trim: Option<usize>,
    clean: bool,
    clean_parent: bool,
    force: bool,
    overwrite: bool,
    update: bool,
    /// What was unpacked is what the tool says.
    tool_tells: bool,
    /// Members of a zip archive keep their modes.
    modes: bool,
}

fn extracted(call: &Call<'_>) -> Result<Plan, StateError> {
    let request = match Request::of(call)? {
        Ok(request) => request,
        Err(comment) => return Plan::keep(comment),
    };
    if call.test && content::is_remote(&request.source) {
        let comment = format!(
            "Archive {} would be cached (if necessary) and checked to discover if extraction is needed",
            request.source
        );
        return Plan::change(comment, json!({}), |_| Ok(Done::default()));
    }
    archive::needs(call.look, request.format)?;
    let path = content::cached(call, &request.source)?;
    let mut archive = Archive {
        path: path.to_string_lossy().into_owned(),
        format: request.format,
        decompress: None,
        password: call.some_text("password"),
    };
    request.verify(call, &path)?;
    if let Some(comment) = known(call, &request, &path)? {
        return Plan::keep(comment);
    }
    let listed = match (archive.list(call.look), call.some_text("list_options")) {
        // Only what `tar` cannot read by itself needs a program that can.
        (Err(_), Some(program)) if request.format == Format::Tar => {
            archive.decompress = Some(program);
            archive.list(call.look)
        }
        (listed, _) => listed,
    };
    let members = listed?;
    if archive.password.is_none() && members.iter().any(|member| member.encrypted) {
        return failed(format!(
            "Archive {} is password-protected, but no password was specified. Please set the 'password' argument.",
            request.source
        ));
    }
    if let Some(why) = archive::escaping(&members) {
        return failed(format!("Archive {} is not safe to extract: {why}", request.source));
    }
    plan(call, request, archive, members)
}

/// With `skip_files_list_verify`: what is said of an archive whose sum is the one that was noted.
fn known(call: &Call<'_>, request: &Request, path: &Path) -> Result<Option<String>, StateError> {
    let Some(hash) = request.hash.as_ref().filter(|_| call.flag("skip_files_list_verify", false)) else {
        return Ok(None);
    };
    let (_, wanted) = content::hash_of(call, &request.source, hash)?;
    let same = noted(call.look, &sum_file(call, &path.to_string_lossy())).is_some_and(|noted| noted == wanted);
    Ok(same.then(|| {
        format!(
            "Archive {} existing source sum is the same as the expected one and skip_files_list_verify argument was \
             set to True. Extraction is not needed",
            request.source
        )
    }))
}

/// Gives what was unpacked the modes of new files and folders, whatever the archive says.
fn plain_modes(host: &dyn crate::Host, folder: &Path, members: &[archive::Member]) -> Result<(), StateError> {
    for member in members {
        let mode = match member.kind {
            archive::Kind::File => 0o644,
            archive::Kind::Folder => 0o755,
            archive::Kind::Link | archive::Kind::HardLink => continue,
        };
        let path = folder.join(&member.path);
        host.set_mode(&path, mode).map_err(|why| StateError::io("change", &path, &why))?;
    }
    Ok(())
}

/// A path of the arguments that has to be absolute.
fn absolute(call: &Call<'_>, key: &str) -> Result<Option<PathBuf>, StateError> {
    match call.some_text(key) {
        Some(path) if !path.starts_with('/') => failed(format!("Value for '{key}' is not an absolute path")),
        path => Ok(path.map(PathBuf::from)),
    }
}

impl Request {
    /// The arguments; or, where nothing is to be done, the comment that says so.
    fn of(call: &Call<'_>) -> Result<Result<Self, String>, StateError> {
        let name = call.name();
        if call.flag("skip_files_list_verify", false) && call.flag("skip_verify", false) {
            return failed("Only one of \"skip_files_list_verify\" and \"skip_verify\" can be set to True");
        }
        if !name.starts_with('/') {
            return failed(format!("{name} is not an absolute path"));
        }
        let name = name.trim_end_matches('/').to_owned();
        if files::is_file(call.look, Path::new(&name)) {
            return failed(format!("{name} exists and is not a directory"));
        }
        let name = name + "/";
        let if_missing = absolute(call, "if_missing")?;
        let only = absolute(call, "enforce_ownership_on")?;
        if only.as_ref().is_some_and(|only| !only.starts_with(&name)) {
            return failed(format!("Value for 'enforce_ownership_on' must be within {name}"));
        }
        if let Some(path) = if_missing.as_ref().filter(|path| files::exists(call.look, path)) {
            return Ok(Err(format!("Path {} exists", path.display())));
        }
        let owner = owner::of(call)?;
        let (source, hash) = content::choose(call)?;
        let source = source.strip_prefix("file://").map_or(source.clone(), str::to_owned);
        if let Some(hash) = hash.as_ref().filter(|hash| content::is_literal(hash)) {
            content::hash_of(call, &source, hash)?;
        }
        let format = format(call, &source)?;
        let options = call.some_text("options");
        if format != Format::Zip && call.some_text("password").is_some() {
            return failed("The 'password' argument is only supported for zip archives");
        }
        if call.value("signature").or(call.value("source_hash_sig")).is_some() {
            return failed("Cannot verify signatures: that is not available here");
        }
        if call.flag("clean", false) && call.flag("clean_parent", false) {
            return failed("Only one of 'clean' and 'clean_parent' can be set to True");
        }
        let trim = match call.value("trim_output") {
            Some(value) if value.as_bool() == Some(true) => Some(100),
            Some(value) if value.as_bool() == Some(false) => None,
            _ => call.int("trim_output").and_then(|lines| usize::try_from(lines).ok()).filter(|lines| *lines > 0),
        };
        Ok(Ok(Self {
            tool_tells: options.is_some() || format == Format::Zip && call.flag("use_cmd_unzip", false),
            modes: format != Format::Zip || call.flag("extract_perms", true),
            name,
            source,
            hash,
            format,
            options,
            owner,
            only,
            if_missing,
            trim,
            clean: call.flag("clean", false),
            clean_parent: call.flag("clean_parent", false),
            force: call.flag("force", false),
            overwrite: call.flag("overwrite", false),
            update: call.flag("source_hash_update", false),
        }))
    }

    /// What comes over the network, or has a hash named, is checked before it is opened.
    fn verify(&self, call: &Call<'_>, path: &Path) -> Result<(), StateError> {
        if call.flag("skip_verify", false) {
            return Ok(());
        }
        let Some(hash) = &self.hash else {
            return match content::is_remote(&self.source) {
                false => Ok(()),
                true => failed(format!(
                    "Unable to verify upstream hash of source file {}, please set source_hash or set skip_verify to \
                     True",
                    self.source
                )),
            };
        };
        let (kind, wanted) = content::hash_of(call, &self.source, hash)?;
        let found = digest::of_file(call.look, path, &kind).map_err(|why| StateError::io("read", path, &why))?;
        match found {
            None => failed(format!("Source hash {hash} format is invalid")),
            Some(found) if found == wanted => Ok(()),
            Some(_) => failed(format!("{} does not match the desired source_hash {wanted}", self.source)),
        }
    }

    fn folder(&self) -> &Path {
        Path::new(&self.name)
    }

    fn words(&self) -> Vec<String> {
        match (&self.options, self.format) {
            (None, _) => Vec::new(),
            (Some(options), Format::Tar) => archive::tar_options(options),
            (Some(options), Format::Zip) => archive::words(options),
        }
    }
}

fn format(call: &Call<'_>, source: &str) -> Result<Format, StateError> {
    let Some(given) = call.some_text("archive_format") else {
        let path = source.split(['?', '#']).next().unwrap_or(source);
        return Format::guess(path).ok_or_else(|| {
            StateError::failed(
                "Could not guess archive_format from the value of the 'source' argument. Please set this \
                 archive_format to one of the following: tar, zip",
            )
        });
    };
    match given.to_lowercase().as_str() {
        "tar" => Ok(Format::Tar),
        "zip" => Ok(Format::Zip),
        other => failed(format!(
            "Invalid archive_format '{other}'. Either set it to a supported value (tar, zip) or remove this argument \
             and the archive format will be guessed based on file extension."
        )),
    }
}

/// Paths, and what they have to be.
type Expected<'c> = (&'c [String], fn(Kind) -> bool);

/// What the folder lacks of an archive.
#[derive(Default)]
struct Lack {
    missing: bool,
    /// Paths that are there and are something else.
    wrong: Vec<String>,
}

impl Lack {
    fn of(look: &dyn Look, folder: &Path, contents: &Contents) -> Self {
        let mut lack = Self::default();
        let kinds: [Expected<'_>; 3] = [
            (&contents.folders, |kind| kind == Kind::Directory),
            (&contents.files, |kind| !matches!(kind, Kind::Directory | Kind::Symlink)),
            (&contents.links, |kind| kind == Kind::Symlink),
        ];
        for (paths, is) in kinds {
            for path in paths {
                match look.stat(&folder.join(path.trim_end_matches('/'))) {
                    Ok(stat) if is(stat.kind) => {}
                    Ok(_) => lack.wrong.push(path.clone()),
                    Err(_) => lack.missing = true,
                }
            }
        }
        lack
    }
}

fn plan(call: &Call<'_>, request: Request, archive: Archive, members: Vec<Member>) -> Result<Plan, StateError> {
    let words = request.words();
    let strip = if request.format == Format::Tar { archive::strip(&words) } else { 0 };
    let contents = Contents::of(&members, request.format, strip);
    let (name, source) = (request.name.clone(), request.source.clone());
    if call.flag("enforce_toplevel", true) && (contents.top_folders.len() > 1 || !contents.top_files.is_empty()) {
        let kind = if request.format == Format::Tar { "tar" } else { "zip" };
        return failed(format!(
            "Archive does not have a single top-level directory. To allow this archive to be extracted, set \
             'enforce_toplevel' to False. To avoid a '{kind}-bomb' it may also be advisable to set a top-level \
             directory by adding it to the 'name' value (for example, setting 'name' to {name}some_dir instead of \
             {name})."
        ));
    }
    let lack = Lack::of(call.look, request.folder(), &contents);
    if let Some(refused) = wrong(call, &request, &lack) {
        return refused;
    }
    let kept = sum_file(call, &archive.path);
    let now = request.update.then(|| digest::of_file(call.look, Path::new(&archive.path), "sha256").ok()?).flatten();
    let old = noted(call.look, &kept);
    let updated = old.is_some() && now.is_some() && now != old;
    let record = now.filter(|now| Some(now) != old.as_ref()).map(|now| (kept, format!("sha256:{now}\n")));
    if !request.overwrite && !lack.missing && lack.wrong.is_empty() && !updated {
        return already(call, request, contents, record);
    }
    let why = match (updated && !lack.missing && !request.overwrite, lack.missing) {
        (true, _) => ", due to source_hash update",
        (false, true) => ", due to absence of one or more files/dirs",
        _ => "",
    };
    let cleaned = if request.clean { ", after cleaning destination path(s)" } else { "" };
    let would = format!("Archive {source} would be extracted to {name}{cleaned}{why}");
    Plan::change(would, json!({}), move |doing| {
        let host = doing.host;
        let (mut changes, created) = prepare(host, &request, &contents, &lack)?;
        let said = archive.extract(host, request.folder(), &words)?;
        if !request.modes {
            plain_modes(host, request.folder(), &members)?;
        }
        if let Some((path, sum)) = &record {
            lines::write(host, path, sum, 0o600)?;
        }
        let owned = owner::enforce(host, &request.owner, request.folder(), request.only.as_deref(), &contents);
        if owned.changed {
            changes.insert("updated ownership".into(), true.into());
        }
        if created {
            changes.insert("directories_created".into(), json!([name]));
        }
        // With options of the tool's own it alone knows what it did.
        let mut all: Vec<String> = match request.tool_tells {
            true => said.lines().map(str::to_owned).collect(),
            false => archive::names(&members, request.format),
        };
        all.truncate(request.trim.unwrap_or(all.len()));
        changes.insert("extracted_files".into(), json!(all));
        let trimmed =
            request.trim.map_or(String::new(), |lines| format!(". Output was trimmed to {lines} number of lines"));
        let comment = format!("{source} extracted to {name}{why}{trimmed}{}", owned.told());
        Ok(Done { result: owned.good(request.if_missing.is_some()), ..Done::new(comment, changes) })
    })
}

/// Where the sums of archives are kept.
fn sums(call: &Call<'_>) -> PathBuf {
    let opts = call.context().opts;
    let text = |key: &str| opts.get(key).and_then(proto::Value::as_str).map(PathBuf::from);
    let cache = text("cachedir").or_else(|| Some(text("root_dir")?.join("cache")));
    cache.unwrap_or_else(|| "/var/cache/overstate".into()).join("archive_hash")
}

/// Where the sum of an archive is noted.
fn sum_file(call: &Call<'_>, archive: &str) -> PathBuf {
    sums(call).join(archive.trim_start_matches('/')).with_added_extension("hash")
}

fn noted(look: &dyn Look, file: &Path) -> Option<String> {
    lines::read(look, file).and_then(|text| text.trim().strip_prefix("sha256:").map(str::to_owned))
}

/// Paths that are of another kind stop the state, unless they are to be removed.
fn wrong(call: &Call<'_>, request: &Request, lack: &Lack) -> Option<Result<Plan, StateError>> {
    if lack.wrong.is_empty() || request.clean && !call.test {
        return None;
    }
    let paths: Vec<String> = lack.wrong.iter().map(|path| format!("- {path}")).collect();
    let mut comment = format!(
        "The below paths (relative to {}) exist, but are the incorrect type (file instead of directory, symlink \
         instead of file, etc.).",
        request.name
    );
    if call.test && request.clean {
        comment.push_str(&format!(
            " Since the 'clean' option is enabled, the destination paths would be cleared and the archive would be \
             extracted.\n\n{}",
            paths.join("\n")
        ));
        return Some(Plan::change(comment, json!({}), |_| Ok(Done::default())));
    }
    if call.test && request.clean_parent {
        comment.push_str(
            " Since the 'clean_parent' option is enabled, the destination parent directory would be removed first and \
             then re-created and the archive would be extracted",
        );
        return Some(Plan::change(comment, json!({}), |_| Ok(Done::default())));
    }
    if request.force {
        return None;
    }
    comment.push_str(&format!(
        " To proceed with extraction, set 'force' to True. Note that this will remove these paths before \
         extracting.\n\n{}",
        paths.join("\n")
    ));
    Some(failed(comment))
}

/// All is there; owners may have to change, and a sum to be noted.
fn already(
    call: &Call<'_>,
    request: Request,
    contents: Contents,
    record: Option<(PathBuf, String)>,
) -> Result<Plan, StateError> {
    let comment = "All files in archive are already present";
    let changes = owner::differs(call.look, &request.owner, request.folder(), request.only.as_deref(), &contents);
    if !changes && (record.is_none() || call.test) {
        return Plan::keep(comment);
    }
    let preview = if changes { json!({"updated ownership": true}) } else { json!({}) };
    let would = format!("{comment}. Ownership would be updated on one or more files/directories.");
    Plan::change(would, preview, move |doing| {
        if let Some((path, sum)) = &record {
            lines::write(doing.host, path, sum, 0o600)?;
        }
        let owned = owner::enforce(doing.host, &request.owner, request.folder(), request.only.as_deref(), &contents);
        let changes = if owned.changed { json!({"updated ownership": true}) } else { json!({}) };
        let comment = format!("{comment}{}", owned.told());
        Ok(Done { result: owned.good(request.if_missing.is_some()), ..Done::new(comment, changes) })
    })
}

/// Clears what is in the way and makes the folder. Gives what was removed, and whether it was made.
fn prepare(host: &dyn Host, request: &Request, contents: &Contents, lack: &Lack) -> Result<(Map, bool), StateError> {
    let (mut changes, mut removed) = (Map::new(), Vec::new());
    let folder = request.folder();
    if request.clean_parent {
        archive::clear(host, Path::new(request.name.trim_end_matches('/')))?;
        let said = format!("Directory {} was removed prior to the extraction", request.name);
        changes.insert("removed".into(), said.into());
    }
    let tops = request.clean.then_some(contents.top_folders.iter().chain(&contents.top_files)).into_iter().flatten();
    for path in tops.chain(lack.wrong.iter().filter(|_| request.force && !request.clean)) {
        let path = folder.join(path);
        if host.stat(Path::new(path.to_string_lossy().trim_end_matches('/'))).is_ok() || request.clean {
            archive::clear(host, Path::new(path.to_string_lossy().trim_end_matches('/')))?;
            removed.push(path.to_string_lossy().into_owned());
        }
    }
    if !removed.is_empty() && !request.clean_parent {
        changes.insert("removed".into(), json!(removed));
    }
    if files::is_dir(host, folder) {
        return Ok((changes, false));
    }
    let owner = Permissions { user: request.owner.user.clone(), ..Permissions::default() };
    files::make_dirs(host, Path::new(request.name.trim_end_matches('/')), &owner)
        .map_err(|why| StateError::io("create", folder, &why))?;
    Ok((changes, true))
}
