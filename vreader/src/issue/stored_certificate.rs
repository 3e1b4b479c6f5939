//! A certificate as its container holds it: elements `70` and `71` (SP 800-73-5 part 1, appendix A, tables 10 to 13).
//!
//! CertInfo `71` says whether `70` is the certificate or a gzip file of it (RFC 1952). The file has no name and no time in it,
//! so that the same certificate gives the same bytes.

use std::io::Write;

use flate2::{Compression, GzBuilder};

use super::tlv::elements;

const PLAIN: u8 = 0x00;
const GZIP: u8 = 0x01;

/// The elements `70` and `71`.
pub(crate) fn stored_certificate(der: &[u8], compressed: bool) -> Vec<u8> {
    if compressed {
        elements([(0x70, &gzip(der)), (0x71, &[GZIP])])
    } else {
        elements([(0x70, der), (0x71, &[PLAIN])])
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    // Writing to memory cannot fail.
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("memory takes every byte")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::certificate::unpack;

    #[test]
    fn a_compressed_certificate_is_a_gzip_file_without_name_and_time() {
        let der = [0x30; 1000];
        let stored = stored_certificate(&der, true);
        let mut reader = apdu::tlv_ber::Reader::single_byte_tags(&stored);
        let file = reader.expect(0x70_u8.into()).unwrap();
        assert_eq!(reader.expect(0x71_u8.into()).unwrap(), [0x01]);
        // RFC 1952, 2.3: deflate, no flags, no time.
        assert_eq!(file[..8], [0x1F, 0x8B, 8, 0, 0, 0, 0, 0]);
        assert!(file.len() < 100);
        assert_eq!(unpack(file).unwrap(), der);
        assert_eq!(stored, stored_certificate(&der, true));
    }
}
