//! The CAC applets of a Common Access Card: what writes is done or not done, and nothing else writes.

use super::*;

/// What the e-mail signature applet holds: CertInfo, certificate, identifier.
const SIGNATURE_APPLET: &[u8] = b"\x06\x00\x71\x01\x70\x08\x72\x04\x0D\x00\x01compressuuid";

/// A Common Access Card whose PIV Authentication certificate is not activated, with so many tries left.
fn common_access_card(name: &'static str, tries: u8) -> Start {
    let mut store = open_in_memory(&fresh().image);
    let person = [0x02, 0x00, 0x17, 0x0A, 0x0A, 0x00];
    let person = [&person[..], b"1234567893"].concat();
    let updates = [
        Update::Write(Record::Profile, b"cac-gemalto-gx4-144"),
        Update::Write(Record::CacContainer(ObjectId::PERSON), &person),
        Update::Write(Record::CacContainer(ObjectId::SIGNATURE), SIGNATURE_APPLET),
        Update::Write(Record::PivAuthenticationHidden, &[0x01]),
        Update::Write(Record::RetryCounter(Reference::PivPin), &[tries]),
    ];
    store.commit(&updates).unwrap();
    Start { name, image: store.image().unwrap().to_vec() }
}

/// The same PIN and the same counter under the other face's name.
#[test]
fn the_commands_of_the_cac_applets_are_done_or_not_done() {
    let select = [0x00, 0xA4, 0x04, 0x0C, 0x07, 0xA0, 0x00, 0x00, 0x00, 0x79, 0x02, 0x00];
    let holder = |name, header: [u8; 3], old: &[u8], new: &[u8], states: States| {
        let length = u8::try_from(old.len() + new.len()).unwrap();
        let command = [&header[..], &[0x00, length], old, new].concat();
        Case { name, administrator: false, holder: false, commands: vec![select.to_vec(), command], states }
    };
    let one_less: States = |old, _| vec![old.clone(), spent(old, Reference::PivPin)];
    let all_again: States =
        |old, _| vec![old.clone(), spent(old, Reference::PivPin), with_tries(old, Reference::PivPin, 3)];
    let changed: States =
        |old, _| vec![old.clone(), spent(old, Reference::PivPin), with_value(old, Reference::PivPin)];
    let (verify, change, change_of_opensc) = ([0x00, 0x20, 0x00], [0x00, 0x24, 0x00], [0x00, 0x24, 0x01]);
    let cases = [
        holder("VERIFY of the applets, wrong PIN", verify, WRONG, &[], one_less),
        holder("VERIFY of the applets, right PIN", verify, PIN, &[], all_again),
        holder("CHANGE REFERENCE DATA of the applets, wrong PIN", change, WRONG, NEW, one_less),
        holder("CHANGE REFERENCE DATA of the applets", change, PIN, NEW, changed),
        holder("CHANGE REFERENCE DATA of the applets, P1 01", change_of_opensc, PIN, NEW, changed),
        // The other face: the mark that the certificate is not activated goes with the new certificate, and by nothing else.
        issuer("PUT DATA, certificate that activates", put_data(&large()), |old, _| {
            let mut new = with(old, Record::Object(large().0), large().1);
            assert!(new.remove(&Record::PivAuthenticationHidden.number()).is_some());
            vec![old.clone(), new]
        }),
        issuer(
            "PUT DATA, certificate that is not activated emptied",
            put_data(&no_certificate()),
            |old, _| with_object(old, no_certificate()),
        ),
        issuer("PUT DATA, certificate of both faces", put_data(&signature_certificate()), |old, run| {
            let (tag, object) = signature_certificate();
            let applet = Record::CacContainer(ObjectId::SIGNATURE);
            let shown = run[&applet.number()].clone();
            assert!(shown.windows(40).any(|bytes| bytes == [0x2D; 40]) && shown.ends_with(b"uuid"));
            vec![old.clone(), with(&with(old, Record::Object(tag), object), applet, shown)]
        }),
        issuer("GENERATE ASYMMETRIC KEY PAIR, key that is not activated", vec![GENERATE.to_vec()], new_key),
    ];
    for case in &cases {
        for start in [common_access_card("a Common Access Card", 3), common_access_card("nearly locked", 1)] {
            let compacting = about_to_compact(&start, case);
            for start in [start, compacting] {
                println!("{} in {}", cut_everywhere(case, &start), case.name);
            }
        }
    }
}

/// Commands of that face that are refused, or that change nothing a card keeps, write nothing.
#[test]
fn nothing_else_of_the_cac_applets_writes() {
    let start = common_access_card("a Common Access Card", 2);
    let (flash, power) = CutFlash::new(&start.image);
    let mut card = on(FlashStore::open(flash, Reads::Memory).unwrap());
    power.count();
    for (command, status) in [
        ("00A4040007A0000000790100", 0x9000),
        ("0020000000", 0x63C2),
        ("002C0000103132333435363738363534333231FFFF", 0x6D00),
        ("805800000401020000", 0x6982),
        ("80420000020102", 0x6982),
        ("805200000201FF", 0x9000),
        ("0056010000", 0x9000),
        ("0084000008", 0x9000),
        ("00A4040C07A0000000790300", 0x9000),
        ("804C100000", 0x9000),
        ("00A4040C08A000000003000000", 0x9000),
        ("80CA9F7F00", 0x9000),
        ("00A4040C09A00000030800001000", 0x9000),
        ("002C0080103132333435363738363534333231FFFF", 0x6982),
    ] {
        let found = support::hex(&mut card, command).1;
        assert!(found == status || found >> 8 == 0x61, "{command}: {found:04X}");
    }
    assert_eq!(power.operations().count, 0);
}
