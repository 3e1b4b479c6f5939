//! Response APDUs: the data field and the status word behind it.
//!
//! Follows ISO/IEC 7816-4:2020, 5.2. A response of fewer than two bytes does not exist; any
//! longer one has exactly one reading.

use core::fmt;

use crate::status::Status;

/// Length of the trailer SW1 SW2, in bytes.
const TRAILER: usize = 2;

/// A response APDU with borrowed data.
///
/// `Debug` prints how long the data field is but not what is in it.
///
/// ```
/// use apdu::{Response, Status};
///
/// let response = Response::parse(&[0x01, 0x02, 0x61, 0x10]);
/// assert_eq!(response, Some(Response { data: &[0x01, 0x02], status: Status::MoreData(16) }));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Response<'a> {
    /// The data field, often empty.
    pub data: &'a [u8],
    /// SW1 SW2.
    pub status: Status,
}

impl<'a> Response<'a> {
    /// A response without data.
    pub const fn from_status(status: Status) -> Self {
        Self { data: &[], status }
    }

    /// Reads a whole response, or `None` when it is shorter than a status word.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (data, trailer) = bytes.split_last_chunk::<TRAILER>()?;
        let status = Status::from(u16::from_be_bytes(*trailer));
        Some(Self { data, status })
    }

    /// The length of the whole response, in bytes.
    pub const fn encoded_len(&self) -> usize {
        self.data.len().saturating_add(TRAILER)
    }

    /// Writes the response to the start of `buffer` and returns its length in bytes, or `None`
    /// when the buffer is too small (it is then left as it was).
    pub fn write_to(&self, buffer: &mut [u8]) -> Option<usize> {
        let (data, rest) = buffer.split_at_mut_checked(self.data.len())?;
        let trailer = rest.first_chunk_mut::<TRAILER>()?;
        data.copy_from_slice(self.data);
        *trailer = self.status.to_bytes();
        Some(self.encoded_len())
    }
}

impl fmt::Debug for Response<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Response({} data bytes, {})", self.data.len(), self.status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shorter_than_a_status_word_is_no_response() {
        assert_eq!(Response::parse(&[]), None);
        assert_eq!(Response::parse(&[0x90]), None);
    }

    #[test]
    fn data_and_status_are_split_at_the_last_two_bytes() {
        let response = Response::parse(&[0xAA, 0x90, 0x00]).unwrap();
        assert_eq!(response.data, [0xAA]);
        assert_eq!(response.status, Status::Ok);
        assert_eq!(
            Response::parse(&[0x69, 0x82]),
            Some(Response::from_status(Status::SecurityStatusNotSatisfied))
        );
    }

    #[test]
    fn a_small_buffer_is_left_alone() {
        let response = Response { data: &[1, 2, 3], status: Status::Ok };
        let mut buffer = [0xEE; 4];
        assert_eq!(response.write_to(&mut buffer), None);
        assert_eq!(buffer, [0xEE; 4]);

        let mut buffer = [0xEE; 6];
        assert_eq!(response.write_to(&mut buffer), Some(5));
        assert_eq!(buffer, [1, 2, 3, 0x90, 0x00, 0xEE]);
    }

    #[test]
    fn debug_hides_the_data() {
        let response = Response { data: &[0xAB, 0xCD], status: Status::Ok };
        assert_eq!(std::format!("{response:?}"), "Response(2 data bytes, 9000 (success))");
    }
}
