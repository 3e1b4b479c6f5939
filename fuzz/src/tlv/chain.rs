//! Chains of commands against an obvious model, and long answers in parts.

use apdu::{Command, CommandBuilder, CommandChain, Progress, ResponseCursor, Status};

use crate::input::Input;

/// Bytes that the chain has room for; few, so that it overflows.
const ROOM: usize = 64;

/// The model: the header that all pieces share, and their data.
type Model = Option<([u8; 2], Vec<u8>)>;

/// Any commands, each of a class, an instruction and data.
pub(super) fn agrees_with_a_model(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut chain = CommandChain::<ROOM>::new();
    let mut model: Model = None;
    while let Some(first) = input.next() {
        let class = [0x00, 0x10, 0x0C, 0x1C][usize::from(first & 3)];
        let instruction = 0xDA | (first >> 2 & 1);
        let data = input.take(usize::from(first >> 3));
        if first == 0xFF {
            chain.abort();
            model = None;
            continue;
        }
        let builder = CommandBuilder::new(class, instruction, 0, 0).data(data);
        let mut buffer = [0; 64];
        let command = builder.encode(&mut buffer).expect("a short command");
        let progress = chain.push(&Command::parse(command).expect("a command"));
        let (expected, complete) = push(&mut model, class, instruction, data);
        assert_eq!(progress, expected);
        assert_eq!(chain.is_active(), model.is_some());
        let kept = model.as_ref().map(|(_, data)| data).or(complete.as_ref());
        assert_eq!(chain.data(), kept.map_or(&[][..], Vec::as_slice));
        assert_eq!(chain.command().map(|command| command.data.to_vec()), complete);
    }
}

/// What the model does with a command, and the data of the chain that it completes.
fn push(
    model: &mut Model,
    class: u8,
    instruction: u8,
    data: &[u8],
) -> (Result<Progress, Status>, Option<Vec<u8>>) {
    let header = [class & !0x10, instruction];
    let chained = class & 0x10 != 0;
    let running = match model.take() {
        Some((running, _)) if running != header => return (Ok(Progress::Interrupted), None),
        None if !chained => return (Ok(Progress::Single), None),
        running => running.map(|(_, data)| data).unwrap_or_default(),
    };
    let joined = [&running, data].concat();
    if joined.len() > ROOM {
        return (Err(Status::WrongLength), None);
    }
    if chained {
        *model = Some((header, joined));
        return (Ok(Progress::More), None);
    }
    (Ok(Progress::Complete), Some(joined))
}

/// The parts of an answer follow each other, and their status words tell how much is left.
pub(super) fn answers_come_whole(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let total = input.number();
    let mut cursor = ResponseCursor::new();
    cursor.start(total);
    let mut sent = 0;
    while cursor.is_pending() {
        let limit = match input.number() {
            0 => 0x1_0000,
            limit => limit,
        };
        let (part, status) = cursor.take(limit);
        assert_eq!((part.start, part.len()), (sent, limit.min(total - sent)));
        sent = part.end;
        let expected = match total - sent {
            0 => Status::Ok,
            left => Status::MoreData(u8::try_from(left).unwrap_or(0)),
        };
        assert_eq!((status, cursor.remaining()), (expected, total - sent));
    }
    assert_eq!(sent, total);
}
