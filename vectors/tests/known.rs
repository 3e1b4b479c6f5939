//! The tables in `known/` are right, and the oracle agrees with them.

use sha2::{Digest, Sha256, Sha384};
use vectors::{files, oracle};

fn table<const COLUMNS: usize>(name: &str) -> Vec<[String; COLUMNS]> {
    let rows = files::known(name).unwrap_or_else(|error| panic!("known/{name}: {error}"));
    assert!(!rows.is_empty(), "known/{name} has no rows");
    rows.into_iter().map(|row| row.try_into().unwrap_or_else(|row| panic!("known/{name}: {row:?}"))).collect()
}

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn blocks_of_the_card_management_key() {
    let mut algorithms = Vec::new();
    for row in table::<4>("management_key.tsv") {
        let [algorithm, key, block, encrypted] = row.map(|column| bytes(&column));
        assert_eq!(oracle::encrypt(&algorithm, &key, &block).as_ref(), Some(&encrypted));
        assert_eq!(oracle::decrypt(&algorithm, &key, &encrypted), Some(block));
        algorithms.extend(algorithm);
    }
    algorithms.dedup();
    assert_eq!(algorithms, [0x03, 0x0A, 0x08, 0x0C]);
}

#[test]
fn the_oracle_refuses_keys_and_blocks_of_other_lengths() {
    let rows: [(&[u8], usize, usize); 7] = [
        (&[3], 16, 8),
        (&[3], 24, 16),
        (&[8], 24, 16),
        (&[10], 16, 16),
        (&[12], 32, 15),
        (&[7], 16, 16),
        (&[], 16, 16),
    ];
    for (algorithm, key, block) in rows {
        assert_eq!(oracle::encrypt(algorithm, &vec![0; key], &vec![0; block]), None, "{algorithm:?}");
        assert_eq!(oracle::decrypt(algorithm, &vec![0; key], &vec![0; block]), None, "{algorithm:?}");
    }
}

#[test]
fn signatures_of_rfc_6979() {
    for [algorithm, message, scalar, point, digest, signature] in table("ecdsa.tsv") {
        let computed = match algorithm.as_str() {
            "11" => Sha256::digest(&message).to_vec(),
            "14" => Sha384::digest(&message).to_vec(),
            other => panic!("algorithm {other}"),
        };
        let [scalar, point, digest, signature] =
            [scalar, point, digest, signature].map(|column| bytes(&column));
        assert_eq!(digest, computed, "{message}");
        assert!(oracle::ecdsa(&point, &digest, &signature), "{message}");
        // The same point: the scalar's agreement with any point equals the agreement the other way round.
        let other = table::<6>("ecdsa.tsv").into_iter().find(|row| row[0] == algorithm).unwrap();
        assert_eq!(oracle::ecdh(&point, &bytes(&other[2])), oracle::ecdh(&bytes(&other[3]), &scalar));

        let mut changed = digest.clone();
        changed[0] ^= 1;
        assert!(!oracle::ecdsa(&point, &changed, &signature), "another digest");
        assert!(!oracle::ecdsa(&point, &digest[1..], &signature), "a shorter digest");
        assert!(!oracle::ecdsa(&point, &digest, &signature[1..]), "no DER");
        assert!(!oracle::ecdsa(&point[1..], &digest, &signature), "no point");
    }
}

/// The decimal fields of a FASC-N (facts/PIV.md A.4), or what is wrong with it.
fn fasc_n_fields(fasc_n: &[u8]) -> Result<String, String> {
    let bits: Vec<u8> = fasc_n.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
    // Four data bits, least significant first, then odd parity.
    let symbols: Vec<u8> =
        bits.chunks(5).map(|symbol| symbol.iter().rev().fold(0, |value, bit| value << 1 | bit)).collect();
    if symbols.len() != 40 || symbols.iter().any(|symbol| symbol.count_ones() % 2 == 0) {
        return Err("length or parity".into());
    }
    if symbols.iter().fold(0, |sum, symbol| sum ^ symbol) != 0 {
        return Err("longitudinal redundancy check".into());
    }
    let mut text = String::new();
    for symbol in &symbols[..39] {
        text.push(match symbol & 0x0F {
            digit @ 0..=9 => char::from(b'0' + digit),
            0xB => 'S',
            0xD => '-',
            0xF => 'E',
            other => return Err(format!("symbol {other}")),
        });
    }
    let [p, oc, oi, poa] = [22..32, 32..33, 33..37, 37..38].map(|range| text.get(range).unwrap_or_default());
    let start = text.get(1..22).ok_or("separators")?.trim_end_matches('-');
    match (text.starts_with('S'), text.ends_with('E')) {
        (true, true) => Ok(format!("{start}-{p}-{oc}-{oi}-{poa}")),
        _ => Err("start or end".into()),
    }
}

#[test]
fn fasc_ns_decode_to_their_fields() {
    for [fields, fasc_n, source] in table("fasc_n.tsv") {
        let decoded = fasc_n_fields(&bytes(&fasc_n));
        match fields.as_str() {
            "malformed" => assert_eq!(decoded, Err("symbol 12".into()), "{source}"),
            _ => assert_eq!(decoded, Ok(fields), "{source}"),
        }
    }
}
