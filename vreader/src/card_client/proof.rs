//! Whether a card has the private key of a certificate: it is asked for something that only the key can do.

use card_sim::key::KeyReference;
use der::Decode;
use rand_core::CryptoRng;
use x509_cert::Certificate;

use super::{CardClient, ClientError, template_value};
use crate::check::Challenge;

/// What a card says to the use of a key without the PIN.
const SECURITY_STATUS_NOT_SATISFIED: u16 = 0x6982;

pub(super) fn proves(
    client: &mut CardClient<'_, '_>,
    reference: KeyReference,
    certificate: &[u8],
    rng: &mut dyn CryptoRng,
) -> Result<Option<bool>, ClientError> {
    let certificate = Certificate::from_der(certificate)
        .map_err(|_| ClientError::Malformed("GET DATA of a certificate"))?;
    let key = certificate.tbs_certificate().subject_public_key_info();
    let byte = reference.to_byte();
    let challenge = Challenge::new(key, byte, rng).ok_or(ClientError::Crypto)?;
    let answer = client.send([0x00, 0x87, challenge.algorithm, byte], &challenge.template)?;
    if answer.status == SECURITY_STATUS_NOT_SATISFIED {
        return Ok(None);
    }
    let response = template_value(&answer.data, 0x82).unwrap_or_default();
    Ok(Some(answer.is_success() && challenge.is_met(key, &response)))
}
