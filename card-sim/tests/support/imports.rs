//! Commands that import keys.

/// p, q, dP, dQ and qInv of an RSA key of 1024 bits, computed with Python.
const RSA_1024: [&str; 5] = [
    "F9FD2B7DD9C5196A8DBD0377B8DC4A498A35D86FBCDE6ACCB2CC7D4CD8EA2492\
     2B23CCE7A26023AB3F0EEF693AC87F64258235EAB1F7A32DC22762A0485B41C7",
    "D4450E59FF72A79E82288F8544EC3C222F0F41DCB9F80CA308349C2443867EE9\
     7119E86EA7C49250B4323939570FFDF65677FD29F6F1E7FDDFF9979EDCB752D9",
    "EAAB873537C5776B782C93E1C24E410A31CD042538460E39A42AA4010CAB17B3\
     82FDB36F4A1537C69C8657A60FC1811CB0BD4001D618A23CE54275AA02E26FA7",
    "5E0AD627E3377DB18902C54B0AD50A732E9C38D6BC817BBFC303E3E56111362A\
     E053D5192934BA8A0CBB6F84CAE0A7E83A38E0AD75DD88A57E544AEB33E7F849",
    "0DF246ADE650C01BA2F11E7A99526592B3CD8E6CA0F0CA64A271619DBFF5F542\
     D0B265CE82A8D190D39D2C325712636B46158C8B2AF7D66FE93CAD7583B896B9",
];

/// A scalar of P-256.
pub(crate) const SCALAR: [u8; 32] = [0x5A; 32];

/// IMPORT ASYMMETRIC KEY of it, without policies, as cards of all stocks take it.
pub(crate) fn p256(reference: u8) -> Vec<u8> {
    [&[0x00, 0xFE, 0x11, reference, 0x22, 0x06, 0x20][..], &SCALAR].concat()
}

/// IMPORT ASYMMETRIC KEY of an algorithm to a key reference, in an extended command.
pub(crate) fn import(algorithm: u8, reference: u8, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap().to_be_bytes();
    [&[0x00, 0xFE, algorithm, reference, 0x00], &length[..], data].concat()
}

/// The data fields of good imports of keys that only YubiKeys have, each with its algorithm.
pub(crate) fn fields() -> [(u8, Vec<u8>); 3] {
    let curve25519 =
        |tag: u8| [&[tag, 0x20][..], &[0x5A; 32], &[0xAA, 0x01, 0x02, 0xAB, 0x01, 0x01]].concat();
    let rsa = (1..).zip(RSA_1024).flat_map(|(tag, number)| {
        let number = hex::decode(number).unwrap();
        [vec![tag, u8::try_from(number.len()).unwrap()], number].concat()
    });
    [(0xE0, curve25519(0x07)), (0xE1, curve25519(0x08)), (0x06, rsa.collect())]
}
