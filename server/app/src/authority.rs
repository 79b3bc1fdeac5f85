//! The installation's own authority: what it signs are the certificates by which workers are known over TLS, and nothing else.
//!
//! It is made by the first server that needs it and kept in the database, so that all servers, and each after a restart, are the same authority.

use std::time::Duration;

use rand::TryRngCore as _;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKey, SerialNumber,
};
use sha2::{Digest as _, Sha256};
use sprout_domain::{Error, Result, Secret, Timestamp, WorkerId};

use crate::{App, ports::AuthorityRow, work::repeated};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a worker's certificate is valid.
pub(crate) const VALIDITY: Duration = DAY.saturating_mul(90);
/// How long the authority is valid; with its key lost or leaked the installation's workers join anew.
const AUTHORITY_VALIDITY: Duration = DAY.saturating_mul(365 * 30);
/// Whoever's clock is behind by less than this finds a new certificate valid.
const SKEW: Duration = Duration::from_secs(60 * 60);
/// Longest signing request that is read, in bytes; usual ones have some hundred.
const MAX_REQUEST: usize = 8 << 10;

/// A worker's key as it asks to have it certified, with the proof that the key is its own.
#[derive(Debug, Clone)]
pub(crate) struct SigningRequest {
    key: PublicKey,
    /// SHA-256 of the request, hexadecimal.
    pub(crate) hash: String,
}

impl SigningRequest {
    /// Reads a request (DER) and checks its signature.
    pub(crate) fn read(der: &[u8]) -> Result<Self> {
        let wrong = |what: &str| {
            Error::invalid(
                "signing_request",
                format!("the certificate signing request {what}; send PKCS #10 in DER, with an ECDSA P-256 key"),
            )
        };
        if der.is_empty() || der.len() > MAX_REQUEST {
            return Err(wrong("is missing or longer than 8 KiB"));
        }
        let request = CertificateSigningRequestParams::from_der(&der.into());
        let request = request.map_err(|error| wrong(&format!("cannot be used ({error})")))?;
        if *request.public_key.algorithm() != PKCS_ECDSA_P256_SHA256 {
            return Err(wrong("has a key of another kind"));
        }
        Ok(Self { key: request.public_key, hash: format!("{:x}", Sha256::digest(der)) })
    }
}

/// The authority, ready to sign.
pub(crate) struct Authority {
    /// Its certificate, PEM.
    pub(crate) certificate: String,
    key: Secret,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn read(row: AuthorityRow) -> Result<Self> {
        let key = KeyPair::from_pem(row.key.expose()).map_err(|_| unreadable("key"))?;
        let issuer = Issuer::from_ca_cert_pem(&row.certificate, key).map_err(|_| unreadable("certificate"))?;
        Ok(Self { certificate: row.certificate, key: row.key, issuer })
    }

    /// Signs a certificate for a worker. Of the request only the key is taken.
    pub(crate) fn certify(&self, worker: &WorkerId, request: &SigningRequest, now: Timestamp) -> Result<String> {
        let mut params = named(&worker.0, now, VALIDITY)?;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        Ok(params.signed_by(&request.key, &self.issuer).map_err(Error::internal)?.pem())
    }

    /// 256 bits that are always the same for these two secrets-and-hashes, and that nobody can tell without the authority's key.
    pub(crate) fn derive(&self, purpose: &str, token: &Secret, request: &SigningRequest) -> [u8; 32] {
        // Parts of one length each, so no two inputs read alike.
        let parts = [purpose, self.key.expose(), token.expose(), &request.hash].map(Sha256::digest);
        Sha256::digest(parts.concat()).into()
    }
}

impl App {
    /// The certificate (PEM) of the authority that signs workers' certificates.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn authority_certificate(&self) -> Result<String> {
        Ok(self.authority().await?.certificate.clone())
    }

    /// The authority, made now if this is the first time that it is needed.
    pub(crate) async fn authority(&self) -> Result<&Authority> {
        self.authority.get_or_try_init(|| repeated(|| self.look_for_authority())).await
    }

    async fn look_for_authority(&self) -> Result<Authority> {
        if let Some(row) = self.ports.store.read().await?.authority().await? {
            return Authority::read(row);
        }
        let mut work = self.work().await?;
        let new = generate(&self.installation_id, work.tx.now())?;
        work.tx.insert_authority(&new).await?;
        work.commit().await?;
        // Another server may have been first; what the database has counts.
        let row = self.ports.store.read().await?.authority().await?;
        Authority::read(row.ok_or_else(|| Error::internal("the authority was not written"))?)
    }
}

/// The worker that a certificate (DER) names; none if it names none. Whose signature is on it was checked by who let the connection in.
pub fn certified_worker(der: &[u8]) -> Option<WorkerId> {
    let (_, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
    let name = certificate.subject().iter_common_name().next()?.as_str().ok()?;
    Some(WorkerId(name.to_owned()))
}

fn generate(installation: &str, now: Timestamp) -> Result<AuthorityRow> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(Error::internal)?;
    let mut params = named(&format!("Sprout installation {installation}"), now, AUTHORITY_VALIDITY)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let certificate = params.self_signed(&key).map_err(Error::internal)?.pem();
    Ok(AuthorityRow { certificate, key: Secret::new(key.serialize_pem()) })
}

/// A certificate with this name, valid from now on.
fn named(name: &str, now: Timestamp, validity: Duration) -> Result<CertificateParams> {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let since_epoch = (now - Timestamp::UNIX_EPOCH).to_std().map_err(Error::internal)?;
    let now = rcgen::date_time_ymd(1970, 1, 1) + since_epoch;
    (params.not_before, params.not_after) = (now - SKEW, now + validity);
    let mut serial = [0_u8; 16];
    rand::rngs::OsRng.try_fill_bytes(&mut serial).map_err(Error::internal)?;
    serial[0] = serial[0] & 0x7f | 0x40; // positive, and of one length
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    Ok(params)
}

fn unreadable(what: &str) -> Error {
    Error::internal(format!("the authority's {what} in the database cannot be read; restore the table authority"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authority(now: Timestamp) -> Authority {
        Authority::read(generate("abc", now).unwrap()).unwrap()
    }

    fn request() -> (KeyPair, Vec<u8>) {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        // What it asks for is not what it gets.
        let mut params = CertificateParams::new(["server.example".to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let der = params.serialize_request(&key).unwrap().der().to_vec();
        (key, der)
    }

    #[test]
    fn a_certificate_names_the_worker_is_for_clients_only_and_ends() {
        let now = Timestamp::from_timestamp(1_800_000_000, 0).unwrap();
        let authority = authority(now);
        let (key, der) = request();
        let pem = authority.certify(&"lab-1".into(), &SigningRequest::read(&der).unwrap(), now).unwrap();
        let (_, pem) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).unwrap();
        assert_eq!(certified_worker(&pem.contents), Some("lab-1".into()));
        let certificate = pem.parse_x509().unwrap();
        let (_, root) = x509_parser::pem::parse_x509_pem(authority.certificate.as_bytes()).unwrap();
        let root = root.parse_x509().unwrap();
        certificate.verify_signature(Some(root.public_key())).unwrap();
        assert!(root.is_ca() && !certificate.is_ca());
        assert!(certificate.subject_alternative_name().unwrap().is_none(), "what the worker asked for is ignored");
        let usage = certificate.extended_key_usage().unwrap().unwrap().value;
        assert!(usage.client_auth && !usage.server_auth && !usage.any);
        let validity = certificate.validity();
        assert_eq!(validity.not_before.timestamp(), 1_800_000_000 - 3600);
        assert_eq!(validity.not_after.timestamp(), 1_800_000_000 + 90 * 86_400);
        assert_eq!(*certificate.public_key().subject_public_key.data, *key.public_key_raw());
    }

    #[test]
    fn requests_that_cannot_be_used_are_told() {
        let (_, good) = request();
        let mut forged = good.clone();
        *forged.last_mut().unwrap() ^= 1;
        let other = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let other = CertificateParams::default().serialize_request(&other).unwrap().der().to_vec();
        for wrong in [vec![], b"nonsense".to_vec(), vec![0x30; MAX_REQUEST + 1], forged, other] {
            let error = SigningRequest::read(&wrong).unwrap_err();
            assert!(error.message.contains("send PKCS #10"), "{error}");
        }
        assert!(SigningRequest::read(&good).is_ok());
    }

    #[test]
    fn what_is_derived_is_the_same_again_and_differs_with_each_part() {
        let now = Timestamp::from_timestamp(1_800_000_000, 0).unwrap();
        let (ours, others) = (authority(now), authority(now));
        let [one, two] = [request().1, request().1].map(|der| SigningRequest::read(&der).unwrap());
        let [a, b] = ["a", "b"].map(Secret::new);
        let first = ours.derive("x", &a, &one);
        assert_eq!(first, ours.derive("x", &a, &one));
        for other in [
            ours.derive("y", &a, &one),
            ours.derive("x", &b, &one),
            ours.derive("x", &a, &two),
            others.derive("x", &a, &one),
        ] {
            assert_ne!(first, other);
        }
    }
}
