//! The structures of pcsc-lite's client protocol, as tables.
//!
//! Integers are 32 bits in the host's byte order; nothing is packed, and only `READER_STATE` has padding. Nothing
//! depends on the width of `long`: 32-bit clients talk to a 64-bit server. Each table row is offset, field and type, and
//! the compiler checks the offsets against the types.
//!
//! Promise: what [`Structure::parse`] reads, [`Structure::bytes`] writes back, byte for byte; neither can fail, since the
//! sizes are part of their types.

/// Longest name of a reader on the wire, with its closing NUL.
pub(super) const NAME_LENGTH: usize = 128;
/// Longest answer to reset.
pub(super) const ATR_LENGTH: usize = 33;
/// Longest attribute.
pub(super) const ATTRIBUTE_LENGTH: usize = 264;

/// A structure of `N` bytes.
pub(super) trait Structure<const N: usize> {
    /// Bytes on the wire.
    const SIZE: usize = N;

    /// Reads the structure.
    fn parse(bytes: &[u8; N]) -> Self;

    /// The structure's bytes.
    fn bytes(&self) -> [u8; N];
}

/// A type that stands in a structure.
trait Field: Sized {
    const LENGTH: usize;
    fn read(bytes: &[u8]) -> Self;
    fn write(&self, bytes: &mut [u8]);
}

impl Field for u32 {
    const LENGTH: usize = 4;

    fn read(bytes: &[u8]) -> Self {
        Self::from_ne_bytes(Field::read(bytes))
    }

    fn write(&self, bytes: &mut [u8]) {
        bytes.copy_from_slice(&self.to_ne_bytes());
    }
}

impl Field for i32 {
    const LENGTH: usize = 4;

    fn read(bytes: &[u8]) -> Self {
        Self::from_ne_bytes(Field::read(bytes))
    }

    fn write(&self, bytes: &mut [u8]) {
        bytes.copy_from_slice(&self.to_ne_bytes());
    }
}

impl<const N: usize> Field for [u8; N] {
    const LENGTH: usize = N;

    fn read(bytes: &[u8]) -> Self {
        let mut field = [0; N];
        field.copy_from_slice(bytes);
        field
    }

    fn write(&self, bytes: &mut [u8]) {
        bytes.copy_from_slice(self);
    }
}

macro_rules! structures {
    ($($(#[$about:meta])* $name:ident: $size:literal { $($offset:literal $field:ident: $type:ty,)* })*) => {$(
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(clippy::struct_field_names, reason = "the names are the protocol's")]
        pub(super) struct $name {
            $(pub(super) $field: $type,)*
        }

        impl Structure<$size> for $name {
            fn parse(bytes: &[u8; $size]) -> Self {
                Self { $($field: Field::read(&bytes[$offset..$offset + <$type as Field>::LENGTH]),)* }
            }

            fn bytes(&self) -> [u8; $size] {
                let mut bytes = [0; $size];
                $(self.$field.write(&mut bytes[$offset..$offset + <$type as Field>::LENGTH]);)*
                bytes
            }
        }

        // Fields stand one after another and end within the structure.
        const _: () = {
            let mut end = 0;
            $(
                assert!($offset >= end);
                end = $offset + <$type as Field>::LENGTH;
            )*
            assert!(end == $size);
        };
    )*};
}

structures! {
    /// What every request begins with. The size is that of the structure behind it, without a payload.
    Header: 8 {
        0 size: u32,
        4 command: u32,
    }

    /// CMD_VERSION
    Version: 12 {
        0 major: i32,
        4 minor: i32,
        8 rv: u32,
    }

    /// ESTABLISH_CONTEXT
    Establish: 12 {
        0 scope: u32,
        4 context: u32,
        8 rv: u32,
    }

    /// RELEASE_CONTEXT, and CANCEL: a context and the answer.
    Context: 8 {
        0 context: u32,
        4 rv: u32,
    }

    /// CONNECT
    Connect: 152 {
        0   context: u32,
        4   reader: [u8; NAME_LENGTH],
        132 share_mode: u32,
        136 preferred_protocols: u32,
        140 handle: u32,
        144 active_protocol: u32,
        148 rv: u32,
    }

    /// RECONNECT
    Reconnect: 24 {
        0  handle: u32,
        4  share_mode: u32,
        8  preferred_protocols: u32,
        12 initialization: u32,
        16 active_protocol: u32,
        20 rv: u32,
    }

    /// DISCONNECT and END_TRANSACTION: a handle, what becomes of the card, and the answer.
    Disposition: 12 {
        0 handle: u32,
        4 disposition: u32,
        8 rv: u32,
    }

    /// BEGIN_TRANSACTION and STATUS: a handle and the answer.
    Handle: 8 {
        0 handle: u32,
        4 rv: u32,
    }

    /// TRANSMIT. The lengths of the PCI are the client's own `sizeof`: 16 or 8. They are sent back as they came.
    Transmit: 32 {
        0  handle: u32,
        4  send_protocol: u32,
        8  send_pci_length: u32,
        12 send_length: u32,
        16 receive_protocol: u32,
        20 receive_pci_length: u32,
        24 receive_length: u32,
        28 rv: u32,
    }

    /// CONTROL
    Control: 24 {
        0  handle: u32,
        4  code: u32,
        8  send_length: u32,
        12 receive_length: u32,
        16 returned_length: u32,
        20 rv: u32,
    }

    /// GET_ATTRIB and SET_ATTRIB
    Attribute: 280 {
        0   handle: u32,
        4   id: u32,
        8   data: [u8; ATTRIBUTE_LENGTH],
        272 length: u32,
        276 rv: u32,
    }

    /// The event that ends WAIT_READER_STATE_CHANGE, and the answer to STOP_WAITING.
    Event: 8 {
        0 timeout: u32,
        4 rv: u32,
    }

    /// GET_READER_EVENTS
    ReaderEvents: 8 {
        0 count: u32,
        4 rv: u32,
    }

    /// GET_READERS_STATE_SIZE
    ArraySize: 4 {
        0 entries: i32,
    }

    /// One entry of the array of reader states. A free slot has an empty name.
    ReaderState: 184 {
        0   name: [u8; NAME_LENGTH],
        128 event_counter: u32,
        132 state: u32,
        136 sharing: i32,
        140 atr: [u8; ATR_LENGTH],
        173 padding: [u8; 3],
        176 atr_length: u32,
        180 protocol: u32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `0, 1, 2, …`: each field of a structure read from it says where it stands.
    fn counting<const N: usize>() -> [u8; N] {
        std::array::from_fn(|position| position.to_le_bytes()[0])
    }

    fn word(offset: u8) -> u32 {
        u32::from_ne_bytes([offset, offset + 1, offset + 2, offset + 3])
    }

    macro_rules! round_trips {
        ($($name:ident)*) => {$(
            let bytes = counting::<{ $name::SIZE }>();
            assert_eq!($name::parse(&bytes).bytes(), bytes, stringify!($name));
        )*};
    }

    #[test]
    fn every_structure_is_written_as_it_was_read() {
        round_trips!(Header Version Establish Context Connect Reconnect Disposition Handle Transmit Control
            Attribute Event ReaderEvents ArraySize ReaderState);
    }

    #[test]
    fn sizes_are_those_of_the_protocol() {
        let sizes = [
            (Header::SIZE, 8),
            (Version::SIZE, 12),
            (Establish::SIZE, 12),
            (Context::SIZE, 8),
            (Connect::SIZE, 152),
            (Reconnect::SIZE, 24),
            (Disposition::SIZE, 12),
            (Handle::SIZE, 8),
            (Transmit::SIZE, 32),
            (Control::SIZE, 24),
            (Attribute::SIZE, 280),
            (Event::SIZE, 8),
            (ReaderEvents::SIZE, 8),
            (ArraySize::SIZE, 4),
            (ReaderState::SIZE, 184),
        ];
        for (ours, protocol) in sizes {
            assert_eq!(ours, protocol);
        }
    }

    #[test]
    fn fields_stand_at_their_offsets() {
        let connect = Connect::parse(&counting());
        assert_eq!((connect.context, connect.reader[0]), (word(0), 4));
        assert_eq!((connect.share_mode, connect.preferred_protocols), (word(132), word(136)));
        assert_eq!((connect.handle, connect.active_protocol, connect.rv), (word(140), word(144), word(148)));
        let transmit = Transmit::parse(&counting());
        assert_eq!((transmit.send_protocol, transmit.send_pci_length), (word(4), word(8)));
        assert_eq!((transmit.send_length, transmit.receive_length), (word(12), word(24)));
        let attribute = Attribute::parse(&counting());
        assert_eq!((attribute.id, attribute.data[0]), (word(4), 8));
        // 272 and 276, counted in one byte.
        assert_eq!((attribute.length, attribute.rv), (word(16), word(20)));
        let state = ReaderState::parse(&counting());
        assert_eq!((state.event_counter, state.state), (word(128), word(132)));
        assert_eq!((state.atr[0], state.atr_length, state.protocol), (140, word(176), word(180)));
    }
}
