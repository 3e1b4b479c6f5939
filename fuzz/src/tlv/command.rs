//! Commands: parsed, written, split and put together again.

use apdu::{Command, CommandBuilder, CommandChain, Progress, Response};

use crate::input::Input;

/// Bytes that a chain of [`pieces_make_the_whole`] has room for.
const CHAIN: usize = 4096;

/// Bytes that are a command are written back as they were; so are answers.
pub(super) fn is_written_back(bytes: &[u8]) {
    if let Ok(command) = Command::parse(bytes) {
        let header = command.header();
        assert_eq!((header.class.raw(), header.instruction), (bytes[0], bytes[1]));
        assert_eq!(command.p1p2(), u16::from_be_bytes([bytes[2], bytes[3]]));
        assert!((1..=0x1_0000).contains(&command.response_limit()));
        let class = command.class;
        assert_eq!(class.is_chained(), class.without_chaining() != class);
        let builder = CommandBuilder::new(class, command.instruction, command.p1, command.p2)
            .data(command.data)
            .le(command.ne());
        let (mut buffer, mut short) = (vec![0; bytes.len()], vec![0; bytes.len() - 1]);
        let (written, cut) = if command.is_extended() {
            (builder.encode_extended(&mut buffer), builder.encode_extended(&mut short))
        } else {
            (builder.encode_short(&mut buffer), builder.encode_short(&mut short))
        };
        assert_eq!(written, Ok(bytes));
        assert!(cut.is_err(), "a buffer that is too short gets nothing");
    }
    if let Some(answer) = Response::parse(bytes) {
        let mut buffer = vec![0; answer.encoded_len()];
        assert_eq!(answer.write_to(&mut buffer), Some(bytes.len()));
        assert_eq!(buffer, bytes);
        assert_eq!(u16::from(answer.status).to_be_bytes(), bytes[bytes.len() - 2..]);
    } else {
        assert!(bytes.len() < 2);
    }
}

/// A command in pieces of any length is the same command again.
pub(super) fn pieces_make_the_whole(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    // A chain has a class with a bit for it.
    let class = input.byte() & 0x0F;
    let [instruction, p1, p2] = [(); 3].map(|()| input.byte());
    let (size, le) = (input.number() % 300 + 1, input.number());
    let data = input.rest();
    let data = &data[..data.len().min(CHAIN)];
    let builder =
        CommandBuilder::new(class, instruction, p1, p2).data(data).le(u32::try_from(le).unwrap_or(0));
    let pieces: Vec<_> = builder.chained(size).expect("pieces of a byte or more").collect();
    assert_eq!(pieces.len(), data.len().div_ceil(size).max(1));
    let mut chain = CommandChain::<CHAIN>::new();
    for (number, piece) in pieces.iter().enumerate() {
        let mut buffer = [0; 320];
        let piece = piece.encode(&mut buffer).expect("a short piece");
        let progress = chain.push(&Command::parse(piece).expect("a command"));
        let expected = match (pieces.len(), pieces.len() - number) {
            (1, _) => return assert_eq!(progress, Ok(Progress::Single)),
            (_, 1) => Progress::Complete,
            _ => Progress::More,
        };
        assert_eq!(progress, Ok(expected));
    }
    let command = chain.command().expect("the last piece was there");
    assert_eq!(command.data, data);
    assert_eq!((command.class.raw(), command.instruction), (class, instruction));
    assert_eq!((command.p1, command.p2), (p1, p2));
    assert_eq!(usize::try_from(command.ne()), Ok(le));
}
