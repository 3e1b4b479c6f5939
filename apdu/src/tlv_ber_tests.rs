//! Tests of `tlv_ber`.
