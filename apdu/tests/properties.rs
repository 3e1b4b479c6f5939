//! Properties that hold for all inputs: what is written is read back, pieces make the whole,
//! and no bytes whatsoever make a parser panic.

use apdu::{
    Class, Command, CommandBuilder, CommandChain, Progress, Response, ResponseCursor, Status, Tag, aid,
    tlv_ber, tlv_simple,
};
use proptest::{collection::vec, prelude::*, sample::select};

fn bytes(longest: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..=longest)
}

/// Lengths around every boundary of the encodings, and others between them.
fn data_field() -> impl Strategy<Value = Vec<u8>> {
    let lengths = select(vec![0_usize, 1, 127, 128, 254, 255, 256, 257, 4096, 65_534, 65_535]);
    prop_oneof![4 => bytes(300), 1 => (lengths, any::<u8>()).prop_map(|(n, byte)| vec![byte; n])]
}

fn ne() -> impl Strategy<Value = u32> {
    prop_oneof![select(vec![0_u32, 1, 255, 256, 257, 65_535, 65_536]), 0..=65_536_u32]
}

/// Tags that BER reads back as they are: one, two or three bytes.
fn ber_tag() -> impl Strategy<Value = Tag> {
    let first = any::<u8>().prop_filter("single-byte tag", |byte| byte & 0x1F != 0x1F);
    let leading = (0..8_u32).prop_map(|class| (class << 5) | 0x1F);
    prop_oneof![
        first.prop_map(Tag::from),
        (leading.clone(), 0..=0x7F_u32).prop_map(|(a, b)| Tag::new((a << 8) | b)),
        (leading, 0x80..=0xFF_u32, 0..=0x7F_u32).prop_map(|(a, b, c)| Tag::new((a << 16) | (b << 8) | c)),
    ]
}

/// Writes `core` inside one element per tag, the first tag outermost.
fn nest(writer: &mut tlv_ber::Writer<'_>, tags: &[Tag], core: &[u8]) -> Result<(), apdu::Full> {
    match tags {
        [] => writer.raw(core),
        [tag, inner @ ..] => writer.nested(*tag, |writer| nest(writer, inner, core)),
    }
}

/// Runs every parser of the crate over the same bytes.
fn read_as_everything(input: &[u8]) {
    if let Ok(command) = Command::parse(input) {
        let _ = (command.response_limit(), command.class.secure_messaging(), command.class.channel());
        let mut chain = CommandChain::<64>::new();
        let _ = (chain.push(&command), chain.push(&command), chain.command());
    }
    let _ = Response::parse(input).map(|response| response.write_to(&mut [0; 16]));
    let _ = aid::Aid::new(input).map(|aid| (aid.rid(), aid.pix(), aid.matches(input, 5)));
    for reader in [tlv_ber::Reader::new(input), tlv_ber::Reader::single_byte_tags(input)] {
        let _ = reader.find(Tag::new(0x53));
        let read: usize = reader.into_iter().flatten().map(|tlv| tlv.value.len()).sum();
        assert!(read <= input.len());
    }
    for order in [tlv_simple::Order::Big, tlv_simple::Order::Little] {
        let mut reader = tlv_simple::Reader::new(input, order);
        let _ = reader.find(0x53);
        while let Ok(Some(tlv)) = reader.next() {
            assert!(tlv.value.len() <= input.len());
        }
    }
}

#[test]
fn parsers_survive_every_length() {
    // A plausible body, so that long inputs get past the first check: extended Lc, BER and
    // SIMPLE-TLV lengths all occur at the start.
    for filler in [0x00, 0x5F, 0x82, 0xFF] {
        let mut input = vec![filler; 70_000];
        for length in (0..600_usize).chain((600..70_000).step_by(997)).chain(65_530..65_560) {
            if let Some(body) = length.checked_sub(7).and_then(|n| u16::try_from(n).ok()) {
                input[4] = 0;
                input[5..7].copy_from_slice(&body.to_be_bytes());
            }
            read_as_everything(&input[..length]);
        }
    }
}

#[test]
fn every_status_word_round_trips() {
    for word in 0..=u16::MAX {
        assert_eq!(u16::from(Status::from(word)), word);
    }
}

proptest! {
    #[test]
    fn parsers_survive_any_bytes(input in prop_oneof![bytes(64), bytes(2_000)]) {
        read_as_everything(&input);
    }

    #[test]
    fn parsers_survive_long_bytes(seed in bytes(64), length in 0..=70_000_usize) {
        let input: Vec<u8> = seed.iter().copied().chain([0x5F]).cycle().take(length).collect();
        read_as_everything(&input);
    }

    #[test]
    fn commands_round_trip(
        [class, ins, p1, p2] in any::<[u8; 4]>(),
        data in data_field(),
        ne in ne(),
    ) {
        let builder = CommandBuilder::new(class, ins, p1, p2).data(&data).le(ne);
        let mut buffer = vec![0; data.len() + 9];
        for encoding in [0, 1, 2] {
            let encoded = match encoding {
                0 => builder.encode(&mut buffer),
                1 => builder.encode_extended(&mut buffer),
                // Not every command has a short form.
                _ if data.len() > 255 || ne > 256 => continue,
                _ => builder.encode_short(&mut buffer),
            };
            let command = Command::parse(encoded.unwrap()).unwrap();
            let header = [command.class.raw(), command.instruction, command.p1, command.p2];
            prop_assert_eq!(header, [class, ins, p1, p2]);
            prop_assert_eq!(command.data, &data[..]);
            prop_assert_eq!(command.ne(), ne);
            let lengths_present = !data.is_empty() || ne != 0;
            if encoding > 0 {
                prop_assert_eq!(command.is_extended(), encoding == 1 && lengths_present);
            }
        }
    }

    /// The other direction: bytes that parse are written back identically.
    #[test]
    fn parsed_commands_are_written_back(input in bytes(40)) {
        if let Ok(command) = Command::parse(&input) {
            let builder = CommandBuilder::new(command.class, command.instruction, command.p1, command.p2)
                .data(command.data)
                .le(command.ne());
            let mut buffer = [0; 64];
            let written = if command.is_extended() {
                builder.encode_extended(&mut buffer)
            } else {
                builder.encode_short(&mut buffer)
            };
            prop_assert_eq!(written.unwrap(), &input[..]);
        }
    }

    #[test]
    fn responses_round_trip(data in bytes(300), word in any::<u16>()) {
        let response = Response { data: &data, status: Status::from(word) };
        let mut buffer = vec![0; response.encoded_len()];
        prop_assert_eq!(response.write_to(&mut buffer), Some(data.len() + 2));
        prop_assert_eq!(Response::parse(&buffer), Some(response));
    }

    #[test]
    fn ber_elements_round_trip(elements in vec((ber_tag(), data_field()), 0..6)) {
        let size = elements.iter().map(|(tag, value)| tlv_ber::encoded_len(*tag, value.len()).unwrap());
        let mut buffer = vec![0; size.sum()];
        let mut writer = tlv_ber::Writer::new(&mut buffer);
        for (tag, value) in &elements {
            prop_assert!(tag.is_ber());
            writer.tlv(*tag, value).unwrap();
        }
        prop_assert_eq!(writer.space(), 0);
        let mut reader = tlv_ber::Reader::new(writer.finish());
        for (tag, value) in &elements {
            prop_assert_eq!(reader.expect(*tag), Ok(&value[..]));
        }
        prop_assert_eq!(reader.finish(), Ok(()));
    }

    #[test]
    fn container_elements_round_trip(elements in vec((any::<u8>(), bytes(300)), 0..6)) {
        let mut buffer = [0; 2_000];
        let mut writer = tlv_ber::Writer::new(&mut buffer);
        for (tag, value) in &elements {
            writer.tlv(Tag::from(*tag), value).unwrap();
        }
        let mut reader = tlv_ber::Reader::single_byte_tags(writer.finish());
        for (tag, value) in &elements {
            prop_assert_eq!(reader.expect(Tag::from(*tag)), Ok(&value[..]));
        }
        prop_assert_eq!(reader.finish(), Ok(()));
    }

    #[test]
    fn nesting_equals_wrapping(tags in vec(ber_tag(), 1..5), core in data_field()) {
        let mut wrapped = core.clone();
        for tag in tags.iter().rev() {
            let header = tlv_ber::Header::new(*tag, wrapped.len()).unwrap();
            wrapped = [header.as_slice(), &wrapped].concat();
        }
        let mut buffer = vec![0; wrapped.len()];
        let mut writer = tlv_ber::Writer::new(&mut buffer);
        nest(&mut writer, &tags, &core).unwrap();
        prop_assert_eq!(writer.finish(), &wrapped[..]);
    }

    #[test]
    fn simple_elements_round_trip(
        elements in vec((1..=0xFE_u8, data_field()), 0..6),
        little in any::<bool>(),
    ) {
        let order = if little { tlv_simple::Order::Little } else { tlv_simple::Order::Big };
        let size = elements.iter().map(|(_, value)| tlv_simple::encoded_len(value.len()).unwrap());
        let mut buffer = vec![0; size.sum()];
        let mut writer = tlv_simple::Writer::new(&mut buffer, order);
        for (tag, value) in &elements {
            writer.tlv(*tag, value).unwrap();
        }
        let mut reader = tlv_simple::Reader::new(writer.finish(), order);
        for (tag, value) in &elements {
            prop_assert_eq!(reader.expect(*tag), Ok(&value[..]));
        }
        prop_assert_eq!(reader.finish(), Ok(()));
    }

    #[test]
    fn chains_reassemble(
        class in select(vec![0x00_u8, 0x0C, 0x03, 0x40, 0x6F]),
        data in bytes(2_000),
        fragment in 1..=300_usize,
        ne in ne(),
    ) {
        let whole = CommandBuilder::new(class, 0xDB, 0x3F, 0xFF).data(&data).le(ne);
        let fragments: Vec<_> = whole.chained(fragment).unwrap().collect();
        prop_assert_eq!(fragments.len(), data.len().div_ceil(fragment).max(1));
        let mut chain = CommandChain::<2_000>::new();
        let mut progress = Ok(Progress::More);
        for piece in &fragments {
            prop_assert_eq!(progress, Ok(Progress::More));
            let mut buffer = [0; 320];
            progress = chain.push(&Command::parse(piece.encode(&mut buffer).unwrap()).unwrap());
        }
        if fragments.len() == 1 {
            prop_assert_eq!(progress, Ok(Progress::Single));
        } else {
            prop_assert_eq!(progress, Ok(Progress::Complete));
            let command = chain.command().unwrap();
            prop_assert_eq!(command.class, Class::parse(class));
            prop_assert_eq!(command.data, &data[..]);
            prop_assert_eq!(command.ne(), ne);
        }
    }

    /// The chain against an obvious model: a header and a growing vector.
    #[test]
    fn chain_agrees_with_a_model(
        commands in vec((select(vec![0x00_u8, 0x10, 0x1C]), 0..2_u8, bytes(12)), 0..40),
    ) {
        let mut chain = CommandChain::<32>::new();
        let mut model: Option<((u8, u8), Vec<u8>)> = None;
        for (class, ins, data) in &commands {
            let mut buffer = [0; 32];
            let builder = CommandBuilder::new(*class, *ins, 0, 0).data(data);
            let command = Command::parse(builder.encode(&mut buffer).unwrap()).unwrap();
            let key = (class & !0x10, *ins);
            let chained = class & 0x10 != 0;
            let expected = match model.take() {
                Some((running, _)) if running != key => Ok(Progress::Interrupted),
                None if !chained => Ok(Progress::Single),
                running => {
                    let joined = [running.map_or(vec![], |(_, kept)| kept), data.clone()].concat();
                    if joined.len() > 32 {
                        Err(Status::WrongLength)
                    } else if chained {
                        model = Some((key, joined));
                        Ok(Progress::More)
                    } else {
                        prop_assert_eq!(chain.push(&command), Ok(Progress::Complete));
                        prop_assert_eq!(chain.data(), &joined[..]);
                        continue;
                    }
                }
            };
            prop_assert_eq!(chain.push(&command), expected);
            prop_assert_eq!(chain.is_active(), model.is_some());
            prop_assert_eq!(chain.data(), model.as_ref().map_or(&[][..], |(_, kept)| kept));
        }
    }

    #[test]
    fn response_pieces_make_the_whole(
        total in 0..70_000_usize,
        limits in vec(prop_oneof![1..=256_usize, 1..=65_536_usize], 1..10),
    ) {
        let mut cursor = ResponseCursor::new();
        cursor.start(total);
        let mut sent = 0;
        for limit in limits.iter().cycle() {
            let (range, status) = cursor.take(*limit);
            prop_assert_eq!(range.start, sent);
            prop_assert!(range.len() <= *limit);
            sent = range.end;
            let left = total - sent;
            let expected = match left {
                0 => Status::Ok,
                1..=255 => Status::MoreData(u8::try_from(left).unwrap()),
                _ => Status::MoreData(0),
            };
            prop_assert_eq!(status, expected);
            prop_assert_eq!(cursor.is_pending(), left > 0);
            if left == 0 {
                break;
            }
        }
        prop_assert_eq!(sent, total);
    }

    #[test]
    fn truncated_names_match(full in vec(any::<u8>(), 5..=16), cut in 0..=16_usize, shortest in 0..=16_usize) {
        let requested = &full[..cut.min(full.len())];
        prop_assert_eq!(aid::select_matches(&full, requested, shortest), requested.len() >= shortest);
        let mut other = requested.to_vec();
        if let Some(last) = other.last_mut() {
            *last ^= 1;
            prop_assert!(!aid::select_matches(&full, &other, 0));
        }
    }
}
