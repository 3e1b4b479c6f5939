//! The object identifiers of a PIV card's certificates and signed objects, in one table.
//!
//! Those of the PIV arc `2.16.840.1.101.3.6` come from FIPS 201-3, appendix B, and the Common Policy's certificate
//! profiles. The policies are the test policies that NIST and GSA test cards assert: no relying party that trusts real
//! PIV cards accepts them.

use der::asn1::ObjectIdentifier;

macro_rules! table {
    ($($(#[$doc:meta])* $name:ident = $value:literal;)*) => {
        $($(#[$doc])* pub(crate) const $name: ObjectIdentifier = ObjectIdentifier::new_unwrap($value);)*
    };
}

table! {
    // Names (RFC 5280, 4.1.2.4)
    COMMON_NAME = "2.5.4.3";
    SERIAL_NUMBER = "2.5.4.5";
    COUNTRY = "2.5.4.6";
    ORGANIZATION = "2.5.4.10";
    ORGANIZATIONAL_UNIT = "2.5.4.11";

    // Keys, hashes and signatures (RFC 5480, RFC 8017, RFC 5754, RFC 5758, RFC 8410)
    RSA_ENCRYPTION = "1.2.840.113549.1.1.1";
    SHA_256_WITH_RSA = "1.2.840.113549.1.1.11";
    SHA_384_WITH_RSA = "1.2.840.113549.1.1.12";
    RSA_PSS = "1.2.840.113549.1.1.10";
    EC_PUBLIC_KEY = "1.2.840.10045.2.1";
    CURVE_P256 = "1.2.840.10045.3.1.7";
    CURVE_P384 = "1.3.132.0.34";
    X25519 = "1.3.101.110";
    ED25519 = "1.3.101.112";
    ECDSA_WITH_SHA_256 = "1.2.840.10045.4.3.2";
    ECDSA_WITH_SHA_384 = "1.2.840.10045.4.3.3";
    SHA_1 = "1.3.14.3.2.26";
    SHA_256 = "2.16.840.1.101.3.4.2.1";
    SHA_384 = "2.16.840.1.101.3.4.2.2";

    // Certificate extensions (RFC 5280, 4.2)
    SUBJECT_KEY_IDENTIFIER = "2.5.29.14";
    KEY_USAGE = "2.5.29.15";
    SUBJECT_ALT_NAME = "2.5.29.17";
    BASIC_CONSTRAINTS = "2.5.29.19";
    CRL_DISTRIBUTION_POINTS = "2.5.29.31";
    CERTIFICATE_POLICIES = "2.5.29.32";
    AUTHORITY_KEY_IDENTIFIER = "2.5.29.35";
    EXTENDED_KEY_USAGE = "2.5.29.37";
    AUTHORITY_INFO_ACCESS = "1.3.6.1.5.5.7.1.1";
    ACCESS_OCSP = "1.3.6.1.5.5.7.48.1";
    ACCESS_CA_ISSUERS = "1.3.6.1.5.5.7.48.2";
    /// NACI indicator: whether the background check is still open. SP 800-85B looks for it.
    PIV_INTERIM = "2.16.840.1.101.3.6.9.1";

    // Extended key usages
    EKU_CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";
    EKU_EMAIL_PROTECTION = "1.3.6.1.5.5.7.3.4";
    EKU_OCSP_SIGNING = "1.3.6.1.5.5.7.3.9";
    EKU_DOCUMENT_SIGNING = "1.3.6.1.4.1.311.10.3.12";
    EKU_SMART_CARD_LOGON = "1.3.6.1.4.1.311.20.2.2";
    EKU_PKINIT_CLIENT = "1.3.6.1.5.2.3.4";
    EKU_PIV_CONTENT_SIGNING = "2.16.840.1.101.3.6.7";
    /// Content signers of PIV-I cards.
    EKU_PIV_I_CONTENT_SIGNING = "2.16.840.1.101.3.8.7";
    EKU_PIV_CARD_AUTH = "2.16.840.1.101.3.6.8";

    // OCSP (RFC 6960, appendix B)
    OCSP_BASIC = "1.3.6.1.5.5.7.48.1.1";
    OCSP_NONCE = "1.3.6.1.5.5.7.48.1.2";
    OCSP_NO_CHECK = "1.3.6.1.5.5.7.48.1.5";

    // Test policies, 2.16.840.1.101.3.2.1.48
    ANY_POLICY = "2.5.29.32.0";
    POLICY_TEST_HARDWARE = "2.16.840.1.101.3.2.1.48.9";
    POLICY_TEST_AUTHENTICATION = "2.16.840.1.101.3.2.1.48.11";
    POLICY_TEST_CARD_AUTHENTICATION = "2.16.840.1.101.3.2.1.48.13";
    POLICY_TEST_CONTENT_SIGNING = "2.16.840.1.101.3.2.1.48.86";

    // Other names in subjectAltName
    USER_PRINCIPAL_NAME = "1.3.6.1.4.1.311.20.2.3";
    PIV_FASCN = "2.16.840.1.101.3.6.6";

    // Signed data (RFC 5652) and its attributes
    SIGNED_DATA = "1.2.840.113549.1.7.2";
    ATTRIBUTE_CONTENT_TYPE = "1.2.840.113549.1.9.3";
    ATTRIBUTE_MESSAGE_DIGEST = "1.2.840.113549.1.9.4";
    ATTRIBUTE_PIV_SIGNER_DN = "2.16.840.1.101.3.6.5";
    ATTRIBUTE_ENTRY_UUID = "1.3.6.1.1.16.4";
    CONTENT_CHUID = "2.16.840.1.101.3.6.1";
    CONTENT_BIOMETRIC = "2.16.840.1.101.3.6.2";
    /// The old identifier of ICAO's LDS security object, which PIV cards use; not 2.23.136.1.1.1.
    CONTENT_LDS_SECURITY_OBJECT = "1.3.27.1.1.1";
}
