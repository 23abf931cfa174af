//! Files of the web, by way of `curl`, piece by piece into a file.

use std::{
    fs::Permissions,
    io::{self, Read},
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use states::look::Download;

use super::{files, full};

/// What is kept of curl's complaints.
const COMPLAINT: u64 = 4096;
/// How long the server may take to answer at all, in seconds.
const CONNECT: &str = "30";

/// Fetches a file; see [`states::Look::download`].
pub fn download(what: &Download, to: &Path) -> io::Result<()> {
    let folder = files::folder_of(to);
    let mut file = files::named(folder)?;
    let mut curl = curl(what)?;
    let written = full::named(to, pour(&mut curl, what, file.as_file_mut()));
    if written.is_err() {
        // It may just have ended by itself.
        let _ = curl.kill();
    }
    let complaint = complaint(&mut curl);
    let status = curl.wait()?;
    written?;
    if !status.success() {
        return Err(io::Error::other(format!("{}: {complaint}", what.url)));
    }
    file.as_file().set_permissions(Permissions::from_mode(0o600))?;
    file.persist(to).map(drop).map_err(|error| error.error)
}

fn curl(what: &Download) -> io::Result<Child> {
    if let Some(header) = what.headers.iter().find(|header| header.starts_with('@') || header.contains(['\n', '\r'])) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{header:?} is no header of a request")));
    }
    let program = super::search::which("curl")
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "curl, which fetches files of the web, is missing"))?;
    let mut command = Command::new(program);
    // No configuration of root's own: what is fetched is what the state says.
    command.args(["-q", "-fsSL", "--proto", "=http,https,ftp", "--proto-redir", "=http,https,ftp"]);
    command.args(["--connect-timeout", CONNECT, "--max-time", &what.timeout.as_secs().max(1).to_string()]);
    command.args(["--max-filesize", &what.limit.to_string()]);
    command.args((!what.verify_ssl).then_some("--insecure"));
    command.args(what.headers.iter().flat_map(|header| ["--header", header]));
    command.args(["--", &what.url]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.env("LC_ALL", "C").current_dir("/").process_group(0).spawn()
}

fn pour(curl: &mut Child, what: &Download, file: &mut std::fs::File) -> io::Result<()> {
    let Some(from): Option<ChildStdout> = curl.stdout.take() else { return Ok(()) };
    // curl goes by what the server says of the length, which may be nothing, or a lie.
    if io::copy(&mut from.take(what.limit.saturating_add(1)), file)? > what.limit {
        let why = format!("{} is larger than {} bytes, which http_max_body allows", what.url, what.limit);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    Ok(())
}

fn complaint(curl: &mut Child) -> String {
    let mut said = Vec::new();
    if let Some(stderr) = curl.stderr.take() {
        let _ = stderr.take(COMPLAINT).read_to_end(&mut said);
    }
    String::from_utf8_lossy(&said).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use std::{io::Write, net::TcpListener, time::Duration};

    use super::*;

    /// A server that answers once.
    fn server(answer: Vec<u8>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/file", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let _ = stream.write_all(&answer);
        });
        url
    }

    fn fetch(answer: Vec<u8>, limit: u64) -> (io::Result<()>, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let timeout = Duration::from_secs(20);
        let what = Download { url: server(answer), limit, timeout, verify_ssl: true, headers: Vec::new() };
        (download(&what, &folder.path().join("file")), folder)
    }

    #[test]
    fn a_file_comes_whole_or_not_at_all() {
        let body = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        let (fetched, folder) = fetch(body.to_vec(), 5);
        fetched.unwrap();
        assert_eq!(std::fs::read(folder.path().join("file")).unwrap(), b"hello");
        let (cut, folder) = fetch(body[..body.len() - 1].to_vec(), 5);
        assert!(cut.is_err() && files::list(folder.path()).unwrap().is_empty());
    }

    #[test]
    fn more_than_the_limit_is_an_error_whatever_the_server_says_of_it() {
        let mut endless = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
        endless.resize(1 << 20, b'x');
        for answer in [endless, b"HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\nx".to_vec()] {
            let (fetched, folder) = fetch(answer, 1000);
            assert!(fetched.is_err() && files::list(folder.path()).unwrap().is_empty());
        }
    }

    #[test]
    fn what_a_server_refuses_is_told_with_its_address() {
        let (fetched, _folder) = fetch(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec(), 10);
        let why = fetched.unwrap_err().to_string();
        assert!(why.contains("/file: curl: ") && why.contains("404"), "{why}");
    }

    #[test]
    fn a_header_cannot_name_a_file() {
        let what = Download {
            url: "http://127.0.0.1:1/".into(),
            limit: 1,
            timeout: Duration::from_secs(1),
            verify_ssl: true,
            headers: vec!["@/etc/shadow".into()],
        };
        assert_eq!(curl(&what).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
