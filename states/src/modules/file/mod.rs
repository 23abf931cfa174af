//! `file.*`: files, folders, links and what is in them.

mod block;
mod body;
mod comment;
pub mod content;
mod directory;
mod edit;
mod keyvalue;
mod line;
mod lines;
mod links;
mod managed;
mod moves;
mod owner;
mod recurse;
mod remove;
mod replace;
mod serialize;
#[cfg(test)]
mod tests;
mod trial;

use std::path::PathBuf;

use super::params::file as params;
use crate::plan::{Call, Plan, State, StateError, StateModule, failed};

pub const MODULE: StateModule = StateModule {
    name: "file",
    states: &[
        State {
            name: "managed",
            doc: "Makes a file have a content, an owner and a mode.\n\n    /etc/motd:\n      file.managed:\n        - source: salt://motd.jinja\n        - template: jinja\n        - mode: '0644'",
            params: params::MANAGED,
            plan: managed::plan,
        },
        State {
            name: "absent",
            doc: "Makes sure that nothing is at a path.\n\n    /etc/nginx/sites-enabled/default:\n      file.absent",
            params: params::ABSENT,
            plan: remove::absent,
        },
        State {
            name: "directory",
            doc: "Makes sure that a folder is there, with owner and mode.\n\n    /srv/www:\n      file.directory:\n        - user: www-data\n        - mode: '0755'\n        - makedirs: True",
            params: params::DIRECTORY,
            plan: directory::plan,
        },
        State {
            name: "recurse",
            doc: "Makes a folder like one of the tree.\n\n    /etc/app:\n      file.recurse:\n        - source: salt://app/files\n        - clean: True",
            params: params::RECURSE,
            plan: recurse::recurse,
        },
        State {
            name: "symlink",
            doc: "Makes sure that a symbolic link is there.\n\n    /etc/motd:\n      file.symlink:\n        - target: /run/motd",
            params: params::SYMLINK,
            plan: links::symlink,
        },
        State {
            name: "hardlink",
            doc: "Makes sure that a file has a second name.\n\n    /srv/a:\n      file.hardlink:\n        - target: /srv/b",
            params: params::HARDLINK,
            plan: links::hardlink,
        },
        State {
            name: "append",
            doc: "Makes sure that a file has some lines, adding them at its end.\n\n    /etc/hosts:\n      file.append:\n        - text: 10.0.0.1 db",
            params: params::APPEND,
            plan: lines::append,
        },
        State {
            name: "prepend",
            doc: "Makes sure that a file has some lines, adding them at its start.\n\n    /etc/hosts:\n      file.prepend:\n        - text: '# managed'",
            params: params::PREPEND,
            plan: lines::prepend,
        },
        State {
            name: "accumulated",
            doc: "Gathers texts for a file that another state writes.\n\n    hosts:\n      file.accumulated:\n        - filename: /etc/hosts\n        - text: 10.0.0.1 db\n        - require_in:\n          - file: /etc/hosts",
            params: params::ACCUMULATED,
            plan: lines::accumulated,
        },
        State {
            name: "replace",
            doc: "Replaces what a pattern finds in a file.\n\n    /etc/ssh/sshd_config:\n      file.replace:\n        - pattern: '^PermitRootLogin.*'\n        - repl: PermitRootLogin no",
            params: params::REPLACE,
            plan: replace::replace,
        },
        State {
            name: "line",
            doc: "Inserts, replaces or deletes one line of a file.\n\n    /etc/fstab:\n      file.line:\n        - mode: ensure\n        - content: proc /proc proc\n        - after: '^#'",
            params: params::LINE,
            plan: line::line,
        },
        State {
            name: "blockreplace",
            doc: "Makes the block between two marks of a file have a content.\n\n    /etc/hosts:\n      file.blockreplace:\n        - content: 10.0.0.1 db\n        - append_if_not_found: True",
            params: params::BLOCKREPLACE,
            plan: block::plan,
        },
        State {
            name: "serialize",
            doc: "Writes data into a file as YAML, JSON or sections of keys (`configparser`).\n\n    /etc/app.json:\n      file.serialize:\n        - dataset: {port: 80}\n        - serializer: json",
            params: params::SERIALIZE,
            plan: serialize::serialize,
        },
        State {
            name: "comment",
            doc: "Makes comments of the lines that a pattern finds.\n\n    /etc/fstab:\n      file.comment:\n        - regex: ^/dev/sdb",
            params: params::COMMENT,
            plan: comment::comment,
        },
        State {
            name: "uncomment",
            doc: "Makes lines of comments that a pattern finds.\n\n    /etc/locale.gen:\n      file.uncomment:\n        - regex: de_DE.UTF-8",
            params: params::UNCOMMENT,
            plan: comment::uncomment,
        },
        State {
            name: "copy",
            doc: "Copies a file or folder of this host to where none is.\n\n    /etc/app.conf:\n      file.copy:\n        - source: /etc/app.conf.dist",
            params: params::COPY,
            plan: moves::copy,
        },
        State {
            name: "rename",
            doc: "Moves a file or folder if it has not been moved yet.\n\n    /srv/new:\n      file.rename:\n        - source: /srv/old",
            params: params::RENAME,
            plan: moves::rename,
        },
        State {
            name: "touch",
            doc: "Makes sure that a file is there, and sets its times.\n\n    /var/log/app.log:\n      file.touch",
            params: params::TOUCH,
            plan: moves::touch,
        },
        State {
            name: "exists",
            doc: "Fails unless something is at a path.\n\n    /etc/passwd:\n      file.exists",
            params: params::EXISTS,
            plan: remove::exists,
        },
        State {
            name: "missing",
            doc: "Fails if something is at a path.\n\n    /etc/nologin:\n      file.missing",
            params: params::MISSING,
            plan: remove::not_there,
        },
        State {
            name: "keyvalue",
            doc: "Sets values in a file of keys and values.\n\n    /etc/sysctl.conf:\n      file.keyvalue:\n        - key_values: {vm.swappiness: '10'}\n        - separator: ' = '",
            params: params::KEYVALUE,
            plan: keyvalue::keyvalue,
        },
    ],
    watch: None,
};

/// `file.managed`, for states that make a file of their own kind.
pub fn managed(call: &Call<'_>) -> Result<Plan, StateError> {
    managed::plan(call)
}

/// A pattern of Python's.
pub fn pattern(text: &str) -> Result<fancy_regex::Regex, StateError> {
    edit::regex(text, &[])
}

/// The path that a state names; `~` is the home folder of whoever runs this.
fn path(call: &Call<'_>) -> Result<PathBuf, StateError> {
    let name = call.name();
    let path = match name.strip_prefix("~/").zip(std::env::var_os("HOME")) {
        Some((rest, home)) => PathBuf::from(home).join(rest),
        None => PathBuf::from(&name),
    };
    match (name.is_empty(), path.is_absolute()) {
        (true, _) => failed("Destination file name is required"),
        (_, false) => failed(format!("Specified file {name} is not an absolute path")),
        _ => Ok(path),
    }
}
