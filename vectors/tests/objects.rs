//! Data objects parse and re-encode to the same bytes, and come back from the card as they were put on it.

mod common;

use std::fmt::Write as _;
use std::path::PathBuf;

use apdu::tlv_ber::{Full, Reader, Tag, Writer};
use card_sim::object::Container;
use common::{RefusedBy, TestCard};
use vectors::files;
use vectors::recorded::card_objects;
use vectors::scenario::{Script, run};

/// The cards whose objects were recorded.
const NIST_CARDS: [u8; 5] = [2, 3, 4, 5, 16];

/// Every file of data objects that is there: our own, and those of the NIST cards.
fn object_files() -> Vec<PathBuf> {
    let mut paths = vec![files::own("known/objects.json")];
    for card in NIST_CARDS {
        paths.extend(
            files::shared(&format!("nist_sd33_card{card}_objects.json"))
                .unwrap_or_else(|error| panic!("{error}")),
        );
    }
    paths
}

/// How the tags inside an element are read.
#[derive(Clone, Copy)]
enum Inside {
    /// One byte each, as in most containers (SP 800-73-5 part 1, 4.1.1).
    SingleByte,
    /// BER.
    Ber,
}

/// Writes again what the reader reads; constructed BER elements are taken apart to the bottom.
fn rewrite(
    reader: Reader<'_>,
    inside: Inside,
    elements: &mut usize,
    writer: &mut Writer<'_>,
) -> Result<(), Full> {
    for element in reader {
        let element = element.expect("an element that can be read");
        *elements += 1;
        // The constructed tags of PIV. In 53 the bit that says so means nothing (CHUID: 30, 34, 35 …).
        let constructed =
            matches!(element.tag.number(), 0x53 | 0x7E | 0x7F61 | 0x7F60 | 0x7F21 | 0x7F49 | 0xA1);
        if !constructed {
            writer.tlv(element.tag, element.value)?;
            continue;
        }
        let inner = match inside {
            Inside::SingleByte if element.tag == Tag::new(0x53) => Reader::single_byte_tags(element.value),
            _ => Reader::new(element.value),
        };
        writer.nested(element.tag, |writer| rewrite(inner, inside, elements, writer))?;
    }
    Ok(())
}

#[test]
fn every_object_parses_and_re_encodes_to_the_same_bytes() {
    for path in object_files() {
        let file = card_objects(&path).unwrap_or_else(|error| panic!("{error}"));
        assert!(!file.objects.is_empty(), "{} holds nothing", path.display());
        for (tag, object) in &file.objects {
            let wrapped = Container::find(u32::from_str_radix(tag, 16).unwrap()).unwrap().tag.is_wrapped();
            let expected = if wrapped { "53" } else { tag };
            // The signer's container also holds a card verifiable certificate, 7F21, with BER inside.
            let inside = if tag == "5FC122" { Inside::Ber } else { Inside::SingleByte };
            let mut buffer = vec![0; object.len() + 8];
            let mut writer = Writer::new(&mut buffer);
            let mut elements = 0;
            rewrite(Reader::new(object), inside, &mut elements, &mut writer)
                .expect("a buffer that is large enough");
            assert_eq!(hex::encode(writer.finish()), hex::encode(object), "{}: {tag}", path.display());
            assert!(hex::encode_upper(object).starts_with(expected), "{}: {tag}", path.display());
            let least = if object.ends_with(&[0x53, 0x00]) { 1 } else { 2 };
            assert!(elements >= least, "{}: {tag} has {elements} elements", path.display());
        }
        println!("{}: {} objects", file.source, file.objects.len());
    }
}

#[test]
fn every_object_comes_back_from_the_card() {
    for path in object_files() {
        let file = card_objects(&path).unwrap_or_else(|error| panic!("{error}"));
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let mut text = format!("title {name}\nclause SP 800-73-5 part 2, 3.1.2 and 3.3.1\ncard piv\n");
        // Nothing of the card's own objects, so that all are the recorded ones.
        for object in ["5FC107", "5FC10D", "5FC10E", "5FC10C", "7E", "7F61"] {
            writeln!(text, "set object-{object} =").unwrap();
        }
        for (tag, object) in &file.objects {
            writeln!(text, "set object-{tag} = {}", hex::encode(object)).unwrap();
        }
        text += "scenario put there by the issuer\ndo verify the PIN\n";
        for (tag, object) in &file.objects {
            writeln!(text, "step {tag}\n>> 00 CB 3F FF lc( 5C ber( {tag} ) ) 00").unwrap();
            writeln!(text, "< {} 90 00", hex::encode(object)).unwrap();
        }
        text += "scenario put there by the card manager\ndo authenticate as card manager\n";
        for (tag, object) in &file.objects {
            let name = if matches!(tag.as_str(), "7E" | "7F61") {
                String::new()
            } else {
                format!("5C ber( {tag} )")
            };
            writeln!(text, "step {tag}\n> 00 DB 3F FF lc( {name} {} )\n< 90 00", hex::encode(object))
                .unwrap();
        }
        text += "do verify the PIN\n";
        for (tag, object) in &file.objects {
            writeln!(text, "step {tag}\n> 00 CB 3F FF 00 00 lc( 5C ber( {tag} ) ) 00 00").unwrap();
            writeln!(text, "< {} 90 00", hex::encode(object)).unwrap();
        }
        let script =
            Script::parse(&name, &text, &files::own("cards")).unwrap_or_else(|error| panic!("{error}"));
        let refused_by = RefusedBy::default();
        let report = run(&script, |values| TestCard::new(values, &refused_by));
        let failures: Vec<_> = report.failures.iter().map(ToString::to_string).collect();
        assert!(failures.is_empty(), "{}", failures.join("\n"));
        assert!(report.exchanges >= 3 * file.objects.len());
    }
}
