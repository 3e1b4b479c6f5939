//! Tests of `tlv_simple`.
