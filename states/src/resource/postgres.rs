//! PostgreSQL, asked and changed through its own `psql`. Salt's `modules/postgres.py`.

pub mod password;

use proto::{Map, Value};

use super::command;
use crate::{
    Command, Context, Host, Look, Output,
    functions::truth,
    plan::{Call, StateError},
    value::python_str,
};

/// How the server is reached: what a state says, else the configuration, the grains or the pillar.
#[derive(Debug, Clone, Default)]
pub struct Server {
    psql: String,
    /// The user of the host that `psql` runs as.
    runas: Option<String>,
    host: Option<String>,
    port: Option<String>,
    user: Option<String>,
    password: Option<String>,
    database: String,
}

impl Server {
    /// As the arguments `user`, `db_user`, `db_host`, `db_port`, `db_password` and `maintenance_db` say.
    ///
    /// # Errors
    /// `psql` is not there.
    pub fn of(call: &Call<'_>) -> Result<Self, StateError> {
        Self::given(call.context(), call.look, |key| call.value(key).filter(|value| truth(value)).map(python_str))
    }

    pub fn given(
        context: &Context<'_>,
        look: &dyn Look,
        given: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, StateError> {
        let set = |key: &str, option: &str| given(key).or_else(|| configured(context, &format!("postgres.{option}")));
        let program = configured(context, "postgres.bins_dir").map_or("psql".into(), |dir| format!("{dir}/psql"));
        let psql = look.which(&program).ok_or_else(|| StateError::Missing("psql was not found".into()))?;
        let host = set("db_host", "host");
        let local = host.as_ref().is_none_or(|host| host.starts_with('/'));
        let runas = given("user").or_else(|| local.then(|| "postgres".to_owned()));
        Ok(Self {
            psql: psql.to_string_lossy().into_owned(),
            runas,
            host,
            port: set("db_port", "port"),
            user: set("db_user", "user"),
            password: set("db_password", "pass"),
            database: set("maintenance_db", "maintenance_db").unwrap_or_else(|| "postgres".into()),
        })
    }

    /// The same server, and one of its databases.
    pub fn on(self, database: String) -> Self {
        Self { database, ..self }
    }

    /// SQL goes in by standard input: what stands in an argument can be read by everybody.
    fn command(&self, sql: String) -> Command {
        let mut argv = vec![self.psql.clone()];
        argv.extend(["--no-align", "--no-readline", "--no-psqlrc", "--no-password", "--quiet"].map(str::to_owned));
        argv.extend(["--set=ON_ERROR_STOP=1", "--file=-"].map(str::to_owned));
        let named = [("username", &self.user), ("host", &self.host), ("port", &self.port)];
        argv.extend(named.iter().filter_map(|(name, value)| Some(format!("--{name}={}", value.as_ref()?))));
        argv.push(format!("--dbname={}", self.database));
        let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        let mut env = vec![("PATH".to_owned(), path.to_owned()), ("LC_ALL".into(), "C".into())];
        env.extend(self.password.iter().map(|password| ("PGPASSWORD".to_owned(), password.clone())));
        Command {
            argv,
            env,
            clean_env: true,
            stdin: Some(sql.into_bytes()),
            runas: self.runas.clone(),
            ..Command::default()
        }
    }

    /// The rows of a question, each with its columns as texts. Nothing can be changed by it.
    ///
    /// # Errors
    /// The server does not answer, or does not understand.
    pub fn rows(&self, look: &dyn Look, query: &str) -> Result<Vec<Map>, StateError> {
        let query = query.trim().trim_end_matches(';');
        let sql = format!("SET datestyle = 'ISO, MDY';\nCOPY ({query}) TO STDOUT WITH CSV HEADER;\n");
        let mut command = self.command(sql);
        command.env.push(("PGOPTIONS".into(), "-c default_transaction_read_only=on".into()));
        let output = look.probe(&command).map_err(|why| StateError::Missing(format!("psql: {why}")))?;
        match complained(&output) {
            Some(why) => Err(StateError::Missing(why)),
            None => Ok(table(&String::from_utf8_lossy(&output.stdout))),
        }
    }

    /// Carries statements out, all or none of them. Gives what the server complained of.
    pub fn run(&self, host: &dyn Host, statements: &[String]) -> Result<Option<String>, StateError> {
        let sql: String = match statements {
            [one] => format!("{one};\n"),
            all => format!("BEGIN;\n{}COMMIT;\n", all.iter().map(|one| format!("{one};\n")).collect::<String>()),
        };
        let output = host.run(&self.command(sql)).map_err(|why| StateError::failed(format!("psql: {why}")))?;
        Ok(complained(&output))
    }
}

fn configured(context: &Context<'_>, key: &str) -> Option<String> {
    let found = context.opts.get(key).or_else(|| context.look.grains().get(key)).or_else(|| context.pillar.get(key));
    found.filter(|value| truth(value)).map(python_str)
}

fn complained(output: &Output) -> Option<String> {
    (output.code != 0).then(|| command::complaint(output).replace("psql:<stdin>:", "line "))
}

/// A name as SQL has it.
pub fn name(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\"").replace('\0', ""))
}

/// A text as SQL has it.
pub fn text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''").replace('\0', ""))
}

/// The rows of a CSV text by the names in its first line.
fn table(csv: &str) -> Vec<Map> {
    let mut records = records(csv).into_iter();
    let Some(header) = records.next() else { return Vec::new() };
    let row = |record: Vec<String>| header.iter().cloned().zip(record.into_iter().map(Value::from)).collect();
    records.map(row).collect()
}

fn records(csv: &str) -> Vec<Vec<String>> {
    let (mut records, mut record, mut field, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut chars = csv.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, quoted) {
            ('"', true) if chars.next_if_eq(&'"').is_some() => field.push('"'),
            ('"', _) => quoted = !quoted,
            (',', false) => record.push(std::mem::take(&mut field)),
            ('\n', false) => {
                record.push(std::mem::take(&mut field));
                records.push(std::mem::take(&mut record));
            }
            _ => field.push(c),
        }
    }
    records
}

/// The members of an array as PostgreSQL prints one: `{a,"b c"}`.
pub fn members(array: &str) -> Vec<String> {
    let inner = array.trim_start_matches('{').trim_end_matches('}');
    if inner.is_empty() { Vec::new() } else { records(&format!("{inner}\n")).concat() }
}

/// What is known of the databases, by their names.
pub const DATABASES: &str = "SELECT d.datname AS \"Name\", r.rolname AS \"Owner\", \
    pg_encoding_to_char(d.encoding) AS \"Encoding\", d.datcollate AS \"Collate\", d.datctype AS \"Ctype\", \
    d.datacl AS \"Access privileges\", t.spcname AS \"Tablespace\" FROM pg_database d \
    JOIN pg_roles r ON r.oid = d.datdba JOIN pg_tablespace t ON t.oid = d.dattablespace";

/// The extensions of a database, with their schemas.
pub const EXTENSIONS: &str =
    "SELECT e.*, n.nspname AS schema_name FROM pg_extension e JOIN pg_namespace n ON e.extnamespace = n.oid";

/// The schemas of a database with their owners.
pub const SCHEMAS: &str = "SELECT n.nspname AS name, n.nspacl AS acl, r.rolname AS owner FROM pg_namespace n \
    LEFT JOIN pg_roles r ON r.oid = n.nspowner";

/// What is known of the roles. Only who may see passwords asks for them.
pub fn roles(passwords: bool) -> String {
    let (column, join) = match passwords {
        true => (", a.rolpassword AS password", " LEFT JOIN pg_authid a ON a.oid = r.oid"),
        false => ("", ""),
    };
    format!(
        "SELECT r.rolname AS name, r.rolsuper AS superuser, r.rolinherit AS \"inherits privileges\", \
         r.rolcreaterole AS \"can create roles\", r.rolcreatedb AS \"can create databases\", \
         r.rolcanlogin AS \"can login\", r.rolreplication AS replication, \
         (SELECT array_agg(g.rolname) FROM pg_auth_members m JOIN pg_roles g ON m.roleid = g.oid \
         WHERE m.member = r.oid) AS groups, r.rolvaliduntil::timestamp(0) AS \"expiry time\", \
         r.rolconfig AS \"defaults variables\"{column} FROM pg_roles r{join}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_prints_is_read() {
        let rows = table("a,b\n1,\"x,\"\"y\"\"\nz\"\n,\n");
        assert_eq!(serde_json::json!(rows), serde_json::json!([{"a": "1", "b": "x,\"y\"\nz"}, {"a": "", "b": ""}]));
        assert_eq!(table(""), Vec::<Map>::new());
        assert_eq!(
            (members("{a,\"b c\"}"), members("{}"), members("")),
            (vec!["a".into(), "b c".into()], vec![], vec![])
        );
    }

    #[test]
    fn names_and_texts_cannot_end_before_their_end() {
        assert_eq!((name("a\"; DROP"), text("it's")), ("\"a\"\"; DROP\"".into(), "'it''s'".into()));
    }
}
