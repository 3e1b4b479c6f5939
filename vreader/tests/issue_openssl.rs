//! Issued cards as OpenSSL sees them: chains, profiles, signatures and hashes are checked by code that is not ours.

use apdu::tlv_ber::Reader;
use card_sim::{crypto::Crypto, key::AsymmetricAlgorithm};
use vreader::{
    crypto::DefaultCrypto,
    issue::{self, Request},
};

#[path = "support/bench.rs"]
mod bench;

use bench::{Bench, openssl, text};

const CHUID: u32 = 0x5F_C102;
const FINGERPRINTS: u32 = 0x5F_C103;
const SECURITY_OBJECT: u32 = 0x5F_C106;
const FACE: u32 = 0x5F_C108;

/// The containers of 9A, 9C, 9D and 9E.
const CERTIFICATES: [(&str, u32); 4] =
    [("9A", 0x5F_C105), ("9C", 0x5F_C10A), ("9D", 0x5F_C10B), ("9E", 0x5F_C101)];

/// A card of which only the algorithms are chosen.
fn of(algorithm: AsymmetricAlgorithm, pki_algorithm: Option<AsymmetricAlgorithm>) -> Bench {
    let request = Request { seed: Some(1), algorithm, pki_algorithm, ..Request::default() };
    Bench::new(issue::issue(&request, &mut DefaultCrypto::new(), &mut |_| {}).unwrap())
}

/// Every combination that somebody would choose, for what does not depend on the details.
fn benches() -> Vec<Bench> {
    use AsymmetricAlgorithm::{EccP256, EccP384, Rsa2048};
    vec![of(EccP256, None), of(EccP384, None), of(Rsa2048, None), of(EccP256, Some(Rsa2048))]
}

#[test]
fn chains_lead_to_the_root() {
    for bench in benches() {
        for (_, tag) in CERTIFICATES {
            bench.verify_chain(bench.element(tag, 0x70));
        }
        bench.verify_chain(bench.card.pki.content_signer.certificate_der());
    }
}

#[test]
fn certificates_hold_the_keys_of_their_slots() {
    for bench in benches() {
        let mut crypto = DefaultCrypto::new();
        for ((reference, key, _), (name, tag)) in bench.card.keys.iter().zip(CERTIFICATES) {
            assert_eq!(format!("{:02X}", reference.to_byte()), name);
            let der = bench.write("slot.der", bench.element(tag, 0x70));
            let pem = openssl(&["x509", "-inform", "DER", "-in", text(&der), "-noout", "-pubkey"]);
            let public = bench.write("public.pem", pem.as_bytes());
            let digest = [0x5A; 32];
            let (signature, options) = sign(&mut crypto, key, &digest);
            let signature = bench.write("slot.signature", &signature);
            let digest = bench.write("digest", &digest);
            let mut arguments = vec!["pkeyutl", "-verify", "-pubin", "-inkey", text(&public)];
            arguments.extend(["-in", text(&digest), "-sigfile", text(&signature)]);
            arguments.extend(options);
            assert!(openssl(&arguments).contains("Signature Verified Successfully"), "{name}");
        }
    }
}

/// A signature over `digest` in the form that OpenSSL reads, and the options that tell it the form.
fn sign(
    crypto: &mut DefaultCrypto,
    key: &card_sim::key::PrivateKey,
    digest: &[u8; 32],
) -> (Vec<u8>, &'static [&'static str]) {
    let size = key.algorithm().size();
    if key.algorithm().is_rsa() {
        // PKCS #1 type 1 without a DigestInfo, which is OpenSSL's default.
        let padding = vec![0xFF; size - digest.len() - 3];
        let mut block = [&[0, 1][..], &padding, &[0], digest].concat();
        crypto.rsa_private(key, &mut block).unwrap();
        return (block, &["-pkeyopt", "rsa_padding_mode:pkcs1"]);
    }
    // A shorter digest is a number with leading zeros (SEC 1, 4.1.3).
    let mut padded = vec![0; size];
    padded[size - digest.len()..].copy_from_slice(digest);
    let mut signature = vec![0; 2 * size];
    crypto.ecdsa_sign(key, &padded, &mut signature).unwrap();
    let integer = |value: &[u8]| {
        let value: Vec<u8> = value.iter().copied().skip_while(|byte| *byte == 0).collect();
        let sign = if value[0] & 0x80 == 0 { vec![] } else { vec![0] };
        [&[0x02, u8::try_from(sign.len() + value.len()).unwrap()][..], &sign, &value].concat()
    };
    let (r, s) = signature.split_at(size);
    let content = [integer(r), integer(s)].concat();
    ([&[0x30, u8::try_from(content.len()).unwrap()][..], &content].concat(), &[])
}

/// SP 800-85B, 11.1 to 11.4, line by line as OpenSSL prints it. Lines without indentation are joined with a space.
#[test]
fn certificates_have_the_profiles_of_the_conformance_test() {
    const COMMON: [&str; 7] = [
        "Version: 3 (0x2)",
        "Issuer: C = US, O = Sample Organization, OU = Sample PKI, CN = Sample Issuing CA",
        "Not Before: Jan 1 00:00:00 2026 GMT",
        "Not After : Dec 31 23:59:59 2031 GMT",
        "CA Issuers - URI:http://pki.example.com/sample-issuing-ca.p7c",
        "OCSP - URI:http://ocsp.example.com/sample-issuing-ca",
        "URI:http://pki.example.com/sample-issuing-ca.crl",
    ];
    let bench = of(AsymmetricAlgorithm::Rsa2048, None);
    let curve = of(AsymmetricAlgorithm::EccP256, None);
    let (person, numbers) = (&bench.card.person, &bench.card.numbers);
    let holder = format!("Subject: C = US, O = Sample Organization, OU = Sample Cards, CN = {}", person.name);
    let fascn = hex::encode_upper(numbers.fascn_bytes);
    let card = format!("Subject: C = US, O = Sample Organization, OU = Sample Cards, serialNumber = {fascn}");
    let mail = format!("X509v3 Subject Alternative Name: email:{}", person.email);
    let logon = format!("othername: UPN::{}, URI:{}", person.principal_name, numbers.guid.urn());
    let uuid = format!(
        "X509v3 Subject Alternative Name: othername: 2.16.840.1.101.3.6.6::<unsupported>, URI:{}",
        numbers.guid.urn()
    );
    let signature = "X509v3 Key Usage: critical Digital Signature X509v3";
    let profiles: [(u32, &[&str]); 4] = [
        (
            0x5F_C105,
            &[
                &holder,
                signature,
                "X509v3 Extended Key Usage: TLS Web Client Authentication, Microsoft Smartcard Login, \
                 PKINIT Client Auth X509v3",
                "Policy: 2.16.840.1.101.3.2.1.48.11",
                "X509v3 Subject Alternative Name: othername: 2.16.840.1.101.3.6.6::<unsupported>, othername",
                &logon,
                "2.16.840.1.101.3.6.9.1:",
            ],
        ),
        (
            0x5F_C10A,
            &[
                &holder,
                "X509v3 Key Usage: critical Digital Signature, Non Repudiation X509v3",
                "X509v3 Extended Key Usage: E-mail Protection X509v3",
                "Policy: 2.16.840.1.101.3.2.1.48.9",
                &mail,
            ],
        ),
        (
            0x5F_C10B,
            &[
                &holder,
                "X509v3 Key Usage: critical Key Encipherment X509v3",
                "X509v3 Extended Key Usage: E-mail Protection X509v3",
                "Policy: 2.16.840.1.101.3.2.1.48.9",
                &mail,
            ],
        ),
        (
            0x5F_C101,
            &[
                &card,
                signature,
                "X509v3 Extended Key Usage: critical 2.16.840.1.101.3.6.8 X509v3",
                "Policy: 2.16.840.1.101.3.2.1.48.13",
                &uuid,
                "2.16.840.1.101.3.6.9.1:",
            ],
        ),
    ];
    let flat = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    for (tag, lines) in profiles {
        let printed = flat(bench.print(tag));
        for line in COMMON.iter().chain(lines) {
            assert!(printed.contains(line), "{tag:06X} lacks '{line}':\n{printed}");
        }
        assert!(printed.contains("Exponent: 65537 (0x10001)"));
        // The interim indicator is only for 9A and 9E.
        let has_indicator = printed.contains("2.16.840.1.101.3.6.9.1:");
        assert_eq!(has_indicator, matches!(tag, 0x5F_C105 | 0x5F_C101), "{tag:06X}");
    }
    assert!(flat(curve.print(0x5F_C10B)).contains("X509v3 Key Usage: critical Key Agreement X509v3"));
}

#[test]
fn the_content_signer_outlives_the_card() {
    let bench = of(AsymmetricAlgorithm::EccP256, None);
    let der = bench.write("signer.der", bench.card.pki.content_signer.certificate_der());
    let printed = openssl(&["x509", "-inform", "DER", "-in", text(&der), "-noout", "-text"]);
    let printed = printed.split_whitespace().collect::<Vec<_>>().join(" ");
    for line in [
        "Not After : Dec 31 23:59:59 2034 GMT",
        "CN = Sample PIV Content Signer",
        "X509v3 Key Usage: critical Digital Signature X509v3",
        "X509v3 Extended Key Usage: critical 2.16.840.1.101.3.6.7 X509v3",
        "Policy: 2.16.840.1.101.3.2.1.48.86",
    ] {
        assert!(printed.contains(line), "'{line}' is not in:\n{printed}");
    }
}

#[test]
fn the_chuid_is_signed() {
    for bench in benches() {
        let contents = bench.contents(CHUID);
        let elements: Vec<_> = Reader::single_byte_tags(contents).into_iter().map(Result::unwrap).collect();
        let tags: Vec<u32> = elements.iter().map(|element| element.tag.number()).collect();
        assert_eq!(tags, [0x30, 0x34, 0x35, 0x36, 0x3E, 0xFE]);
        // Everything but tag, length (82 xx xx) and value of 3E.
        let signature = bench.element(CHUID, 0x3E);
        let before = contents.len() - signature.len() - 4 - 2;
        let signed = [&contents[..before], &[0xFE, 0x00]].concat();
        assert_eq!(bench.verify_signed(signature, Some(&signed)).as_deref(), Ok(&*signed));
        let structure = bench.print_signed(signature);
        for line in
            ["version: 3", "2.16.840.1.101.3.6.1", "2.16.840.1.101.3.6.5", "issuerAndSerialNumber", "crls:"]
        {
            assert!(structure.contains(line), "'{line}' is not in:\n{structure}");
        }
        assert_eq!(structure.matches("d.certificate:").count(), 1, "{structure}");
        let forged = [&[signed[0] ^ 1][..], &signed[1..]].concat();
        let error = bench.verify_signed(signature, Some(&forged)).unwrap_err();
        assert!(error.contains("verification failure"), "{error}");
    }
}

#[test]
fn biometrics_are_signed() {
    for bench in benches() {
        for tag in [FINGERPRINTS, FACE] {
            let biometric = bench.element(tag, 0xBC);
            let number = |bytes: &[u8]| bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte));
            let (record_length, signature_length) = (number(&biometric[2..6]), number(&biometric[6..8]));
            assert_eq!(biometric.len(), 88 + record_length + signature_length);
            let (signed, signature) = biometric.split_at(88 + record_length);
            assert_eq!(bench.verify_signed(signature, Some(signed)).as_deref(), Ok(signed));
            let structure = bench.print_signed(signature);
            for line in [
                "version: 3",
                "2.16.840.1.101.3.6.2",
                "2.16.840.1.101.3.6.5",
                "2.16.840.1.101.3.6.6",
                "1.3.6.1.1.16.4",
            ] {
                assert!(structure.contains(line), "'{line}' is not in:\n{structure}");
            }
            assert!(!structure.contains("d.certificate:"), "{structure}");
        }
    }
}

#[test]
fn the_security_object_covers_every_unsigned_object() {
    for bench in benches() {
        let lds = bench.verify_signed(bench.element(SECURITY_OBJECT, 0xBB), None).unwrap();
        let hash = if lds.windows(9).any(|window| window == SHA_384) { "sha384" } else { "sha256" };
        let mut covered = Vec::new();
        for mapping in bench.element(SECURITY_OBJECT, 0xBA).chunks(3) {
            let container = u16::from_be_bytes([mapping[1], mapping[2]]);
            let row = card_sim::object::CONTAINERS.iter().find(|row| row.id == container).unwrap();
            let contents = bench.write("contents", bench.contents(row.tag.get()));
            let digest = bench.path("digest");
            openssl(&["dgst", "-binary", "-out", text(&digest), &format!("-{hash}"), text(&contents)]);
            let digest = std::fs::read(digest).unwrap();
            let entry =
                [&[0x02, 0x01, mapping[0], 0x04, u8::try_from(digest.len()).unwrap()][..], &digest].concat();
            assert!(lds.windows(entry.len()).any(|window| window == entry), "{}", row.name);
            covered.push(row.tag.get());
        }
        covered.sort_unstable();
        assert_eq!(covered, [0x7E, 0x5F_C102, 0x5F_C103, 0x5F_C107, 0x5F_C108, 0x5F_C109, 0x5F_C10C]);
        let structure = bench.print_signed(bench.element(SECURITY_OBJECT, 0xBB));
        assert!(structure.contains("1.3.27.1.1.1"), "{structure}");
        assert!(!structure.contains("d.certificate:"), "{structure}");
    }
}

/// id-sha384 in DER, without its tag and length.
const SHA_384: [u8; 9] = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02];
