//! TLS as a check needs it: a handshake that goes through even where the certificate is not trusted,
//! so that it can be told what is wrong with it and how long it holds.

use std::{
    fs,
    net::TcpStream,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    StreamOwned,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};

/// Where systems keep the certificates of the authorities that they trust, all in one file.
const BUNDLES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

pub type Stream = StreamOwned<ClientConnection, TcpStream>;

/// A connection, and what was seen of the server's certificate.
pub struct Secured {
    pub stream: Stream,
    /// The server's own, in DER.
    pub certificate: Vec<u8>,
    /// Why it is not trusted.
    pub distrust: Option<String>,
}

/// Shakes hands on a connection. `name` is whom the certificate must be of; `bundle` are the authorities
/// that count, the system's if there is none.
///
/// # Errors
/// No TLS is spoken there, or none that is spoken here.
pub fn secure(stream: TcpStream, name: &str, bundle: Option<&PathBuf>, timeout: Duration) -> Result<Secured, String> {
    let wrong = |error: Error| format!("{name}: {error}");
    stream.set_read_timeout(Some(timeout)).map_err(|error| format!("{name}: {error}"))?;
    let provider = Arc::new(ring::default_provider());
    let judge =
        Arc::new(Judge { inner: authority(bundle, &provider)?, provider: provider.clone(), found: Mutex::default() });
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(wrong)?
        .dangerous()
        .with_custom_certificate_verifier(judge.clone())
        .with_no_client_auth();
    let whom = ServerName::try_from(name.to_owned()).map_err(|_| format!("{name} is no name of a server"))?;
    let mut connection = ClientConnection::new(Arc::new(config), whom).map_err(wrong)?;
    let mut socket = stream;
    while connection.is_handshaking() {
        connection.complete_io(&mut socket).map_err(|error| format!("{name}: no TLS: {error}"))?;
    }
    let certificate = connection.peer_certificates().and_then(|all| all.first()).map(|first| first.to_vec());
    let certificate = certificate.ok_or_else(|| format!("{name} has shown no certificate"))?;
    let distrust = judge.found.lock().unwrap_or_else(PoisonError::into_inner).take();
    Ok(Secured { stream: StreamOwned::new(connection, socket), certificate, distrust })
}

/// Whoever says whether a certificate is trusted; nobody, where there are no authorities.
fn authority(
    bundle: Option<&PathBuf>,
    provider: &Arc<CryptoProvider>,
) -> Result<Option<Arc<WebPkiServerVerifier>>, String> {
    let mut roots = RootCertStore::empty();
    let text = match bundle {
        Some(path) => fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?,
        None => BUNDLES.iter().find_map(|path| fs::read(path).ok()).unwrap_or_default(),
    };
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&text).filter_map(Result::ok));
    if roots.is_empty() {
        return Ok(None);
    }
    let made = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
    made.map(Some).map_err(|error| error.to_string())
}

/// Lets every certificate pass, and remembers what was wrong with it. Signatures of the handshake are
/// checked: who shows a certificate has its key.
#[derive(Debug)]
struct Judge {
    inner: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
    found: Mutex<Option<String>>,
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let why = match &self.inner {
            None => Some("this host knows no authorities".to_owned()),
            Some(inner) => {
                inner.verify_server_cert(certificate, between, name, ocsp, now).err().map(|error| reason(&error))
            }
        };
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = why;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn reason(error: &Error) -> String {
    let Error::InvalidCertificate(why) = error else { return error.to_string() };
    match why {
        CertificateError::UnknownIssuer => "no authority that this host trusts has signed it".into(),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired".into(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "it is not valid yet".into(),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it is of another name".into()
        }
        CertificateError::Revoked => "it was revoked".into(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
pub mod tests {
    use std::{
        io::{Read, Write},
        net::TcpListener,
        sync::LazyLock,
    };

    use rustls::{ServerConfig, ServerConnection, pki_types::PrivateKeyDer};

    use super::*;

    /// A certificate of `localhost` that nobody has signed but itself.
    pub static CERTIFICATE: LazyLock<String> = LazyLock::new(|| MADE.cert.pem());
    static MADE: LazyLock<rcgen::CertifiedKey<rcgen::KeyPair>> =
        LazyLock::new(|| rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap());

    /// A server that answers each of so many connections with this text. Gives its port.
    pub fn server(answers: usize, text: &'static str) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let chain = vec![MADE.cert.der().clone()];
        let key = PrivateKeyDer::try_from(MADE.signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let config = Arc::new(config);
        std::thread::spawn(move || {
            for socket in listener.incoming().take(answers) {
                let mut stream = StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), socket.unwrap());
                // Whoever only wants the certificate says nothing.
                if stream.read(&mut [0; 1024]).is_ok_and(|length| length > 0) {
                    let _ = stream.write_all(text.as_bytes());
                }
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        });
        port
    }

    #[test]
    fn a_certificate_that_is_not_trusted_is_seen_all_the_same() {
        let port = server(3, "");
        let folder = tempfile::tempdir().unwrap();
        let bundle = folder.path().join("ca.pem");
        fs::write(&bundle, &*CERTIFICATE).unwrap();
        let seen = |name: &str, bundle: Option<&PathBuf>| {
            let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
            let secured = secure(socket, name, bundle, Duration::from_secs(20)).unwrap();
            assert!(secured.certificate.len() > 100);
            secured.distrust
        };
        assert_eq!(seen("localhost", Some(&bundle)), None);
        assert_eq!(seen("example.org", Some(&bundle)).as_deref(), Some("it is of another name"));
        let stranger = seen("localhost", None).unwrap();
        assert!(stranger.contains("authorit"), "{stranger}");
    }

    #[test]
    fn what_is_no_tls_is_told_as_such() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        std::thread::spawn(move || listener.accept().unwrap().0.write_all(b"SSH-2.0-x\r\nSSH-2.0-x\r\n"));
        let why = secure(socket, "localhost", None, Duration::from_secs(20)).err().unwrap();
        assert!(why.starts_with("localhost: no TLS"), "{why}");
    }
}
