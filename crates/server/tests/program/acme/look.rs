//! How a directory looks at a name: it connects by TLS-ALPN-01 (RFC 8737) and compares what it is shown.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use x509_cert::Certificate;
use x509_cert::der::{Decode as _, Encode as _};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// Trusts anybody: what is shown is looked at afterwards, and is signed by nobody else.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256, SignatureScheme::RSA_PSS_SHA256, SignatureScheme::ED25519]
    }
}

/// Opens TLS to a server as anybody may, with these protocols, and returns the connection with the certificate that was shown.
pub(super) async fn open(
    address: SocketAddr,
    name: &str,
    protocols: &[&[u8]],
) -> std::io::Result<(tokio_rustls::client::TlsStream<TcpStream>, Vec<u8>)> {
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().dangerous();
    let mut config = builder.with_custom_certificate_verifier(Arc::new(Anybody)).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, TcpStream::connect(address).await?).await?;
    let shown = stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
    Ok((stream, shown))
}

/// Looks at a name. Says what is wrong with what it was shown.
pub(super) async fn look(address: SocketAddr, name: &str, digest: &[u8]) -> Result<(), String> {
    let (mut stream, shown) = open(address, name, &[b"acme-tls/1"]).await.map_err(|error| error.to_string())?;
    if stream.get_ref().1.alpn_protocol() != Some(b"acme-tls/1") {
        return Err("acme-tls/1 was not agreed on".to_owned());
    }
    let certificate = Certificate::from_der(&shown).map_err(|error| error.to_string())?.tbs_certificate;
    let (_, names) = certificate.get::<SubjectAltName>().unwrap().ok_or("no names")?;
    let [GeneralName::DnsName(only)] = names.0.as_slice() else { return Err("not one name".to_owned()) };
    if only.as_str() != name {
        return Err(format!("it is for {only}"));
    }
    let extensions = certificate.extensions.unwrap_or_default();
    let identifier =
        extensions.iter().find(|extension| extension.extn_id.to_string() == "1.3.6.1.5.5.7.1.31").ok_or("no acmeIdentifier")?;
    let expected = x509_cert::der::asn1::OctetString::new(digest).unwrap().to_der().unwrap();
    if !identifier.critical || identifier.extn_value.as_bytes() != expected {
        return Err("the acmeIdentifier is another".to_owned());
    }
    // No request is answered here.
    let sent = stream.write_all(b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut answer = Vec::new();
    if sent.is_ok() && stream.read_to_end(&mut answer).await.is_ok() && !answer.is_empty() {
        return Err("a request was answered".to_owned());
    }
    Ok(())
}
